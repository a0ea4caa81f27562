"""What botocore's parsers lack: they read EC2's lists slowly, and let pass what the service model does not say.

A page of 1,000 images takes botocore longer to parse than AWS to send.  `parse_list` does the same for the one list of a
page, by the same service model; everything else is left to botocore.

botocore hands on a `null` in a list of JSON, a number in the place of a text, and of an XML member that occurs twice
a list of both elements, in which nobody would find an id again.  `validate_response` refuses them.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring

from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

from ..sources import OPERATIONS

Read = Callable[[Element], Any]

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z")


def read_items(operation: str, node: Element, item: Read) -> Iterator[Any]:
    """The items of a list that is still in XML; `Api` asks for them, of several pages once the next one is on its way.  The
    XML of each is let go, for a page of images takes ten MiB.  Raises ResponseParserError if one is not what the model
    says."""
    for child in node:
        try:
            found = item(child)
        except Exception as error:  # botocore's errors for a timestamp are of several kinds
            raise _not_as_modelled(operation) from error
        child.clear()
        yield found


def parse_list(
    operation_model: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """botocore's event `before-parse`: takes the list out of the body and puts it, unread, into the parsed response.

    Raises ResponseParserError for a list that comes twice, as botocore would for XML that is broken.
    """
    operation = OPERATIONS.get(operation_model.name)
    if operation is None or not operation.items or response_dict["status_code"] >= 300:
        return
    try:
        root = fromstring(response_dict["body"])  # noqa: S314 - AWS's answer, which botocore would parse in the same way
    except ParseError:
        return  # botocore says what is wrong
    shape = operation_model.output_shape.members[operation.items]
    name = shape.serialization.get("name", operation.items)
    nodes = [child for child in root if child.tag.rpartition("}")[2] == name]  # without its namespace
    if not nodes:
        return
    if len(nodes) > 1:
        raise _not_as_modelled(operation_model.name)
    if operation_model.name not in _READERS:
        _READERS[operation_model.name] = _reader(shape.member)
    customized_response_dict[operation.items] = read_items(operation_model.name, nodes[0], _READERS[operation_model.name])
    root.remove(nodes[0])
    response_dict["body"] = tostring(root)


def _not_as_modelled(operation: str) -> ResponseParserError:
    return ResponseParserError(f"the answer of {operation} is not what the service model says")


_READERS: dict[str, Read] = {}
"""By operation, for the items of its list, whichever client asks: all have the same models."""


def _reader(shape: Any) -> Read:
    """What reads an element by its shape in the model."""
    kind = shape.type_name
    if kind == "list":
        item = _reader(shape.member)
        return lambda node: [item(child) for child in node]
    if kind == "structure":
        members = {member.serialization.get("name", name): (name, _reader(member)) for name, member in shape.members.items()}
        return lambda node: _structure(node, members)
    return {
        "string": lambda node: node.text or "",
        "boolean": lambda node: node.text == "true",
        "integer": lambda node: int(node.text or ""),
        "long": lambda node: int(node.text or ""),
        "float": lambda node: float(node.text or ""),
        "double": lambda node: float(node.text or ""),
        "timestamp": lambda node: _time(node.text or ""),
    }[kind]


def _time(text: str) -> datetime:
    """AWS's own form is read here: botocore knows all forms, which takes ninety times as long."""
    return datetime.fromisoformat(text) if _TIME.fullmatch(text) else parse_timestamp(text)


def _structure(node: Element, members: dict[str, tuple[str, Read]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in node:
        member = members.get(child.tag.rpartition("}")[2])
        if member is not None:
            name, read = member
            if name in found:
                raise ValueError(f"{name} comes twice")
            found[name] = read(child)
    return found


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
        return isinstance(value, Iterator) or (isinstance(value, list) and all(_fits(item, shape.member) for item in value))
    if kind == "map":
        return isinstance(value, dict) and all(_fits(item, shape.value) for item in value.values())
    return isinstance(value, _TYPES[kind])
