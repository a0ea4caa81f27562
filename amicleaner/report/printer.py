"""Writes messages, errors, data and progress to their streams, whichever of them exist."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO

from ..clock import Clock
from .layout import wrap
from .progress import Progress
from .sanitize import escape_control_lines
from .terminal import plain, styles_for, width_of


class Printer:
    """`messages` are for people, `errors` for warnings, errors and progress, `data` for machine-readable output.

    Each text is flushed, so that a run that is killed has shown what it did.  What is printed as `text` is made safe here;
    a `block` (a table) is safe already.  Calls return in many threads: a line of progress is never drawn in the middle of
    another thread's text.
    """

    def __init__(
        self,
        messages: IO[str] | None,
        errors: IO[str] | None,
        data: IO[str] | None,
        environ: Mapping[str, str],
        clock: Clock,
        progress: bool,
    ) -> None:
        for stream in (messages, errors, data):
            escape_unencodable(stream)
            set_blocking(stream)
        self._messages, self._errors, self._data = messages, errors, data
        self.styles = styles_for(messages, environ)
        self.error_styles = self.styles if messages is errors else styles_for(errors, environ)
        self.progress = Progress(errors if progress else None, environ, clock)

    @property
    def width(self) -> int | None:
        """The columns of the terminal that shows the messages; None in a pipe."""
        return width_of(self._messages)

    def text(self, text: str, style: Callable[[str], str] = plain) -> None:
        """A message for people, wrapped between words on a terminal.  An empty one is no line."""
        if text:
            self._write(self._messages, style("\n".join(_wrapped(text, self.width))) + "\n")

    def block(self, block: str, style: Callable[[str], str] = plain) -> None:
        """A table, or an empty line."""
        self._write(self._messages, style(block) + "\n")

    def ask(self, prompt: str) -> None:
        """A prompt, which is never wrapped: scripts wait for it."""
        self._write(self._messages, self.styles.bold(prompt))

    def error(self, text: str, style: Callable[[str], str]) -> None:
        """On standard error; only the first line is in `style`."""
        first, *more = _wrapped(text, width_of(self._errors))
        self._write(self._errors, "\n".join([style(first), *more]) + "\n")

    def machine(self, data: str) -> None:
        """Machine-readable output, as it is."""
        self._write(self._data, data)

    def _write(self, stream: IO[str] | None, text: str) -> None:
        with self.progress.lock:
            self.progress.clear()
            if stream is not None:
                stream.write(text)
                stream.flush()


def _wrapped(text: str, width: int | None) -> list[str]:
    lines = escape_control_lines(text).split("\n")
    return lines if width is None else [part for line in lines for part in wrap(line, width)]


def escape_unencodable(stream: IO[str] | None) -> None:
    """A letter that the stream's encoding lacks becomes an escape, where Python would raise."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def set_blocking(stream: IO[str] | None) -> None:
    """Another program may have left a terminal or a pipe in the mode in which a slow reader is an error."""
    with suppress(AttributeError, OSError, ValueError):
        if stream is not None:
            os.set_blocking(stream.fileno(), True)
