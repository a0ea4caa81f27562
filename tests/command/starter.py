"""A process that loads a program once and forks for each start: the tests start many processes, and boto3 loads slowly.

A forked process is a real one: its id, session, signals, streams, environment, folder and end are its own.  It differs from
a new one in what Python does before the program begins, and in its strings' hashes, which are those of the loaded process.

    python starter.py serve NUMBER CODE     loads CODE and forks for each connection to the socket with that number
    python starter.py start SOCKET WORDS    starts one process, and ends as it ends: a program for scripts
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import marshal
import os
import select
import signal
import socket
import sys
import termios
from collections.abc import Mapping, Sequence
from typing import Any


def start(path: str, words: Sequence[str], environ: Mapping[str, str], folder: str, streams: Sequence[int]) -> socket.socket:
    """Asks for a process.  The connection gets its id, and at its end its exit status (negative: the signal), as 4 bytes."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    socket.send_fds(connection, [marshal.dumps((list(words), dict(environ), folder))], streams)
    connection.shutdown(socket.SHUT_WR)
    return connection


def number(connection: socket.socket) -> int:
    """The next number that a connection gets."""
    data = connection.recv(4, socket.MSG_WAITALL)
    if len(data) < 4:
        raise ConnectionError("the starter has ended")
    return int.from_bytes(data, "little", signed=True)


def serve(listener: socket.socket) -> list[str]:
    """Forks for each connection until standard input ends, and tells each how its process ends.  Returns in the processes
    that are to run the program, with the words of their command line."""
    ended, wake_up = socket.socketpair()
    ended.setblocking(False)
    wake_up.setblocking(False)
    signal.set_wakeup_fd(wake_up.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    sources: list[Any] = [0, listener, ended]
    while 0 not in (ready := select.select(sources, [], [])[0]):
        if ended in ready:
            ended.recv(1 << 10)
            tell(running)
        if listener in ready:
            connection, _ = listener.accept()
            data, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
            while more := connection.recv(1 << 16):
                data += more
            if (pid := os.fork()) == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for other in (listener, ended, wake_up, connection, *running.values()):
                    other.close()
                words, environ, folder = marshal.loads(data)  # noqa: S302 - from the tests
                become(environ, folder, streams)
                return list(words)
            for stream in streams:
                os.close(stream)
            running[pid] = connection
            with contextlib.suppress(ConnectionError):  # whoever asked may have gone
                connection.send(pid.to_bytes(4, "little"))
    os._exit(0)


def tell(running: dict[int, socket.socket]) -> None:
    """Tells the ends of the processes that have ended."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            break
        with running.pop(pid) as connection, contextlib.suppress(ConnectionError):
            connection.send(os.waitstatus_to_exitcode(status).to_bytes(4, "little", signed=True))


def become(environ: Mapping[str, str], folder: str, streams: Sequence[int]) -> None:
    """Makes this process what a new one is."""
    os.setsid()
    for stream, given in enumerate(streams):
        os.dup2(given, stream)
        os.close(given)
    for stream in range(3):
        if os.isatty(stream):
            fcntl.ioctl(stream, termios.TIOCSCTTY, 0)  # so that Ctrl-C there reaches it
            break
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    # As Python opens them.
    for name, mode, buffering in (("stdin", "r", -1), ("stdout", "w", -1), ("stderr", "w", 1)):
        old = getattr(sys, name)
        new: Any = open(old.fileno(), mode, buffering, old.encoding, old.errors, "\n", closefd=False)  # noqa: SIM115
        new.buffer.raw.name = f"<{name}>"
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def leave(status: int) -> None:
    """Ends as Python does, except that it takes none of the loaded modules to pieces, which takes longer than most runs.
    Returns where the output cannot be written, so that Python says so."""
    import threading

    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        program: dict[str, Any] = {"__name__": "__main__"}
        listener = socket.socket(fileno=int(sys.argv[2]))
        exec(sys.argv[3], program)  # noqa: S102 - from the tests
        gc.collect()
        gc.freeze()
        words = serve(listener)
        status: Any = 0
        try:
            program["run"](words)
        except SystemExit as end:
            status = end.code or 0
        if isinstance(status, int):
            leave(status)
        sys.exit(status)
    else:
        asked = start(sys.argv[2], sys.argv[3:], os.environ, os.getcwd(), (0, 1, 2))
        number(asked)
        status = number(asked)
        sys.exit(status if status >= 0 else 128 - status)
