"""Time, threads and AWS for the deleter's tests, moved by one clock: nothing sleeps, the order is always the same."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Event
from typing import Any, TypeVar

from amicleaner.audit import Audit
from amicleaner.aws.deletion.bell import Bell
from amicleaner.aws.deletion.deleter import Deleter
from amicleaner.aws.deletion.listener import NullListener
from amicleaner.aws.deletion.watch import Watch
from amicleaner.clock import Clock
from amicleaner.errors import AwsError, CredentialsError, ThrottledError, TransientError
from amicleaner.models import Ami, AmiResult, BlockSnapshot, SnapshotResult, Target, Use

T = TypeVar("T")

HOME = Target("123456789012", "eu-west-1")
AWAY = Target("210987654321", "eu-west-1")
FAR = Target("123456789012", "us-east-1")


class Time:
    """A clock whose `sleep` moves it, and on the way does what was scheduled."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()
        self.clock = Clock(
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds),
            monotonic=lambda: self.seconds,
            sleep=self.advance,
        )

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        """Does something that many seconds from now."""
        heapq.heappush(self._events, (self.seconds + seconds, next(self._numbers), event))

    def next_event(self) -> float:
        return self._events[0][0] - self.seconds if self._events else float("inf")

    def advance(self, seconds: float) -> None:
        end = self.seconds + seconds
        while self._events and self._events[0][0] <= end:
            moment, _, event = heapq.heappop(self._events)
            self.seconds = max(self.seconds, moment)
            event()
        self.seconds = end


class Pool(Executor):
    """Work is done when it is submitted; its answer is there `seconds` later."""

    def __init__(self, time: Time, seconds: float = 0.08) -> None:
        self.time = time
        self.seconds = seconds
        self.under_way = self.most_under_way = 0

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        self.time.at(self.seconds, self._back)
        future: Future[T] = Future()
        try:
            value = fn(*args, **kwargs)
        except BaseException as error:
            self.time.at(self.seconds, lambda error=error: future.set_exception(error))  # type: ignore[misc]
        else:
            self.time.at(self.seconds, lambda: future.set_result(value))
        return future

    def _back(self) -> None:
        self.under_way -= 1


class SimulatedBell(Bell):
    """Waits by moving the clock to the next thing that happens."""

    def __init__(self, time: Time) -> None:
        super().__init__(time.clock)
        self._time = time

    def wait(self, seconds: float, *, in_flight: bool) -> None:
        assert in_flight or seconds < float("inf"), "waits for nothing"
        pause = min(max(seconds, 0.001), 0.2, max(self._time.next_event(), 1e-6))
        self._time.advance(pause)


def aws_error(code: str, kind: type[AwsError] = AwsError, *, acted: bool = False) -> AwsError:
    return kind("ec2:Call", code, f"AWS says {code}", acted=acted)


def throttle() -> AwsError:
    return aws_error("RequestLimitExceeded", ThrottledError)


def cut() -> AwsError:
    """A connection that breaks: nobody knows whether AWS acted."""
    return aws_error("ConnectionClosedError", TransientError, acted=True)


def expired() -> AwsError:
    return aws_error("ExpiredToken", CredentialsError)


@dataclass
class Fault:
    """What a try meets: an error, before or after AWS acted, or other return codes for its snapshots."""

    error: AwsError | None = None
    after: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Made:
    """One try that reached AWS."""

    time: float
    action: str
    id: str
    outcome: str


class FakeAws:
    """One Region of one account: AMIs and the snapshots behind them.  `faults` by id, one for each try, in turn."""

    def __init__(self, time: Time, *, emulator: bool = False) -> None:
        self.time = time
        self.emulator = emulator
        self.amis: dict[str, tuple[str, ...]] = {}
        self.snapshots: set[str] = set()
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.made: list[Made] = []
        self.held_until: dict[str, float] = {}
        """Snapshot -> when AWS notices that its AMI is gone."""

    def add(self, id: str, *snapshots: str) -> Ami:
        self.amis[id] = snapshots
        self.snapshots.update(snapshots)
        return make_ami(id, *snapshots)

    def call(self, action: str, *, attempts: int | None = None, **parameters: Any) -> dict[str, Any]:
        assert attempts == 1, "what changes something is tried again by the lane alone, where it is paced and noted"
        id = parameters.get("ImageId") or parameters["SnapshotId"]
        fault = self.faults[id].pop(0) if self.faults[id] else Fault()
        outcome = "ok"
        try:
            if fault.error and not fault.after:
                raise fault.error
            if action == "DeregisterImage":
                assert parameters == {"ImageId": id, "DeleteAssociatedSnapshots": True}
                answer = self._deregister(id, fault.codes)
            else:
                assert parameters == {"SnapshotId": id}
                answer = self._delete(id)
            if fault.error:
                raise fault.error
        except AwsError as error:
            outcome = error.code
            raise
        finally:
            self.made.append(Made(self.time.seconds, action, id, outcome))
        return answer

    def calls(self, action: str) -> list[str]:
        return [made.id for made in self.made if made.action == action]

    def used(self, snapshot: str) -> bool:
        return any(snapshot in held for held in self.amis.values())

    def _deregister(self, id: str, codes: Mapping[str, str]) -> dict[str, Any]:
        if id not in self.amis:
            raise aws_error("InvalidAMIID.Unavailable")
        results = []
        for snapshot in self.amis.pop(id):
            code = codes.get(snapshot) or ("skipped" if self.used(snapshot) else "success")
            if code == "success" and not self.emulator:
                self.snapshots.discard(snapshot)
            results.append({"SnapshotId": snapshot, "ReturnCode": code})
        return {"Return": True} if self.emulator else {"Return": True, "DeleteSnapshotResults": results}

    def _delete(self, id: str) -> dict[str, Any]:
        if id not in self.snapshots:
            raise aws_error("InvalidSnapshot.NotFound")
        if self.used(id) or self.time.seconds < self.held_until.get(id, 0.0):
            raise aws_error("InvalidSnapshot.InUse")
        self.snapshots.discard(id)
        return {}


def make_ami(id: str, *snapshots: str) -> Ami:
    return Ami(id, id, None, "", "available", snapshots=tuple(BlockSnapshot(snapshot, 8) for snapshot in snapshots))


class Heard(NullListener):
    """What a listener was told, in order, as the lines that a person would read."""

    def __init__(self, check: Callable[[str], None] = lambda line: None) -> None:
        self.lines: list[str] = []
        self._check = check

    def _say(self, line: str) -> None:
        self.lines.append(line)
        self._check(line)

    def deregistered(self, target: Target, ami: Ami) -> None:
        self._say(f"{ami.id} deregistered")

    def ami_kept(self, result: AmiResult) -> None:
        self._say(f"{result.id} kept")

    def ami_failed(self, result: AmiResult) -> None:
        self._say(f"{result.id} failed")

    def snapshot_deleted(self, target: Target, snapshot_id: str) -> None:
        self._say(f"{snapshot_id} deleted")

    def snapshot_kept(self, target: Target, snapshot_id: str, by: tuple[str, ...]) -> None:
        self._say(f"{snapshot_id} kept by {','.join(by) or '?'}")

    def snapshot_failed(self, result: SnapshotResult) -> None:
        self._say(f"{result.id} failed")


class Scene:
    """A deletion in one or more targets, ready to run."""

    def __init__(self, *targets: Target, emulator: bool = False) -> None:
        self.time = Time()
        self.stop = Event()
        self.pool = Pool(self.time)
        self.heard = Heard()
        self.aws = {target: FakeAws(self.time, emulator=emulator) for target in targets or (HOME,)}
        self.deleter: Deleter | None = None

    @property
    def home(self) -> FakeAws:
        return self.aws[HOME]

    def holders(self) -> dict[Target, dict[str, frozenset[str]]]:
        """As the plan knows them, before anything goes."""
        found: dict[Target, dict[str, frozenset[str]]] = {}
        for target, aws in self.aws.items():
            of_target = found.setdefault(target, {})
            for ami, snapshots in aws.amis.items():
                for snapshot in snapshots:
                    of_target[snapshot] = of_target.get(snapshot, frozenset()) | {ami}
        return found

    def make(self, watch: Watch | None = None, audit: Audit | None = None) -> Deleter:
        self.deleter = Deleter(
            self.aws,
            clock=self.time.clock,
            stop=self.stop,
            watch=watch,
            audit=audit,
            listener=self.heard,
            attempts=4,
            pool=self.pool,
            bell=SimulatedBell(self.time),
        )
        return self.deleter

    def remove(
        self,
        amis: Iterable[Ami | tuple[Target, Ami]],
        *,
        watch: Watch | None = None,
        audit: Audit | None = None,
        holders: Mapping[Target, Mapping[str, frozenset[str]]] | None = None,
    ) -> list[AmiResult]:
        removals = [(HOME, ami) if isinstance(ami, Ami) else ami for ami in amis]
        return self.make(watch, audit).remove(removals, self.holders() if holders is None else holders)


@dataclass
class FakeReading:
    uses: dict[str, tuple[Use, ...]]
    groups: dict[str, str]
    started: float
    finished: float


class Account:
    """What one account uses, read as it is when a reading begins; a reading takes `seconds`."""

    def __init__(self, time: Time, target: Target, seconds: float = 1.0) -> None:
        self.time = time
        self.target = target
        self.seconds = seconds
        self.uses: dict[str, tuple[Use, ...]] = {}
        self.groups: dict[str, str] = {}
        self.error: AwsError | None = None
        self.readings: list[float] = []

    def use(self, ami_id: str, user: str = "i-1") -> None:
        self.uses[ami_id] = (*self.uses.get(ami_id, ()), instance(user, self.target))

    def read(self) -> FakeReading:
        now = self.time.seconds
        self.readings.append(now)
        if self.error:
            raise self.error
        return FakeReading(dict(self.uses), dict(self.groups), now, now + self.seconds)


def instance(id: str, target: Target = HOME) -> Use:
    return Use("instance", id, target.account, target.region, f"instance {id} (running)")


def make_watch(time: Time, *accounts: Account, pool: Pool | None = None, fresh: bool = True, **more: Any) -> Watch:
    """A watch over the accounts; with `fresh`, what they use now is known already.  All take as long as the first."""
    seconds = accounts[0].seconds if accounts else 0.0
    return Watch(
        time.clock,
        pool or Pool(time, seconds),
        readers={account.target: account.read for account in accounts},
        readings={account.target: account.read() for account in accounts} if fresh else {},
        **more,
    )


def outcomes(results: Sequence[AmiResult]) -> dict[str, str]:
    return {result.id: result.outcome for result in results}


def snapshot_outcomes(results: Sequence[AmiResult]) -> dict[str, list[str]]:
    """Each snapshot's outcomes, in all results that name it."""
    found: dict[str, list[str]] = {}
    for result in results:
        for snapshot in result.snapshots:
            found.setdefault(snapshot.id, []).append(snapshot.outcome)
    return found
