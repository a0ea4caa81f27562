"""One removal of AMIs from beginning to end: whose turn it is, what came back, what it means."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from ...models import Ami, AmiResult, Failure, SnapshotResult, Target
from .changes import Call, Ended, Lane, failure, perhaps_gone, return_codes
from .control import Control, delete_snapshot, snapshot_result
from .snapshots import Holders, in_plan_order, kept_with_ami, sort_out
from .watch import Verdict, Watch

AHEAD = 20.0
"""Seconds: AMIs whose turn comes within this time are asked about in advance."""

GRACE = 5.0
"""Seconds after a stop in which a token may still come for the first try at a snapshot whose AMI is gone already."""

HELD = 2.0
"""Seconds that news wait, at most, for those of an AMI that stands earlier in the plan."""

SOON = 0.1
"""Seconds until it is looked again where nothing could be started."""

FOREVER = float("inf")


@dataclass(slots=True, eq=False)
class _Job:
    """An AMI on its way out.  `fates` of its snapshots; `open` are those with a call of their own; `later` are left to an
    AMI that goes after this one."""

    order: int
    target: Target
    ami: Ami
    fates: dict[str, SnapshotResult] = field(default_factory=dict)
    kept_by: dict[str, tuple[str, ...]] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    later: list[str] = field(default_factory=list)
    result: AmiResult | None = None
    ended_at: float | None = None

    @property
    def snapshots(self) -> set[str]:
        return {snapshot.id for snapshot in self.ami.snapshots}


class Removal:
    """Made for one call of `Deleter.remove`; `run` once."""

    def __init__(
        self,
        control: Control,
        watch: Watch | None,
        removals: Sequence[tuple[Target, Ami]],
        holders: Holders,
        pool: Executor,
    ) -> None:
        self._control = control
        self._watch = watch
        self._holders = holders
        once = {(target, ami.id): ami for target, ami in removals}
        self._jobs = [_Job(order, target, ami) for order, ((target, _), ami) in enumerate(once.items())]
        self._amis: dict[Target, Lane] = {}
        self._snapshots: dict[Target, Lane] = {}
        self._turn = 0
        self._untold: list[_Job] = []
        for job in self._jobs:
            if job.target not in self._amis:
                self._amis[job.target] = control.lane("DeregisterImage", job.target, pool)
                self._snapshots[job.target] = control.lane("DeleteSnapshot", job.target, pool)
            parameters = {"ImageId": job.ami.id, "DeleteAssociatedSnapshots": True}
            self._amis[job.target].add(Call(job.ami.id, job.order, parameters))
            holders.will_go(job.target, job.ami.id)

    def run(self) -> list[AmiResult]:
        """Until every AMI has its result, or nothing more may be done."""
        while True:
            self._collect()
            self._tell()
            if not any(lane.waiting or lane.running for lane in self._lanes()):
                break
            try:
                started, pause = self._start()
            except RuntimeError as error:
                # The system has no thread left: what is under way comes to its end, and is told.
                self._control.halt(error)
                started, pause = False, SOON
            if not started:
                in_flight = any(lane.running for lane in self._lanes()) or bool(self._watch and self._watch.in_flight)
                self._control.bell.wait(pause, in_flight=in_flight)
        self._settle_what_was_left_to_others()
        return [job.result for job in self._jobs if job.result]

    def _lanes(self) -> list[Lane]:
        return [*self._amis.values(), *self._snapshots.values()]

    # What came back

    def _collect(self) -> None:
        control = self._control
        if self._watch:
            self._watch.collect()
            if self._watch.failure and control.going_on:  # a stop breaks off readings too
                control.halt(self._watch.failure)
        for lane in self._amis.values():
            for end in control.collect(lane):
                self._deregistration_ended(end)
        for lane in self._snapshots.values():
            for end in control.collect(lane):
                self._deletion_ended(end)
        if control.going_on:
            return
        late = control.stopped_for() > GRACE or not control.may_finish
        for lane in self._amis.values():
            for end in lane.give_up(lambda call: True):
                self._deregistration_ended(end)
        for lane in self._snapshots.values():
            for end in lane.give_up(lambda call: late or call.tries > 0):
                self._deletion_ended(end)

    def _deregistration_ended(self, end: Ended) -> None:
        job = self._jobs[end.call.order]
        if end.how in ("done", "gone"):
            self._deregistered(job, return_codes(end.answer))
        elif end.how != "undone":
            self._failed(job, end.call, failure(end.error or end.stop or Exception("no answer")))

    def _deregistered(self, job: _Job, codes: dict[str, str]) -> None:
        target = job.target
        self._holders.went(target, job.ami.id)
        sorting = sort_out(target, job.ami, codes, self._holders)
        for result in sorting.settled:
            self._note(job, result)
        job.fates.update((id, SnapshotResult(target, id, "kept")) for id in sorting.kept)
        job.kept_by = sorting.kept
        job.later = sorting.later
        job.open = set(sorting.singly)
        for id in sorting.singly:
            self._snapshots[target].add(delete_snapshot(id, job.order))
        self._finish_if_closed(job)

    def _deletion_ended(self, end: Ended) -> None:
        job = self._jobs[end.call.order]
        job.open.discard(end.call.id)
        self._note(job, snapshot_result(job.target, end))
        job.kept_by[end.call.id] = self._holders.of(job.target, end.call.id)
        self._finish_if_closed(job)

    def _note(self, job: _Job, result: SnapshotResult) -> None:
        job.fates[result.id] = result
        if result.outcome == "removed":
            self._holders.deleted(job.target, result.id)

    def _finish_if_closed(self, job: _Job) -> None:
        if not job.open:
            self._end(job, AmiResult(job.target, job.ami.id, "removed", snapshots=in_plan_order(job.ami, job.fates)))

    def _failed(self, job: _Job, call: Call, error: Failure, verdict: Verdict | None = None) -> None:
        snapshots = kept_with_ami(job.target, job.ami)
        if call.lost:
            error = perhaps_gone(error, "AMI")
            snapshots = tuple(replace(snapshot, outcome="failed", error=error) for snapshot in snapshots)
        used_by = verdict.used_by if verdict else ()
        self._end(job, AmiResult(job.target, job.ami.id, "failed", error, snapshots, used_by))

    def _kept(self, job: _Job, verdict: Verdict) -> None:
        snapshots = kept_with_ami(job.target, job.ami)
        self._end(
            job,
            AmiResult(
                job.target,
                job.ami.id,
                "kept",
                snapshots=snapshots,
                used_by=verdict.used_by,
                shared_with=verdict.shared_with,
            ),
        )

    def _end(self, job: _Job, result: AmiResult) -> None:
        job.result = result
        job.ended_at = self._control.clock.monotonic()
        self._untold.append(job)

    # What may start

    def _start(self) -> tuple[bool, float]:
        """Whether anything was started or settled, and seconds until something may be."""
        if not self._control.going_on and any(lane.waiting for lane in self._amis.values()):
            return True, 0.0  # stopped since the last collection: the next one gives them up
        started, pause = False, FOREVER
        for target, lane in self._amis.items():
            if lane.waiting:
                did, wait = self._start_deregistrations(target, lane)
                started, pause = started or did, min(pause, wait)
        for lane in self._snapshots.values():
            if lane.waiting and self._control.may_finish:
                started = lane.start_all(self._control.room(self._lanes())) or started
                pause = min(pause, lane.next_start())
        return started, pause

    def _start_deregistrations(self, target: Target, lane: Lane) -> tuple[bool, float]:
        busy = self._busy(lane)
        ready = self._ready(lane, busy)
        if self._watch:
            self._watch.prepare(
                target,
                [call.id for call in ready],
                last=len(ready) == len(lane.waiting),
                lasts=lane.bucket.lasts(len(lane.waiting)),
            )
        progress = False
        for call in ready:
            if min(lane.room, self._control.room(self._lanes())) <= 0:
                return progress, FOREVER
            if wait := lane.bucket.wait():
                return progress, wait
            job = self._jobs[call.order]
            if not busy.isdisjoint(job.snapshots):
                continue
            verdict = self._watch.verdict(target, call.id) if self._watch else Verdict()
            if verdict is None:
                return progress, FOREVER
            progress = True
            if not (verdict.used_by or verdict.shared_with):
                busy |= job.snapshots
                call.until = verdict.until
                lane.start(call)
                continue
            lane.waiting.remove(call)
            if call.lost and call.error:
                self._failed(job, call, failure(call.error), verdict)
            else:
                self._kept(job, verdict)
        paused = min((call.not_before for call in lane.waiting), default=FOREVER)
        now = self._control.clock.monotonic()
        return progress, paused - now if paused > now else FOREVER

    def _busy(self, lane: Lane) -> set[str]:
        """The snapshots of the AMIs that are being deregistered: AWS would skip one that two of them share for both."""
        return set().union(*(self._jobs[call.order].snapshots for call in lane.under_way))

    def _ready(self, lane: Lane, busy: set[str]) -> list[Call]:
        """The calls whose turn comes soon, in order, but those that pause between two tries, or whose snapshots are busy."""
        now = self._control.clock.monotonic()
        soon = max(1, lane.bucket.within(AHEAD))
        ready: list[Call] = []
        for call in lane.waiting:
            if len(ready) == soon:
                break
            if call.not_before <= now and busy.isdisjoint(self._jobs[call.order].snapshots):
                ready.append(call)
        return ready

    # What is told

    def _tell(self, *, all: bool = False) -> None:
        """In the order of the plan, unless an earlier AMI takes its time."""
        while self._turn < len(self._jobs) and self._jobs[self._turn].ended_at is not None:
            self._tell_of(self._jobs[self._turn])
            self._turn += 1
        now = self._control.clock.monotonic()
        for job in sorted(self._untold, key=lambda job: job.order) if all else list(self._untold):
            if all or (job.ended_at is not None and now - job.ended_at > HELD):
                self._tell_of(job)

    def _tell_of(self, job: _Job) -> None:
        listener, result = self._control.listener, job.result
        if result is None or job not in self._untold:
            return
        self._untold.remove(job)
        if result.outcome == "kept":
            self._control.tell(lambda: listener.ami_kept(result))
            return
        if result.outcome == "failed":
            self._control.tell(lambda: listener.ami_failed(result))
        else:
            self._control.tell(lambda: listener.deregistered(job.target, job.ami))
        for snapshot in result.snapshots:
            if result.outcome == "removed" or snapshot.outcome == "failed":
                self._control.tell_snapshot(snapshot, job.kept_by.get(snapshot.id, ()))

    def _settle_what_was_left_to_others(self) -> None:
        """A snapshot left to an AMI that then stayed: kept, and said with the last AMI of it that went."""
        self._tell(all=True)
        named = {(job.target, id) for job in self._jobs for id in job.fates}
        for job in reversed(self._jobs):
            for id in job.later:
                if job.result and (job.target, id) not in named:
                    named.add((job.target, id))
                    job.fates[id] = kept = SnapshotResult(job.target, id, "kept")
                    job.result = replace(job.result, snapshots=in_plan_order(job.ami, job.fates))
                    self._control.tell_snapshot(kept, self._holders.of(job.target, id))
