"""The changing calls of one kind to one Region of one account: paced, noted in the audit log, tried again.

A `Lane` makes no decision on what may go; it is told which call to start and says how each ended.  It is used from one
thread, and only the calls themselves run in a pool.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ...audit import Audit, AuditError, Change
from ...clock import Clock
from ...errors import AwsError, CredentialsError, ThrottledError, TransientError
from ...models import Failure, Target
from ..error_mapping import AMI_GONE
from ..rate_limits import TokenBucket

GONE = AMI_GONE | {"InvalidSnapshot.NotFound"}
"""What was to go has gone already (API reference, error codes)."""

IN_USE = "InvalidSnapshot.InUse"
"""Passing for some seconds after its AMI went, lasting where another AMI uses the snapshot."""

IN_USE_TRIES = 6
"""With pauses of 0.5, 1, 2, 4 and 8 seconds between them."""

SIDE_BY_SIDE = 8
"""Calls of one lane under way together: at 80 ms a call, a bucket of 80 is used up in a second."""

LONGEST_PAUSE = 20.0
"""Seconds between two tries of a call whose fault may pass."""

THROTTLED_LIMIT = 600.0
"""Seconds of throttles and nothing else, after which a call is given up."""


How = Literal["done", "gone", "in-use", "failed", "undone"]


class Calls(Protocol):
    """The part of `Api` that changes need."""

    def call(self, action: str, *, attempts: int | None = None, **parameters: Any) -> dict[str, Any]:
        """One call; raises AwsError."""


@dataclass(slots=True, eq=False)
class Call:
    """One thing to change, from its first try to its end.  `order` is its place in the plan."""

    id: str
    order: int
    parameters: dict[str, Any]
    tries: int = 0
    faults: int = 0
    in_use: int = 0
    throttled_since: float | None = None
    not_before: float = 0.0
    until: float = float("inf")
    """When the answers on which it rests are too old for it to be made."""
    lost: bool = False
    """A try got no answer: AWS may have acted."""
    error: AwsError | None = None
    """Of the last try."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended.  `undone`: it changed nothing, and a stop forbids a try.  `stop`: what forbids any further call."""

    call: Call
    how: How
    answer: dict[str, Any] = field(default_factory=dict)
    error: AwsError | None = None
    stop: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Tried:
    answer: dict[str, Any]
    error: AwsError | None
    unlogged: AuditError | None


class Lane:
    """`ring` is called, from any thread, when a call has come back; `attempts` counts the tries of a fault that may pass."""

    def __init__(
        self,
        action: str,
        target: Target,
        api: Calls,
        bucket: TokenBucket,
        *,
        clock: Clock,
        pool: Executor,
        audit: Audit,
        ring: Callable[[], None],
        attempts: int,
    ) -> None:
        self.bucket = bucket
        self.waiting: list[Call] = []
        self._running: dict[Future[_Tried], Call] = {}
        self._action = action
        self._target = target
        self._api = api
        self._clock = clock
        self._pool = pool
        self._audit = audit
        self._ring = ring
        self._attempts = attempts
        self._throttled_since: float | None = None

    @property
    def running(self) -> int:
        """Calls under way."""
        return len(self._running)

    @property
    def under_way(self) -> list[Call]:
        """The calls that run."""
        return list(self._running.values())

    @property
    def room(self) -> int:
        """Calls that may start beside those under way."""
        return SIDE_BY_SIDE - len(self._running)

    def add(self, call: Call) -> None:
        """Puts a call in its place among the waiting."""
        insort(self.waiting, call, key=lambda waiting: waiting.order)

    def start(self, call: Call) -> bool:
        """Starts a waiting call in the pool, if there is a token for it.  Raises RuntimeError where the system has no thread
        for it: then it waits on, and was not begun."""
        if not self.bucket.take():
            return False
        future = self._submit(call)
        self.waiting.remove(call)
        call.tries += 1
        self._running[future] = call
        future.add_done_callback(lambda _: self._ring())
        return True

    def start_all(self, room: int) -> bool:
        """Starts what may start now, at most `room` calls; says whether anything was started."""
        now = self._clock.monotonic()
        started = 0
        for call in list(self.waiting):
            if min(self.room, room - started) <= 0:
                break
            if call.not_before <= now:
                if not self.start(call):
                    break
                started += 1
        return started > 0

    def next_start(self) -> float:
        """Seconds until a waiting call may start; infinite where none waits, or where one must come back first."""
        if not self.waiting or self.room <= 0:
            return float("inf")
        now = self._clock.monotonic()
        ready = any(call.not_before <= now for call in self.waiting)
        return max(0.0 if ready else min(call.not_before for call in self.waiting) - now, self.bucket.wait())

    def give_up(self, which: Callable[[Call], bool]) -> list[Ended]:
        """Takes calls out of the waiting, because of a stop."""
        given_up = [call for call in self.waiting if which(call)]
        self.waiting = [call for call in self.waiting if not which(call)]
        return [Ended(call, _cut_short(call), error=call.error) for call in given_up]

    def collect(self) -> list[Ended]:
        """How the calls that came back ended.  Those whose fault may pass are among the waiting again."""
        ended = []
        for future in [future for future in self._running if future.done()]:
            end = self._judge(self._running.pop(future), future)
            if end:
                ended.append(end)
        return sorted(ended, key=lambda end: end.call.order)

    def _submit(self, call: Call) -> Future[_Tried]:
        claim: Future[_Tried] = Future()

        def work() -> _Tried:
            if not claim.set_running_or_notify_cancel():
                raise CancelledError
            try:
                tried = self._try(call)
            except BaseException as error:
                claim.set_exception(error)
                raise
            claim.set_result(tried)
            return tried

        try:
            return self._pool.submit(work)
        except RuntimeError:
            # A pool that gets no thread has taken the work all the same, and another of its threads may do it.
            if claim.cancel():
                raise
            return claim

    def _judge(self, call: Call, future: Future[_Tried]) -> Ended | None:
        try:
            tried = future.result()
        except AuditError as stop:
            return Ended(call, _cut_short(call), error=call.error, stop=stop)
        except Exception as stop:  # a defect, not an answer: whether AWS acted is not known
            call.lost = True
            return Ended(call, "failed", error=self._no_answer(stop), stop=stop)
        call.error = error = tried.error
        if not isinstance(error, ThrottledError):
            call.throttled_since = self._throttled_since = None
        if error is None:
            return Ended(call, "done", tried.answer, stop=tried.unlogged)
        if error.code in GONE:
            return Ended(call, "gone", stop=tried.unlogged)
        if isinstance(error, CredentialsError):
            return Ended(call, "failed", error=error, stop=error)
        call.lost = call.lost or error.acted
        wait = self._patience(call, error)
        if wait is None:
            return Ended(call, "in-use" if error.code == IN_USE else "failed", error=error, stop=tried.unlogged)
        if tried.unlogged:
            return Ended(call, _cut_short(call), error=error, stop=tried.unlogged)
        call.not_before = self._clock.monotonic() + wait
        self.add(call)
        return None

    def _patience(self, call: Call, error: AwsError) -> float | None:
        """Seconds to wait before the next try; None: enough."""
        if isinstance(error, ThrottledError):
            self.bucket.throttled()
            now = self._clock.monotonic()
            call.throttled_since = now if call.throttled_since is None else call.throttled_since
            self._throttled_since = now if self._throttled_since is None else self._throttled_since
            # Where AWS throttled every call for that long, each further call gets one try: an end in sight for all.
            since = min(call.throttled_since, self._throttled_since)
            return None if now - since >= THROTTLED_LIMIT else 0.0
        if error.code == IN_USE:
            call.in_use += 1
            return None if call.in_use >= IN_USE_TRIES else 0.5 * 2.0 ** (call.in_use - 1)
        if isinstance(error, TransientError):
            call.faults += 1
            return None if call.faults >= self._attempts else min(LONGEST_PAUSE, 0.25 * 2.0 ** min(call.faults - 1, 10))
        return None

    def _try(self, call: Call) -> _Tried:
        """Runs in the pool: one try between its two lines in the audit log."""
        change = Change(f"ec2:{self._action}", self._target, call.id)
        attempt = self._audit.before(change)
        if self._clock.monotonic() > call.until:
            # A disk that took its time, a machine that slept: it is asked again first.
            late = TransientError(change.action, "TooLate", "what is known of its use had become too old")
            return _Tried({}, late, self._note(attempt, change, late))
        try:
            answer = self._api.call(self._action, attempts=1, **call.parameters)
        except AwsError as error:
            return _Tried({}, error, self._note(attempt, change, error))
        except BaseException as defect:
            self._note(attempt, change, self._no_answer(defect))
            raise
        return _Tried(answer, None, self._note(attempt, change, None, answer))

    def _note(
        self, attempt: str, change: Change, error: AwsError | None, answer: dict[str, Any] | None = None
    ) -> AuditError | None:
        """What AWS answered counts even where it can't be noted, so the log's own failure is handed on beside it."""
        try:
            if error is not None:
                answered: Literal["unknown", "refused"] = "unknown" if error.acted else "refused"
                self._audit.after(attempt, change, answered, code=error.code, message=error.message)
            else:
                self._audit.after(attempt, change, "done", snapshots=return_codes(answer or {}))
        except AuditError as unlogged:
            return unlogged
        return None

    def _no_answer(self, defect: BaseException) -> AwsError:
        return AwsError(
            f"ec2:{self._action}",
            type(defect).__name__,
            str(defect),
            account=self._target.account,
            region=self._target.region,
            acted=True,
        )


def _cut_short(call: Call) -> How:
    """The end of a call that would have been tried again, or for the first time, but for a stop."""
    if call.error and call.error.code == IN_USE:
        return "in-use"
    return "failed" if call.lost else "undone"


def return_codes(answer: dict[str, Any]) -> dict[str, str]:
    """Snapshot id -> AWS's return code, in an answer of `DeregisterImage`; empty where the endpoint gives none.  Of
    a snapshot with two codes AWS has said nothing."""
    results = answer.get("DeleteSnapshotResults")
    codes: dict[str, set[str]] = {}
    for result in results if isinstance(results, list) else ():
        if isinstance(result, dict) and result.get("SnapshotId"):
            codes.setdefault(str(result["SnapshotId"]), set()).add(str(result.get("ReturnCode") or ""))
    return {id: found.pop() for id, found in codes.items() if len(found) == 1}


def failure(error: Exception) -> Failure:
    """AWS's code and message; of another error its kind and text."""
    return Failure(error.code, error.message) if isinstance(error, AwsError) else Failure(type(error).__name__, str(error))


def perhaps_gone(error: Failure, thing: str) -> Failure:
    """The failure of a call of which a try got no answer."""
    return Failure(error.code, f"{error.message} (a try got no answer: the {thing} may be gone all the same)".lstrip())
