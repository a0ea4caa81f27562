"""A deletion in virtual time: calls and readings take seconds of a fake clock, in pools of a limited size.

Nothing runs in threads: a call does its work when its turn comes, and its result is there when its time is over.  So every
run is the same, and an hour takes no time.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from amicleaner.actions import DELETE, DELETE_ORPHAN, QUARANTINE_TAG, Action
from amicleaner.audit import AuditError, AuditLog, Subject
from amicleaner.aws.api import Api
from amicleaner.aws.changes import Changer
from amicleaner.aws.deleter import Deleter, Shared
from amicleaner.aws.rate_limits import TokenBucket
from amicleaner.aws.snapshots import SnapshotReferences
from amicleaner.aws.usage_monitor import Job, Round, Verdict
from amicleaner.clock import Clock
from amicleaner.errors import AwsError, CredentialsError, DeniedError, ThrottledError, TransientError
from amicleaner.models import Ami, AmiResult, BlockSnapshot, SnapshotResult, Target, Use
from tests.virtual_time import Time, VirtualLoop

HOME = Target("123456789012", "eu-west-1")
AWAY = Target("210987654321", "eu-west-1")
FAR = Target("123456789012", "us-east-1")

LATENCY = 0.08
"""Seconds that a call takes."""

NEVER = 1e8


class SimulatedTime(Time):
    """The clock of a simulation.  In a call, the time that passes is the call's own."""

    def __init__(self) -> None:
        super().__init__()
        self.spent: float | None = None
        self.events: list[tuple[float, Callable[[], object]]] = []
        self.clock = Clock(now=self.now, monotonic=self.monotonic, sleep=self.sleep, run=self.run)

    def monotonic(self) -> float:
        return self.seconds + (self.spent or 0.0)

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.spent or 0.0)

    def sleep(self, seconds: float) -> None:
        if self.spent is None:
            super().sleep(seconds)
        else:
            self.spent += seconds

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        """Does something that many seconds from now, in the next run."""
        self.events.append((self.seconds + seconds, event))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=lambda: SimulatedLoop(self)) as runner:
            for moment, event in self.events:
                runner.get_loop().call_at(moment, event)
            self.events.clear()
            return runner.run(coroutine)


@dataclass
class Pool:
    """Calls that are made at once, at most; others wait for their turn."""

    size: int = 32
    most: int = 0
    busy: int = 0
    waiting: deque[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = field(default_factory=deque)


class SimulatedLoop(VirtualLoop):
    """A loop whose executors are `Pool`s."""

    def __init__(self, time: SimulatedTime) -> None:
        self._simulated = time
        super().__init__(time)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future: asyncio.Future[Any] = self.create_future()
        executor.waiting.append((future, func, args))
        self._fill(executor)
        return future

    def _fill(self, pool: Pool) -> None:
        while pool.waiting and pool.busy < pool.size:
            future, func, args = pool.waiting.popleft()
            if future.cancelled():
                continue
            pool.busy += 1
            pool.most = max(pool.busy, pool.most)
            self._simulated.spent = 0.0
            value, error = None, None
            try:
                value = func(*args)
            except Exception as failed:
                error = failed
            spent, self._simulated.spent = self._simulated.spent, None
            self.call_later(spent, self._come_back, pool, future, value, error)

    def _come_back(self, pool: Pool, future: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
        pool.busy -= 1
        if not future.done() and error is not None:
            future.set_exception(error)
        elif not future.done():
            future.set_result(value)
        self._fill(pool)


def aws_error(code: str, kind: type[AwsError] = AwsError, *, acted: bool = False) -> AwsError:
    return kind("ec2:Call", code, f"AWS says {code}", acted=acted)


def throttle() -> AwsError:
    return aws_error("RequestLimitExceeded", ThrottledError)


def transient() -> AwsError:
    return aws_error("InternalError", TransientError)


def cut() -> AwsError:
    """A connection that breaks: nobody knows whether AWS acted."""
    return aws_error("ConnectionClosedError", TransientError, acted=True)


def denied() -> AwsError:
    return aws_error("UnauthorizedOperation", DeniedError)


def expired() -> AwsError:
    return aws_error("ExpiredToken", CredentialsError)


@dataclass
class Fault:
    """What a call meets: an error before or after AWS acted, other return codes, or other seconds."""

    error: Exception | None = None
    after: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    seconds: float = LATENCY


HANG = Fault(seconds=NEVER)


@dataclass
class Made:
    """One call that changes something, as AWS saw it."""

    time: float
    call: str
    id: str
    outcome: str = "ok"


@dataclass
class Image:
    """An AMI in AWS."""

    snapshots: tuple[str, ...]
    state: str = "available"
    tags: dict[str, str] = field(default_factory=dict)


class FakeAws:
    """One Region of one account.  `faults` by (call, id) or id, one for each call, in turn."""

    filled = Api.filled
    bucket = Api.bucket

    def __init__(self, time: SimulatedTime, *, emulator: bool) -> None:
        self.time = time
        self.clock = time.clock
        self._change_buckets: dict[str, TokenBucket] = {}
        self.emulator = emulator
        self.images: dict[str, Image] = {}
        self.snapshots: set[str] = set()
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.made: list[Made] = []
        self.described: list[str] = []
        self.noticed: dict[str, float] = {}
        """Snapshot to when AWS notices that its AMI is gone."""
        self.unreadable: AwsError | None = None

    def add(self, id: str, *snapshots: str, state: str = "available", tags: Mapping[str, str] | None = None) -> Ami:
        self.images[id] = Image(snapshots, state, dict(tags or {}))
        self.snapshots.update(snapshots)
        return make_ami(id, *snapshots, state=state)

    def used(self, snapshot: str) -> bool:
        return any(snapshot in image.snapshots for image in self.images.values())

    def calls(self, *names: str) -> list[str]:
        return [made.id for made in self.made if made.call in names]

    def call(self, name: str, *, attempts: int | None = None, **parameters: Any) -> dict[str, Any]:
        if name == "DescribeImages":
            return self._describe(*parameters["ImageIds"])
        assert attempts == 1, "a change is tried again where it is paced and written down, and nowhere else"
        id = parameters.get("ImageId") or parameters.get("SnapshotId") or parameters["Resources"][0]
        faults = self.faults[f"{name} {id}"] or self.faults[id]
        fault = faults.pop(0) if faults else Fault()
        made = Made(self.time.monotonic(), name, id)
        self.made.append(made)
        self.time.sleep(fault.seconds)
        if fault.error and not fault.after:
            made.outcome = getattr(fault.error, "code", "bug")
            raise fault.error
        try:
            answer: dict[str, Any] = getattr(self, f"_{name}")(id, parameters, fault)
        except AwsError as error:
            made.outcome = error.code
            raise
        if fault.error:
            made.outcome = "lost"
            raise fault.error
        return answer

    def _describe(self, id: str) -> dict[str, Any]:
        self.described.append(id)
        self.time.sleep(LATENCY)
        if self.unreadable:
            raise self.unreadable
        images = [{"ImageId": id, "State": self.images[id].state}] if id in self.images else []
        return {"Images": images}

    def _image(self, id: str) -> Image:
        if id not in self.images:
            raise aws_error("InvalidAMIID.NotFound")
        return self.images[id]

    def _DeregisterImage(self, id: str, parameters: dict[str, Any], fault: Fault) -> dict[str, Any]:
        assert parameters == {"ImageId": id, "DeleteAssociatedSnapshots": True}
        snapshots = self._image(id).snapshots
        del self.images[id]
        results = []
        for snapshot in snapshots:
            code = fault.codes.get(snapshot) or ("skipped" if self.used(snapshot) else "success")
            if code == "success" and not self.emulator:
                self.snapshots.discard(snapshot)
            results.append({"SnapshotId": snapshot, "ReturnCode": code})
        return {"Return": True} if self.emulator else {"Return": True, "DeleteSnapshotResults": results}

    def _DeleteSnapshot(self, id: str, parameters: dict[str, Any], fault: Fault) -> dict[str, Any]:
        assert parameters == {"SnapshotId": id}
        if id not in self.snapshots:
            raise aws_error("InvalidSnapshot.NotFound")
        if self.used(id) or self.time.monotonic() < self.noticed.get(id, 0.0):
            raise aws_error("InvalidSnapshot.InUse")
        self.snapshots.discard(id)
        return {}

    def _DisableImage(self, id: str, parameters: dict[str, Any], fault: Fault) -> dict[str, Any]:
        self._image(id).state = "disabled"
        return {"Return": True}

    def _EnableImage(self, id: str, parameters: dict[str, Any], fault: Fault) -> dict[str, Any]:
        self._image(id).state = "available"
        return {"Return": True}

    def _CreateTags(self, id: str, parameters: dict[str, Any], fault: Fault) -> dict[str, Any]:
        self._image(id).tags |= {tag["Key"]: tag["Value"] for tag in parameters["Tags"]}
        return {}

    def _DeleteTags(self, id: str, parameters: dict[str, Any], fault: Fault) -> dict[str, Any]:
        assert parameters["Tags"] == [{"Key": QUARANTINE_TAG}]
        self._image(id).tags.pop(QUARANTINE_TAG, None)
        return {}


def make_ami(id: str, *snapshots: str, state: str = "available") -> Ami:
    return Ami(id, id, None, "", state, snapshots=tuple(BlockSnapshot(snapshot, 8) for snapshot in snapshots))


class FailingAudit(AuditLog):
    """A log on a disk that is full after so many lines."""

    def __init__(self, *, before: int = 10_000, after: int = 10_000) -> None:
        super().__init__(None)
        self._left = {"before": before, "after": after}
        self.begun: list[str] = []

    def before(self, action: str, subject: Subject) -> str:
        self._spend("before")
        self.begun.append(subject.id)
        return ""

    def after(self, *_: object, **__: object) -> None:
        self._spend("after")

    def _spend(self, event: str) -> None:
        self._left[event] -= 1
        if self._left[event] < 0:
            raise AuditError("no space left")


class Scene:
    """A deletion in one or more targets.

    Each Region is read in `accounts` accounts, `at_once` of them together, each of which takes `reading` seconds; an AMI in
    `keeps` is kept from then on.  `apis` makes other calls than those of `FakeAws`.
    """

    def __init__(
        self,
        *targets: Target,
        emulator: bool = False,
        reading: float = 1.0,
        accounts: int = 1,
        at_once: int = 8,
        audit: AuditLog | None = None,
        log: Path | None = None,
        attempts: int = 4,
        shared: Shared | None = None,
        apis: Callable[[SimulatedTime], Mapping[Target, Api]] | None = None,
    ) -> None:
        self.time = SimulatedTime()
        self.aws = {target: FakeAws(self.time, emulator=emulator) for target in targets or (HOME,)}
        self.pool = Pool()
        self.rounds_pool = Pool(16)
        self.reading = reading
        self.accounts = accounts
        self.at_once = at_once
        self.keeps: dict[str, str] = {}
        self.warnings: tuple[str, ...] = ()
        self.unreadable: Exception | None = None
        self.rounds: list[tuple[str, Round]] = []
        self.lines: list[str] = []
        self.warned: list[str] = []
        self.on_line: Callable[[str], object] = lambda line: None
        self.clock = self.time.clock
        self.changer = Changer(
            cast(Mapping[Target, Api], apis(self.time) if apis else self.aws),
            clock=self.clock,
            audit=audit or AuditLog(log, clock=self.clock),
            max_attempts=attempts,
            pool=self.pool,  # type: ignore[arg-type]
        )
        self._shared = shared
        self.deleter = self.make_deleter(SnapshotReferences((), ()))

    @property
    def home(self) -> FakeAws:
        return next(iter(self.aws.values()))

    def make_deleter(self, references: SnapshotReferences) -> Deleter:
        return Deleter(
            self.changer,
            references,
            rounds=self.rounds_pool,  # type: ignore[arg-type]
            report=self._report,
            warn=self.warned.append,
            quarantine_days=14,
            shared=self._shared,
        )

    def job(self, ami: Ami, action: Action = DELETE, target: Target | None = None) -> Job:
        subject = Subject(
            target or next(iter(self.aws)),
            ami.id,
            name=ami.name,
            reason="old",
            snapshots=tuple(snapshot.id for snapshot in ami.snapshots),
        )
        return Job(subject, action, self.changer.attempts(), ami)

    def orphan(self, id: str) -> Job:
        return Job(Subject(HOME, id, ami="ami-gone"), DELETE_ORPHAN, self.changer.attempts())

    def run(self, *steps: Iterable[Job], fresh: bool = True) -> dict[str, str]:
        """Carries out the steps, one after another; id to outcome.  `fresh`: what the plan read counts."""
        jobs = [list(step) for step in steps]
        inventories = [
            (target, [make_ami(id, *image.snapshots) for id, image in aws.images.items()])
            for target, aws in self.aws.items()
        ]
        deleted = [job.key for step in jobs for job in step if job.action is DELETE and job.ami]
        self.deleter = self.make_deleter(SnapshotReferences(inventories, deleted))

        async def main() -> None:
            for step in jobs:
                first = {}
                if fresh:
                    now = self.clock.monotonic()
                    known = Round(now, now, {job.key: Verdict(True) for job in step})
                    first = {job.target.region: known for job in step}
                    self.rounds += [(region, known) for region in first]
                await self.deleter.run(step, self.recheck, first)
            self.deleter.settle_left()

        self.time.run(main())
        return self.outcomes

    def delete(self, amis: Iterable[Ami], *, fresh: bool = True) -> dict[str, str]:
        """Deletes AMIs of the first target."""
        return self.run([self.job(ami) for ami in amis], fresh=fresh)

    @property
    def outcomes(self) -> dict[str, str]:
        tried: list[AmiResult | SnapshotResult] = [*self.deleter.results.values(), *self.deleter.snapshots.values()]
        return {result.id: result.outcome for result in tried}

    def result(self, id: str) -> AmiResult:
        return self.deleter.results[next(iter(self.aws)), id]

    def snapshot_outcomes(self) -> dict[str, list[str]]:
        """Each snapshot's outcomes in all results that name it."""
        found: dict[str, list[str]] = defaultdict(list)
        for result in self.deleter.results.values():
            for snapshot in result.snapshots:
                found[snapshot.id].append(snapshot.outcome)
        return dict(found)

    def recheck(self, region: str, jobs: Sequence[Job]) -> Round:
        """Reads as things are when it begins, which is the worst case."""
        started = self.clock.monotonic()
        verdicts = {}
        for job in jobs:
            exists = job.subject.id in (self.aws[job.target].images if job.ami else self.aws[job.target].snapshots)
            if not exists:
                verdicts[job.key] = Verdict(False, gone=True)
            elif job.subject.id in self.keeps:
                user = self.keeps[job.subject.id]
                use = Use("instance", user, job.target.account, job.target.region, f"instance {user}")
                verdicts[job.key] = Verdict(False, "in-use", f"In use by instance {user}.", (use,))
            else:
                verdicts[job.key] = Verdict(True)
        self.clock.sleep(self.reading * -(-self.accounts // self.at_once))
        if self.unreadable:
            raise self.unreadable
        read = Round(started, self.clock.monotonic(), verdicts, self.warnings)
        self.rounds.append((region, read))
        return read

    def _report(self, result: AmiResult | SnapshotResult) -> None:
        by = f" by {','.join(result.used_by)}" if isinstance(result, SnapshotResult) and result.used_by else ""
        self.lines.append(f"{result.id} {result.outcome}{by}")
        self.on_line(self.lines[-1])
