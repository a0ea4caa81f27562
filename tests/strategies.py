"""Accounts: single ones written down by hand, and random ones for hypothesis, with names, tags, dates and states as nasty as
AWS allows.  AMIs are made from AWS's own form, so that reading them is tested along."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from amicleaner.actions import KEEP_UNTIL_TAG, QUARANTINE_TAG
from amicleaner.config import Config, Rule
from amicleaner.decisions import Facts, Shared, Usage
from amicleaner.models import Ami, BlockSnapshot, Inventory, Snapshot, Target, Use
from amicleaner.plan import Plan, make_plan
from amicleaner.quarantine import format_time
from amicleaner.recycle_bin import BinRules, RetentionRule

T = TypeVar("T")

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
        tags=as_pairs(tags),
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


def as_pairs(tags: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Tags as the models hold them."""
    return tuple(sorted((tags or {}).items()))


def snapshot(id: str, *, tags: Mapping[str, str] | None = None, **changes: Any) -> Snapshot:
    """A completed snapshot of 8 GiB, a hundred days old."""
    made = Snapshot(id, "", NOW - timedelta(days=100), "completed", 8, as_pairs(tags), volume="vol-1")
    return replace(made, **changes)


def facts_of(
    usage: Usage | None = None,
    shared: Shared | None = None,
    snapshots: Sequence[Snapshot] = (),
    bins: BinRules | None = None,
    target: Target = HERE,
) -> Facts:
    looked_up = {(target, snapshot.id): snapshot for snapshot in snapshots}
    return Facts(usage or {}, shared or {}, looked_up, {} if bins is None else {target: bins})


def plan_of(
    amis: Sequence[Ami],
    usage: Usage | None = None,
    shared: Shared | None = None,
    snapshots: Sequence[Snapshot] = (),
    bins: BinRules | None = None,
    target: Target = HERE,
    now: datetime = NOW,
    **options: Any,
) -> Plan:
    facts = facts_of(usage, shared, snapshots, bins, target)
    return make_plan([Inventory(target, tuple(amis))], facts, Config(**options), now)


def removed(plan: Plan) -> set[str]:
    """The ids of the AMIs to be deleted."""
    return {decision.ami.id for decision in plan.removals}


def reasons(plan: Plan) -> list[str]:
    """Each AMI's reason, in the order of the ids."""
    return [decision.reason for decision in plan.decisions]


def actions(plan: Plan) -> list[str]:
    """Each AMI's action, in the order of the ids."""
    return [decision.action.name for decision in plan.decisions]


# Random accounts


PARTS = (1, 2)
"""The many random accounts come in two parts, so that two processors share them."""


def every_account(test: Callable[..., None]) -> Callable[..., None]:
    """A property of whole random accounts: 2,000 with the profile `ci`, otherwise as many as the profile says (`long`:
    100,000), half of them in each part."""
    examples = 2_000 if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else settings().max_examples
    half = settings(max_examples=examples // len(PARTS))(test)

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
    KEEP_UNTIL_TAG,
    QUARANTINE_TAG,
)
VALUES = ("", "dev", "front", "web", "db", "web.db", "environment=web", "no-tags", " ", "Dev", "ünï", 'q"|\n')
UNTIL = ("2024-03-09", "2024-03-10", "2024-03-11", "20240312", "2024-02-30", "never", "")
SINCE = (
    *(format_time(NOW - timedelta(days=days, seconds=second)) for days in (0, 3, 7) for second in (-1, 0, 1)),
    format_time(NOW - timedelta(days=400)),
    "2024-3-1T00:00:00Z", "2024-03-01", "9999-12-31T23:59:59Z", "",
)  # fmt: skip
OWN_VALUES = {KEEP_UNTIL_TAG: UNTIL, QUARANTINE_TAG: SINCE}
NAMES = (
    "",
    "front-1",
    "back-2",
    "front-1.2.3",
    "front-20240309-ab12cd3",
    "front-back-20240309",
    "front-back",
    "FRONT",
    "AwsBackup_1",
    "xAwsBackup_",
    "=cmd()",
    "front\n|",
    "[f]ront",
    "ß",
)
STATES = (
    ("available",) * 12
    + ("disabled",) * 3
    + ("failed", "error", "invalid", "pending", "disabled", "deregistered", "transient", "", "new")
)
PROTECTIONS = ("",) * 5 + ("disabled", "enabled", "enabled-with-cooldown", "Disabled")
# Few dates, so that many are the same; on both sides of whole days.
AGES = (
    *(timedelta(days=day, seconds=second) for day in (0, 1, 3, 7, 30) for second in (-1, 0, 1)),
    timedelta(days=-2),
)
DATES = (*(f"{NOW - age:%Y-%m-%dT%H:%M:%S}.000Z" for age in AGES), f"{NOW - AGES[4]:%Y-%m-%dT%H:%M:%S}+02:00", "", "lately")


PLAIN_NAMES = ("front-1", "front-2", "front-1.2.3", "front-20240309-ab12cd3", "front-back-20240309", "front-back", "back-2")
SNAPSHOTS = tuple(f"snap-{number}" for number in range(8))
DEVICES = (*({"Ebs": {"SnapshotId": id}} for id in SNAPSHOTS), {"VirtualName": "ephemeral0"}, {"VirtualName": "ephemeral0"})


class Choices:
    """Choices read from bytes, zeros once these end.  Hypothesis draws all bytes at once, which takes a fraction of
    the time of a draw for each choice; it shrinks them to zeros, so the first value is the simplest."""

    def __init__(self, drawn: bytes) -> None:
        self._drawn = iter(drawn)

    def byte(self) -> int:
        return next(self._drawn, 0)

    def one(self, values: Sequence[T]) -> T:
        return values[self.byte() % len(values)]

    def some(self, values: Sequence[T], *, least: int = 0, most: int) -> tuple[T, ...]:
        """At most `most` of the values, without repetition; rather few."""
        count = self.one((*range(least, most), *range(least, most + 1)))
        return tuple(dict.fromkeys(self.one(values) for _ in range(count)))

    def ids(self) -> frozenset[str]:
        """Ids of AMIs, most of which no account has."""
        return frozenset(map(ami_id, self.some(range(30), most=3)))


def chosen(choose: Callable[[Choices], T], size: int = 40) -> st.SearchStrategy[T]:
    """A strategy that makes its value by `size` choices at most."""
    return st.binary(min_size=size, max_size=size).map(lambda drawn: choose(Choices(drawn)))


def as_aws_tags(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def choose_tags(choices: Choices, plain: bool) -> dict[str, str]:
    """Mostly the tags that make groups; seldom what keeps an AMI."""
    if plain:
        pairs = {"environment": "dev", "role": choices.one(("", "web", "front")), "roles": choices.one(("", "web"))}
        return {key: value for key, value in pairs.items() if value}
    pairs = {choices.one(KEYS[:7]): choices.one(VALUES) for _ in range(choices.one(range(5)))}
    key = choices.one((None, None, None, *KEYS[7:]))
    return pairs if key is None else {**pairs, key: choices.one(OWN_VALUES.get(key, VALUES))}


def choose_image(choices: Choices, number: int) -> Ami:
    """One AMI, as `DescribeImages` would tell it: most are plain, so that enough of them may be deleted."""
    kind = choices.one(("plain",) * 7 + ("quarantined", "special", "special"))
    plain = kind != "special"
    pairs = choose_tags(choices, plain)
    state = {"plain": "available", "quarantined": "disabled"}.get(kind) or choices.one(STATES)
    if kind == "quarantined":
        pairs[QUARANTINE_TAG] = choices.one(SINCE)
    return Ami.from_aws(
        {
            "ImageId": ami_id(number),
            "Name": choices.one(PLAIN_NAMES if plain else NAMES),
            "CreationDate": choices.one(DATES[:-3] if plain else DATES),
            "State": state,
            "Public": not plain and choices.one((False, False, False, True)),
            "DeregistrationProtection": "" if plain else choices.one(PROTECTIONS),
            "LastLaunchedTime": None if plain else choices.one((None, None, *DATES)),
            "ImageOwnerAlias": None if plain else choices.one((None, None, None, "self", "aws-backup-vault")),
            "Tags": as_aws_tags(pairs),
            "BlockDeviceMappings": [choices.one(DEVICES) for _ in range(choices.one(range(4)))],
        }
    )


@dataclass(frozen=True)
class Account:
    """A random account in one Region: AMIs, what uses them, whom they are shared with, the tags of their snapshots as far as
    they were looked up, and the rules of its Recycle Bin if they were read."""

    amis: tuple[Ami, ...]
    used: frozenset[str]
    shared: frozenset[str]
    target: Target = HERE
    snapshot_tags: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    bins: BinRules | None = None

    @property
    def inventory(self) -> Inventory:
        return Inventory(self.target, self.amis)

    @cached_property
    def facts(self) -> Facts:
        usage = {(self.target.region, ami.id): (use(ami),) for ami in self.amis if ami.id in self.used}
        shared = {(self.target, id): ("account 999999999999",) for id in self.shared}
        looked_up = [snapshot(id, tags=dict(tags)) for id, tags in self.snapshot_tags]
        return facts_of(usage, shared, looked_up, self.bins, self.target)

    def plan(self, config: Config) -> Plan:
        return make_plan([self.inventory], self.facts, config, NOW)


SNAPSHOT_TAGS: tuple[tuple[tuple[str, str], ...], ...] = (
    (), (), (), (), (), (("keep", "x"),), (("dlm:managed", "true"),), (("role", "web"),),
)  # fmt: skip
BIN_TAGS: tuple[tuple[str, str | None], ...] = (("role", "web"), ("role", None), ("keep", "x"), ("role", ""))


def choose_retention_rule(choices: Choices) -> RetentionRule:
    days, enabled = choices.one((1, 7, 14)), choices.one((False, True))
    return RetentionRule(days, enabled, choices.some(BIN_TAGS, most=2), choices.some(BIN_TAGS, most=2))


def choose_bin_rules(choices: Choices) -> BinRules:
    amis, snapshots = (tuple(choose_retention_rule(choices) for _ in range(choices.one(range(3)))) for _ in range(2))
    return BinRules(amis, snapshots)


retention_rules = chosen(choose_retention_rule)
bin_rules = chosen(choose_bin_rules)


def choose_account(choices: Choices, target: Target = HERE) -> Account:
    """AMIs in any order; a few of them in use, a few of them shared."""
    places = [choices.byte() for _ in range(choices.one((0, 1, 3, 5, 7, 9, 9, 9)))]
    used, shared = choices.ids(), choices.ids()
    looked_up = {id: choices.one(SNAPSHOT_TAGS) for id in choices.some(SNAPSHOTS, most=8)}
    bins = choose_bin_rules(choices) if choices.one((False, True)) else None
    amis = tuple(choose_image(choices, number) for number in sorted(range(len(places)), key=places.__getitem__))
    return Account(amis, used, shared, target, tuple(sorted(looked_up.items())), bins)


def accounts(target: Target = HERE) -> st.SearchStrategy[Account]:
    return chosen(lambda choices: choose_account(choices, target), 300)


PATTERNS = ("front", "^(front|back)", "([a-z]+)-([0-9]+)", "(f)?(b)?", "x")
GROUPING_KEYS = ("environment", "role", "environment", "role", "keep", "Name")
MAPPINGS = {"tags": GROUPING_KEYS, "name": ("front", "back", "f", "1"), "pattern": PATTERNS, "family": ()}
OTHERS: dict[str, Sequence[Any]] = {
    "excluded_mapping_values": ((), ("web",), ("1", "back"), ("ev.fr",), ("de",)),
    "include_untagged": (False, True),
    "only_tag": ((), ("environment=dev",), ("environment=dev",), ("a=b=web",), ("role=",)),
    "only_name": ((), ("front*",), ("*[0-9]",), ("FRONT", "front*"), ("FRONT",)),
    "ami_min_days": range(-1, 9),
    "keep_tag": ((), ("keep",), ("role=web",), ("a=b", "environment=")),
    "unused_days": (None, *range(9)),
    "keep_daily": range(3),
    "keep_weekly": range(3),
    "keep_monthly": range(3),
    "keep_yearly": range(3),
}
LIMITS: dict[str, Sequence[Any]] = {"limit": range(5), "require_recycle_bin": (1, 7, 8)}


def choose_rule(choices: Choices) -> dict[str, Any]:
    """What a [[rule]] may say; of the options that keep AMIs a few at a time, because all together keep everything."""
    key = choices.one(tuple(MAPPINGS))
    chosen_options = {"mapping_key": key, "keep_previous": choices.one((0, 0, 0, 1, 2, 3))}
    if MAPPINGS[key]:
        chosen_options["mapping_values"] = choices.some(MAPPINGS[key], least=1, most=3)
    return chosen_options | {
        name: choices.one(OTHERS[name]) for name in choices.some(tuple(OTHERS), most=choices.one((1, 3, 3)))
    }


def choose_options(choices: Choices) -> dict[str, Any]:
    sharing: dict[str, Any] = choices.one(({}, {}, {}, {"include_shared": True}, {"quarantine": 3}, {"quarantine": 7}))
    return choose_rule(choices) | sharing


rule_options = chosen(choose_rule)

options = chosen(choose_options)
"""What `Config` may be made with, for a run over groups without a limit."""

limited_options = chosen(
    lambda choices: {
        **{name: choices.one(values) for name, values in LIMITS.items() if choices.one((False, False, True))},
        **choose_options(choices),
    }
)
"""The same, with what keeps only part of what would be deleted."""

rules = chosen(
    lambda choices: tuple(
        Rule(name, tuple(sorted(choose_rule(choices).items()))) for name in choices.some(("a", "b", "c"), least=1, most=3)
    ),
    80,
)
"""The [[rule]] tables of a configuration file."""


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


def choose_snapshot(choices: Choices, number: int) -> Snapshot:
    """One snapshot, as `DescribeSnapshots` would tell it."""
    tags = {choices.one(KEYS): choices.one(VALUES) for _ in range(choices.one(range(2)))}
    return Snapshot.from_aws(
        {
            "SnapshotId": f"snap-{number}",
            "Description": choices.one(DESCRIPTIONS).format(f"{choices.one(range(6)):08x}"),
            "StartTime": choices.one((None, *(NOW - age for age in AGES))),
            "State": choices.one(("completed", "completed", "completed", "pending", "error", "recoverable")),
            "VolumeSize": choices.one(range(101)),
            "VolumeId": choices.one(("vol-1", "vol-06caf0d5", "vol-ffffffff", "")),
            "Tags": as_aws_tags(tags),
        }
    )


snapshot_lists = chosen(
    lambda choices: tuple(choose_snapshot(choices, number) for number in range(choices.one(range(9)))), 80
)
