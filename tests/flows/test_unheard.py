"""What can't be said, because a reader went away or a disk is full: the run ends, and loses nothing that it knows."""

from __future__ import annotations

import pytest

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
