"""Ctrl-C, SIGTERM, and an output that nobody reads any longer: before anything is changed they end the run at once; while
it deletes they let what is in flight finish."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupted(BaseException):
    """Raised in the main thread where nothing is being changed.  `status` is the exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Interrupts:
    """`stop` is set once nothing new may be started; `status` is then the exit status."""

    def __init__(self) -> None:
        self.stop = Event()
        self.status: int | None = None
        self._finishing = False

    def interrupt(self, status: int) -> None:
        """The run is to end.  Raises Interrupted unless it is deleting, then what is in flight finishes."""
        if self.status is None:
            self.status = status
        self.stop.set()
        if not self._finishing:
            raise Interrupted(status)

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """While inside, the first interruption only sets `stop`."""
        self._finishing = True
        try:
            yield
        finally:
            self._finishing = False

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While inside, SIGINT and SIGTERM interrupt; the second one ends the process at once.  Main thread only."""

        def handle(number: int, frame: FrameType | None) -> None:
            if self.status is not None:
                os._exit(STATUS[signal.Signals(number)])
            self.interrupt(STATUS[signal.Signals(number)])

        # A signal that the caller ignores (nohup, a shell's background job) stays ignored.
        wanted = [number for number in STATUS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, handle) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
