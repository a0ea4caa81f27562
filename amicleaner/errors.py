"""The errors that a run may end with.  `str(error)` says what happened, `hint` how to fix it."""

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Target  # which takes a while to load: `--help` does without it


class AmicleanerError(Exception):
    """An expected failure.  `hint` says how to fix it, `exit_status` is the command's."""

    exit_status = 1

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AmicleanerError):
    """The command line, the configuration, a plan or a file is wrong: found before AWS is called."""

    exit_status = 2


class InputEnded(AmicleanerError):
    """Standard input ended at the prompt, so nothing is confirmed."""


class AwsError(AmicleanerError):
    """A call that AWS refused, that failed, or whose response can't be trusted.

    `action` is the IAM form of the call (`ec2:DescribeImages`), `code` and `message` are AWS's own; `account` and `region`,
    those of the target, are empty where they are not known.
    """

    def __init__(
        self,
        action: str,
        code: str,
        message: str,
        target: "Target | None" = None,
        *,
        hint: str = "",
        acted: bool = False,
        status: int = 0,
    ) -> None:
        super().__init__(message, hint=hint)
        self.action = action
        self.code = code
        self.message = message
        self.account = target.account if target else ""
        self.region = target.region if target else ""
        self.acted = acted
        """Whether AWS may have acted although no response arrived (a broken connection, a timeout)."""
        self.status = status
        """The HTTP status, 0 without a response."""
        self.exists = False
        """Whether the service is known to be there: it answered earlier in the run."""

    def __str__(self) -> str:
        where = " ".join(
            part for part in (self.account and f"account {self.account}", self.region and f"Region {self.region}") if part
        )
        return f"{self.action} failed{f' in {where}' if where else ''}: {self.code}: {self.message}".rstrip(": ")


class DeniedError(AwsError):
    """The credentials lack the permission for the call."""


class ThrottledError(AwsError):
    """AWS throttled the call and did not carry it out."""


class TransientError(AwsError):
    """An error that may pass: a server error, a broken connection, a timeout."""


class UnsupportedCallError(AwsError):
    """The endpoint doesn't support this call at all (usually an emulator)."""


class CredentialsError(AwsError):
    """There are no valid credentials, so every further call would fail in the same way."""


_LIMITS = {
    errno.EMFILE: ("Too many open files.", "Raise the limit on open files (ulimit -n)."),
    errno.ENFILE: ("Too many open files in the whole system.", "Raise the system's limit on open files (fs.file-max)."),
    errno.ENOMEM: ("Out of memory.", "Raise the memory limit (ulimit -v, or the container's), or run with fewer targets."),
    errno.EAGAIN: ("Can't start new threads.", "Raise the process limit (ulimit -u, or the container's)."),
}
"""What the system ran out of, and which limit to raise."""


def describe(error: BaseException) -> str:
    """What happened and, on a line of its own, how to fix it.

    A limit of the system (files, memory, threads) is named, whatever failed because of it.  Any other OSError comes from
    writing the output; any other unexpected exception is a bug of this program."""
    limit = _limit(error)
    if limit is not None:
        message, hint = limit
    elif isinstance(error, AmicleanerError):
        message, hint = str(error), error.hint
    elif isinstance(error, OSError):
        message, hint = f"Can't write the output: {error.strerror or error}.", ""
    else:
        message = f"{type(error).__name__}: {error}"
        hint = "This is a bug in amicleaner. Run again with --debug for a traceback and report it. See CONTRIBUTING.md."
    return f"{message}\nHint: {hint}" if hint else message


def _limit(error: BaseException | None) -> tuple[str, str] | None:
    """The entry of `_LIMITS` for an error or what caused it: without a free file no connection can be made."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            return _LIMITS[errno.ENOMEM]
        if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
            return _LIMITS[errno.EAGAIN]
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            return _LIMITS[error.errno]
        error = error.__cause__ or error.__context__
    return None
