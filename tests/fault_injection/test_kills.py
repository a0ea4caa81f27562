"""The process is killed or interrupted before, during and after a changing call.  The audit log and the account together
say what happened, and a second run finishes the work.

The runs that quarantine or restore are killed in `test_kills_in_process.py`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals
from typing import Any, Literal

import pytest

from tests.command.accounts import Account, large_account
from tests.command.process import Finished, Running, run
from tests.fake_aws import Broken, Call, World

COUNT = 20
AT_ONCE = 16
"""Calls under way together, at most: eight of each kind."""

STATUS = {SIGKILL: -SIGKILL, SIGHUP: 129, SIGINT: 130, SIGTERM: 143}
ACTIONS = ("DeregisterImage", "DeleteSnapshot")
EVERYTHING = ("-f", "--keep-previous", "0", "--check-orphans")

Moment = Literal["before", "in", "after"]


@pytest.fixture
def account() -> Iterator[Account]:
    """AMIs that all go, and two things that never may."""
    with large_account(COUNT) as account:
        for image in list(account.region.images.values()):
            snapshot = account.region.snapshots[image.snapshot_ids[0]]
            snapshot.description = f"Created by CreateImage(i-00000000000000000) for {image.image_id}"
        held = account.region.add_image("held", image_id="ami-aaaaaaaa", tags={"environment": "prod", "role": "web"})
        account.region.add_instance(held.image_id)
        account.region.add_snapshot("by hand", snapshot_id="snap-bbbbbbbb", started=held.created)
        yield account


def struck(account: Account, words: tuple[str, ...], number: Signals, action: str, moment: Moment) -> Finished:
    """A run that gets the signal at its fifth call: before AWS acts, which it then never does; while it acts; once it has
    acted, before its answer comes.  The account is locked meanwhile."""
    calls = 0

    def hook(world: World, call: Call) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            running.signal(number)
            end = time.monotonic() + (10 if number == SIGKILL else 0.3)
            while running.alive and time.monotonic() < end:
                time.sleep(0.01)
            if moment == "before":
                raise Broken("cut")

    with Running(*words, env=account.environment) as running:
        (account.fake_aws.after if moment == "after" else account.fake_aws.before)(action, hook)
        finished = running.finish()
    account.fake_aws._before.clear()
    account.fake_aws._after.clear()
    assert finished.status == STATUS[number]
    return finished


def log_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def check_log(account: Account, lines: list[dict[str, Any]], number: Signals, before: set[str]) -> None:
    """What the log and the account say together."""
    there = account.images | account.snapshots
    begun = {line["attempt"]: line for line in lines if line["event"] == "before"}
    ended = {line["attempt"]: line for line in lines if line["event"] == "after"}
    assert ended.keys() <= begun.keys()
    open_ones = {begun[attempt]["id"] for attempt in begun.keys() - ended.keys()}
    if number == SIGKILL:
        assert 1 <= len(open_ones) <= AT_ONCE
    else:
        assert not open_ones
    named = {line["id"] for line in begun.values()}
    # An AMI's own snapshot goes with it.
    for id in before - there:
        assert id in named or id.replace("snap-", "ami-") in named, f"{id} is gone, and the log does not know"
    for line in ended.values():
        if line["outcome"] == "done":
            assert line["id"] not in there
            assert not {id for id, code in line.get("snapshot_results", {}).items() if code == "success"} & there
    # What was only ever refused, or never begun, is there.
    touched = open_ones | {line["id"] for line in ended.values() if line["outcome"] != "refused"}
    for id in (id for id in before - touched if id.startswith("ami-")):
        assert id in there


def killed(account: Account, path: Path, number: Signals, action: str, moment: Moment) -> None:
    if action == "DeleteSnapshot":
        account.fake_aws.world.deletes_associated = False
    before = account.images | account.snapshots
    held = {"ami-aaaaaaaa", "snap-bbbbbbbb", *account.region.images["ami-aaaaaaaa"].snapshot_ids}
    words = (*EVERYTHING, "--audit-log", str(path))
    finished = struck(account, words, number, action, moment)
    assert finished.untroubled
    there = account.images | account.snapshots
    assert held <= there
    assert before != there
    assert len(account.images) > 1 or action == "DeleteSnapshot"
    check_log(account, log_of(path), number, before)
    said = {line.split(" ")[0] for line in finished.lines if line.endswith((" deregistered", " deleted"))}
    assert not said & there
    if number != SIGKILL:
        # What ended in time is told, and what may have been done is told to be uncertain.
        gone = {id for id in before - there if id.startswith("ami-")}
        assert all(id in said or f"{id} " in finished.out or id in finished.err for id in gone)
    again = run(*words, env=account.environment)
    assert (again.status, "Error" in again.err) == (0, False)
    assert account.images | account.snapshots == held
    assert log_of(path)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_while_aws_acts(account: Account, tmp_path: Path, action: str) -> None:
    killed(account, tmp_path / "audit.jsonl", SIGKILL, action, "in")


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["before", "in", "after"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("number", [SIGKILL, SIGINT, SIGTERM, SIGHUP], ids=lambda number: number.name)
def test_every_signal_at_every_moment(
    account: Account, tmp_path: Path, number: Signals, action: str, moment: Moment
) -> None:
    killed(account, tmp_path / "audit.jsonl", number, action, moment)


QUARANTINING = ("-f", "--keep-previous", "0", "--quarantine", "7")
TAG = "amicleaner:quarantined-at"


def quarantined(account: Account) -> None:
    """Every AMI waits in quarantine, and all are in use by now."""
    for image in account.region.images.values():
        image.state = "disabled"
        image.tags[TAG] = "2020-01-01T00:00:00Z"
        account.region.add_instance(image.image_id)


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["before", "in", "after"])
@pytest.mark.parametrize("action", ["CreateTags", "DisableImage", "EnableImage", "DeleteTags"])
@pytest.mark.parametrize("number", [SIGINT, SIGTERM, SIGHUP], ids=lambda number: number.name)
def test_every_signal_while_quarantining_and_releasing(
    account: Account, tmp_path: Path, number: Signals, action: str, moment: Moment
) -> None:
    """What was begun and not finished counts as enabled by hand; all else is finished by the next run."""
    releasing = action in ("EnableImage", "DeleteTags")
    if releasing:
        quarantined(account)
    before = account.images | account.snapshots
    path = tmp_path / "audit.jsonl"
    words = (*QUARANTINING, "--audit-log", str(path))
    struck(account, words, number, action, moment)
    again = run(*words, env=account.environment)
    assert (again.status, "Error" in again.err) == (0, False)
    assert account.images | account.snapshots == before
    half = 0
    for image in account.region.images.values():
        done = (image.state, TAG in image.tags)
        if image.image_id == "ami-aaaaaaaa":
            assert done == ("available", False) or releasing
            continue
        half += done == ("available", True)
        assert done in (("available", True), ("available", False) if releasing else ("disabled", True))
    assert half <= 1
    attempts = [{line["attempt"] for line in log_of(path) if line["event"] == event} for event in ("before", "after")]
    assert attempts[0] == attempts[1]


def test_two_runs_at_once_share_the_work(account: Account, tmp_path: Path) -> None:
    """What the other run deleted is no failure."""
    path = tmp_path / "audit.jsonl"
    words = ("-f", "--keep-previous", "0", "--audit-log", str(path))
    with Running(*words, env=account.environment) as first, Running(*words, env=account.environment) as second:
        ends = [first.finish(), second.finish()]
    assert [end.status for end in ends] == [0, 0]
    assert account.images == {"ami-aaaaaaaa"}
    lines = log_of(path)
    attempts = [line["attempt"] for line in lines if line["event"] == "before"]
    assert len(set(attempts)) == len(attempts)
    assert {line["id"] for line in lines} >= {f"ami-{number:08x}" for number in range(COUNT)}
