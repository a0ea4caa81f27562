"""Starts the installed command as a person or a job would, with nothing of the developer's settings around it."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Literal

import pytest

from . import starter

ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\([A-Z0-9])")
"""What terminfo puts out for styles."""

PATIENCE = 30.0
"""Seconds after which a process that has not ended is a failure."""

Stream = Literal["stdin", "stdout", "stderr"]
STREAMS: tuple[Stream, ...] = ("stdin", "stdout", "stderr")

only_with_a_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")

MODULE = (sys.executable, "-m", "amicleaner")


def _installed() -> tuple[str, ...]:
    beside = Path(sys.executable).with_name("amicleaner")
    return (str(beside),) if beside.exists() else MODULE


INSTALLED = _installed()
"""The command beside this Python; where it was installed without scripts, the module.  Tests execute it, rather than let the
starter fork, where the start of Python itself matters: closed streams, the locale, what is loaded."""

LAUNCHER = """
import fcntl, os, signal, sys, termios
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
    signal.signal(number, signal.SIG_DFL)
for stream in (0, 1, 2):
    if os.isatty(stream):
        fcntl.ioctl(stream, termios.TIOCSCTTY, 0)
        break
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Gives the command default signals, whatever the tests were started with (a job in the background ignores SIGINT), and its
terminal, so that Ctrl-C there reaches it."""

LOAD = """
import encodings.idna, importlib, pkgutil, runpy, sys
import wcwidth
import amicleaner.cli
for name in ("aws", "aws.usage", "report"):
    package = importlib.import_module(f"amicleaner.{name}")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
import amicleaner.restore, amicleaner.run
from amicleaner.sources import OPERATIONS
from amicleaner.aws.session import Clients, new_session
clients = Clients(new_session(), "eu-west-1")
for operation in OPERATIONS.values():
    clients(operation.service)
clients.drop()
del clients

def run(words):
    if words[:1] == ["-m"]:
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["amicleaner", *words]
        amicleaner.cli.main()
"""
"""What a run loads, the models of the services included; `run` does what the installed script does, or `python -m`."""


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


def execute(
    words: Sequence[str], environ: Mapping[str, str], folder: str | Path, streams: Sequence[int], keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Starts a program in a new session, with its standard streams.  It also has the descriptors in `keep`."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", LAUNCHER, *words],
        env=environ,
        cwd=folder,
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
        pass_fds=keep,
        start_new_session=True,
    )


class Forked:
    """A process of a starter, with the methods of `subprocess.Popen` that the tests call."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pid = starter.number(connection)
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end and returns its exit status, as Popen has it."""
        if not select.select([self.connection], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        with self._lock:
            if self.returncode is None:
                self.returncode = starter.number(self.connection)
        return self.returncode

    def poll(self) -> int | None:
        """Its exit status, if it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)


@cache
def socket_of_starter(load: str = LOAD, options: tuple[str, ...] = ("-P",)) -> str:
    """The socket of a starter that has loaded this code, and ends with this process.  `options` are Python's."""
    folder = tempfile.TemporaryDirectory()
    path = f"{folder.name}/socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    read, write = os.pipe()  # `write` closes when this process ends
    words = [sys.executable, *options, starter.__file__, "serve", str(listener.fileno()), load]
    process = execute(words, environment(), "/", (read, 2, 2), [listener.fileno()])
    os.close(read)
    listener.close()

    def stop() -> None:
        os.close(write)
        process.wait()
        folder.cleanup()

    atexit.register(stop)
    return path


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


class Running:
    """The command under way, its streams in pipes.  `words` are executed; without them a starter forks, the command's or the
    one with the socket `by`.  `streams` are descriptors that it gets instead of pipes."""

    def __init__(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        words: Sequence[str] = (),
        streams: Mapping[Stream, int] | None = None,
        by: str = "",
    ) -> None:
        theirs: dict[Stream, int] = {}
        self._pipes: dict[Stream, FileIO] = {}
        self._read: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        for stream in STREAMS:
            if streams is None or stream not in streams:
                read, write = os.pipe()
                theirs[stream], ours = (read, write) if stream == "stdin" else (write, read)
                self._pipes[stream] = FileIO(ours, "w" if stream == "stdin" else "r")
        environ, folder = environment(env), str(cwd or Path.cwd())
        every = [{**theirs, **(streams or {})}[stream] for stream in STREAMS]
        if words:
            self._process: subprocess.Popen[bytes] | Forked = execute([*words, *args], environ, folder, every)
        else:
            assert by or of_python(environ) == of_python(environment()), "Python reads this when it starts: pass INSTALLED"
            self._process = Forked(starter.start(by or socket_of_starter(), args, environ, folder, every))
        for number in theirs.values():
            os.close(number)
        self.pid = self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Sends the process a signal, if it has not ended."""
        self._process.send_signal(number)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def answer(self, text: str | bytes) -> None:
        """Writes to its standard input."""
        self._pipes["stdin"].write(text if isinstance(text, bytes) else text.encode())

    def read_line(self, stream: Stream = "stdout") -> str:
        """The next line of its output."""
        return self._pipes[stream].readline().decode()

    def stop_reading(self, stream: Stream = "stdout") -> None:
        """Closes its output on this side, as `head` does."""
        self._pipes.pop(stream).close()

    def wait(self, timeout: float = PATIENCE) -> int:
        """Waits for its end and returns its exit status."""
        return self._process.wait(timeout)

    def drain(self, answer: str | bytes = b"", timeout: float = PATIENCE) -> None:
        """Gives it its input, which is short, and reads what it writes to pipes, until it closes them."""
        if "stdin" in self._pipes:
            with contextlib.suppress(BrokenPipeError):
                self.answer(answer)
            self.stop_reading("stdin")
        end = time.monotonic() + timeout
        while self._pipes:
            ready, _, _ = select.select(self._pipes.values(), [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            for stream in [stream for stream, pipe in self._pipes.items() if pipe in ready]:
                if data := self._pipes[stream].read(1 << 16):
                    self._read[stream] += data
                else:
                    self.stop_reading(stream)

    def finish(self, answer: str | bytes = b"", timeout: float = PATIENCE) -> Finished:
        """Gives it its input and waits for its end."""
        self.drain(answer, timeout)
        status = self.wait(timeout)
        return Finished(status, self._read["stdout"].decode(), self._read["stderr"].decode())

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive:
            self._process.kill()
        self._process.wait()
        for pipe in self._pipes.values():
            pipe.close()
        if isinstance(self._process, Forked):
            self._process.connection.close()


def of_python(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that Python itself reads when it starts."""
    return {name: value for name, value in environ.items() if name.startswith(("PYTHON", "LANG", "LC_"))}


def by_starter() -> list[str]:
    """What a script executes in place of the command: it asks the starter, and ends as the forked process ends."""
    return [sys.executable, "-I", "-S", starter.__file__, "start", socket_of_starter()]


def run(
    *args: str,
    answer: str | bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    words: Sequence[str] = (),
    timeout: float = PATIENCE,
    discard: bool = False,
) -> Finished:
    """Runs the command to its end, its input in a pipe.  `discard`: its standard output goes to /dev/null."""
    with open(os.devnull, "wb") as null:
        streams: dict[Stream, int] = {"stdout": null.fileno()} if discard else {}
        with Running(*args, env=env, cwd=cwd, words=words, streams=streams) as running:
            return running.finish(answer, timeout)
