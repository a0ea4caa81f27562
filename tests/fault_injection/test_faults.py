"""Whichever call fails, and however: nothing outside the plan is deleted, the report is true, a second run finishes the
work."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.fake_aws import serve
from tests.fault_injection.scene import OPTIONS, Scene, check
from tests.fault_injection.table import CELLS, COLUMNS, PAGE, ROWS, SAMPLE, WORDS, Cell, outcome, page

pytestmark = pytest.mark.once


@cache
def on_the_page() -> dict[Cell, str]:
    """What the page says was seen."""
    lines = re.findall(r"^\| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)[2:]
    words = [line.split(" | ")[1:] for line in lines]
    return {
        Cell(row, column): word
        for row, cells in zip(ROWS, words, strict=True)
        for column, word in zip(COLUMNS, cells, strict=True)
    }


@pytest.mark.faults
def test_the_page_has_every_cell_and_explains_every_word() -> None:
    assert page(on_the_page()) == PAGE.read_text("utf-8"), "run: python -m tests.fault_injection"


def test_a_run_without_faults_makes_every_call_of_the_table_and_no_other(made: Scene) -> None:
    seen = made.run()
    check(made, seen)
    assert (seen.status, seen.result and seen.result.warnings) == (0, ())
    assert made.gone == made.go.amis | made.go.snapshots | made.go.orphans
    called = {call.action for call in made.flow.fake_aws.calls.records}
    assert called == {row.action for row in ROWS}
    paged = {call.action for call in made.flow.fake_aws.calls.records if call.page == 2}
    assert paged == {row.action for row in ROWS if row.when == "page"}


@pytest.mark.parametrize("cell", SAMPLE, ids=str)
def test_a_failure(made: Scene, cell: Cell) -> None:
    assert outcome(cell, made) in WORDS


@pytest.mark.faults
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_failure(made: Scene, cell: Cell) -> None:
    assert outcome(cell, made) == on_the_page()[cell]


def test_a_role_that_cannot_be_renewed_never_advises_to_skip_a_check(made: Scene) -> None:
    made.fault("AssumeRole", "again", "refuse", code="AccessDenied", times=None)
    seen = made.run()
    check(made, seen)
    assert seen.result
    [problem] = seen.result.problems
    assert problem.startswith("sts:AssumeRole failed in account ")
    assert "--skip-check" not in problem


SILENT = ("DescribeImages", "DescribeInstances", "DescribeImageReferences", "DeregisterImage", "DeleteSnapshot")


@pytest.mark.faults
@pytest.mark.parametrize("action", SILENT)
@pytest.mark.parametrize("kind", ["hang", "hang-after"])
def test_no_call_waits_longer_than_its_time_limit(made: Scene, action: str, kind: str) -> None:
    """Over a socket, with real seconds."""
    made.flow.fake_aws.pager.first_cap = None
    with serve(made.flow.fake_aws) as served:
        made.flow.direct(served.url)
        made.fault(action, "deleting" if action == "DeregisterImage" else "reading", kind, times=2)
        made.flow.patch.setitem(OPTIONS, "read_timeout", 0.4)
        seen = made.run()
        assert (seen.error, seen.status) == (None, 0)
        check(made, seen)
        made.second()
