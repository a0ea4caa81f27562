"""Bringing AMIs back: from quarantine, from the Recycle Bin, and everything in an audit log."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from amicleaner.actions import QUARANTINE_TAG
from amicleaner.config import Config
from amicleaner.errors import UsageError
from amicleaner.result import Result
from amicleaner.run import clean
from tests.flows.flow import Flow, removed


def bring_back(flow: Flow, *words: str, **options: object) -> Result:
    return clean(Config(restore=words, **options), view=flow.view, clock=flow.time.clock)  # type: ignore[arg-type]


def outcomes(result: Result) -> dict[str, str]:
    return {restored.id: restored.outcome for restored in result.restored}


def states(flow: Flow) -> dict[str, str]:
    return {id: image.state for id, image in flow.home.images.items()}


@pytest.fixture
def flow(flow: Flow) -> Flow:
    """An account whose Recycle Bin retains everything for a week."""
    for kind in ("EC2_IMAGE", "EBS_SNAPSHOT"):
        flow.home.add_retention_rule(kind, days=7)
    return flow


def test_a_quarantined_ami_is_enabled_and_loses_its_tag(flow: Flow) -> None:
    ids = flow.several(2)
    before = {id: dict(flow.home.images[id].tags) for id in ids}
    flow.clean(quarantine=7)
    assert set(states(flow).values()) == {"disabled"}
    result = bring_back(flow, *ids)
    assert outcomes(result) == dict.fromkeys(ids, "restored")
    assert result.exit_status == 0
    assert set(states(flow).values()) == {"available"}
    assert {id: dict(flow.home.images[id].tags) for id in ids} == before


def test_a_deleted_ami_comes_back_after_its_snapshots(flow: Flow) -> None:
    ami = flow.add(snapshots=[8, 8])
    snapshots = set(ami.snapshot_ids)
    assert removed(flow.clean()) == {ami.image_id}
    result = bring_back(flow, ami.image_id)
    assert outcomes(result) == dict.fromkeys([*snapshots, ami.image_id], "restored")
    assert states(flow) == {ami.image_id: "available"}
    assert flow.home.snapshots.keys() == snapshots
    made = [call.action for call in flow.fake_aws.calls.changing() if call.action.startswith("Restore")]
    assert made == ["RestoreSnapshotFromRecycleBin"] * 2 + ["RestoreImageFromRecycleBin"]


def test_an_audit_log_brings_back_everything_in_it(flow: Flow) -> None:
    ids = flow.several(3)
    log = flow.path("audit.jsonl")
    flow.clean(audit_log=log)
    assert flow.home.images == {}
    result = bring_back(flow, log, audit_log=flow.path("restore.jsonl"))
    assert set(states(flow)) == set(ids)
    assert result.exit_status == 0
    lines = [json.loads(line) for line in Path(flow.path("restore.jsonl")).read_text().splitlines()]
    assert {line["action"] for line in lines} == {
        "ec2:RestoreImageFromRecycleBin",
        "ec2:RestoreSnapshotFromRecycleBin",
    }
    assert all(line["outcome"] == "done" for line in lines if line["event"] == "after")


def test_an_ami_deleted_out_of_quarantine_comes_back_enabled_and_without_the_tag(flow: Flow) -> None:
    (id,) = flow.several(1)
    flow.clean(quarantine=1)
    flow.time.seconds += 2 * 86_400
    assert removed(flow.clean(quarantine=1)) == {id}
    assert bring_back(flow, id).exit_status == 0
    assert states(flow) == {id: "available"}
    assert QUARANTINE_TAG not in flow.home.images[id].tags


def test_what_cannot_be_brought_back_is_named_with_the_reason(flow: Flow) -> None:
    available, gone = flow.add().image_id, "ami-0123456789abcdef0"
    disabled = flow.add(state="disabled").image_id
    result = bring_back(flow, available, disabled, gone)
    assert outcomes(result) == {available: "already", disabled: "failed", gone: "failed"}
    reasons = {restored.id: restored.reason for restored in result.restored}
    assert "not by amicleaner" in reasons[disabled]
    assert "Recycle Bin" in reasons[gone]
    assert result.exit_status == 1
    assert flow.changes() == []


def test_an_ami_waits_for_its_snapshots(flow: Flow) -> None:
    (id,) = flow.several(1)
    flow.clean()
    flow.world.recovery = timedelta(seconds=30)
    start = flow.time.seconds
    assert bring_back(flow, id).exit_status == 0
    assert flow.time.seconds - start >= 30


def test_without_all_its_snapshots_an_ami_of_a_log_is_not_restored(flow: Flow) -> None:
    ami = flow.add(snapshots=[8, 8])
    log = flow.path("audit.jsonl")
    flow.clean(audit_log=log)
    lost = flow.home.recycled_snapshots.popitem()[0]
    result = bring_back(flow, log)
    assert outcomes(result)[ami.image_id] == "failed"
    assert lost in result.restored[-1].reason
    assert flow.home.images == {}


def test_snapshots_of_a_run_that_did_not_know_its_account_come_back(flow: Flow) -> None:
    orphan, log = flow.orphan(), flow.path("audit.jsonl")
    flow.clean(check_orphans=True, audit_log=log)
    assert json.loads(Path(log).read_text().splitlines()[0])["account"] == ""
    assert outcomes(bring_back(flow, log)) == {orphan: "restored"}
    assert outcomes(bring_back(flow, log)) == {orphan: "already"}


@pytest.mark.parametrize("left", [1, 12, 200, -1])
def test_a_log_goes_on_after_a_line_that_a_killed_run_left_without_its_end(flow: Flow, left: int) -> None:
    log = Path(flow.path("audit.jsonl"))
    flow.clean(audit_log=str(log))
    ids = flow.several(2)
    flow.clean(audit_log=str(log))
    *whole, last = log.read_text().splitlines()
    log.write_text("\n".join([*whole, last[:left]]))
    ids += flow.several(1)
    flow.clean(audit_log=str(log))
    assert set(outcomes(bring_back(flow, str(log)))) > {*ids}
    assert set(states(flow)) == {*ids}


LINE = {"account": "1", "region": "r", "id": "ami-1", "event": "before", "attempt": "1", "action": "ec2:DeregisterImage"}


@pytest.mark.parametrize(
    "content",
    [
        "{}\n{}\n",
        "not a log",
        "not a log\n\n",
        '{"event": "before"}\n{}\n',
        *(json.dumps({**LINE, name: value}) for name in LINE for value in (None, 1, ["x"])),
        json.dumps(LINE | {"snapshots": 5}),
        json.dumps([LINE]),
    ],
)
def test_a_file_that_is_no_audit_log_is_refused(flow: Flow, content: str) -> None:
    Path(flow.path("audit.jsonl")).write_text(content)
    with pytest.raises(UsageError, match="not an audit log"):
        bring_back(flow, flow.path("audit.jsonl"))


def test_a_missing_file_is_refused(flow: Flow) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        bring_back(flow, flow.path("missing.jsonl"))


def test_of_the_snapshots_in_a_log_the_one_that_is_lost_does_not_hold_up_the_others(flow: Flow) -> None:
    ids = [flow.orphan(f"ami-0000000{number}") for number in range(3)]
    log = flow.path("audit.jsonl")
    flow.clean(audit_log=log, check_orphans=True)
    assert flow.home.snapshots == {}
    lost, *others = ids
    del flow.home.recycled_snapshots[lost]
    planned = bring_back(flow, log, dry_run=True)
    assert outcomes(planned) == {lost: "failed"} | dict.fromkeys(others, "planned")
    assert outcomes(bring_back(flow, log)) == {lost: "failed"} | dict.fromkeys(others, "restored")
    assert set(flow.home.snapshots) == set(others)
    assert outcomes(bring_back(flow, log)) == {lost: "failed"} | dict.fromkeys(others, "already")


def test_a_restored_ami_that_is_not_found_at_once_still_loses_its_tag(flow: Flow) -> None:
    (id,) = flow.several(1)
    flow.clean(quarantine=1)
    flow.time.seconds += 2 * 86_400
    flow.clean(quarantine=1)
    missing = {"code": "InvalidAMIID.NotFound", "status": 400, "when": lambda call: "ImageId" in call.params}
    flow.fault("DescribeImages", times=2, **missing)
    assert bring_back(flow, id).exit_status == 0
    assert QUARANTINE_TAG not in flow.home.images[id].tags


def test_a_restored_ami_that_cannot_be_read_is_named(flow: Flow) -> None:
    (id,) = flow.several(1)
    flow.clean()
    flow.fault("DescribeImages", "deny", when=lambda call: "ImageId" in call.params)
    result = bring_back(flow, id)
    assert (outcomes(result)[id], result.exit_status) == ("failed", 1)
    assert "cannot be read" in result.restored[-1].reason
