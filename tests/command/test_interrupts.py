"""Ctrl-C, SIGTERM, and a reader that goes away: at the question, while reading, in the middle of a deletion."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from typing import Any

import pytest

from tests.fake_aws import Call, Fault, World

from .accounts import QUESTION, Account, article_account, large_account, snapshot_of
from .process import Finished, Running, command, environment, only_with_a_full_device
from .terminal import CTRL_C, CTRL_D, Terminal, plain

AT_ONCE = 8
"""Deregistrations that are under way together, at most."""

COUNT = 40
SOON = 10.0
"""Seconds within which something that is to happen at once has happened, on a slow machine too."""


@pytest.fixture
def account() -> Iterator[Account]:
    with article_account() as account:
        yield account


@pytest.fixture
def large() -> Iterator[Account]:
    with large_account(COUNT) as account:
        yield account


def wait_for(happened: Callable[[], object]) -> None:
    """Until it is true; a test fails that waits in vain."""
    end = time.monotonic() + SOON
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def at(nth: int, do: Callable[[], object]) -> Callable[[World, Call], None]:
    """A hook that acts at the nth call.  The account is locked meanwhile, so that no later call acts before it returns."""
    calls = 0

    def hook(world: World, call: Call) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            do()

    return hook


# At the question


@pytest.mark.parametrize("key, status", [(CTRL_C, 130), (CTRL_D, 1)])
def test_a_key_at_the_question(account: Account, key: bytes, status: int) -> None:
    with Terminal(env=account.environment) as terminal:
        terminal.read_until("[y/N] ? : ")
        terminal.type(key)
        finished = terminal.finish()
    assert finished.status == status
    asked, said = plain(finished.out).split("\n")[-3:-1]
    assert asked.removesuffix("^C") == QUESTION.format(4)
    assert said.startswith("Error: Interrupted: 0 AMIs were removed" if key == CTRL_C else "Error: The input ended at")
    assert finished.untroubled
    assert account.deletions() == []


@pytest.mark.parametrize("orphans", [False, True])
@pytest.mark.parametrize("number, status", [(SIGINT, 130), (SIGTERM, 143)])
def test_a_signal_at_the_question(account: Account, number: Signals, status: int, orphans: bool) -> None:
    if orphans:
        started = account.region.images["ami-50504e36"].created
        account.region.add_snapshot("Created by CreateImage(i-1) for ami-654b5503", started=started)
    with Terminal(*(["--check-orphans"] if orphans else []), env=account.environment) as terminal:
        terminal.read_until("[y/N] ? : ")
        terminal.signal(number)
        finished = terminal.finish()
    assert finished.status == status
    asked, said = plain(finished.out).split("\n")[-3:-1]
    assert asked.endswith("orphan snapshots [y/N] ? : " if orphans else "4 AMIs [y/N] ? : ")
    assert said == "Error: Interrupted: 0 AMIs were removed, nothing is being deleted any more."
    assert finished.untroubled
    assert account.deletions() == []


# Before anything is changed


def test_while_the_options_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    os.mkfifo(path)
    with Running("--config", str(path)) as running, path.open("w"):
        # Whoever opens a pipe for writing waits until the other side reads it.
        running.signal(SIGINT)
        finished = running.finish(timeout=SOON)
    assert (finished.status, finished.err.strip()) == (130, "Interrupted.")


@pytest.mark.parametrize("number, status", [(SIGINT, 130), (SIGTERM, 143)])
@pytest.mark.parametrize("action", ["DescribeImages", "DescribeInstances", "DescribeImageReferences"])
def test_while_reading_it_ends_at_once(account: Account, action: str, number: Signals, status: int) -> None:
    account.fake_aws.faults.append(Fault(action, "hang", times=None))
    with Running("-f", env=account.environment) as running:
        wait_for(lambda: account.fake_aws.calls.of(action))
        running.signal(number)
        finished = running.finish(timeout=SOON)
    assert finished.status == status
    assert finished.err == "Error: Interrupted: 0 AMIs were removed, nothing is being deleted any more.\n"
    assert finished.untroubled
    assert account.deletions() == []


def test_ctrl_c_while_reading_at_a_terminal(account: Account) -> None:
    account.fake_aws.faults.append(Fault("DescribeInstances", "hang", times=None))
    with Terminal(env=account.environment) as terminal:
        wait_for(lambda: account.fake_aws.calls.of("DescribeInstances"))
        terminal.type(CTRL_C)
        finished = terminal.finish(timeout=SOON)
    assert finished.status == 130
    assert "Error: Interrupted" in finished.out.splitlines()[-1]
    assert finished.untroubled


def test_the_machine_formats_come_after_an_interruption_at_the_question_too(account: Account) -> None:
    with Terminal("--output", "json", env=account.environment, piped=("stdout",)) as terminal:
        terminal.read_until("[y/N] ? : ")
        terminal.type(CTRL_C)
        finished = terminal.finish(timeout=SOON)
    assert finished.status == 130
    document = json.loads(finished.out)
    assert document["totals"]["amis"] == 4
    assert {ami["outcome"] for ami in document["amis"]} == {None}


# In the middle of a deletion


def interrupted(large: Account, number: Signals, *args: str) -> Finished:
    """A deletion that is interrupted at its third call."""

    def interrupt() -> None:
        running.signal(number)
        time.sleep(0.3)

    with Running("-f", "--keep-previous", "0", *args, env=large.environment) as running:
        large.fake_aws.before("DeregisterImage", at(3, interrupt))
        return running.finish()


def check_the_truth(large: Account, removed: set[str]) -> None:
    """Some began, what began came to its end, nothing new began; what is called removed is gone, and nothing else."""
    calls = large.fake_aws.calls.of("DeregisterImage")
    assert 3 <= len(calls) <= 2 + AT_ONCE
    assert all(call.outcome == "OK" for call in calls)
    assert removed == {str(call.params["ImageId"]) for call in calls}
    every = {f"ami-{number:08x}" for number in range(COUNT)}
    assert large.images == every - removed
    assert large.snapshots == set(map(snapshot_of, every - removed))


@pytest.mark.parametrize("number, status", [(SIGINT, 130), (SIGTERM, 143)])
def test_what_is_in_flight_ends_and_nothing_new_begins(large: Account, number: Signals, status: int) -> None:
    finished = interrupted(large, number)
    assert finished.status == status
    removed = {line.removesuffix(" deregistered") for line in finished.lines if line.endswith(" deregistered")}
    check_the_truth(large, removed)
    deleted = {line.removesuffix(" deleted") for line in finished.lines if line.endswith(" deleted")}
    assert deleted == set(map(snapshot_of, removed))
    assert finished.err == f"Error: Interrupted: {len(removed)} AMIs were removed, nothing is being deleted any more.\n"


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_machine_format_tells_the_outcomes_so_far(large: Account, kind: str) -> None:
    finished = interrupted(large, SIGINT, "--output", kind)
    assert finished.status == 130
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(finished.out)))
    if kind == "json":
        rows = json.loads(finished.out)["amis"]
    assert len(rows) == COUNT
    assert {row["decision"] for row in rows} == {"remove"}
    check_the_truth(large, {row["id"] for row in rows if row["outcome"] == "removed"})
    assert {row["outcome"] or None for row in rows} == {"removed", None}
    assert finished.untroubled


def test_the_audit_log_holds_an_end_for_each_beginning(large: Account, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    assert interrupted(large, SIGTERM, "--audit-log", str(log)).status == 143
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    begun = [line["attempt"] for line in lines if line["event"] == "before"]
    assert sorted(begun) == sorted(line["attempt"] for line in lines if line["event"] == "after")
    check_the_truth(large, {line["id"] for line in lines})


def test_ctrl_c_at_a_terminal_in_the_middle(large: Account) -> None:
    with Terminal("-f", "--keep-previous", "0", env=large.environment) as terminal:

        def press() -> None:
            terminal.type(CTRL_C)
            time.sleep(0.3)

        large.fake_aws.before("DeregisterImage", at(3, press))
        finished = terminal.finish()
    assert finished.status == 130
    # The terminal echoes ^C wherever the cursor is: before a line, beside the progress, in the middle of a word.
    shown = plain(finished.out).replace("^C", "")
    removed = set(re.findall(r"(ami-[0-9a-f]{8}) deregistered", shown))
    check_the_truth(large, removed)
    assert f"Error: Interrupted: {len(removed)} AMIs were removed, nothing is being deleted any more." in shown


def test_the_second_one_ends_it_at_once(large: Account) -> None:
    large.fake_aws.faults.append(Fault("DeregisterImage", "hang", nth=3, times=None))
    with Running("-f", "--keep-previous", "0", env=large.environment) as running:
        wait_for(lambda: large.fake_aws.calls.count("DeregisterImage") >= 3)
        running.signal(SIGINT)
        time.sleep(0.5)
        assert running.alive
        running.signal(SIGINT)
        finished = running.finish(timeout=SOON)
    assert finished.status == 130
    assert finished.untroubled
    assert len(large.images) == COUNT - 2


def test_a_reading_beside_the_deletion_holds_nothing_up(account: Account) -> None:
    # The second reading is the one after the yes.
    account.fake_aws.faults.append(Fault("DescribeInstances", "hang", nth=2, times=None))
    with Running("--output", "json", env=account.environment) as running:
        running.answer("y\n")
        wait_for(lambda: account.fake_aws.calls.count("DescribeInstances") == 2)
        running.signal(SIGTERM)
        finished = running.finish(timeout=SOON)
    assert finished.status == 143
    assert json.loads(finished.out)["totals"]["amis"] == 4
    assert account.deletions() == []


def test_a_signal_that_the_caller_ignores_stays_ignored(large: Account) -> None:
    """`nohup`, and the background jobs of a shell without job control."""

    def interrupt() -> None:
        os.kill(process.pid, SIGINT)
        time.sleep(0.3)

    large.fake_aws.before("DeregisterImage", at(3, interrupt))
    shell = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
    with subprocess.Popen(
        [*shell, *command(), "-f", "--keep-previous", "0"], env=environment(large.environment), stdout=subprocess.PIPE
    ) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert large.images == set()


# A reader that goes away


def test_a_reader_of_one_line(account: Account) -> None:
    with Running("-f", env=account.environment) as running:
        assert running.read_line() == "Default values : ==>\n"
        running.stop_reading()
        finished = running.finish()
    assert (finished.status, finished.err) == (1, "")
    assert account.deletions() == []


def test_a_reader_that_goes_in_the_middle_of_a_deletion(large: Account) -> None:
    gone = threading.Event()
    large.fake_aws.before("DeregisterImage", at(3, lambda: gone.wait(SOON)))
    with Running("-f", "--keep-previous", "0", env=large.environment) as running:
        while not running.read_line().endswith(" deregistered\n"):
            pass
        running.stop_reading()
        gone.set()
        finished = running.finish()
    assert (finished.status, finished.err) == (1, "")
    calls = large.fake_aws.calls.of("DeregisterImage")
    assert len(calls) < COUNT
    assert all(call.outcome == "OK" for call in calls)
    assert len(large.images) == len(large.snapshots) == COUNT - len(calls)


def test_a_reader_that_is_slow_misses_nothing() -> None:
    """A pipe in which a write that has to wait is an error, as some programs hand it to their children."""
    with large_account(200) as account:
        read, write = os.pipe()
        os.set_blocking(write, False)
        words = [*command(), "-f", "--keep-previous", "199", "--output", "json"]
        with subprocess.Popen(words, env=environment(account.environment), stdout=write, stderr=subprocess.PIPE) as process:
            os.close(write)
            with open(read, "rb") as out:
                wait_for(lambda: len(account.images) == 199)
                time.sleep(0.5)  # the data is on its way, and there is no room for it
                data = out.read()
            assert process.wait(60) == 0
    assert len(data) > 1 << 16
    assert [ami["outcome"] for ami in json.loads(data)["amis"]].count("removed") == 1


def test_the_data_comes_though_the_reader_of_the_talk_went(large: Account) -> None:
    gone = threading.Event()
    large.fake_aws.before("DeregisterImage", at(3, lambda: gone.wait(SOON)))
    words = [*command(), "-f", "--keep-previous", "0", "--output", "json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, env=environment(large.environment), **pipes) as process:  # type: ignore[call-overload]
        while not process.stderr.readline().endswith(b" deregistered\n"):
            pass
        process.stderr.close()
        gone.set()
        out = process.stdout.read()
        assert process.wait(60) == 1
    removed = {ami["id"] for ami in json.loads(out)["amis"] if ami["outcome"] == "removed"}
    assert removed == {str(call.params["ImageId"]) for call in large.fake_aws.calls.of("DeregisterImage")}
    assert len(large.images) == len(large.snapshots) == COUNT - len(removed)


@only_with_a_full_device
@pytest.mark.parametrize("arguments", ["--version", "--help", "--iam-policy", "--dry-run --output json"])
def test_a_full_disk_is_said(account: Account, arguments: str) -> None:
    shell = '"$@" >/dev/full'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *command(), *arguments.split()],
        env=environment(account.environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: The output can't be written: No space left on device."
    assert Finished(done.returncode, done.stdout, done.stderr).untroubled


@only_with_a_full_device
def test_a_full_disk_before_the_deletion_prevents_it(account: Account) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*command(), "-f"], env=environment(account.environment), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert account.deletions() == []
