from __future__ import annotations

import io

import pytest

from amicleaner.report.printer import Progress
from tests.virtual_time import Time

from .accounts import FakeTerminal


def test_it_is_drawn_ten_times_a_second_at_most_and_goes_away() -> None:
    stream, time = FakeTerminal(), Time()
    progress = Progress(stream, {"TERM": "xterm"}, time.clock)
    time.sleep(1)
    progress.show("Scanning: 100 AMIs")
    time.sleep(0.09)
    progress.show("never seen")
    time.sleep(0.02)
    progress.show("Reading")
    assert stream.getvalue() == "\rScanning: 100 AMIs\rReading           "
    progress.clear()
    progress.clear()
    assert stream.getvalue().endswith("\r       \r")
    assert stream.getvalue().count("\r") == 4


def test_what_is_over_in_a_second_needs_none() -> None:
    stream, time = FakeTerminal(), Time()
    progress = Progress(stream, {"TERM": "xterm"}, time.clock)
    time.sleep(0.9)
    progress.show("x")
    time.sleep(1)
    progress.begin()
    progress.show("x")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "stream, environ",
    [
        (io.StringIO(), {"TERM": "xterm"}),
        (FakeTerminal(), {"TERM": "dumb"}),
        (FakeTerminal(), {}),
        (None, {"TERM": "xterm"}),
    ],
)
def test_it_is_for_terminals_alone(stream: io.StringIO | None, environ: dict[str, str]) -> None:
    time = Time()
    progress = Progress(stream, environ, time.clock)
    time.sleep(2)
    progress.show("x")
    progress.clear()
    assert stream is None or stream.getvalue() == ""


def test_it_is_one_line_and_safe() -> None:
    stream, time = FakeTerminal(), Time()
    progress = Progress(stream, {"TERM": "xterm"}, time.clock)
    time.sleep(1)
    progress.show("\x1b" + "x" * 200)
    assert stream.getvalue() == "\r\\x1b" + "x" * 74 + "…"


def test_a_terminal_that_went_away_stops_nothing() -> None:
    class Gone(FakeTerminal):
        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    time = Time()
    progress = Progress(Gone(), {"TERM": "xterm"}, time.clock)
    for _ in range(2):
        time.sleep(1)
        progress.show("x")
    progress.clear()
