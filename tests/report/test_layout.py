from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from wcwidth import wcswidth, wcwidth

from amicleaner.report.layout import Column, table
from amicleaner.report.sanitize import columns, escape_control, wrap

from .accounts import hostile

ID, NAME, DATE = "ami-0123456789abcdef0", "a-rather-long-name-of-an-image", "2017-06-15T09:55:42.000Z"
COLUMNS = (Column("AMI ID"), Column("AMI Name", 8), Column("Creation Date", 13))
WIDTHS = (40, 60, 80, 100, 200)


def test_without_a_width_each_row_is_a_line() -> None:
    assert table(COLUMNS, [[ID, "x" * 300, DATE]]).splitlines()[3] == f"| {ID} | {'x' * 300} | {DATE} |"


def test_what_fits_stays_as_it_is() -> None:
    assert table(COLUMNS, [[ID, "front", DATE]], 80) == table(COLUMNS, [[ID, "front", DATE]])


def test_a_narrow_table_wraps_names_and_dates_where_they_have_joints_and_ids_never() -> None:
    assert table(COLUMNS, [[ID, NAME, DATE]], 60).splitlines() == [
        "+-----------------------+----------------+---------------+",
        "| AMI ID                | AMI Name       | Creation Date |",
        "+-----------------------+----------------+---------------+",
        f"| {ID} | a-rather-long- | 2017-06-15T   |",
        "|                       | name-of-an-    | 09:55:42.000Z |",
        "|                       | image          |               |",
        "+-----------------------+----------------+---------------+",
    ]


def test_a_row_that_fits_in_no_table_becomes_a_block_without_its_empty_cells() -> None:
    assert table(COLUMNS, [[ID, "", DATE], [ID, NAME * 2, ""]], 50).splitlines() == [
        f"AMI ID: {ID}",
        f"    Creation Date: {DATE}",
        f"AMI ID: {ID}",
        "    AMI Name: a-rather-long-name-of-an-imagea-",
        "        rather-long-name-of-an-image",
    ]


def test_an_optional_column_goes_before_anything_wraps() -> None:
    optional = (COLUMNS[0], Column("AMI Name", 8, optional=True), COLUMNS[2])
    assert "AMI Name" not in table(optional, [[ID, NAME, DATE]], 60)
    assert "AMI Name" in table(optional, [[ID, NAME, DATE]], 100)


ROWS = [["kept", "1"], ["gone", "2"], ["gone too", "3"]]
TWO = (Column("What", 4), Column("No.", right=True))


def test_a_cut_is_a_line_and_what_follows_has_the_style() -> None:
    assert table(TWO, ROWS, cut=0, style=lambda line: f"<{line}>").splitlines() == [
        "+----------+-----+",
        "| What     | No. |",
        "+----------+-----+",
        "| kept     |   1 |",
        "+----------+-----+",
        "<| gone     |   2 |>",
        "<| gone too |   3 |>",
        "+----------+-----+",
    ]
    assert table(TWO, ROWS, 9, cut=0, style=str.upper).splitlines() == [
        "What: kept",
        "    No.: 1",
        "-" * 20,
        "WHAT: GONE",
        "    NO.: 2",
        "WHAT: GONE TOO",
        "    NO.: 3",
    ]


def test_a_cell_that_looks_like_a_border_is_none() -> None:
    drawn = table(TWO, [["+-", "1"], ["x", "2"]], cut=0, style=str.upper)
    assert "| X " in drawn


def test_numbers_are_aligned_right() -> None:
    assert "|  1 |" in table((Column("of", right=True),), [["1"], ["10"]])


@pytest.mark.parametrize(
    "text, lines",
    [
        ("instance i-0123456789abcdef0 (running)", ["instance", "i-0123456789abcdef0", "(running)"]),
        ("x" * 25, ["x" * 20, "x" * 5]),
        ("日" * 12, ["日" * 10, "日" * 2]),
        ("", [""]),
    ],
)
def test_wrap(text: str, lines: list[str]) -> None:
    assert wrap(text, 20) == lines


@given(hostile.map(escape_control), st.integers(1, 30))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(columns(line) <= max(width, 2) for line in lines)


@given(st.lists(st.tuples(hostile, hostile), min_size=1, max_size=4), st.sampled_from(WIDTHS))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str]], width: int) -> None:
    # Python and prettytable may know different years of Unicode: the newest letters are as wide as each believes.
    assume(all(columns(char) == wcwidth(char) for row in rows for cell in row for char in escape_control(cell)))
    drawn = table(COLUMNS, [[ID, name, date] for name, date in rows], width)
    assert all(wcswidth(line) <= width for line in drawn.splitlines())


@given(st.lists(st.tuples(hostile, hostile), min_size=1, max_size=4))
def test_in_a_pipe_there_are_as_many_lines_as_rows(rows: list[tuple[str, str]]) -> None:
    assert len(table(COLUMNS, [[ID, name, date] for name, date in rows]).split("\n")) == len(rows) + 4


def test_right_to_left_letters_do_not_move_the_columns_behind_them() -> None:
    assert "שלום\u200e " in table(COLUMNS, [[ID, "שלום", DATE]], 80)
    assert "\u200e" not in table(COLUMNS, [[ID, "שלום", DATE]])
    assert "\u200e" not in table(COLUMNS, [[ID, "שלום\u200e", DATE]])
