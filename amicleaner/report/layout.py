"""A table that fits: on a narrow terminal the cells that may wrap do, and where even that is too wide each row becomes a
block of lines.  Without a width (a pipe) every row is one line, so that scripts can parse it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from unicodedata import bidirectional

from prettytable import PrettyTable

from .sanitize import columns, escape_control, wrap
from .terminal import plain

_BORDERS = 3
"""What a column takes in addition to its text: a border and two spaces (and one border more at the end)."""

_CUT = "-" * 20
"""Between blocks."""


@dataclass(frozen=True, slots=True)
class Column:
    """`minimum` is how narrow it may get, though never narrower than its title; None: it never wraps (ids and numbers, which
    people copy).  An `optional` one is left out where the others fit without it."""

    title: str
    minimum: int | None = None
    right: bool = False
    optional: bool = False


def table(
    columns_: Sequence[Column],
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    *,
    cut: int | None = None,
    style: Callable[[str], str] = plain,
) -> str:
    """The rows, in their order, as a table of at most `width` columns.  Cells may hold anything.

    `cut` is the index of a row below which there is a line.  The rows below it are in `style`.
    """
    cells = [[escape_control(cell) for cell in row] for row in rows]
    if width is None:
        return _draw(columns_, cells, cut, style)
    natural = [max(map(columns, (column.title, *(row[index] for row in cells)))) for index, column in enumerate(columns_)]
    everything = list(range(len(columns_)))
    needed = [index for index in everything if not columns_[index].optional]
    floors = [
        wide if column.minimum is None else min(max(column.minimum, len(column.title)), wide)
        for column, wide in zip(columns_, natural, strict=True)
    ]
    for narrowest in (natural, floors):
        for shown in (everything, needed):
            available = width - 1 - _BORDERS * len(shown)
            if sum(narrowest[index] for index in shown) <= available:
                widths = _fit([natural[index] for index in shown], [floors[index] for index in shown], available)
                wrapped = [
                    ["\n".join(map(_anchor, wrap(row[index], limit))) for index, limit in zip(shown, widths, strict=True)]
                    for row in cells
                ]
                return _draw([columns_[index] for index in shown], wrapped, cut, style)
    return _blocks(columns_, cells, width, cut, style)


def _draw(columns_: Sequence[Column], cells: Sequence[Sequence[str]], cut: int | None, style: Callable[[str], str]) -> str:
    drawn = PrettyTable([column.title for column in columns_])
    for column in columns_:
        drawn.align[column.title] = "r" if column.right else "l"
    for index, row in enumerate(cells):
        drawn.add_row(list(row), divider=index == cut)
    lines = drawn.get_string().split("\n")
    borders = [number for number, line in enumerate(lines) if line.startswith("+-")]
    # Two borders are around the heads, and the third is the cut or the end.
    return "\n".join(
        style(line) if number > borders[2] and number not in borders else line for number, line in enumerate(lines)
    )


def _fit(natural: Sequence[int], floors: Sequence[int], available: int) -> list[int]:
    """Widths that fit, taken from the widest column that may give way.  The `floors` fit, so this ends."""
    widths = list(natural)
    while sum(widths) > available:
        widest = max((index for index, floor in enumerate(floors) if widths[index] > floor), key=lambda index: widths[index])
        widths[widest] -= 1
    return widths


def _blocks(
    columns_: Sequence[Column],
    cells: Sequence[Sequence[str]],
    width: int,
    cut: int | None,
    style: Callable[[str], str],
) -> str:
    """One line for each cell that holds something, the first of a row at the margin; long ones go on further in."""
    lines = []
    for number, row in enumerate(cells):
        shown = style if cut is not None and number > cut else plain
        for index, (column, cell) in enumerate(zip(columns_, row, strict=True)):
            if not cell and index:
                continue
            indent = "    " if index else ""
            first, *more = wrap(f"{column.title}: {cell}", max(width - 8, 20))
            lines.append(shown(indent + _anchor(first)))
            lines += [shown(f"        {_anchor(line)}") for line in more]
        if number == cut:
            lines.append(_CUT)
    return "\n".join(lines)


def _anchor(text: str) -> str:
    """Keeps a terminal that reorders right-to-left letters from moving the columns behind them."""
    moves = not text.isascii() and any(bidirectional(char) in ("R", "AL", "AN") for char in text)
    return text + "\N{LEFT-TO-RIGHT MARK}" if moves else text
