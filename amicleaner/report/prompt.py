"""The answer to a prompt, from a terminal or from a pipe."""

import io
import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from ..errors import InputEnded
from ..interrupts import LOOK
from .terminal import is_terminal

LONGEST = 65536
"""Bytes: no answer is longer, and the rest is not read."""


@dataclass(slots=True)
class Prompt:
    """Reads one line per prompt.  `messages` is the stream of the prompt: its line is ended there, so that the next message
    begins a line of its own."""

    stdin: IO[str] | None
    messages: IO[str] | None
    _ahead: bytes = b""

    def read(self, ask: Callable[[], None] = lambda: None) -> bool:
        """Whether the answer is `y` or `yes`, in any case.  Raises InputEnded if there is no answer to read.

        `ask` writes the prompt; an interruption during it ends its line too.
        """
        answer = b""
        try:
            ask()
            answer = self._line()
        finally:
            # The Return key has ended the line already, if it was echoed to the stream of the prompt.
            echoed = answer.endswith(b"\n") and is_terminal(self.stdin) and is_terminal(self.messages)
            if self.messages is not None and not echoed:
                self.messages.write("\n")
                self.messages.flush()
        if not answer:
            raise InputEnded("No confirmation given (standard input is closed or not a terminal).")
        return answer.strip().lower() in (b"y", b"yes")

    def _line(self) -> bytes:
        """One line with its end, or nothing.  Bytes, so that what can't be decoded is an answer too: a no."""
        if self.stdin is None:
            return b""
        try:
            number = _number(self.stdin)
            return self.stdin.readline().encode("utf-8", "replace") if number is None else self._line_of(number)
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
