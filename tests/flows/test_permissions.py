"""A missing permission stops a target at its first AMI, and is named once."""

from __future__ import annotations

from tests.flows.flow import Flow, removed


def test_a_target_ends_with_its_first_ami(flow: Flow) -> None:
    flow.several(6)
    flow.fault("DeregisterImage", "deny")
    result = flow.clean()
    assert len(flow.calls("DeregisterImage")) == 1
    assert (removed(result), len(result.failed_amis), len(flow.home.images)) == (set(), 1, 6)
    [problem] = result.problems
    assert problem.endswith("Hint: Grant the IAM actions ec2:DeleteSnapshot, ec2:DeregisterImage.")
    assert "Nothing more is changed in" in problem
    assert result.exit_status == 1


def test_orphaned_snapshots_stop_too(flow: Flow) -> None:
    for _ in range(3):
        flow.orphan()
    flow.fault("DeleteSnapshot", "deny")
    result = flow.clean(check_orphans=True)
    assert len(flow.calls("DeleteSnapshot")) == 1
    assert "Grant the IAM action" in result.problems[0]
    assert result.exit_status == 1
