"""From what was read to a plan: reads what costs calls only where something would be deleted; the pure parts decide."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from math import ceil
from typing import Any

from .aws.concurrency import run_concurrently, thread_pool
from .aws.scan import Scan, Scanner
from .aws.usage import UsageReading
from .aws.usage.image_references import AT_ONCE
from .clock import Clock
from .config import Config
from .decisions import Facts, Usage
from .models import Inventory, Reference, Target
from .orphans import find_orphans, made_for
from .plan import Allowed, Plan, make_plan, to_resolve
from .result import Orphan
from .sources import IMAGE_REFERENCES
from .suggest import suggest_config
from .uses import Uses, dangling_references, merge_uses, uses_by_copies, uses_by_snapshot

ASK_SHARED_FIRST = 200
"""Up to this many AMIs, launch permissions are read before the prompt, one call per AMI; beyond that, during the
deletion."""

ASK_ACCOUNTS_FIRST = 1_000
"""Up to this many calls, every account is asked before the prompt what refers to the AMIs of the others; beyond that,
after the prompt, when everything is read again anyway."""

Warnings = tuple[tuple[Target, str], ...]
"""Each with its target."""


@dataclass(slots=True)
class References:
    """The references that were read, by Region; one in any account of the run protects the AMIs of all of them there.
    `elsewhere` are AMIs of Regions that were not scanned, which may be copies."""

    scans: Sequence[Scan]
    files: Uses
    elsewhere: Sequence[Inventory] = ()
    parts: dict[str, list[Uses]] = field(default_factory=dict)
    by_snapshot: dict[str, list[Uses]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for scan in self.scans:
            self.add(scan, scan.reading)
            self.parts[scan.target.region].append(self.files)
        for inventory in (*(scan.inventory for scan in self.scans), *self.elsewhere):
            for (region, id), uses in uses_by_copies(inventory.target, inventory.amis).items():
                self.parts.setdefault(region, []).append({id: uses})

    def add(self, scan: Scan, reading: UsageReading) -> None:
        """Adds what was read in the Region of a scan."""
        self.parts.setdefault(scan.target.region, []).append(reading.uses)
        self.by_snapshot.setdefault(scan.target.region, []).append(reading.snapshots)

    def of(self, region: str) -> Uses:
        """The references to AMIs of a Region, including those to their snapshots."""
        snapshots = merge_uses(self.by_snapshot.get(region, ()))
        amis = [ami for scan in self.scans if scan.target.region == region for ami in scan.inventory.amis]
        return merge_uses([*self.parts.get(region, ()), uses_by_snapshot(amis, snapshots) if snapshots else {}])

    def usage(self) -> Usage:
        """All of them, by Region and AMI."""
        return {(region, id): uses for region in self.parts for id, uses in self.of(region).items()}


@dataclass(frozen=True, slots=True)
class PlanningResult:
    """A plan, what it could not see, when its last reading ended (monotonic clock), and for which AMIs it is known with whom
    they are shared."""

    plan: Plan
    references: References
    warnings: Warnings
    finished: float
    shared_known: frozenset[tuple[Target, str]] = frozenset()


@dataclass(slots=True)
class Planner:
    """Decides about scans.  `files` are the references in files; `asks`: AMIs are changed only after a prompt."""

    config: Config
    scanner: Scanner
    clock: Clock
    files: Uses
    asks: bool = False

    def decide(
        self,
        scans: Sequence[Scan],
        allowed: Allowed | None = None,
        *,
        deleting: bool = False,
        elsewhere: Sequence[Inventory] = (),
    ) -> PlanningResult:
        """The plan for these scans.  `allowed`: nothing else may be changed, as by a saved or a confirmed plan.
        `deleting`: the plan was confirmed, so that each AMI's sharing is read right before it is deleted.  `elsewhere` are
        AMIs of other Regions that may be copies.

        Decides over and over: once it is known that something would be deleted, what refers to it and to the others of its
        group is read; what is known then may leave room for another.  Raises `AwsError` where something cannot be read.
        """
        config = self.config
        inventories = [scan.inventory for scan in scans if not scan.location.read_only]
        locations = {scan.target: scan.location for scan in scans}
        inside = frozenset(scan.target.account for scan in scans)
        references = References(scans, self.files, elsewhere)
        facts = Facts(usage=references.usage())
        required = config.require_recycle_bin is not None
        warnings: list[tuple[Target, str]] = []
        resolved: set[tuple[Target, str]] = set()
        own_only = False
        asked: set[tuple[Target, str]] = set()
        while True:
            plan = make_plan(inventories, facts, config, self.clock.now(), allowed)
            unresolved = {(target, id) for target, ids in to_resolve(plan, allowed).items() for id in ids} - resolved
            going = plan.candidates if required else () if deleting else plan.removals
            unread = {decision.target for decision in going} - facts.bins.keys()
            if unresolved or unread:
                # A limit chooses the oldest: it must not choose the same ones in each run, and each run find them in use.
                later = self.asks and not deleting and config.limit is None
                about, partly = _asked(scans, unresolved, later=later)
                own_only = own_only or partly
                going = tuple(decision for decision in plan.decisions if decision.key in unresolved)
                ids = sorted({(decision.target, snapshot.id) for decision in going for snapshot in decision.ami.snapshots})
                del plan, going  # of thousands of decisions, which are made anew
                reads: list[Callable[[], Any]] = [
                    partial(self.scanner.bin_rules, [locations[target] for target in sorted(unread)]),
                    partial(self.scanner.read_on_demand, scans, about, again=bool(resolved)),
                    partial(self.scanner.snapshots, [(locations[target], id) for target, id in ids]),
                ]
                with thread_pool(len(reads), "late") as pool:
                    (bins, denied), found, (snapshots, told) = run_concurrently(pool, reads)
                warnings += [*denied, *told]
                for scan, reading in found:
                    references.add(scan, reading)
                    warnings += [(scan.target, text) for text in reading.warnings]
                resolved |= unresolved
                known = {**facts.snapshots, **snapshots}
                facts = Facts(references.usage(), facts.shared, known, {**facts.bins, **bins})
                continue
            candidates = {decision.key for decision in plan.candidates}
            if config.include_shared or candidates <= asked:
                break
            if deleting or len(candidates) > ASK_SHARED_FIRST:
                plan = replace(plan, shared_unasked=True)
                break
            shared = self.scanner.shared_with(((locations[t], id) for t, id in sorted(candidates - asked)), inside)
            asked |= candidates
            if not any(shared.values()):
                break
            facts = replace(facts, shared={**facts.shared, **shared})
        plan = replace(plan, accounts_unasked=own_only and IMAGE_REFERENCES.check not in config.skip_check)
        return PlanningResult(plan, references, tuple(warnings), self.clock.monotonic(), frozenset(asked))

    def suggest(self, scans: Sequence[Scan]) -> str:
        """A configuration file for these accounts, made from the scans alone."""
        inventories = [scan.inventory for scan in scans if not scan.location.read_only]
        facts = Facts(usage=References(scans, self.files).usage())
        now = self.clock.now()
        return suggest_config(inventories, self.config, lambda config: make_plan(inventories, facts, config, now))

    def dangling(self, references: References) -> tuple[Reference, ...]:
        """References to AMIs that exist nowhere in the run and that no account of it can see."""
        known: dict[str, set[str]] = {}
        for scan in references.scans:
            known.setdefault(scan.target.region, set()).update(ami.id for ami in scan.inventory.amis)

        def dangling(region: str) -> tuple[Reference, ...]:
            return dangling_references(references.of(region), known[region])

        unknown = {scan.location: {found.ami for found in dangling(scan.target.region)} for scan in references.scans}
        for target, visible in self.scanner.visible({location: ids for location, ids in unknown.items() if ids}).items():
            known[target.region] |= visible
        return tuple(sorted(found for region in known for found in dangling(region)))


def find_all_orphans(scanner: Scanner, scans: Sequence[Scan], now: datetime) -> tuple[tuple[Orphan, ...], Warnings]:
    """The orphaned snapshots of all targets, and warnings.  Old versions of launch templates, one call per template, are
    read only if there would be orphaned snapshots.  Raises `AwsError`."""
    held = _held(scans)
    orphans = _orphans(scans, held, now)
    regions = {orphan.target.region for orphan in orphans}
    found = scanner.template_versions([scan for scan in scans if scan.target.region in regions])
    for scan, reading in found:
        held[scan.target.region] |= reading.snapshots.keys()
    return _orphans(scans, held, now), tuple((scan.target, text) for scan, reading in found for text in reading.warnings)


def _orphans(scans: Sequence[Scan], held: Mapping[str, Collection[str]], now: datetime) -> tuple[Orphan, ...]:
    # An AMI anywhere in the run exists, for a snapshot's copy in another Region keeps its description.
    existing = {ami.id for scan in scans for ami in scan.inventory.amis}.union(*(scan.recycle_bin for scan in scans))
    return tuple(
        Orphan(scan.target, snapshot, made_for(snapshot.description) or "")
        for scan in sorted(scans, key=lambda scan: scan.target)
        if not scan.location.read_only
        for snapshot in find_orphans(scan.snapshots, existing, held[scan.target.region], now)
    )


def _held(scans: Sequence[Scan]) -> dict[str, set[str]]:
    """By Region, the snapshots that AMIs, launch templates, launch configurations and fleets of any account name."""
    held: dict[str, set[str]] = {}
    for scan in scans:
        of_region = held.setdefault(scan.target.region, set())
        of_region |= set(scan.reading.snapshots)
        of_region.update(snapshot.id for ami in scan.inventory.amis for snapshot in ami.snapshots)
    return held


def _asked(
    scans: Sequence[Scan], keys: Iterable[tuple[Target, str]], *, later: bool
) -> tuple[dict[Target, list[str]], bool]:
    """The AMIs about which each location is asked: all of its Region, or, if the others may be asked about later and
    it takes too many calls, those of its own account; and whether it is the latter."""
    of_region: dict[str, list[str]] = {}
    own: dict[Target, list[str]] = {scan.target: [] for scan in scans}
    for target, id in sorted(keys):
        of_region.setdefault(target.region, []).append(id)
        own[target].append(id)
    own = {target: ids for target, ids in own.items() if target.region in of_region}
    others = sum(ceil((len(of_region[target.region]) - len(ids)) / AT_ONCE) for target, ids in own.items())
    if later and others > ASK_ACCOUNTS_FIRST:
        return own, True
    return {target: of_region[target.region] for target in own}, False
