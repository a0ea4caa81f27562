"""Whatever fails, with any option: an `Error:` on standard error, for jobs that discard standard output."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fake_aws import Fault

from .accounts import FOUR, Account, article_account, snapshot_of
from .process import INSTALLED, Finished, only_with_a_full_device, run

REGION = {"AWS_DEFAULT_REGION": "eu-west-1"}
NOWHERE = {
    **REGION,
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
}
"""Nobody listens there: any call to AWS fails."""
ROLE = "arn:aws:iam::123456789012:role/cleaner"
OTHERS_ROLE = "arn:aws:iam::210987654321:role/cleaner"


def check(finished: Finished, status: int, *words: str) -> None:
    """An error with these words, in one or two lines."""
    assert finished.status == status, finished.err
    assert finished.untroubled
    error, *hints = finished.errors
    assert error.startswith("Error: ")
    assert len(hints) <= 1
    assert all(line.startswith("Hint: ") for line in hints)
    for word in words:
        assert word in finished.err


# What only a run finds, before AWS is called; tests/test_command_line.py has the words that are wrong by themselves


@pytest.mark.parametrize(
    "option", ["--audit-log", "--save-plan", "--apply-plan", "--config", "--restore", "--used-by-files"]
)
def test_file_that_is_missing_or_a_folder_is_an_error(option: str, tmp_path: Path) -> None:
    force = [] if option == "--restore" else ["-f"]
    for path in ["nowhere/file", *([str(tmp_path)] if option != "--used-by-files" else [])]:
        check(run(*force, option, path, env=NOWHERE, discard=True), 2, path)


@only_with_a_full_device
@pytest.mark.parametrize("option", ["--audit-log", "--save-plan"])
def test_full_device_is_an_error_before_aws_is_called(option: str) -> None:
    check(run("-f", option, "/dev/full", env=NOWHERE, discard=True), 2, "/dev/full")


@pytest.mark.parametrize("option", ["--profile", "--used-by-profile"])
def test_unknown_profile_is_an_error(option: str) -> None:
    check(run("-f", option, "nobody", env=NOWHERE, discard=True), 2, "(nobody) could not be found")


# Credentials, Regions, endpoints

SURROUNDINGS: dict[str, tuple[dict[str, str], int, tuple[str, ...]]] = {
    "no credentials": (REGION, 1, ("credentials", "a profile, environment variables or a role")),
    "broken configuration": ({**REGION, "AWS_CONFIG_FILE": "broken"}, 2, ("cannot be read", "broken")),
    "credential process": ({**REGION, "AWS_CONFIG_FILE": "process"}, 1, ("credentials", "JSONDecodeError")),
    "token file": (
        {**REGION, "AWS_WEB_IDENTITY_TOKEN_FILE": "token", "AWS_ROLE_ARN": ROLE},
        1,
        ("credentials", "a token file"),
    ),
    "line break in the token": ({**NOWHERE, "AWS_SESSION_TOKEN": "very-secret\r\n"}, 1, ("line break", "session token")),
    "nobody listens": (NOWHERE, 1, ("Could not connect", "127.0.0.1:9", "Check the network")),
    "no URL": ({**NOWHERE, "AWS_ENDPOINT_URL": "nonsense"}, 1, ("endpoint",)),
    "no host": ({**NOWHERE, "AWS_ENDPOINT_URL": "http://"}, 1, ("endpoint",)),
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_failure_before_the_first_answer_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("[[[ no configuration\n")
    (tmp_path / "process").write_text("[default]\ncredential_process = echo nonsense\n")
    env, status, words = SURROUNDINGS[name]
    finished = run("-f", "--max-attempts", "1", env=env, cwd=tmp_path, discard=True)
    check(finished, status, *words)
    assert "very-secret" not in finished.err


def test_silent_endpoint_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {**NOWHERE, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        finished = run("-f", "--read-timeout", "0.2", "--max-attempts", "1", env=env, discard=True)
    check(finished, 1, "ec2:DescribeImages", "Read timeout")


# Reading and deleting


@pytest.fixture
def account() -> Iterator[Account]:
    with article_account() as account:
        yield account


def refuse(action: str, code: str = "UnauthorizedOperation") -> Callable[[Account], None]:
    return lambda account: account.fake_aws.faults.append(Fault(action, "refuse", code=code, times=None))


def use(account: Account) -> None:
    account.region.add_instance(FOUR[0])


def refuse_snapshots(account: Account) -> None:
    for ami in FOUR:
        account.region.snapshots[snapshot_of(ami)].return_code = "client-error"


def orphan(account: Account) -> None:
    started = datetime(2017, 6, 15, tzinfo=UTC)
    account.region.add_snapshot("Created by CreateImage(i-0) for ami-654b5503", snapshot_id="snap-0badcafe", started=started)


def nothing(account: Account) -> None:
    """The run fails by itself."""


def orphan_that_may_not_be_deleted(account: Account) -> None:
    orphan(account)
    refuse("DeleteSnapshot")(account)


@dataclass(frozen=True)
class Failure:
    """A run that fails at AWS: `deleted` AMIs are gone after it."""

    words: str
    setup: Callable[[Account], None]
    said: tuple[str, ...]
    deleted: int = 0
    lines: int = 3


FAILURES = {
    "denied read": Failure(
        "-f", refuse("DescribeInstances"), ("ec2:DescribeInstances", "UnauthorizedOperation", "eu-west-1")
    ),
    "denied read of another account": Failure(
        f"-f --used-by-role-arn {OTHERS_ROLE}", refuse("AssumeRole"), ("sts:AssumeRole",)
    ),
    "another account": Failure("-f --expect-account 210987654321", nothing, ("--expect-account allows 210987654321",)),
    "maximum": Failure("-f --max-deletions 3", nothing, ("4 AMIs", "--max-deletions 3")),
    "orphaned snapshots beyond the maximum": Failure(
        "-f --check-orphans --max-deletions 0", orphan, ("1 orphaned snapshot", "4 AMIs"), lines=4
    ),
    "end of input with data": Failure("--output json", nothing, ("No confirmation given",), lines=100),
    "unknown id to explain": Failure("--dry-run --explain ami-0badcafe", nothing, ("ami-0badcafe",)),
    "unknown id to delete": Failure(f"--from-ids ami-0badcafe {FOUR[1]}", nothing, ("ami-0badcafe",), deleted=1),
    "unknown id to restore": Failure("--restore ami-0badcafe", nothing, ("ami-0badcafe",)),
    "denied deletion, quietly": Failure("-f -q", refuse("DeregisterImage"), ("ec2:DeregisterImage",)),
    "denied deletion in JSON": Failure("-f --output json", refuse("DeregisterImage"), ("ec2:DeregisterImage",), lines=100),
    "refused snapshots": Failure("-f", refuse_snapshots, ("client-error", "ec2:DeleteSnapshot"), deleted=4),
    "denied orphaned snapshots": Failure(
        "-f --check-orphans --keep-previous 9", orphan_that_may_not_be_deleted, ("ec2:DeleteSnapshot",)
    ),
    "expired while deleting": Failure("-f", refuse("DeregisterImage", "ExpiredToken"), ("ExpiredToken",)),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure_at_aws_is_an_error(account: Account, name: str) -> None:
    failure = FAILURES[name]
    failure.setup(account)
    words = ["--max-attempts", "1", *failure.words.split()] if "restore" not in failure.words else failure.words.split()
    finished = run(*words, env=account.environment, discard=True)
    assert finished.status == 1
    assert finished.untroubled
    assert [line for line in finished.err.splitlines() if line.startswith("Error: ")]
    assert len(finished.errors) <= failure.lines
    for word in failure.said:
        assert word in finished.err
    assert len(account.images) == 21 - failure.deleted


# Files


def test_plans_that_cannot_be_applied_are_errors(account: Account, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"

    def apply() -> Finished:
        return run("-f", "--apply-plan", str(path), env=account.environment, discard=True)

    assert run("--save-plan", str(path), env=account.environment).status == 0
    calls = account.fake_aws.calls.count()
    whole = path.read_text()
    path.write_text(whole.replace('"old"', '"named"', 1))
    check(apply(), 2, "checksum mismatch. The plan was modified or truncated.")
    assert account.fake_aws.calls.count() == calls
    path.write_text(whole)
    use(account)
    check(apply(), 1, FOUR[0], "in use")
    assert account.images.intersection(FOUR) == {FOUR[0]}


def test_audit_log_that_breaks_in_the_middle_is_an_error(account: Account, tmp_path: Path) -> None:
    """Its file may have no more than one block."""
    limited = ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *INSTALLED]
    log = tmp_path / "audit"
    finished = run("-f", "--audit-log", str(log), words=limited, env=account.environment, discard=True)
    assert finished.status == 1
    assert finished.untroubled
    assert f"Error: The audit log {log} cannot be written: File too large." in finished.err
    assert len(account.images) >= 20


def test_plan_that_cannot_be_written_is_an_error_after_the_reading(account: Account, tmp_path: Path) -> None:
    """The folder was there when the run began."""
    folder = tmp_path / "plans"
    folder.mkdir()
    account.fake_aws.after("DescribeInstances", lambda *_: folder.rmdir() if folder.exists() else None)
    check(run("--save-plan", str(folder / "plan.json"), env=account.environment, discard=True), 2, "plan.json")


# Nothing fails


def test_status_3_is_no_error(account: Account) -> None:
    finished = run("--dry-run", "--exit-code", "--output", "json", env=account.environment)
    assert (finished.status, json.loads(finished.out)["exit_status"]) == (3, 3)
    assert "Error" not in finished.err
