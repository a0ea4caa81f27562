"""Prompt that botocore's parsers let through, though the service model says otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from amicleaner.aws.response_parser import Unread
from amicleaner.aws.session import Clients, new_session, with_credentials
from tests.fake_aws.attach import Body

REGIONS = "<DescribeRegionsResponse><regionInfo>{}</regionInfo></DescribeRegionsResponse>"


def asked(service: str, method: str, body: Any, status: int = 200, **parameters: Any) -> Any:
    """What a client of ours makes of a body: XML, or what JSON is made of."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    session = with_credentials(new_session(), Credentials("key", "secret"))

    def send(request: Any, **_: Any) -> Any:
        return AWSResponse(request.url, status, {}, Body(data))  # type: ignore[arg-type]

    session.events.register("before-send", send)
    answer = getattr(Clients(session, "eu-west-1")(service), method)(**parameters)
    return {name: list(value.read()) if isinstance(value, Unread) else value for name, value in answer.items()}


@pytest.mark.parametrize("name", ["", "eu-west-1"])
def test_what_the_model_says_passes(name: str) -> None:
    answer = asked("ec2", "describe_regions", REGIONS.format(f"<item><regionName>{name}</regionName><new>1</new></item>"))
    assert answer["Regions"] == [{"RegionName": name}]
    value = {"Name": "a", "Value": "b", "Version": 1, "LastModifiedDate": 1.5, "New": [None]}
    answer = asked("ssm", "get_parameters", {"Parameters": [value], "InvalidParameters": None}, Names=["a"])
    assert answer["Parameters"][0].keys() == value.keys() - {"New"}
    assert asked("ec2", "delete_snapshot", "<DeleteSnapshotResponse/>", SnapshotId="snap-1")["ResponseMetadata"]


def test_a_member_that_stands_there_twice_is_no_text() -> None:
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


def test_an_error_is_told_as_what_it_is() -> None:
    with pytest.raises(ClientError, match="AccessDeniedException"):
        asked("ssm", "get_parameters", {"__type": "AccessDeniedException", "Parameters": 5}, 400, Names=["a"])
