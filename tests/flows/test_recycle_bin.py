"""The Recycle Bin: what the plan says, what --require-recycle-bin keeps, what is read after the deletion."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.flows.flow import Flow, decisions, planned, reasons, removed
from tests.virtual_time import NOW


def rules(flow: Flow, amis: int = 30, snapshots: int = 30, **more: Any) -> None:
    flow.home.add_retention_rule("EC2_IMAGE", amis, **more)
    flow.home.add_retention_rule("EBS_SNAPSHOT", snapshots)


@pytest.mark.parametrize(("amis", "snapshots", "days"), [(30, 7, 7), (7, 30, 7)])
def test_the_plan_says_until_when_an_ami_can_be_restored(flow: Flow, amis: int, snapshots: int, days: int) -> None:
    [image] = flow.several(1)
    rules(flow, amis, snapshots)
    result = flow.clean(dry_run=True)
    assert decisions(result)[image].restorable_until == NOW + timedelta(days=days)
    assert result.plan is not None
    assert result.plan.bins_read


def test_the_bin_is_read_after_the_deletion(flow: Flow) -> None:
    ids = flow.several(2)
    rules(flow)
    result = flow.clean()
    assert removed(result) == set(ids)
    assert result.in_bin is not None
    assert {id: until for (_, id), until in result.in_bin.items()} == dict.fromkeys(ids, NOW + timedelta(days=30))


def test_only_what_is_really_there_is_reported(flow: Flow) -> None:
    """Somebody deletes the rules at the prompt."""
    flow.several(1)
    rules(flow)
    result = flow.asks(flow.home.retention_rules.clear)
    assert result.in_bin == {}


def test_a_bin_that_cannot_be_read_is_not_an_empty_one(flow: Flow) -> None:
    [image] = flow.several(1)
    rules(flow)
    flow.fault("ListImagesInRecycleBin", "deny")
    result = flow.clean()
    assert (removed(result), result.in_bin) == ({image}, None)
    assert "ec2:ListImagesInRecycleBin" in result.warnings[-1]


def test_without_rules_the_bin_is_not_read(flow: Flow) -> None:
    flow.several(1)
    result = flow.clean()
    assert (result.in_bin, flow.calls("ListImagesInRecycleBin")) == (None, [])


def test_a_denied_read_of_the_rules_is_a_warning(flow: Flow) -> None:
    [image] = flow.several(1)
    flow.fault("ListRules", "deny")
    result = flow.clean()
    assert (removed(result), result.exit_status) == ({image}, 0)
    [warning] = result.warnings
    assert "rbin:ListRules" in warning
    assert result.plan is not None
    assert not result.plan.bins_read


class TestRequired:
    def test_an_ami_that_is_not_retained_long_enough_is_kept(self, flow: Flow) -> None:
        retained = flow.add(tags={"role": "web", "bin": "yes"}).image_id
        bare = flow.add().image_id
        rules(flow, 30, 30, match={"bin": "yes"})
        assert planned(flow.clean(require_recycle_bin=31, dry_run=True)) == set()
        result = flow.clean(require_recycle_bin=30)
        assert (removed(result), reasons(result)) == ({retained}, {retained: "old", bare: "no-recycle-bin"})

    def test_rules_are_read_again_before_the_deletion(self, flow: Flow) -> None:
        [image] = flow.several(1)
        rules(flow)
        result = flow.asks(flow.home.retention_rules.clear, require_recycle_bin=30)
        assert image in flow.home.images
        assert [end.reason for end in result.amis.values()] == ["no-recycle-bin"]
        assert result.exit_status == 0
