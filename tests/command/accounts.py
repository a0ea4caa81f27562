"""Accounts behind a URL, for the command to work in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from amicleaner.demo.article import IMAGES
from tests.fake_aws import FakeAws, RegionState, Served, World, serve

QUESTION = "Do you want to continue and remove {} AMIs [y/N] ? : "
ORPHAN_QUESTION = "Do you want to continue and remove {} orphan snapshots [y/N] ? : "


@dataclass
class Account:
    """One account and Region of the fake AWS, served."""

    served: Served
    region: RegionState

    @property
    def fake_aws(self) -> FakeAws:
        return self.served.fake_aws

    @property
    def environment(self) -> dict[str, str]:
        return self.served.environment()

    @property
    def images(self) -> set[str]:
        return set(self.region.images)

    @property
    def snapshots(self) -> set[str]:
        return set(self.region.snapshots)

    def deletions(self) -> list[tuple[str, str]]:
        """The changing calls that came, with the id that each names."""
        calls = self.fake_aws.calls.changing()
        return [(call.action, str(call.params.get("ImageId") or call.params.get("SnapshotId"))) for call in calls]


@contextmanager
def account() -> Iterator[Account]:
    """An empty account."""
    world = World()
    with serve(FakeAws(world)) as served:
        yield Account(served, world.region())


@contextmanager
def article_account() -> Iterator[Account]:
    """The article's account; the snapshot of `ami-50504e36` is `snap-50504e36`, and so on."""
    with account() as empty:
        for image in IMAGES:
            created = image.created.replace(tzinfo=UTC)
            description = f"Created by CreateImage({image.made('i')}) for {image.id} from {image.made('vol')}"
            snapshot = empty.region.add_snapshot(description, snapshot_id=snapshot_of(image.id), started=created)
            empty.region.add_image(
                image.name, image_id=image.id, created=created, tags=image.tags, snapshots=[snapshot.snapshot_id]
            )
        yield empty


@contextmanager
def large_account(count: int = 40) -> Iterator[Account]:
    """`count` AMIs of one group, all of which go with `--keep-previous 0`."""
    with account() as empty:
        for number in range(count):
            created = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number)
            snapshot = empty.region.add_snapshot(snapshot_id=f"snap-{number:08x}", started=created)
            empty.region.add_image(
                f"web-{number:03d}",
                image_id=f"ami-{number:08x}",
                created=created,
                tags={"environment": "prod", "role": "web"},
                snapshots=[snapshot.snapshot_id],
            )
        yield empty


def snapshot_of(ami: str) -> str:
    """The snapshot of an AMI of the accounts here."""
    return ami.replace("ami-", "snap-")


FOUR = ("ami-50504e36", "ami-954658f3", "ami-9d4759fb", "ami-fd4c529b")
"""What goes of the article's account by default: the oldest of each group."""
