"""A response without what AWS always sends stops the run: what it leaves out may be in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from amicleaner.errors import AwsError
from tests.aws.usage.account import Account
from tests.catalogue import add_pipeline, batch
from tests.fake_aws import RegionState

Add = Callable[[RegionState], Any]


def spot_fleet(**config: Any) -> Add:
    return lambda region: region.add_spot_fleet(extra={"SpotFleetRequestConfig": config})


def fleet(*configs: Any) -> Add:
    return lambda region: region.add_fleet(extra={"LaunchTemplateConfigs": list(configs) or None})


def group(**extra: Any) -> Add:
    return lambda region: region.add_group("front", extra=extra)


def policy(**template: Any) -> dict[str, Any]:
    return {"LaunchTemplate": template}


def template(member: str) -> Add:
    return lambda region: region.add_launch_template("web", omit={member})


def refresh(region: RegionState) -> None:
    region.add_group("front")
    region.add_refresh("front", omit={"InstanceRefreshId", "Status", "DesiredConfiguration"})


def build_without_date(region: RegionState) -> None:
    add_pipeline(region, "ami-1")
    region.entries["built-image"][0].omit.add("dateCreated")


EMPTY_OVERRIDE = {"LaunchTemplateSpecification": {"LaunchTemplateName": "web"}, "Overrides": [{"ImageId": "ami-1"}, {}]}
"""What two lists of overrides in one response look like."""

NOWHERE = "does not say what it launches from"
NO_TEMPLATE = "has overrides but no launch template"
NAMELESS = "names a launch template without an id or a name"
CASES: dict[str, list[tuple[str, Add]]] = {
    "DescribeInstances": [
        ("an instance has no InstanceId", lambda r: r.add_instance("ami-1", omit={"InstanceId"})),
        ("instance i-.* has no ImageId", lambda r: r.add_instance("ami-1", omit={"ImageId"})),
    ],
    "DescribeLaunchConfigurations": [
        ("configuration web has no ImageId", lambda r: r.add_launch_configuration("ami-1", "web", omit={"ImageId"})),
        ("configuration web has no ImageId", lambda r: r.add_launch_configuration("", "web")),
    ],
    "DescribeLaunchTemplateVersions": [
        (f"has no {member}", template(member)) for member in ("LaunchTemplateData", "LaunchTemplateId", "VersionNumber")
    ],
    "DescribeAutoScalingGroups": [
        (NOWHERE, group(LaunchConfigurationName=None)),
        (NOWHERE, group(LaunchConfigurationName="", MixedInstancesPolicy={})),
        (NOWHERE, group(LaunchConfigurationName=None, MixedInstancesPolicy={"InstancesDistribution": {}})),
        (NO_TEMPLATE, group(MixedInstancesPolicy=policy())),
        (NO_TEMPLATE, group(MixedInstancesPolicy=policy(Overrides=[{"ImageId": "ami-1"}]))),
        (NAMELESS, group(LaunchTemplate={})),
        (NAMELESS, group(LaunchTemplate={"Version": "1"})),
    ],
    "DescribeInstanceRefreshes": [("a refresh of Auto Scaling group .* has no InstanceRefreshId", refresh)],
    "DescribeSpotFleetRequests": [
        ("has no SpotFleetRequestConfig", lambda r: r.add_spot_fleet(omit={"SpotFleetRequestConfig"})),
        ("has no LaunchTemplateConfigs", spot_fleet()),
        ("has no LaunchTemplateConfigs", spot_fleet(LaunchSpecifications=[], LaunchTemplateConfigs=[])),
        ("has no ImageId", spot_fleet(LaunchSpecifications=[{"InstanceType": "t3.micro"}])),
        ("has no ImageId", spot_fleet(LaunchSpecifications=[{"ImageId": "ami-1"}, {"ImageId": ""}])),
        (NO_TEMPLATE, spot_fleet(LaunchTemplateConfigs=[{"Overrides": [{"InstanceType": "t3.micro"}]}])),
        (NAMELESS, spot_fleet(LaunchTemplateConfigs=[{"LaunchTemplateSpecification": {}}])),
    ],
    "DescribeSpotInstanceRequests": [
        ("has no LaunchSpecification", lambda r: r.add_spot_request("ami-1", omit={"LaunchSpecification"})),
        ("has no ImageId", lambda r: r.add_spot_request("")),
        ("has no ImageId", lambda r: r.add_spot_request("", extra={"LaunchSpecification": {}})),
    ],
    "DescribeFleets": [
        ("has no LaunchTemplateConfigs", fleet()),
        (NO_TEMPLATE, fleet({"Overrides": [{"ImageId": "ami-1"}]})),
        (NO_TEMPLATE, fleet({})),
        (NAMELESS, fleet({"LaunchTemplateSpecification": {"Version": "1"}})),
        ("EC2 Fleet .* has an empty override", fleet(EMPTY_OVERRIDE)),
    ],
    "DescribeComputeEnvironments": [
        (NAMELESS, lambda r: r.add_entry("compute-environment", batch("x", launchTemplate={"version": "1"}))),
    ],
    "ListImagePipelineImages": [("an image has no dateCreated", build_without_date)],
}


@pytest.mark.parametrize(("call", "told", "add"), [(call, *case) for call, cases in CASES.items() for case in cases])
def test_a_response_without_what_aws_always_sends_stops_the_run(account: Account, call: str, told: str, add: Add) -> None:
    add(account.region)
    with pytest.raises(AwsError, match=rf"\w+:{call} failed .*: MalformedResponse: .*{told}"):
        account.on_demand()
