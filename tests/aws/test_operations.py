"""Every operation, held against botocore's service models: a listing that pages by another name would read page one only."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import botocore.session
import pytest

from amicleaner.aws.session import READ, TRIMMED, trim_model
from amicleaner.sources import OPERATIONS, SOURCES

PAGING = re.compile(r"token|marker", re.IGNORECASE)
SIZE = re.compile(r"max_?(results|records|items)|limit|page_?size", re.IGNORECASE)
EACH = pytest.mark.parametrize("action", OPERATIONS)


@cache
def session() -> Any:
    return botocore.session.Session()


def model(action: str) -> Any:
    operation = OPERATIONS[action]
    return session().get_service_model(operation.service).operation_model(operation.name)


def members(shape: Any) -> dict[str, Any]:
    return dict(shape.members) if shape else {}


@EACH
def test_the_items_are_a_list_of_the_response(action: str) -> None:
    operation = OPERATIONS[action]
    if operation.items:
        assert members(model(action).output_shape)[operation.items].type_name == "list"


@EACH
def test_a_listing_pages_by_the_members_of_the_service(action: str) -> None:
    operation = OPERATIONS[action]
    asked, answered = members(model(action).input_shape), members(model(action).output_shape)
    tokens = [name for name in answered if PAGING.search(name)]
    if not operation.items:
        assert not tokens, "it pages, so it needs `items`"
    elif operation.next_page:
        assert tokens == [operation.next_page]
        assert asked[operation.next_page].type_name == "string"
    else:
        assert not tokens


@EACH
def test_the_size_of_a_page_is_one_that_the_service_takes(action: str) -> None:
    operation = OPERATIONS[action]
    asked = members(model(action).input_shape)
    if operation.size:
        size = asked[operation.size_member]
        assert size.type_name == "integer"
        assert operation.size <= size.metadata.get("max", operation.size)
        assert operation.size >= size.metadata.get("min", 0)
        assert operation.next_page
    elif operation.items:
        # What is left to AWS, because no bound is documented or there is nothing to say.
        assert [name for name in asked if SIZE.fullmatch(name)] in ([], ["MaxRecords"], ["MaxResults"])


@EACH
def test_the_iam_action_has_the_services_prefix(action: str) -> None:
    signed = session().get_service_model(OPERATIONS[action].service).signing_name
    assert OPERATIONS[action].action.partition(":")[0] == signed


def test_two_sources_never_share_a_call() -> None:
    calls = [call.action for source in SOURCES for call in source.calls]
    assert len(set(calls)) == len(calls)


@pytest.mark.parametrize("service", sorted(TRIMMED))
def test_a_trimmed_model_has_what_is_called_and_read(service: str) -> None:
    whole = session().get_component("data_loader").load_service_model(service, "service-2")
    trimmed = trim_model(service, whole)
    wanted = {operation.name for operation in OPERATIONS.values() if operation.service == service}
    assert trimmed["operations"].keys() == wanted
    if service == "ec2":
        for shape, kept in READ.items():
            assert trimmed["shapes"][shape]["members"].keys() == kept, shape
