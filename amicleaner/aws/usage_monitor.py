"""No change rests on old knowledge: each Region is read again while its AMIs are deleted.

A *round* reads one Region in every account of the run, and decides anew about the AMIs whose turn comes next.  No change is
made on a round that was begun more than 60 seconds ago.  Where one reading of the Region takes longer than that, its answers
may be used for ten seconds after it has ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from ..actions import Action, Change
from ..audit import Subject
from ..clock import Clock
from ..errors import AmicleanerError
from ..models import Ami, Reason, Target, Use
from .changes import Attempts, Changer

MAX_AGE = 60.0
"""Seconds from the begin of a reading, after which nothing may rest on it."""

LATE_WINDOW = 10.0
"""Seconds for which a reading that took longer than `MAX_AGE` may be used after its end."""

LOOKAHEAD = 1.0
"""Seconds of work that are still confirmed when the next round is done."""

STALLED = 300.0
"""Seconds without a confirmed AMI, after which the run ends."""

POLL = 1.0
"""Seconds between two looks whether the next round is due."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a round says of one job: it may `go`, it is to be kept for a reason, or it does not exist any more (`gone`).
    `shared_known`: whom it is shared with was read too."""

    go: bool
    reason: Reason | None = None
    explanation: str = ""
    used_by: tuple[Use, ...] = ()
    gone: bool = False
    shared_known: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """One reading of a Region: verdicts by target and id, and its begin and end by the monotonic clock."""

    started: float
    finished: float
    verdicts: Mapping[tuple[Target, str], Verdict]
    warnings: tuple[str, ...] = ()

    @property
    def expires(self) -> float:
        """The last moment at which a change may rest on it."""
        late = self.finished - self.started >= MAX_AGE
        return self.finished + LATE_WINDOW if late else self.started + MAX_AGE


@dataclass(slots=True, eq=False)
class Job:
    """One AMI, or one orphaned snapshot (no `ami`), on its way."""

    subject: Subject
    action: Action
    change: Change
    attempts: Attempts
    ami: Ami | None = None
    denied: bool = False
    """AWS refused it for lack of permission."""
    snapshots: frozenset[tuple[Target, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.snapshots = frozenset((self.target, id) for id in self.subject.snapshots)

    @property
    def target(self) -> Target:
        """Where it is."""
        return self.subject.target

    @property
    def key(self) -> tuple[Target, str]:
        """What tells it from others."""
        return self.subject.target, self.subject.id


Recheck = Callable[[str, Sequence[Job]], Round]
"""Reads a Region and decides about these jobs.  Runs in a thread; raises AwsError where something cannot be read."""


@dataclass(slots=True)
class _Queue:
    """The jobs of one target: `pending` ones wait for a round, `checking` ones are in one, `ready` ones may go."""

    pending: deque[Job] = field(default_factory=deque)
    checking: int = 0
    ready: deque[tuple[Job, Verdict, float]] = field(default_factory=deque)


class UsageMonitor:
    """Hands out the jobs that are known to be safe, in the order of the plan.  Used from one event loop."""

    def __init__(
        self,
        jobs: Iterable[Job],
        *,
        recheck: Recheck,
        first: Mapping[str, Round],
        changer: Changer,
        clock: Clock,
        pool: ThreadPoolExecutor,
        warn: Callable[[str], None],
    ) -> None:
        """`first` are rounds that were read already, by Region; `warn` is told of what a round could not see."""
        self._recheck = recheck
        self._changer = changer
        self._clock = clock
        self._pool = pool
        self._warn = warn
        self._queues: dict[Target, _Queue] = {}
        self._busy: set[tuple[Target, str]] = set()
        self._news = asyncio.Event()
        self._confirmed_at = clock.monotonic()
        for job in jobs:
            self._queues.setdefault(job.target, _Queue()).pending.append(job)
        for region, known in first.items():
            self._hand_over(self._upcoming(region, known.expires - clock.monotonic()), known)

    @property
    def targets(self) -> list[Target]:
        """Where there is something to do."""
        return list(self._queues)

    async def take(self, target: Target) -> tuple[Job, Verdict, float] | None:
        """The next job of a target, what is known of it, and until when that counts; None once there are no more, or after a
        stop.  A job that shares a snapshot with one in work waits, for AWS would skip the snapshot for both."""
        queue = self._queues[target]
        while not self._changer.stopping.is_set():
            now = self._clock.monotonic()
            while queue.ready and now > queue.ready[0][2]:
                queue.pending.append(queue.ready.popleft()[0])
            for position, (job, verdict, expires) in enumerate(queue.ready):
                if self._busy.isdisjoint(job.snapshots):
                    del queue.ready[position]
                    self._busy |= job.snapshots
                    self._confirmed_at = now
                    self._tell()
                    return job, verdict, expires
            if not (queue.ready or queue.pending or queue.checking):
                return None
            await self._wait(POLL)
        return None

    def settle(self, job: Job) -> None:
        """The job is done, for better or worse."""
        self._busy -= job.snapshots
        self._tell()

    def put_back(self, job: Job) -> None:
        """What is known of the job became too old before its turn: it is checked again."""
        self._queues[job.target].pending.appendleft(job)
        self.settle(job)

    async def watch(self, region: str) -> None:
        """Reads a Region again and again, early enough that the workers need not wait, until all its jobs were taken."""
        queues = {target: queue for target, queue in self._queues.items() if target.region == region}
        took = 0.0
        while not self._changer.stopping.is_set():
            if not any(self._runs_low(target, queue, took) for target, queue in queues.items()):
                await self._wait(POLL)
                continue
            batch = self._upcoming(region, max(MAX_AGE - took, LATE_WINDOW))
            found = await self._round(region, batch)
            if found is None:
                return
            took = found.finished - found.started
            self._hand_over(batch, found)

    async def _round(self, region: str, batch: Sequence[Job]) -> Round | None:
        """One round; None where it failed, which ends the run."""
        for job in batch:
            self._queues[job.target].checking += 1
        loop = asyncio.get_running_loop()
        patience = self._confirmed_at + STALLED - self._clock.monotonic()
        reading = loop.run_in_executor(self._pool, self._recheck, region, batch)
        try:
            await asyncio.wait({reading}, timeout=max(patience, 0.0))
        finally:
            for job in batch:
                self._queues[job.target].checking -= 1
            if not reading.done():
                reading.cancel()
        if reading.cancelled():
            self._changer.halt(
                AmicleanerError(
                    f"Nothing could be confirmed for {STALLED / 60:.0f} minutes: reading {region} takes too long.",
                    hint="Run it for fewer accounts or Regions at a time.",
                )
            )
            return None
        try:
            found = reading.result()
        except Exception as error:
            self._changer.halt(error)
            return None
        for text in found.warnings:
            self._warn(text)
        return found

    def _runs_low(self, target: Target, queue: _Queue, took: float) -> bool:
        """Whether jobs wait while fewer are ready than can be done until the next round would be over."""
        if not queue.pending:
            return False
        now = self._clock.monotonic()
        lasting = sum(expires > now + took for _, _, expires in queue.ready)
        return lasting <= self._changer.within(queue.pending[0].change, target, took + LOOKAHEAD)

    def _upcoming(self, region: str, seconds: float) -> list[Job]:
        """Takes the jobs out of the queues of a Region that can be done in that time, at least one of each target."""
        batch = []
        for target, queue in self._queues.items():
            if target.region == region and queue.pending:
                room = max(1, self._changer.within(queue.pending[0].change, target, seconds)) - len(queue.ready)
                batch += [queue.pending.popleft() for _ in range(min(max(room, 1), len(queue.pending)))]
        return batch

    def _hand_over(self, batch: Iterable[Job], found: Round) -> None:
        for job in batch:
            self._queues[job.target].ready.append((job, found.verdicts[job.key], found.expires))
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _wait(self, seconds: float) -> None:
        """Until something changes here, at most so long."""
        # Python 3.11's wait_for may swallow a cancellation.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
