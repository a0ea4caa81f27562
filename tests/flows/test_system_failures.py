"""What happens when the system fails: nobody reads the output, the disk is full, no thread can be started."""

from __future__ import annotations

import threading

import pytest

from amicleaner.config import Config
from amicleaner.errors import AmicleanerError, describe
from amicleaner.interrupts import Interrupts
from amicleaner.models import AmiResult
from amicleaner.result import Result
from amicleaner.run import clean
from tests.flows.flow import Flow, Listening, removed


class FailingOutput(Listening):
    """Writing fails once the first AMI was deregistered."""

    def __init__(self, error: OSError, *, at_the_end: bool = False) -> None:
        super().__init__()
        self.error = error
        self.at_the_end = at_the_end
        self.result: Result | None = None

    def ami_done(self, result: AmiResult) -> None:
        raise self.error

    def finished(self, result: Result) -> None:
        self.result = result
        if self.at_the_end:
            raise self.error


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_closed_pipe_ends_the_run_and_the_view_hears_the_end(flow: Flow, at_the_end: bool) -> None:
    flow.several(3)
    view = FailingOutput(BrokenPipeError(), at_the_end=at_the_end)
    result = flow.clean(view)
    assert (result.exit_status, len(flow.home.images)) == (1, 2)  # the first goes alone
    assert view.result is not None
    assert removed(result) == removed(view.result) == set(flow.changes())


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_full_disk_ends_the_run_and_the_view_hears_the_end(flow: Flow, at_the_end: bool) -> None:
    flow.several(3)
    view = FailingOutput(OSError(28, "No space left on device"), at_the_end=at_the_end)
    with pytest.raises(OSError, match="No space left on device"):
        flow.clean(view)
    assert view.result is not None
    assert removed(view.result) == set(flow.changes())
    assert len(flow.changes()) == 1


def test_a_terminal_that_is_lost_ends_the_run_by_its_signal(flow: Flow) -> None:
    """Whichever comes first: the output that breaks, or SIGHUP."""
    flow.several(3)
    interrupts = Interrupts()
    view = FailingOutput(OSError(5, "Input/output error"))
    flow.patch.setattr(view, "finished", lambda result: interrupts.interrupt(129))
    result = clean(Config(keep_previous=0, force_delete=True), view=view, clock=flow.time.clock, interrupts=interrupts)
    assert (result.exit_status, removed(result)) == (129, set(flow.changes()))


@pytest.mark.parametrize(
    "threads, started", [("location", 0), ("call", 0), ("change", 0), ("change", 1), ("change", 3), ("recheck", 0)]
)
def test_a_system_without_threads_is_reported_as_that(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, threads: str, started: int
) -> None:
    """Before anything is changed, however many threads there are."""
    flow.several(3)
    begin, left = threading.Thread.start, iter(range(started))

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith(threads) and next(left, None) is None:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    try:
        told = "\n".join(flow.asks(lambda: None).problems)
    except (AmicleanerError, RuntimeError) as error:
        told = describe(error)
    assert "Can't start new threads" in told
    assert flow.changes() == []
