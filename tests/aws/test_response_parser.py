"""The fast parser of EC2's lists reads what botocore's own parser reads."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any
from xml.sax.saxutils import escape

import pytest
from botocore.parsers import ResponseParserError, create_parser
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.aws.response_parser import Unread, parse_list
from amicleaner.aws.session import new_session
from amicleaner.aws.validate_response import validate_response

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
MODEL: Any = new_session()._session.get_service_model("ec2")
PARSER = create_parser("ec2")


def element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"


def xml_of(random: Random, shape: Any, member: str) -> str:
    """An element of a shape, with some of its members, and with one that the model does not have."""
    name = shape.serialization.get("name", member)
    if shape.type_name == "structure":
        chosen = [key for key in shape.members if random.random() < 0.5]
        return element(name, "".join(xml_of(random, shape.members[key], key) for key in chosen) + "<unheardOf>1</unheardOf>")
    if shape.type_name == "list":
        items = [xml_of(random, shape.member, "item") for _ in range(random.randrange(4))]
        return element(name, "".join(item.replace("<member>", "<item>") for item in items))
    texts: dict[str, Callable[[], str]] = {
        "string": lambda: escape("".join(random.choices("aZ0 -&<>\"'é\u202e😀\ufffd", k=random.randrange(13)))),
        "boolean": lambda: random.choice(["true", "false"]),
        "integer": lambda: str(random.randrange(10_000)),
        "long": lambda: str(random.randrange(1 << 40)),
        "timestamp": lambda: "2026-01-31T06:00:00.000Z",
    }
    return element(name, texts[shape.type_name]())


def read(response: dict[str, Any]) -> dict[str, Any]:
    """A response with the list that `Api` reads."""
    return {name: list(value.read()) if isinstance(value, Unread) else value for name, value in response.items()}


def both(action: str, content: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What botocore alone makes of a response, and what it makes of it after `parse_list`."""
    operation = MODEL.operation_model(action)
    body = f'<{action}Response xmlns="{NAMESPACE}"><requestId>r</requestId>{content}</{action}Response>'.encode()
    alone = PARSER.parse({"status_code": 200, "headers": {}, "body": body}, operation.output_shape)
    response: dict[str, Any] = {"status_code": 200, "headers": {}, "body": body}
    customized: dict[str, Any] = {}
    parse_list(operation, response, customized)
    parsed = PARSER.parse(response, operation.output_shape)
    parsed.update(customized)
    return alone, parsed


@pytest.mark.parametrize(
    "action", ["DescribeImages", "DescribeInstances", "DescribeSnapshots", "DescribeLaunchTemplateVersions"]
)
@given(random=st.randoms(use_true_random=True))
def test_it_reads_what_botocore_reads(action: str, random: Random) -> None:
    """Elements are many and small: hypothesis draws only the seed."""
    shape = MODEL.operation_model(action).output_shape
    content = "".join(xml_of(random, member, name) for name, member in shape.members.items())
    alone, parsed = both(action, content)
    assert read(parsed) == alone
    validate_response(parsed, MODEL.operation_model(action))


def test_the_list_of_a_response_is_read_later() -> None:
    _, parsed = both("DescribeImages", "<imagesSet><item><imageId>ami-1</imageId></item></imagesSet>")
    assert isinstance(parsed["Images"], Unread)


@pytest.mark.parametrize(
    "content",
    [
        element("imagesSet", element("item", "<imageId>ami-1</imageId><imageId>ami-2</imageId>")),
        element(
            "imagesSet",
            element("item", element("blockDeviceMapping", element("item", "<ebs><volumeSize>many</volumeSize></ebs>"))),
        ),
        "<imagesSet/><imagesSet><item><imageId>ami-1</imageId></item></imagesSet>",
    ],
    ids=["a member twice", "not a number", "a list twice"],
)
def test_what_the_model_does_not_say_is_refused(content: str) -> None:
    body = f"<DescribeImagesResponse>{content}</DescribeImagesResponse>".encode()
    response: dict[str, Any] = {"status_code": 200, "headers": {}, "body": body}

    def parsed() -> dict[str, Any]:
        customized: dict[str, Any] = {}
        parse_list(MODEL.operation_model("DescribeImages"), response, customized)
        return read(customized)

    with pytest.raises(ResponseParserError):
        parsed()


@pytest.mark.parametrize("status, body", [(200, b"<html>"), (400, b"<Response><imagesSet/></Response>")])
def test_broken_xml_and_errors_are_left_to_botocore(status: int, body: bytes) -> None:
    response = {"status_code": status, "headers": {}, "body": body}
    customized: dict[str, Any] = {}
    parse_list(MODEL.operation_model("DescribeImages"), response, customized)
    assert (response["body"], customized) == (body, {})
