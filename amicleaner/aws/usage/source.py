"""What the registry says of each source of use, and the one way in which a source is read.

**It fails closed**: every error of AWS leaves here as an `AwsError` that says how to go on.  The one softening is a call
that the endpoint does not have at all, for sources that are not `required`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import AwsError, CredentialsError, UnsupportedCallError
from ..api import Api
from .usage_report import UsageReport


@dataclass(frozen=True, slots=True, kw_only=True)
class AnySource:
    """`check` is the name for `--skip-check`, `actions` the IAM actions of the source's own calls, `via` those that AWS uses
    on the caller's behalf behind them.  `things` names it in a warning, `words` is its line in the documentation."""

    name: str
    check: str
    actions: tuple[str, ...]
    things: str
    words: str
    required: bool = False
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSource(AnySource):
    """A source that is read as a whole, at each reading of a Region."""

    read: Callable[[Api], UsageReport]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDemandSource(AnySource):
    """A source that can only be asked about given Auto Scaling groups or AMIs, `at_once` of them a call."""

    of: Literal["groups", "images"]
    at_once: int
    ask: Callable[[Api, Sequence[str]], UsageReport]


def guarded(source: AnySource, read: Callable[[], UsageReport]) -> UsageReport:
    """What `read` finds.

    Raises `AwsError`, with `--skip-check` in its hint; a call that the endpoint does not have is a warning, or an error
    where the source is required.
    """
    try:
        return read()
    except AwsError as error:
        # Inside whichever call comes first a role's credentials are renewed; to leave out a check is no help there.
        if isinstance(error, CredentialsError) or error.action.startswith("sts:"):
            raise
        if not isinstance(error, UnsupportedCallError):
            error.hint = _hint(source, error.hint)
            raise
        if not source.required:
            warning = f"{error.action} is not offered by this endpoint: {source.things} are not looked at"
            return UsageReport(warnings=[warning], unsupported=True)
        raise AwsError(
            error.action,
            error.code,
            error.message or "the endpoint does not have this call",
            account=error.account,
            region=error.region,
            hint=_hint(source, ""),
        ) from error


def _hint(source: AnySource, hint: str) -> str:
    if hint.startswith("Grant ") and source.via:
        hint = f"{hint.rstrip('.')} and the actions behind it (see --iam-policy)."
    skip = f"eave this check out with --skip-check {source.check}; what it would find is then not protected."
    return f"{hint} Or l{skip}" if hint else f"L{skip}"


def filled(api: Api, action: str, thing: dict[str, Any], name: str, what: str) -> Any:
    """A member that AWS always sends, and never empty."""
    if not thing.get(name):
        raise api.error(action, "MalformedResponse", f"{what} has no {name}")
    return thing[name]


def member(api: Api, action: str, thing: dict[str, Any], name: str, what: str) -> Any:
    """A member that AWS always sends; the empty text is one.  An answer without it is not trusted: `MalformedResponse`."""
    if thing.get(name) is None:
        raise api.error(action, "MalformedResponse", f"{what} has no {name}")
    return thing[name]
