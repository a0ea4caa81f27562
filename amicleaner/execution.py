"""Carries a plan out: joins the scans that it rests on, the watch that asks again, the deleter, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from .audit import Audit
from .aws.deletion.deleter import Deleter
from .aws.deletion.listener import NullListener
from .aws.deletion.watch import Watch
from .aws.fetcher import fetch_shared_with
from .aws.rate_limits import RateLimits
from .aws.scan import Scan, Scanner
from .aws.usage import UsageReading, merge_uses
from .clock import Clock
from .config import Config
from .interrupts import Interrupts
from .models import Ami, AmiResult, SnapshotResult, Target, Use
from .plan import Plan
from .result import Orphan
from .view import View

READINGS_AT_ONCE = 24
"""Readings of one Region of one account each that go on beside the deletion, at most."""


class Execution:
    """The deleting half of a run."""

    def __init__(
        self,
        config: Config,
        scanner: Scanner,
        scans: Sequence[Scan],
        audit: Audit,
        clock: Clock,
        interrupts: Interrupts,
        view: View,
    ) -> None:
        self._config = config
        self._scanner = scanner
        self._scans = scans
        self._audit = audit
        self._clock = clock
        self._interrupts = interrupts
        self._view = view
        # AWS's buckets don't know about our steps: orphan snapshots and AMIs share what a run may ask for.
        self._pace = RateLimits(clock)
        self.stopped_by: Exception | None = None
        """What ended the deletion early, besides an interruption."""

    def orphans(self, orphans: Sequence[Orphan]) -> dict[tuple[Target, str], SnapshotResult]:
        """Deletes orphan snapshots; results of what was tried."""
        deleter = self._deleter(None)
        results = deleter.remove_snapshots([(orphan.target, orphan.snapshot.id) for orphan in orphans])
        self.stopped_by = deleter.stopped_by
        return {(result.target, result.id): result for result in results}

    def amis(self, plan: Plan, *, since: float | None) -> dict[tuple[Target, str], AmiResult]:
        """Removes what the plan removes; results of what was tried.

        `since` is when AWS was last asked who references these AMIs (`clock.monotonic()`); None: what was read before now
        counts for nothing (a person may have thought for long), and is read anew first.
        """
        pool = ThreadPoolExecutor(READINGS_AT_ONCE, thread_name_prefix="again")
        try:
            watch = self._watch(plan, pool, since)
            if since is None:
                watch.invalidate()
            deleter = self._deleter(watch)
            removals = [(decision.target, decision.ami) for decision in plan.removals]
            results = deleter.remove(removals, self._holders())
        finally:
            # Nobody needs the answers that are still on their way.
            self._scanner.close()
            pool.shutdown(wait=False, cancel_futures=True)
        self.stopped_by = deleter.stopped_by
        return {(result.target, result.id): result for result in results}

    def _deleter(self, watch: Watch | None) -> Deleter:
        return Deleter(
            {scan.inventory.target: scan.location.api for scan in self._scans if not scan.location.read_only},
            clock=self._clock,
            stop=self._interrupts.stop,
            watch=watch,
            audit=self._audit,
            listener=_Listener(self._view),
            pace=self._pace,
            attempts=self._config.max_attempts,
        )

    def _holders(self) -> dict[Target, dict[str, frozenset[str]]]:
        """Snapshot id to the own AMIs that use it, in each target."""
        holders: dict[Target, dict[str, frozenset[str]]] = {}
        for scan in self._scans:
            of_target = holders.setdefault(scan.inventory.target, {})
            for ami in scan.inventory.amis:
                for snapshot in ami.snapshots:
                    of_target[snapshot.id] = of_target.get(snapshot.id, frozenset()) | {ami.id}
        return holders

    def _watch(self, plan: Plan, pool: ThreadPoolExecutor, since: float | None) -> Watch:
        regions = {decision.target.region for decision in plan.removals}
        scans = {scan.inventory.target: scan for scan in self._scans if scan.inventory.target.region in regions}
        inside = frozenset(scan.inventory.target.account for scan in self._scans)
        asks = not self._config.ignore_in_use
        return Watch(
            self._clock,
            pool,
            readers={target: self._reader(scan) for target, scan in scans.items()} if asks else {},
            readings={target: scan.reading for target, scan in scans.items()} if asks else {},
            refreshes=lambda target, reading, groups: self._scanner.refreshes(scans[target].location, reading, groups)[0],
            references=self._references(list(scans.values())) if asks else None,
            references_since=since,
            permissions=(lambda target, id: fetch_shared_with(scans[target].location.api, id, inside))
            if plan.shared_unasked
            else None,
        )

    def _reader(self, scan: Scan) -> Callable[[], UsageReading]:
        return partial(self._scanner.read, scan.location)

    def _references(self, scans: Sequence[Scan]) -> Callable[[Target, Sequence[str]], Mapping[str, Sequence[Use]]]:
        """Asked in every account of the run that has this Region."""

        def references(target: Target, ids: Sequence[str]) -> Mapping[str, Sequence[Use]]:
            return merge_uses(
                self._scanner.references(scan.location, ids)[0]
                for scan in scans
                if scan.inventory.target.region == target.region
            )

        return references


class _Listener(NullListener):
    """Passes the deleter's news on to the view."""

    def __init__(self, view: View) -> None:
        self._view = view

    def deregistered(self, target: Target, ami: Ami) -> None:
        self._view.deregistered(target, ami.id)

    def ami_kept(self, result: AmiResult) -> None:
        self._view.ami_kept(result)

    def ami_failed(self, result: AmiResult) -> None:
        if result.error:
            self._view.ami_failed(result.target, result.id, result.error)

    def snapshot_deleted(self, target: Target, snapshot_id: str) -> None:
        self._view.snapshot_deleted(target, snapshot_id)

    def snapshot_kept(self, target: Target, snapshot_id: str, by: tuple[str, ...]) -> None:
        self._view.snapshot_kept(target, snapshot_id, by)

    def snapshot_failed(self, result: SnapshotResult) -> None:
        if result.error:
            self._view.snapshot_failed(result.target, result.id, result.error)
