"""Whether a response matches the service model: strings where it says strings, and so on.

botocore's parsers don't look.  They hand on a `null` in a list of JSON, a number in the place of a text, and of a member of
XML that stands there twice a list of both elements, in which nobody would find an id again.
"""

from datetime import datetime
from typing import Any

from botocore.parsers import ResponseParserError

from .response_parser import Unread

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": datetime,
    "blob": bytes,
}
"""Of the shapes that hold nothing further."""


def validate_response(parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """botocore's event `after-call`.  Raises ResponseParserError for an answer that is not what the model says; an error has
    none of the members that it tells of."""
    if model.output_shape is not None and not _fits(parsed, model.output_shape):
        raise ResponseParserError(f"the response of {model.name} does not match the service model")


def _fits(value: Any, shape: Any) -> bool:
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return False
        members = shape.members
        return all(_fits(inner, members[name]) for name, inner in value.items() if name in members)
    if kind == "list":
        return isinstance(value, Unread) or (isinstance(value, list) and all(_fits(item, shape.member) for item in value))
    if kind == "map":
        return isinstance(value, dict) and all(_fits(item, shape.value) for item in value.values())
    return isinstance(value, _TYPES[kind])
