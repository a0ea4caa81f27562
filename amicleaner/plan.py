"""The plan: a decision and a reason for every AMI that was looked at.  Pure; numbers for people are counted once, here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .config import Config
from .filters import NAMED_RULES, Reason, RuleContext, keep_reason
from .mapper import UNTAGGED_LABEL, Group, groups_of, labels_of
from .models import Ami, BlockSnapshot, Target, Use
from .reducer import FAILED_STATES, reduce_group

Usage = Mapping[tuple[str, str], tuple[Use, ...]]
"""(Region, AMI id) to what uses it, in whichever account of the run."""

Shared = Mapping[tuple[Target, str], tuple[str, ...]]
"""(Target, AMI id) to whom outside the run it is shared with, as far as that was asked."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All AMIs that an account owns in a Region, disabled ones included."""

    target: Target
    amis: tuple[Ami, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one AMI and why.  `groups` are labels, sorted; `explanation` is one sentence."""

    target: Target
    ami: Ami
    remove: bool
    reason: Reason
    explanation: str
    groups: tuple[str, ...] = ()
    used_by: tuple[Use, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """Account, Region, id: the order of everything that is printed."""
        return (self.target.account, self.target.region, self.ami.id)


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A row of the summary: a group and the AMIs of it that would go (or, for the untagged, that are only listed)."""

    target: Target
    label: str
    excluded: bool
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """What goes: AMIs, snapshots, and the snapshots' volume sizes in GiB (an upper bound)."""

    amis: int
    snapshots: int
    size_gib: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Decisions sorted by account, Region and id; `snapshots` are those that will really go; `missing` are named ids that
    do not exist.  `shared_unasked`: whom the AMIs are shared with is asked only beside the deletion."""

    config: Config
    created: datetime
    targets: tuple[Target, ...]
    decisions: tuple[Decision, ...]
    snapshots: tuple[tuple[Target, BlockSnapshot], ...]
    missing: tuple[str, ...] = ()
    shared_unasked: bool = False

    @property
    def removals(self) -> tuple[Decision, ...]:
        """What goes."""
        return tuple(decision for decision in self.decisions if decision.remove)

    @property
    def totals(self) -> Totals:
        """The numbers of the line before the question."""
        return Totals(len(self.removals), len(self.snapshots), sum(snapshot.size_gib for _, snapshot in self.snapshots))

    @property
    def stays(self) -> tuple[tuple[Reason, int], ...]:
        """How many stay for each reason, the most frequent first."""
        counts = Counter(decision.reason for decision in self.decisions if not decision.remove)
        return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @property
    def listed(self) -> tuple[GroupSummary, ...]:
        """The groups for the tables: by target, then by label, the untagged last.  An AMI of two groups stands in both."""
        rows: dict[tuple[Target, bool, str], list[Decision]] = {}
        for decision in self.decisions:
            untagged = decision.reason == "no-tags"
            if decision.remove or untagged:
                for label in decision.groups:
                    rows.setdefault((decision.target, untagged, label), []).append(decision)

        def order(key: tuple[Target, bool, str]) -> tuple[Target, bool, bool, str]:
            target, untagged, label = key
            return (target, untagged, label == UNTAGGED_LABEL, label)

        return tuple(GroupSummary(key[0], key[2], key[1], tuple(rows[key])) for key in sorted(rows, key=order))


def make_plan(
    inventories: Sequence[Inventory], usage: Usage, config: Config, now: datetime, shared: Shared | None = None
) -> Plan:
    """Map, filter, reduce.  Groups and N count in each target alone.  More `usage` or more `shared` never removes more."""
    decide = _named if config.from_ids else _grouped
    decisions: list[Decision] = []
    for inventory in inventories:
        decisions += decide(inventory, usage, config, now, shared or {})
    found = {ami.id for inventory in inventories for ami in inventory.amis}
    return _plan(config, now, inventories, decisions, [id for id in config.from_ids if id not in found])


def restrict(plan: Plan, inventories: Sequence[Inventory], allowed: Collection[tuple[Target, str]]) -> Plan:
    """The same plan, in which only the `allowed` AMIs go."""
    decisions = [
        decision
        if not decision.remove or (decision.target, decision.ami.id) in allowed
        else replace(
            decision,
            remove=False,
            reason="not-selected",
            explanation="The plan that is applied does not remove it.",
            groups=(),
        )
        for decision in plan.decisions
    ]
    return _plan(plan.config, plan.created, inventories, decisions, plan.missing)


def to_ask_about(plan: Plan) -> dict[Target, tuple[str, ...]]:
    """The AMIs whose references are worth asking for: all of every group out of which something would go, the kept ones
    too (one of them in use makes room for another); by id the named ones that would go."""
    going = {(decision.target, label) for decision in plan.removals for label in decision.groups}
    asked: dict[Target, list[str]] = {}
    for decision in plan.decisions:
        if decision.remove or any((decision.target, label) in going for label in decision.groups):
            asked.setdefault(decision.target, []).append(decision.ami.id)
    return {target: tuple(ids) for target, ids in asked.items()}


def _plan(
    config: Config, now: datetime, inventories: Sequence[Inventory], decisions: Iterable[Decision], missing: Iterable[str]
) -> Plan:
    ordered = tuple(sorted(decisions, key=lambda decision: decision.key))
    going = {(decision.target, decision.ami.id) for decision in ordered if decision.remove}
    targets = tuple(sorted(inventory.target for inventory in inventories))
    return Plan(config, now, targets, ordered, _snapshots_going(inventories, going), tuple(missing))


def _snapshots_going(
    inventories: Sequence[Inventory], going: Collection[tuple[Target, str]]
) -> tuple[tuple[Target, BlockSnapshot], ...]:
    """The snapshots of what goes, less those that an AMI which stays uses too; each once."""
    found: dict[tuple[Target, str], int] = {}
    held: set[tuple[Target, str]] = set()
    for inventory in inventories:
        for ami in inventory.amis:
            for snapshot in ami.snapshots:
                key = (inventory.target, snapshot.id)
                if (inventory.target, ami.id) in going:
                    found[key] = max(snapshot.size_gib, found.get(key, 0))
                else:
                    held.add(key)
    return tuple(
        (target, BlockSnapshot(id, size)) for (target, id), size in sorted(found.items()) if (target, id) not in held
    )


def _grouped(inventory: Inventory, usage: Usage, config: Config, now: datetime, shared: Shared) -> list[Decision]:
    """Decisions of one target by groups."""
    target = inventory.target
    staying: dict[str, tuple[Reason, str]] = {}
    groups_by_id: dict[str, tuple[Group, ...]] = {}
    rest: dict[Group, list[Ami]] = {}
    known: dict[tuple[Group, ...], tuple[Group, ...]] = {}  # thousands of AMIs share a few groups: each is kept once
    for ami in inventory.amis:
        groups = groups_of(ami, config.mapping_key, config.mapping_values)
        groups = known.setdefault(groups, groups)
        ctx = RuleContext(ami, usage.get((target.region, ami.id), ()), groups, (), config, now)
        stays = keep_reason(ctx)
        groups_by_id[ami.id] = groups
        if stays:
            staying[ami.id] = stays
            if stays[0] == "not-selected":
                groups_by_id[ami.id] = ()
        else:
            for group in groups:
                rest.setdefault(group, []).append(ami)
    labels = labels_of({group for groups in groups_by_id.values() for group in groups})
    # One group that keeps an AMI is enough: it was a reason to delete in 0.2.2 that another group did not.
    for group in sorted(rest):  # the first one that keeps an AMI is told
        kept: tuple[Reason, str] = ("kept-previous", f"It is one of the {config.keep_previous} newest of {labels[group]}.")
        for ami in reduce_group(rest[group], config.keep_previous)[0]:
            staying.setdefault(ami.id, kept)
    shown = {groups: tuple(sorted(labels[group] for group in groups)) for groups in set(groups_by_id.values())}
    return [
        _decision(
            target,
            ami,
            staying.get(ami.id) or _shared(target, ami, shared, config, now),
            ("old", _why_old(ami, config)),
            shown[groups_by_id[ami.id]],
            usage,
        )
        for ami in inventory.amis
    ]


def _why_old(ami: Ami, config: Config) -> str:
    if ami.state in FAILED_STATES:
        return f"Its creation failed (state {ami.state})."
    if not config.keep_previous:
        return "It is unused, and no previous AMIs are kept."
    return f"It is unused and older than the {config.keep_previous} that stay in its group."


def _named(inventory: Inventory, usage: Usage, config: Config, now: datetime, shared: Shared) -> list[Decision]:
    """Decisions of one target about the AMIs that a person named."""
    target = inventory.target
    rules = [rule for rule in NAMED_RULES if not (config.ignore_in_use and rule[0] == "in-use")]
    named = set(config.from_ids)
    decisions = []
    for ami in inventory.amis:
        if ami.id in named:
            uses = usage.get((target.region, ami.id), ())
            ctx = RuleContext(ami, uses, (), shared.get((target, ami.id), ()), config, now)
            decisions.append(_decision(target, ami, keep_reason(ctx, rules), ("named", "It was named."), (), usage))
    return decisions


def _shared(target: Target, ami: Ami, shared: Shared, config: Config, now: datetime) -> tuple[Reason, str] | None:
    """Asked only of what everything else would remove, so that it does not change who is among the N."""
    ctx = RuleContext(ami, (), (), shared.get((target, ami.id), ()), config, now)
    return keep_reason(ctx, [rule for rule in NAMED_RULES if rule[0] == "shared"])


def _decision(
    target: Target,
    ami: Ami,
    stays: tuple[Reason, str] | None,
    goes: tuple[Reason, str],
    groups: tuple[str, ...],
    usage: Usage,
) -> Decision:
    reason, explanation = stays or goes
    return Decision(target, ami, stays is None, reason, explanation, groups, usage.get((target.region, ami.id), ()))
