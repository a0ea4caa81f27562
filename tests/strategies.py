"""Accounts: single ones written down by hand, and random ones for hypothesis, with names, tags, dates and states as nasty as
AWS allows.  AMIs are made from AWS's own form, so that reading them is tested along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from amicleaner.config import Config
from amicleaner.models import Ami, BlockSnapshot, Snapshot, Target, Use
from amicleaner.plan import Inventory, Plan, Shared, Usage, make_plan

NOW = datetime(2024, 3, 10, 12, tzinfo=UTC)
HERE = Target("111111111111", "eu-west-1")
THERE = Target("222222222222", "eu-west-1")


# By hand


def ami_id(number: int) -> str:
    return f"ami-{number:08x}"


def image(number: int, *, days: float = 100, tags: Mapping[str, str] | None = None, **changes: Any) -> Ami:
    """An AMI, available, so many days old, with one snapshot of 8 GiB of its own."""
    made = NOW - timedelta(days=days)
    plain = Ami(
        id=ami_id(number),
        name=f"image-{number}",
        created=made,
        created_text=f"{made:%Y-%m-%dT%H:%M:%S}.000Z",
        state="available",
        tags=tuple(sorted((tags or {}).items())),
        snapshots=(BlockSnapshot(f"snap-{number:08x}", 8),),
    )
    return replace(plain, **changes)


def row(count: int, first: int = 1, **changes: Any) -> list[Ami]:
    """AMIs of one group, newest first, a day between them."""
    tags = changes.pop("tags", {"role": "front"})
    return [image(number, days=number, tags=tags, **changes) for number in range(first, first + count)]


def use(ami: Ami, region: str = HERE.region, account: str = HERE.account) -> Use:
    return Use("instance", f"i-{ami.id[4:]}", account, region, f"instance i-{ami.id[4:]} (stopped)")


def used(*amis: Ami, region: str = HERE.region) -> Usage:
    return {(region, ami.id): (use(ami),) for ami in amis}


def plan_of(
    amis: list[Ami],
    usage: Usage | None = None,
    shared: Shared | None = None,
    target: Target = HERE,
    now: datetime = NOW,
    **options: Any,
) -> Plan:
    return make_plan([Inventory(target, tuple(amis))], usage or {}, Config(**options), now, shared)


def removed(plan: Plan) -> set[str]:
    """The ids of what goes."""
    return {decision.ami.id for decision in plan.removals}


def reasons(plan: Plan) -> list[str]:
    """Each AMI's reason, in the order of the ids."""
    return [decision.reason for decision in plan.decisions]


# Random accounts


PARTS = (1, 2)
"""The many random accounts come in two parts, so that two processors share them."""


def every_account(test: Callable[..., None]) -> Callable[..., None]:
    """A property of whole random accounts: as many as the profile says (10,000 take minutes), half of them in each part."""
    half = settings(max_examples=settings().max_examples // len(PARTS))(test)

    @pytest.mark.accounts
    @pytest.mark.timeout(3600)
    @pytest.mark.parametrize("part", PARTS)
    def parted(part: int) -> None:
        half()

    parted.__name__, parted.__doc__ = test.__name__, test.__doc__
    return parted


KEYS = (
    "environment",
    "role",
    "env",
    "roles",
    "Environment",
    "keep",
    "Name",
    "a=b",
    "dlm:managed",
    "aws:dlm:id",
    "aws:backup:x",
)
VALUES = ("", "dev", "front", "web", "db", "web.db", "environment=web", "no-tags", " ", "Dev", "ünï", 'q"|\n')
NAMES = ("", "front-1", "back-2", "front-back", "FRONT", "AwsBackup_1", "xAwsBackup_", "=cmd()", "front\n|", "[f]ront", "ß")
STATES = ("available",) * 8 + ("failed", "error", "invalid", "pending", "disabled", "deregistered", "transient", "", "new")
PROTECTIONS = ("",) * 5 + ("disabled", "enabled", "enabled-with-cooldown", "Disabled")
# Few dates, so that many are the same; on both sides of whole days.
AGES = (
    *(timedelta(days=day, seconds=second) for day in (0, 1, 3, 7, 30) for second in (-1, 0, 1)),
    timedelta(days=-2),
)
DATES = (*(f"{NOW - age:%Y-%m-%dT%H:%M:%S}.000Z" for age in AGES), f"{NOW - AGES[4]:%Y-%m-%dT%H:%M:%S}+02:00", "", "lately")

tags = st.dictionaries(st.sampled_from(KEYS[:7]), st.sampled_from(VALUES), max_size=4) | st.dictionaries(
    st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3
)
devices = st.lists(
    st.fixed_dictionaries({"Ebs": st.fixed_dictionaries({"SnapshotId": st.sampled_from([f"snap-{n}" for n in range(8)])})})
    | st.just({"VirtualName": "ephemeral0"}),
    max_size=3,
)


def as_aws_tags(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


@st.composite
def images(draw: st.DrawFn, number: int) -> Ami:
    """One AMI, as `DescribeImages` would tell it."""
    return Ami.from_aws(
        {
            "ImageId": ami_id(number),
            "Name": draw(st.sampled_from(NAMES)),
            "CreationDate": draw(st.sampled_from(DATES)),
            "State": draw(st.sampled_from(STATES)),
            "Public": draw(st.sampled_from((False, False, False, True))),
            "DeregistrationProtection": draw(st.sampled_from(PROTECTIONS)),
            "LastLaunchedTime": draw(st.sampled_from((None, None, *DATES))),
            "Tags": as_aws_tags(draw(tags)),
            "BlockDeviceMappings": draw(devices),
        }
    )


@dataclass(frozen=True)
class Account:
    """A random account in one Region: AMIs, what uses them, and whom they are shared with."""

    amis: tuple[Ami, ...]
    used: frozenset[str]
    shared: frozenset[str]
    target: Target = HERE

    @property
    def inventory(self) -> Inventory:
        return Inventory(self.target, self.amis)

    @property
    def usage(self) -> Usage:
        return {(self.target.region, ami.id): (use(ami),) for ami in self.amis if ami.id in self.used}

    def shares(self) -> Shared:
        return {(self.target, id): ("account 999999999999",) for id in self.shared}

    def plan(self, config: Config) -> Plan:
        return make_plan([self.inventory], self.usage, config, NOW, self.shares())


@st.composite
def accounts(draw: st.DrawFn, target: Target = HERE) -> Account:
    """AMIs in any order; a few of them in use, a few of them shared."""
    amis = tuple(draw(images(number)) for number in draw(st.permutations(range(draw(st.integers(0, 9))))))
    some = st.frozensets(st.sampled_from([ami.id for ami in amis]), max_size=3) if amis else st.just(frozenset[str]())
    return Account(amis, draw(some), draw(some), target)


def tuples(values: tuple[str, ...], least: int = 0, most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True).map(tuple)


_mappings = st.one_of(
    st.fixed_dictionaries({"mapping_key": st.just("tags"), "mapping_values": tuples(KEYS[:2] + KEYS[5:7], 1, 3)}),
    st.fixed_dictionaries({"mapping_key": st.just("name"), "mapping_values": tuples(("front", "back", "f", "1"), 1, 3)}),
)
_others = st.fixed_dictionaries(
    {"keep_previous": st.integers(0, 3)},
    optional={
        "excluded_mapping_values": tuples(("de", "web", "1", "back", "ev.fr")),
        "include_untagged": st.booleans(),
        "only_tag": tuples(("environment=dev", "a=b=web", "role="), most=1),
        "only_name": tuples(("front*", "*[0-9]", "FRONT")),
        "ami_min_days": st.integers(-1, 8),
        "keep_tag": tuples(("keep", "role=web", "a=b", "environment=")),
        "unused_days": st.none() | st.integers(0, 8),
        "include_shared": st.booleans(),
    },
)

options = st.builds(lambda mapping, others: {**mapping, **others}, _mappings, _others)
"""What `Config` may be made with, for a run over groups."""


# Random snapshots

DESCRIPTIONS = (
    "Created by CreateImage(i-06a469f2d64822242) for ami-{} from vol-06caf0d5af00505e7",
    "Created by CreateImage(i-06a469f2d64822242) for ami-{}",
    "Copied for DestinationAmi ami-{} from SourceAmi ami-0000ffff for SourceSnapshot snap-0000ffff. Task created on 1,6.",
    "My backup: Created by CreateImage(i-06a469f2) for ami-{}",
    "Created by CreateImage(i-06a469f2) for ami-{} and me",
    "Created by CreateImage for ami-{}",
    "",
)


@st.composite
def snapshots(draw: st.DrawFn, number: int) -> Snapshot:
    """One snapshot, as `DescribeSnapshots` would tell it."""
    return Snapshot.from_aws(
        {
            "SnapshotId": f"snap-{number}",
            "Description": draw(st.sampled_from(DESCRIPTIONS)).format(f"{draw(st.integers(0, 5)):08x}"),
            "StartTime": draw(st.sampled_from((None, *(NOW - age for age in AGES)))),
            "State": draw(st.sampled_from(("completed", "completed", "completed", "pending", "error", "recoverable"))),
            "VolumeSize": draw(st.integers(0, 100)),
            "Tags": as_aws_tags(draw(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=1))),
        }
    )


snapshot_lists = st.integers(0, 8).flatmap(lambda count: st.tuples(*(snapshots(number) for number in range(count))))
