"""What the registry says of each place of use, and the one way in which a place is read.

**It fails closed**: every error of AWS leaves here as an `AwsError` that says how to go on.  The one softening is a call
that the endpoint does not have at all, for places that are not `required`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import AwsError, CredentialsError, NotOfferedError
from ..api import Api
from .findings import Findings


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyPlace:
    """`check` is the name for `--skip-check`, `actions` the IAM actions of the place's own calls, `via` those that AWS uses
    on the caller's behalf behind them.  `things` names it in a warning, `words` is its line in the documentation."""

    name: str
    check: str
    actions: tuple[str, ...]
    things: str
    words: str
    required: bool = False
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(AnyPlace):
    """A place that is read as a whole, at each reading of a Region."""

    read: Callable[[Api], Findings]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPlace(AnyPlace):
    """A place that can only be asked about given Auto Scaling groups or AMIs, `at_once` of them a call."""

    of: Literal["groups", "images"]
    at_once: int
    ask: Callable[[Api, Sequence[str]], Findings]


def guarded(place: AnyPlace, read: Callable[[], Findings]) -> Findings:
    """What `read` finds.

    Raises `AwsError`, with `--skip-check` in its hint; a call that the endpoint does not have is a warning, or an error
    where the place is required.
    """
    try:
        return read()
    except AwsError as error:
        # Inside whichever call comes first a role's credentials are renewed; to leave out a check is no help there.
        if isinstance(error, CredentialsError) or error.action.startswith("sts:"):
            raise
        if not isinstance(error, NotOfferedError):
            error.hint = _hint(place, error.hint)
            raise
        if not place.required:
            warning = f"{error.action} is not offered by this endpoint: {place.things} are not looked at"
            return Findings(warnings=[warning], not_offered=True)
        raise AwsError(
            error.action,
            error.code,
            error.message or "the endpoint does not have this call",
            account=error.account,
            region=error.region,
            hint=_hint(place, ""),
        ) from error


def _hint(place: AnyPlace, hint: str) -> str:
    if hint.startswith("Grant ") and place.via:
        hint = f"{hint.rstrip('.')} and the actions behind it (see --iam-policy)."
    skip = f"eave this check out with --skip-check {place.check}; what it would find is then not protected."
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
