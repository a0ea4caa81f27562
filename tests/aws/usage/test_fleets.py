"""EC2 Fleets, Spot Fleets and Spot requests: which states protect, and by what."""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.errors import AwsError
from tests.aws.usage.account import Account


@pytest.mark.parametrize("state", ["submitted", "active", "modifying", "something_new"])
def test_a_live_spot_fleet_protects(account: Account, state: str) -> None:
    image = account.image()
    fleet = account.region.add_spot_fleet(state, launch_specifications=[{"ImageId": "ami-1"}, {"ImageId": image}])
    assert account.users(image) == [f"Spot Fleet {fleet.fleet_id} ({state})"]


def test_a_spot_fleet_without_a_state_protects(account: Account) -> None:
    image = account.image()
    fleet = account.region.add_spot_fleet("", launch_specifications=[{"ImageId": image}])
    assert account.users(image) == [f"Spot Fleet {fleet.fleet_id} (unknown)"]


@pytest.mark.parametrize("state", ["cancelled", "cancelled_running", "cancelled_terminating", "failed"])
def test_a_spot_fleet_that_is_over_does_not(account: Account, state: str) -> None:
    account.region.add_spot_fleet(state, launch_specifications=[{"ImageId": account.image()}])
    assert account.read().uses == {}


def test_a_spot_fleet_by_launch_template(account: Account) -> None:
    image = account.image()
    template = account.region.add_launch_template("web", versions=[{}, {"ImageId": image}, {}])
    specification = {"LaunchTemplateName": "web", "Version": "2"}
    fleet = account.region.add_spot_fleet(launch_template_configs=[{"LaunchTemplateSpecification": specification}])
    label = f'Spot Fleet {fleet.fleet_id} (active), launch template {template.template_id} "web" version 2'
    assert account.users(image) == [label]


def test_the_snapshots_of_a_spot_fleet(account: Account) -> None:
    devices = [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-1"}}]
    # The fake AWS writes the members of a specification under their names on the wire.
    account.region.add_spot_fleet(launch_specifications=[{"ImageId": account.image(), "BlockDeviceMapping": devices}])
    assert account.read().snapshots.keys() == {"snap-1"}


def test_the_snapshots_of_a_spot_request(account: Account) -> None:
    specification = {"ImageId": "ami-1", "BlockDeviceMapping": [{"Ebs": {"SnapshotId": "snap-1"}}]}
    account.region.add_spot_request("", extra={"LaunchSpecification": specification})
    assert account.read().snapshots.keys() == {"snap-1"}


def test_a_spot_fleet_that_hides_its_configuration_stops_the_run(account: Account) -> None:
    account.region.add_spot_fleet(omit={"SpotFleetRequestConfig"})
    with pytest.raises(AwsError, match=r"MalformedResponse: Spot Fleet .* has no SpotFleetRequestConfig"):
        account.read()


@pytest.mark.parametrize("state", ["open", "active", "disabled", "something-new"])
def test_a_live_spot_request_protects(account: Account, state: str) -> None:
    image = account.image()
    request = account.region.add_spot_request(image, state)
    assert account.users(image) == [f"Spot request {request.request_id} ({state})"]


@pytest.mark.parametrize("state", ["cancelled", "closed", "failed"])
def test_a_spot_request_that_is_over_does_not(account: Account, state: str) -> None:
    account.region.add_spot_request(account.image(), state)
    assert account.read().uses == {}


@pytest.mark.parametrize("lacking", [{"omit": {"LaunchSpecification"}}, *({"image_id": image} for image in (None, ""))])
def test_a_spot_request_that_hides_its_image_stops_the_run(account: Account, lacking: dict[str, Any]) -> None:
    account.region.add_spot_request(**{"image_id": account.image(), **lacking})
    with pytest.raises(AwsError, match=r"MalformedResponse: Spot request .* has no (LaunchSpecification|ImageId)"):
        account.read()


def test_an_empty_specification_of_a_spot_request_stops_the_run(account: Account) -> None:
    account.region.add_spot_request(account.image(), extra={"LaunchSpecification": {}})
    with pytest.raises(AwsError, match=r"MalformedResponse: Spot request .* has no ImageId"):
        account.read()


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"LaunchSpecifications": [], "LaunchTemplateConfigs": []},
        {"LaunchSpecifications": [{"InstanceType": "t3.micro"}]},
        {"LaunchSpecifications": [{"ImageId": "ami-1"}, {"ImageId": ""}]},
        {"LaunchTemplateConfigs": [{"Overrides": [{"InstanceType": "t3.micro"}]}]},
        {"LaunchTemplateConfigs": [{"LaunchTemplateSpecification": {}}]},
    ],
)
def test_a_spot_fleet_that_hides_what_it_launches_stops_the_run(account: Account, config: dict[str, Any]) -> None:
    account.region.add_spot_fleet(extra={"SpotFleetRequestConfig": config})
    with pytest.raises(AwsError, match=r"DescribeSpotFleetRequests .*MalformedResponse"):
        account.read()


@pytest.mark.parametrize(
    "configs",
    [None, [], [{"Overrides": [{"ImageId": "ami-1"}]}], [{"LaunchTemplateSpecification": {"Version": "1"}}], [{}]],
)
def test_a_fleet_that_hides_what_it_launches_stops_the_run(account: Account, configs: Any) -> None:
    account.region.add_fleet(extra={"LaunchTemplateConfigs": configs})
    with pytest.raises(AwsError, match=r"DescribeFleets .*MalformedResponse"):
        account.read()


def test_an_empty_override_stops_the_run(account: Account) -> None:
    """It is what two lists of overrides in one answer look like."""
    account.region.add_fleet(launch_template_configs=[{"Overrides": [{"InstanceType": "t3.micro"}, {}]}])
    with pytest.raises(AwsError, match=r"MalformedResponse: EC2 Fleet .* has an empty override"):
        account.read()


@pytest.mark.parametrize("state", ["submitted", "active", "modifying", "something_new"])
def test_a_live_fleet_protects(account: Account, state: str) -> None:
    image = account.image()
    template = account.region.add_launch_template("web", versions=[{}, {"ImageId": image}, {}])
    specification = {"LaunchTemplateId": template.template_id, "Version": "2"}
    fleet = account.region.add_fleet(state, launch_template_configs=[{"LaunchTemplateSpecification": specification}])
    label = f'EC2 Fleet {fleet.fleet_id} ({state}), launch template {template.template_id} "web" version 2'
    assert account.users(image) == [label]


@pytest.mark.parametrize("state", ["deleted", "deleted_running", "deleted_terminating", "failed"])
def test_a_fleet_that_is_over_does_not(account: Account, state: str) -> None:
    configs = [{"Overrides": [{"ImageId": account.image()}]}]
    account.region.add_fleet(state, launch_template_configs=configs)
    assert account.read().uses == {}


def test_the_image_and_the_parameter_of_an_override(account: Account) -> None:
    image, named = account.image(), account.image()
    account.region.add_parameter("golden", named)
    overrides = [{"ImageId": image}, {"ImageId": "resolve:ssm:golden"}, {"InstanceType": "t3.micro"}]
    fleet = account.region.add_fleet(launch_template_configs=[{"Overrides": overrides}])
    reading = account.read()
    assert {image: [use.label for use in uses] for image, uses in reading.uses.items()} == {
        image: [f"EC2 Fleet {fleet.fleet_id} (active), override"],
        named: [f"EC2 Fleet {fleet.fleet_id} (active), override, SSM parameter golden"],
    }


def test_the_snapshots_of_an_override(account: Account) -> None:
    overrides = [{"BlockDeviceMappingSet": [{"Ebs": {"SnapshotId": "snap-1"}}]}]
    account.region.add_fleet(launch_template_configs=[{"Overrides": overrides}])
    assert account.read().snapshots.keys() == {"snap-1"}
