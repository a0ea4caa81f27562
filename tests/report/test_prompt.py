from __future__ import annotations

import io
import os
import select
from collections.abc import Iterator
from typing import Any

import pytest

from amicleaner.errors import InputEnded
from amicleaner.interrupts import LOOK
from amicleaner.report import prompt
from amicleaner.report.prompt import Prompt

from .accounts import FakeTerminal


def reader(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")


@pytest.mark.parametrize("answer", [b"y\n", b"Y\n", b"yes\n", b"YES\r\n", b" yEs \n", b"y"])
def test_a_yes(answer: bytes) -> None:
    assert Prompt(reader(answer), None).read() is True


@pytest.mark.parametrize("answer", [b"\n", b"n\n", b"no\n", b"yy\n", b"ye\n", b"y e s\n", b"\xff\n", b"\x00\n", b"y\xff\n"])
def test_a_no(answer: bytes) -> None:
    assert Prompt(reader(answer), None).read() is False


def test_each_prompt_reads_its_own_line() -> None:
    answers = Prompt(reader(b"n\ny\n"), None)
    assert [answers.read(), answers.read()] == [False, True]
    with pytest.raises(InputEnded, match="No confirmation given"):
        answers.read()


class Raises:
    """A stream without bytes, whose lines can't be read."""

    def __init__(self, error: BaseException, terminal: bool = False) -> None:
        self.error = error
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def readline(self) -> str:
        raise self.error


def test_a_stream_that_breaks() -> None:
    broken: Any = Raises(OSError(5, "Input/output error"))
    with pytest.raises(InputEnded):
        Prompt(broken, None).read()
    undecodable: Any = Raises(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"))
    assert Prompt(undecodable, None).read() is False


def test_the_end_of_input() -> None:
    closed = io.StringIO()
    closed.close()
    for stdin in (reader(b""), None, closed, io.StringIO("")):
        with pytest.raises(InputEnded):
            Prompt(stdin, None).read()


def test_a_stream_of_text_alone() -> None:
    assert Prompt(io.StringIO("y\n"), None).read() is True
    assert Prompt(io.StringIO("\ud800\n"), None).read() is False


@pytest.mark.parametrize(
    "stdin, messages, ended",
    [
        (reader(b"y\n"), io.StringIO(), True),
        (FakeTerminal("y\n"), io.StringIO(), True),
        (FakeTerminal("y\n"), FakeTerminal(), False),
        (FakeTerminal("y"), FakeTerminal(), True),
    ],
)
def test_the_next_message_begins_a_line(stdin: Any, messages: io.StringIO, ended: bool) -> None:
    Prompt(stdin, messages).read()
    assert messages.getvalue() == ("\n" if ended else "")


def test_the_line_ends_after_the_end_of_input_and_after_ctrl_c() -> None:
    messages = FakeTerminal()
    with pytest.raises(InputEnded):
        Prompt(FakeTerminal(), messages).read()
    assert messages.getvalue() == "\n"

    interrupted: Any = Raises(KeyboardInterrupt(), terminal=True)
    messages = FakeTerminal()
    with pytest.raises(KeyboardInterrupt):
        Prompt(interrupted, messages).read()
    assert messages.getvalue() == "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[io.TextIOWrapper, io.FileIO]]:
    """A pipe: what the program reads, and what its user writes."""
    reads, writes = os.pipe()
    with open(reads, encoding="utf-8") as stdin, open(writes, "wb", buffering=0) as user:
        yield stdin, user


def test_a_pipe_that_stays_open_answers_line_by_line(pipe: tuple[io.TextIOWrapper, io.FileIO]) -> None:
    stdin, user = pipe
    answers = Prompt(stdin, None)
    user.write(b"n\nyes\ny")
    assert [answers.read(), answers.read()] == [False, True]
    user.close()
    assert answers.read() is True
    with pytest.raises(InputEnded):
        answers.read()


def test_what_never_ends_is_a_no(pipe: tuple[io.TextIOWrapper, io.FileIO]) -> None:
    stdin, user = pipe
    user.write(b"y" * prompt.LONGEST)
    assert Prompt(stdin, None).read() is False


def test_a_signal_that_came_just_before_the_reading_is_handled(
    pipe: tuple[io.TextIOWrapper, io.FileIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def look(reads: list[int], *others: Any) -> tuple[list[int], list[int], list[int]]:
        looks.append(others[-1])
        if len(looks) > 3:  # the interpreter calls the handler once it is back in Python
            raise KeyboardInterrupt
        return [], [], []

    monkeypatch.setattr(select, "select", look)
    messages = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        Prompt(pipe[0], messages).read()
    assert looks[1:] == [LOOK] * 3
    assert messages.getvalue() == "\n"
