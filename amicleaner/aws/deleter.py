"""Deletes, quarantines and releases AMIs, and deletes orphaned snapshots: one AMI, one straight line.

Each line runs in one of a few workers per target, all in one event loop: AWS's rate is the limit, not their number.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal

from ..actions import DELETE, DELETE_SNAPSHOT, DEREGISTER, DISABLE, ENABLE, QUARANTINE, QUARANTINE_TAG, RELEASE, TAG, UNTAG
from ..audit import return_codes
from ..errors import AmicleanerError, AwsError
from ..models import Ami, AmiResult, Failure, SnapshotResult, Target
from ..quarantine import DISABLED, format_time, quarantine_end
from .changes import IN_USE, WORKERS, Changed, Changer
from .fetcher import GONE, fetch_state
from .snapshots import MISSING_PERMISSIONS, SnapshotReferences, classify_snapshots, in_device_order
from .usage_monitor import Job, Recheck, Round, UsageMonitor, Verdict

_End = Literal["tried", "untouched", "again"]
"""How a job ended: tried, not started, or to be checked again because what is known of it became too old."""

Shared = Callable[[Target, str], Sequence[str]]
"""Whom outside the run an AMI is shared with.  Runs in a thread; raises AwsError."""


@dataclass(eq=False, repr=False)  # the end of `asyncio.run` takes the repr of what its coroutine returned
class Deleter:
    """Carries out jobs.  `results` and `snapshots` hold what was tried; what is in neither was not touched.

    `rounds` is where re-checks run.  `report` gets each result once it is true, `warn` each warning of a re-check; an
    error that either raises ends the run.  `shared` asks whom an AMI is shared with; None: that does not matter.
    """

    changer: Changer
    references: SnapshotReferences
    rounds: ThreadPoolExecutor
    report: Callable[[AmiResult | SnapshotResult], None]
    warn: Callable[[str], None]
    quarantine_days: int = 0
    shared: Shared | None = None
    results: dict[tuple[Target, str], AmiResult] = field(default_factory=dict)
    snapshots: dict[tuple[Target, str], SnapshotResult] = field(default_factory=dict)
    problems: list[AmicleanerError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._denied: set[Target] = set()
        self._left: list[tuple[Job, str]] = []
        self._unknown: set[tuple[Target, str]] = set()
        self._lines = {DELETE: self._delete, QUARANTINE: self._quarantine, RELEASE: self._release}

    async def run(self, jobs: Sequence[Job], recheck: Recheck, first: Mapping[str, Round]) -> None:
        """Carries out jobs of one action in all their targets.  `first` are the rounds that were read already."""
        jobs = [job for job in jobs if job.target not in self._denied]
        monitor = UsageMonitor(jobs, recheck, first, self.changer, self.rounds, self.warn)
        watches = [asyncio.create_task(monitor.watch(region)) for region in sorted({job.target.region for job in jobs})]
        await self.changer.carry_out((self._target(monitor, target) for target in monitor.targets), on_stop=monitor.wake)
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    def settle_left(self) -> None:
        """Names the snapshots that were left to an AMI which was then kept; after the last `run`."""
        known = {(result.target, snapshot.id) for result in self.results.values() for snapshot in result.snapshots}
        for job, id in self._left:
            if (job.target, id) not in known:
                known.add((job.target, id))
                users = self.references.users(job.target, id)
                settled = SnapshotResult(job.target, id, "kept", used_by=users)
                if unknown := [user for user in users if (job.target, user) in self._unknown]:
                    message = f"it may be deleted with {unknown[0]}, whose deletion got no response"
                    settled = SnapshotResult(job.target, id, "failed", Failure("NoResponse", message))
                result = self.results[job.key]
                self.results[job.key] = replace(result, snapshots=(*result.snapshots, settled))
                self.changer.tell(self.report, settled)

    async def _target(self, monitor: UsageMonitor, target: Target) -> None:
        """Runs the first job alone, so that a missing permission shows before more AMIs leave their snapshots behind."""
        while (taken := await monitor.take(target)) is not None:
            job = taken[0]
            if await self._carry_out(monitor, *taken) == "tried":
                if job.denied:
                    self._stop_target(job)
                    monitor.abandon(target)
                    return
                break
        await asyncio.gather(*(self.changer.halting(self._work(monitor, target)) for _ in range(WORKERS)))

    async def _work(self, monitor: UsageMonitor, target: Target) -> None:
        while (taken := await monitor.take(target)) is not None:
            await self._carry_out(monitor, *taken)

    async def _carry_out(self, monitor: UsageMonitor, job: Job, verdict: Verdict, expires: float) -> _End:
        """One job, from what is known of it to its result."""
        end: _End = "untouched"
        if verdict.gone and (not job.attempts.lost or job.action in (QUARANTINE, RELEASE)):
            self._gone(job)
        elif not verdict.go and not verdict.gone:
            self._keep(job, verdict)
        elif await self._is_unshared(job, verdict):
            if job.ami is None:
                end = await self._delete_orphan(job, expires)
            else:
                end = await self._lines[job.action](job, job.ami, expires)
        if end == "again":
            monitor.put_back(job)
        else:
            monitor.settle(job)
        return end

    async def _delete(self, job: Job, ami: Ami, expires: float) -> _End:
        """Deregisters one AMI, reads what became of its snapshots, deletes those that are left, and reports."""
        target = job.target
        changed = await self.changer.change(DEREGISTER, job.subject, attempts=job.attempts, expires=expires)
        if not_made := self._not_made(changed):
            return not_made
        exists = not changed.succeeded
        if (changed.lost and exists) or changed.code == "InvalidAMIID.Unavailable":
            # No response, or a code that EC2 also has for AMIs which exist: a look at the AMI decides.
            exists = await self._state(job) != GONE
        if exists:
            return self._failed(job, changed)
        if changed.end == "already" and not changed.lost:
            return self._gone(job)
        self.references.deregistered(target, ami)
        self.changer.tell(self.report, AmiResult(target, ami.id, "removed"))
        plan = classify_snapshots(target, ami, return_codes(changed.answer), self.references)
        found: dict[str, SnapshotResult] = {}
        for result in plan.settled:
            self._snapshot_done(found, result)
        for id in plan.singly:
            changed = await self.changer.change(DELETE_SNAPSHOT, job.subject.snapshot(id), finishing=True)
            job.denied = job.denied or changed.denied
            self._snapshot_done(found, self._snapshot_result(job, id, changed))
        self._left += [(job, id) for id in plan.left]
        self.results[job.key] = AmiResult(target, ami.id, "removed", snapshots=in_device_order(ami, found))
        job.denied = job.denied or any(r.error and r.error.code == MISSING_PERMISSIONS for r in found.values())
        return "tried"

    async def _quarantine(self, job: Job, ami: Ami, expires: float) -> _End:
        """Tags one AMI with the time, then disables it; refused, the tag is removed again."""
        now = self.changer.clock.now()
        tags = [{"Key": QUARANTINE_TAG, "Value": format_time(now)}]
        restarts = ami.state == DISABLED
        changed = await self.changer.change(TAG, job.subject, attempts=job.attempts, expires=expires, Tags=tags)
        tagged = changed.succeeded or changed.lost
        if changed.succeeded and not restarts:
            changed = await self.changer.change(DISABLE, job.subject, attempts=job.attempts, expires=expires, finishing=True)
            if changed.lost and not changed.succeeded:
                state = await self._state(job)
                if state is None:
                    return self._failed(job, changed)
                changed = Changed("done") if state == DISABLED else changed
        if tagged and not restarts and not changed.succeeded:
            untagged = await self.changer.change(UNTAG, job.subject, finishing=True)
            if not untagged.succeeded:
                return self._failed(job, changed if changed.end == "refused" else untagged)
        if not_made := self._not_made(changed):
            return not_made
        if not changed.succeeded:
            return self._failed(job, changed)
        until = quarantine_end(now, self.quarantine_days)
        return self._done(job, AmiResult(job.target, ami.id, "quarantined", until=until))

    async def _release(self, job: Job, ami: Ami, expires: float) -> _End:
        """Enables one AMI, then removes the tag."""
        changed = await self.changer.change(ENABLE, job.subject, attempts=job.attempts, expires=expires)
        if changed.lost and not changed.succeeded and await self._state(job) == "available":
            changed = Changed("done")
        if not_made := self._not_made(changed):
            return not_made
        if changed.succeeded:
            changed = await self.changer.change(UNTAG, job.subject, finishing=True)
        if not changed.succeeded:
            return self._failed(job, changed)
        return self._done(job, AmiResult(job.target, ami.id, "released"))

    async def _delete_orphan(self, job: Job, expires: float) -> _End:
        """Deletes one orphaned snapshot."""
        changed = await self.changer.change(DELETE_SNAPSHOT, job.subject, attempts=job.attempts, expires=expires)
        if not_made := self._not_made(changed):
            return not_made
        job.denied = changed.denied
        return self._done(job, self._snapshot_result(job, job.subject.id, changed))

    def _not_made(self, changed: Changed) -> _End | None:
        """What follows a call that was not made: another check, or nothing if the run is ending."""
        if changed.end == "expired" and not self.changer.stopping.is_set():
            return "again"
        return "untouched" if changed.end in ("expired", "stopped") and not changed.lost else None

    def _snapshot_result(self, job: Job, id: str, changed: Changed) -> SnapshotResult:
        if changed.succeeded:
            return SnapshotResult(job.target, id, "removed")
        if changed.code == IN_USE:
            return SnapshotResult(job.target, id, "kept", used_by=self.references.users(job.target, id))
        return SnapshotResult(job.target, id, "failed", changed.failure)

    def _snapshot_done(self, found: dict[str, SnapshotResult], result: SnapshotResult) -> None:
        found[result.id] = result
        if result.outcome == "removed":
            self.references.deleted(result.target, result.id)
        self.changer.tell(self.report, result)

    async def _is_unshared(self, job: Job, verdict: Verdict) -> bool:
        """Whether the AMI is shared with nobody outside the run, where that matters and is not known yet."""
        if self.shared is None or verdict.shared_known or job.ami is None or job.action is RELEASE:
            return True
        try:
            with_whom = await self.changer.in_thread(self.shared, job.target, job.subject.id)
        except AwsError as error:
            self.changer.halt(error)
            return False
        except asyncio.CancelledError:
            return False
        if with_whom:
            self._keep(job, Verdict(False, "shared", f"Shared with {', '.join(with_whom)}."))
        return not with_whom

    async def _state(self, job: Job) -> str | None:
        """The AMI's state now, `GONE` where there is none; None where that cannot be read."""
        return await self.changer.look(fetch_state, self.changer.apis[job.target], job.subject.id)

    def _gone(self, job: Job) -> _End:
        """Somebody else was faster: an AMI's snapshots are then theirs."""
        if job.ami is None:
            return self._done(job, SnapshotResult(job.target, job.subject.id, "removed"))
        why = f"{job.subject.id} was deregistered by somebody else"
        self.references.deregistered(job.target, job.ami)
        # A snapshot that another AMI of this run uses is deleted with that AMI.
        own = [id for id in job.subject.snapshots if not self.references.is_deleted(job.target, id)]
        left = [id for id in own if self.references.left_to_another(job.target, id)]
        self._left += [(job, id) for id in left]
        kept = tuple(SnapshotResult(job.target, id, "kept", explanation=why) for id in own if id not in left)
        self._done(job, AmiResult(job.target, job.subject.id, "removed", snapshots=kept, explanation=f"{why}."))
        for result in kept:
            self.changer.tell(self.report, result)
        return "tried"

    def _keep(self, job: Job, verdict: Verdict) -> None:
        """Today's account no longer allows the change."""
        if job.ami is None:
            self._done(job, SnapshotResult(job.target, job.subject.id, "kept", explanation=verdict.explanation))
            return
        failure = job.attempts.ended("refused").failure if job.attempts.lost else None
        result = AmiResult(
            job.target,
            job.subject.id,
            "failed" if failure else "kept",
            failure,
            reason=verdict.reason,
            explanation=verdict.explanation,
            used_by=verdict.used_by,
        )
        self._done(job, result)

    def _failed(self, job: Job, changed: Changed) -> _End:
        job.denied = changed.denied
        if changed.lost and job.action is DELETE:
            self._unknown.add(job.key)
        return self._done(job, AmiResult(job.target, job.subject.id, "failed", changed.failure))

    def _done(self, job: Job, result: AmiResult | SnapshotResult) -> _End:
        if isinstance(result, AmiResult):
            self.results[job.key] = result
        else:
            self.snapshots[job.key] = result
        self.changer.tell(self.report, result)
        return "tried"

    def _stop_target(self, job: Job) -> None:
        """The first job of a target was refused for lack of permission; later refusals are failures like others."""
        self._denied.add(job.target)
        result = self.results.get(job.key)
        left = result is not None and result.outcome != "failed"  # the AMI was deleted, its snapshots were not
        what = f"the snapshots of {job.subject.id}" if left else job.subject.id
        self.problems.append(
            AmicleanerError(
                f"AWS refused to {job.action.verb} {what} for lack of permission. Nothing more is changed in {job.target}.",
                hint=f"Grant the IAM actions {', '.join(job.action.permissions)}.",
            )
        )
