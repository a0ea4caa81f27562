"""Ctrl-C, SIGTERM and SIGHUP: at once before anything is changed, in order while something is."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator

import pytest

from amicleaner.interrupts import STATUS, Interrupted, Interrupts


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers from before, whatever a test does to them."""
    before = {number: signal.getsignal(number) for number in STATUS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_exit_status_is_that_of_the_signal() -> None:
    assert {number.name: status for number, status in STATUS.items()} == {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143}


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_ends_a_run_that_changes_nothing_at_once(number: signal.Signals) -> None:
    interrupts = Interrupts()
    with interrupts.signals(), pytest.raises(Interrupted) as raised:
        signal.raise_signal(number)
    assert raised.value.status == interrupts.status == STATUS[number]
    assert interrupts.stop.is_set()


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_in_a_deletion_only_stops_it(number: signal.Signals) -> None:
    interrupts = Interrupts()
    told: list[int] = []
    with interrupts.signals(), interrupts.finishing(on_stop=lambda: told.append(1)):
        signal.raise_signal(number)
    assert (interrupts.status, interrupts.stop.is_set(), told) == (STATUS[number], True, [1])


def test_a_second_signal_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupts = Interrupts()
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", lambda status: ended.append(status))
    with interrupts.signals(), interrupts.finishing():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert ended == [130]
    assert interrupts.status == 143


@pytest.mark.parametrize("stderr, writable", [(None, True), (sys.stderr, False), (sys.stderr, True)])
def test_the_end_of_the_process_waits_for_no_reader(monkeypatch: pytest.MonkeyPatch, stderr: object, writable: bool) -> None:
    interrupts = Interrupts()
    written: list[tuple[int, bytes]] = []
    monkeypatch.setattr(sys, "__stderr__", stderr)
    monkeypatch.setattr(select, "select", lambda *_: ([], [2] if writable else [], []))
    monkeypatch.setattr(os, "write", lambda file, data: written.append((file, data)))
    monkeypatch.setattr(os, "_exit", lambda status: None)
    for _ in range(2):
        with interrupts.signals(), pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
    assert (written == []) is not (stderr is not None and writable)
    assert all(entry == (2, b"\nInterrupted.\n") for entry in written)


def test_after_a_deletion_nobody_is_told_of_a_stop_any_longer() -> None:
    interrupts = Interrupts()
    told: list[int] = []
    with interrupts.finishing(on_stop=lambda: told.append(1)):
        pass
    with pytest.raises(Interrupted):
        interrupts.interrupt(130)
    assert told == []


def test_an_error_in_a_deletion_ends_its_protection() -> None:
    interrupts = Interrupts()
    with pytest.raises(ZeroDivisionError), interrupts.finishing():
        raise ZeroDivisionError
    with pytest.raises(Interrupted):
        interrupts.interrupt(130)


def test_an_ignored_signal_stays_ignored_and_handlers_are_put_back() -> None:
    def own(*_: object) -> None: ...

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, own)
    with Interrupts().signals():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not own
    assert signal.getsignal(signal.SIGTERM) is own


def test_a_protection_inside_another_one_ends_before_it() -> None:
    interrupts = Interrupts()
    told: list[str] = []
    with interrupts.finishing(on_stop=lambda: told.append("outer")):
        with interrupts.finishing(on_stop=lambda: told.append("inner")):
            pass
        interrupts.interrupt(130)
    assert told == ["outer"]
