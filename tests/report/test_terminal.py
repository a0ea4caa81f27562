from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from typing import IO

import pytest

from amicleaner.report.terminal import PLAIN, is_terminal, styles_for, width_of

from .accounts import FakeTerminal


@pytest.fixture
def terminal() -> Iterator[IO[str]]:
    """The end of a pseudo-terminal that a program gets."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield stream
    os.close(ours)


def in_a_process(environ: dict[str, str], before: str = "") -> str:
    """What `styles_for` makes of `x` on a real terminal, in a process of its own: curses remembers the first kind."""
    code = f"""
import os, pty, sys
{before}
from amicleaner.report.terminal import styles_for
ours, theirs = pty.openpty()
with os.fdopen(theirs, "w") as stream:
    styles = styles_for(stream, dict(os.environ))
    print(repr([styles.bold("x"), styles.red("x"), styles.yellow("x")]))
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.stderr == ""
    return run.stdout.strip()


AS_IT_IS = "['x', 'x', 'x']"


def test_a_terminal_has_bold_and_colour() -> None:
    shown = in_a_process({"TERM": "xterm-256color", "NO_COLOR": ""})
    assert "\\x1b[1mx" in shown
    assert "\\x1b[31mx" in shown
    assert "\\x1b[33mx" in shown


@pytest.mark.parametrize(
    "environ", [{}, {"TERM": ""}, {"TERM": "dumb"}, {"TERM": "unknown"}, {"TERM": "xterm", "NO_COLOR": "1"}]
)
def test_terminals_without_styles(environ: dict[str, str]) -> None:
    assert styles_for(FakeTerminal(), environ) is PLAIN


@pytest.mark.parametrize("kind", ["no-such-terminal", "\udcff"])
def test_terminals_that_curses_does_not_know_have_no_styles(kind: str) -> None:
    assert in_a_process({"TERM": kind}) == AS_IT_IS


def test_without_curses_there_are_no_styles() -> None:
    assert in_a_process({"TERM": "xterm"}, "sys.modules['curses'] = None") == AS_IT_IS


def test_blessings_is_loaded_only_for_a_terminal() -> None:
    code = """
import io, sys
import amicleaner.report.console
from amicleaner.report.terminal import styles_for
styles_for(io.StringIO(), {"TERM": "xterm"})
styles_for(sys.stdout, {"TERM": "xterm"})
assert not {"blessings", "curses"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, stdout=subprocess.PIPE)


def test_a_stream_without_a_descriptor_is_plain() -> None:
    assert styles_for(FakeTerminal(), {"TERM": "xterm"}).bold("x") in ("x", "\x1b[1mx\x1b(B\x1b[m")
    assert styles_for(io.StringIO(), {"TERM": "xterm"}) is PLAIN
    assert styles_for(None, {"TERM": "xterm"}) is PLAIN


def test_streams_that_are_none() -> None:
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(None)
    assert not is_terminal(closed)
    assert not is_terminal(io.StringIO())
    assert width_of(None) is None
    assert width_of(io.StringIO()) is None
    assert width_of(FakeTerminal()) is None


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_width_of_a_terminal(terminal: IO[str], columns: int) -> None:
    assert is_terminal(terminal)
    assert width_of(terminal) is None, "a terminal that does not say"
    fcntl.ioctl(terminal.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    assert width_of(terminal) == columns
