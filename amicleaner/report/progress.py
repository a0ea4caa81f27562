"""One line of progress on a terminal, gone before anything else is written."""

from collections.abc import Mapping
from threading import RLock
from typing import IO

from ..clock import Clock
from ..models import CallRecord, Target
from .sanitize import columns, cut, escape_control
from .terminal import MUTE, is_terminal, width_of

_INTERVAL = 0.1
"""Seconds between two drawings: faster is not seen, and slows the run on a slow connection."""

_PATIENCE = 1.0
"""Seconds that something takes before it needs progress."""

_SHOWN = 5.0
"""Seconds for which a throttle is shown."""

_THROTTLES = ("RequestLimitExceeded", "TooManyRequestsException", "SlowDown", "BandwidthLimitExceeded")
"""Codes of AWS without `Throttl` in them."""


class Progress:
    """Draws only on a terminal that says what it is: on others a carriage return may not go back.

    Calls return in many threads: whoever writes anything else to the terminal holds the `lock`.
    """

    def __init__(self, stream: IO[str] | None, environ: Mapping[str, str], clock: Clock) -> None:
        self._stream = stream if is_terminal(stream) and environ.get("TERM", "") not in MUTE else None
        self._clock = clock
        self._drawn = 0
        self.lock = RLock()
        self.begin()

    def begin(self, patience: float = _PATIENCE) -> None:
        """Something new begins, which may be over within `patience` seconds, before anybody wonders."""
        with self.lock:
            self._next = self._clock.monotonic() + patience

    def show(self, text: str) -> None:
        """Draws `text` in place of the last one, unless that was drawn just now."""
        with self.lock:
            if self._stream is None or self._clock.monotonic() < self._next:
                return
            line = cut(escape_control(text), (width_of(self._stream) or 80) - 1)
            self._write("\r" + line + " " * (self._drawn - columns(line)))
            self._drawn = columns(line)
            self._next = self._clock.monotonic() + _INTERVAL

    def clear(self) -> None:
        """Takes the line away."""
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


class Scanning:
    """How far the scan is, in Regions and AMIs, and whether AWS throttles."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._throttled_at = -_SHOWN
        self.targets: frozenset[Target] = frozenset()
        self.amis: dict[Target, int] = {}

    def called(self, record: CallRecord) -> None:
        """A call came back."""
        if "Throttl" in record.outcome or record.outcome in _THROTTLES:
            self._throttled_at = self._clock.monotonic()

    def throttled(self) -> str:
        """The end of the line, for some seconds after a throttle."""
        return ", throttled by AWS, retrying" if self._clock.monotonic() - self._throttled_at < _SHOWN else ""

    def text(self) -> str:
        """`Scanning… 11/24 Regions, 412 AMIs`."""
        if not self.targets:
            return "Scanning…"
        done = [target for target in self.targets if target in self.amis]
        regions = "Region" if len(self.targets) == 1 else "Regions"
        return f"Scanning… {len(done)}/{len(self.targets)} {regions}, {sum(self.amis[target] for target in done)} AMIs"
