"""Ctrl-C, SIGTERM and SIGHUP: before anything is changed they end the run at once; while it deletes they let what is in
flight finish."""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer, main_thread
from types import FrameType

STATUS = {number: 128 + number for name in ("SIGHUP", "SIGINT", "SIGTERM") if (number := getattr(signal, name, None))}
"""Signal to exit status; Windows has no SIGHUP."""


LOOK = 0.2
"""Seconds between two checks for a signal where the main thread waits.  One that arrives just before does not wake it."""


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
        self._on_stop: Callable[[], object] = lambda: None

    def interrupt(self, status: int) -> None:
        """The run is to end.  Raises Interrupted unless it is deleting, then what is in flight finishes."""
        if self.status is None:
            self.status = status
        self.stop.set()
        self._on_stop()
        if not self._finishing:
            raise Interrupted(status)

    @contextmanager
    def finishing(self, on_stop: Callable[[], object] = lambda: None) -> Iterator[None]:
        """While inside, the first interruption only sets `stop`, and calls `on_stop`.  May be nested."""
        before = self._finishing, self._on_stop
        self._finishing, self._on_stop = True, on_stop
        try:
            yield
        finally:
            self._finishing, self._on_stop = before

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While inside, SIGINT, SIGTERM and SIGHUP interrupt; the second one ends the process at once.  Main thread only."""

        def handle(number: int, frame: FrameType | None) -> None:
            if self.status is not None:
                self._tell_of_end()
                os._exit(STATUS[signal.Signals(number)])
            self.interrupt(STATUS[signal.Signals(number)])

        # A signal that the caller ignores (nohup, a shell's background job) is still ignored.
        wanted = [number for number in STATUS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, handle) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _tell_of_end(self) -> None:
        """Says so where that takes no time: a pipe may be full, and without standard error descriptor 2 may be any file."""
        with suppress(OSError, ValueError):
            if sys.__stderr__ is not None and select.select((), (2,), (), 0)[1]:
                more = " Calls in progress may still take effect." if self._finishing else ""
                os.write(2, f"\nInterrupted.{more}\n".encode())

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """While inside, and inside `signals`, the run is interrupted after `seconds`, as by SIGTERM.  Not on Windows."""
        timer = Timer(seconds, signal.pthread_kill, (main_thread().ident, signal.SIGTERM))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
