"""Instances."""

from __future__ import annotations

import pytest

from amicleaner.errors import AwsError
from tests.aws.usage.account import Account


@pytest.mark.parametrize("state", ["pending", "running", "shutting-down", "stopping", "stopped"])
def test_every_live_state_protects(account: Account, state: str) -> None:
    image = account.image()
    instance = account.region.add_instance(image, state)
    assert account.users(image) == [f"instance {instance.instance_id} ({state})"]


def test_a_terminated_instance_does_not_protect(account: Account) -> None:
    image = account.image()
    account.region.add_instance(image, "terminated")
    assert account.users(image) == []


@pytest.mark.parametrize(("state", "word"), [({"Name": "hibernated"}, "hibernated"), ({}, "unknown"), (None, "unknown")])
def test_a_state_that_nobody_knows_protects(account: Account, state: object, word: str) -> None:
    image = account.image()
    if state is None:
        instance = account.region.add_instance(image, omit={"State"})
    else:
        instance = account.region.add_instance(image, extra={"State": state})
    assert account.users(image) == [f"instance {instance.instance_id} ({word})"]


def test_a_hidden_managed_instance_protects(account: Account) -> None:
    image = account.image()
    account.region.add_instance(image, managed=True)
    assert len(account.users(image)) == 1


def test_several_instances_of_one_reservation(account: Account) -> None:
    images = [account.image(), account.image()]
    for image in images:
        account.region.add_instance(image, reservation_id="r-1")
    assert account.read().uses.keys() == set(images)


@pytest.mark.parametrize("member", ["ImageId", "InstanceId"])
def test_an_instance_that_hides_its_image_stops_the_run(account: Account, member: str) -> None:
    account.region.add_instance(account.image(), omit={member})
    with pytest.raises(AwsError, match=f"MalformedResponse: .*instance.* has no {member}"):
        account.read()


def test_a_terminated_instance_need_not_name_its_image(account: Account) -> None:
    account.region.add_instance(account.image(), "terminated", omit={"ImageId"})
    assert account.read().uses == {}


def test_an_empty_image_is_tolerated(account: Account) -> None:
    account.region.add_instance("")
    assert account.read().uses == {}
