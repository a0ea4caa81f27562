"""No change relies on stale data: each Region is read again while its AMIs are deleted.

A *round* reads one Region in every account of the run, and decides anew about the AMIs whose turn comes next.  No change is
made on a round that was begun more than 60 seconds ago.  Where one reading of the Region takes longer than that, its answers
may be used for ten seconds after it has ended, unless it took five minutes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import InitVar, dataclass, field

from ..actions import Action
from ..audit import Subject
from ..errors import AmicleanerError
from ..models import Ami, Reason, Target, Use
from .changes import Attempts, Changer

MAX_AGE = 60.0
"""Seconds from the start of a reading, after which nothing may rest on it."""

LATE_WINDOW = 10.0
"""Seconds for which a reading that took longer than `MAX_AGE` may be used after its end."""

POLL = 0.5
"""Seconds between two looks whether the next round is due."""

LOOKAHEAD = 2 * POLL
"""Seconds of work that are still confirmed when the next round is done."""

STALLED = 300.0
"""Seconds in which rounds are read and nothing can be confirmed, after which the run ends; a reading of that length confirms
nothing."""


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
        """The last moment at which a change may rest on it.  In a reading that took longer than `STALLED` the machine may
        have slept, so its first answers may be of another day."""
        late = MAX_AGE <= self.finished - self.started < STALLED
        return self.finished + LATE_WINDOW if late else self.started + MAX_AGE


@dataclass(slots=True, eq=False)
class Job:
    """One AMI, or one orphaned snapshot (no `ami`), in progress."""

    subject: Subject
    action: Action
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
    """The jobs of one target: `pending` ones wait for a round, `checking` ones are in one, `ready` ones may go until they
    expire.  `changed` wakes whoever waits for one."""

    pending: deque[Job] = field(default_factory=deque)
    checking: int = 0
    ready: deque[tuple[Job, Verdict, float]] = field(default_factory=deque)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Something changed."""
        self.changed.set()
        self.changed = asyncio.Event()

    def drop_expired(self, now: float) -> None:
        """Jobs whose round is too old by now wait for another one."""
        while self.ready and now > self.ready[0][2]:
            self.pending.append(self.ready.popleft()[0])


@dataclass(eq=False)
class UsageMonitor:
    """Hands out the jobs that are known to be safe, in the order of the plan.  Used from one event loop.

    `first` are rounds that were read already, by Region; `warn` gets each warning of a round.
    """

    jobs: InitVar[Iterable[Job]]
    recheck: Recheck
    first: InitVar[Mapping[str, Round]]
    changer: Changer
    pool: ThreadPoolExecutor
    warn: Callable[[str], None]

    def __post_init__(self, jobs: Iterable[Job], first: Mapping[str, Round]) -> None:
        self._monotonic = self.changer.clock.monotonic
        self._queues: dict[Target, _Queue] = {}
        self._busy: set[tuple[Target, str]] = set()
        self._confirmed_at = self._unconfirmed_since = self._monotonic()
        for job in jobs:
            self._queues.setdefault(job.target, _Queue()).pending.append(job)
        for region, known in first.items():
            self._hand_over(self._upcoming(region, known.expires - self._monotonic()), known)

    @property
    def targets(self) -> list[Target]:
        """Where there is something to do."""
        return list(self._queues)

    async def take(self, target: Target) -> tuple[Job, Verdict, float] | None:
        """The next job of a target, what is known of it, and until when that counts; None once there are no more, or after a
        stop.  A job that shares a snapshot with one in work waits, for AWS would skip the snapshot for both."""
        queue = self._queues[target]
        while not self.changer.stopping.is_set():
            queue.drop_expired(self._monotonic())
            for position, (job, verdict, expires) in enumerate(queue.ready):
                if self._busy.isdisjoint(job.snapshots):
                    del queue.ready[position]
                    self._busy |= job.snapshots
                    return job, verdict, expires
            if not (queue.ready or queue.pending or queue.checking):
                queue.tell()  # nor is there one for the others
                return None
            await queue.changed.wait()
        return None

    def wake(self) -> None:
        """Wakes whoever waits for a job, after a stop."""
        for queue in self._queues.values():
            queue.tell()

    def settle(self, job: Job) -> None:
        """The job is done, whatever its outcome."""
        self._confirmed_at = self._monotonic()
        self._release(job)

    def put_back(self, job: Job) -> None:
        """What is known of the job became too old before its turn: it is checked again."""
        self._queues[job.target].pending.appendleft(job)
        self._release(job)

    def abandon(self, target: Target) -> None:
        """Nothing more is done in a target."""
        del self._queues[target]

    async def watch(self, region: str) -> None:
        """Reads a Region again and again, early enough that the workers need not wait, until it is cancelled.  A round that
        fails ends the run."""
        took = 0.0
        try:
            while not self.changer.stopping.is_set():
                if not self._runs_low(region, took):
                    await asyncio.sleep(POLL)
                    continue
                batch = self._upcoming(region, max(MAX_AGE - took, LATE_WINDOW))
                found = await self._round(region, batch)
                took = found.finished - found.started
                self._hand_over(batch, found)
                for text in found.warnings:
                    self.warn(text)
        except Exception as error:
            self.changer.halt(error)

    async def _round(self, region: str, batch: Sequence[Job]) -> Round:
        """One round.  Raises AmicleanerError where nothing could be confirmed for too long."""
        if self._unconfirmed_since <= self._confirmed_at:  # else earlier rounds confirmed nothing either
            self._unconfirmed_since = self._monotonic()
        queues = [self._queues[job.target] for job in batch]
        for queue in queues:
            queue.checking += 1
        reading = asyncio.get_running_loop().run_in_executor(self.pool, self.recheck, region, batch)
        try:
            while not reading.done():
                await asyncio.wait({reading}, timeout=self._patience(region))
            return reading.result()
        finally:
            reading.cancel()
            for queue in queues:
                queue.checking -= 1

    def _patience(self, region: str) -> float:
        """Seconds until nothing was confirmed for too long.  A job that is tried again counts: it was confirmed."""
        quiet = self._monotonic() - max(self._unconfirmed_since, self._confirmed_at, self.changer.called_at)
        if quiet >= STALLED:
            raise AmicleanerError(
                f"Nothing could be confirmed for {STALLED / 60:.0f} minutes: reading {region} takes too long.",
                hint="Run it for fewer accounts or Regions at a time.",
            )
        return STALLED - quiet

    def _waiting(self, region: str) -> Iterator[tuple[Target, _Queue]]:
        """The targets of a Region in which jobs wait for a round."""
        for target, queue in self._queues.items():
            if target.region == region:
                queue.drop_expired(self._monotonic())
                if queue.pending:
                    yield target, queue

    def _runs_low(self, region: str, took: float) -> bool:
        """Whether jobs wait while fewer are ready than can be done until the next round would be over."""
        end = self._monotonic() + took
        return any(
            sum(expires > end for _, _, expires in queue.ready) <= self._within(target, queue.pending[0], took + LOOKAHEAD)
            for target, queue in self._waiting(region)
        )

    def _upcoming(self, region: str, seconds: float) -> list[Job]:
        """Takes the jobs out of the queues of a Region that can be done in that time, at least one of each target."""
        batch = []
        for target, queue in self._waiting(region):
            room = self._within(target, queue.pending[0], seconds)
            batch += [queue.pending.popleft() for _ in range(min(max(room, 1), len(queue.pending)))]
        return batch

    def _hand_over(self, batch: Sequence[Job], found: Round) -> None:
        """What cannot be done before the round is too old waits for the next one."""
        seconds = found.expires - self._monotonic()
        by_target: dict[Target, list[Job]] = {}
        for job in batch:
            by_target.setdefault(job.target, []).append(job)
        for target, jobs in by_target.items():
            if queue := self._queues.get(target):
                room = max(1, self._within(target, jobs[0], seconds) - len(queue.ready))
                queue.ready.extend((job, found.verdicts[job.key], found.expires) for job in jobs[:room])
                queue.pending.extendleft(reversed(jobs[room:]))
                queue.tell()

    def _within(self, target: Target, job: Job, seconds: float) -> int:
        """How many jobs like this one AWS's rate allows in that time."""
        return self.changer.apis[target].bucket(job.action.slowest).within(seconds)

    def _release(self, job: Job) -> None:
        self._busy -= job.snapshots
        self._queues[job.target].tell()
