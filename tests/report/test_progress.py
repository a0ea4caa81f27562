from __future__ import annotations

import io

import pytest

from amicleaner.report.printer import Progress
from tests.virtual_time import Time

from .accounts import FakeTerminal


def test_it_is_drawn_ten_times_a_second_at_most_and_goes_away() -> None:
    stream, time = FakeTerminal(), Time()
    progress = Progress(stream, {"TERM": "xterm"}, time.clock)
    texts = iter(["Scanning: 100 AMIs", "Reading", ""])
    progress.begin(lambda: next(texts), patience=0)
    for seconds in (0.09, 0.02, 1):
        time.sleep(seconds)
        progress.draw()
    assert stream.getvalue() == "\rScanning: 100 AMIs\rReading           "
    progress.clear()
    progress.clear()
    assert stream.getvalue().endswith("\r       \r")
    assert stream.getvalue().count("\r") == 4


def test_what_is_over_in_a_second_needs_none() -> None:
    stream, time = FakeTerminal(), Time()
    progress = Progress(stream, {"TERM": "xterm"}, time.clock)
    for _ in range(2):
        progress.begin(lambda: "x")
        time.sleep(0.9)
        progress.draw()
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
    progress = Progress(stream, environ, Time().clock)
    progress.begin(lambda: "x", patience=0)
    progress.clear()
    assert stream is None or stream.getvalue() == ""


def test_it_is_one_line_and_safe() -> None:
    stream = FakeTerminal()
    Progress(stream, {"TERM": "xterm"}, Time().clock).begin(lambda: "\x1b" + "x" * 200, patience=0)
    assert stream.getvalue() == "\r\\x1b" + "x" * 74 + "…"


def test_a_terminal_that_went_away_stops_nothing() -> None:
    class Gone(FakeTerminal):
        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    progress = Progress(Gone(), {"TERM": "xterm"}, Time().clock)
    for _ in range(2):
        progress.begin(lambda: "x", patience=0)
    progress.clear()
