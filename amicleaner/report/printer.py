"""Writes messages, errors, data and progress to their streams, whichever of them exist."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import TextIOWrapper
from threading import RLock
from typing import IO

from ..clock import Clock
from ..models import CallRecord
from .sanitize import columns, cut, escape_control, safe_lines
from .terminal import MUTE, is_terminal, plain, styles_for, width_of

_INTERVAL = 0.1
"""Seconds between two drawings: faster is not seen, and slows the run on a slow connection."""

_SHOWN = 5.0
"""Seconds for which a throttle is shown."""


class Progress:
    """Draws only on a terminal that says what it is: on others a carriage return may not go back.

    Calls return in many threads: whoever writes anything else to the terminal holds the `lock`.
    """

    def __init__(self, stream: IO[str] | None, environ: Mapping[str, str], clock: Clock) -> None:
        self._stream = stream if is_terminal(stream) and environ.get("TERM", "") not in MUTE else None
        self._clock = clock
        self._drawn = 0
        self._throttled_at = -_SHOWN
        self.lock = RLock()
        self.begin(str)

    def begin(self, doing: Callable[[], str], patience: float = 1.0) -> None:
        """Something new begins, which may be over within `patience` seconds, before anybody wonders.  From now on the line
        is what `doing` returns, if anything."""
        with self.lock:
            self._doing = doing
            self._next = self._clock.monotonic() + patience
            self.draw()

    def called(self, record: CallRecord) -> None:
        """A call came back.  For some seconds the line says that AWS throttles."""
        if record.throttled:
            self._throttled_at = self._clock.monotonic()
        self.draw()

    def draw(self) -> None:
        """Draws the line in place of the last one, unless that was drawn just now."""
        with self.lock:
            now = self._clock.monotonic()
            if self._stream is None or now < self._next or not (text := self._doing()):
                return
            throttled = ", throttled by AWS, retrying" if now - self._throttled_at < _SHOWN else ""
            line = cut(escape_control(text + throttled), (width_of(self._stream) or 80) - 1)
            self._write("\r" + line + " " * (self._drawn - columns(line)))
            self._drawn = columns(line)
            self._next = now + _INTERVAL

    def clear(self) -> None:
        """Clears the line."""
        with self.lock:
            if self._drawn:
                self._write("\r" + " " * self._drawn + "\r")
                self._drawn = 0

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # The terminal is gone, which does not matter to the run.
            self._stream = None


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
        for stream in filter(None, (messages, errors, data)):
            if isinstance(stream, TextIOWrapper):
                # A letter that the encoding lacks becomes an escape, where Python would raise.
                stream.reconfigure(errors="backslashreplace")
            with suppress(AttributeError, OSError, ValueError):
                # Another program may have left a terminal or a pipe in the mode in which a slow reader is an error.
                os.set_blocking(stream.fileno(), True)
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
            self._write(self._messages, style("\n".join(safe_lines(text, self.width))) + "\n")

    def block(self, block: str) -> None:
        """A table, or an empty line."""
        self._write(self._messages, block + "\n")

    def ask(self, prompt: str) -> None:
        """A prompt, which is never wrapped: scripts wait for it."""
        self._write(self._messages, self.styles.bold(prompt))

    def error(self, text: str, style: Callable[[str], str]) -> None:
        """On standard error; only the first line is in `style`."""
        first, *more = safe_lines(text, width_of(self._errors))
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
