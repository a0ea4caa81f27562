"""Whatever fails, with any option: an `Error:` on standard error, for jobs that discard standard output."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_aws import Fault

from .accounts import Account, article_account
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


@pytest.mark.parametrize(
    ("words", "denied", "said"),
    [
        ("-f", "DescribeInstances", ("ec2:DescribeInstances", "UnauthorizedOperation", "eu-west-1")),
        ("-f -q", "DeregisterImage", ("ec2:DeregisterImage",)),
        ("-f --output json", "DeregisterImage", ("ec2:DeregisterImage",)),
        ("-f --max-deletions 3", "", ("4 AMIs", "--max-deletions 3")),
        ("--output json", "", ("No confirmation given",)),
        ("--dry-run --explain ami-0badcafe", "", ("ami-0badcafe",)),
    ],
)
def test_failure_at_aws_is_an_error(account: Account, words: str, denied: str, said: tuple[str, ...]) -> None:
    """Messages stand beside the error where standard output has data."""
    if denied:
        account.fake_aws.faults.append(Fault(denied, "refuse", code="UnauthorizedOperation", times=None))
    finished = run("--max-attempts", "1", *words.split(), env=account.environment, discard=True)
    assert finished.status == 1
    assert finished.untroubled
    assert any(line.startswith("Error: ") for line in finished.err.splitlines())
    assert len(finished.errors) <= 3 or "json" in words
    for word in said:
        assert word in finished.err
    assert len(account.images) == 21


# Files


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
