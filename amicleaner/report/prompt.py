"""The answer to a question, from a terminal or from a pipe."""

from __future__ import annotations

import io
import os
import select
from collections.abc import Callable
from typing import IO

from ..errors import InputEnded
from .terminal import is_terminal

LOOK = 0.2
"""Seconds between two looks whether a signal has come.  One that comes just before the system's `read` begins wakes nobody:
without the looks it would be handled only after the answer."""

LONGEST = 65536
"""Bytes: nobody types so much, and what follows is not read."""


class Prompt:
    """Reads one line for each question.  `talk` is where the question stands: its line is ended there, so that what is said
    next begins a line of its own."""

    def __init__(self, stdin: IO[str] | None, talk: IO[str] | None) -> None:
        self._stdin = stdin
        self._talk = talk
        self._ahead = b""

    def read(self, ask: Callable[[], None] = lambda: None) -> bool:
        """`y` or `yes` in any case is a yes, all else a no.  Raises InputEnded where there is no answer to read.

        `ask` puts the question; an interruption that comes with it ends its line too.
        """
        answer = b""
        try:
            ask()
            answer = self._line()
        finally:
            # The Return key has ended the line already, if it was echoed to where the question stands.
            echoed = answer.endswith(b"\n") and is_terminal(self._stdin) and is_terminal(self._talk)
            if self._talk is not None and not echoed:
                self._talk.write("\n")
                self._talk.flush()
        if not answer:
            raise InputEnded(
                "No confirmation given (standard input is closed or not a terminal). Nothing was deleted. "
                "Use --force-delete to skip the prompt."
            )
        return answer.strip().lower() in (b"y", b"yes")

    def _line(self) -> bytes:
        """One line with its end, or nothing.  Bytes, so that what can't be decoded is an answer too: a no."""
        if self._stdin is None:
            return b""
        try:
            number = _number(self._stdin)
            if number is not None:
                return self._line_of(number)
            buffer = getattr(self._stdin, "buffer", None)
            if buffer is not None:
                return bytes(buffer.readline())
            return self._stdin.readline().encode("utf-8", "replace")
        except UnicodeDecodeError:
            return b"?\n"
        except (OSError, ValueError):
            # Closed, or a terminal that a job in the background may not read.
            return b""

    def _line_of(self, number: int) -> bytes:
        while b"\n" not in self._ahead and len(self._ahead) < LONGEST:
            if not select.select([number], [], [], LOOK)[0]:
                continue
            read = os.read(number, LONGEST)
            if not read:
                break
            self._ahead += read
        line, end, self._ahead = self._ahead.partition(b"\n")
        return line + end


def _number(stream: IO[str]) -> int | None:
    """The system's number of a stream that can be waited for; None for one that lives in this process alone."""
    try:
        number = stream.fileno()
        select.select([number], [], [], 0)
    except (AttributeError, io.UnsupportedOperation, OSError, ValueError):
        return None
    return number
