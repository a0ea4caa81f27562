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


@pytest.mark.parametrize("action", ["CreateTags", "DisableImage"])
def test_a_missing_permission_stops_the_target(flow: Flow, action: str) -> None:
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
