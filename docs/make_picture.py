"""Draws `docs/session.svg`: the program itself at a terminal, up to its question.

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
from html import escape
from pathlib import Path

PICTURE = Path(__file__).with_name("session.svg")
ARGUMENTS = ("--demo", "--keep-previous", "2")
COLUMNS = 83
"""So wide that the line on what goes and what stays breaks in front of the latter."""

QUESTION = "[y/N] ? : "
PATIENCE = 60.0

CELL, ROW, SIZE, PAD, TOP = 8.4, 19, 14, 16, 30
"""Pixels: a letter's width, a row's height, the letters' size, the margin, the first row's base line."""

NOTES = (
    ("| back.dev ", "5 AMIs in each group: the newest 2 stay, 3 go"),
    ("| no-tags ", "belongs to no group: listed, never removed"),
    ("9 AMIs stay", "the reasons"),
    ("Do you want", "nothing goes without a yes"),
)
"""A remark beside the first row that starts so: drawn, not printed by the program."""


@dataclass(frozen=True)
class Cell:
    """A letter as the terminal shows it."""

    text: str = " "
    style: str = ""


STYLES = {"1": "bold", "32": "green", "31": "red"}
SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m|\x1b\(B|([\r\n])|([^\x1b])")


def picture() -> str:
    """The file as it should be today."""
    return draw(rows_of(session()))


def session() -> str:
    """All that a terminal is sent up to the question."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AMICLEANER_", "NO_COLOR"))}
    process = subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-m", "amicleaner", *ARGUMENTS],
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
        while QUESTION.encode() not in shown and select.select([master], [], [], max(0.0, end - time.monotonic()))[0]:
            shown += os.read(master, 65536)
    except OSError:
        pass  # Linux's word for: the program has ended
    finally:
        process.kill()
        process.wait()
        os.close(master)
    if QUESTION.encode() not in shown:
        raise SystemExit(f"No question came:\n{shown.decode()}")
    return shown.decode()


def rows_of(shown: str) -> list[list[Cell]]:
    """What stands on the screen: long lines wrapped, overwritten ones as they are in the end."""
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
.green {{ fill: #7ee787; }}
.red {{ fill: #ff7b72; }}
.dim {{ fill: #8b949e; }}
.note {{ font: italic 14px system-ui, 'DejaVu Sans', sans-serif; fill: #e3b341; }}
"""


def draw(rows: list[list[Cell]]) -> str:
    """The screen as SVG."""
    command = " ".join(("amicleaner", *ARGUMENTS))
    lines = [[Cell("$", "dim"), Cell(), *(Cell(letter, "bold") for letter in command)], *rows]
    width, height = round(COLUMNS * CELL + 2 * PAD), TOP + len(lines) * ROW + PAD
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" role="img" viewBox="0 0 {width} {height}" {size}>',
        "<title>A session of amicleaner: what goes of each group, what stays and why, and the question</title>",
        f"<style>{STYLE}</style>",
        f'<rect {size} rx="8" fill="#161b22" stroke="#30363d"/>',
    ]
    for number, line in enumerate(lines):
        for start, text, style in _runs(line):
            place = f'x="{PAD + start * CELL:.1f}" y="{_base(number)}" textLength="{len(text) * CELL:.1f}"'
            parts.append(f'<text {place} class="{style or "plain"}">{escape(text, quote=False)}</text>')
    parts += _notes(lines)
    x = PAD + len(lines[-1]) * CELL
    parts += [f'<rect x="{x:.1f}" y="{_base(len(lines) - 1) - SIZE + 1}" width="{CELL}" height="{ROW - 2}" fill="#d4d8de"/>']
    return "\n".join([*parts, "</svg>", ""])


def _base(number: int) -> int:
    return TOP + number * ROW


def _runs(line: list[Cell]) -> list[tuple[int, str, str]]:
    """(column, text, style) of each stretch of one style; spaces at its end are nothing to draw."""
    runs: list[tuple[int, str, str]] = []
    for column, cell in enumerate(line):
        if runs and runs[-1][2] == cell.style:
            runs[-1] = (runs[-1][0], runs[-1][1] + cell.text, cell.style)
        else:
            runs.append((column, cell.text, cell.style))
    return [(column, text.rstrip(), style) for column, text, style in runs if text.strip()]


def _notes(lines: list[list[Cell]]) -> list[str]:
    """The remarks, each behind the end of its row."""
    texts = text_of(lines)
    found = []
    for start, note in NOTES:
        number = next((number for number, text in enumerate(texts) if text.startswith(start)), None)
        if number is None:
            raise SystemExit(f"No row starts with {start!r}: look at NOTES.")
        x = PAD + (len(lines[number]) + 3) * CELL
        found.append(f'<text class="note" x="{x:.1f}" y="{_base(number)}">← {escape(note)}</text>')
    return found


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
