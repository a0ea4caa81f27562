"""Draws `docs/session.svg`: the program itself at a terminal, up to its prompt, at a fixed time.

Run it after a change of what the program shows:  python docs/make_picture.py
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

PICTURE = Path(__file__).with_name("session.svg")
ARGUMENTS = ("--demo", "tour", "--region", "eu-west-1")
NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
"""The time of the run. The demo's dates, names and ids follow from it, so the picture is the same on every day."""

COLUMNS = 100
PROMPT = "[y/N] ? : "
PATIENCE = 60.0

CELL, ROW, SIZE, PAD, TOP = 8.4, 18, 14, 16, 30
"""Pixels: width of a letter, height of a row, size of the letters, margin, base line of the first row."""

NOTES = (
    ("Account 1", "where AMIs would be deleted"),
    ("| prod.web", "of 19 AMIs, 5 are deleted"),
    ("| no-tags", "in no group: never deleted"),
    ("To be deleted", "each one by name, with its age and real size"),
    ("Do you want", "nothing is deleted without a y"),
)
"""A note at the end of the first row that starts like this. The picture adds it; the program does not print it."""

RUN_AT = """
import sys
from dataclasses import replace
from datetime import datetime
from amicleaner import clock

now = datetime.fromisoformat(sys.argv[1])
clock.SYSTEM_CLOCK = replace(clock.SYSTEM_CLOCK, now=lambda: now)

from amicleaner.cli import main

main(sys.argv[2:])
"""
"""The command at the time of its first argument."""


@dataclass(frozen=True)
class Cell:
    """A letter as the terminal shows it."""

    text: str = " "
    style: str = ""


STYLES = {"1": "bold", "31": "red", "33": "yellow"}
SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m|\x1b\(B|([\r\n])|([^\x1b])")


def picture() -> str:
    """The file as it should be."""
    return draw(rows_of(session()))


def session() -> str:
    """Everything that the program sends to a terminal up to its prompt. Raises SystemExit if the prompt does not come."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AMICLEANER_", "NO_COLOR"))}
    process = subprocess.Popen(  # noqa: S603 - the program itself
        [sys.executable, "-c", RUN_AT, NOW.isoformat(), *ARGUMENTS],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**environment, "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    end = time.monotonic() + PATIENCE
    try:
        while PROMPT.encode() not in shown and select.select([master], [], [], max(0.0, end - time.monotonic()))[0]:
            shown += os.read(master, 65536)
    except OSError:
        pass  # On Linux: the program has ended.
    finally:
        process.kill()
        process.wait()
        os.close(master)
    if PROMPT.encode() not in shown:
        raise SystemExit(f"No prompt came:\n{shown.decode()}")
    return shown.decode()


def rows_of(shown: str) -> list[list[Cell]]:
    """The screen, row by row: long lines wrapped, overwritten ones as they are in the end."""
    rows: list[list[Cell]] = [[]]
    column, style = 0, ""
    for sgr, move, letter in SEQUENCE.findall(shown):
        if move == "\r":
            column = 0
        elif move == "\n":
            rows.append([])
        elif letter:
            if column == COLUMNS:
                rows.append([])
                column = 0
            row = rows[-1]
            row.extend([Cell()] * (column + 1 - len(row)))
            row[column] = Cell(letter, style)
            column += 1
        else:
            style = " ".join(STYLES[number] for number in sgr.split(";") if number in STYLES)
    for row in rows[:-1]:
        while row and row[-1].text == " ":
            row.pop()
    return rows


def text_of(rows: list[list[Cell]]) -> list[str]:
    """The rows without styles."""
    return ["".join(cell.text for cell in row).rstrip() for row in rows]


STYLE = f"""
text {{ font: {SIZE}px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d4d8de; }}
.bold {{ font-weight: bold; fill: #ffffff; }}
.red {{ fill: #ff7b72; }}
.yellow {{ fill: #e3b341; }}
.dim {{ fill: #8b949e; }}
.note {{ font: italic 14px system-ui, 'DejaVu Sans', sans-serif; fill: #79c0ff; }}
"""


def draw(rows: list[list[Cell]]) -> str:
    """The screen as SVG."""
    command = " ".join(("amicleaner", *ARGUMENTS))
    lines = [[Cell("$", "dim"), Cell(), *(Cell(letter, "bold") for letter in command)], *rows]
    width, height = round(COLUMNS * CELL + 2 * PAD), TOP + len(lines) * ROW
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" {size}>',
        "<title>A session of amicleaner: which AMIs would be deleted, why the others are kept, and the prompt</title>",
        f"<style>{STYLE}</style>",
        f'<rect {size} rx="8" fill="#161b22" stroke="#30363d"/>',
    ]
    for number, line in enumerate(lines):
        for start, text, style in _runs(line):
            position = f'x="{PAD + start * CELL:.1f}" y="{_base(number)}" textLength="{len(text) * CELL:.1f}"'
            parts.append(f'<text {position} class="{style or "plain"}">{_drawn(text)}</text>')
    parts += _notes(lines)
    x = PAD + len(lines[-1]) * CELL
    parts += [f'<rect x="{x:.1f}" y="{_base(len(lines) - 1) - SIZE + 1}" width="{CELL}" height="{ROW - 1}" fill="#d4d8de"/>']
    return "\n".join([*parts, "</svg>", ""])


def _drawn(text: str) -> str:
    """Browsers draw several spaces as one, unless they are no-break spaces."""
    return escape(text, quote=False).replace(" ", "\N{NO-BREAK SPACE}")


def _base(number: int) -> int:
    return TOP + number * ROW


def _runs(line: list[Cell]) -> list[tuple[int, str, str]]:
    """(column, text, style) of each stretch of one style. Spaces at its end are not drawn."""
    runs: list[tuple[int, str, str]] = []
    for column, cell in enumerate(line):
        if runs and runs[-1][2] == cell.style:
            runs[-1] = (runs[-1][0], runs[-1][1] + cell.text, cell.style)
        else:
            runs.append((column, cell.text, cell.style))
    return [(column, text.rstrip(), style) for column, text, style in runs if text.strip()]


def _notes(lines: list[list[Cell]]) -> list[str]:
    texts = text_of(lines)
    found = []
    for start, note in NOTES:
        number = next((number for number, text in enumerate(texts) if text.startswith(start)), None)
        if number is None:
            raise SystemExit(f"No row starts with {start!r}: look at NOTES.")
        x = PAD + (len(lines[number]) + 3) * CELL
        if x + len(note) * CELL > COLUMNS * CELL + PAD:
            raise SystemExit(f"The note {note!r} is too long for its row.")
        found.append(f'<text class="note" x="{x:.1f}" y="{_base(number)}">← {escape(note)}</text>')
    return found


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
