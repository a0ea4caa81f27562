"""Auto Scaling groups; versions of templates are tested in test_template_versions.py."""

from __future__ import annotations

import pytest

from amicleaner.aws.usage import UsageOptions
from amicleaner.errors import AwsError
from tests.aws.usage.account import Account


def policy(**template: object) -> dict[str, object]:
    return {"LaunchTemplate": template}


def template_of(account: Account, image: str) -> dict[str, str]:
    """A specification of version 2 of three, which only a reference to it reaches."""
    template = account.region.add_launch_template("web", versions=[{}, {"ImageId": image}, {}])
    return {"LaunchTemplateId": template.template_id, "Version": "2"}


def test_the_launch_template_of_a_group_at_capacity_0(account: Account) -> None:
    image = account.image()
    specification = template_of(account, image)
    account.region.add_group("front", launch_template=specification, size=0)
    label = f'Auto Scaling group "front", launch template {specification["LaunchTemplateId"]} "web" version 2'
    uses = account.read().uses[image]
    assert [(use.kind, use.id, use.label) for use in uses] == [("auto-scaling-group", "front", label)]


@pytest.mark.parametrize("where", ["base", "override"])
def test_the_templates_of_a_mixed_instances_policy(account: Account, where: str) -> None:
    image = account.image()
    specification = template_of(account, image)
    other = account.region.add_launch_template(versions=[{}])
    base, small = {"LaunchTemplateId": other.template_id}, {"InstanceType": "t3.micro"}
    if where == "base":
        mixed = policy(LaunchTemplateSpecification=specification, Overrides=[{"InstanceType": "t3.micro"}])
    else:
        mixed = policy(
            LaunchTemplateSpecification=base, Overrides=[small, {"LaunchTemplateSpecification": specification}, small]
        )
    account.region.add_group("front", mixed_instances_policy=mixed)
    assert len(account.users(image)) == 1


def test_the_own_image_of_an_override(account: Account) -> None:
    image = account.image()
    account.region.add_group(
        "front", mixed_instances_policy=policy(Overrides=[{"InstanceType": "t3.micro"}, {"ImageId": image}])
    )
    assert account.users(image) == ['Auto Scaling group "front", override']


def test_an_alias_in_an_override(account: Account) -> None:
    image = account.image()
    account.region.add_parameter("/golden", image)
    account.region.add_group("front", mixed_instances_policy=policy(Overrides=[{"ImageId": "resolve:ssm:/golden"}]))
    assert account.users(image) == ['Auto Scaling group "front", override, SSM parameter /golden']


def test_the_image_of_a_replaced_root_volume(account: Account) -> None:
    image, gone = account.image(), account.image()
    instances = [
        {"InstanceId": "i-1", "ImageId": image, "LifecycleState": "InService"},
        {"InstanceId": "i-2", "ImageId": gone, "LifecycleState": "Terminated"},
        {"InstanceId": "i-3", "LifecycleState": "InService"},
    ]
    account.region.add_group("front", instances=instances)
    assert account.read().uses.keys() == {image}
    assert account.users(image) == ['Auto Scaling group "front", instance i-1']


def test_a_group_with_a_launch_configuration(account: Account) -> None:
    image = account.image()
    account.region.add_launch_configuration(image, "lc")
    account.region.add_group("front", launch_configuration="lc")
    assert account.users(image) == ['launch configuration "lc"']
    assert account.read().groups == ("front",)


@pytest.mark.parametrize(
    "extra",
    [
        {"LaunchConfigurationName": None},
        {"LaunchConfigurationName": "", "MixedInstancesPolicy": {}},
        {
            "LaunchConfigurationName": None,
            "MixedInstancesPolicy": {"InstancesDistribution": {"SpotAllocationStrategy": "x"}},
        },
        {"MixedInstancesPolicy": policy()},
        {"MixedInstancesPolicy": policy(Overrides=[{"ImageId": "ami-1"}])},
        {"LaunchTemplate": {}},
    ],
)
def test_a_group_that_hides_what_it_launches_from_stops_the_run(account: Account, extra: dict[str, object]) -> None:
    account.region.add_group("front", extra=extra)
    with pytest.raises(AwsError, match=r"DescribeAutoScalingGroups .*MalformedResponse"):
        account.read()


def test_a_specification_that_names_no_template_stops_the_run(account: Account) -> None:
    account.region.add_group("front", launch_template={"Version": "1"})
    with pytest.raises(AwsError, match=r"DescribeAutoScalingGroups .*MalformedResponse.*without an id or a name"):
        account.read()


def test_without_the_templates_check_images_and_parameters_still_count(account: Account) -> None:
    image, pinned, named = account.image(), account.image(), account.image()
    account.region.add_parameter("/golden", named)
    account.region.add_group(launch_template=template_of(account, pinned))
    overrides = [{"ImageId": image}, {"ImageId": "resolve:ssm:/golden"}]
    account.region.add_group(mixed_instances_policy=policy(Overrides=overrides))
    reading = account.read(UsageOptions(skip=frozenset({"launch-templates"})))
    assert reading.uses.keys() == {image, named}
    assert account.fake_aws.calls.count("DescribeLaunchTemplateVersions") == 0
