"""A system that gives out: nobody reads, the disk is full, no thread is left.  The run ends, and loses nothing that it
knows."""

from __future__ import annotations

import threading

import pytest

from amicleaner.errors import AmicleanerError
from amicleaner.models import Target
from amicleaner.result import Result
from tests.flows.flow import Flow, Listening, removed


class Unheard(Listening):
    """Nothing can be said any more once the first AMI went."""

    def __init__(self, error: OSError, *, at_the_end: bool = False) -> None:
        super().__init__()
        self.error = error
        self.at_the_end = at_the_end
        self.result: Result | None = None

    def deregistered(self, target: Target, ami: str) -> None:
        raise self.error

    def finished(self, result: Result) -> None:
        self.result = result
        if self.at_the_end:
            raise self.error


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_reader_that_goes_ends_the_run_and_the_end_is_told(flow: Flow, at_the_end: bool) -> None:
    flow.several(3)
    view = Unheard(BrokenPipeError(), at_the_end=at_the_end)
    result = flow.clean(view)
    assert (result.exit_status, len(flow.home.images)) == (1, 0)  # all three were under way
    assert view.result is not None
    assert removed(result) == removed(view.result) == set(flow.changes())


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_full_disk_ends_the_run_and_the_end_is_told(flow: Flow, at_the_end: bool) -> None:
    flow.several(3)
    view = Unheard(OSError(28, "No space left on device"), at_the_end=at_the_end)
    with pytest.raises(OSError, match="No space left on device"):
        flow.clean(view)
    assert view.result is not None
    assert removed(view.result) == set(flow.changes())
    assert len(flow.changes()) == 3


@pytest.mark.parametrize("threads", ["place", "call", "delete", "again"])
def test_a_system_without_a_thread_left(flow: Flow, monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    flow.several(3)
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith(threads):
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    if threads in ("place", "call"):
        with pytest.raises(AmicleanerError, match="no more threads"):
            flow.clean()
    else:
        result = flow.asks(lambda: None)
        assert result.exit_status == 1
        assert "no more threads" in result.problems[0]
        assert removed(result) == set()
    assert flow.changes() == []
