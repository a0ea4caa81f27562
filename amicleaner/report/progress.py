"""One line of progress on a terminal, gone before anything else is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

from ..clock import Clock
from .sanitize import columns, cut, escape_control
from .terminal import MUTE, is_terminal, width_of

_INTERVAL = 0.1
"""Seconds between two drawings: faster is not seen, and slows the run on a slow connection."""

_PATIENCE = 1.0
"""Seconds that something takes before it needs progress."""


class Progress:
    """Draws on a terminal alone, and on none that says nothing about itself: there a carriage return may not go back."""

    def __init__(self, stream: IO[str] | None, environ: Mapping[str, str], clock: Clock) -> None:
        self._stream = stream if is_terminal(stream) and environ.get("TERM", "") not in MUTE else None
        self._clock = clock
        self._drawn = 0
        self.begin()

    def begin(self) -> None:
        """Something new begins, which may be over before anybody wonders."""
        self._next = self._clock.monotonic() + _PATIENCE

    def show(self, text: str) -> None:
        """Draws `text` instead of what stands there, unless it was drawn just now."""
        if self._stream is None or self._clock.monotonic() < self._next:
            return
        line = cut(escape_control(text), (width_of(self._stream) or 80) - 1)
        self._write("\r" + line + " " * (self._drawn - columns(line)))
        self._drawn = columns(line)
        self._next = self._clock.monotonic() + _INTERVAL

    def clear(self) -> None:
        """Takes the line away."""
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
            # The terminal went away: the run has better things to report.
            self._stream = None
