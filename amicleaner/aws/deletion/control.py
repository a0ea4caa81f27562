"""What the steps of a deletion have in common: whether it may go on, its lanes of calls, whom it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from threading import Event

from ...audit import Audit
from ...clock import Clock
from ...models import Failure, SnapshotResult, Target
from ..rate_limits import RateLimits
from .bell import Bell
from .changes import Call, Calls, Ended, Lane, failure, perhaps_gone
from .listener import Listener

AT_ONCE = 32
"""Changing calls under way together in all targets, at most."""

INTERRUPTED = Failure("Interrupted", "the run was stopped before the snapshot was deleted")


class Control:
    """Used from one thread; `stop` may be set from anywhere."""

    def __init__(
        self,
        apis: Mapping[Target, Calls],
        clock: Clock,
        stop: Event,
        audit: Audit,
        listener: Listener,
        pace: RateLimits,
        attempts: int,
        bell: Bell,
    ) -> None:
        self.clock = clock
        self.bell = bell
        self.listener = listener
        self.stopped_by: Exception | None = None
        self._apis = apis
        self._stop = stop
        self._audit = audit
        self._pace = pace
        self._attempts = attempts
        self._cut_off = False
        self._stopped_at: float | None = None

    @property
    def going_on(self) -> bool:
        """Whether anything new may be started."""
        return self.stopped_by is None and not self._stop.is_set()

    @property
    def may_finish(self) -> bool:
        """Whether what was begun may be brought to its end: not without credentials, nor without the audit log."""
        return not self._cut_off

    def stopped_for(self) -> float:
        """Seconds since the stop was noticed here; call it in each round."""
        if self.going_on:
            return 0.0
        now = self.clock.monotonic()
        self._stopped_at = now if self._stopped_at is None else self._stopped_at
        return now - self._stopped_at

    def halt(self, reason: Exception, *, cut_off: bool = False) -> None:
        """Nothing new from here on; `cut_off`: no further call at all.  The first reason counts."""
        self.stopped_by = self.stopped_by or reason
        self._cut_off = self._cut_off or cut_off

    def lane(self, action: str, target: Target, pool: Executor) -> Lane:
        """A lane for one changing action in one target.  Raises KeyError for a target that was not given."""
        return Lane(
            action,
            target,
            self._apis[target],
            self._pace.bucket(action, target),
            clock=self.clock,
            pool=pool,
            audit=self._audit,
            ring=self.bell.ring,
            attempts=self._attempts,
        )

    def collect(self, lane: Lane) -> list[Ended]:
        """What came back in a lane; what forbids further calls is noted."""
        ended = lane.collect()
        for end in ended:
            if end.stop:
                self.halt(end.stop, cut_off=True)
        return ended

    def tell(self, news: Callable[[], None]) -> None:
        """A listener that fails stops the deletion, but loses no result."""
        try:
            news()
        except Exception as error:
            self.halt(error)

    def tell_snapshot(self, result: SnapshotResult, by: tuple[str, ...] = ()) -> None:
        """The news of one snapshot."""
        if result.outcome == "removed":
            self.tell(lambda: self.listener.snapshot_deleted(result.target, result.id))
        elif result.outcome == "kept":
            self.tell(lambda: self.listener.snapshot_kept(result.target, result.id, by))
        else:
            self.tell(lambda: self.listener.snapshot_failed(result))

    @staticmethod
    def room(lanes: Iterable[Lane]) -> int:
        """Calls that may start beside all those under way."""
        return AT_ONCE - sum(lane.running for lane in lanes)


def snapshot_result(target: Target, end: Ended) -> SnapshotResult:
    """How a call to `DeleteSnapshot` ended.  What another AMI uses is kept, which is no failure."""
    if end.how in ("done", "gone"):
        return SnapshotResult(target, end.call.id, "removed")
    if end.how == "in-use":
        return SnapshotResult(target, end.call.id, "kept")
    error = end.error or end.stop
    said = failure(error) if error else INTERRUPTED
    return SnapshotResult(target, end.call.id, "failed", perhaps_gone(said, "snapshot") if end.call.lost else said)


def delete_snapshot(id: str, order: int) -> Call:
    """A call that deletes one snapshot."""
    return Call(id, order, {"SnapshotId": id})
