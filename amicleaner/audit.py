"""The audit log: a JSON line before and after each call that changes something, on disk before the call is made.

After a kill the log and a fresh look at the account tell what happened: only the end of a `before` without its `after` is
not known.
"""

import errno
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from itertools import count
from threading import Lock
from typing import Any, Self

from .clock import SYSTEM_CLOCK, Clock
from .errors import AmicleanerError, AwsError, UsageError
from .models import Target

FORMAT = 1
"""Of the lines: `docs/audit-log.md` and `docs/audit-log.schema.json` describe it."""

STANDARD_OUTPUT = "-"

CLOSING = 1.0
"""Seconds to wait for the last line when the log is closed."""


class AuditError(AmicleanerError):
    """A line could not be written: nothing may be changed any more."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a change is about: an AMI or a snapshot, with what is needed to restore it.

    `ami` is the AMI that a snapshot is deleted or restored with; `snapshots` are the ids of an AMI's own.
    """

    target: Target
    id: str
    name: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()
    reason: str = ""
    snapshots: tuple[str, ...] = ()
    ami: str = ""

    def snapshot(self, id: str) -> "Subject":
        """One of the AMI's snapshots."""
        return Subject(self.target, id, reason=self.reason, ami=self.id)


class AuditLog:
    """JSON lines appended to a file or a pipe, each on disk before its call is made.  Several runs may share a file, and
    several threads the log."""

    def __init__(self, path: str | os.PathLike[str] | None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Opens the file, for its owner alone (0600) where it is new; `-` is standard output, None keeps nothing.  Raises
        UsageError: make it before AWS is called."""
        self._lock = Lock()
        self._run = secrets.token_hex(4)
        self._numbers = count(1)
        self._file = -1
        self._keeps = path is not None
        if path is None:
            return
        self._path = os.fspath(path)
        self._clock = clock
        self._file = os.dup(1) if self._path == STANDARD_OUTPUT else _open(self._path)
        self._regular = stat.S_ISREG(os.fstat(self._file).st_mode)
        # The last line of a run that was killed, or of a full disk, may lack its end: don't continue it.
        self._torn = self._path != STANDARD_OUTPUT and self._regular and _ends_within_a_line(self._file)

    def before(self, action: str, subject: Subject) -> str:
        """One line about a call (`ec2:DeleteSnapshot`), on disk when this returns.  Returns the attempt's id, unique in the
        file; raises AuditError."""
        attempt = f"{self._run}-{next(self._numbers)}"
        self._write("before", attempt, action, subject, {})
        return attempt

    def after(
        self,
        attempt: str,
        action: str,
        subject: Subject,
        error: AwsError | None,
        *,
        sent: bool = True,
        answer: Mapping[str, Any] | None = None,
    ) -> None:
        """One line, on disk when this returns, with the same facts as its `before` and what came back.  `outcome` is `done`,
        `refused` (AWS said no), `unknown` (no response: AWS may have done it) or `not-sent`.  Raises AuditError."""
        outcome = "not-sent" if not sent else "done" if error is None else "unknown" if error.acted else "refused"
        facts: dict[str, Any] = {"outcome": outcome, "code": None, "message": None}
        if error is not None:
            facts |= {"code": error.code, "message": error.message or None}
        if answer and "DeleteSnapshotResults" in answer:
            facts["snapshot_results"] = return_codes(answer)
        self._write("after", attempt, action, subject, facts)

    def close(self) -> None:
        """Closes the file; twice is no error.  Where a line is still being written to a pipe that nobody reads, the end of
        the process closes it: whoever ends a run must not wait for that."""
        if not self._lock.acquire(timeout=CLOSING):
            return
        try:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, event: str, attempt: str, action: str, subject: Subject, facts: Mapping[str, Any]) -> None:
        if not self._keeps:
            return
        line: dict[str, Any] = {
            "version": FORMAT,
            "time": self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "event": event,
            "attempt": attempt,
            "action": action,
            "account": subject.target.account,
            "region": subject.target.region,
            "id": subject.id,
        }
        if subject.ami:
            line["ami"] = subject.ami
        else:
            line |= {
                "name": subject.name,
                "tags": dict(subject.tags),
                "group": list(subject.groups),
                "snapshots": list(subject.snapshots),
            }
        data = json.dumps(line | {"reason": subject.reason} | dict(facts)).encode() + b"\n"
        with self._lock:
            try:
                rest = b"\n" + data if self._torn else data
                while rest:
                    self._torn = True
                    rest = rest[os.write(self._file, rest) :]
                self._torn = False
                if self._regular:
                    os.fsync(self._file)
            except OSError as error:
                raise AuditError(
                    f"The audit log {self._path} cannot be written: {error.strerror or error}.",
                    hint="Nothing more is changed, because every change must be in the log.",
                ) from error


def return_codes(answer: Mapping[str, Any]) -> dict[str, str]:
    """Snapshot id to AWS's return code in a response of `DeregisterImage`; empty if the endpoint gives none.  A snapshot
    with two different codes is left out: AWS has said nothing about it."""
    results = answer.get("DeleteSnapshotResults")
    codes: dict[str, set[str]] = {}
    for result in results if isinstance(results, list) else ():
        if isinstance(result, dict) and result.get("SnapshotId"):
            codes.setdefault(str(result["SnapshotId"]), set()).add(str(result.get("ReturnCode") or ""))
    return {id: found.pop() for id, found in codes.items() if len(found) == 1}


def _ends_within_a_line(file: int) -> bool:
    if os.lseek(file, 0, os.SEEK_END) == 0:
        return False
    os.lseek(file, -1, os.SEEK_END)
    return os.read(file, 1) != b"\n"


def _open(path: str) -> int:
    # Looked at before it is opened too: opening a device can do something.
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        kind = stat.S_IFREG
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error
    _check(kind, path)
    # A pipe is only written to, for whoever reads it too is never told that the other readers are gone.
    access = os.O_WRONLY | os.O_NONBLOCK if stat.S_ISFIFO(kind) else os.O_RDWR
    try:
        file = os.open(path, access | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            _check(stat.S_IFLNK, path)
        if error.errno == errno.ENXIO:
            raise UsageError(f"--audit-log: nothing reads the pipe {path}.", hint="Start its reader first.") from error
        raise _cannot(path, error) from error
    try:
        _check(os.fstat(file).st_mode, path)
    except UsageError:
        os.close(file)
        raise
    if stat.S_ISFIFO(kind):
        os.set_blocking(file, True)
    return file


def _check(mode: int, path: str) -> None:
    if stat.S_ISLNK(mode):
        raise UsageError(f"--audit-log: {path} is a symbolic link.", hint="Name the file itself.")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise UsageError(f"--audit-log: {path} is not a regular file.")


def _cannot(path: str, error: Exception) -> UsageError:
    return UsageError(f"--audit-log: {path} cannot be opened: {getattr(error, 'strerror', None) or error}.")
