"""What is decided about each AMI of one target, and why: map, filter, reduce, and where its quarantine stands.  Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import get_args

from .actions import DELETE, KEEP, QUARANTINE, RELEASE, Action
from .config import Config
from .filters import NAMED_RULES, OWN_RULES, RULES, RuleContext, keep_reason, shared, why_not_selected
from .mapper import Group, groups_of, labels_of
from .models import FAILED_STATES, Ami, Inventory, KeepReason, Reason, Snapshot, Target, Use
from .quarantine import quarantine_end, quarantine_of
from .recycle_bin import BinRules
from .reducer import kept_in_group

Usage = Mapping[tuple[str, str], tuple[Use, ...]]
"""(Region, AMI id) to the references to it, in whichever account of the run."""

Shared = Mapping[tuple[Target, str], tuple[str, ...]]
"""(Target, AMI id) to whom outside the run it is shared with, as far as that was read."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read besides the AMIs.  More `usage`, more `shared` or more tags of `snapshots` never delete more.

    `snapshots` are those of the AMIs, by target and id, as far as they were looked up.  `bins` are the rules of the Recycle
    Bin, None where they may not be read; a target without them was not asked.  With --require-recycle-bin the plan is
    complete only with `Plan.bins_read`: until then it holds what is to be asked about.
    """

    usage: Usage = field(default_factory=dict)
    shared: Shared = field(default_factory=dict)
    snapshots: Mapping[tuple[Target, str], Snapshot] = field(default_factory=dict)
    bins: Mapping[Target, BinRules | None] = field(default_factory=dict)

    def snapshots_of(self, target: Target, ami: Ami) -> tuple[Snapshot, ...]:
        """Those of an AMI's snapshots that were looked up."""
        found = [self.snapshots.get((target, snapshot.id)) for snapshot in ami.snapshots]
        return tuple(snapshot for snapshot in found if snapshot is not None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one AMI and why.

    `explanation` is one sentence, `rule` the name of the configuration file's rule that decided, `groups` are labels,
    sorted. `until` is the end of its quarantine, of one that would begin now too; `restorable_until` until when a deletion
    could be undone, as far as the Recycle Bin's rules tell.
    """

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
    def key(self) -> tuple[Target, str]:
        """Its identity, and the order of everything that is printed."""
        return self.target, self.ami.id

    @property
    def candidate(self) -> bool:
        """Whether it is to be deleted or quarantined."""
        return self.action in (DELETE, QUARANTINE)

    def keep(self, reason: Reason, explanation: str) -> "Decision":
        """The same AMI, kept as it is: a quarantine goes on, and none begins."""
        until = None if self.action is QUARANTINE else self.until
        return replace(self, action=KEEP, reason=reason, explanation=explanation, until=until, restorable_until=None)


LEFT_IN_QUARANTINE: frozenset[Reason] = frozenset(
    {"quarantined", "not-selected", "no-rule", "no-match", "no-tags", "over-limit", "no-recycle-bin"}
)
"""Reasons to keep an AMI that say nothing about whether somebody needs it: they do not end its quarantine."""

_ORDER = {reason: place for place, reason in enumerate(get_args(Reason))}


def decide_by_rules(inventory: Inventory, facts: Facts, config: Config, now: datetime) -> list[Decision]:
    """Decisions of one target: by the configuration file's rules, the first that selects an AMI, or without rules as one."""
    target = inventory.target
    if not config.rules:
        return _grouped(target, inventory.amis, "", facts, config, now)
    decisions: list[Decision] = []
    remaining = list(inventory.amis)
    for rule in config.rules:
        own = config.for_rule(rule)
        selected = [ami for ami in remaining if why_not_selected(ami, own) is None]
        remaining = [ami for ami in remaining if why_not_selected(ami, own) is not None]
        kept_for: KeepReason | None = None
        if config.rule and rule.name not in config.rule:
            kept_for = "not-selected", f"Belongs to rule {rule.name}, which --rule leaves out."
        decisions += _grouped(target, selected, rule.name, facts, own, now, kept_for)
    no_rule: KeepReason = "no-rule", "No rule of the configuration file selects it."
    return decisions + _grouped(target, remaining, "", facts, config, now, no_rule)


def decide_by_id(inventory: Inventory, facts: Facts, config: Config, now: datetime) -> list[Decision]:
    """Decisions of one target about the AMIs that a person listed."""
    rules = [rule for rule in NAMED_RULES if not (config.ignore_in_use and rule[0] == "in-use")]
    listed = set(config.from_ids)
    decisions = []
    for ami in inventory.amis:
        if ami.id in listed:
            ctx = _context(inventory.target, ami, facts, config, now)
            ctx = replace(ctx, shared_with=facts.shared.get((inventory.target, ami.id), ()))
            decision = Decision(inventory.target, ami, DELETE, "named", "Listed by id.", used_by=tuple(ctx.uses))
            reason = keep_reason(ctx, rules)
            decisions.append(decision.keep(*reason) if reason else decision)
    return decisions


def _context(
    target: Target, ami: Ami, facts: Facts, config: Config, now: datetime, groups: tuple[Group, ...] = ()
) -> RuleContext:
    uses = facts.usage.get((target.region, ami.id), ())
    return RuleContext(ami, config, now, uses, groups, snapshots=facts.snapshots_of(target, ami))


def _grouped(
    target: Target,
    amis: Iterable[Ami],
    rule: str,
    facts: Facts,
    config: Config,
    now: datetime,
    kept_for: KeepReason | None = None,
) -> list[Decision]:
    """Decisions about the AMIs of one target and rule.  With `kept_for` they are in no group and all kept, for that reason
    unless one of their own comes first."""
    contexts: list[RuleContext] = []
    kept: dict[str, KeepReason] = {}
    members: dict[Group, list[Ami]] = {}
    known: dict[tuple[Group, ...], tuple[Group, ...]] = {}  # thousands of AMIs share a few groups: each is kept once
    for ami in amis:
        groups = () if kept_for else groups_of(ami, config)
        ctx = _context(target, ami, facts, config, now, known.setdefault(groups, groups))
        reason = keep_reason(ctx, OWN_RULES if kept_for else RULES) or kept_for
        if reason is None:
            for group in groups:
                members.setdefault(group, []).append(ami)
        else:
            kept[ami.id] = reason
            if reason[0] == "not-selected":
                ctx = replace(ctx, groups=())
        contexts.append(ctx)
    labels = labels_of({group for ctx in contexts for group in ctx.groups})
    for group in sorted(members, key=lambda group: labels[group]):
        for id, reason in kept_in_group(members[group], config, labels[group], now).items():
            # One group that keeps an AMI is enough; of several reasons the first by their order is reported, then by label.
            if id not in kept or _ORDER[reason[0]] < _ORDER[kept[id][0]]:
                kept[id] = reason
    shown = {groups: tuple(sorted(labels[group] for group in groups)) for groups in {ctx.groups for ctx in contexts}}
    why = _why_old(config)
    decisions = []
    for ctx in contexts:
        reason = kept.get(ctx.ami.id)
        if reason is None and facts.shared:
            # Read only of what everything else would delete: it must not change who is among the N.
            ctx = replace(ctx, shared_with=facts.shared.get((target, ctx.ami.id), ()))
            reason = keep_reason(ctx, [("shared", shared)])
        explanation = f"Creation failed (state {ctx.ami.state})." if ctx.ami.state in FAILED_STATES else why
        action, told = (KEEP, reason) if reason else (DELETE, ("old", explanation))
        decisions.append(Decision(target, ctx.ami, action, *told, rule, shown[ctx.groups], tuple(ctx.uses)))
    return decisions


def _why_old(config: Config) -> str:
    kept = {"newest": config.newest_kept, **config.periods}
    numbers = [f"{number} {word}" for word, number in kept.items() if number]
    if not numbers:
        return "Unused, and its group keeps no AMIs (--keep-previous 0)."
    if len(numbers) == 1 and config.newest_kept:
        newest = "newest" if config.newest_kept == 1 else numbers[0]
        return f"Unused, and older than the {newest} in its group."
    return f"Unused, and not among the AMIs that its group keeps ({', '.join(numbers)})."


def through_quarantine(decision: Decision, config: Config, now: datetime) -> Decision:
    """With --quarantine a deletion becomes a quarantine first, and a quarantine ends in a deletion or a release."""
    days = config.quarantine
    if days is None:
        return decision
    found = quarantine_of(decision.ami, days, now)
    if decision.action is KEEP:
        if not found.lasts:
            return decision
        action = KEEP if decision.reason in LEFT_IN_QUARANTINE else RELEASE
        return replace(decision, action=action, until=found.until)
    if found.stage == "over":
        return replace(decision, until=found.until)
    if found.stage == "waiting":
        return replace(decision.keep("quarantined", f"In quarantine until {found.until:%Y-%m-%d}."), until=found.until)
    begun = replace(decision, action=QUARANTINE, until=quarantine_end(now, days))
    if found.stage == "restart":
        why = "The time of its quarantine is unreadable or in the future, so the wait begins again."
        return replace(begun, explanation=why)
    return begun
