"""The plan: a decision and a reason for every AMI that was looked at.  Pure; numbers for people are counted once, here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from .actions import DELETE, KEEP, QUARANTINE, RELEASE, Action
from .config import Config
from .filters import NAMED_RULES, RULES, RuleContext, is_selected, keep_reason
from .mapper import UNTAGGED_LABEL, Group, groups_of, labels_of
from .models import FAILED_STATES, Ami, BlockSnapshot, Inventory, Reason, Snapshot, Target, Use
from .orphans import made_for
from .quarantine import quarantine_of
from .recycle_bin import BinRules, restorable_until
from .reducer import newest_first, retained

Usage = Mapping[tuple[str, str], tuple[Use, ...]]
"""(Region, AMI id) to the references to it, in whichever account of the run."""

Shared = Mapping[tuple[Target, str], tuple[str, ...]]
"""(Target, AMI id) to whom outside the run it is shared with, as far as that was read."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read besides the AMIs.  More `usage`, more `shared` or more tags of `snapshots` never delete more.

    `snapshots` are those of the AMIs, by target and id, as far as they were looked up.  `bins` are the rules of the Recycle
    Bin, None where they may not be read; a target without them was not asked.
    """

    usage: Usage = field(default_factory=dict)
    shared: Shared = field(default_factory=dict)
    snapshots: Mapping[tuple[Target, str], Snapshot] = field(default_factory=dict)
    bins: Mapping[Target, BinRules | None] = field(default_factory=dict)

    def snapshots_of(self, target: Target, ami: Ami) -> tuple[Snapshot, ...]:
        """Those of an AMI's snapshots that were looked up."""
        found = (self.snapshots.get((target, snapshot.id)) for snapshot in ami.snapshots)
        return tuple(snapshot for snapshot in found if snapshot is not None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one AMI and why.  `explanation` is one sentence, `rule` the name of the configuration file's rule that
    decided, `groups` are labels, sorted.  `until` is the end of its quarantine, `restorable_until` until when a deletion
    could be undone, as far as the Recycle Bin's rules tell."""

    target: Target
    ami: Ami
    action: Action
    reason: Reason
    explanation: str
    rule: str = ""
    groups: tuple[str, ...] = ()
    used_by: tuple[Use, ...] = ()
    until: datetime | None = None
    restorable_until: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Account, Region, id: the order of everything that is printed."""
        return (self.target.account, self.target.region, self.ami.id)

    @property
    def candidate(self) -> bool:
        """Whether it is on its way out: to be deleted, or quarantined first."""
        return self.action in (DELETE, QUARANTINE)

    def keep(self, reason: Reason, explanation: str) -> Decision:
        """The same AMI, kept."""
        return replace(self, action=KEEP, reason=reason, explanation=explanation, restorable_until=None)


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A row of the summary: a group, its AMIs that would be deleted or quarantined (or that, untagged, are only listed), and
    how many it has in all and in use."""

    target: Target
    label: str
    excluded: bool
    decisions: tuple[Decision, ...]
    amis: int
    in_use: int
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """What is deleted: AMIs, snapshots, and an upper bound in GiB of what these store, in the standard and the archive
    tier."""

    amis: int
    snapshots: int
    size_gib: int
    archived_gib: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Decisions sorted by account, Region and id.

    `own_amis` is how many AMIs each target has.  `snapshots` are those that will be deleted with their AMIs; `registered`
    counts those of them that were not made for these AMIs; `missing` are listed ids that do not exist.  `shared_unasked`:
    whom the AMIs are shared with is read only while they are deleted.  `bins_read`: the Recycle Bin's rules were read in
    every target where something would be deleted.
    """

    config: Config
    created: datetime
    own_amis: Mapping[Target, int]
    decisions: tuple[Decision, ...]
    snapshots: tuple[tuple[Target, BlockSnapshot], ...]
    missing: tuple[str, ...] = ()
    registered: int = 0
    shared_unasked: bool = False
    bins_read: bool = False

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where the run may delete, sorted."""
        return tuple(sorted(self.own_amis))

    def of(self, *actions: Action) -> tuple[Decision, ...]:
        """The decisions for one of these actions."""
        return tuple(decision for decision in self.decisions if decision.action in actions)

    @property
    def removals(self) -> tuple[Decision, ...]:
        """The AMIs to be deleted."""
        return self.of(DELETE)

    @property
    def candidates(self) -> tuple[Decision, ...]:
        """The AMIs to be deleted or quarantined: what the limits count."""
        return self.of(DELETE, QUARANTINE)

    @property
    def changes(self) -> tuple[Decision, ...]:
        """Everything that the plan changes."""
        return self.of(DELETE, QUARANTINE, RELEASE)

    @property
    def kept(self) -> tuple[Decision, ...]:
        """The AMIs that are kept as they are."""
        return self.of(KEEP)

    @property
    def totals(self) -> Totals:
        """The numbers of the plan's sentence."""
        standard = sum(snapshot.size_gib for _, snapshot in self.snapshots if not snapshot.archived)
        archived = sum(snapshot.size_gib for _, snapshot in self.snapshots if snapshot.archived)
        return Totals(len(self.removals), len(self.snapshots), standard + archived, archived)

    @property
    def kept_by_reason(self) -> tuple[tuple[Reason, int], ...]:
        """How many are kept for each reason, the most frequent first."""
        counts = Counter(decision.reason for decision in self.kept)
        return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @property
    def groups(self) -> tuple[GroupSummary, ...]:
        """Groups out of which something would be deleted or quarantined, and the untagged AMIs: by target, then by label,
        the untagged last.  An AMI of two groups is in both."""
        members: dict[tuple[Target, str, str], list[Decision]] = {}
        for decision in self.decisions:
            for label in decision.groups:
                members.setdefault((decision.target, decision.rule, label), []).append(decision)
        found = []
        for (target, rule, label), decisions in members.items():
            in_use = sum(decision.reason == "in-use" for decision in decisions)
            for excluded in (False, True):
                listed = [d for d in decisions if (d.reason == "no-tags" if excluded else d.candidate)]
                if listed:
                    found.append(GroupSummary(target, label, excluded, tuple(listed), len(decisions), in_use, rule))
        return tuple(sorted(found, key=lambda g: (g.target, g.excluded, g.label == UNTAGGED_LABEL, g.label, g.rule)))


def make_plan(inventories: Sequence[Inventory], facts: Facts, config: Config, now: datetime) -> Plan:
    """Map, filter, reduce; then what the Recycle Bin and the limit leave of it.  Groups and N count in each target alone."""
    decide = _listed_by_id if config.from_ids else _by_rules
    decisions = [decision for inventory in inventories for decision in decide(inventory, facts, config, now)]
    decisions = [_covered(decision, facts, config, now) for decision in decisions]
    decisions = _limited(decisions, config.limit)
    found = {ami.id for inventory in inventories for ami in inventory.amis}
    missing = tuple(id for id in config.from_ids if id not in found)
    return _plan(config, now, inventories, decisions, facts, missing)


def restrict(plan: Plan, inventories: Sequence[Inventory], facts: Facts, allowed: Mapping[tuple[Target, str], str]) -> Plan:
    """The same plan, in which nothing is changed but the `allowed` AMIs, each by the action of that name."""
    decisions = [
        decision
        if decision.action is KEEP or allowed.get((decision.target, decision.ami.id)) == decision.action.name
        else decision.keep("not-selected", "The confirmed plan does not change it.")
        for decision in plan.decisions
    ]
    restricted = _plan(plan.config, plan.created, inventories, decisions, facts, plan.missing)
    return replace(restricted, shared_unasked=plan.shared_unasked)


def to_resolve(plan: Plan) -> dict[Target, tuple[str, ...]]:
    """The AMIs about which it pays to read what costs calls: all of every group out of which something would be deleted, the
    kept ones too (one of them in use makes room for another); by id the listed ones that would be deleted."""
    going = {(decision.target, decision.rule, label) for decision in plan.changes for label in decision.groups}
    found: dict[Target, list[str]] = {}
    for decision in plan.decisions:
        in_group = any((decision.target, decision.rule, label) in going for label in decision.groups)
        # One that the confirmed plan does not change makes no room for another, whatever refers to it.
        if decision.action is not KEEP or (in_group and decision.reason != "not-selected"):
            found.setdefault(decision.target, []).append(decision.ami.id)
    return {target: tuple(ids) for target, ids in found.items()}


def _plan(
    config: Config,
    now: datetime,
    inventories: Sequence[Inventory],
    decisions: Iterable[Decision],
    facts: Facts,
    missing: tuple[str, ...],
) -> Plan:
    ordered = tuple(sorted(decisions, key=lambda decision: decision.key))
    deleted = {(decision.target, decision.ami.id) for decision in ordered if decision.action is DELETE}
    own_amis = {inventory.target: len(inventory.amis) for inventory in inventories}
    snapshots = _snapshots_deleted(inventories, deleted, facts)
    registered = 0
    for target, snapshot in snapshots:
        known = facts.snapshots.get((target, snapshot.id))
        if known is not None:
            registered += (target, made_for(known.description) or "") not in deleted
    bins_read = all(facts.bins.get(target) is not None for target, _ in deleted)
    return Plan(config, now, own_amis, ordered, snapshots, missing, registered, bins_read=bins_read)


def _snapshots_deleted(
    inventories: Sequence[Inventory], deleted: Collection[tuple[Target, str]], facts: Facts
) -> tuple[tuple[Target, BlockSnapshot], ...]:
    """The snapshots of the deleted AMIs, less those that a kept AMI uses too; each once, with its size as far as known."""
    found: dict[tuple[Target, str], int] = {}
    held: set[tuple[Target, str]] = set()
    for inventory in inventories:
        for ami in inventory.amis:
            for snapshot in ami.snapshots:
                key = (inventory.target, snapshot.id)
                if (inventory.target, ami.id) in deleted:
                    found[key] = max(snapshot.size_gib, found.get(key, 0))
                else:
                    held.add(key)
    return tuple(
        (key[0], measured(BlockSnapshot(key[1], size), facts.snapshots.get(key)))
        for key, size in sorted(found.items())
        if key not in held
    )


def measured(block: BlockSnapshot, known: Snapshot | None) -> BlockSnapshot:
    """A snapshot with the smaller of its volume's size and its full size in whole GiB, rounded up."""
    if known is None:
        return block
    full = -(-known.full_bytes // (1 << 30))
    return BlockSnapshot(block.id, min(block.size_gib, full) if full else block.size_gib, known.archived)


def _by_rules(inventory: Inventory, facts: Facts, config: Config, now: datetime) -> list[Decision]:
    """Decisions of one target: by the configuration file's rules, the first that selects an AMI, or without rules as one."""
    if not config.rules:
        return _grouped(inventory.target, inventory.amis, "", facts, config, now)
    decisions: list[Decision] = []
    remaining = list(inventory.amis)
    for rule in config.rules:
        own = config.for_rule(rule)
        selected = [ami for ami in remaining if is_selected(ami, own)]
        ids = {ami.id for ami in selected}
        remaining = [ami for ami in remaining if ami.id not in ids]
        if not config.rule or rule.name in config.rule:
            decisions += _grouped(inventory.target, selected, rule.name, facts, own, now)
        else:
            why = f"Rule {rule.name} decides for it, and this run leaves that rule out."
            decisions += _all_kept(inventory.target, selected, rule.name, "not-selected", why, facts, config, now)
    why = "No rule of the configuration file selects it."
    return decisions + _all_kept(inventory.target, remaining, "", "no-rule", why, facts, config, now)


def _all_kept(
    target: Target, amis: Iterable[Ami], rule: str, reason: Reason, why: str, facts: Facts, config: Config, now: datetime
) -> list[Decision]:
    """Decisions about AMIs that nothing selects: kept, for a reason of their own where they have one."""
    before = RULES[: [name for name, _ in RULES].index("not-selected")]
    decisions = []
    for ami in amis:
        uses = facts.usage.get((target.region, ami.id), ())
        ctx = RuleContext(ami, config, now, uses, snapshots=facts.snapshots_of(target, ami))
        own_reason, explanation = keep_reason(ctx, before) or (reason, why)
        decisions.append(Decision(target, ami, KEEP, own_reason, explanation, rule, used_by=uses))
    return decisions


def _grouped(target: Target, amis: Iterable[Ami], rule: str, facts: Facts, config: Config, now: datetime) -> list[Decision]:
    """Decisions about the AMIs of one target and rule: map, filter, reduce."""
    amis = list(amis)
    known: dict[tuple[Group, ...], tuple[Group, ...]] = {}  # thousands of AMIs share a few groups: each is kept once
    groups: dict[str, tuple[Group, ...]] = {}
    kept: dict[str, tuple[Reason, str]] = {}
    members: dict[Group, list[Ami]] = {}
    for ami in amis:
        found = groups_of(ami, config)
        groups[ami.id] = known.setdefault(found, found)
        uses = facts.usage.get((target.region, ami.id), ())
        reason = keep_reason(RuleContext(ami, config, now, uses, found, (), facts.snapshots_of(target, ami)))
        if reason is None:
            for group in found:
                members.setdefault(group, []).append(ami)
            continue
        kept[ami.id] = reason
        if reason[0] == "not-selected":
            groups[ami.id] = ()
    labels = labels_of({group for found in groups.values() for group in found})
    for group in sorted(members):  # one group that keeps an AMI is enough, and the first one is told
        counted = [ami for ami in members[group] if quarantine_of(ami, 0, now).stage == "none"]
        for id, reason in retained(counted, config, labels[group]).items():
            kept.setdefault(id, reason)
        if len(counted) < len(members[group]):
            # A quarantined AMI takes no place; it is kept where, newer than another, it would have one.
            for id, reason in retained(members[group], config, labels[group]).items():
                if id not in {ami.id for ami in counted}:
                    kept.setdefault(id, reason)
    shown = {found: tuple(sorted(labels[group] for group in found)) for found in set(groups.values())}
    decisions = []
    for ami in amis:
        uses = facts.usage.get((target.region, ami.id), ())
        reason = kept.get(ami.id) or _shared_reason(target, ami, facts, config, now)
        decision = Decision(target, ami, DELETE, "old", _why_old(ami, config), rule, shown[groups[ami.id]], uses)
        decisions.append(_quarantined(decision.keep(*reason) if reason else decision, config, now))
    return decisions


def _why_old(ami: Ami, config: Config) -> str:
    if ami.state in FAILED_STATES:
        return f"Its creation failed (state {ami.state})."
    if not config.newest_kept:
        return "Unused, and not among those that are kept."
    return f"Unused, and older than the {config.newest_kept} newest in its group."


LEFT_IN_QUARANTINE: frozenset[Reason] = frozenset(
    {"quarantined", "not-selected", "no-rule", "no-match", "no-tags", "over-limit", "no-recycle-bin"}
)
"""Reasons to keep an AMI that say nothing about whether somebody needs it: they do not end its quarantine."""


def _quarantined(decision: Decision, config: Config, now: datetime) -> Decision:
    """With --quarantine a deletion becomes a quarantine first, and a quarantine ends in a deletion or a release."""
    days = config.quarantine
    if days is None:
        return decision
    state = quarantine_of(decision.ami, days, now)
    if state.stage in ("none", "enabled"):
        if decision.action is not DELETE:
            return decision
        return replace(decision, action=QUARANTINE)
    if decision.action is KEEP:
        released = decision.reason not in LEFT_IN_QUARANTINE
        return replace(decision, action=RELEASE if released else KEEP, until=state.until)
    if state.stage == "restart":
        why = "The time of its quarantine is unreadable or in the future, so the wait begins again."
        return replace(decision, action=QUARANTINE, explanation=why)
    if state.stage == "waiting":
        why = f"In quarantine until {state.until:%Y-%m-%d}."
        return replace(decision.keep("quarantined", why), until=state.until)
    return replace(decision, until=state.until)


def _listed_by_id(inventory: Inventory, facts: Facts, config: Config, now: datetime) -> list[Decision]:
    """Decisions of one target about the AMIs that a person listed."""
    target = inventory.target
    rules = [rule for rule in NAMED_RULES if not (config.ignore_in_use and rule[0] == "in-use")]
    listed = set(config.from_ids)
    decisions = []
    for ami in inventory.amis:
        if ami.id not in listed:
            continue
        uses = facts.usage.get((target.region, ami.id), ())
        shared = facts.shared.get((target, ami.id), ())
        reason = keep_reason(RuleContext(ami, config, now, uses, (), shared, facts.snapshots_of(target, ami)), rules)
        decision = Decision(target, ami, DELETE, "named", "Listed by id.", used_by=uses)
        decisions.append(_quarantined(decision.keep(*reason) if reason else decision, config, now))
    return decisions


def _shared_reason(target: Target, ami: Ami, facts: Facts, config: Config, now: datetime) -> tuple[Reason, str] | None:
    """Read only for what everything else would delete, so that it does not change who is among the N."""
    shared = facts.shared.get((target, ami.id), ())
    ctx = RuleContext(ami, config, now, shared_with=shared)
    return keep_reason(ctx, [rule for rule in NAMED_RULES if rule[0] == "shared"])


def _covered(decision: Decision, facts: Facts, config: Config, now: datetime) -> Decision:
    """A deletion with the time until which it can be undone; kept where --require-recycle-bin asks for more."""
    if decision.action is not DELETE:
        return decision
    rules = facts.bins.get(decision.target)
    snapshots = facts.snapshots_of(decision.target, decision.ami)
    until = restorable_until(decision.ami, snapshots, rules, now) if rules else None
    days = config.require_recycle_bin
    if days is not None and rules is not None and (until is None or (until - now).days < days):
        return decision.keep("no-recycle-bin", f"No Recycle Bin rule holds it for {days} days.")
    return replace(decision, restorable_until=until)


def _limited(decisions: list[Decision], limit: int | None) -> list[Decision]:
    """Of what would be deleted or quarantined, in all targets together, the oldest."""
    candidates = [decision for decision in decisions if decision.candidate]
    if limit is None or len(candidates) <= limit:
        return decisions
    order = {ami.id: place for place, ami in enumerate(reversed(newest_first(d.ami for d in candidates)))}
    oldest = sorted(candidates, key=lambda decision: (order[decision.ami.id], decision.key))[:limit]
    spared = {decision.key for decision in candidates} - {decision.key for decision in oldest}
    why = f"--limit {limit} leaves it for the next run."
    return [decision.keep("over-limit", why) if decision.key in spared else decision for decision in decisions]
