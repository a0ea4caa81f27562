"""Deregisters AMIs and deletes snapshots, as a plan says, and tells what really happened.

One thread decides everything: it starts calls, each in a pool, and takes in what came back.  So there is nothing to lock,
listeners are called from one thread, and a test with a clock and a pool of its own sees the same order every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from ...audit import Audit, NullAudit
from ...clock import SYSTEM_CLOCK, Clock
from ...models import Ami, AmiResult, SnapshotResult, Target
from ..rate_limits import RateLimits
from .bell import Bell
from .changes import SIDE_BY_SIDE, Calls, Lane
from .control import AT_ONCE, Control, delete_snapshot, snapshot_result
from .listener import Listener, NullListener
from .removal import HELD, Removal
from .snapshots import Holders
from .watch import Watch

__all__ = ["Deleter", "Listener", "NullListener"]


class Deleter:
    """Removes what it is told to remove, and nothing else."""

    def __init__(
        self,
        apis: Mapping[Target, Calls],
        *,
        clock: Clock = SYSTEM_CLOCK,
        stop: Event | None = None,
        watch: Watch | None = None,
        audit: Audit | None = None,
        listener: Listener | None = None,
        pace: RateLimits | None = None,
        attempts: int = 8,
        pool: Executor | None = None,
        bell: Bell | None = None,
    ) -> None:
        """apis: the calls to each target; every target of the removals must be there.
        stop: once set (Ctrl-C, SIGTERM, a closed output), what is under way is finished and nothing new is started.
        watch: asked before each deregistration; None: nothing is asked again.
        attempts: tries of a call whose fault may pass; throttles don't count, they are ridden out for ten minutes.
        pace: to be shared by all deleters of a run.
        pool: where the calls run, with threads for 32 at once; None: an own one for each removal.
        """
        self._watch = watch
        self._pool = pool
        self._control = Control(
            apis,
            clock,
            stop or Event(),
            audit or NullAudit(),
            listener or NullListener(),
            pace or RateLimits(clock),
            attempts,
            bell or Bell(clock),
        )
        if watch:
            watch.on_answer(self._control.bell.ring)

    @property
    def stopped_by(self) -> Exception | None:
        """What ended the deletion early, `stop` aside: credentials that are no longer valid (`CredentialsError`), a reading
        that failed (`AwsError`), an audit log that can't be written (`AuditError`), a listener's own error."""
        return self._control.stopped_by

    def remove(
        self, removals: Sequence[tuple[Target, Ami]], holders: Mapping[Target, Mapping[str, frozenset[str]]]
    ) -> list[AmiResult]:
        """Deregisters the AMIs, each with its snapshots.

        `holders`: for each target, snapshot id -> ids of all own AMIs that use it, disabled ones included.  Returns a
        result for each AMI that was tried, in the order given; the others are untouched, because of `stop` or of what
        `stopped_by` says.  Nothing that AWS answers is raised.
        """
        with self._threads(len({target for target, _ in removals})) as pool:
            return Removal(self._control, self._watch, removals, Holders(holders), pool).run()

    def remove_snapshots(self, snapshots: Sequence[tuple[Target, str]]) -> list[SnapshotResult]:
        """Deletes snapshots that belong to no AMI.  Returns the results of those that were tried, like `remove`."""
        control = self._control
        with self._threads(len({target for target, _ in snapshots})) as pool:
            lanes: dict[Target, Lane] = {}
            for order, (target, id) in enumerate(dict.fromkeys(snapshots)):
                if target not in lanes:
                    lanes[target] = control.lane("DeleteSnapshot", target, pool)
                lanes[target].add(delete_snapshot(id, order))
            results: dict[int, SnapshotResult] = {}
            untold: dict[int, float] = {}
            in_turn = 0
            while True:
                for target, lane in lanes.items():
                    ended = control.collect(lane)
                    if not control.going_on:
                        ended += lane.give_up(lambda call: True)
                    for end in ended:
                        if end.how != "undone":
                            results[end.call.order] = snapshot_result(target, end)
                            untold[end.call.order] = control.clock.monotonic()
                over = not any(lane.waiting or lane.running for lane in lanes.values())
                while in_turn in results:
                    in_turn += 1
                now = control.clock.monotonic()
                for order in sorted(untold):
                    # In the order given, unless an earlier one takes its time.
                    if over or order < in_turn or now - untold[order] > HELD:
                        del untold[order]
                        control.tell_snapshot(results[order])
                if over:
                    return [results[order] for order in sorted(results)]
                started = False
                try:
                    for lane in lanes.values():
                        started |= control.going_on and lane.start_all(control.room(lanes.values()))
                except RuntimeError as error:  # a system without a thread left
                    control.halt(error)
                    continue
                if not started:
                    control.bell.wait(
                        min(lane.next_start() for lane in lanes.values()),
                        in_flight=any(lane.running for lane in lanes.values()),
                    )

    @contextmanager
    def _threads(self, targets: int) -> Iterator[Executor]:
        if self._pool:
            yield self._pool
            return
        # Two lanes a target: one deregisters, one deletes snapshots.
        pool = ThreadPoolExecutor(max(1, min(AT_ONCE, 2 * SIDE_BY_SIDE * targets)), thread_name_prefix="delete")
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
