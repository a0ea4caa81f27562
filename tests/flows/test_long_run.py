"""Months of an account's life: AMIs are created, used, shared, protected and deregistered by hand, while the tool runs again
and again, now and then with a failure.  After each run the account is compared with what this module itself knows about
it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

import pytest

from amicleaner.errors import AwsError
from amicleaner.result import Result
from tests.fake_aws.resources import Image
from tests.flows.flow import Flow

pytestmark = pytest.mark.once
KEEP = 2
MIN_DAYS = 3
OPTIONS: dict[str, Any] = {
    "keep_previous": KEEP,
    "ami_min_days": MIN_DAYS,
    "keep_tag": ("keep",),
    "check_orphans": True,
    "max_attempts": 3,
}
STRANGER = "999999999999"
READS = (
    "DescribeImages DescribeInstances DescribeSnapshots DescribeLaunchTemplateVersions DescribeLaunchConfigurations "
    "DescribeAutoScalingGroups DescribeSpotFleetRequests DescribeImageReferences DescribeImageAttribute"
).split()
CHANGES = ("DeregisterImage", "DeleteSnapshot")
KINDS = "refuse throttle http500 html xhtml truncated empty cut cut-after lost hang hang-after".split()


L = TypeVar("L", bound="Life")


@dataclass
class Before:
    """What was there when a run began."""

    images: dict[str, Image]
    snapshots: set[str]
    held: dict[str, list[str]]
    used: set[str]


@dataclass
class Life:
    """An account, and what is known about it: `uses` are (AMI, how the use ends), `pinned` the snapshots that templates
    name, `meanwhile` the AMIs that came into use at the last prompt."""

    options: ClassVar[dict[str, Any]] = OPTIONS
    changes: ClassVar[tuple[str, ...]] = CHANGES

    flow: Flow
    dice: random.Random
    uses: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    pinned: set[str] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)
    meanwhile: set[str] = field(default_factory=set)
    born: int = 0
    removed: int = 0
    orphans: int = 0
    came_into_use: int = 0
    failed: int = 0

    @property
    def now(self) -> datetime:
        return self.flow.time.now()

    @property
    def used(self) -> set[str]:
        return {ami for ami, _ in self.uses}

    def some(self) -> Image | None:
        images = list(self.flow.home.images.values())
        return self.dice.choice(images) if images else None

    # What happens in an account

    def birth(self) -> None:
        home, dice = self.flow.home, self.dice
        snapshots: list[int | str] = [dice.randint(1, 100) for _ in range(dice.choice([1, 1, 1, 2, 3]))]
        twin = self.some()
        if twin and twin.snapshot_ids and dice.random() < 0.15:
            snapshots.append(twin.snapshot_ids[0])
        tags = {"environment": dice.choice(["dev", "prod"]), "role": dice.choice(["web", "db", "cache"])}
        if dice.random() < 0.05:
            tags = {"Name": "untagged"}
        image = home.add_image(
            f"image-{self.born}",
            created=self.now - timedelta(seconds=dice.randint(0, 3600)),
            snapshots=[known for known in snapshots if isinstance(known, int) or known in home.snapshots],
            tags=tags,
            state=dice.choice(["available"] * 12 + ["pending", "failed"]),
        )
        self.born += 1
        if dice.random() < 0.3:
            self.use(image.image_id)

    def grow(self) -> None:
        """What was pending is there."""
        for image in self.flow.home.images.values():
            if image.state == "pending":
                image.state = "available"

    def use(self, ami: str) -> None:
        home = self.flow.home
        match self.dice.randrange(8):
            case 0:
                instance = home.add_instance(ami, state=self.dice.choice(["running", "stopped", "pending"]))
                self.uses.append((ami, lambda: setattr(instance, "state", "terminated")))
            case 1:
                configuration = home.add_launch_configuration(ami).name
                self.uses.append((ami, lambda: home.launch_configurations.pop(configuration)))
            case 2:
                template = home.add_launch_template(versions=[{}, {"ImageId": ami}]).template_id
                self.uses.append((ami, lambda: home.launch_templates.pop(template)))
            case 3:
                pinned = home.add_launch_template(versions=[{}, {"ImageId": ami}, {}]).template_id
                group = home.add_group(launch_template={"LaunchTemplateId": pinned, "Version": "2"}).name
                self.uses.append((ami, lambda: (home.groups.pop(group), home.launch_templates.pop(pinned))))
            case 4:
                fleet = home.add_spot_fleet(launch_specifications=[{"ImageId": ami}])
                self.uses.append((ami, lambda: setattr(fleet, "state", "cancelled")))
            case 5:
                name = f"/golden/{self.born}/{len(self.uses)}/{self.dice.random()}"
                home.add_parameter(name, ami)
                self.uses.append((ami, lambda: home.parameters.pop(name)))
            case 6:
                recipe = home.add_recipe(ami)
                self.uses.append((ami, lambda: home.recipes.remove(recipe)))
            case 7:
                request = home.add_spot_request(ami)
                self.uses.append((ami, lambda: setattr(request, "state", "closed")))

    def release(self) -> None:
        if self.uses:
            _, end = self.uses.pop(self.dice.randrange(len(self.uses)))
            end()

    def change(self, image: Image) -> None:
        """Shared, protected, kept, disabled: or no longer."""
        tags = {key: value for key, value in image.tags.items() if key != "keep"}
        match self.dice.randrange(6):
            case 0:
                image.shared_with = () if image.shared_with else (STRANGER,)
            case 1:
                image.public = not image.public
            case 2:
                image.deregistration_protection = None if image.deregistration_protection else "enabled"
            case 3:
                image.tags = tags if "keep" in image.tags else {**tags, "keep": "yes"}
            case 4 if image.state in ("available", "disabled"):
                image.state = "disabled" if image.state == "available" else "available"

    def forgive(self) -> None:
        """One of those that are marked is so no longer."""
        marked = [image for image in self.flow.home.images.values() if self.marked(image)]
        if marked:
            image = self.dice.choice(marked)
            image.shared_with, image.public, image.deregistration_protection = (), False, None
            image.state = "available" if image.state == "disabled" else image.state
            image.tags = {key: value for key, value in image.tags.items() if key != "keep"}

    @staticmethod
    def marked(image: Image) -> bool:
        marks = (image.shared_with, image.public, image.deregistration_protection, image.state == "disabled")
        return any(marks) or "keep" in image.tags

    def throw_away(self, image: Image) -> None:
        """By hand, as people do: the snapshots stay behind, and a template may name one."""
        if image.image_id in self.used:
            return
        home = self.flow.home
        del home.images[image.image_id]
        left = [id for id in image.snapshot_ids if not home.users_of(id)]
        if left and self.dice.random() < 0.3:
            device = {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": left[0]}}
            home.add_launch_template(versions=[{"BlockDeviceMappings": [device]}])
            self.pinned.add(left[0])

    def backup(self) -> None:
        """A snapshot that no AMI was made with."""
        self.by_hand.add(self.flow.home.add_snapshot("before the upgrade", started=self.now).snapshot_id)

    def days_pass(self) -> None:
        self.flow.time.seconds += self.dice.choice([0.3, 1.0, 1.0, 2.0, 3.5]) * 86400
        self.grow()
        dice = self.dice
        for _ in range(dice.choice([0, 1, 2, 3])):
            self.birth()
        for _ in range(dice.choice([0, 1, 1, 2])):
            self.release()
        if dice.random() < 0.35:
            self.forgive()
        for happens, chance in ((lambda it: self.use(it.image_id), 0.5), (self.change, 0.4), (self.throw_away, 0.15)):
            image = self.some()
            if image and dice.random() < chance:
                happens(image)
        if dice.random() < 0.1:
            self.backup()

    # The tool, and what must hold

    def run(self) -> None:
        home, dice = self.flow.home, self.dice
        held = {id: list(image.snapshot_ids) for id, image in home.images.items()}
        before = Before(dict(home.images), set(home.snapshots), held, self.used)
        self.flow.fake_aws.faults.clear()
        faulty = dice.random() < 0.3
        if faulty:
            action = dice.choice([*READS, *self.changes, *self.changes])
            self.flow.fault(action, dice.choice(KINDS), nth=dice.randint(1, 3), times=dice.choice([1, 2, None]))

        def meanwhile() -> None:
            """While somebody thinks, something comes into use."""
            image = self.some()
            if image and self.flow.view.prompts[-1].endswith("AMIs") and dice.random() < 0.9:
                self.meanwhile.add(image.image_id)
                self.use(image.image_id)

        self.meanwhile.clear()
        result = None
        try:
            result = self.flow.asks(meanwhile, **self.options)
        except AwsError:
            assert faulty
            assert (set(home.images), set(home.snapshots)) == (set(before.images), before.snapshots)
        self.check(before, result)
        if result and not faulty:
            assert (result.exit_status, result.warnings) == (0, ())
            self.check_that_all_is_done()
        self.failed += result is None or result.exit_status != 0

    def check(self, before: Before, result: Result | None) -> None:
        home = self.flow.home
        gone = before.images.keys() - home.images.keys()
        self.removed += len(gone)
        for id in gone:
            image = before.images[id]
            assert id not in self.used, f"{id} was in use"
            assert self.deletable(image), f"{id} must be kept"
            assert not image.shared_with, f"{id} was shared"
            newer = [
                other for other in home.images.values() if self.counts(other, image) and other.image_id not in before.used
            ]
            assert len(newer) >= KEEP or image.state == "failed", f"{id} was among the {KEEP} newest"
        lost = before.snapshots - home.snapshots.keys()
        still_held = {id for image in home.images.values() for id in image.snapshot_ids}
        assert not lost & still_held, "a snapshot is gone that an AMI holds"
        assert self.by_hand <= home.snapshots.keys()
        with_their_ami = {snapshot for id in gone for snapshot in before.held[id]}
        held_before = {snapshot for held in before.held.values() for snapshot in held}
        assert not (lost - with_their_ami) & (self.pinned | held_before)
        self.orphans += len(lost - with_their_ami)
        if result:
            for (_, id), end in result.amis.items():
                unsure = bool(end.error and "it may be done" in end.error.message)
                assert unsure or (end.outcome == "removed") == (id not in home.images)
                self.came_into_use += bool(end.used_by)
            assert gone <= {id for _, id in result.amis}

    def free(self, image: Image) -> bool:
        """Whether nothing about the AMI itself keeps it."""
        return image.state in ("available", "failed") and self.unmarked(image)

    def deletable(self, image: Image) -> bool:
        """Whether a run may delete it, if it is unused and old."""
        return self.free(image)

    def unmarked(self, image: Image) -> bool:
        """Whether nothing but perhaps its state keeps it."""
        return bool(
            not image.deregistration_protection
            and not image.public
            and "keep" not in image.tags
            and "role" in image.tags
            and image.created
            and self.now - image.created >= timedelta(days=MIN_DAYS)
        )

    def counts(self, other: Image, image: Image) -> bool:
        """Whether another AMI is one of the newer ones in the same group that take a place among the N."""
        assert other.created
        assert image.created
        same = all(other.tags.get(key) == image.tags.get(key) for key in ("environment", "role"))
        newer = (other.created, other.image_id) > (image.created, image.image_id)
        return same and newer and other.state == "available" and self.free(other)

    def check_that_all_is_done(self) -> None:
        """Without a fault nothing old is left, nor an orphan."""
        home = self.flow.home
        groups: dict[tuple[str, str], list[Image]] = {}
        for image in home.images.values():
            if self.free(image) and image.image_id not in self.used:
                groups.setdefault((image.tags["environment"], image.tags["role"]), []).append(image)
        for images in groups.values():
            assert all(image.shared_with for image in images if image.state == "failed")
            available = [image for image in images if image.state == "available"]
            available.sort(key=lambda image: (image.created, image.image_id), reverse=True)
            assert all(image.shared_with for image in available[KEEP:]), "something old was left"
        held = {id for image in home.images.values() for id in image.snapshot_ids}
        for id, snapshot in home.snapshots.items():
            assert snapshot.started
            old = self.now - snapshot.started > timedelta(days=2)
            made_for = snapshot.description.rpartition(" ")[2]
            assert not old or id in held | self.pinned | self.by_hand or made_for in home.images, f"{id} is an orphan"


def live(life: L, steps: int) -> L:
    flow = life.flow
    for step in range(steps):
        life.days_pass()
        life.run()
        flow.fake_aws.calls.clear()
        flow.view.told.clear()
        flow.view.prompts.clear()
        assert len(flow.home.images) < 120, f"after {step} runs nothing is deleted any more"
    return life


def test_months(flow: Flow) -> None:
    life = live(Life(flow, random.Random(1)), steps=60)
    assert flow.time.seconds > 90 * 86400
    # Everything has happened.
    assert life.removed > 40
    assert life.orphans > 0
    assert life.came_into_use > 0
    assert life.failed > 5


@pytest.mark.churn
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 7))
def test_years(flow: Flow, seed: int) -> None:
    life = live(Life(flow, random.Random(seed)), steps=400)
    assert flow.time.seconds > 500 * 86400
    assert life.removed > 200
