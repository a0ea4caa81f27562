"""Instance refreshes that are not over."""

from __future__ import annotations

import pytest

from amicleaner.aws import usage
from amicleaner.aws.usage import UsageOptions
from amicleaner.errors import AwsError, ThrottledError
from tests.aws.usage.account import Account

OVER = ["Successful", "Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"]
ON = ["Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking", "SomethingNew"]


def refresh(account: Account, image: str, status: str = "InProgress", group: str = "front") -> str:
    """A refresh to version 2 of three, which only a reference to it reaches; returns its id."""
    if group not in account.region.groups:
        account.region.add_group(group)
    template = account.region.add_launch_template(versions=[{}, {"ImageId": image}, {}])
    desired = {"LaunchTemplate": {"LaunchTemplateId": template.template_id, "Version": "2"}}
    return account.region.add_refresh(group, desired, status).refresh_id


@pytest.mark.parametrize("status", ON)
def test_a_refresh_that_is_not_over_protects(account: Account, status: str) -> None:
    image = account.image()
    id = refresh(account, image, status)
    label = f'instance refresh {id} of Auto Scaling group "front" ({status}), launch template '
    assert [use.startswith(label) for use in account.refreshes(image)] == [True]


@pytest.mark.parametrize("status", OVER)
def test_one_that_is_over_does_not(account: Account, status: str) -> None:
    image = account.image()
    refresh(account, image, status)
    assert account.refreshes(image) == []


def test_an_unfinished_one_on_the_last_page(account: Account) -> None:
    account.fake_aws.pager.cap = 1
    image = account.image()
    for _ in range(2):
        refresh(account, account.image(), "Successful")
    refresh(account, image)
    assert len(account.refreshes(image)) == 1


def test_images_of_its_own_in_a_mixed_instances_policy(account: Account) -> None:
    image = account.image()
    account.region.add_group("front")
    account.region.add_refresh(
        "front", {"MixedInstancesPolicy": {"LaunchTemplate": {"Overrides": [{"ImageId": image}]}}}, refresh_id="r-1"
    )
    assert account.refreshes(image) == ['instance refresh r-1 of Auto Scaling group "front" (InProgress), override']


def test_one_without_a_desired_configuration(account: Account) -> None:
    account.region.add_group("front")
    account.region.add_refresh("front")
    assert account.refreshes("ami-1") == []


def test_each_group_takes_one_call_and_known_versions_none(account: Account) -> None:
    image = account.image()
    template = account.region.add_launch_template(versions=[{"ImageId": image}])
    for name in "abc":
        account.region.add_group(name)
        account.region.add_refresh(name, {"LaunchTemplate": {"LaunchTemplateName": template.name}})
    assert len(account.refreshes(image)) == 3
    assert account.fake_aws.calls.count("DescribeInstanceRefreshes") == 3
    assert account.fake_aws.calls.count("DescribeLaunchTemplateVersions") == 1


def test_no_group_takes_no_call(account: Account) -> None:
    assert account.refreshes("ami-1") == []
    assert account.fake_aws.calls.count("DescribeInstanceRefreshes") == 0


def test_a_group_deleted_since_gives_a_warning_and_the_others_count(account: Account) -> None:
    image = account.image()
    account.region.add_group("a-gone")
    refresh(account, image)
    reading = account.read()
    del account.region.groups["a-gone"]
    found = usage.read_refreshes(account.api, reading, UsageOptions(), account.pool)
    assert len(found.uses[image]) == 1
    assert found.warnings == ('Auto Scaling group "a-gone" was deleted during the scan; its refreshes protect no AMI.',)


@pytest.mark.parametrize(("code", "hint"), [("AccessDenied", "--skip-check auto-scaling-groups"), ("ValidationError", "")])
def test_any_other_refusal_stops_the_run(account: Account, code: str, hint: str) -> None:
    refresh(account, account.image())
    account.fault("DescribeInstanceRefreshes", code=code)
    with pytest.raises(AwsError, match=code) as caught:
        account.refreshes("ami-1")
    assert hint in caught.value.hint


def test_a_later_page_that_breaks_stops_the_run(account: Account) -> None:
    account.fake_aws.pager.cap = 1
    for _ in range(2):
        refresh(account, account.image())
    account.fault("DescribeInstanceRefreshes", "truncated", page=2, times=None)
    with pytest.raises(AwsError, match="DescribeInstanceRefreshes"):
        account.refreshes("ami-1")


def test_an_endpoint_without_the_call_is_asked_once(account: Account) -> None:
    account.fake_aws.missing_actions.add("DescribeInstanceRefreshes")
    for name in "abc":
        account.region.add_group(name)
    assert account.refreshes("ami-1") == []
    assert account.warnings == (
        (
            "This endpoint doesn't support autoscaling:DescribeInstanceRefreshes; references from instance refreshes of "
            "Auto Scaling groups were not checked."
        ),
    )
    assert account.fake_aws.calls.count("DescribeInstanceRefreshes") == 1


def test_throttling_is_no_missing_call(account: Account) -> None:
    account.region.add_group("front")
    account.fault("DescribeInstanceRefreshes", "throttle", times=None)
    with pytest.raises(ThrottledError):
        account.refreshes("ami-1")


def test_a_skipped_check_makes_no_call(account: Account) -> None:
    refresh(account, account.image())
    account.refreshes("ami-1", UsageOptions(skip=frozenset({"auto-scaling-groups"})))
    assert account.fake_aws.calls.count("DescribeInstanceRefreshes") == 0


def test_a_refresh_without_an_id_stops_the_run(account: Account) -> None:
    account.region.add_group("front")
    account.region.add_refresh("front", omit={"InstanceRefreshId", "Status", "DesiredConfiguration"})
    with pytest.raises(AwsError, match=r"MalformedResponse: a refresh of Auto Scaling group .* has no InstanceRefreshId"):
        account.refreshes("ami-1")
