"""Accounts: single ones written down by hand, and random ones for hypothesis, with names, tags, dates and states as nasty as
AWS allows.  AMIs are made from AWS's own form, so that reading them is tested along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from amicleaner.actions import KEEP_UNTIL_TAG, QUARANTINE_TAG
from amicleaner.config import Config, Rule
from amicleaner.decisions import Facts, Shared, Usage
from amicleaner.models import Ami, BlockSnapshot, Inventory, Snapshot, Target, Use
from amicleaner.plan import Plan, make_plan
from amicleaner.quarantine import format_since
from amicleaner.recycle_bin import BinRules, RetentionRule

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
    """A property of whole random accounts: as many as the profile says (`long`: 100,000), half of them in each part."""
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
    KEEP_UNTIL_TAG,
    QUARANTINE_TAG,
)
VALUES = ("", "dev", "front", "web", "db", "web.db", "environment=web", "no-tags", " ", "Dev", "ünï", 'q"|\n')
UNTIL = ("2024-03-09", "2024-03-10", "2024-03-11", "20240312", "2024-02-30", "never", "")
SINCE = (
    *(format_since(NOW - timedelta(days=days, seconds=second)) for days in (0, 3, 7) for second in (-1, 0, 1)),
    format_since(NOW - timedelta(days=400)),
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


@st.composite
def tag_maps(draw: st.DrawFn) -> dict[str, str]:
    """Mostly the tags that make groups; seldom what keeps an AMI."""
    found = draw(st.dictionaries(st.sampled_from(KEYS[:7]), st.sampled_from(VALUES), max_size=4))
    key = draw(st.sampled_from((None, None, None, *KEYS[7:])))
    return found if key is None else {**found, key: draw(st.sampled_from(OWN_VALUES.get(key, VALUES)))}


tags = tag_maps()
plain_tags = st.fixed_dictionaries(
    {"environment": st.just("dev")}, optional={"role": st.sampled_from(("web", "front")), "roles": st.just("web")}
)
PLAIN_NAMES = ("front-1", "front-2", "front-1.2.3", "front-20240309-ab12cd3", "front-back-20240309", "front-back", "back-2")
devices = st.lists(
    st.fixed_dictionaries({"Ebs": st.fixed_dictionaries({"SnapshotId": st.sampled_from([f"snap-{n}" for n in range(8)])})})
    | st.just({"VirtualName": "ephemeral0"}),
    max_size=3,
)


def as_aws_tags(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


@st.composite
def images(draw: st.DrawFn, number: int) -> Ami:
    """One AMI, as `DescribeImages` would tell it: most are plain, so that enough of them may be deleted."""
    kind = draw(st.sampled_from(("plain", "plain", "plain", "quarantined", "special")))
    plain = kind != "special"
    pairs = draw(plain_tags if plain else tags)
    state = {"plain": "available", "quarantined": "disabled"}.get(kind) or draw(st.sampled_from(STATES))
    if kind == "quarantined":
        pairs[QUARANTINE_TAG] = draw(st.sampled_from(SINCE))
    return Ami.from_aws(
        {
            "ImageId": ami_id(number),
            "Name": draw(st.sampled_from(PLAIN_NAMES if plain else NAMES)),
            "CreationDate": draw(st.sampled_from(DATES[:-3] if plain else DATES)),
            "State": state,
            "Public": not plain and draw(st.sampled_from((False, False, False, True))),
            "DeregistrationProtection": "" if plain else draw(st.sampled_from(PROTECTIONS)),
            "LastLaunchedTime": None if plain else draw(st.sampled_from((None, None, *DATES))),
            "ImageOwnerAlias": None if plain else draw(st.sampled_from((None, None, None, "self", "aws-backup-vault"))),
            "Tags": as_aws_tags(pairs),
            "BlockDeviceMappings": draw(devices),
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

    @property
    def facts(self) -> Facts:
        usage = {(self.target.region, ami.id): (use(ami),) for ami in self.amis if ami.id in self.used}
        shared = {(self.target, id): ("account 999999999999",) for id in self.shared}
        looked_up = [snapshot(id, tags=dict(tags)) for id, tags in self.snapshot_tags]
        return facts_of(usage, shared, looked_up, self.bins, self.target)

    def plan(self, config: Config) -> Plan:
        return make_plan([self.inventory], self.facts, config, NOW)


snapshot_tag_maps = st.dictionaries(
    st.sampled_from([f"snap-{n}" for n in range(8)]),
    st.sampled_from([(), (), (("keep", "x"),), (("dlm:managed", "true"),), (("role", "web"),)]),
)
bin_tags: st.SearchStrategy[tuple[tuple[str, str | None], ...]] = st.lists(
    st.sampled_from([("role", "web"), ("role", None), ("keep", "x"), ("role", "")]), max_size=2
).map(tuple)
retention_rules = st.builds(RetentionRule, st.sampled_from((1, 7, 14)), st.booleans(), bin_tags, bin_tags)
bin_rules = st.builds(
    BinRules, st.lists(retention_rules, max_size=2).map(tuple), st.lists(retention_rules, max_size=2).map(tuple)
)


@st.composite
def accounts(draw: st.DrawFn, target: Target = HERE) -> Account:
    """AMIs in any order; a few of them in use, a few of them shared."""
    amis = tuple(
        draw(images(number)) for number in draw(st.permutations(range(draw(st.sampled_from((0, 1, 3, 5, 7, 9, 9, 9))))))
    )
    some = st.frozensets(st.integers(0, 29).map(ami_id), max_size=3)
    looked_up = tuple(sorted(draw(snapshot_tag_maps).items()))
    return Account(amis, draw(some), draw(some), target, looked_up, draw(st.none() | bin_rules))


def tuples(values: tuple[str, ...], least: int = 0, most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True).map(tuple)


PATTERNS = ("front", "^(front|back)", "([a-z]+)-([0-9]+)", "(f)?(b)?", "x")
_mappings = st.one_of(
    st.fixed_dictionaries({"mapping_key": st.just("tags"), "mapping_values": tuples(KEYS[:2] + KEYS[5:7], 1, 3)}),
    st.fixed_dictionaries({"mapping_key": st.just("name"), "mapping_values": tuples(("front", "back", "f", "1"), 1, 3)}),
    st.fixed_dictionaries({"mapping_key": st.just("pattern"), "mapping_values": tuples(PATTERNS, 1, 3)}),
    st.just({"mapping_key": "family"}),
)
_OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "excluded_mapping_values": st.sampled_from(((), ("web",), ("1", "back"), ("ev.fr",), ("de",))),
    "include_untagged": st.booleans(),
    "only_tag": st.sampled_from(((), ("environment=dev",), ("environment=dev",), ("a=b=web",), ("role=",))),
    "only_name": st.sampled_from(((), ("front*",), ("*[0-9]",), ("FRONT", "front*"), ("FRONT",))),
    "ami_min_days": st.integers(-1, 8),
    "keep_tag": st.sampled_from(((), ("keep",), ("role=web",), ("a=b", "environment="))),
    "unused_days": st.none() | st.integers(0, 8),
    "keep_daily": st.integers(0, 2),
    "keep_weekly": st.integers(0, 2),
    "keep_monthly": st.integers(0, 2),
    "keep_yearly": st.integers(0, 2),
}
# A few at a time: together they keep everything.
_some_others = st.lists(st.sampled_from(sorted(_OTHERS)), max_size=3, unique=True)
_others = _some_others.flatmap(
    lambda names: st.fixed_dictionaries({"keep_previous": st.integers(0, 3), **{name: _OTHERS[name] for name in names}})
)
_shared_or_quarantined = st.sampled_from([{}, {}, {"include_shared": True}, {"quarantine": 3}, {"quarantine": 7}])
# The options that count over the whole run, and those that a [[rule]] may have.
_of_the_run = st.fixed_dictionaries(
    {}, optional={"limit": st.integers(0, 4), "require_recycle_bin": st.sampled_from((1, 7, 8))}
)

rule_options = st.builds(lambda mapping, others: {**mapping, **others}, _mappings, _others)
"""What a [[rule]] may say."""

options = st.builds(lambda own, sharing: {**own, **sharing}, rule_options, _shared_or_quarantined)
"""What `Config` may be made with, for a run over groups without a limit."""

limited_options = st.builds(lambda own, limits: {**own, **limits}, options, _of_the_run)
"""The same, with what keeps only part of what would be deleted."""

rules = st.lists(
    st.tuples(st.sampled_from(("a", "b", "c")), rule_options), min_size=1, max_size=3, unique_by=lambda r: r[0]
).map(lambda found: tuple(Rule(name, tuple(sorted(own.items()))) for name, own in found))
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
            "VolumeId": draw(st.sampled_from(("vol-1", "vol-06caf0d5", "vol-ffffffff", ""))),
            "Tags": as_aws_tags(draw(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=1))),
        }
    )


snapshot_lists = st.integers(0, 8).flatmap(lambda count: st.tuples(*(snapshots(number) for number in range(count))))
