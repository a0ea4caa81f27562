"""Starts the installed command as a person or a job would, with nothing of the developer's settings around it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\([A-Z0-9])")
"""What terminfo puts out for styles."""

PATIENCE = 30.0
"""Seconds after which a process that has not ended is a failure."""


def command() -> list[str]:
    """The command that stands beside this Python; where it was installed without scripts, the module."""
    beside = Path(sys.executable).with_name("amicleaner")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "amicleaner"]


only_with_a_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")

MODULE = [sys.executable, "-m", "amicleaner"]

LAUNCHER = """
import fcntl, os, signal, sys, termios
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
    signal.signal(number, signal.SIG_DFL)
for stream in (0, 1, 2):
    if os.isatty(stream):
        fcntl.ioctl(stream, termios.TIOCSCTTY, 0)
        break
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Gives the command default signals, whatever the tests were started with (a job in the background ignores SIGINT), and its
terminal, so that Ctrl-C there reaches it."""


def launched(words: Sequence[str]) -> list[str]:
    """The words of a command behind the launcher; start it in a new session."""
    return [sys.executable, "-I", "-S", "-c", LAUNCHER, *words]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which nothing is set that the test did not set; any warning is an error."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONSAFEPATH", "SYSTEMROOT") if name in os.environ}
    return {
        **kept,
        "HOME": tempfile.gettempdir(),
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "error",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **(extra or {}),
    }


@dataclass(frozen=True)
class Finished:
    """What a process left behind."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def errors(self) -> list[str]:
        """The lines on standard error, except warnings and what a demo says."""
        return [line for line in self.err.splitlines() if not line.startswith(("Warning: ", "Demo: "))]

    @property
    def untroubled(self) -> bool:
        """Nothing in either stream comes from Python rather than from the program."""
        said = ESCAPE.sub("", self.out + self.err)
        return not re.search(r"Traceback|Exception ignored|\wWarning:|is a bug in amicleaner", said)


def run(
    *args: str,
    answer: str | bytes = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    words: Sequence[str] = (),
    timeout: float = PATIENCE,
    discard: bool = False,
) -> Finished:
    """Runs the command to its end, its input in a pipe.  `discard`: its standard output goes to /dev/null."""
    done = subprocess.run(
        [*(words or command()), *args],
        input=answer if isinstance(answer, bytes) else answer.encode(),
        env=environment(env),
        cwd=cwd,
        stdout=subprocess.DEVNULL if discard else subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
        timeout=timeout,
    )
    return Finished(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())


class Running:
    """The command under way, its streams in pipes."""

    def __init__(self, *args: str, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            launched([*command(), *args]),
            env=environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Sends the process a signal, if it has not ended."""
        self._process.send_signal(number)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def answer(self, text: str) -> None:
        """Writes to its standard input."""
        assert self._process.stdin
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def read_line(self) -> str:
        """The next line of its standard output."""
        assert self._process.stdout
        return self._process.stdout.readline().decode()

    def stop_reading(self) -> None:
        """Closes its standard output on this side, as `head` does."""
        assert self._process.stdout
        self._process.stdout.close()
        self._process.stdout = None

    def finish(self, answer: str = "", timeout: float = PATIENCE) -> Finished:
        """Gives it its input and waits for its end."""
        out, err = self._process.communicate(answer.encode(), timeout)
        return Finished(self._process.returncode, (out or b"").decode(), err.decode())

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream and not stream.closed:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
