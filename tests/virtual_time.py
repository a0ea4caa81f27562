"""One fake clock for all tests: time stands still until something waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from selectors import BaseSelector, DefaultSelector, SelectorKey
from typing import Any

from amicleaner.clock import Clock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Time:
    """A clock that moves when something sleeps; then `waiting` is called with the seconds."""

    def __init__(self, now: datetime = NOW) -> None:
        self.seconds = 0.0
        self.waiting: Callable[[float], object] = lambda seconds: None
        self._start = now
        self._lock = threading.Lock()
        self.clock = Clock(now=self.now, monotonic=lambda: self.seconds, sleep=self.sleep, run=self.run)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.seconds += max(0.0, seconds)
        self.waiting(seconds)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine in a loop that waits by this clock: for threads as long as they take, else not at all."""
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(self)) as runner:
            return runner.run(coroutine)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in the time of a fake clock."""

    def __init__(self, time: Time) -> None:
        self._virtual = time
        self._in_threads = 0
        super().__init__(_Selector(time, lambda: self._in_threads))

    def time(self) -> float:
        return self._virtual.seconds

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._came_back)
        return future

    def _came_back(self, future: asyncio.Future[Any]) -> None:
        self._in_threads -= 1


class _Selector(BaseSelector):
    """Waits for threads that are at work; with none, moves the clock instead."""

    def __init__(self, time: Time, in_threads: Callable[[], int]) -> None:
        self._time = time
        self._in_threads = in_threads
        self._real = DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Any:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or timeout == 0:
            return ready
        if self._in_threads():
            return self._real.select(0.005)
        assert timeout is not None, "nothing is at work, and nothing will wake the loop"
        self._time.sleep(timeout)
        return ready
