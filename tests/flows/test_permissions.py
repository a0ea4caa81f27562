"""A missing permission stops a target at its first AMI, and is named once."""

from __future__ import annotations

import pytest

from tests.flows.flow import OTHER, OWN, Flow, removed


class TestPermissionStop:
    def test_a_target_ends_with_its_first_ami(self, flow: Flow) -> None:
        flow.several(6)
        flow.fault("DeregisterImage", "deny")
        result = flow.clean()
        assert len(flow.calls("DeregisterImage")) == 1
        assert (removed(result), len(result.failed_amis), len(flow.home.images)) == (set(), 1, 6)
        [problem] = result.problems
        assert problem.endswith("Hint: Grant the IAM actions ec2:DeleteSnapshot, ec2:DeregisterImage.")
        assert "Nothing more is changed in" in problem
        assert result.exit_status == 1

    @pytest.mark.parametrize("way", ["return code", "DeleteSnapshot"])
    def test_snapshots_that_are_refused_end_it_too(self, flow: Flow, way: str) -> None:
        """Else six AMIs would be deregistered, and every snapshot would be left behind."""
        ids = flow.several(6)
        if way == "return code":
            for snapshot in flow.home.snapshots.values():
                snapshot.return_code = "missing-permissions"
        else:
            flow.world.deletes_associated = False
            flow.fault("DeleteSnapshot", "deny")
        result = flow.clean()
        assert len(removed(result)) == 1
        assert len(flow.home.images) == len(ids) - 1
        assert any("ec2:DeleteSnapshot" in problem for problem in result.problems)
        assert result.exit_status == 1

    def test_other_targets_go_on(self, flow: Flow) -> None:
        flow.several(3)
        theirs = set(flow.several(3, region=flow.region(OTHER)))
        flow.fault("DeregisterImage", "deny", when=lambda call: call.account == OWN)
        result = flow.clean(role_arn=(flow.role(OWN), flow.role(OTHER)))
        assert removed(result) == theirs
        assert len(flow.calls("DeregisterImage", account=OWN)) == 1

    def test_a_later_denial_is_a_failure_like_others(self, flow: Flow) -> None:
        ids = flow.several(6)
        flow.fault("DeregisterImage", "deny", nth=3, times=1)
        result = flow.clean()
        assert (len(removed(result)), len(result.failed_amis), result.problems) == (len(ids) - 1, 1, ())
        assert result.exit_status == 1

    def test_a_first_failure_of_another_kind_stops_nothing(self, flow: Flow) -> None:
        ids = flow.several(3)
        flow.fault("DeregisterImage", code="OperationNotPermitted", status=400, times=1)
        assert len(removed(flow.clean())) == len(ids) - 1

    def test_orphaned_snapshots_stop_too(self, flow: Flow) -> None:
        for _ in range(3):
            flow.orphan()
        flow.fault("DeleteSnapshot", "deny")
        result = flow.clean(check_orphans=True)
        assert len(flow.calls("DeleteSnapshot")) == 1
        assert "Grant the IAM action" in result.problems[0]
        assert result.exit_status == 1
