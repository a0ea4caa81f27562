"""The least-privilege IAM policy; `tests/flows/test_iam_policy.py` tests that it is enough for a run, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from amicleaner.aws import usage
from amicleaner.aws.iam import policy
from amicleaner.config import Config
from amicleaner.sources import CHECKS

DELETES = {"ec2:DeregisterImage", "ec2:DeleteSnapshot"}
PLAN = {"dry_run": True, "include_shared": True}
"""Options of a run that deletes nothing and asks nothing about sharing."""


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


def made(**options: Any) -> dict[str, Any]:
    """The policy of a run with these options."""
    return policy(Config(**options))


OWN = {
    "ec2:DescribeImageAttribute", "ec2:DescribeImages", "ec2:DescribeSnapshots", "ec2:ListImagesInRecycleBin",
    "rbin:GetRule", "rbin:ListRules",
}  # fmt: skip
"""What is read besides references."""

SOURCES = {action for source in usage.sources(Config()) for action in source.actions}


def test_the_whole_policy() -> None:
    assert made() == {
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
                "Action": sorted(OWN | SOURCES - {"ssm:GetParameters"}),
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
                "Action": ["imagebuilder:GetContainerRecipe", "ssm:DescribeParameters"],
                "Resource": ["*"],
                "Condition": {"ForAnyValue:StringEquals": {"aws:CalledVia": ["ec2-images.amazonaws.com"]}},
            },
        ],
    }


EMR = ("ListClusters", "DescribeCluster", "ListInstanceGroups", "ListInstanceFleets")


@pytest.mark.parametrize(
    ("options", "more", "less"),
    [
        ({"dry_run": True}, set(), DELETES),
        ({"save_plan": "plan.json"}, set(), DELETES),
        ({"suggest_config": True}, set(), DELETES),
        ({"used_by_profile": ["reader"]}, {"ec2:DescribeRegions"}, set()),
        ({"include_shared": True}, set(), {"ec2:DescribeImageAttribute"}),
        ({"quarantine": 14}, {"ec2:CreateTags", "ec2:DeleteTags", "ec2:DisableImage", "ec2:EnableImage"}, set()),
        ({"region": ["eu-*"]}, {"ec2:DescribeRegions"}, set()),
        ({"role_arn": ["arn:aws:iam::210987654321:role/r"]}, {"sts:AssumeRole"}, set()),
        ({"organization_role": "r"}, {"sts:AssumeRole", "organizations:ListAccounts"}, set()),
        ({"skip_check": ["spot"]}, set(), {"ec2:DescribeSpotFleetRequests", "ec2:DescribeSpotInstanceRequests"}),
        ({"skip_check": ["launch-templates"]}, set(), {"ec2:DescribeLaunchTemplateVersions"}),
        (
            {"skip_check": ["auto-scaling-groups"]}, set(),
            {"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes"},
        ),
        ({"skip_check": ["image-references"]}, set(), {"ssm:DescribeParameters", "imagebuilder:GetContainerRecipe"}),
        ({"also_check": ["emr"]}, {f"elasticmapreduce:{call}" for call in EMR}, set()),
        ({"also_check": ["rds-custom"]}, {"rds:DescribeDBEngineVersions"}, set()),
    ],
)  # fmt: skip
def test_what_each_option_adds_and_takes_away(options: dict[str, Any], more: set[str], less: set[str]) -> None:
    before, after = actions(made()), actions(made(**options))
    assert more == after - before
    assert less <= before - after


def test_with_every_check_skipped_only_the_amis_and_their_parameters_remain() -> None:
    assert actions(made(skip_check=CHECKS, **PLAN)) == {
        "ec2:DescribeImages", "ec2:DescribeSnapshots", "rbin:GetRule", "rbin:ListRules", "ssm:GetParameters",
    }  # fmt: skip


def test_what_a_skipped_check_needs_for_itself_stays_for_the_references() -> None:
    document = made(skip_check=["instances", "image-builder"])
    assert actions(document, via=False) & {"ec2:DescribeInstances", "imagebuilder:ListImageRecipes"} == set()
    assert {"ec2:DescribeInstances", "imagebuilder:ListImageRecipes"} <= actions(document, via=True)


def test_roles_are_named_and_sorted() -> None:
    document = made(
        used_by_role_arn=["arn:aws:iam::222222222222:role/b", "arn:aws:iam::111111111111:role/a"], organization_role="ops"
    )
    assert statement(document, "AssumeRoles")["Resource"] == [
        "arn:*:iam::*:role/ops",
        "arn:aws:iam::111111111111:role/a",
        "arn:aws:iam::222222222222:role/b",
    ]


def test_it_is_json() -> None:
    document = made(check_orphans=True, organization_role="ops")
    assert json.loads(json.dumps(document)) == document
    assert [entry["Sid"] for entry in document["Statement"]] == sorted(entry["Sid"] for entry in document["Statement"])
