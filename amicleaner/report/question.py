"""The answer to a question, from a terminal or from a pipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

from ..errors import InputEnded
from .terminal import is_terminal


class Answers:
    """Reads one line for each question.  `talk` is where the question stands: its line is ended there, so that what is said
    next begins a line of its own."""

    def __init__(self, stdin: IO[str] | None, talk: IO[str] | None) -> None:
        self._stdin = stdin
        self._talk = talk

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
            raise InputEnded("The input ended at the question, which counts as a no; --force-delete asks no question.")
        return answer.strip().lower() in (b"y", b"yes")

    def _line(self) -> bytes:
        """One line with its end, or nothing.  Bytes, so that what can't be decoded is an answer too: a no."""
        if self._stdin is None:
            return b""
        try:
            buffer = getattr(self._stdin, "buffer", None)
            if buffer is not None:
                return bytes(buffer.readline())
            return self._stdin.readline().encode("utf-8", "replace")
        except UnicodeDecodeError:
            return b"?\n"
        except (OSError, ValueError):
            # Closed, or a terminal that a job in the background may not read.
            return b""
