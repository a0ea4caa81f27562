"""The system's clock."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC

import pytest

from amicleaner.clock import SYSTEM_CLOCK


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no such clock")
def test_the_time_that_a_machine_sleeps_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before a laptop was shut is old when it is opened."""
    slept = {time.CLOCK_BOOTTIME: 3600.0, time.CLOCK_MONOTONIC: 0.0}
    monkeypatch.setattr(time, "clock_gettime", lambda number: 100.0 + slept[number])
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert SYSTEM_CLOCK.monotonic() == 3700.0


def test_time_goes_forward() -> None:
    before = SYSTEM_CLOCK.monotonic()
    SYSTEM_CLOCK.sleep(0.01)
    assert 0.01 <= SYSTEM_CLOCK.monotonic() - before < 60
    assert SYSTEM_CLOCK.now().tzinfo is UTC


async def thread() -> str:
    return threading.current_thread().name


def test_a_coroutine_runs_in_this_thread() -> None:
    assert SYSTEM_CLOCK.run(thread()) == threading.current_thread().name


def test_a_coroutine_runs_where_the_caller_has_a_loop_of_its_own() -> None:
    async def caller() -> str:
        name: str = SYSTEM_CLOCK.run(thread())
        return name

    assert asyncio.run(caller()) != threading.current_thread().name
