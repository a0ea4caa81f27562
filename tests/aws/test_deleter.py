"""The deleter changes what it is told and nothing else, and reports what is true."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from amicleaner.actions import DEREGISTER, QUARANTINE, QUARANTINE_TAG, RELEASE
from amicleaner.audit import AuditError
from amicleaner.errors import AwsError, CredentialsError, DeniedError
from amicleaner.models import Failure, Target
from tests.virtual_time import NOW

from .simulation import (
    AWAY,
    FAR,
    HANG,
    HOME,
    NEVER,
    FailingAudit,
    Fault,
    Image,
    Scene,
    aws_error,
    cut,
    denied,
    expired,
    throttle,
    transient,
)

# One AMI's line


def test_an_ami_is_deleted_with_its_snapshots_in_one_call() -> None:
    scene = Scene()
    outcomes = scene.delete([scene.home.add("ami-1", "snap-1", "snap-2"), scene.home.add("ami-2", "snap-3")])
    assert outcomes == {"ami-1": "removed", "ami-2": "removed"}
    assert scene.snapshot_outcomes() == {"snap-1": ["removed"], "snap-2": ["removed"], "snap-3": ["removed"]}
    assert [made.call for made in scene.home.made] == ["DeregisterImage", "DeregisterImage"]
    assert (scene.home.images, scene.home.snapshots) == ({}, set())


def test_a_line_goes_from_the_log_to_the_call_to_the_log_to_the_report(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    scene = Scene(log=path)
    seen: list[tuple[str, int]] = []
    scene.on_line = lambda line: seen.append((line, len(path.read_text().splitlines())))
    scene.home.faults["ami-1"] = [Fault(codes={"snap-1": "internal-error"})]
    scene.delete([scene.home.add("ami-1", "snap-1", "snap-2")])
    assert seen == [("ami-1 removed", 2), ("snap-2 removed", 2), ("snap-1 removed", 4)]
    before, _, single, _ = [json.loads(line) for line in path.read_text().splitlines()]
    assert (before["action"], before["id"], before["snapshots"]) == ("ec2:DeregisterImage", "ami-1", ["snap-1", "snap-2"])
    assert (single["action"], single["id"], single["ami"]) == ("ec2:DeleteSnapshot", "snap-1", "ami-1")


@pytest.mark.parametrize("emulator", [False, True])
def test_nothing_is_reported_before_it_is_true_nor_twice(emulator: bool) -> None:
    scene = Scene(emulator=emulator)

    def check(line: str) -> None:
        id = line.split()[0]
        assert id not in scene.home.images
        assert id not in scene.home.snapshots

    scene.on_line = check
    scene.delete([scene.home.add(f"ami-{number}", f"snap-{number}", "snap-shared") for number in range(20)])
    assert scene.changer.stopped_by is None
    assert len(scene.lines) == len(set(scene.lines)) == 41


def test_targets_are_worked_on_side_by_side() -> None:
    scene = Scene(HOME, AWAY, FAR)
    jobs = [scene.job(aws.add(f"ami-{n}"), target=target) for target, aws in scene.aws.items() for n in range(100)]
    scene.run(jobs)
    assert len(scene.deleter.results) == 300
    assert scene.time.seconds < 5.0


def test_amis_of_a_target_are_taken_in_the_order_of_the_plan() -> None:
    scene = Scene()
    scene.delete([scene.home.add(f"ami-{number}") for number in range(9)])
    assert scene.home.calls("DeregisterImage") == [f"ami-{number}" for number in range(9)]


def test_a_deleter_without_jobs_does_nothing() -> None:
    assert Scene().run([], fresh=False) == {}


# What AWS says of the snapshots


def test_a_snapshot_that_was_skipped_is_tried_singly_until_aws_notices_that_its_ami_is_gone() -> None:
    scene = Scene()
    scene.home.faults["ami-1"] = [Fault(codes={"snap-1": "skipped"})]
    scene.home.noticed["snap-1"] = 10.0
    scene.delete([scene.home.add("ami-1", "snap-1")])
    assert scene.lines == ["ami-1 removed", "snap-1 removed"]
    assert len(scene.home.calls("DeleteSnapshot")) > 2


def test_a_snapshot_that_an_unknown_ami_uses_is_kept() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    scene.on_line = lambda line: None
    scene.time.at(0.0, lambda: scene.home.add("ami-registered-since", "snap-1"))
    scene.delete([ami])
    assert scene.lines == ["ami-1 removed", "snap-1 kept"]
    assert scene.home.snapshots == {"snap-1"}


# Shared snapshots


@pytest.mark.parametrize("emulator", [False, True])
def test_amis_that_share_a_snapshot_go_one_after_another_and_it_goes_with_the_last(emulator: bool) -> None:
    scene = Scene(emulator=emulator)
    scene.delete([scene.home.add(f"ami-{number}", "snap-shared", f"snap-{number}") for number in range(4)])
    assert set(scene.outcomes.values()) == {"removed"}
    assert scene.snapshot_outcomes()["snap-shared"] == ["removed"]
    assert [snapshot.id for snapshot in scene.result("ami-3").snapshots] == ["snap-shared", "snap-3"]
    assert scene.home.snapshots == set()
    moments = [made.time for made in scene.home.made if made.call == "DeregisterImage"]
    assert all(later - earlier > 0.079 for earlier, later in pairwise(moments))


def test_amis_that_share_nothing_do_not_wait_for_those_that_do() -> None:
    scene = Scene()
    amis = [*(scene.home.add(f"ami-{number}", "snap-shared") for number in range(200)), scene.home.add("ami-free")]
    scene.delete(amis)
    assert scene.home.calls("DeregisterImage")[:3] == ["ami-0", "ami-1", "ami-free"]


@pytest.mark.parametrize("emulator", [False, True])
def test_a_snapshot_that_a_kept_ami_uses_is_kept_and_named(emulator: bool) -> None:
    scene = Scene(emulator=emulator)
    scene.home.add("ami-kept", "snap-shared")
    scene.delete([scene.home.add("ami-1", "snap-shared", "snap-1")])
    assert scene.snapshot_outcomes() == {"snap-shared": ["kept"], "snap-1": ["removed"]}
    assert scene.home.snapshots == {"snap-shared"}
    assert scene.home.calls("DeleteSnapshot") == (["snap-1"] if emulator else [])
    assert "snap-shared kept by ami-kept" in scene.lines


@pytest.mark.parametrize("emulator", [False, True])
@pytest.mark.parametrize("why", ["refused", "in use"])
def test_a_snapshot_that_was_left_to_an_ami_which_is_kept_is_reported_last(why: str, emulator: bool) -> None:
    scene = Scene(emulator=emulator)
    if why == "refused":
        scene.home.faults["ami-2"] = [Fault(aws_error("OperationNotPermitted"))]
    else:
        scene.keeps["ami-2"] = "i-1"
    scene.delete([scene.home.add("ami-1", "snap-s"), scene.home.add("ami-2", "snap-s")], fresh=why == "refused")
    assert scene.lines == ["ami-1 removed", f"ami-2 {'failed' if why == 'refused' else 'kept'}", "snap-s kept by ami-2"]
    assert scene.snapshot_outcomes() == {"snap-s": ["kept"]}
    assert scene.home.snapshots == {"snap-s"}


def test_a_snapshot_that_was_left_to_an_ami_of_unknown_fate_is_not_called_kept() -> None:
    scene = Scene()
    scene.home.faults["ami-2"] = [Fault(cut()) for _ in range(3)] + [Fault(cut(), after=True)]
    scene.home.unreadable = denied()
    scene.delete([scene.home.add("ami-1", "snap-s"), scene.home.add("ami-2", "snap-s")])
    assert scene.home.snapshots == set()
    assert scene.lines == ["ami-1 removed", "ami-2 failed", "snap-s failed"]


# Lost answers, and what is gone already


@pytest.mark.parametrize("code", ["InvalidAMIID.Unavailable", "InvalidAMIID.NotFound"])
def test_an_ami_that_somebody_else_deregistered_leaves_its_snapshots_alone(code: str) -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    scene.time.at(0.0, lambda: scene.home.images.pop("ami-1"))
    scene.home.faults["ami-1"] = [Fault(aws_error(code))]
    scene.delete([ami])
    assert scene.lines == ["ami-1 removed", "snap-1 kept"]
    assert scene.result("ami-1").explanation == "ami-1 was deregistered by somebody else."
    assert scene.home.snapshots == {"snap-1"}
    assert scene.home.calls("DeleteSnapshot") == []


def test_unavailable_is_not_gone_where_the_ami_exists() -> None:
    scene = Scene()
    scene.home.faults["ami-1"] = [Fault(aws_error("InvalidAMIID.Unavailable"))]
    scene.delete([scene.home.add("ami-1", "snap-1")])
    assert scene.outcomes == {"ami-1": "failed"}
    assert scene.home.described == ["ami-1"]


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_messages_on_a_snapshot_never_contradict_where_one_of_its_amis_is_gone(order: tuple[int, int], fresh: bool) -> None:
    """ami-2 was deregistered by somebody else; ami-1, which shares the snapshot, is deleted, and the snapshot with it."""
    scene = Scene()
    amis = {number: scene.home.add(f"ami-{number}", "snap-s") for number in order}
    scene.time.at(0.0, lambda: scene.home.images.pop("ami-2"))
    scene.time.sleep(0.0 if fresh else 0.1)
    scene.delete([amis[number] for number in order], fresh=fresh)
    assert sorted(scene.lines) == ["ami-1 removed", "ami-2 removed", "snap-s removed"]
    assert scene.home.snapshots == set()


def test_an_ami_that_a_check_finds_gone_after_a_lost_answer_was_deleted_by_this_run() -> None:
    scene = Scene()
    scene.home.faults["ami-1"] = [Fault(cut(), after=True, seconds=61.0)]
    scene.delete([scene.home.add("ami-1", "snap-1")])
    assert len(scene.rounds) == 2
    assert scene.lines == ["ami-1 removed", "snap-1 removed"]


@pytest.mark.parametrize("acted", [False, True])
def test_after_lost_answers_the_ami_itself_decides(acted: bool) -> None:
    scene = Scene()
    scene.home.faults["ami-1"] = [Fault(cut()) for _ in range(3)] + [Fault(cut(), after=acted)]
    scene.delete([scene.home.add("ami-1", "snap-1")])
    assert scene.home.described == ["ami-1"]
    if acted:
        assert scene.lines == ["ami-1 removed", "snap-1 removed"]
    else:
        assert scene.lines == ["ami-1 failed"]
        error = scene.result("ami-1").error
        assert error == Failure(
            "ConnectionClosedError", "AWS says ConnectionClosedError (one try got no response: it may be done)"
        )


@pytest.mark.parametrize("acted", [False, True])
def test_a_lost_answer_never_takes_a_snapshot_that_another_ami_uses(acted: bool) -> None:
    scene = Scene()
    scene.home.add("ami-kept", "snap-shared")
    amis = [scene.home.add("ami-1", "snap-shared", "snap-1"), scene.home.add("ami-2", "snap-1")]
    scene.home.faults["ami-1"] = [Fault(cut(), after=acted)]
    scene.delete(amis)
    assert scene.home.snapshots == {"snap-shared"}
    assert scene.snapshot_outcomes() == {"snap-shared": ["kept"], "snap-1": ["removed"]}


def test_a_lost_response_reports_that_the_ami_may_be_deleted() -> None:
    scene = Scene()
    scene.home.faults["ami-1"] = [Fault(cut()), *(Fault(throttle()) for _ in range(200))]
    scene.keeps["ami-1"] = "i-1"
    scene.delete([scene.home.add("ami-1", "snap-1")])
    assert scene.outcomes == {"ami-1": "failed"}
    error = scene.result("ami-1").error
    assert error
    assert "it may be done" in error.message
    assert [use.id for use in scene.result("ami-1").used_by] == ["i-1"]


# What a re-check says


def test_an_ami_that_came_into_use_is_kept_with_its_reference_and_is_no_failure() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(3)]
    scene.keeps["ami-1"] = "i-new"
    assert scene.delete(amis, fresh=False) == {"ami-0": "removed", "ami-1": "kept", "ami-2": "removed"}
    kept = scene.result("ami-1")
    assert (kept.reason, kept.explanation, kept.error) == ("in-use", "In use by instance i-new.", None)
    assert [use.id for use in kept.used_by] == ["i-new"]
    assert scene.home.images == {"ami-1": Image(("snap-1",))}


def test_an_ami_that_came_into_use_between_two_tries_is_not_tried_again() -> None:
    scene = Scene()
    scene.home.faults["ami-1"] = [Fault(throttle()) for _ in range(200)]
    scene.time.at(20.0, lambda: scene.keeps.update({"ami-1": "i-1"}))
    assert scene.delete([scene.home.add("ami-1", "snap-1")]) == {"ami-1": "kept"}
    assert max(made.time for made in scene.home.made) <= 60.0


@pytest.mark.parametrize("action", [None, QUARANTINE])
def test_with_whom_an_ami_is_shared_is_asked_before_it_is_changed(action: Any) -> None:
    def shared(target: Target, id: str) -> Sequence[str]:
        return ["account 999999999999", "everybody"] if id == "ami-1" else ()

    scene = Scene(shared=shared)
    amis = [scene.home.add(f"ami-{number}") for number in range(3)]
    scene.run([scene.job(ami, action) if action else scene.job(ami) for ami in amis])
    assert scene.outcomes["ami-1"] == "kept"
    kept = scene.result("ami-1")
    assert (kept.reason, kept.explanation) == ("shared", "Shared with account 999999999999, everybody.")
    assert "ami-1" not in [made.id for made in scene.home.made]


def test_an_answer_on_sharing_is_as_old_as_its_question() -> None:
    def shared(target: Target, id: str) -> Sequence[str]:
        scene.clock.sleep(61.0 if scene.clock.monotonic() < 60.0 else 0.0)
        return ()

    scene = Scene(shared=shared)
    scene.delete([scene.home.add("ami-1")])
    assert scene.home.made[0].time > 61.0
    assert len(scene.rounds) == 2


def test_sharing_that_cannot_be_read_ends_the_run() -> None:
    def shared(target: Target, id: str) -> Sequence[str]:
        raise denied()

    scene = Scene(shared=shared)
    assert scene.delete([scene.home.add("ami-1")]) == {}
    assert scene.home.made == []
    assert isinstance(scene.changer.stopped_by, AwsError)


# Missing permissions


@pytest.mark.parametrize("snapshots", [False, True])
def test_a_target_ends_where_its_first_ami_is_refused_for_lack_of_permission(snapshots: bool) -> None:
    scene = Scene(HOME, FAR)
    jobs = [
        scene.job(aws.add(f"ami-{n}", f"snap-{n}"), target=target) for target, aws in scene.aws.items() for n in range(9)
    ]
    scene.home.faults["ami-0"] = [Fault(codes={"snap-0": "missing-permissions"}) if snapshots else Fault(denied())]
    scene.run(jobs)
    assert len(scene.home.made) == 1
    assert len(scene.home.images) == (8 if snapshots else 9)
    assert scene.aws[FAR].images == {}
    assert scene.changer.stopped_by is None
    (problem,) = scene.deleter.problems
    assert str(problem) == (
        f"AWS refused to delete {'the snapshots of ' if snapshots else ''}ami-0 for lack of permission. "
        "Nothing more is changed in account 123456789012, Region eu-west-1."
    )
    assert problem.hint == "Grant the IAM actions ec2:DeleteSnapshot, ec2:DeregisterImage."


def test_the_first_ami_goes_alone_and_later_refusals_are_failures_like_others() -> None:
    scene = Scene()
    scene.keeps["ami-0"] = "i-1"
    scene.home.faults["ami-2"] = [Fault(denied())]
    outcomes = scene.delete([scene.home.add(f"ami-{number}") for number in range(9)], fresh=False)
    assert [id for id, outcome in outcomes.items() if outcome == "failed"] == ["ami-2"]
    first, second = scene.home.made[:2]
    assert (first.id, second.id) == ("ami-1", "ami-2")
    assert second.time - first.time >= 0.08
    assert scene.deleter.problems == []


def test_a_permission_stop_ends_the_later_actions_of_its_target() -> None:
    scene = Scene(HOME, FAR)
    steps = [
        [scene.job(aws.add(f"ami-{action.name}", state="available"), action, target) for target, aws in scene.aws.items()]
        for action in (RELEASE, QUARANTINE)
    ]
    steps.append([scene.job(aws.add("ami-remove"), target=target) for target, aws in scene.aws.items()])
    scene.home.faults["EnableImage ami-release"] = [Fault(denied())]
    scene.run(*steps)
    assert [made.id for made in scene.home.made] == ["ami-release"]
    assert {made.id for made in scene.aws[FAR].made} == {"ami-release", "ami-quarantine", "ami-remove"}
    assert [problem.hint for problem in scene.deleter.problems] == ["Grant the IAM actions ec2:DeleteTags, ec2:EnableImage."]


def test_a_refused_target_is_not_read_any_longer() -> None:
    scene = Scene(HOME, AWAY)
    jobs = [scene.job(aws.add(f"ami-{n}"), target=target) for target, aws in scene.aws.items() for n in range(400)]
    scene.home.faults["ami-0"] = [Fault(denied())]
    scene.run(jobs)
    assert len(scene.rounds) <= 4
    assert all(target == AWAY for _, read in scene.rounds[1:] for target, _ in read.verdicts)


# Failures that end the run, and those that do not


def test_a_refusal_is_a_result_and_does_not_stop_the_others() -> None:
    scene = Scene()
    scene.home.faults["ami-1"] = [Fault(aws_error("OperationNotPermitted"))]
    outcomes = scene.delete([scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(3)])
    assert outcomes == {"ami-0": "removed", "ami-1": "failed", "ami-2": "removed"}
    assert scene.result("ami-1").error == Failure("OperationNotPermitted", "AWS says OperationNotPermitted")
    assert scene.home.snapshots == {"snap-1"}


def test_a_storm_without_an_end_fails_every_ami_and_ends() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}") for number in range(9)]
    for ami in amis:
        scene.home.faults[ami.id] = [Fault(throttle())] * 10_000
    scene.delete(amis)
    assert {result.error.code for result in scene.deleter.results.values() if result.error} == {"RequestLimitExceeded"}
    assert scene.changer.stopped_by is None
    assert scene.time.seconds < 2000.0  # three AMIs one after another in each worker, ten minutes each


def test_expired_credentials_stop_every_target() -> None:
    scene = Scene(HOME, FAR)
    jobs = [
        scene.job(aws.add(f"ami-{n}", f"snap-{n}"), target=target) for target, aws in scene.aws.items() for n in range(100)
    ]
    scene.home.faults["ami-10"] = [Fault(expired())]
    scene.run(jobs)
    assert isinstance(scene.changer.stopped_by, CredentialsError)
    assert 10 < len(scene.deleter.results) < 60
    failed = [result for result in scene.deleter.results.values() if result.outcome != "removed"]
    assert [(result.id, result.error and result.error.code) for result in failed] == [("ami-10", "ExpiredToken")]
    assert sum(len(aws.made) for aws in scene.aws.values()) == len(scene.deleter.results)


def test_credentials_that_expire_between_an_ami_and_its_snapshots_leave_them_named() -> None:
    scene = Scene(emulator=True)
    scene.home.faults["snap-1"] = [Fault(expired())]
    scene.delete([scene.home.add("ami-1", "snap-1", "snap-2")])
    codes = [snapshot.error.code for snapshot in scene.result("ami-1").snapshots if snapshot.error]
    assert codes == ["ExpiredToken", "Interrupted"]
    assert scene.home.snapshots == {"snap-1", "snap-2"}


def test_a_log_that_fails_after_a_call_loses_no_result() -> None:
    scene = Scene(emulator=True, audit=FailingAudit(after=3))
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(40)]
    outcomes = scene.delete(amis)
    assert isinstance(scene.changer.stopped_by, AuditError)
    assert set(outcomes) == {ami.id for ami in amis} - set(scene.home.images)
    left = {id for id, found in scene.snapshot_outcomes().items() if found == ["failed"]}
    assert left == {id for id in scene.home.snapshots if not scene.home.used(id)} != set()


# A stop


@pytest.mark.parametrize("emulator", [False, True])
def test_a_stop_finishes_what_is_in_flight_and_starts_nothing_new(emulator: bool) -> None:
    scene = Scene(emulator=emulator)
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(200)]
    scene.time.at(0.5, scene.changer.halt)
    outcomes = scene.delete(amis)
    assert set(outcomes) == {ami.id for ami in amis} - set(scene.home.images)
    assert set(outcomes.values()) == {"removed"}
    assert 8 <= len(outcomes) <= 40
    assert all(made.time <= 0.5 for made in scene.home.made if made.call == "DeregisterImage")
    assert not [id for id in scene.home.snapshots if not scene.home.used(id)]
    assert scene.time.seconds < 1.0


def test_a_stop_before_the_first_call_makes_none() -> None:
    scene = Scene()
    scene.changer.halt()
    assert scene.delete([scene.home.add("ami-1")], fresh=False) == {}
    assert (scene.home.made, scene.time.seconds) == ([], 0.0)


def test_a_stop_does_not_wait_for_a_round() -> None:
    scene = Scene(reading=200.0)
    scene.time.at(5.0, scene.changer.halt)
    assert scene.delete([scene.home.add("ami-1")], fresh=False) == {}
    assert scene.time.seconds == pytest.approx(5.0)


def test_what_hangs_after_a_stop_is_waited_for_twenty_seconds_and_said_to_be_unknown() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(9)]
    scene.home.faults["ami-3"] = [HANG]
    scene.home.faults["ami-4"] = [Fault(seconds=19.0)]
    scene.time.at(0.1, scene.changer.halt)
    scene.delete([*amis[3:], *amis[:3]])
    assert scene.outcomes == {"ami-3": "failed"}
    assert scene.time.seconds == pytest.approx(20.1)
    error = scene.result("ami-3").error
    assert error
    assert error.code == "NoResponse"
    assert "it may be done" in error.message
    assert scene.home.described == []


def test_a_stop_leaves_no_look_at_an_ami_and_no_snapshot_waited_for_beyond_the_twenty_seconds() -> None:
    scene = Scene(emulator=True)
    first, second = scene.home.add("ami-0"), scene.home.add("ami-1", *(f"snap-{number}" for number in range(300)))
    scene.time.at(0.2, scene.changer.halt)
    scene.delete([first, second])
    assert scene.time.seconds == pytest.approx(20.2)
    found = scene.snapshot_outcomes()
    assert len(found) == 300
    assert 100 < len(scene.home.snapshots) < 220
    failed = {snapshot.id: snapshot.error.code for snapshot in scene.result("ami-1").snapshots if snapshot.error}
    assert {id for id, code in failed.items() if code == "Interrupted"} == scene.home.snapshots
    assert list(failed.values()).count("NoResponse") == len(failed) - len(scene.home.snapshots) == 1


@pytest.mark.parametrize("phase", ["token", "sharing", "call", "pause", "snapshot", "look"])
def test_a_stop_in_any_phase_ends_within_twenty_seconds_and_tells_what_was_tried(phase: str) -> None:
    def shared(target: Target, id: str) -> Sequence[str]:
        scene.clock.sleep(NEVER if phase == "sharing" else 0.0)
        return ()

    scene = Scene(emulator=True, shared=shared)
    ami = scene.home.add("ami-1", "snap-1")
    if phase == "token":
        scene.changer.apis[HOME].bucket(DEREGISTER).empty()
    elif phase == "call":
        scene.home.faults["ami-1"] = [HANG]
    elif phase == "pause":
        scene.home.faults["ami-1"] = [Fault(transient())] * 3
    elif phase == "snapshot":
        scene.home.faults["snap-1"] = [HANG]
    elif phase == "look":
        scene.home.faults["ami-1"] = [Fault(cut(), after=True)] * 4
    scene.time.at(0.1, scene.changer.halt)
    scene.delete([ami])
    assert scene.time.seconds <= 20.2
    tried = {made.id for made in scene.home.made}
    assert ("ami-1" in scene.outcomes) == ("ami-1" in tried)
    expected = {
        "token": None,
        "sharing": None,
        "call": "failed",
        "pause": "failed",
        "snapshot": "removed",
        "look": "removed",
    }
    assert scene.outcomes.get("ami-1") == expected[phase]


# Quarantine and release


def quarantine(scene: Scene, *, state: str = "available", tag: str | None = None) -> Image:
    """Quarantines ami-1, and returns what it is then."""
    ami = scene.home.add("ami-1", "snap-1", state=state, tags={QUARANTINE_TAG: tag} if tag else {})
    scene.run([scene.job(ami, QUARANTINE)])
    return scene.home.images["ami-1"]


def release(scene: Scene) -> Image:
    """Releases ami-1, and returns what it is then."""
    ami = scene.home.add("ami-1", "snap-1", state="disabled", tags={QUARANTINE_TAG: "2026-02-01T00:00:00Z"})
    scene.run([scene.job(ami, RELEASE)])
    return scene.home.images["ami-1"]


QUARANTINED = Image(("snap-1",), "disabled", {QUARANTINE_TAG: "2026-03-01T12:00:00Z"})
AVAILABLE = Image(("snap-1",))


def test_quarantining_tags_the_ami_with_the_time_and_then_disables_it() -> None:
    scene = Scene()
    assert quarantine(scene) == QUARANTINED
    assert [made.call for made in scene.home.made] == ["CreateTags", "DisableImage"]
    assert scene.lines == ["ami-1 quarantined"]
    assert scene.result("ami-1").until == NOW + timedelta(days=14)


def test_a_refused_quarantine_removes_the_tag_again() -> None:
    scene = Scene()
    scene.home.faults["DisableImage ami-1"] = [Fault(denied())]
    assert quarantine(scene) == AVAILABLE
    assert scene.outcomes == {"ami-1": "failed"}
    assert scene.deleter.problems[0].hint == "Grant the IAM actions ec2:CreateTags, ec2:DeleteTags, ec2:DisableImage."


def test_a_lost_answer_on_a_tag_that_is_there_leaves_no_doubt_on_the_rest() -> None:
    scene = Scene()
    scene.home.faults["CreateTags ami-1"] = [Fault(cut())]
    scene.home.faults["DisableImage ami-1"] = [Fault(aws_error("OperationNotPermitted"))]
    assert quarantine(scene) == AVAILABLE
    assert scene.result("ami-1").error == Failure("OperationNotPermitted", "AWS says OperationNotPermitted")


def test_a_refused_tag_disables_nothing() -> None:
    scene = Scene()
    scene.home.faults["CreateTags ami-1"] = [Fault(aws_error("TagLimitExceeded"))]
    assert quarantine(scene) == AVAILABLE
    assert scene.outcomes == {"ami-1": "failed"}


def test_a_quarantine_whose_time_is_unreadable_begins_again() -> None:
    scene = Scene()
    assert quarantine(scene, state="disabled", tag="yesterday") == QUARANTINED
    assert [made.call for made in scene.home.made] == ["CreateTags"]
    assert scene.outcomes == {"ami-1": "quarantined"}


def test_a_quarantine_that_cannot_begin_again_leaves_the_tag() -> None:
    scene = Scene()
    scene.home.faults["CreateTags ami-1"] = [Fault(cut(), after=True)] * 4
    assert quarantine(scene, state="disabled", tag="yesterday") == QUARANTINED
    assert scene.outcomes == {"ami-1": "failed"}


def test_release_enables_the_ami_and_then_removes_the_tag() -> None:
    scene = Scene()
    assert release(scene) == AVAILABLE
    assert [made.call for made in scene.home.made] == ["EnableImage", "DeleteTags"]
    assert scene.lines == ["ami-1 released"]


def test_a_refused_release_leaves_the_tag() -> None:
    scene = Scene()
    scene.home.faults["EnableImage ami-1"] = [Fault(aws_error("OperationNotPermitted"))]
    assert QUARANTINE_TAG in release(scene).tags
    assert scene.outcomes == {"ami-1": "failed"}


def test_nobody_asks_with_whom_an_ami_is_shared_that_is_released() -> None:
    scene = Scene(shared=lambda target, id: ["everybody"])
    assert release(scene) == AVAILABLE


@pytest.mark.parametrize("call", ["CreateTags", "DisableImage", "EnableImage", "DeleteTags"])
@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("acted", [False, True])
def test_after_lost_answers_the_state_of_the_ami_decides_whether_it_is_quarantined(
    call: str, times: int, acted: bool
) -> None:
    """The result is never better than the account."""
    for carry_out in (quarantine, release):
        scene = Scene()
        scene.home.faults[f"{call} ami-1"] = [Fault(cut(), after=acted) for _ in range(times)]
        image = carry_out(scene)
        outcome = scene.outcomes["ami-1"]
        if outcome == "quarantined":
            assert image == QUARANTINED
        elif outcome == "released":
            assert image == AVAILABLE
        else:
            assert times == 4
            assert carry_out is release or image in (AVAILABLE, QUARANTINED)


def test_a_quarantine_that_cannot_be_looked_at_keeps_its_tag() -> None:
    scene = Scene()
    scene.home.faults["DisableImage ami-1"] = [Fault(cut())] * 3 + [Fault(cut(), after=True)]
    scene.home.unreadable = transient()
    assert quarantine(scene) == QUARANTINED
    assert scene.outcomes == {"ami-1": "failed"}


def test_a_check_that_grows_old_between_tag_and_call_removes_the_tag_and_checks_again() -> None:
    scene = Scene()
    scene.home.faults["CreateTags ami-1"] = [Fault(seconds=61.0)]
    scene.time.at(61.0, lambda: scene.keeps.update({"ami-1": "i-1"}))
    assert quarantine(scene) == AVAILABLE
    assert scene.outcomes == {"ami-1": "kept"}


def test_an_ami_that_is_gone_after_a_lost_answer_is_not_quarantined() -> None:
    scene = Scene()
    scene.home.faults["CreateTags ami-1"] = [Fault(cut(), seconds=61.0)]
    scene.time.at(61.45, lambda: scene.home.images.pop("ami-1"))
    scene.run([scene.job(scene.home.add("ami-1", "snap-1"), QUARANTINE)])
    assert scene.lines == ["ami-1 removed", "snap-1 kept"]
    assert scene.home.calls("CreateTags", "DisableImage") == ["ami-1"]


def test_endless_throttles_end_a_quarantine_however_often_it_is_checked_again() -> None:
    scene = Scene()
    scene.home.faults["DisableImage ami-1"] = [Fault(throttle())] * 10_000
    assert quarantine(scene) == AVAILABLE
    assert scene.outcomes == {"ami-1": "failed"}
    assert scene.time.seconds < 400.0


def test_a_stop_between_tag_and_call_completes_the_quarantine() -> None:
    scene = Scene()
    scene.time.at(0.04, scene.changer.halt)
    assert quarantine(scene) == QUARANTINED
    assert scene.outcomes == {"ami-1": "quarantined"}


def test_a_log_that_fails_between_tag_and_call_is_a_failure_that_is_reported() -> None:
    scene = Scene(audit=FailingAudit(before=1))
    assert QUARANTINE_TAG in quarantine(scene).tags
    assert scene.outcomes == {"ami-1": "failed"}


@pytest.mark.parametrize("nth", range(4))
@pytest.mark.parametrize("acted", [False, True])
def test_a_run_that_is_killed_at_any_call_never_leaves_an_ami_disabled_without_its_tag(nth: int, acted: bool) -> None:
    for carry_out in (quarantine, release):
        scene = Scene()
        call, numbers = scene.home.call, count()

        def killed(name: str, *, scene: Scene = scene, call: Any = call, numbers: Any = numbers, **more: Any) -> Any:
            """Nothing that comes later reaches AWS."""
            number = next(numbers)
            answer = call(name, **more) if number < nth or (number == nth and acted) else {}
            scene.clock.sleep(NEVER if number >= nth else 0.0)
            return answer

        scene.home.call = killed  # type: ignore[method-assign]
        scene.time.at(5.0, scene.changer.halt)
        image = carry_out(scene)
        assert image.state == "available" or QUARANTINE_TAG in image.tags


# Orphaned snapshots


def test_orphaned_snapshots_are_deleted_each_with_its_result() -> None:
    scene = Scene()
    scene.home.snapshots = {"snap-0", "snap-1", "snap-used", "snap-refused"}
    scene.home.images["ami-new"] = Image(("snap-used",))
    scene.home.faults["snap-refused"] = [Fault(aws_error("InvalidParameterValue"))]
    outcomes = scene.run([scene.orphan(id) for id in ("snap-0", "snap-1", "snap-gone", "snap-used", "snap-refused")])
    assert outcomes == {
        "snap-0": "removed",
        "snap-1": "removed",
        "snap-gone": "removed",
        "snap-used": "kept",
        "snap-refused": "failed",
    }
    assert scene.home.snapshots == {"snap-used", "snap-refused"}
    assert scene.deleter.results == {}


def test_orphaned_snapshots_are_checked_again() -> None:
    scene = Scene()
    scene.home.snapshots = {"snap-1", "snap-2"}
    scene.keeps["snap-2"] = "i-1"
    outcomes = scene.run([scene.orphan(id) for id in ("snap-1", "snap-2", "snap-gone")], fresh=False)
    assert outcomes == {"snap-1": "removed", "snap-2": "kept", "snap-gone": "removed"}
    assert scene.home.calls("DeleteSnapshot") == ["snap-1"]
    assert scene.deleter.snapshots[HOME, "snap-2"].explanation == "In use by instance i-1."


def test_orphaned_snapshots_go_at_the_rate_of_their_call_which_later_steps_share() -> None:
    scene = Scene(emulator=True)
    scene.home.snapshots = {f"snap-{number}" for number in range(250)}
    scene.run([scene.orphan(id) for id in sorted(scene.home.snapshots)])
    assert 35.7 < scene.time.seconds < 36.1
    began = scene.time.seconds
    scene.delete([scene.home.add("ami-1", *(f"snap-x{number}" for number in range(20)))])
    assert scene.time.seconds - began > 4.0


@pytest.mark.parametrize("error", [expired(), denied()])
def test_orphaned_snapshots_stop_for_what_stops_amis(error: AwsError) -> None:
    scene = Scene()
    scene.home.snapshots = {f"snap-{number:02}" for number in range(50)}
    scene.home.faults["snap-00"] = [Fault(error)]
    assert scene.run([scene.orphan(id) for id in sorted(scene.home.snapshots)]) == {"snap-00": "failed"}
    hints = [problem.hint for problem in scene.deleter.problems]
    assert hints == (["Grant the IAM actions ec2:DeleteSnapshot."] if isinstance(error, DeniedError) else [])
