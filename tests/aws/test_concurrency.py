"""Several calls at once come out as one after another."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Thread
from typing import Any

import pytest

from amicleaner.aws import concurrency
from amicleaner.aws.concurrency import result_of, run_concurrently, thread_pool
from amicleaner.interrupts import Interrupted, Interrupts


def test_results_follow_the_order_of_the_calls(threads: ThreadPoolExecutor) -> None:
    second_done = Event()

    def first() -> str:
        assert second_done.wait(10)
        return "first"

    def second() -> str:
        second_done.set()
        return "second"

    assert run_concurrently(threads, [first, second]) == ["first", "second"]


def test_the_first_error_counts_though_a_later_one_was_faster(threads: ThreadPoolExecutor) -> None:
    later_failed = Event()

    def slow() -> None:
        assert later_failed.wait(10)
        raise ValueError("first")

    def fast() -> None:
        later_failed.set()
        raise ValueError("second")

    with pytest.raises(ValueError, match="first"):
        run_concurrently(threads, [slow, fast])


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
            run_concurrently(pool, [fails, runs])
        out.set()
    assert came_out_meanwhile == [False]


def test_a_pool_that_is_shut_down_meanwhile_keeps_nobody_waiting() -> None:
    """Whoever waits for ever for a call that was cancelled keeps the process from its end."""
    queued, shut = Event(), Event()
    raised: list[bool] = []

    def fails() -> None:
        assert shut.wait(10)
        raise ValueError

    def never_runs() -> None:
        raise AssertionError

    class Pool(ThreadPoolExecutor):
        def submit(self, call: Any, *arguments: Any, **named: Any) -> Future[Any]:  # type: ignore[override]
            future = super().submit(call, *arguments, **named)
            if call is never_runs:
                queued.set()
            return future

    def asks() -> None:
        with contextlib.suppress(ValueError):
            run_concurrently(pool, [fails, never_runs])
        raised.append(True)

    pool = Pool(1)
    asking = Thread(target=asks, daemon=True)
    asking.start()
    assert queued.wait(10)
    pool.shutdown(wait=False, cancel_futures=True)
    shut.set()
    asking.join(10)
    assert raised == [True]


def test_the_end_of_a_pool_waits_for_no_call_in_flight() -> None:
    begun, answered = Event(), Event()

    def call() -> None:
        begun.set()
        answered.wait(10)

    with thread_pool(1, "call") as pool:
        running, queued = pool.submit(call), pool.submit(call)
        assert begun.wait(10)
    assert (running.done(), queued.cancelled()) == (False, True)
    answered.set()


def test_a_signal_that_does_not_wake_the_main_thread_is_noticed_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "LOOK", 0.001)
    never: Future[None] = Future()
    noticed, begins = Event(), Event()
    main = threading.get_ident()

    def interrupt() -> None:
        begins.wait()
        while sys._current_frames()[main].f_code is not threading.Condition.wait.__code__:
            pass
        # The system hands the signal to this thread, so the wait of the main thread is not cut short.
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        if not noticed.wait(5):
            never.set_result(None)

    thread = Thread(target=interrupt)
    thread.start()
    with Interrupts().signals():
        begins.set()
        with pytest.raises(Interrupted):
            result_of(never)
    noticed.set()
    thread.join()
    assert not never.done()
