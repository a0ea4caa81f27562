"""From scans to decisions: asks what is worth asking, in the order that costs the fewest calls; the pure parts decide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .aws.scan import Scan, Scanner
from .aws.usage import merge_uses
from .clock import Clock
from .config import Config
from .models import Target, Use
from .orphans import find_orphans
from .plan import Plan, Shared, Usage, make_plan, restrict, to_ask_about
from .result import Orphan

ASK_SHARED_FIRST = 200
"""Up to so many AMIs, whom each is shared with is asked before the question, a call an AMI; of more, beside the deletion."""

Removals = Collection[tuple[Target, str]]
"""What a saved plan removes."""

Warnings = tuple[tuple[Target, str], ...]
"""Each with the location where it holds."""


@dataclass(frozen=True, slots=True)
class PlanningResult:
    """A plan; what it could not see; and when AWS was last asked who refers to its AMIs (seconds, monotonic clock)."""

    plan: Plan
    warnings: Warnings
    since: float


def decide(
    config: Config, scanner: Scanner, scans: Sequence[Scan], clock: Clock, allowed: Removals | None
) -> PlanningResult:
    """Decides twice: what costs a call a group or an AMI is asked only where something would go.  `allowed`: what a saved
    plan removes; None without one.  Raises `AwsError` where something can't be read."""
    inventories = [scan.inventory for scan in scans if not scan.location.read_only]

    def plan_with(usage: Usage, shared: Shared) -> Plan:
        plan = make_plan(inventories, usage, config, clock.now(), shared)
        return plan if allowed is None else restrict(plan, inventories, allowed)

    readings = [(scan.inventory.target.region, scan.reading.uses) for scan in scans]
    usage = _usage(readings)
    plan = plan_with(usage, {})
    asked: dict[str, list[str]] = {}
    for target, ids in to_ask_about(plan).items():
        asked.setdefault(target.region, []).extend(ids)
    since = clock.monotonic()
    answers = scanner.late(scans, asked)
    warnings = tuple((scan.inventory.target, warning) for scan, (_, found) in answers for warning in found)
    if any(uses for _, (uses, _) in answers):
        usage = _usage([*readings, *((scan.inventory.target.region, uses) for scan, (uses, _) in answers)])
        plan = plan_with(usage, {})
    if config.include_shared or not plan.removals:
        return PlanningResult(plan, warnings, since)
    if len(plan.removals) > ASK_SHARED_FIRST:
        return PlanningResult(replace(plan, shared_unasked=True), warnings, since)
    inside = frozenset(scan.inventory.target.account for scan in scans)
    locations = {scan.inventory.target: scan.location for scan in scans}
    shared = scanner.shared([(locations[decision.target], decision.ami.id) for decision in plan.removals], inside)
    return PlanningResult(plan_with(usage, shared) if any(shared.values()) else plan, warnings, since)


def find_all_orphans(scanner: Scanner, scans: Sequence[Scan], now: datetime) -> tuple[tuple[Orphan, ...], Warnings]:
    """The orphan snapshots of all targets, and warnings.  Old versions of launch templates, a call a template, are read only
    where there would be some.  Raises `AwsError`."""
    held = _held(scans)
    orphans = _orphans(scans, held, now)
    regions = {orphan.target.region for orphan in orphans}
    answers = scanner.template_snapshots([scan for scan in scans if scan.inventory.target.region in regions])
    for scan, (snapshots, _) in answers:
        held[scan.inventory.target.region] |= snapshots
    return _orphans(scans, held, now), tuple((scan.inventory.target, text) for scan, (_, found) in answers for text in found)


def _orphans(scans: Sequence[Scan], held: Mapping[str, Collection[str]], now: datetime) -> tuple[Orphan, ...]:
    # An AMI anywhere in the run exists, for a snapshot's copy in another Region keeps its description.
    existing = frozenset().union(*(scan.recycle_bin.union(ami.id for ami in scan.inventory.amis) for scan in scans))
    return tuple(
        Orphan(scan.inventory.target, snapshot)
        for scan in scans
        for snapshot in find_orphans(scan.snapshots, existing, held[scan.inventory.target.region], now)
    )


def _held(scans: Sequence[Scan]) -> dict[str, set[str]]:
    """By Region, the snapshots that AMIs, launch templates, launch configurations and fleets of any account name."""
    held: dict[str, set[str]] = {}
    for scan in scans:
        of_region = held.setdefault(scan.inventory.target.region, set())
        of_region |= scan.reading.snapshots
        of_region.update(snapshot.id for ami in scan.inventory.amis for snapshot in ami.snapshots)
    return held


def refusals(plan: Plan, allowed: Removals | None) -> list[str]:
    """What was asked for, by id or by a saved plan, and will not be done: a sentence each."""
    kept = {(decision.target, decision.ami.id): decision for decision in plan.decisions if not decision.remove}
    if allowed is not None:
        wanted, missing = sorted(allowed), []
    else:
        wanted = list(kept) if plan.config.from_ids else []
        missing = [f"{id} does not exist, or is not an AMI of this account." for id in plan.missing]
    return missing + [f"{key[1]} stays ({kept[key].reason}): {kept[key].explanation}" for key in wanted if key in kept]


def _usage(parts: Iterable[tuple[str, Mapping[str, tuple[Use, ...]]]]) -> Usage:
    """What any account of the run uses in a Region protects the AMIs of all of them there."""
    by_region: dict[str, list[Mapping[str, tuple[Use, ...]]]] = {}
    for region, uses in parts:
        by_region.setdefault(region, []).append(uses)
    return {(region, id): uses for region, found in by_region.items() for id, uses in merge_uses(found).items()}
