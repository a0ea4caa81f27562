"""Waiting: on the clock while nothing is under way, for the bell otherwise, and never for long at a stretch."""

from __future__ import annotations

import threading
import time

import pytest

from amicleaner.aws.deletion.bell import SLICE, Bell
from tests.aws.deletion.simulation import Time


@pytest.mark.parametrize(
    "seconds, slept", [(0.05, 0.05), (100.0, SLICE), (float("inf"), SLICE), (0.0, 0.001), (-1.0, 0.001)]
)
def test_without_calls_under_way_it_sleeps_a_slice_at_most(seconds: float, slept: float) -> None:
    moved = Time()
    start = moved.seconds
    Bell(moved.clock).wait(seconds, in_flight=False)
    assert moved.seconds - start == pytest.approx(slept)


def test_a_bell_that_has_rung_is_not_waited_for_and_rings_once() -> None:
    moved = Time()
    start = moved.seconds
    bell = Bell(moved.clock)
    bell.ring()
    bell.wait(100.0, in_flight=False)
    assert moved.seconds == start
    bell.wait(100.0, in_flight=False)
    assert moved.seconds == start + SLICE


def test_a_call_that_comes_back_ends_the_wait() -> None:
    bell = Bell(Time().clock)
    threading.Timer(0.01, bell.ring).start()
    start = time.monotonic()
    bell.wait(100.0, in_flight=True)
    assert time.monotonic() - start < SLICE
