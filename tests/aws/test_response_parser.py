"""The fast parser of EC2's lists reads what botocore's own parser reads, and what the model does not say is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from xml.sax.saxutils import escape

import pytest
from botocore.awsrequest import AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError, create_parser
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.aws.response_parser import parse_list, validate_response
from amicleaner.aws.session import Clients, new_session, with_credentials
from tests.fake_aws.attach import Body

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
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in response.items()}


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
    assert isinstance(parsed["Images"], Iterator)


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


@pytest.mark.parametrize(
    "time", ["2026-01-31T06:00:00.250Z", "2026-01-31T06:00:00Z", "2026-01-31T06:00:00+02:00", "1769839200"]
)
def test_a_time_in_any_form_is_the_one_that_botocore_reads(time: str) -> None:
    alone, parsed = both("DescribeSnapshots", element("snapshotSet", element("item", element("startTime", time))))
    assert read(parsed) == alone


# What the model does not say

REGIONS = "<DescribeRegionsResponse><regionInfo>{}</regionInfo></DescribeRegionsResponse>"


def asked(service: str, method: str, body: Any, status: int = 200, **parameters: Any) -> Any:
    """What a client of ours makes of a body: XML, or what JSON is made of."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    session = with_credentials(new_session(), Credentials("key", "secret"))

    def send(request: Any, **_: Any) -> Any:
        return AWSResponse(request.url, status, {}, Body(data))  # type: ignore[arg-type]

    session.events.register("before-send", send)
    answer = getattr(Clients(session, "eu-west-1")(service), method)(**parameters)
    return read(answer)


@pytest.mark.parametrize("name", ["", "eu-west-1"])
def test_what_the_model_says_passes(name: str) -> None:
    answer = asked("ec2", "describe_regions", REGIONS.format(f"<item><regionName>{name}</regionName><new>1</new></item>"))
    assert answer["Regions"] == [{"RegionName": name}]
    value = {"Name": "a", "Value": "b", "Version": 1, "LastModifiedDate": 1.5, "New": [None]}
    answer = asked("ssm", "get_parameters", {"Parameters": [value], "InvalidParameters": None}, Names=["a"])
    assert answer["Parameters"][0].keys() == value.keys() - {"New"}
    assert asked("ec2", "delete_snapshot", "<DeleteSnapshotResponse/>", SnapshotId="snap-1")["ResponseMetadata"]


def test_a_duplicate_xml_member_is_refused() -> None:
    """botocore would hand on both elements in a list, in the place of the text."""
    with pytest.raises(ResponseParserError, match="DescribeRegions is not what the service model says"):
        asked("ec2", "describe_regions", REGIONS.format("<item><regionName>a</regionName><regionName>b</regionName></item>"))


@pytest.mark.parametrize(
    "answer",
    [
        {"Parameters": [None]},
        {"Parameters": [{"Name": {}}]},
        {"Parameters": [{"Value": 5}]},
        {"Parameters": [{"Version": "1"}]},
        {"Parameters": [], "InvalidParameters": [None]},
        {"Parameters": [], "InvalidParameters": [{}]},
        {"Parameters": [], "InvalidParameters": [["a"]]},
    ],
)
def test_json_of_other_types(answer: Any) -> None:
    with pytest.raises(ResponseParserError, match="GetParameters does not match the service model"):
        asked("ssm", "get_parameters", answer, Names=["a"])


def test_an_error_is_reported_as_what_it_is() -> None:
    with pytest.raises(ClientError, match="AccessDeniedException"):
        asked("ssm", "get_parameters", {"__type": "AccessDeniedException", "Parameters": 5}, 400, Names=["a"])
