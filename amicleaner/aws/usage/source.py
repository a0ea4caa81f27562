"""What the registry says of each source of references, and the one way in which a source is read.

**It fails closed**: every error of AWS leaves here as an `AwsError` that says how to go on.  There are two exceptions.  A
Region that does not have the service holds no reference.  A call that the endpoint does not support (an emulator, mostly) is
a warning, unless the source is `required`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...checks import FURTHER_CHECKS
from ...errors import AwsError, CredentialsError, UnsupportedCallError
from ..api import Api
from ..error_mapping import DENIED, NO_SUCH_HOST
from .usage_report import UsageReport

NEVER_SKIPPED = frozenset({"instances"})
"""Checks that no message advises to skip."""

NO_SERVICE = frozenset({NO_SUCH_HOST, "OptInRequired", "SubscriptionRequiredException", "UnsupportedOperation"})
"""What is answered for a service that the Region does not have, or that the account never signed up for (common errors in
the API references of EC2 and others)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSource:
    """One kind of resource that names AMIs.

    `check` is its name for `--skip-check` or `--also-check`, empty where it cannot be skipped.  `actions` are the IAM
    actions of its own calls, `via` those that AWS uses behind them on the caller's behalf.  `things` names it in a message,
    `words` and `cost` are for the documentation.  `required`: an endpoint without the call is an error.
    """

    name: str
    check: str
    actions: tuple[str, ...]
    things: str
    words: str
    cost: str = "1 call per page"
    required: bool = False
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSource(UsageSource):
    """A source that can be listed for a whole Region."""

    read: Callable[[Api], UsageReport]


def guarded(source: UsageSource, read: Callable[[], UsageReport]) -> UsageReport:
    """What `read` reports.  Raises `AwsError`, with what helps in its hint."""
    try:
        return read()
    except AwsError as error:
        # A role's credentials are renewed inside whichever call comes first; skipping a check is no help there.
        if isinstance(error, CredentialsError) or error.action.startswith("sts:"):
            raise
        further = source.check in FURTHER_CHECKS
        no_service = error.code in NO_SERVICE and not error.exists and (further or not source.required)
        if no_service and isinstance(source, ListedSource):
            return UsageReport()
        # The resources behind any other source may exist without this call: SSM parameters, Auto Scaling groups.
        unsupported = no_service or isinstance(error, UnsupportedCallError)
        if unsupported and not source.required:
            return UsageReport(
                warnings=[f"This endpoint doesn't support {error.action}; references from {source.things} were not checked."]
            )
        if unsupported or error.code in DENIED:
            error.hint = _hint(source, error)
        if unsupported:
            message = error.message or "the endpoint does not support this call"
            raise AwsError(
                error.action, error.code, message, account=error.account, region=error.region, hint=error.hint
            ) from error
        raise


def _hint(source: UsageSource, error: AwsError) -> str:
    """What helps where a call is denied or not supported."""
    hint = error.hint
    if hint.startswith("Grant ") and source.via:
        hint = f"{hint.rstrip('.')} and the actions behind it (see --iam-policy)."
    if not source.check or source.check in NEVER_SKIPPED:
        return hint
    further = source.check in FURTHER_CHECKS
    way = f"remove {source.check} from --also-check" if further else f"pass --skip-check {source.check}"
    skip = f"To proceed without it, {way}. AMIs used only by {source.things} will then NOT be protected."
    return f"{hint} {skip}".strip()


def filled(api: Api, action: str, thing: dict[str, Any], name: str, what: str) -> Any:
    """A member that AWS always sends, and never empty."""
    if not thing.get(name):
        raise api.error(action, "MalformedResponse", f"{what} has no {name}")
    return thing[name]


def member(api: Api, action: str, thing: dict[str, Any], name: str, what: str) -> Any:
    """A member that AWS always sends; the empty string is one.  A response without it is not trusted:
    `MalformedResponse`."""
    if thing.get(name) is None:
        raise api.error(action, "MalformedResponse", f"{what} has no {name}")
    return thing[name]
