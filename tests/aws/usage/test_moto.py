"""Every read works against moto, or is softened as promised: the demo and many people's own tests stand on it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from amicleaner.aws import usage
from amicleaner.aws.api import Api
from amicleaner.aws.session import Clients
from amicleaner.config import Config
from amicleaner.models import Target
from amicleaner.sources import SOURCES
from tests.aws.usage.account import labels

REGION = "eu-west-1"


@pytest.fixture
def moto() -> Iterator[SimpleNamespace]:
    with mock_aws():
        session = boto3.Session(region_name=REGION)
        yield SimpleNamespace(
            ec2=session.client("ec2"),
            autoscaling=session.client("autoscaling"),
            ssm=session.client("ssm"),
            api=Api(Target("123456789012", REGION), Clients(session, REGION)),
        )


def register(moto: SimpleNamespace, name: str) -> str:
    return str(moto.ec2.register_image(Name=name, RootDeviceName="/dev/sda1")["ImageId"])


def test_all_that_moto_knows_is_read_and_the_rest_gives_warnings(moto: SimpleNamespace, threads: ThreadPoolExecutor) -> None:
    ec2, autoscaling, api = moto.ec2, moto.autoscaling, moto.api
    image = {
        name: register(moto, name)
        for name in ("instance", "configuration", "default", "pinned", "stale", "latest", "fleet", "spot", "old", "new")
    }
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.run_instances(ImageId=image["instance"], MinCount=1, MaxCount=1)
    autoscaling.create_launch_configuration(
        LaunchConfigurationName="lc", ImageId=image["configuration"], InstanceType="t3.micro"
    )
    data = {"ImageId": image["default"]}
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]
    for name in ("pinned", "stale", "latest"):
        ec2.create_launch_template_version(
            LaunchTemplateId=template["LaunchTemplateId"], LaunchTemplateData={"ImageId": image[name]}
        )
    pin = {"LaunchTemplateId": template["LaunchTemplateId"], "Version": "2"}
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="front", MinSize=0, MaxSize=0, LaunchTemplate=pin, VPCZoneIdentifier=subnet
    )
    ec2.create_fleet(
        LaunchTemplateConfigs=[
            {"LaunchTemplateSpecification": pin, "Overrides": [{"InstanceType": "t3.micro", "ImageId": image["fleet"]}]}
        ],
        TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"},
    )
    specification = {"ImageId": image["spot"], "InstanceType": "t3.micro", "SubnetId": subnet}
    ec2.request_spot_fleet(
        SpotFleetRequestConfig={
            "IamFleetRole": "arn:aws:iam::123456789012:role/fleet",
            "TargetCapacity": 1,
            "AllocationStrategy": "lowestPrice",
            "LaunchSpecifications": [specification],
        }
    )
    for value in (image["old"], image["new"]):
        moto.ssm.put_parameter(Name="/golden", Value=value, Type="String", Overwrite=True)
    for name, alias in (("old", "/golden:1"), ("new", "/golden")):
        ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": f"resolve:ssm:{alias}"})

    reading = usage.read_usage(api, Config(), threads)
    assert reading.uses.keys() == {id for name, id in image.items() if name != "stale"}
    assert [labels(reading.uses[image[name]])[0].rpartition(" ")[2] for name in ("old", "new")] == ["/golden:1", "/golden"]
    assert {use.kind for uses in reading.uses.values() for use in uses} == {
        "instance",
        "launch-configuration",
        "launch-template",
        "auto-scaling-group",
        "fleet",
        "spot-fleet",
        "spot-request",
    }
    every = usage.read_usage(api, Config(all_launch_template_versions=True), threads)
    assert every.uses.keys() - reading.uses.keys() == {image["stale"]}
    late = usage.read_on_demand(api, reading, image.values(), Config(), threads)
    warnings = (*reading.warnings, *late.warnings)
    lacked = [warning.removeprefix("This endpoint doesn't support ").partition(";")[0] for warning in warnings]
    assert lacked[0] == "autoscaling:DescribeInstanceRefreshes"
    assert {"ec2:DescribeImageReferences"} <= {*lacked} <= {action for source in SOURCES for action in source.actions}
