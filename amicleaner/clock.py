"""Time, passed in: nothing else in the package reads a clock or sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` gives aware UTC for ages, `monotonic` seconds for intervals, `sleep` takes seconds."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


def _seconds() -> float:
    """Seconds that go on while the machine sleeps, which `time.monotonic` does not count on Linux and macOS: what was read
    before a laptop was shut is old when it is opened."""
    return time.monotonic() if _SLEEPLESS is None else time.clock_gettime(_SLEEPLESS)


def _sleepless() -> int | None:
    """The system's clock for that; None where there is none (Windows's `time.monotonic` is one)."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        with suppress(AttributeError, OSError):
            number: int = getattr(time, name)
            time.clock_gettime(number)
            return number
    return None


_SLEEPLESS = _sleepless()

SYSTEM_CLOCK = Clock(now=lambda: datetime.now(UTC), monotonic=_seconds, sleep=time.sleep)
