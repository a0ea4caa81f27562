"""Several calls at once come out as one after another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from amicleaner.aws.usage.side_by_side import side_by_side


def test_results_stand_in_the_order_of_the_calls(threads: ThreadPoolExecutor) -> None:
    second_done = Event()

    def first() -> str:
        assert second_done.wait(10)
        return "first"

    def second() -> str:
        second_done.set()
        return "second"

    assert side_by_side(threads, [first, second]) == ["first", "second"]


def test_the_first_error_counts_though_a_later_one_was_faster(threads: ThreadPoolExecutor) -> None:
    later_failed = Event()

    def slow() -> None:
        assert later_failed.wait(10)
        raise ValueError("first")

    def fast() -> None:
        later_failed.set()
        raise ValueError("second")

    with pytest.raises(ValueError, match="first"):
        side_by_side(threads, [slow, fast])


def test_nothing_runs_any_more_once_the_error_is_out() -> None:
    begun, out = Event(), Event()
    came_out_meanwhile = []

    def fails() -> None:
        assert begun.wait(10)
        raise ValueError

    def runs() -> None:
        begun.set()
        came_out_meanwhile.append(out.wait(0.1))

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(ValueError, match=r"^$"):
            side_by_side(pool, [fails, runs])
        out.set()
    assert came_out_meanwhile == [False]


def test_no_calls() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert side_by_side(pool, []) == []
