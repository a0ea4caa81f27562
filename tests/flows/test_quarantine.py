"""Quarantine over several runs: each releases, quarantines and deletes, in this order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from amicleaner.actions import QUARANTINE_TAG
from amicleaner.result import Result
from tests.flows.flow import OTHER, OWN, Flow, kept, reasons, removed
from tests.virtual_time import NOW

DAYS = 14


def run(flow: Flow, **options: Any) -> Result:
    return flow.clean(quarantine=DAYS, **options)


def ends(result: Result) -> dict[str, str]:
    return {id: end.outcome for (_, id), end in result.amis.items()}


def wait(flow: Flow, days: float) -> None:
    flow.time.seconds += days * 86400


def test_an_ami_is_quarantined_then_waits_then_is_deleted(flow: Flow) -> None:
    image = flow.add()
    first = run(flow)
    [end] = first.amis.values()
    assert (end.outcome, end.until) == ("quarantined", NOW + timedelta(days=DAYS))
    assert (image.state, image.tags[QUARANTINE_TAG]) == ("disabled", "2026-03-01T12:00:00Z")
    assert len(flow.home.snapshots) == 1
    wait(flow, DAYS - 0.01)
    second = run(flow)
    assert (ends(second), reasons(second)) == ({}, {image.image_id: "quarantined"})
    wait(flow, 0.02)
    third = run(flow)
    assert (removed(third), flow.home.images, flow.home.snapshots) == ({image.image_id}, {}, {})


def test_the_tag_is_written_before_the_ami_is_disabled(flow: Flow) -> None:
    flow.add()
    run(flow)
    assert [call.action for call in flow.fake_aws.calls.changing()] == ["CreateTags", "DisableImage"]


@pytest.mark.parametrize("reason, days", [("in-use", 1), ("keep-tag", DAYS + 1)])
def test_an_ami_that_the_plan_keeps_by_then_is_released(flow: Flow, reason: str, days: int) -> None:
    """Every reason: `tests/test_decisions.py`."""
    image = flow.add()
    run(flow)
    wait(flow, days)
    if reason == "in-use":
        flow.home.add_launch_template(versions=[{"ImageId": image.image_id}])
    else:
        image.tags["golden"] = "1"
    result = run(flow, keep_tag=("golden",))
    assert (ends(result), reasons(result)) == ({image.image_id: "released"}, {image.image_id: reason})
    assert (image.state, QUARANTINE_TAG in image.tags) == ("available", False)


def test_an_ami_that_was_enabled_by_hand_is_kept(flow: Flow) -> None:
    image = flow.add()
    run(flow)
    image.state = "available"
    wait(flow, 2 * DAYS)
    assert reasons(run(flow)) == {image.image_id: "released"}
    del image.tags[QUARANTINE_TAG]
    assert ends(run(flow)) == {image.image_id: "quarantined"}


@pytest.mark.parametrize("text", ["", "2099-01-01T00:00:00Z"])
def test_an_unreadable_or_future_time_begins_the_wait_anew(flow: Flow, text: str) -> None:
    image = flow.add()
    run(flow)
    image.tags[QUARANTINE_TAG] = text
    wait(flow, 2 * DAYS)
    assert ends(run(flow)) == {image.image_id: "quarantined"}
    assert (image.state, image.tags[QUARANTINE_TAG]) == ("disabled", "2026-03-29T12:00:00Z")


def test_shared_and_public_amis_are_never_quarantined(flow: Flow) -> None:
    flow.add(shared_with=(OTHER,))
    flow.add(public=True)
    assert ends(run(flow)) == {}


def test_releasing_goes_before_quarantining_goes_before_deleting(flow: Flow) -> None:
    over, back = flow.several(2)
    run(flow)
    wait(flow, DAYS + 1)
    flow.home.add_instance(back)
    new = flow.add(days=1).image_id
    flow.fake_aws.calls.clear()
    result = run(flow)
    assert ends(result) == {back: "released", new: "quarantined", over: "removed"}
    assert [(call.action, call.ids[0]) for call in flow.fake_aws.calls.changing()] == [
        ("EnableImage", back), ("DeleteTags", back), ("CreateTags", new), ("DisableImage", new), ("DeregisterImage", over),
    ]  # fmt: skip


def test_quarantine_then_release_leaves_the_account_as_it_was(flow: Flow) -> None:
    image = flow.add(snapshots=[8, 100])
    before = (image.state, dict(image.tags), image.public, image.shared_with, image.block_devices)
    run(flow)
    flow.home.add_instance(image.image_id)
    run(flow)
    assert (image.state, image.tags, image.public, image.shared_with, image.block_devices) == before


def test_what_is_released_meanwhile_counts(flow: Flow) -> None:
    """An AMI that comes into use at the prompt is not deleted out of quarantine; the next run releases it."""
    image = flow.add()
    run(flow)
    wait(flow, DAYS + 1)
    result = flow.asks(lambda: flow.home.add_instance(image.image_id), quarantine=DAYS)
    assert (removed(result), kept(result)) == (set(), {image.image_id})
    assert ends(run(flow)) == {image.image_id: "released"}


@pytest.mark.parametrize("held", [0, 1], ids=["the AMI", "a newer one"])
def test_what_is_released_for_a_reference_that_is_read_on_demand_is_released_after_the_prompt(flow: Flow, held: int) -> None:
    """Its wait is over.  The recheck reads the reference, too, though the AMI would be deleted without it."""
    newest, oldest = flow.several(2)
    run(flow, keep_previous=1)
    flow.home.add_parameter("/golden", (oldest, newest)[held])
    wait(flow, DAYS + 1)
    result = flow.asks(lambda: None, quarantine=DAYS, keep_previous=1)
    assert ends(result) == {oldest: "released"}


def test_an_ami_that_is_no_longer_kept_at_the_prompt_is_not_released(flow: Flow) -> None:
    image = flow.add()
    run(flow)
    instance = flow.home.add_instance(image.image_id)
    result = flow.asks(lambda: flow.home.instances.pop(instance.instance_id), quarantine=DAYS)
    assert (ends(result), image.state) == ({image.image_id: "kept"}, "disabled")


class TestRefusals:
    def test_an_ami_that_cannot_be_disabled_loses_the_tag_again(self, flow: Flow) -> None:
        image = flow.add()
        flow.fault("DisableImage", code="OperationNotPermitted", status=400)
        result = run(flow)
        assert (ends(result), result.exit_status) == ({image.image_id: "failed"}, 1)
        assert (image.state, image.tags) == ("available", {"environment": "prod", "role": "web"})

    def test_an_ami_that_cannot_be_tagged_is_not_disabled(self, flow: Flow) -> None:
        image = flow.add()
        flow.fault("CreateTags", code="TagLimitExceeded", status=400)
        assert (ends(run(flow)), image.state) == ({image.image_id: "failed"}, "available")
        assert flow.calls("DisableImage") == []

    @pytest.mark.parametrize("acted", [True, False])
    def test_after_a_lost_answer_the_state_decides(self, flow: Flow, acted: bool) -> None:
        image = flow.add()
        flow.fault("DisableImage", "lost" if acted else "cut")
        result = run(flow, max_attempts=1)
        assert (ends(result)[image.image_id], image.state) == (
            ("quarantined", "disabled") if acted else ("failed", "available")
        )
        assert (QUARANTINE_TAG in image.tags) == acted

    @pytest.mark.parametrize("action", ["CreateTags", "DisableImage"])
    def test_a_missing_permission_stops_the_target(self, flow: Flow, action: str) -> None:
        flow.several(4)
        far = flow.add(region=flow.region(OTHER)).image_id
        flow.fault(action, when=lambda call: call.account == OWN)
        result = run(flow, role_arn=(flow.role(OWN), flow.role(OTHER)))
        assert sorted(ends(result).values()) == ["failed", "quarantined"]
        assert ends(result)[far] == "quarantined"
        assert len({id for call in flow.calls(action, account=OWN) for id in call.ids}) == 1
        [problem] = result.problems
        assert "Nothing more is changed in" in problem
        assert "Grant the IAM actions ec2:CreateTags, ec2:DeleteTags, ec2:DisableImage." in problem
