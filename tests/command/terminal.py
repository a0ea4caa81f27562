"""The command at a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

from .process import ESCAPE, PATIENCE, STREAMS, Finished, Running, Stream

CTRL_C = b"\x03"
CTRL_D = b"\x04"


class Terminal:
    """The command at a terminal of its own.  `env` has `TERM`; the streams in `piped` are pipes; `words` are those of
    `Running`."""

    def __init__(
        self,
        *args: str,
        env: Mapping[str, str | None] | None = None,
        columns: int = 80,
        piped: tuple[Stream, ...] = (),
        words: Sequence[str] = (),
    ) -> None:
        wanted = {"TERM": "xterm-256color", **(env or {})}
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        # On Ctrl-C a terminal discards its pending output; tests need all of it.
        modes = termios.tcgetattr(slave)
        modes[3] |= termios.NOFLSH
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self._running = Running(
            *args,
            env={name: value for name, value in wanted.items() if value is not None},
            words=words,
            streams={stream: slave for stream in STREAMS if stream not in piped},
        )
        os.close(slave)
        self._piped = "stdout" in piped
        self._shown = b""

    @property
    def shown(self) -> str:
        """All that the terminal was sent so far."""
        return self._shown.decode()

    def read_until(self, text: str, timeout: float = PATIENCE) -> str:
        """Waits until the terminal shows a text; returns all that it shows."""
        self._read(timeout, text.encode())
        assert text in self.shown, f"not shown: {text!r}\n{self.shown}"
        return self.shown

    def type(self, keys: str | bytes) -> None:
        """Types."""
        os.write(self._master, keys if isinstance(keys, bytes) else keys.encode())

    def signal(self, number: signal.Signals) -> None:
        """Sends the process a signal."""
        self._running.signal(number)

    def hang_up(self) -> None:
        """Goes away, as a terminal does whose window is closed or whose connection breaks."""
        master, self._master = self._master, -1
        os.close(master)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Waits for the end of the process and returns its exit status."""
        return self._running.wait(timeout)

    def finish(self, timeout: float = PATIENCE) -> Finished:
        """Waits for the end.  `out` is what the terminal was sent, or, where standard output was piped, what came there."""
        self._running.drain(timeout=timeout)
        self._read(timeout, None)
        finished = self._running.finish(timeout=timeout)
        return Finished(finished.status, finished.out if self._piped else self.shown, self.shown)

    def _read(self, timeout: float, wanted: bytes | None) -> None:
        """Until `wanted` was shown, or until nobody holds the terminal's other side any longer."""
        end = time.monotonic() + timeout
        while wanted is None or wanted not in self._shown:
            ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError(f"nothing more was shown in {timeout} s:\n{self.shown}")
            try:
                data = os.read(self._master, 65536)
            except OSError:  # Linux's word for: the last process that had it open has ended
                return
            if not data:
                return
            self._shown += data

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.__exit__()
        if self._master >= 0:
            self.hang_up()


def plain(text: str) -> str:
    """What is shown, without styles, and with one kind of line end."""
    return ESCAPE.sub("", text).replace("\r\n", "\n")
