"""Carries out what was confirmed: makes jobs of a plan, and reads the account again while it deletes."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeVar

from .actions import DELETE_ORPHAN, ORDER, RELEASE
from .audit import AuditLog, Subject
from .aws.api import Api
from .aws.changes import CALLS_AT_ONCE, WORKERS, Changer
from .aws.concurrency import thread_pool
from .aws.deleter import Deleter
from .aws.fetcher import fetch_bin, fetch_shared_with
from .aws.scan import CLIENTS_KEPT, Scan
from .aws.snapshots import SnapshotReferences
from .aws.usage_monitor import Job, Round, Verdict
from .decisions import Decision
from .errors import AmicleanerError, AwsError
from .models import AmiResult, Inventory, SnapshotResult, Target
from .plan import Plan, oldest_first
from .planning import Planner, PlanningResult, find_all_orphans
from .result import InBin, Orphan
from .run_state import Run

T = TypeVar("T")

REGIONS_AT_ONCE = 16
"""Regions that are read again together, at most."""


@dataclass(eq=False)
class Execution:
    """The changing half of a run.  `problems` are what ended the last step early in a target; `stopped_by` is what ended it
    early altogether, besides an interruption."""

    run: Run
    planner: Planner
    scans: Sequence[Scan]
    audit: AuditLog
    problems: list[AmicleanerError] = field(default_factory=list)
    stopped_by: Exception | None = None

    def __post_init__(self) -> None:
        self._apis = {scan.target: scan.location.api for scan in self.scans if not scan.location.read_only}

    def amis(self, plan: Plan, known: PlanningResult | None) -> dict[tuple[Target, str], AmiResult]:
        """Carries out a plan; the results of what was tried, in the plan's order.

        `known`: the planning on which it rests, where nobody was asked since; None: everything is read again first.
        """

        async def work(deleter: Deleter, changer: Changer) -> None:
            for action in ORDER:
                jobs = [self._job(decision, changer) for decision in oldest_first(plan.of(action))]
                await deleter.run(jobs, self._recheck, self._first_rounds(jobs, known) if known else {})
            deleter.settle_left()

        inventories = [(scan.target, scan.inventory.amis) for scan in self.scans]
        references = SnapshotReferences(inventories, [decision.key for decision in plan.removals])
        deleter = self._run(work, references)
        order = [decision.key for decision in plan.changes]
        return {key: deleter.results[key] for key in order if key in deleter.results}

    def orphans(self, orphans: Sequence[Orphan], finished: float | None) -> dict[tuple[Target, str], SnapshotResult]:
        """Deletes orphaned snapshots; the results of what was tried.

        `finished`: when the reading that found them ended (monotonic clock), where nobody was asked since; None: everything
        is read again first.
        """

        async def work(deleter: Deleter, changer: Changer) -> None:
            subjects = [Subject(orphan.target, orphan.snapshot.id, ami=orphan.ami) for orphan in orphans]
            jobs = [Job(subject, DELETE_ORPHAN, changer.attempts()) for subject in subjects]
            first = {}
            if finished is not None:
                # An AMI of any Region may need one, so a round is as old as the oldest reading.
                began = min(scan.started for scan in self.scans)
                found = Round(began, finished, {job.key: Verdict(True) for job in jobs})
                first = {orphan.target.region: found for orphan in orphans}
            await deleter.run(jobs, self._recheck_orphans, first)

        deleter = self._run(work, SnapshotReferences((), ()))
        return deleter.snapshots

    def in_bin(self, targets: Sequence[Target]) -> InBin | None:
        """What the Recycle Bin of these targets holds now: (target, AMI id) to the time when it leaves it.  None, and a
        warning, where one of them cannot be read."""
        found: InBin = {}
        for target in targets:
            try:
                images, warnings = fetch_bin(self._apis[target])
            except AwsError as error:
                warnings = (f"The Recycle Bin could not be read: {error}",)
            if warnings:
                self.run.warn((target, warning) for warning in warnings)
                return None
            found |= {(target, id): until for id, until in images.items() if until is not None}
        return found

    def _run(self, work: Callable[[Deleter, Changer], Coroutine[Any, Any, None]], references: SnapshotReferences) -> Deleter:
        async def main(changer: Changer) -> Deleter:
            with thread_pool(REGIONS_AT_ONCE, "recheck") as rounds:
                deleter = Deleter(
                    changer,
                    references,
                    rounds,
                    self._report,
                    warn=self.run.warning,
                    quarantine_days=self.run.config.quarantine or 0,
                    shared=None if self.run.config.include_shared else self._shared_with,
                )
                await work(deleter, changer)
                return deleter

        deleter, self.stopped_by = run_changes(main, self._apis, self.run, self.audit)
        self.problems = deleter.problems
        return deleter

    def _job(self, decision: Decision, changer: Changer) -> Job:
        ami = decision.ami
        subject = Subject(
            decision.target,
            ami.id,
            name=ami.name,
            tags=ami.tags,
            groups=decision.groups,
            reason=decision.reason,
            snapshots=tuple(snapshot.id for snapshot in ami.snapshots),
        )
        return Job(subject, decision.action, changer.attempts(), ami)

    def _first_rounds(self, jobs: Sequence[Job], known: PlanningResult) -> dict[str, Round]:
        """The planning's own reading, as the first round of each Region."""
        started: dict[str, float] = {}
        for scan in self.scans:
            started[scan.target.region] = min(scan.started, started.get(scan.target.region, scan.started))
        verdicts = {job.key: Verdict(True, shared_known=job.key in known.shared_known) for job in jobs}
        return {region: Round(began, known.finished, verdicts) for region, began in started.items()}

    def _recheck(self, region: str, jobs: Sequence[Job]) -> Round:
        """Reads a Region again in every account, and decides again about these AMIs as if for the first time."""
        scans = self.planner.scanner.scan([scan.location for scan in self.scans if scan.target.region == region])
        allowed = {job.key: job.action.name for job in jobs}
        known = self.planner.decide(scans, allowed, deleting=True, elsewhere=self._pending_elsewhere(region, jobs))
        decisions = {decision.key: decision for decision in known.plan.decisions}
        verdicts = {job.key: _verdict(decisions.get(job.key), job) for job in jobs}
        return self._round(scans, verdicts, [text for _, text in known.warnings])

    def _recheck_orphans(self, region: str, jobs: Sequence[Job]) -> Round:
        """The same for orphaned snapshots.  An AMI of any Region may still need one, so all Regions are read."""
        scans = self.planner.scanner.scan([scan.location for scan in self.scans])
        orphans, warnings = find_all_orphans(self.planner.scanner, scans, self.run.clock.now())
        today = {(orphan.target, orphan.snapshot.id) for orphan in orphans}
        exist = {(scan.target, snapshot.id) for scan in scans for snapshot in scan.snapshots}
        kept = Verdict(False, explanation="no longer orphaned")
        verdicts = {job.key: Verdict(True) if job.key in today else kept for job in jobs}
        verdicts |= {job.key: Verdict(False, gone=True) for job in jobs if job.key not in exist}
        return self._round(scans, verdicts, [text for _, text in warnings])

    def _pending_elsewhere(self, region: str, jobs: Sequence[Job]) -> list[Inventory]:
        """What is being copied into other Regions of the run: by any of its accounts, or, where these are too many to be
        asked again and again, by those of these AMIs."""
        others = [scan for scan in self.scans if scan.target.region != region]
        if len(others) > CLIENTS_KEPT:
            accounts = {"", *(job.target.account for job in jobs)}
            others = [scan for scan in others if scan.target.account in accounts]
        return self.planner.scanner.pending([scan.location for scan in others])

    def _round(self, scans: Sequence[Scan], verdicts: Mapping[tuple[Target, str], Verdict], warnings: list[str]) -> Round:
        started = min(scan.started for scan in scans)
        told = [text for scan in scans for text in scan.warnings]
        return Round(started, self.run.clock.monotonic(), verdicts, tuple(dict.fromkeys([*told, *warnings])))

    def _shared_with(self, target: Target, id: str) -> Sequence[str]:
        inside = frozenset(scan.target.account for scan in self.scans)
        return fetch_shared_with(self._apis[target], id, inside)

    def _report(self, result: AmiResult | SnapshotResult) -> None:
        if isinstance(result, AmiResult):
            self.run.view.ami_done(result)
        else:
            self.run.view.snapshot_done(result)


def _verdict(decision: Decision | None, job: Job) -> Verdict:
    if decision is None:
        return Verdict(False, gone=True)
    if decision.action is job.action is not RELEASE and decision.groups != job.subject.groups:
        # It would be deleted out of this group too, but nobody was shown that.
        before, now = (" and ".join(groups) or "no group" for groups in (job.subject.groups, decision.groups))
        return Verdict(False, "not-selected", f"Its group changed from {before} to {now}.")
    if decision.action is job.action:
        return Verdict(True)
    return Verdict(False, decision.reason, decision.explanation, decision.used_by)


def run_changes(
    main: Callable[[Changer], Coroutine[Any, Any, T]], apis: Mapping[Target, Api], run: Run, audit: AuditLog
) -> tuple[T, Exception | None]:
    """Runs `main`, which changes something, to its end; an interruption only stops its changer.  Returns its result, and
    what ended it early, besides an interruption."""
    threads = min(CALLS_AT_ONCE, WORKERS * max(1, len(apis)))

    async def change(calls: ThreadPoolExecutor) -> tuple[T, Exception | None]:
        loop = asyncio.get_running_loop()
        changer = Changer(apis, run.clock, audit, run.config.max_attempts, calls)
        with run.interrupts.finishing(on_stop=lambda: loop.call_soon_threadsafe(changer.halt)):
            if run.interrupts.stop.is_set():
                changer.halt()
            return await main(changer), changer.stopped_by

    with thread_pool(threads, "change") as calls:
        start_threads(calls, threads)
        ended: tuple[T, Exception | None] = run.clock.run(change(calls))
    return ended


def start_threads(pool: ThreadPoolExecutor, threads: int) -> None:
    """Starts all threads of a pool: a system without threads left says so (RuntimeError) before anything is changed."""
    begin = Event()
    try:
        for _ in range(threads):
            pool.submit(begin.wait)
    finally:
        begin.set()
