"""What `--iam-policy` prints is enough for a run with the same options, and each action of it is needed."""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.checks import CHECKS
from amicleaner.errors import AwsError
from amicleaner.result import Result
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
    "thorough": THOROUGH,
    "orphans": {"check_orphans": True},
    "Regions": {"region": ("eu-west-*",), "exclude_region": ("eu-west-2",)},
    "excluded Regions": {"exclude_region": ("us-*",)},
    "profiles": {"profile": ("one", "two")},
    "roles": {"role_arn": (ROLE,)},
    "readers": {"used_by_role_arn": (ROLE,)},
    "shared ones too": {"include_shared": True},
    "nothing but images": {"skip_check": tuple(CHECKS), "include_shared": True},
    "dry run": {"dry_run": True},
    **{f"without {check}": {"skip_check": (check,)} for check in CHECKS},
}
STARTS = {"AssumeRoles", "ListAccounts"}
"""What belongs to the credentials that the command starts with, where roles are assumed."""


WARNED = {"rbin:GetRule", "rbin:ListRules"}
"""Without these a run says that it does not know whether deletions can be undone."""


@pytest.fixture
def full(flow: Flow) -> Flow:
    flow.fill()
    flow.fill(OTHER)
    flow.organization()
    flow.profile("one", OWN)
    flow.profile("two", OTHER, region=FAR)
    return flow


def clean(flow: Flow, options: dict[str, Any], without: str = "") -> Result:
    """A run under the policy for its own options."""
    policy = iam_policy(**options)
    flow.fake_aws.allow_via = policy.pop("ReadReferences", set()) - {without}
    starts = set().union(*(policy[sid] for sid in STARTS & policy.keys())) - {without}
    rest = set().union(*(actions for sid, actions in policy.items() if sid not in STARTS)) - {without}
    flow.fake_aws.allow_in = {OWN: starts if "role_arn" in options else starts | rest, OTHER: rest}
    if "profile" in options:
        flow.patch.delenv("AWS_DEFAULT_REGION")
    return flow.clean(**options)


@pytest.mark.parametrize("name", RUNS)
def test_it_is_enough(full: Flow, name: str) -> None:
    result = clean(full, RUNS[name])
    assert (result.exit_status, result.warnings) == (0, ())
    assert bool(removed(result)) != ("dry_run" in RUNS[name])


def test_it_is_enough_to_save_a_plan_and_for_named_amis(full: Flow) -> None:
    plan = full.path("plan.json")
    assert clean(full, {"save_plan": plan}).exit_status == 0
    full.fake_aws.allow_in[OWN] = set().union(*iam_policy().values())
    full.fake_aws.allow_via = full.fake_aws.allow_in[OWN]
    assert len(removed(full.clean(apply_plan=plan))) == 2


def actions(**options: Any) -> list[str]:
    return sorted(set().union(*iam_policy(**options).values()))


def needs(flow: Flow, action: str, options: dict[str, Any]) -> None:
    """Without the action the run ends with an error or with what it could not do, and names the action's call."""
    if action in ("ec2:DeregisterImage", "ec2:DeleteSnapshot"):
        result = clean(flow, options, without=action)
        assert result.failed_amis if action == "ec2:DeregisterImage" else result.failed_snapshots
        assert result.exit_status == 1
        return
    if action in WARNED:
        assert any(action in warning for warning in clean(flow, options, without=action).warnings)
        return
    with pytest.raises(AwsError, match=action):
        clean(flow, options, without=action)
    assert flow.changes() == []


@pytest.mark.parametrize("action", actions(**THOROUGH))
def test_each_action_is_needed(full: Flow, action: str) -> None:
    needs(full, action, THOROUGH)


@pytest.mark.parametrize("action", actions())
def test_each_action_of_a_plain_run_is_needed(flow: Flow, action: str) -> None:
    flow.fill()
    needs(flow, action, {})


def test_a_read_only_account_needs_no_action_that_deletes(full: Flow) -> None:
    options = RUNS["readers"]
    policy = iam_policy(**options)
    reads = set().union(*(actions for sid, actions in policy.items() if sid not in STARTS | {"Delete"}))
    full.fake_aws.allow_in = {OTHER: reads - {"ec2:DescribeImages", "ec2:DescribeImageAttribute"}}
    assert full.clean(**options).exit_status == 0


def test_sts_is_not_called_where_one_account_alone_takes_part(full: Flow) -> None:
    full.clean(region=("eu-west-1",))
    assert full.calls("GetCallerIdentity") == []
