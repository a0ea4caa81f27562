"""Whichever call fails, and however: nothing outside the plan is deleted, the report is true, a second run finishes the
work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_aws import serve
from tests.fault_injection.scene import OPTIONS, Scene, check, scene
from tests.fault_injection.table import COLUMNS, PAGE, ROWS, SAMPLE, Cell, Row, line_of, page, seen_of

pytestmark = pytest.mark.once

LINES = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][2:]


@pytest.fixture
def made() -> Iterator[Scene]:
    with scene() as made:
        yield made


@pytest.mark.faults
def test_the_page_has_every_row_and_explains_every_word() -> None:
    assert len(LINES) == len(ROWS)
    assert page(LINES) == PAGE.read_text("utf-8"), "run: python -m tests.fault_injection"


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
def test_a_failure(cell: Cell) -> None:
    word = LINES[ROWS.index(cell.row)].split(" | ")[1 + COLUMNS.index(cell.column)]
    assert seen_of(cell) == word.removesuffix(" |")


@pytest.mark.faults
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_failure(row: Row) -> None:
    assert line_of(row) in LINES


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
