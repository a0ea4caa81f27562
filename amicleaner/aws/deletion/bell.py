"""How the deletion waits: for a call to come back, or for time to pass, whichever is first."""

from __future__ import annotations

from threading import Event

from ...clock import Clock

SLICE = 0.2
"""Seconds: the longest single wait, so that a stop (Ctrl-C) is noticed soon."""

_SHORTEST = 0.001


class Bell:
    """Rung from any thread, waited for in one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = Event()

    def ring(self) -> None:
        """Something came back: wait no longer."""
        self._rung.set()

    def wait(self, seconds: float, *, in_flight: bool) -> None:
        """Waits until the bell rings, `seconds` at most, a slice at most.  Without calls in flight nobody would ring."""
        pause = max(_SHORTEST, min(seconds, SLICE))
        if in_flight or self._rung.is_set():
            self._rung.wait(pause)
        else:
            self._clock.sleep(pause)
        self._rung.clear()
