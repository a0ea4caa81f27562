"""One changing call: paced, written down before and after, tried again while its failure may pass, and ended by a stop."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from amicleaner.actions import DELETE_SNAPSHOT, DEREGISTER, DISABLE, TAG
from amicleaner.audit import AuditError, AuditLog, Subject
from amicleaner.aws.changes import CALLS_AT_ONCE, Changed
from amicleaner.models import Target

from .simulation import (
    FAR,
    HANG,
    HOME,
    FailingAudit,
    Fault,
    Scene,
    aws_error,
    cut,
    denied,
    throttle,
    transient,
)

AMI = Subject(HOME, "ami-1", snapshots=("snap-1",))


def scene(*faults: Exception, audit: AuditLog | None = None, log: Path | None = None, attempts: int = 4) -> Scene:
    """One AMI whose calls meet these errors in turn."""
    made = Scene(HOME, audit=audit, log=log, attempts=attempts)
    made.home.add("ami-1", "snap-1")
    made.home.faults["ami-1"] = [Fault(error) for error in faults]
    return made


def change(scene: Scene, *, expires: float = float("inf"), finishing: bool = False) -> Changed:
    async def main() -> Changed:
        return await scene.changer.change(DEREGISTER, AMI, expires=expires, finishing=finishing)

    changed: Changed = scene.time.run(main())
    return changed


def test_a_change_returns_what_aws_answered() -> None:
    changed = change(scene())
    assert (changed.end, changed.succeeded, changed.lost, changed.error) == ("done", True, False, None)
    assert changed.answer["DeleteSnapshotResults"] == [{"SnapshotId": "snap-1", "ReturnCode": "success"}]


@pytest.mark.parametrize("error", [transient(), throttle(), aws_error("InvalidSnapshot.InUse"), cut()])
def test_a_failure_that_may_pass_is_tried_again(error: Exception) -> None:
    made = scene(error)
    assert change(made).end == "done"
    assert len(made.home.made) == 2
    assert made.changer.stopped_by is None


@pytest.mark.parametrize(
    "error, attempts, made",
    [
        (transient(), 4, 4),
        (aws_error("InvalidSnapshot.InUse"), 1, 6),
        (denied(), 8, 1),
    ],
)
def test_a_failure_that_does_not_pass_is_final_after_its_attempts(error: Exception, attempts: int, made: int) -> None:
    simulated = scene(*[error] * 20, attempts=attempts)
    changed = change(simulated)
    assert (changed.end, changed.error, changed.lost) == ("refused", error, False)
    assert len(simulated.home.made) == made


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"])
def test_a_missing_ami_counts_as_already_deleted(code: str) -> None:
    changed = change(scene(aws_error(code)))
    assert (changed.end, changed.succeeded, changed.code, changed.lost) == ("already", True, code, False)


def test_a_lost_answer_is_remembered_until_the_change_is_known_to_be_made() -> None:
    made = scene(cut(), aws_error("InvalidAMIID.NotFound"))
    assert change(made).lost
    made = scene(cut(), denied())
    changed = change(made)
    assert (changed.lost, changed.denied) == (True, True)
    assert changed.failure.message == "AWS says UnauthorizedOperation (one try got no response: it may be done)"
    assert not change(scene(cut())).lost


def test_a_call_without_an_error_was_stopped_first() -> None:
    assert Changed("stopped").failure.code == "Interrupted"


# Pace


def change_all(made: Scene, count: int) -> None:
    """Deregisters so many AMIs of each target, all at once."""
    subjects = [Subject(target, f"ami-{number}") for target in made.aws for number in range(count)]
    for subject in subjects:
        made.aws[subject.target].add(subject.id)

    async def main() -> None:
        await asyncio.gather(*(made.changer.change(DEREGISTER, subject) for subject in subjects))

    made.time.run(main())


def test_calls_take_a_token_each_from_the_bucket_of_their_kind_and_target() -> None:
    made = Scene(HOME, FAR)
    change_all(made, 100)
    assert 20 / 4.75 <= made.time.seconds < 20 / 4.75 + 0.5
    assert made.changer.apis[HOME].bucket(DELETE_SNAPSHOT).within(0.0) == 80
    assert made.changer.apis[HOME].bucket(DISABLE).within(0.0) == 40
    assert made.changer.apis[HOME].bucket(TAG).within(1.0) == 89


def test_at_most_thirty_two_calls_are_under_way() -> None:
    made = Scene(*(Target("123456789012", f"region-{number}") for number in range(7)))
    made.pool.size = 1000
    change_all(made, 20)
    assert made.pool.most == CALLS_AT_ONCE == 32


def test_a_throttle_slows_down_the_calls_of_its_kind() -> None:
    made = scene(throttle())
    change(made)
    assert made.changer.apis[HOME].bucket(DEREGISTER).within(10.0) < 30
    assert made.changer.apis[HOME].bucket(DELETE_SNAPSHOT).within(10.0) == 127


# The audit log


def test_every_try_is_between_its_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    made = scene(throttle(), cut(), log=path)
    made.home.faults["ami-1"][1].after = True
    change(made)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["before", "after"] * 3
    assert [(line["outcome"], line["code"]) for line in lines[1::2]] == [
        ("refused", "RequestLimitExceeded"),
        ("unknown", "ConnectionClosedError"),
        ("refused", "InvalidAMIID.NotFound"),
    ]
    assert len({line["attempt"] for line in lines}) == 3


def test_a_log_that_fails_before_a_call_prevents_it_and_ends_the_run() -> None:
    made = scene(audit=FailingAudit(before=0))
    assert change(made).end == "expired"
    assert made.home.made == []
    assert isinstance(made.changer.stopped_by, AuditError)
    assert change(made, finishing=True).end == "stopped"


@pytest.mark.parametrize("error", [None, throttle(), cut()])
def test_a_log_that_fails_after_a_call_loses_no_answer_and_lets_no_further_try_begin(error: Exception | None) -> None:
    made = scene(*([error] if error else []), audit=FailingAudit(after=0))
    changed = change(made, finishing=True)
    assert (changed.succeeded, changed.error) == (error is None, error)
    assert len(made.home.made) == 1
    assert isinstance(made.changer.stopped_by, AuditError)


# What is known grows old


def test_a_call_that_comes_too_late_is_not_made() -> None:
    audit = FailingAudit()
    made = scene(audit=audit)
    made.time.seconds = 10.001
    assert change(made, expires=10.0).end == "expired"
    assert (made.home.made, audit.begun) == ([], [])
    made.time.seconds = 10.0
    assert change(made, expires=10.0).end == "done"


def test_a_slow_disk_makes_no_call_on_old_knowledge_and_counts_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    made = scene(*[transient()] * 3, log=path)
    monkeypatch.setattr("os.fsync", lambda file: made.clock.sleep(61.0))
    attempts = made.changer.attempts()

    async def main() -> tuple[Changed, Changed]:
        late = await made.changer.change(DEREGISTER, AMI, attempts=attempts, expires=60.0)
        return late, await made.changer.change(DEREGISTER, AMI, attempts=attempts)

    late, later = made.time.run(main())
    assert (late.end, later.end) == ("expired", "done")
    assert len(made.home.made) == 4
    outcomes = [json.loads(line).get("outcome") for line in path.read_text().splitlines()]
    assert outcomes[:2] == [None, "not-sent"]


# Ends


def test_a_bug_in_a_call_is_no_success_and_ends_the_run() -> None:
    bug = ZeroDivisionError("a bug")
    made = scene(bug)
    changed = change(made)
    assert (changed.end, changed.code, changed.lost) == ("refused", "ZeroDivisionError", True)
    assert made.changer.stopped_by is bug


def test_the_first_reason_of_a_stop_counts() -> None:
    made = scene()
    first, second = ValueError(), KeyError()
    made.changer.halt()
    made.changer.halt(first)
    made.changer.halt(second)
    assert made.changer.stopped_by is first


def test_a_stop_prevents_what_is_new_and_not_what_completes_something() -> None:
    made = scene()
    made.changer.halt()
    assert change(made).end == "stopped"
    assert made.home.made == []
    assert change(made, finishing=True).end == "done"


@pytest.mark.parametrize("error, lost", [(transient(), False), (cut(), True)])
def test_a_stop_ends_a_pause_between_two_tries(error: Exception, lost: bool) -> None:
    made = scene(*[error] * 3)
    made.time.at(0.1, made.changer.halt)
    changed = change(made)
    assert (changed.end, changed.error, changed.lost) == ("refused", error, lost)
    assert made.time.seconds == pytest.approx(0.1)
    assert len(made.home.made) == 1


def test_a_stop_ends_the_wait_for_a_token() -> None:
    made = scene()
    bucket = made.changer.apis[HOME].bucket(DEREGISTER)
    bucket.empty()
    made.time.at(0.05, made.changer.halt)
    assert change(made).end == "stopped"
    assert made.time.seconds == pytest.approx(0.05)


@pytest.mark.parametrize("hangs", [True, False])
def test_a_call_that_nobody_waits_for_any_longer_may_have_been_made(hangs: bool) -> None:
    """The call itself hangs, or all places are taken by calls that do."""
    made = scene()
    made.pool.size = 100
    made.home.faults["ami-1"] = [HANG]
    others = [] if hangs else [Subject(HOME, f"ami-x{number}") for number in range(CALLS_AT_ONCE)]
    for subject in others:
        made.home.add(subject.id)
        made.home.faults[subject.id] = [HANG]

    async def main() -> Any:
        tasks = [asyncio.create_task(made.changer.change(DEREGISTER, subject)) for subject in (*others, AMI)]
        await asyncio.sleep(20.0)
        tasks[-1].cancel()
        return await tasks[-1]

    changed = made.time.run(main())
    if hangs:
        assert (changed.end, changed.code, changed.lost) == ("refused", "NoResponse", True)
    else:
        assert (changed.end, changed.error, changed.lost) == ("stopped", None, False)


def test_a_bug_in_one_part_stops_the_others_and_is_what_the_run_ends_with() -> None:
    made = scene()
    bug = KeyError("bug")
    ends: list[bool] = []

    async def fails() -> None:
        await asyncio.sleep(1.0)
        raise bug

    async def waits() -> None:
        ends.append(await made.changer.sleep(60.0))

    async def main() -> None:
        await made.changer.carry_out([fails(), waits()])

    made.time.run(main())
    assert (made.changer.stopped_by, ends, made.time.seconds) == (bug, [False], 1.0)
