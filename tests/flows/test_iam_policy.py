"""The policy that --iam-policy prints is enough for a run with the same options, and each of its actions is needed."""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.errors import AwsError, describe
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
    "without image references": {"skip_check": ("image-references",)},
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
def test_the_policy_is_enough(full: Flow, name: str) -> None:
    result = clean(full, RUNS[name])
    assert (result.exit_status, result.warnings) == (0, ())
    assert bool(removed(result)) != ("dry_run" in RUNS[name])


def test_the_policy_is_enough_to_save_and_apply_a_plan(full: Flow) -> None:
    plan = full.path("plan.json")
    assert clean(full, {"save_plan": plan}).exit_status == 0
    full.fake_aws.allow_in[OWN] = set().union(*iam_policy().values())
    full.fake_aws.allow_via = full.fake_aws.allow_in[OWN]
    assert len(removed(full.clean(apply_plan=plan))) == 2


def actions(**options: Any) -> list[str]:
    return sorted(set().union(*iam_policy(**options).values()))


def ends(flow: Flow, options: dict[str, Any], without: str) -> tuple[Result | None, str]:
    """The result of a run, or None and the error that ended it."""
    try:
        return clean(flow, options, without=without), ""
    except AwsError as error:
        return None, describe(error)


def needs(flow: Flow, action: str, options: dict[str, Any]) -> None:
    """Without the action the run names it, in the error that ends it, in a problem or (Recycle Bin) in a warning."""
    result, text = ends(flow, options, without=action)
    if result is None:
        assert action in text
        assert flow.changes() == []
        return
    told = "\n".join(result.warnings if action in BIN else result.problems)
    assert action in told
    assert result.exit_status == (0 if action in BIN else 1)


BIN = {"rbin:ListRules", "rbin:GetRule"}
"""Not needed to delete, only to say whether it can be undone."""


@pytest.mark.parametrize("action", actions(**THOROUGH))
def test_each_action_is_needed(full: Flow, action: str) -> None:
    needs(full, action, THOROUGH)


def test_the_recycle_bin_is_read_after_the_deletion(full: Flow) -> None:
    result = clean(full, {}, without="ec2:ListImagesInRecycleBin")
    assert (len(removed(result)), result.exit_status) == (2, 0)
    assert "ec2:ListImagesInRecycleBin" in result.warnings[0]


QUARANTINE: dict[str, Any] = {"quarantine": 7}


@pytest.fixture
def waiting(flow: Flow) -> Flow:
    """An account with an AMI to quarantine, one to release and one whose quarantine is over."""
    _, back = flow.several(2)
    assert flow.clean(quarantine=7).exit_status == 0
    flow.time.sleep(8 * 86400)
    flow.home.add_instance(back)
    flow.add(days=3)
    flow.fake_aws.calls.clear()
    return flow


def test_the_policy_is_enough_to_quarantine(waiting: Flow) -> None:
    result = clean(waiting, QUARANTINE)
    assert sorted(end.outcome for end in result.amis.values()) == ["quarantined", "released", "removed"]
    assert result.exit_status == 0


@pytest.mark.parametrize("action", ["ec2:CreateTags", "ec2:DeleteTags", "ec2:DisableImage", "ec2:EnableImage"])
def test_each_action_is_needed_to_quarantine(waiting: Flow, action: str) -> None:
    assert action in actions(**QUARANTINE)
    needs(waiting, action, QUARANTINE)


def test_a_read_only_account_needs_no_action_that_deletes(full: Flow) -> None:
    options = RUNS["readers"]
    policy = iam_policy(**options)
    reads = set().union(*(actions for sid, actions in policy.items() if sid not in STARTS | {"Delete"}))
    full.fake_aws.allow_in = {OTHER: reads - {"ec2:DescribeImages", "ec2:DescribeImageAttribute"}}
    assert full.clean(**options).exit_status == 0


def test_sts_is_not_called_where_one_account_alone_takes_part(full: Flow) -> None:
    full.clean(region=("eu-west-1",))
    assert full.calls("GetCallerIdentity") == []
