"""Reading a document back, strictly: whatever is not exactly what this version of the tool writes is refused."""

from __future__ import annotations

import json
from typing import Any, get_args

from ..config import BY_NAME
from ..errors import UsageError
from ..models import Outcome, Reason, UseKind
from .document import PLAN_OPTIONS, VERSION, digest
from .sanitize import cut

_AGAIN = "Save the plan again with --save-plan."

# A shape is a type, a dict of members (`...` for any name), a list with the shape of its items, a tuple of alternatives, or
# a value.
_NUMBER = (int, float)
_KINDS = {"flag": bool, "integer": int, "number": _NUMBER, "string": str, "strings": [str]}
_ERROR = (None, {"code": str, "message": str})
_OUTCOME = (None, *get_args(Outcome))
_SHAPE: dict[Any, Any] = {
    "version": VERSION,
    "amicleaner": str,
    "created": str,
    "dry_run": bool,
    "options": {
        name: (None, _KINDS[BY_NAME[name].kind]) if BY_NAME[name].default is None else _KINDS[BY_NAME[name].kind]
        for name in PLAN_OPTIONS
    },
    "sha256": str,
    "targets": [{"account": str, "region": str}],
    "amis": [
        {
            "account": str,
            "region": str,
            "id": str,
            "name": str,
            "created": str,
            "tags": {...: str},
            "groups": [str],
            "decision": ("remove", "keep"),
            "reason": get_args(Reason),
            "explanation": str,
            "used_by": [{"kind": get_args(UseKind), "id": str, "account": str, "region": str}],
            "snapshots": [{"id": str, "size_gib": int}],
            "outcome": _OUTCOME,
            "error": _ERROR,
        }
    ],
    "orphan_snapshots": [{"account": str, "region": str, "id": str, "size_gib": int, "outcome": _OUTCOME, "error": _ERROR}],
    "totals": {"amis": int, "snapshots": int, "size_gib": int, "monthly_usd": _NUMBER},
}


def read_document(text: str, *, version: str) -> dict[str, Any]:
    """The document in `text`.  Raises UsageError for one that is changed, cut, of another version of the document or of the
    tool (another may decide otherwise), or no document at all."""
    try:
        document = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
        _check_version(document, version)
        whole = digest(document) == document.get("sha256")
    except json.JSONDecodeError as error:
        raise UsageError(
            f"it is not JSON (line {error.lineno}, column {error.colno}), so it is no plan, or it was cut. {_AGAIN}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"it is not a plan: {_why(error)}. {_AGAIN}") from error
    if not whole:
        raise UsageError(f"it was changed or cut after it was saved: its sha256 is another. {_AGAIN}")
    misfit = _misfit(document, _SHAPE, "")
    if misfit is not None:
        raise UsageError(f"it is not a plan: {misfit or 'the whole'} is not what a plan has there. {_AGAIN}")
    result: dict[str, Any] = document
    return result


def _check_version(document: Any, version: str) -> None:
    if not isinstance(document, dict) or "version" not in document or "sha256" not in document:
        raise UsageError(f"it is JSON, but not a plan of amicleaner. {_AGAIN}")
    if document["version"] != VERSION or isinstance(document["version"], bool):
        other = cut(repr(document["version"]), 40)
        raise UsageError(f"it is a plan of version {other}, and this amicleaner reads version {VERSION}. {_AGAIN}")
    if document.get("amicleaner") != version:
        other = cut(repr(document.get("amicleaner")), 40)
        raise UsageError(f"it was saved by amicleaner {other}, and this is {version}. {_AGAIN}")


def _misfit(value: Any, shape: Any, where: str) -> str | None:
    """Where `value` first differs from a shape, or None."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return where
        if ... in shape:
            shape = dict.fromkeys(value, shape[...])
        if value.keys() != shape.keys():
            return where
        return _first(_misfit(value[name], shape[name], f"{where}.{name}".lstrip(".")) for name in shape)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return where
        return _first(_misfit(item, shape[0], f"{where}[{index}]") for index, item in enumerate(value))
    if isinstance(shape, tuple):
        return None if any(_misfit(value, alternative, where) is None for alternative in shape) else where
    # `True` is an int for Python, and no number for anybody else.
    fits = type(value) is shape if isinstance(shape, type) else type(value) is type(shape) and value == shape
    return None if fits else where


def _first(misfits: Any) -> str | None:
    return next((misfit for misfit in misfits if misfit is not None), None)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Of two members with one name each reader takes another: what was reviewed might not be what is done.
        raise ValueError("a member of it stands there twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _why(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
