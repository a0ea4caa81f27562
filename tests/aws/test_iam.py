"""The printed IAM policy: enough for what it is printed for, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from amicleaner.aws import usage
from amicleaner.aws.iam import policy
from amicleaner.aws.usage import UsageOptions
from amicleaner.checks import CHECKS
from amicleaner.errors import AwsError
from tests.aws.usage.account import Account


@pytest.fixture
def account() -> Iterator[Account]:
    with ThreadPoolExecutor(4) as pool:
        yield Account(pool=pool)


DELETES = {"ec2:DeregisterImage", "ec2:DeleteSnapshot"}


def actions(document: dict[str, Any], *, via: bool | None = None) -> set[str]:
    """The allowed actions; `via` picks those that are allowed on the caller's behalf alone, or those that are not."""
    return {
        action
        for statement in document["Statement"]
        if via is None or via == ("Condition" in statement)
        for action in statement["Action"]
    }


def statement(document: dict[str, Any], sid: str) -> dict[str, Any]:
    return next((entry for entry in document["Statement"] if entry["Sid"] == sid), {})


def test_the_whole_policy() -> None:
    assert policy() == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Delete",
                "Effect": "Allow",
                "Action": ["ec2:DeleteSnapshot", "ec2:DeregisterImage"],
                "Resource": ["arn:*:ec2:*::image/*", "arn:*:ec2:*::snapshot/*"],
            },
            {
                "Sid": "Read",
                "Effect": "Allow",
                "Action": [
                    "autoscaling:DescribeAutoScalingGroups",
                    "autoscaling:DescribeInstanceRefreshes",
                    "autoscaling:DescribeLaunchConfigurations",
                    "ec2:DescribeFleets",
                    "ec2:DescribeImageAttribute",
                    "ec2:DescribeImageReferences",
                    "ec2:DescribeImages",
                    "ec2:DescribeInstances",
                    "ec2:DescribeLaunchTemplateVersions",
                    "ec2:DescribeSpotFleetRequests",
                    "ec2:DescribeSpotInstanceRequests",
                ],
                "Resource": ["*"],
            },
            {
                "Sid": "ReadParameters",
                "Effect": "Allow",
                "Action": ["ssm:GetParameters"],
                "Resource": ["arn:*:ssm:*:*:parameter/*"],
            },
            {
                "Sid": "ReadReferences",
                "Effect": "Allow",
                "Action": [
                    "imagebuilder:GetContainerRecipe",
                    "imagebuilder:ListContainerRecipes",
                    "imagebuilder:ListImageRecipes",
                    "ssm:DescribeParameters",
                ],
                "Resource": ["*"],
                "Condition": {"ForAnyValue:StringEquals": {"aws:CalledVia": ["ec2-images.amazonaws.com"]}},
            },
        ],
    }


@pytest.mark.parametrize(
    ("options", "more", "less"),
    [
        ({"deletes": False}, set(), DELETES),
        ({"include_shared": True}, set(), {"ec2:DescribeImageAttribute"}),
        ({"check_orphans": True}, {"ec2:DescribeSnapshots", "ec2:ListImagesInRecycleBin"}, set()),
        ({"regions": True}, {"ec2:DescribeRegions"}, set()),
        ({"roles": ["arn:aws:iam::210987654321:role/r"]}, {"sts:AssumeRole"}, set()),
        ({"organization_role": "r"}, {"sts:AssumeRole", "organizations:ListAccounts"}, set()),
        ({"skip": ["spot"]}, set(), {"ec2:DescribeSpotFleetRequests", "ec2:DescribeSpotInstanceRequests"}),
        ({"skip": ["launch-templates"]}, set(), {"ec2:DescribeLaunchTemplateVersions"}),
        (
            {"skip": ["auto-scaling-groups"]},
            set(),
            {"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes"},
        ),
        ({"skip": ["launch-templates", "image-references"]}, set(), {"ssm:GetParameters", "ssm:DescribeParameters"}),
    ],
)
def test_what_each_option_adds_and_takes_away(options: dict[str, Any], more: set[str], less: set[str]) -> None:
    before, after = actions(policy()), actions(policy(**options))
    assert more == after - before
    assert less <= before - after


def test_with_every_check_skipped_the_images_remain() -> None:
    assert actions(policy(skip=CHECKS, deletes=False, include_shared=True)) == {"ec2:DescribeImages"}


def test_what_a_skipped_check_needs_for_itself_stays_for_the_references() -> None:
    document = policy(skip=["instances", "launch-templates"])
    assert actions(document, via=False) & {"ec2:DescribeInstances", "ssm:GetParameters"} == set()
    assert {"ec2:DescribeInstances", "ssm:GetParameters"} <= actions(document, via=True)


def test_roles_are_named_and_sorted() -> None:
    document = policy(roles=["arn:aws:iam::2:role/b", "arn:aws:iam::1:role/a"], organization_role="ops")
    assert statement(document, "AssumeRoles")["Resource"] == [
        "arn:*:iam::*:role/ops",
        "arn:aws:iam::1:role/a",
        "arn:aws:iam::2:role/b",
    ]


def test_it_is_json() -> None:
    document = policy(check_orphans=True, organization_role="ops")
    assert json.loads(json.dumps(document)) == document
    assert [entry["Sid"] for entry in document["Statement"]] == sorted(entry["Sid"] for entry in document["Statement"])


def everything(account: Account) -> None:
    """Reads all that can be in use, in an account where each call has something to find."""
    image = account.image()
    region = account.region
    region.add_parameter("/golden", image)
    region.add_launch_template("web", versions=[{"ImageId": "resolve:ssm:/golden"}])
    region.add_group("front", launch_template={"LaunchTemplateName": "web"})
    reading = account.read()
    usage.read_refreshes(account.api, reading, reading.groups, UsageOptions(), account.pool)
    usage.read_references(account.api, [image], UsageOptions(), account.pool)


READS = sorted(
    actions(policy(deletes=False, include_shared=True)) - {"ec2:DescribeImages"}  # which the fetcher calls
)


def test_it_is_enough_for_all_reads(account: Account) -> None:
    document = policy(deletes=False, include_shared=True)
    account.fake_aws.allow = actions(document, via=False)
    account.fake_aws.allow_via = actions(document, via=True)
    everything(account)


@pytest.mark.parametrize("action", READS)
def test_each_action_is_needed(account: Account, action: str) -> None:
    document = policy(deletes=False, include_shared=True)
    account.fake_aws.allow = actions(document, via=False) - {action}
    account.fake_aws.allow_via = actions(document, via=True) - {action}
    with pytest.raises(AwsError, match=action):
        everything(account)
