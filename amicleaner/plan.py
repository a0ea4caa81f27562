"""The plan: a decision and a reason for every AMI that was looked at.  Pure; numbers for people are counted once, here."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .actions import DELETE, KEEP, QUARANTINE, RELEASE, Action
from .config import Config
from .decisions import Decision, Facts, decide_by_id, decide_by_rules, through_quarantine
from .mapper import UNTAGGED_LABEL
from .models import BlockSnapshot, Inventory, Reason, Target, number
from .orphans import origin_of
from .recycle_bin import restorable_until
from .reducer import NEVER

Allowed = Mapping[tuple[Target, str], str]
"""(Target, AMI id) to the name of the action that a confirmed or saved plan has for it."""


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
class Plan:
    """Decisions sorted by account, Region and id.

    `own_amis` is how many AMIs each target has.  `snapshots` are those that will be deleted with their AMIs, measured as far
    as known; `registered` counts those of them that were not made for these AMIs; `missing` are listed ids that do not
    exist.  `shared_unasked`: whom the AMIs are shared with is read only while they are deleted.  `accounts_unasked`: what
    AWS reports as references in other accounts is read only after the prompt.  `bins_read`: the Recycle Bin's rules were
    read in every target where something would be deleted (with --require-recycle-bin: or quarantined); without that such a
    plan may not be carried out.
    """

    config: Config
    created: datetime
    own_amis: Mapping[Target, int]
    decisions: tuple[Decision, ...]
    snapshots: Mapping[tuple[Target, str], BlockSnapshot]
    missing: tuple[str, ...] = ()
    registered: int = 0
    shared_unasked: bool = False
    accounts_unasked: bool = False
    bins_read: bool = False

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where the run may delete, sorted."""
        return tuple(sorted(self.own_amis))

    def size_of(self, target: Target, snapshot: BlockSnapshot) -> int:
        """GiB of a snapshot: measured where that was done, else the volume's size."""
        return self.snapshots.get((target, snapshot.id), snapshot).size_gib

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


def make_plan(
    inventories: Sequence[Inventory], facts: Facts, config: Config, now: datetime, allowed: Allowed | None = None
) -> Plan:
    """Map, filter, reduce; then what the Recycle Bin and the limit leave.  Groups and N count in each target alone.

    With `allowed` nothing is changed but these AMIs, each by the action of that name, and the limit counts only them.
    """
    decide = decide_by_id if config.from_ids else decide_by_rules
    decisions = [decision for inventory in inventories for decision in decide(inventory, facts, config, now)]
    decisions = [_covered(through_quarantine(decision, config, now), facts, config, now) for decision in decisions]
    if allowed is not None:
        decisions = _restricted(decisions, allowed)
    decisions = sorted(_limited(decisions, config.limit), key=lambda decision: decision.key)
    found = {decision.ami.id for decision in decisions} if config.from_ids else set()
    deleted = {decision.key for decision in decisions if decision.action is DELETE}
    snapshots = _snapshots_deleted(inventories, deleted, facts)
    known = [(key[0], facts.snapshots.get(key)) for key in snapshots]
    required = config.require_recycle_bin is not None
    asked = {d.target for d in decisions if d.action is DELETE or (required and d.candidate)}
    return Plan(
        config,
        now,
        {inventory.target: len(inventory.amis) for inventory in inventories},
        tuple(decisions),
        snapshots,
        missing=tuple(id for id in config.from_ids if id not in found),
        registered=sum(made is not None and (target, origin_of(made)) not in deleted for target, made in known),
        bins_read=all(facts.bins.get(target) is not None for target in asked),
    )


def to_resolve(plan: Plan, allowed: Allowed | None = None) -> dict[Target, tuple[str, ...]]:
    """The AMIs about which it pays to read what costs calls: those that would be changed, or that would be but for the
    limit, the Recycle Bin or their quarantine, and all of their groups, kept ones too (one of them in use makes room for
    another).

    Also those for which `allowed` has another action: what is read may lead to that one, as a reference does to a release.
    """
    waiting: set[Reason] = {"over-limit", "no-recycle-bin"}
    if plan.config.quarantine is not None:
        waiting.add("quarantined")
    asked = [
        decision
        for decision in plan.decisions
        if decision.action is not KEEP
        or decision.reason in waiting
        or (decision.reason == "not-selected" and decision.key in (allowed or ()))
    ]
    ids = {decision.key for decision in asked}
    groups = {(decision.target, decision.rule, label) for decision in asked for label in decision.groups}
    found: dict[Target, list[str]] = {}
    for decision in plan.decisions:
        in_group = any((decision.target, decision.rule, label) in groups for label in decision.groups)
        # One that the confirmed plan leaves out makes no room for another, whatever refers to it.
        if decision.key in ids or (in_group and decision.reason != "not-selected"):
            found.setdefault(decision.target, []).append(decision.ami.id)
    return {target: tuple(ids) for target, ids in found.items()}


def rules_without_amis(plan: Plan) -> tuple[str, ...]:
    """The rules of this run that decide about no AMI of any target, in the file's order: each is probably a mistake."""
    deciding = {decision.rule for decision in plan.decisions}
    run = [rule.name for rule in plan.config.rules if not plan.config.rule or rule.name in plan.config.rule]
    return tuple(name for name in run if name not in deciding)


def oldest_first(decisions: Iterable[Decision]) -> list[Decision]:
    """By creation date, the unknown ones first, in all targets together."""
    return sorted(decisions, key=lambda decision: (decision.ami.created or NEVER, decision.key))


def limits_exceeded(plan: Plan, orphans: int = 0) -> list[str]:
    """A sentence for each limit that the plan or the number of orphaned snapshots exceeds.  AMIs to be quarantined count
    like those to be deleted."""
    config = plan.config
    change = "delete or quarantine" if plan.of(QUARANTINE) else "delete"
    exceeded = []
    if config.max_deletions is not None:
        for verb, count, things in ((change, len(plan.candidates), "AMIs"), ("delete", orphans, "orphaned snapshots")):
            if count > config.max_deletions:
                allowed = f"more than --max-deletions {config.max_deletions} allows"
                exceeded.append(f"The plan would {verb} {count} {things}, {allowed}.")
    if config.max_percent is not None:
        for target, total in sorted(plan.own_amis.items()):
            count = sum(decision.target == target for decision in plan.candidates)
            if count * 100 > config.max_percent * total:
                allowed = f"more than --max-percent {config.max_percent:g} allows"
                exceeded.append(f"The plan would {change} {count} of {total} AMIs in {target}, {allowed}.")
    return exceeded


def _snapshots_deleted(
    inventories: Sequence[Inventory], deleted: Collection[tuple[Target, str]], facts: Facts
) -> dict[tuple[Target, str], BlockSnapshot]:
    """The snapshots of the deleted AMIs, less those that a kept AMI uses too; each once, with its size if known."""
    found: dict[tuple[Target, str], BlockSnapshot] = {}
    for inventory in inventories:
        target = inventory.target
        sizes: dict[str, int] = {}
        held: set[str] = set()
        for ami in inventory.amis:
            if (target, ami.id) not in deleted:
                held.update(snapshot.id for snapshot in ami.snapshots)
                continue
            for snapshot in ami.snapshots:
                sizes[snapshot.id] = max(snapshot.size_gib, sizes.get(snapshot.id, 0))
        for id in sizes.keys() - held:
            known = facts.snapshots.get((target, id))
            found[target, id] = known.block(sizes[id]) if known else BlockSnapshot(id, sizes[id])
    return dict(sorted(found.items()))


def _covered(decision: Decision, facts: Facts, config: Config, now: datetime) -> Decision:
    """A deletion with the time until which it can be undone.  Where --require-recycle-bin asks for more the AMI is kept, and
    not quarantined either: no later run would delete it."""
    rules = facts.bins.get(decision.target)
    if rules is None or not decision.candidate:
        return decision
    until = restorable_until(decision.ami, facts.snapshots_of(decision.target, decision.ami), rules, now)
    days = config.require_recycle_bin
    if days is not None and (until is None or until - now < timedelta(days=days)):
        return decision.keep("no-recycle-bin", f"Not retained in the Recycle Bin for {number(days, 'day')}.")
    return replace(decision, restorable_until=until) if decision.action is DELETE else decision


def _restricted(decisions: Iterable[Decision], allowed: Allowed) -> list[Decision]:
    return [
        decision
        if decision.action is KEEP or allowed.get(decision.key) == decision.action.name
        else decision.keep("not-selected", "The confirmed plan does not change it.")
        for decision in decisions
    ]


def _limited(decisions: list[Decision], limit: int | None) -> list[Decision]:
    """Of what would be deleted or quarantined, in all targets together, the oldest."""
    if limit is None:
        return decisions
    candidates = oldest_first(decision for decision in decisions if decision.candidate)
    spared = {decision.key for decision in candidates[limit:]}
    why = f"Left for the next run (--limit {limit})."
    return [decision.keep("over-limit", why) if decision.key in spared else decision for decision in decisions]
