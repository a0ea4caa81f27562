"""Auto Scaling groups and their instance refreshes: what is named there beside what `test_registry.py` tests."""

from __future__ import annotations

import pytest

from amicleaner.errors import AwsError
from tests.aws.usage.account import Account
from tests.catalogue import add_refresh, mixed, pinned


def test_without_the_templates_check_images_and_parameters_still_count(account: Account) -> None:
    image, named = account.image(), account.image()
    account.region.add_parameter("/golden", named)
    account.region.add_group(launch_template=pinned(account.region, account.image()))
    for own in (image, "resolve:ssm:/golden"):
        account.region.add_group(mixed_instances_policy=mixed({"ImageId": own}))
    reading = account.read(skip_check=("launch-templates",))
    assert reading.uses.keys() == {image, named}
    assert account.fake_aws.calls.count("DescribeLaunchTemplateVersions") == 0


def test_each_group_takes_one_call_and_a_version_that_was_read_none(account: Account) -> None:
    image = account.image()
    version = pinned(account.region, image)
    for name in "abc":
        account.region.add_group(name, launch_template=version)
        account.region.add_refresh(name, {"LaunchTemplate": version})
    assert len(account.users(image)) == 6
    assert account.fake_aws.calls.count("DescribeInstanceRefreshes") == 3
    assert account.fake_aws.calls.count("DescribeLaunchTemplateVersions") == 2


def test_a_refresh_need_not_have_a_desired_configuration(account: Account) -> None:
    account.region.add_group("front")
    account.region.add_refresh("front")
    assert account.read().uses == {}


def test_a_group_deleted_since_gives_a_warning_and_the_others_count(account: Account) -> None:
    image = account.image()
    account.region.add_group("a-gone")
    add_refresh(account.region, {"MixedInstancesPolicy": mixed({"ImageId": image})})
    account.fake_aws.after("DescribeAutoScalingGroups", lambda *_: account.region.groups.pop("a-gone", None))
    assert len(account.users(image)) == 1
    assert account.warnings == ('Auto Scaling group "a-gone" was deleted during the scan; its refreshes protect no AMI.',)


def test_any_other_refusal_stops_the_run(account: Account) -> None:
    account.region.add_group("front")
    account.fault("DescribeInstanceRefreshes", code="ValidationError")
    with pytest.raises(AwsError, match="ValidationError"):
        account.read()


def test_an_endpoint_without_refreshes_is_asked_once(account: Account) -> None:
    account.fake_aws.missing_actions.add("DescribeInstanceRefreshes")
    for name in "abc":
        account.region.add_group(name)
    assert account.read().uses == {}
    assert len(account.warnings) == account.fake_aws.calls.count("DescribeInstanceRefreshes") == 1
