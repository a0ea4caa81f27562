"""Ctrl-C, SIGTERM, SIGHUP, a lost terminal, a closed output: at the prompt, while reading, in the middle of a deletion."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM, Signals

import pytest

from tests.fake_aws import Call, Fault, World

from .accounts import ORPHAN_QUESTION, QUESTION, Account, article_account, large_account, snapshot_of
from .process import INSTALLED, Finished, Running, only_with_a_full_device
from .terminal import CTRL_C, CTRL_D, Terminal, plain

AT_ONCE = 8
"""Deregistrations that are under way together, at most."""

COUNT = 20
SOON = 20.0
"""Seconds within which something that happens at once has happened, on a slow machine too."""

STATUS = {SIGHUP: 129, SIGINT: 130, SIGTERM: 143}


@pytest.fixture
def account() -> Iterator[Account]:
    with article_account() as account:
        yield account


@pytest.fixture
def large() -> Iterator[Account]:
    with large_account(COUNT) as account:
        yield account


def wait_for(happened: Callable[[], object]) -> None:
    """Waits until it is true; a test that waits in vain fails."""
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


# At the prompt


@pytest.mark.parametrize(
    ("options", "key", "status", "said"),
    [
        ((), CTRL_C, 130, "Interrupted. Deleted 0 of 4 AMIs; nothing is in progress."),
        ((), CTRL_D, 1, "Error: No confirmation given"),
        ((), b"", 143, "Interrupted. Deleted 0 of 4 AMIs; nothing is in progress."),
        (("--check-orphans",), CTRL_C, 130, "Interrupted. Nothing was deleted; nothing is in progress."),
    ],
    ids=["Ctrl-C", "Ctrl-D", "SIGTERM", "Ctrl-C at the prompt for orphaned snapshots"],
)
def test_key_or_signal_at_the_prompt_ends_the_run(
    account: Account, options: tuple[str, ...], key: bytes, status: int, said: str
) -> None:
    started = account.region.images["ami-50504e36"].created
    account.region.add_snapshot("Created by CreateImage(i-1) for ami-654b5503", started=started)
    with Terminal(*options, env=account.environment, columns=200) as terminal:
        terminal.read_until("[y/N] ? : ")
        if key:
            terminal.type(key)
        else:
            terminal.signal(SIGTERM)
        finished = terminal.finish()
    assert finished.status == status
    prompt, last = plain(finished.out).split("\n")[-3:-1]
    assert prompt.removesuffix("^C") == (ORPHAN_QUESTION.format(1) if options else QUESTION.format(4))
    assert last.startswith(said)
    assert finished.untroubled
    assert account.deletions() == []


def test_lost_terminal_at_the_prompt_ends_the_run(account: Account) -> None:
    with Terminal(env=account.environment) as terminal:
        terminal.read_until("[y/N] ? : ")
        terminal.hang_up()
        assert terminal.wait(SOON) == 129
    assert account.deletions() == []


# Before anything is changed


def test_ctrl_c_while_the_options_are_read_ends_the_command(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    os.mkfifo(path)
    with Running("--config", str(path)) as running, path.open("w"):
        # Whoever opens a pipe for writing waits until the other side reads it.
        running.signal(SIGINT)
        finished = running.finish(timeout=SOON)
    assert (finished.status, finished.err.strip()) == (130, "Interrupted.")


@pytest.mark.parametrize(
    "action, number", [("DescribeImages", SIGINT), ("DescribeImageReferences", SIGTERM), ("DescribeRegions", SIGHUP)]
)
def test_signal_while_reading_ends_the_run_at_once(account: Account, action: str, number: Signals) -> None:
    account.fake_aws.faults.append(Fault(action, "hang", times=None))
    with Running("-f", *(["--region", "*"] if action == "DescribeRegions" else []), env=account.environment) as running:
        wait_for(lambda: account.fake_aws.calls.of(action))
        running.signal(number)
        finished = running.finish(timeout=SOON)
    assert finished.status == STATUS[number]
    assert finished.errors == ["Interrupted. Nothing was deleted; nothing is in progress."]
    assert finished.untroubled
    assert account.deletions() == []


# In the middle of a deletion


def interrupted(large: Account, *args: str) -> Finished:
    """A deletion that SIGTERM interrupts at its third call."""
    with Running("-f", "--keep-previous", "0", *args, env=large.environment) as running:
        large.fake_aws.before("DeregisterImage", at(3, lambda: running.signal(SIGTERM)))
        return running.finish()


def check_the_truth(large: Account, deleted: set[str]) -> None:
    """Some calls began and came to their end; what is called deleted is deleted, and nothing else."""
    calls = large.fake_aws.calls.of("DeregisterImage")
    assert 3 <= len(calls) <= 3 + AT_ONCE
    assert all(call.outcome == "OK" for call in calls)
    assert deleted == {str(call.params["ImageId"]) for call in calls}
    every = {f"ami-{number:08x}" for number in range(COUNT)}
    assert large.images == every - deleted
    assert large.snapshots == set(map(snapshot_of, every - deleted))


def test_signal_lets_calls_in_flight_finish_and_starts_no_others(large: Account, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    finished = interrupted(large, "--audit-log", str(log))
    assert finished.status == 143
    deleted = {line.removesuffix(" deregistered") for line in finished.lines if line.endswith(" deregistered")}
    check_the_truth(large, deleted)
    assert {line.removesuffix(" deleted") for line in finished.lines if line.endswith(" deleted")} == {
        *map(snapshot_of, deleted)
    }
    assert finished.errors == [f"Interrupted. Deleted {len(deleted)} of {COUNT} AMIs; nothing is in progress."]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    begun = [line["attempt"] for line in lines if line["event"] == "before"]
    assert sorted(begun) == sorted(line["attempt"] for line in lines if line["event"] == "after")
    assert deleted == {line["id"] for line in lines}


def test_data_of_an_interrupted_run_has_the_outcomes_so_far(large: Account) -> None:
    finished = interrupted(large, "--output", "json")
    assert finished.status == 143
    rows = json.loads(finished.out)["amis"]
    assert len(rows) == COUNT
    assert {row["decision"] for row in rows} == {"remove"}
    check_the_truth(large, {row["id"] for row in rows if row["outcome"] == "removed"})
    assert {row["outcome"] for row in rows} == {"removed", None}
    assert finished.untroubled


def test_ctrl_c_at_a_terminal_lets_calls_in_flight_finish(large: Account) -> None:
    def interrupt() -> None:
        terminal.type(CTRL_C)
        wait_for(lambda: "^C" in terminal.shown)  # the terminal sends the signal a moment after the key, and then echoes it

    with Terminal("-f", "--keep-previous", "0", env=large.environment) as terminal:
        large.fake_aws.before("DeregisterImage", at(3, interrupt))
        finished = terminal.finish()
    assert finished.status == 130
    # The terminal echoes ^C wherever the cursor is: before a line, beside the progress, in the middle of a word.
    shown = plain(finished.out).replace("^C", "")
    deleted = set(re.findall(r"(ami-[0-9a-f]{8}) deregistered", shown))
    check_the_truth(large, deleted)
    assert f"Interrupted. Deleted {len(deleted)} of {COUNT} AMIs; nothing is in progress." in shown


def test_terminal_that_is_lost_lets_calls_in_flight_finish(large: Account, tmp_path: Path) -> None:
    """Nobody can be told, except by the exit status and the audit log."""
    log = tmp_path / "audit.jsonl"
    with Terminal("-f", "--keep-previous", "0", "--audit-log", str(log), env=large.environment) as terminal:
        large.fake_aws.before("DeregisterImage", at(3, terminal.hang_up))
        assert terminal.wait(SOON) == 129
    check_the_truth(large, {json.loads(line)["id"] for line in log.read_text().splitlines()})


def test_second_signal_ends_the_run_at_once(large: Account) -> None:
    large.fake_aws.faults.append(Fault("DeregisterImage", "hang", nth=3, times=None))
    with Running("-f", "--keep-previous", "0", "--debug", env=large.environment) as running:
        wait_for(lambda: large.fake_aws.calls.count("DeregisterImage") >= 3)
        running.signal(SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            running.finish(timeout=0.5)
        running.signal(SIGTERM)
        finished = running.finish(timeout=SOON)
    assert finished.status == 143
    assert finished.untroubled
    assert finished.errors[-1] == "Interrupted. Calls in progress may still take effect."
    assert len(large.images) == COUNT - 2


def test_reading_after_the_confirmation_delays_no_interruption(account: Account) -> None:
    # The second reading is the one after the confirmation.
    account.fake_aws.faults.append(Fault("DescribeInstances", "hang", nth=2, times=None))
    with Running("--output", "json", env=account.environment) as running:
        running.answer("y\n")
        wait_for(lambda: account.fake_aws.calls.count("DescribeInstances") == 2)
        running.signal(SIGTERM)
        finished = running.finish(timeout=SOON)
    assert finished.status == 143
    assert json.loads(finished.out)["totals"]["amis"] == 4
    assert account.deletions() == []


# A reader that goes away


def test_reader_that_goes_in_the_middle_of_a_deletion_ends_it(large: Account) -> None:
    gone = threading.Event()
    large.fake_aws.before("DeregisterImage", at(3, lambda: gone.wait(SOON)))
    with Running("-f", "--keep-previous", "0", env=large.environment) as running:
        while not running.read_line().endswith(" deregistered\n"):
            pass
        running.stop_reading()
        gone.set()
        finished = running.finish()
    calls = large.fake_aws.calls.of("DeregisterImage")
    assert finished.status == 1
    said = f"Deleted {len(calls)} of {COUNT} AMIs; nothing is in progress."
    assert finished.errors == [f"Error: Standard output was closed. {said}"]
    assert len(calls) < COUNT
    assert all(call.outcome == "OK" for call in calls)
    assert len(large.images) == len(large.snapshots) == COUNT - len(calls)


def test_slow_reader_misses_nothing() -> None:
    """A pipe in which a write that has to wait is an error, as some programs hand it to their children."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with open(read, "rb") as out, large_account(200) as account:
        words = ("-f", "--keep-previous", "199", "--output", "json")
        with Running(*words, env=account.environment, streams={"stdout": write}) as running:
            os.close(write)
            while not running.read_line("stderr").startswith("Deleted 1 AMI"):
                pass
            # The data is more than the pipe takes, and comes next.
            data = out.read()
            assert running.finish().status == 0
    assert len(data) > 1 << 16
    assert [ami["outcome"] for ami in json.loads(data)["amis"]].count("removed") == 1


@only_with_a_full_device
@pytest.mark.parametrize("arguments", ["--version", "--dry-run --output json", "-f"])
def test_full_disk_is_an_error(account: Account, arguments: str) -> None:
    words = INSTALLED if arguments == "--version" else ()  # once with the end of a new Python
    with (
        open("/dev/full", "wb") as full,
        Running(*arguments.split(), words=words, env=account.environment, streams={"stdout": full.fileno()}) as running,
    ):
        finished = running.finish()
    assert finished.status == 1
    assert finished.errors[-1] == "Error: Can't write the output: No space left on device."
    assert finished.untroubled
    assert account.deletions() == []
