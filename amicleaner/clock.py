"""Time, passed in: nothing else in the package reads a clock or sleeps."""

import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    # Here, for they take a third of the time in which the command starts.
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    # A library's caller, a notebook for one, may have a loop of its own in this thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` gives aware UTC for ages, `monotonic` seconds for intervals, `sleep` takes seconds.  `run` runs a coroutine to
    its end, in which `asyncio` waits by this clock."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    run: Callable[[Coroutine[Any, Any, Any]], Any] = _run


def _seconds() -> float:
    """Seconds that go on while the machine sleeps: what was read before a laptop was shut is old when it is opened.  On
    Windows `time.monotonic` counts them, on Linux and macOS it does not."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        with suppress(AttributeError, OSError):
            return time.clock_gettime(getattr(time, name))
    return time.monotonic()


SYSTEM_CLOCK = Clock(now=lambda: datetime.now(UTC), monotonic=_seconds, sleep=time.sleep)
