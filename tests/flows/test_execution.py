"""A plan is carried out in its order, and told completely; what becomes of one AMI is in `aws/test_deleter.py`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from amicleaner.aws import usage_monitor
from amicleaner.config import Config
from amicleaner.execution import start_threads
from amicleaner.interrupts import Interrupts
from amicleaner.run import clean
from tests.flows.flow import Flow, removed


def told_of_snapshots(flow: Flow) -> list[tuple[str, str]]:
    return [(kind, result[-1].id) for kind, *result in flow.view.told if kind.startswith("snapshot")]


def test_the_oldest_goes_first_and_results_are_in_the_order_of_the_plan(flow: Flow) -> None:
    ids = flow.several(3)
    result = flow.clean()
    assert flow.changes()[0] == ids[-1]
    assert [id for _, id in result.amis] == ids


def test_a_snapshot_that_was_left_to_an_ami_which_is_kept_is_told_last(flow: Flow) -> None:
    shared = flow.home.add_snapshot("shared").snapshot_id
    younger, older = (flow.add(days=days, snapshots=[shared]).image_id for days in (10, 20))
    flow.fault("DeregisterImage", code="OperationNotPermitted", status=400, when=lambda call: younger in call.ids)
    assert removed(flow.clean()) == {older}
    assert told_of_snapshots(flow) == [("snapshot kept", shared)]


def test_the_log_has_what_somebody_needs_who_wants_an_ami_back(flow: Flow) -> None:
    ami = flow.add(name="web-1")
    orphan = flow.orphan("ami-12345678")
    flow.clean(check_orphans=True, audit_log=flow.path("audit.jsonl"))
    snapshot, _, line, _ = [json.loads(line) for line in Path(flow.path("audit.jsonl")).read_text().splitlines()]
    assert (snapshot["id"], snapshot["ami"]) == (orphan, "ami-12345678")
    assert (line["id"], line["name"], line["tags"], line["group"], line["reason"], line["snapshots"]) == (
        ami.image_id,
        "web-1",
        ami.tags,
        ["prod.web"],
        "old",
        ami.snapshot_ids,
    )


def test_an_ami_that_is_gone_by_then_is_not_asked_for(flow: Flow) -> None:
    gone, free = flow.several(2)
    [snapshot] = flow.home.images[gone].snapshot_ids
    result = flow.asks(lambda: flow.home.images.pop(gone))
    assert (removed(result), flow.changes()) == ({gone, free}, [free])
    assert ("snapshot kept", snapshot) in told_of_snapshots(flow)


# Orphaned snapshots


@pytest.mark.parametrize("asks", [False, True])
def test_orphaned_snapshots_are_read_again_after_a_prompt_alone(flow: Flow, asks: bool) -> None:
    orphan = flow.orphan()
    flow.clean(check_orphans=True, force_delete=not asks)
    assert flow.changes() == [orphan]
    assert len(flow.calls("DescribeSnapshots")) == (2 if asks else 1)


def test_a_warning_of_the_reading_after_the_prompt_is_shown(flow: Flow) -> None:
    flow.orphan()
    template = flow.home.add_launch_template(versions=[{}, {}, {}]).template_id
    gone = {"code": "InvalidLaunchTemplateId.NotFound", "status": 400}
    flow.asks(
        lambda: flow.fault("DescribeLaunchTemplateVersions", when=lambda call: "LaunchTemplateId" in call.params, **gone),
        check_orphans=True,
    )
    [warning] = flow.view.of("warning")
    assert template in warning


def test_the_reading_that_finds_orphaned_snapshots_counts_from_its_first_call(flow: Flow) -> None:
    flow.orphan()
    flow.fault("DescribeInstances", "do", do=lambda world, call: flow.time.sleep(61.0), times=1)
    flow.patch.setattr(usage_monitor, "LATE_WINDOW", -1.0)
    flow.clean(check_orphans=True)
    assert len(flow.calls("DescribeSnapshots")) == 2


# Interruptions and threads


def test_an_interruption_before_the_first_call_makes_none(flow: Flow) -> None:
    flow.several(2)
    interrupts = Interrupts()
    flow.patch.setattr(flow.view, "cleaning", lambda plan: interrupts.stop.set())
    clean(Config(keep_previous=0, force_delete=True), view=flow.view, clock=flow.time.clock, interrupts=interrupts)
    assert flow.changes() == []


def test_the_threads_of_a_pool_exist_when_it_is_made() -> None:
    with ThreadPoolExecutor(5) as pool:
        start_threads(pool, 5)
        assert len(pool._threads) == 5
