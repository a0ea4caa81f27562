"""The policy that --iam-policy prints is enough for a run with the same options, and holds no action that it does not need.

That a run ends where one of them is denied is tested in `test_fail_closed.py` and `test_permissions.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner import run
from amicleaner.config import Config
from amicleaner.result import Result
from amicleaner.sources import CHECKS
from tests.flows.flow import FAR, OTHER, OWN, Flow, iam_policy, removed

ROLE = f"arn:aws:iam::{OTHER}:role/cleaner"
THOROUGH: dict[str, Any] = {
    "check_orphans": True,
    "region": ("eu-west-1",),
    "organization_role": "cleaner",
    "all_launch_template_versions": True,
}
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "Regions": {"region": ("eu-west-*",), "exclude_region": ("eu-west-2",)},
    "excluded Regions": {"exclude_region": ("us-*",)},
    "profiles": {"profile": ("one", "two")},
    "roles": {"role_arn": (ROLE,)},
    "readers": {"used_by_role_arn": (ROLE,)},
    "nothing but images": {"skip_check": tuple(CHECKS), "include_shared": True},
    "dry run": {"dry_run": True, "check_orphans": True},
}
STARTS = {"AssumeRoles", "ListAccounts"}
"""What belongs to the credentials that the command starts with, where roles are assumed."""


@pytest.fixture
def full(flow: Flow) -> Flow:
    flow.fill()
    flow.fill(OTHER)
    flow.organization()
    flow.profile("one", OWN)
    flow.profile("two", OTHER, region=FAR)
    return flow


def clean(flow: Flow, options: dict[str, Any]) -> Result:
    """A run under the policy for its own options."""
    policy = iam_policy(**options)
    flow.fake_aws.allow_via = policy.pop("ReadReferences", set())
    starts = set().union(*(policy[sid] for sid in STARTS & policy.keys()))
    rest = set().union(*(actions for sid, actions in policy.items() if sid not in STARTS))
    flow.fake_aws.allow_in = {OWN: starts if "role_arn" in options else starts | rest, OTHER: rest}
    if "profile" in options:
        flow.patch.delenv("AWS_DEFAULT_REGION")
    return flow.clean(**options)


def called(flow: Flow) -> set[str]:
    """The actions that a run needed.  STS tells everybody who they are."""
    return {call.name for call in flow.fake_aws.calls.records} - {"sts:GetCallerIdentity"}


def allowed(options: dict[str, Any]) -> set[str]:
    """The actions of the policy.  What AWS calls behind DescribeImageReferences is tested in
    `aws/usage/test_image_references.py`."""
    return set().union(*(actions for sid, actions in iam_policy(**options).items() if sid != "ReadReferences"))


@pytest.mark.parametrize("name", RUNS)
def test_the_policy_is_enough(full: Flow, name: str) -> None:
    result = clean(full, RUNS[name])
    assert (result.exit_status, result.warnings) == (0, ())
    assert bool(removed(result)) != ("dry_run" in RUNS[name])


def test_the_policy_is_enough_for_a_thorough_run_and_each_action_is_needed(full: Flow) -> None:
    result = clean(full, THOROUGH)
    assert (len(removed(result)), result.exit_status, result.warnings) == (4, 0, ())
    assert called(full) == allowed(THOROUGH)


def test_the_policy_is_enough_to_quarantine_and_each_action_is_needed(flow: Flow) -> None:
    """In an account with an AMI to quarantine, one to release and one whose quarantine is over."""
    flow.fill()
    _, back = flow.several(2)
    options = {"quarantine": 7}
    clean(flow, options)
    flow.time.sleep(8 * 86400)
    flow.home.add_instance(back)
    flow.add(days=3)
    flow.world.deletes_associated = False
    result = clean(flow, options)
    assert {end.outcome for end in result.amis.values()} == {"quarantined", "released", "removed"}
    assert result.exit_status == 0
    assert called(flow) == allowed(options)


def test_the_policy_is_enough_to_restore_and_each_action_is_needed(flow: Flow) -> None:
    """A quarantined AMI, and one in the Recycle Bin with its snapshot."""
    flow.home.add_retention_rule("EC2_IMAGE")
    flow.home.add_retention_rule("EBS_SNAPSHOT")
    quarantined, deleted = flow.several(2)
    flow.clean(quarantine=7, only_name=(flow.home.images[quarantined].name,))
    flow.clean(from_ids=(deleted,))
    flow.fake_aws.calls.clear()
    options: dict[str, Any] = {"restore": (quarantined, deleted), "region": ("eu-west-1",)}
    flow.fake_aws.allow = allowed(options)
    assert run.clean(Config(**options), view=flow.view, clock=flow.time.clock).exit_status == 0
    assert {image.state for image in flow.home.images.values()} == {"available"}
    assert called(flow) == allowed(options)
    assert "ec2:DescribeRegions" in allowed({"restore": ("audit.jsonl",)}), "the log names Regions"


def test_the_policy_is_enough_to_save_and_apply_a_plan(flow: Flow) -> None:
    flow.fill()
    plan = flow.path("plan.json")
    assert clean(flow, {"save_plan": plan}).exit_status == 0
    flow.fake_aws.allow_in[OWN] = set().union(*iam_policy().values())
    flow.fake_aws.allow_via = flow.fake_aws.allow_in[OWN]
    assert len(removed(flow.clean(apply_plan=plan))) == 2


def test_a_read_only_account_needs_no_action_that_deletes(full: Flow) -> None:
    options = RUNS["readers"]
    policy = iam_policy(**options)
    reads = set().union(*(actions for sid, actions in policy.items() if sid not in STARTS | {"Delete"}))
    full.fake_aws.allow_in = {OTHER: reads - {"ec2:DescribeImageAttribute"}}
    assert full.clean(**options).exit_status == 0
