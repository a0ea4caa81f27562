"""The deleter removes what it is told and nothing else, and says what is true: results, faults, ends."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from amicleaner.audit import AuditError, AuditLog, Change, NullAudit
from amicleaner.aws.deletion.changes import failure
from amicleaner.aws.deletion.deleter import Deleter
from amicleaner.errors import AwsError, CredentialsError, ThrottledError, TransientError
from amicleaner.models import Failure, Target
from tests.aws.deletion.simulation import (
    AWAY,
    FAR,
    HOME,
    Account,
    FakeAws,
    Fault,
    Heard,
    Scene,
    SimulatedBell,
    Time,
    aws_error,
    cut,
    expired,
    make_ami,
    make_watch,
    outcomes,
    snapshot_outcomes,
    throttle,
)

# What goes as it should


def test_an_ami_goes_with_its_snapshots_in_one_call() -> None:
    scene = Scene()
    results = scene.remove([scene.home.add("ami-1", "snap-1", "snap-2"), scene.home.add("ami-2", "snap-3")])
    assert outcomes(results) == {"ami-1": "removed", "ami-2": "removed"}
    assert snapshot_outcomes(results) == {"snap-1": ["removed"], "snap-2": ["removed"], "snap-3": ["removed"]}
    assert [made.action for made in scene.home.made] == ["DeregisterImage", "DeregisterImage"]
    assert not scene.home.amis
    assert not scene.home.snapshots


def test_results_and_news_come_in_the_order_of_the_plan_whatever_the_timing() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(6)]
    scene.home.faults["ami-0"] = [Fault(aws_error("InternalError", TransientError))]
    results = scene.remove(amis)
    assert [result.id for result in results] == [f"ami-{number}" for number in range(6)]
    assert scene.heard.lines == [
        line for number in range(6) for line in (f"ami-{number} deregistered", f"snap-{number} deleted")
    ]
    assert scene.home.calls("DeregisterImage")[-1] == "ami-0"


def test_news_do_not_wait_for_long_for_an_earlier_ami() -> None:
    scene = Scene()
    amis = [scene.home.add("ami-0"), scene.home.add("ami-1")]
    scene.home.faults["ami-0"] = [Fault(aws_error("InternalError", TransientError)) for _ in range(3)]
    scene.home.faults["ami-0"] += [Fault(throttle()) for _ in range(20)]
    scene.remove(amis)
    assert scene.heard.lines == ["ami-1 deregistered", "ami-0 deregistered"]


def test_two_hundred_and_fifty_amis_take_what_the_rate_leaves_and_no_more() -> None:
    scene = Scene()
    account = Account(scene.time, HOME)
    watch = make_watch(scene.time, account, references=lambda target, ids: {}, references_since=scene.time.seconds)
    start = scene.time.seconds
    results = scene.remove(
        [scene.home.add(f"ami-{number}", f"snap-{number}a", f"snap-{number}b") for number in range(250)], watch=watch
    )
    assert all(result.outcome == "removed" for result in results)
    assert len(scene.home.made) == 250
    assert 35.7 < scene.time.seconds - start <= 36.0


def test_targets_go_side_by_side_each_at_its_own_pace() -> None:
    scene = Scene(HOME, AWAY, FAR)
    removals = [(target, aws.add(f"ami-{number}")) for target, aws in scene.aws.items() for number in range(100)]
    start = scene.time.seconds
    results = scene.remove(removals)
    assert [(result.target, result.id) for result in results] == [(target, ami.id) for target, ami in removals]
    assert all(result.outcome == "removed" for result in results)
    assert scene.time.seconds - start < 5.0


def test_no_more_calls_are_under_way_than_there_are_threads() -> None:
    scene = Scene(*(Target("123456789012", f"region-{number}") for number in range(7)))
    scene.pool.seconds = 2.0
    scene.remove([(target, aws.add(f"ami-{number}")) for target, aws in scene.aws.items() for number in range(20)])
    assert scene.pool.most_under_way == 32


def test_a_long_chain_of_shared_snapshots_does_not_hold_up_what_comes_after_it() -> None:
    scene = Scene()
    amis = [*(scene.home.add(f"ami-{number}", "snap-shared") for number in range(300)), scene.home.add("ami-free")]
    scene.remove(amis)
    assert scene.home.calls("DeregisterImage")[1] == "ami-free"


def test_the_same_ami_twice_is_removed_once() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1")
    assert len(scene.remove([ami, ami])) == 1
    assert len(scene.home.made) == 1


def test_nothing_to_remove() -> None:
    scene = Scene()
    assert scene.remove([]) == []
    assert scene.make().remove_snapshots([]) == []


def test_a_target_that_nobody_gave_is_a_defect_found_before_anything_goes() -> None:
    scene = Scene(HOME)
    removals = [(HOME, scene.home.add("ami-1")), (FAR, make_ami("ami-2"))]
    with pytest.raises(KeyError):
        scene.remove(removals)
    assert scene.home.made == []


def test_real_threads_with_a_real_clock_do_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(40)]
    threads: set[str] = set()
    most = now = 0
    lock = threading.Lock()
    call = scene.home.call

    def slowly(action: str, **parameters: Any) -> dict[str, Any]:
        nonlocal most, now
        with lock:
            threads.add(threading.current_thread().name)
            now += 1
            most = max(most, now)
        sleep(0.001)
        with lock:
            now -= 1
            return call(action, **parameters)

    monkeypatch.setattr(scene.home, "call", slowly)
    results = Deleter(scene.aws, listener=scene.heard).remove([(HOME, ami) for ami in amis], scene.holders())
    assert [result.outcome for result in results] == ["removed"] * 40
    assert threading.current_thread().name not in threads
    assert 1 < most <= 8
    assert scene.heard.lines == [
        line for number in range(40) for line in (f"ami-{number} deregistered", f"snap-{number} deleted")
    ]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("delete") and thread.is_alive() and now]


def few_threads(monkeypatch: pytest.MonkeyPatch, number: int) -> threading.Event:
    """A system that gives only so many threads to the deletion; the event tells that one was refused."""
    begin, given, refused = threading.Thread.start, iter(range(number)), threading.Event()

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("delete") and next(given, None) is None:
            refused.set()
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    return refused


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("orphans", [False, True])
def test_a_system_without_a_thread_left_ends_it_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, orphans: bool, threads: int
) -> None:
    scene = Scene(emulator=orphans)
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(20)]
    call, lock, refused = scene.home.call, threading.Lock(), few_threads(monkeypatch, threads)

    def slowly(action: str, **parameters: Any) -> dict[str, Any]:
        assert refused.wait(10)
        with lock:
            return call(action, **parameters)

    monkeypatch.setattr(scene.home, "call", slowly)
    deleter = Deleter(scene.aws, listener=scene.heard)
    if orphans:
        for number in range(20):
            scene.home.amis.pop(f"ami-{number}")
        ended = {result.id for result in deleter.remove_snapshots([(HOME, f"snap-{number}") for number in range(20)])}
    else:
        ended = {result.id for result in deleter.remove([(HOME, ami) for ami in amis], scene.holders())}
    assert str(deleter.stopped_by) == "can't start new thread"
    for thread in threading.enumerate():
        if thread.name.startswith("delete"):
            thread.join(10)
    assert ended == {made.id for made in scene.home.made}
    assert len(ended) == threads
    assert {line.split()[0] for line in scene.heard.lines if not line.startswith("snap") or orphans} == ended


# What AWS says of the snapshots


def test_each_return_code() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-ok", "snap-denied", "snap-wrong", "snap-new", "snap-internal")
    scene.home.faults["ami-1"] = [
        Fault(
            codes={
                "snap-denied": "missing-permissions",
                "snap-wrong": "client-error",
                "snap-new": "lost-in-transit",
                "snap-internal": "internal-error",
            }
        )
    ]
    (result,) = scene.remove([ami])
    assert result.outcome == "removed"
    assert [(snapshot.id, snapshot.outcome) for snapshot in result.snapshots] == [
        ("snap-ok", "removed"),
        ("snap-denied", "failed"),
        ("snap-wrong", "failed"),
        ("snap-new", "failed"),
        ("snap-internal", "removed"),
    ]
    codes = [snapshot.error.code for snapshot in result.snapshots if snapshot.error]
    assert codes == ["missing-permissions", "client-error", "lost-in-transit"]
    assert scene.home.calls("DeleteSnapshot") == ["snap-internal"]
    assert scene.home.snapshots == {"snap-denied", "snap-wrong", "snap-new"}
    assert "snap-denied failed" in scene.heard.lines
    assert "snap-denied deleted" not in scene.heard.lines


def test_an_internal_error_that_stays_one_is_a_failure() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    scene.home.faults["ami-1"] = [Fault(codes={"snap-1": "internal-error"})]
    scene.home.faults["snap-1"] = [Fault(aws_error("UnauthorizedOperation"))]
    (result,) = scene.remove([ami])
    assert result.outcome == "removed"
    assert result.snapshots[0].error == Failure("UnauthorizedOperation", "AWS says UnauthorizedOperation")
    assert scene.heard.lines == ["ami-1 deregistered", "snap-1 failed"]


@pytest.mark.parametrize("code", ["skipped", "internal-error", "client-error", "", None])
def test_a_snapshot_that_the_ami_did_not_have_is_never_deleted(code: str | None) -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    scene.home.snapshots.add("snap-of-somebody")
    scene.home.faults["ami-1"] = [Fault(codes={"snap-1": "internal-error"})]
    call = scene.home.call

    def answer(action: str, **parameters: Any) -> dict[str, Any]:
        made = call(action, **parameters)
        if action == "DeregisterImage":
            made["DeleteSnapshotResults"].append({"SnapshotId": "snap-of-somebody", "ReturnCode": code})
        return made

    scene.home.call = answer  # type: ignore[method-assign]
    (result,) = scene.remove([ami])
    assert [(snapshot.id, snapshot.outcome) for snapshot in result.snapshots] == [("snap-1", "removed")]
    assert scene.home.calls("DeleteSnapshot") == ["snap-1"]


@pytest.mark.parametrize(
    "codes", [("success", "internal-error"), ("internal-error", "success"), ("client-error", "success")]
)
def test_of_two_codes_for_one_snapshot_none_counts(codes: tuple[str, str]) -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    call = scene.home.call

    def answer(action: str, **parameters: Any) -> dict[str, Any]:
        if action != "DeregisterImage":
            return call(action, **parameters)
        scene.home.amis.pop("ami-1")
        return {"DeleteSnapshotResults": [{"SnapshotId": "snap-1", "ReturnCode": code} for code in codes]}

    scene.home.call = answer  # type: ignore[method-assign]
    scene.remove([ami])
    assert scene.home.calls("DeleteSnapshot") == ["snap-1"]
    assert scene.heard.lines == ["ami-1 deregistered", "snap-1 deleted"]
    assert scene.home.snapshots == set()


def test_a_code_that_is_missing_is_a_failure() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")

    def answer(action: str, **parameters: Any) -> dict[str, Any]:
        return {"DeleteSnapshotResults": [{"SnapshotId": "snap-1"}, {"ReturnCode": "success"}, None]}

    scene.home.call = answer  # type: ignore[method-assign]
    (result,) = scene.remove([ami])
    assert [(snapshot.outcome, snapshot.error and snapshot.error.code) for snapshot in result.snapshots] == [
        ("failed", "NoReturnCode")
    ]


@pytest.mark.parametrize("results", [None, [], "success", {"snap-1": "success"}])
def test_an_answer_without_results_is_no_success(results: object) -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    call = scene.home.call
    scene.home.emulator = True

    def answer(action: str, **parameters: Any) -> dict[str, Any]:
        return {**call(action, **parameters), "DeleteSnapshotResults": results}

    scene.home.call = answer  # type: ignore[method-assign]
    (result,) = scene.remove([ami])
    assert snapshot_outcomes([result]) == {"snap-1": ["removed"]}
    assert scene.home.calls("DeleteSnapshot") == ["snap-1"]


def test_a_snapshot_that_only_the_answer_names_is_in_the_result() -> None:
    scene = Scene()
    scene.home.add("ami-1", "snap-1", "snap-unknown")
    (result,) = scene.remove([make_ami("ami-1", "snap-1")])
    assert snapshot_outcomes([result]) == {"snap-1": ["removed"], "snap-unknown": ["removed"]}


def test_an_emulator_gives_no_results_so_each_snapshot_is_deleted_singly() -> None:
    scene = Scene(emulator=True)
    results = scene.remove([scene.home.add("ami-1", "snap-1", "snap-2"), scene.home.add("ami-2", "snap-3")])
    assert snapshot_outcomes(results) == {"snap-1": ["removed"], "snap-2": ["removed"], "snap-3": ["removed"]}
    assert not scene.home.snapshots
    assert scene.heard.lines == [
        "ami-1 deregistered",
        "snap-1 deleted",
        "snap-2 deleted",
        "ami-2 deregistered",
        "snap-3 deleted",
    ]


# Shared snapshots


@pytest.mark.parametrize("emulator", [False, True])
def test_amis_that_share_a_snapshot_go_one_after_another_and_it_goes_with_the_last(emulator: bool) -> None:
    scene = Scene(emulator=emulator)
    amis = [scene.home.add(f"ami-{number}", "snap-shared", f"snap-{number}") for number in range(3)]
    results = scene.remove(amis)
    assert outcomes(results) == dict.fromkeys(["ami-0", "ami-1", "ami-2"], "removed")
    assert snapshot_outcomes(results)["snap-shared"] == ["removed"]
    assert [snapshot.id for snapshot in results[2].snapshots] == ["snap-shared", "snap-2"]
    assert not scene.home.snapshots
    moments = [made.time for made in scene.home.made if made.action == "DeregisterImage"]
    assert all(later - earlier >= scene.pool.seconds for earlier, later in pairwise(moments))


def test_amis_that_share_nothing_do_not_wait_for_those_that_do() -> None:
    scene = Scene()
    amis = [scene.home.add("ami-0", "snap-s"), scene.home.add("ami-1", "snap-s"), scene.home.add("ami-2", "snap-2")]
    scene.remove(amis)
    assert scene.home.calls("DeregisterImage") == ["ami-0", "ami-2", "ami-1"]


@pytest.mark.parametrize("emulator", [False, True])
def test_a_snapshot_that_an_ami_that_stays_uses_is_kept_and_said(emulator: bool) -> None:
    scene = Scene(emulator=emulator)
    scene.home.add("ami-stays", "snap-shared")
    (result,) = scene.remove([scene.home.add("ami-1", "snap-shared", "snap-1")])
    assert snapshot_outcomes([result]) == {"snap-shared": ["kept"], "snap-1": ["removed"]}
    assert scene.home.snapshots == {"snap-shared"}
    assert "snap-shared" not in scene.home.calls("DeleteSnapshot")
    assert "snap-shared kept by ami-stays" in scene.heard.lines
    assert all(snapshot.error is None for snapshot in result.snapshots)


@pytest.mark.parametrize("emulator", [False, True])
def test_a_shared_snapshot_stays_when_the_ami_that_it_was_left_to_stays(emulator: bool) -> None:
    scene = Scene(emulator=emulator)
    amis = [scene.home.add("ami-1", "snap-shared"), scene.home.add("ami-2", "snap-shared")]
    scene.home.faults["ami-2"] = [Fault(aws_error("OperationNotPermitted"))]
    results = scene.remove(amis)
    assert outcomes(results) == {"ami-1": "removed", "ami-2": "failed"}
    assert snapshot_outcomes(results) == {"snap-shared": ["kept", "kept"]}
    assert scene.home.snapshots == {"snap-shared"}
    assert scene.heard.lines == ["ami-1 deregistered", "ami-2 failed", "snap-shared kept by ami-2"]


def test_skipped_though_nobody_holds_it_is_tried_singly_until_aws_has_noticed() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    scene.home.faults["ami-1"] = [Fault(codes={"snap-1": "skipped"})]
    scene.home.held_until["snap-1"] = scene.time.seconds + 10.0
    (result,) = scene.remove([ami])
    assert snapshot_outcomes([result]) == {"snap-1": ["removed"]}
    assert len(scene.home.calls("DeleteSnapshot")) > 2


def test_a_snapshot_that_an_ami_unknown_to_us_uses_is_kept_without_a_failure() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    holders = scene.holders()
    scene.home.add("ami-registered-since", "snap-1")
    (result,) = scene.remove([ami], holders=holders)
    assert result.snapshots[0].outcome == "kept"
    assert result.snapshots[0].error is None
    assert scene.home.snapshots == {"snap-1"}
    assert scene.heard.lines == ["ami-1 deregistered", "snap-1 kept by ?"]


# What is gone already


@pytest.mark.parametrize("code", ["InvalidAMIID.Unavailable", "InvalidAMIID.NotFound"])
def test_an_ami_that_is_gone_already_counts_as_removed_and_its_snapshots_go(code: str) -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1", "snap-2")
    del scene.home.amis["ami-1"]
    scene.home.snapshots.discard("snap-2")
    scene.home.faults["ami-1"] = [Fault(aws_error(code))]
    (result,) = scene.remove([ami])
    assert result.outcome == "removed"
    assert snapshot_outcomes([result]) == {"snap-1": ["removed"], "snap-2": ["removed"]}
    assert not scene.home.snapshots


def test_an_answer_that_was_lost_after_aws_acted_is_found_out_by_asking_again() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1", "snap-2")
    scene.home.faults["ami-1"] = [Fault(cut(), after=True)]
    (result,) = scene.remove([ami])
    assert result.outcome == "removed"
    assert snapshot_outcomes([result]) == {"snap-1": ["removed"], "snap-2": ["removed"]}
    assert scene.home.calls("DeregisterImage") == ["ami-1", "ami-1"]


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_never_takes_a_snapshot_that_another_ami_holds(after: bool) -> None:
    scene = Scene()
    scene.home.add("ami-stays", "snap-shared")
    amis = [scene.home.add("ami-1", "snap-shared", "snap-1"), scene.home.add("ami-2", "snap-1")]
    scene.home.faults["ami-1"] = [Fault(cut(), after=after)]
    results = scene.remove(amis)
    assert outcomes(results) == {"ami-1": "removed", "ami-2": "removed"}
    assert scene.home.snapshots == {"snap-shared"}
    assert "snap-shared" not in scene.home.calls("DeleteSnapshot")
    assert snapshot_outcomes(results) == {"snap-shared": ["kept"], "snap-1": ["removed"]}


def test_a_snapshot_whose_deletion_was_lost_and_then_refused_may_be_gone_and_is_said_to() -> None:
    scene = Scene()
    scene.home.snapshots.update({"snap-1", "snap-2"})
    scene.home.faults["snap-1"] = [Fault(cut(), after=True), Fault(aws_error("UnauthorizedOperation"))]
    scene.home.faults["snap-2"] = [Fault(aws_error("UnauthorizedOperation"))]
    lost, refused = scene.make().remove_snapshots([(HOME, "snap-1"), (HOME, "snap-2")])
    assert scene.home.snapshots == {"snap-2"}
    assert lost.error
    assert refused.error
    assert lost.error.code == refused.error.code == "UnauthorizedOperation"
    assert "the snapshot may be gone all the same" in lost.error.message
    assert "may be gone" not in refused.error.message


def test_answers_that_never_come_are_a_failure_that_says_what_is_not_known() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    scene.home.faults["ami-1"] = [Fault(cut()) for _ in range(4)]
    (result,) = scene.remove([ami])
    assert result.outcome == "failed"
    assert result.error
    assert result.error.code == "ConnectionClosedError"
    assert "may be gone all the same" in result.error.message
    assert snapshot_outcomes([result]) == {"snap-1": ["failed"]}
    assert len(scene.home.made) == 4
    assert scene.heard.lines == ["ami-1 failed", "snap-1 failed"]


# Faults


def test_a_refusal_is_a_result_and_does_not_stop_the_others() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(3)]
    scene.home.faults["ami-1"] = [Fault(aws_error("UnauthorizedOperation"))]
    results = scene.remove(amis)
    assert outcomes(results) == {"ami-0": "removed", "ami-1": "failed", "ami-2": "removed"}
    assert results[1].error == Failure("UnauthorizedOperation", "AWS says UnauthorizedOperation")
    assert snapshot_outcomes(results)["snap-1"] == ["kept"]
    assert scene.home.snapshots == {"snap-1"}
    assert len(scene.home.made) == 3
    assert scene.deleter
    assert scene.deleter.stopped_by is None


def test_twenty_five_throttles_in_a_row_are_ridden_out() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(5)]
    for ami in amis:
        scene.home.faults[ami.id] = [Fault(throttle()) for _ in range(25)]
    results = scene.remove(amis)
    assert all(result.outcome == "removed" for result in results)
    assert not scene.home.snapshots


def test_a_throttle_makes_everything_slower() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}") for number in range(40)]
    scene.home.faults["ami-0"] = [Fault(throttle())]
    start = scene.time.seconds
    scene.remove(amis)
    assert scene.time.seconds - start > 30 / 4.75


def test_a_storm_of_throttles_has_an_end_for_all_amis_together() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}") for number in range(30)]
    for ami in amis:
        scene.home.faults[ami.id] = [Fault(throttle())] * 10_000
    start = scene.time.seconds
    results = scene.remove(amis)
    assert {result.error.code for result in results if result.error} == {"RequestLimitExceeded"}
    assert outcomes(results) == {ami.id: "failed" for ami in amis}
    assert 600.0 <= scene.time.seconds - start < 900.0


def test_throttles_with_answers_between_them_are_no_storm() -> None:
    scene = Scene()
    scene.pool.seconds = 100.0
    ami = scene.home.add("ami-1")
    scene.home.faults["ami-1"] = [Fault(throttle()), Fault(aws_error("InternalError", TransientError))] * 3 + [
        Fault(throttle())
    ]
    (result,) = scene.remove([ami])
    assert result.outcome == "removed"
    assert scene.home.made[-1].time - scene.home.made[0].time > 600.0


def test_faults_that_pass_are_tried_again_without_holding_up_the_others() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}") for number in range(20)]
    scene.home.faults["ami-0"] = [Fault(aws_error("InternalError", TransientError)) for _ in range(3)]
    results = scene.remove(amis)
    assert all(result.outcome == "removed" for result in results)
    first = [made.time for made in scene.home.made if made.id == "ami-0"]
    others = [made.time for made in scene.home.made if made.id != "ami-0"]
    assert [
        round(later - earlier, 2) >= pause for earlier, later, pause in zip(first, first[1:], (0.25, 0.5, 1.0), strict=False)
    ]
    assert max(others) < first[-1]


def test_a_fault_that_does_not_pass_is_given_up_after_the_given_attempts() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    scene.home.faults["ami-1"] = [Fault(aws_error("EndpointConnectionError", TransientError)) for _ in range(9)]
    (result,) = scene.remove([ami])
    assert result.error == Failure("EndpointConnectionError", "AWS says EndpointConnectionError")
    assert snapshot_outcomes([result]) == {"snap-1": ["kept"]}
    assert len(scene.home.made) == 4


def test_many_attempts_do_not_overflow() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    scene.home.faults["ami-1"] = [Fault(aws_error("InternalError", TransientError)) for _ in range(1100)]
    deleter = Deleter(scene.aws, clock=scene.time.clock, attempts=2000, pool=scene.pool, bell=SimulatedBell(scene.time))
    (result,) = deleter.remove([(HOME, ami)], scene.holders())
    assert result.outcome == "removed"
    assert len(scene.home.made) == 1101


def test_a_single_snapshot_that_fails_is_named_with_the_reason() -> None:
    scene = Scene(emulator=True)
    ami = scene.home.add("ami-1", "snap-1", "snap-2")
    scene.home.faults["snap-1"] = [Fault(aws_error("UnauthorizedOperation"))]
    (result,) = scene.remove([ami])
    assert result.outcome == "removed"
    assert snapshot_outcomes([result]) == {"snap-1": ["failed"], "snap-2": ["removed"]}


# Ends


def test_expired_credentials_stop_everything_everywhere() -> None:
    scene = Scene(HOME, FAR)
    removals = [
        (target, scene.aws[target].add(f"ami-{number}", f"snap-{number}")) for target in (HOME, FAR) for number in range(100)
    ]
    scene.home.faults["ami-10"] = [Fault(expired())]
    results = scene.remove(removals)
    assert scene.deleter
    assert isinstance(scene.deleter.stopped_by, CredentialsError)
    assert 10 < len(results) < 60
    failed = [result for result in results if result.outcome != "removed"]
    assert [(result.id, result.error and result.error.code) for result in failed] == [("ami-10", "ExpiredToken")]
    gone = {(target, ami.id) for target, ami in removals if ami.id not in scene.aws[target].amis}
    assert gone == {(result.target, result.id) for result in results if result.outcome == "removed"}
    assert sum(len(aws.made) for aws in scene.aws.values()) == len(results)


def test_credentials_that_expire_between_an_ami_and_its_snapshots_leave_them_named() -> None:
    scene = Scene(emulator=True)
    ami = scene.home.add("ami-1", "snap-1", "snap-2", "snap-3")
    scene.home.faults["snap-1"] = [Fault(expired())]
    scene.home.faults["snap-2"] = [Fault(throttle())]
    (result,) = scene.remove([ami])
    assert result.outcome == "removed"
    by_id = {snapshot.id: snapshot for snapshot in result.snapshots}
    assert by_id["snap-1"].outcome == by_id["snap-2"].outcome == "failed"
    assert by_id["snap-3"].outcome == "removed"
    assert scene.home.snapshots == {"snap-1", "snap-2"}


def test_a_disk_that_takes_its_time_makes_no_call_on_an_old_answer() -> None:
    """Between the look at what is in use and the call stands the audit log's line, on a disk that hangs for two minutes."""
    scene = Scene()
    account = Account(scene.time, HOME)
    amis = [scene.home.add("ami-1", "snap-1"), scene.home.add("ami-2", "snap-2")]

    class Slow(NullAudit):
        lines: list[tuple[str, ...]] = []  # noqa: RUF012 - one test, one log

        def before(self, change: Change) -> str:
            self.lines.append(("before", change.id))
            if len(self.lines) == 1:
                scene.time.advance(120)
                account.use("ami-1")
            return ""

        def after(self, attempt: str, change: Change, answered: str, *, code: str = "", **_: Any) -> None:
            self.lines.append(("after", change.id, answered, code))

    audit = Slow()
    results = scene.remove(amis, watch=make_watch(scene.time, account), audit=audit)
    assert outcomes(results) == {"ami-1": "kept", "ami-2": "removed"}
    assert ("after", "ami-1", "refused", "TooLate") in audit.lines
    assert scene.home.calls("DeregisterImage") == ["ami-2"]


def test_an_audit_log_that_fails_before_a_call_stops_before_the_call() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(40)]
    audit = FailingAudit(before=5)
    results = scene.remove(amis, audit=audit)
    assert scene.deleter
    assert isinstance(scene.deleter.stopped_by, AuditError)
    assert scene.home.calls("DeregisterImage") == audit.begun
    assert set(scene.home.amis) == {ami.id for ami in amis} - set(audit.begun)
    assert [result.id for result in results] == sorted(audit.begun, key=lambda id: int(id[4:]))
    assert all(result.outcome == "removed" for result in results)


def test_an_audit_log_that_fails_after_a_call_loses_no_result_and_stops() -> None:
    scene = Scene(emulator=True)
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(40)]
    results = scene.remove(amis, audit=FailingAudit(after=3))
    assert scene.deleter
    assert isinstance(scene.deleter.stopped_by, AuditError)
    assert {result.id for result in results} == {ami.id for ami in amis} - set(scene.home.amis)
    assert 3 < len(results) <= 8
    left = {id for id, found in snapshot_outcomes(results).items() if found == ["failed"]}
    assert left == {snapshot for snapshot in scene.home.snapshots if not scene.home.used(snapshot)}
    assert left


def test_an_audit_log_that_fails_after_a_throttle_lets_no_other_try_begin() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    scene.home.faults["ami-1"] = [Fault(throttle())]
    assert scene.remove([ami], audit=FailingAudit(after=0)) == []
    assert scene.deleter
    assert isinstance(scene.deleter.stopped_by, AuditError)
    assert len(scene.home.made) == 1


def test_every_call_stands_between_its_two_lines(tmp_path: Path) -> None:
    scene = Scene(emulator=True)
    path = tmp_path / "audit.jsonl"
    amis = [scene.home.add("ami-1", "snap-1"), scene.home.add("ami-2", "snap-2")]
    scene.home.faults["ami-1"] = [Fault(throttle())]
    scene.home.faults["ami-2"] = [Fault(cut(), after=True)]
    with AuditLog(path, clock=scene.time.clock) as audit:
        scene.remove(amis, audit=audit)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    after = {line["attempt"]: line for line in lines if line["event"] == "after"}
    tried = [(line["action"], line["id"], after[line["attempt"]]["outcome"]) for line in lines if line["event"] == "before"]
    assert sorted(tried) == [
        ("ec2:DeleteSnapshot", "snap-1", "done"),
        ("ec2:DeleteSnapshot", "snap-2", "done"),
        ("ec2:DeregisterImage", "ami-1", "done"),
        ("ec2:DeregisterImage", "ami-1", "refused"),
        ("ec2:DeregisterImage", "ami-2", "refused"),
        ("ec2:DeregisterImage", "ami-2", "unknown"),
    ]
    assert len(scene.home.made) == len(tried)


@pytest.mark.parametrize("emulator", [False, True])
def test_a_stop_finishes_what_is_under_way_and_starts_nothing_new(emulator: bool) -> None:
    scene = Scene(emulator=emulator)
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(200)]
    scene.time.at(0.3, scene.stop.set)
    start = scene.time.seconds
    results = scene.remove(amis)
    gone = {ami.id for ami in amis} - set(scene.home.amis)
    assert outcomes(results) == dict.fromkeys(sorted(gone, key=lambda id: int(id[4:])), "removed")
    assert 8 <= len(gone) <= 40
    assert all(made.time - start <= 0.3 for made in scene.home.made if made.action == "DeregisterImage")
    assert {snapshot for snapshot in scene.home.snapshots if not scene.home.used(snapshot)} == set()
    assert scene.time.seconds - start < 1.0
    assert scene.deleter
    assert scene.deleter.stopped_by is None


def test_a_stop_before_the_first_call_makes_none() -> None:
    scene = Scene()
    scene.stop.set()
    ami = scene.home.add("ami-1")
    assert scene.remove([ami]) == []
    assert scene.make().remove_snapshots([(HOME, "snap-1")]) == []
    assert scene.home.made == []


def test_a_stop_ends_a_pause_between_two_tries() -> None:
    scene = Scene()
    amis = [scene.home.add("ami-1", "snap-1"), scene.home.add("ami-2", "snap-2"), scene.home.add("ami-3", "snap-3")]
    scene.home.faults["ami-1"] = [Fault(cut()) for _ in range(3)]
    scene.home.faults["ami-2"] = [Fault(aws_error("EndpointConnectionError", TransientError)) for _ in range(3)]
    scene.home.faults["ami-3"] = [Fault(codes={"snap-3": "skipped"})]
    scene.home.held_until["snap-3"] = scene.time.seconds + 100.0
    scene.time.at(1.2, scene.stop.set)
    start = scene.time.seconds
    results = scene.remove(amis)
    assert scene.time.seconds - start < 2.0
    assert all(made.time - start <= 1.2 for made in scene.home.made)
    assert outcomes(results) == {"ami-1": "failed", "ami-3": "removed"}
    assert snapshot_outcomes(results) == {"snap-1": ["failed"], "snap-3": ["kept"]}


def test_after_a_stop_snapshots_of_an_ami_that_is_gone_do_not_wait_for_long() -> None:
    scene = Scene(emulator=True)
    ami = scene.home.add("ami-1", *(f"snap-{number}" for number in range(300)))
    scene.time.at(0.1, scene.stop.set)
    start = scene.time.seconds
    (result,) = scene.remove([ami])
    assert scene.time.seconds - start < 8.0
    found = snapshot_outcomes([result])
    left = {id for id, kinds in found.items() if kinds == ["failed"]}
    assert left == scene.home.snapshots
    assert {snapshot.error.code for snapshot in result.snapshots if snapshot.error} == {"Interrupted"}
    assert len(found) == 300


def test_a_listener_that_fails_stops_the_deletion_and_loses_no_result() -> None:
    scene = Scene()

    broke: list[float] = []

    def broken(line: str) -> None:
        broke.append(scene.time.seconds)
        raise BrokenPipeError

    scene.heard = Heard(broken)
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(100)]
    results = scene.remove(amis)
    assert scene.deleter
    assert isinstance(scene.deleter.stopped_by, BrokenPipeError)
    assert {result.id for result in results} == {ami.id for ami in amis} - set(scene.home.amis)
    assert len(results) == 8
    assert all(made.time < broke[0] for made in scene.home.made)


def test_a_defect_in_a_call_is_no_success_and_stops() -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")

    def broken(action: str, **parameters: Any) -> dict[str, Any]:
        raise RuntimeError("a defect")

    scene.home.call = broken  # type: ignore[method-assign]
    (result,) = scene.remove([ami])
    assert result.outcome == "failed"
    assert result.error
    assert result.error.code == "RuntimeError"
    assert "may be gone" in result.error.message
    assert scene.deleter
    assert isinstance(scene.deleter.stopped_by, RuntimeError)


def test_what_a_defect_left_unknown_is_in_the_audit_log(tmp_path: Path) -> None:
    scene = Scene()
    path = tmp_path / "audit.jsonl"

    def broken(action: str, **parameters: Any) -> dict[str, Any]:
        raise RuntimeError("a defect")

    scene.home.call = broken  # type: ignore[method-assign]
    with AuditLog(path, clock=scene.time.clock) as audit:
        scene.remove([scene.home.add("ami-1")], audit=audit)
    _, after = [json.loads(line) for line in path.read_text().splitlines()]
    assert (after["event"], after["action"], after["id"]) == ("after", "ec2:DeregisterImage", "ami-1")
    assert (after["outcome"], after["code"], after["message"]) == ("unknown", "RuntimeError", "a defect")


def test_another_error_than_aws_tells_its_kind_and_text() -> None:
    assert failure(ValueError("what is wrong")) == Failure("ValueError", "what is wrong")


def test_a_real_stop_ends_a_real_wait_promptly() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}") for number in range(200)]
    stop = threading.Event()
    heard = Heard(lambda line: stop.set() if line == "ami-70 deregistered" else None)
    with ThreadPoolExecutor(8) as pool:
        results = Deleter(scene.aws, stop=stop, listener=heard, pool=pool).remove([(HOME, ami) for ami in amis], {})
    assert 70 < len(results) < 100


# News are true when they are told


def test_nothing_is_told_before_it_is_true() -> None:
    scene = Scene(HOME)

    def check(line: str) -> None:
        id, what = line.split()[:2]
        if what == "deregistered":
            assert id not in scene.home.amis
        if what == "deleted":
            assert id not in scene.home.snapshots

    scene.heard = Heard(check)
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}", "snap-shared") for number in range(20)]
    scene.remove(amis)
    assert scene.deleter
    assert scene.deleter.stopped_by is None
    assert len(scene.heard.lines) == 41


# Asked before each deregistration


def test_an_ami_that_came_into_use_is_kept_with_its_user_and_is_no_failure() -> None:
    scene = Scene()
    account = Account(scene.time, HOME)
    watch = make_watch(scene.time, account)
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(3)]
    account.use("ami-1", "i-new")
    watch.invalidate()
    results = scene.remove(amis, watch=watch)
    assert outcomes(results) == {"ami-0": "removed", "ami-1": "kept", "ami-2": "removed"}
    assert [use.id for use in results[1].used_by] == ["i-new"]
    assert results[1].error is None
    assert snapshot_outcomes(results)["snap-1"] == ["kept"]
    assert scene.home.amis == {"ami-1": ("snap-1",)}
    assert "ami-1 kept" in scene.heard.lines


def test_an_ami_that_came_into_use_between_two_tries_is_not_tried_again() -> None:
    scene = Scene()
    account = Account(scene.time, HOME)
    watch = make_watch(scene.time, account)
    ami = scene.home.add("ami-1", "snap-1")
    scene.home.faults["ami-1"] = [Fault(throttle()) for _ in range(60)]
    scene.time.at(20.0, lambda: account.use("ami-1"))
    (result,) = scene.remove([ami], watch=watch)
    assert result.outcome == "kept"
    assert set(scene.home.amis) == {"ami-1"}


def test_in_use_after_a_lost_answer_says_that_it_may_be_gone() -> None:
    scene = Scene()
    account = Account(scene.time, HOME)
    watch = make_watch(scene.time, account)
    ami = scene.home.add("ami-1", "snap-1")
    scene.home.faults["ami-1"] = [Fault(cut()), *(Fault(throttle()) for _ in range(60))]
    scene.time.at(0.1, lambda: account.use("ami-1"))
    (result,) = scene.remove([ami], watch=watch)
    assert result.outcome == "failed"
    assert [use.id for use in result.used_by] == ["i-1"]
    assert result.error
    assert "may be gone" in result.error.message


def test_an_ami_that_turns_out_to_be_shared_is_kept() -> None:
    scene = Scene()
    watch = make_watch(scene.time, permissions=lambda target, id: ["999999999999"] if id == "ami-1" else [], pool=scene.pool)
    results = scene.remove([scene.home.add("ami-0"), scene.home.add("ami-1")], watch=watch)
    assert outcomes(results) == {"ami-0": "removed", "ami-1": "kept"}
    assert results[1].shared_with == ("999999999999",)


def test_a_reading_that_fails_stops_the_deletion_everywhere() -> None:
    scene = Scene(HOME, FAR)
    accounts = [Account(scene.time, HOME), Account(scene.time, FAR)]
    watch = make_watch(scene.time, *accounts)
    removals = [(target, scene.aws[target].add(f"ami-{number}")) for target in (HOME, FAR) for number in range(600)]
    scene.time.at(10.0, lambda: setattr(accounts[1], "error", aws_error("UnauthorizedOperation")))
    start = scene.time.seconds
    results = scene.remove(removals, watch=watch)
    assert scene.deleter
    assert scene.deleter.stopped_by is accounts[1].error
    assert {(result.target, result.id) for result in results} == {
        (target, ami.id) for target, ami in removals if ami.id not in scene.aws[target].amis
    }
    assert all(result.outcome == "removed" for result in results)
    assert scene.time.seconds - start < 32.0


def test_permissions_that_cannot_be_read_stop_the_deletion() -> None:
    scene = Scene()

    def refuse(target: object, id: str) -> list[str]:
        raise aws_error("UnauthorizedOperation")

    assert scene.remove([scene.home.add("ami-1")], watch=make_watch(scene.time, permissions=refuse)) == []
    assert set(scene.home.amis) == {"ami-1"}
    assert scene.deleter
    assert isinstance(scene.deleter.stopped_by, AwsError)


def test_a_reading_that_a_stop_broke_off_is_not_the_reason() -> None:
    scene = Scene()
    account = Account(scene.time, HOME)
    watch = make_watch(scene.time, account)
    scene.time.advance(59.5)
    account.error = aws_error("RequestTimeout", TransientError)
    scene.pool.seconds = 3.0
    scene.time.at(0.5, scene.stop.set)
    results = scene.remove([scene.home.add(f"ami-{number}") for number in range(100)], watch=watch)
    assert len(results) == 8
    assert watch.failure is account.error
    assert scene.deleter
    assert scene.deleter.stopped_by is None


# Orphan snapshots


def test_orphan_snapshots_are_deleted_each_with_its_result() -> None:
    scene = Scene(HOME, FAR)
    scene.home.snapshots = {"snap-1", "snap-used", "snap-denied"}
    scene.home.amis["ami-new"] = ("snap-used",)
    scene.aws[FAR].snapshots = {"snap-far"}
    scene.home.faults["snap-denied"] = [Fault(aws_error("UnauthorizedOperation"))]
    wanted = [(HOME, "snap-1"), (HOME, "snap-gone"), (HOME, "snap-used"), (HOME, "snap-denied"), (FAR, "snap-far")]
    results = scene.make().remove_snapshots(wanted)
    assert [(result.target, result.id) for result in results] == wanted
    assert [result.outcome for result in results] == ["removed", "removed", "kept", "failed", "removed"]
    assert results[3].error == Failure("UnauthorizedOperation", "AWS says UnauthorizedOperation")
    assert scene.home.snapshots == {"snap-used", "snap-denied"}
    assert sorted(scene.heard.lines) == [
        "snap-1 deleted",
        "snap-denied failed",
        "snap-far deleted",
        "snap-gone deleted",
        "snap-used kept by ?",
    ]


def test_orphan_snapshots_go_at_the_pace_of_delete_snapshot() -> None:
    scene = Scene()
    ids = [f"snap-{number}" for number in range(250)]
    scene.home.snapshots = set(ids)
    start = scene.time.seconds
    results = scene.make().remove_snapshots([(HOME, id) for id in ids])
    assert [result.id for result in results] == ids
    assert 35.7 < scene.time.seconds - start < 36.1


def test_a_stop_among_orphan_snapshots_leaves_the_rest_without_a_result() -> None:
    scene = Scene()
    ids = [f"snap-{number}" for number in range(200)]
    scene.home.snapshots = set(ids)
    scene.home.faults["snap-0"] = [Fault(throttle())]
    scene.time.at(5.0, scene.stop.set)
    results = scene.make().remove_snapshots([(HOME, id) for id in ids])
    assert {result.id for result in results} == set(ids) - scene.home.snapshots
    assert all(result.outcome == "removed" for result in results)
    assert scene.home.snapshots


def test_a_listener_that_fails_stops_orphan_snapshots_too() -> None:
    scene = Scene()

    def broken(line: str) -> None:
        raise BrokenPipeError

    scene.heard = Heard(broken)
    ids = [f"snap-{number}" for number in range(100)]
    scene.home.snapshots = set(ids)
    deleter = scene.make()
    results = deleter.remove_snapshots([(HOME, id) for id in ids])
    assert isinstance(deleter.stopped_by, BrokenPipeError)
    assert {result.id for result in results} == set(ids) - scene.home.snapshots
    assert len(results) == 8


def test_expired_credentials_stop_orphan_snapshots_too() -> None:
    scene = Scene()
    ids = [f"snap-{number}" for number in range(100)]
    scene.home.snapshots = set(ids)
    scene.home.faults["snap-20"] = [Fault(expired())]
    deleter = scene.make()
    results = deleter.remove_snapshots([(HOME, id) for id in ids])
    assert isinstance(deleter.stopped_by, CredentialsError)
    assert {result.id for result in results if result.outcome == "removed"} == set(ids) - scene.home.snapshots
    assert [result.id for result in results if result.outcome == "failed"] == ["snap-20"]
    assert len(results) < 50


def test_a_deleter_shares_the_pace_of_its_steps() -> None:
    scene = Scene(emulator=True)
    ids = [f"snap-{number}" for number in range(80)]
    scene.home.snapshots = set(ids)
    deleter = scene.make()
    deleter.remove_snapshots([(HOME, id) for id in ids])
    start = scene.time.seconds
    deleter.remove([(HOME, scene.home.add("ami-1", *(f"snap-x{number}" for number in range(20))))], scene.holders())
    assert scene.time.seconds - start > 2.0


class FailingAudit(NullAudit):
    """A log on a disk that is full after so many lines."""

    def __init__(self, *, before: int = 10_000, after: int = 10_000) -> None:
        self._before = before
        self._after = after
        self.begun: list[str] = []

    def before(self, change: Change) -> str:
        if len(self.begun) >= self._before:
            raise AuditError("no space left")
        self.begun.append(change.id)
        return str(len(self.begun))

    def after(self, *arguments: object, **facts: object) -> None:
        self._after -= 1
        if self._after < 0:
            raise AuditError("no space left")


def test_the_fake_fails_as_it_should() -> None:
    aws = FakeAws(Time())
    with pytest.raises(AwsError, match=r"InvalidAMIID\.Unavailable"):
        aws.call("DeregisterImage", attempts=1, ImageId="ami-1", DeleteAssociatedSnapshots=True)
    aws.faults["ami-1"] = [Fault(throttle())]
    with pytest.raises(ThrottledError):
        aws.call("DeregisterImage", attempts=1, ImageId="ami-1", DeleteAssociatedSnapshots=True)
