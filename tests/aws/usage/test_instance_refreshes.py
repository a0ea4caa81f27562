"""Instance refreshes that are not over."""

from __future__ import annotations

import pytest

from amicleaner.aws import usage
from amicleaner.aws.usage import UsageOptions, instance_refreshes
from amicleaner.errors import AwsError, ThrottledError
from tests.aws.usage.account import Account

OVER = ["Successful", "Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"]
ON = ["Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking", "SomethingNew"]


def refresh(account: Account, image: str, status: str = "InProgress", group: str = "front") -> str:
    """A refresh to version 2 of three, which only a pin reaches; hands back its id."""
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
    assert [use.startswith(label) for use in account.refreshes(image, ["front"])] == [True]


@pytest.mark.parametrize("status", OVER)
def test_one_that_is_over_does_not(account: Account, status: str) -> None:
    image = account.image()
    refresh(account, image, status)
    assert account.refreshes(image, ["front"]) == []


def test_an_unfinished_one_on_the_last_page(account: Account) -> None:
    account.fake_aws.pager.cap = 1
    image = account.image()
    for _ in range(2):
        refresh(account, account.image(), "Successful")
    refresh(account, image)
    assert len(account.refreshes(image, ["front"])) == 1


def test_images_of_its_own_in_a_mixed_instances_policy(account: Account) -> None:
    image = account.image()
    account.region.add_group("front")
    account.region.add_refresh(
        "front", {"MixedInstancesPolicy": {"LaunchTemplate": {"Overrides": [{"ImageId": image}]}}}, refresh_id="r-1"
    )
    assert account.refreshes(image, ["front"]) == [
        'instance refresh r-1 of Auto Scaling group "front" (InProgress), override'
    ]


def test_one_without_a_desired_configuration(account: Account) -> None:
    account.region.add_group("front")
    account.region.add_refresh("front")
    assert account.refreshes("ami-1", ["front"]) == []


def test_a_call_for_each_group_and_none_for_known_versions(account: Account) -> None:
    image = account.image()
    template = account.region.add_launch_template(versions=[{"ImageId": image}])
    for name in "abc":
        account.region.add_group(name)
        account.region.add_refresh(name, {"LaunchTemplate": {"LaunchTemplateName": template.name}})
    assert len(account.refreshes(image, ["c", "a", "b", "a"])) == 3
    assert account.fake_aws.calls.count("DescribeInstanceRefreshes") == 3
    assert account.fake_aws.calls.count("DescribeLaunchTemplateVersions") == 1


def test_a_group_that_vanished_is_a_warning(account: Account) -> None:
    image = account.image()
    refresh(account, image)
    assert len(account.refreshes(image, ["gone", "front"])) == 1
    assert account.warnings == ('Auto Scaling group "gone" was deleted meanwhile: its refreshes protect nothing',)


def test_a_vanished_group_hides_none_that_is_asked_about_with_it(account: Account) -> None:
    refresh(account, account.image())
    assert len(instance_refreshes.ask(account.api, ["gone", "front"]).pins) == 1


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError"])
def test_any_other_refusal_stops_the_run(account: Account, code: str) -> None:
    refresh(account, account.image())
    account.fault("DescribeInstanceRefreshes", code=code)
    with pytest.raises(AwsError, match="--skip-check auto-scaling-groups"):
        account.refreshes("ami-1", ["front"])


def test_a_later_page_that_breaks_stops_the_run(account: Account) -> None:
    account.fake_aws.pager.cap = 1
    for _ in range(2):
        refresh(account, account.image())
    account.fault("DescribeInstanceRefreshes", "truncated", page=2, times=None)
    with pytest.raises(AwsError, match="DescribeInstanceRefreshes"):
        account.refreshes("ami-1", ["front"])


def test_an_endpoint_without_the_call_is_asked_once(account: Account) -> None:
    account.fake_aws.missing_actions.add("DescribeInstanceRefreshes")
    for name in "abc":
        account.region.add_group(name)
    assert account.refreshes("ami-1", ["a", "b", "c"]) == []
    assert account.warnings == (
        (
            "autoscaling:DescribeInstanceRefreshes is not offered by this endpoint: "
            "instance refreshes of Auto Scaling groups are not looked at"
        ),
    )
    assert account.fake_aws.calls.count("DescribeInstanceRefreshes") == 1


def test_one_that_throttles_does_not_pass_for_such(account: Account) -> None:
    account.region.add_group("front")
    account.fault("DescribeInstanceRefreshes", "throttle", times=None)
    with pytest.raises(ThrottledError):
        account.refreshes("ami-1", ["front"])


def test_a_skipped_check_makes_no_call(account: Account) -> None:
    refresh(account, account.image())
    account.refreshes("ami-1", ["front"], UsageOptions(skip=frozenset({"auto-scaling-groups"})))
    assert account.fake_aws.calls.count("DescribeInstanceRefreshes") == 0


def test_only_this_place_finds_it(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    image = account.image()
    refresh(account, image)
    monkeypatch.setattr(
        usage, "ON_DEMAND", tuple(source for source in usage.ON_DEMAND if source.name != "instance-refreshes")
    )
    assert account.refreshes(image, ["front"]) == []


def test_a_refresh_without_an_id_stops_the_run(account: Account) -> None:
    account.region.add_group("front")
    account.region.add_refresh("front", omit={"InstanceRefreshId", "Status", "DesiredConfiguration"})
    with pytest.raises(AwsError, match=r"MalformedResponse: a refresh of Auto Scaling group .* has no InstanceRefreshId"):
        account.refreshes("ami-1", ["front"])
