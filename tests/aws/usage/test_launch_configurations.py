"""Launch configurations."""

from __future__ import annotations

import pytest

from amicleaner.errors import AwsError
from tests.aws.usage.account import Account


def test_a_launch_configuration_protects_without_a_group(account: Account) -> None:
    image = account.image()
    account.region.add_launch_configuration(image, "web")
    assert account.users(image) == ['launch configuration "web"']


def test_its_block_devices_keep_their_snapshots(account: Account) -> None:
    account.region.add_launch_configuration(
        account.image(),
        block_devices=[{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-1"}}, {"DeviceName": "/dev/sdg"}],
    )
    assert account.read().snapshots.keys() == {"snap-1"}


def test_one_that_hides_its_image_stops_the_run(account: Account) -> None:
    account.region.add_launch_configuration(account.image(), "web", omit={"ImageId"})
    with pytest.raises(AwsError, match="MalformedResponse: launch configuration web has no ImageId"):
        account.read()


def test_an_empty_image_stops_the_run(account: Account) -> None:
    """In the service model it has at least one letter."""
    account.region.add_launch_configuration("", "web")
    with pytest.raises(AwsError, match="MalformedResponse: launch configuration web has no ImageId"):
        account.read()
