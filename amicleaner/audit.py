"""The audit log: a JSON line before and after each call that changes something, on disk before the call is made.

After a kill, the log and a fresh look at the account say together what happened: a `before` without its `after` is the
one call whose end is not known.
"""

from __future__ import annotations

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
from typing import Any, Literal, Protocol

from .clock import SYSTEM_CLOCK, Clock
from .errors import AmicleanerError, UsageError
from .models import Target

Answered = Literal["done", "refused", "unknown"]
"""What came back: AWS did it; AWS said no, and nothing changed; no answer, so that AWS may have done it."""


class AuditError(AmicleanerError):
    """A line could not be written: nothing may be changed any more."""


@dataclass(frozen=True, slots=True)
class Change:
    """One try of one changing call: `action` is the IAM form (`ec2:DeleteSnapshot`), `id` the AMI or snapshot."""

    action: str
    target: Target
    id: str


class Audit(Protocol):
    """Where changes are noted.  Both methods raise AuditError, and are called from several threads."""

    def before(self, change: Change) -> str:
        """Notes that the call is about to be made; returns the id of the attempt."""

    def after(
        self,
        attempt: str,
        change: Change,
        answered: Answered,
        *,
        code: str = "",
        message: str = "",
        snapshots: Mapping[str, str] | None = None,
    ) -> None:
        """Notes what came back.  `snapshots`: snapshot id -> AWS's return code."""


class NullAudit:
    """Notes nothing."""

    def before(self, change: Change) -> str:
        """Nothing to note."""
        return ""

    def after(
        self,
        attempt: str,
        change: Change,
        answered: Answered,
        *,
        code: str = "",
        message: str = "",
        snapshots: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing to note."""


class AuditLog:
    """A file of JSON lines, appended to.  Safe to use from several threads, and for several runs on one file."""

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Opens the file, made for its owner alone (0600) where it is new.  Raises UsageError: call it before AWS."""
        self._path = os.fspath(path)
        self._clock = clock
        self._lock = Lock()
        self._run = secrets.token_hex(4)
        self._numbers = count(1)
        self._file = _open(self._path)
        # The last line of a run that was killed, or of a full disk, may lack its end: don't write on in it.
        size = os.fstat(self._file).st_size
        self._torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"

    def before(self, change: Change) -> str:
        """One line, on disk when this returns.  The attempt's id is unique in the file."""
        attempt = f"{self._run}-{next(self._numbers)}"
        self._write("before", attempt, change, {})
        return attempt

    def after(
        self,
        attempt: str,
        change: Change,
        answered: Answered,
        *,
        code: str = "",
        message: str = "",
        snapshots: Mapping[str, str] | None = None,
    ) -> None:
        """One line, on disk when this returns, with the same facts as its `before` and what came back."""
        facts: dict[str, Any] = {"outcome": answered, "code": code or None, "message": message or None}
        if snapshots is not None:
            facts["snapshots"] = dict(snapshots)
        self._write("after", attempt, change, facts)

    def close(self) -> None:
        """Closes the file; twice is no error."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, event: str, attempt: str, change: Change, facts: Mapping[str, Any]) -> None:
        line = {
            "time": self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "event": event,
            "attempt": attempt,
            "action": change.action,
            "account": change.target.account,
            "region": change.target.region,
            "id": change.id,
            **facts,
        }
        data = json.dumps(line).encode() + b"\n"
        with self._lock:
            try:
                rest = b"\n" + data if self._torn else data
                while rest:
                    self._torn = True
                    rest = rest[os.write(self._file, rest) :]
                self._torn = False
                os.fsync(self._file)
            except OSError as error:
                raise AuditError(
                    f"The audit log {self._path} can't be written: {error.strerror or error}.\n"
                    "Nothing more is deleted: what is not in the log must not happen."
                ) from error


def _open(path: str) -> int:
    refused = f"The audit log {path} can't be opened"
    try:
        # Looked at before it is opened too: opening a device can do something, opening a pipe can wait for ever.
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise UsageError(f"{refused}: {getattr(error, 'strerror', None) or error}.") from error
    else:
        _check(kind, refused)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        file = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            _check(stat.S_IFLNK, refused)
        raise UsageError(f"{refused}: {error.strerror or error}.") from error
    try:
        _check(os.fstat(file).st_mode, refused)
    except UsageError:
        os.close(file)
        raise
    return file


def _check(mode: int, refused: str) -> None:
    if stat.S_ISLNK(mode):
        raise UsageError(f"{refused}: it is a symbolic link. Give the file itself.")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{refused}: it is no regular file. Give a file that can be kept.")
