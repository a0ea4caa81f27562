"""The errors that a run may end with.  `str(error)` says what happened, `hint` what helps."""

from __future__ import annotations


class AmicleanerError(Exception):
    """An expected failure.  `hint` says how to fix it, `exit_status` is the command's."""

    exit_status = 1

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AmicleanerError):
    """The command line, the configuration, a plan or a file is wrong: found out before AWS is called."""

    exit_status = 2


class InputEnded(AmicleanerError):
    """Standard input ended at a prompt."""


class AwsError(AmicleanerError):
    """A call that AWS refused, that broke, or whose answer can't be trusted.

    `action` is the IAM form of the call (`ec2:DescribeImages`), `code` and `message` are AWS's own,
    `account` is twelve digits or empty where it is not known.
    """

    def __init__(
        self,
        action: str,
        code: str,
        message: str,
        *,
        account: str = "",
        region: str = "",
        hint: str = "",
        acted: bool = False,
        status: int = 0,
    ) -> None:
        super().__init__(message, hint=hint)
        self.action = action
        self.code = code
        self.message = message
        self.account = account
        self.region = region
        self.acted = acted
        """True where AWS may have acted although no answer came (a connection that was cut, a time-out)."""
        self.status = status
        """HTTP's, 0 where there was no answer."""

    def __str__(self) -> str:
        where = " ".join(
            part for part in (self.account and f"account {self.account}", self.region and f"Region {self.region}") if part
        )
        return f"{self.action} failed{f' in {where}' if where else ''}: {self.code}: {self.message}".rstrip(": ")


class DeniedError(AwsError):
    """The credentials lack the permission for the call."""


class ThrottledError(AwsError):
    """AWS throttled the call, which was not carried out."""


class TransientError(AwsError):
    """A failure that may pass: a server error, a cut connection, a time-out."""


class UnsupportedCallError(AwsError):
    """The endpoint does not have this call at all (an emulator, mostly)."""


class CredentialsError(AwsError):
    """There are no credentials, or they are no longer valid: every further call would fail in the same way."""


def describe(error: Exception) -> str:
    """What happened and, on a line of its own, what helps: for people."""
    hint = error.hint if isinstance(error, AmicleanerError) else ""
    return f"{error}\nHint: {hint}" if hint else str(error)
