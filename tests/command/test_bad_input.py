"""Mistakes of people and jobs, and failures of the network: an error, maybe a hint, and nothing deleted."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fake_aws import Fault

from .accounts import Account, article_account
from .process import Finished, only_with_a_full_device, run

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
SOURCE = {"AWS_DEFAULT_REGION": "eu-west-1"}
NOWHERE = {**CREDENTIALS, **SOURCE, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
"""Nobody listens there: any call to AWS fails."""


@pytest.fixture
def account() -> Iterator[Account]:
    with article_account() as account:
        yield account
        assert account.deletions() == []
        assert len(account.images) == len(account.snapshots) == 21


def check(finished: Finished, status: int, *words: str, lines: int = 2) -> None:
    """An error and at most a hint, with these words."""
    assert finished.status == status
    assert finished.untroubled
    assert finished.err.startswith("Error: ")
    errors = finished.err.splitlines()
    assert len(errors) <= lines
    assert all(line.startswith("Hint: ") for line in errors[1:])
    for word in words:
        assert word in finished.err
    assert "AMIs to be removed" not in finished.out


# Credentials, Regions, endpoints


def test_missing_credentials_are_named() -> None:
    check(run("-f", env=SOURCE), 1, "credentials", "a profile, environment variables or a role")


def test_missing_region_is_named() -> None:
    check(run("-f", env=CREDENTIALS), 2, "No Region is set.", "--region", "AWS_REGION")


def test_unknown_profile_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
    files = {"AWS_CONFIG_FILE": str(tmp_path / "config")}
    check(run("-f", "--profile", "wrok", env={**files, **SOURCE}), 2, "(wrok) could not be found", "profiles: work.")
    check(run("-f", env={**files, **SOURCE, "AWS_PROFILE": "wrok"}), 2, "(wrok) could not be found", "profiles: work.")


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_broken_aws_configuration_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("[[[ no configuration\n")
    check(run("-f", env={**SOURCE, name: str(tmp_path / "broken")}), 2, "cannot be read", str(tmp_path / "broken"))


@pytest.mark.parametrize(
    "prints, words", [(None, "No such file or directory"), ("nonsense", "JSONDecodeError"), ("[]", "AttributeError")]
)
@pytest.mark.parametrize("option", [(), ("--role-arn", "arn:aws:iam::123456789012:role/cleaner")])
def test_failing_credential_process_is_named(
    option: tuple[str, ...], prints: str | None, words: str, tmp_path: Path
) -> None:
    helper = tmp_path / "helper"
    if prints is not None:
        helper.write_text(f"#!/bin/sh\necho '{prints}'\n")
        helper.chmod(0o755)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {helper}\n")
    env = {**SOURCE, "AWS_ENDPOINT_URL": NOWHERE["AWS_ENDPOINT_URL"], "AWS_CONFIG_FILE": str(tmp_path / "config")}
    finished = run("-f", *option, env=env)
    check(finished, 1, "credentials", words if not option else "")
    assert "output" not in finished.err


def test_missing_token_file_is_named(tmp_path: Path) -> None:
    token = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r"}
    check(run("-f", env={**SOURCE, **token}), 1, str(tmp_path / "token"), "credentials", "a token file")


def test_session_token_with_a_line_break_is_not_shown(account: Account) -> None:
    finished = run("-f", env={**account.environment, "AWS_SESSION_TOKEN": "very-secret\r\n"})
    check(finished, 1, "line break", "session token")
    assert "very-secret" not in finished.err


def test_unknown_region_is_named(account: Account) -> None:
    finished = run("-f", "--region", "eu-wst-1", env=account.environment)
    check(finished, 1, "Region 'eu-wst-1' is not enabled for this account", "eu-west-1")


def test_expired_token_is_named(account: Account) -> None:
    key = account.fake_aws.world.keys[account.fake_aws.world.access_key()]
    key.expires = datetime(2020, 1, 1, tzinfo=UTC)
    check(run("-f", env=account.environment), 1, "RequestExpired", "Renew your AWS credentials")


def test_denied_read_names_the_iam_action(account: Account) -> None:
    account.fake_aws.faults.append(Fault("DescribeInstances", "refuse", times=None))
    finished = run("-f", env=account.environment)
    check(finished, 1, "ec2:DescribeInstances", "UnauthorizedOperation", "eu-west-1")
    assert "--skip-check" not in finished.err


def test_unreachable_endpoint_is_named_soon() -> None:
    started = time.monotonic()
    check(run("-f", env=NOWHERE), 1, "Could not connect", "127.0.0.1:9", "Check the network")
    assert time.monotonic() - started < 15


def test_silent_endpoint_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {**NOWHERE, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        finished = run("-f", "--read-timeout", "0.2", "--max-attempts", "2", env=env)
    check(finished, 1, "ec2:DescribeImages", "Read timeout")


@pytest.mark.parametrize("kind", ["html", "xhtml"])
def test_response_from_something_else_is_named(account: Account, kind: str) -> None:
    account.fake_aws.faults.append(Fault("*", kind, times=None))  # type: ignore[arg-type]
    check(run("-f", env=account.environment), 1, "ec2:DescribeImages failed in Region eu-west-1")


@pytest.mark.parametrize("url", ["nonsense", "http://"])
def test_wrong_endpoint_url_is_named(url: str) -> None:
    check(run("-f", env={**NOWHERE, "AWS_ENDPOINT_URL": url}), 1, "endpoint")


# Files


@pytest.mark.parametrize("option", ["--audit-log", "--save-plan", "--apply-plan", "--config"])
def test_missing_folder_is_refused(account: Account, option: str, tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "file")
    check(run(option, path, env=account.environment), 2, path)
    assert account.fake_aws.calls.count() == 0


@pytest.mark.parametrize("option", ["--audit-log", "--save-plan", "--apply-plan", "--config"])
def test_folder_is_refused_as_a_file(account: Account, option: str, tmp_path: Path) -> None:
    check(run(option, str(tmp_path), env=account.environment), 2, str(tmp_path))
    assert account.fake_aws.calls.count() == 0


@only_with_a_full_device
@pytest.mark.parametrize("option", ["--audit-log", "--save-plan"])
def test_full_device_is_refused_before_aws_is_called(account: Account, option: str) -> None:
    check(run("-f", option, "/dev/full", env=account.environment), 2, "/dev/full")
    assert account.fake_aws.calls.count() == 0


# The command line


WRONG = {
    "--keep-previous -1": ["--keep-previous", "minimum is 0"],
    "--keep-previous four": ["--keep-previous", "'four'"],
    "--ami-min-days -2": ["--ami-min-days", "minimum is -1"],
    "--mapping-key name": ["--mapping-values"],
    "--keep 2": ["Unknown option", "Hint: Did you mean --keep-previous?"],
    "--region eu-west-1,us-east-1": ["--region eu-west-1 us-east-1"],
    "--max-percent 101": ["maximum is 100"],
    "--quarantine 0": ["minimum is 1"],
    "--restore ami-12345678": ["--force-delete", "--restore"],
    "--mapping-key owner --mapping-values x": ["--mapping-key", "owner"],
    "--mapping-values": ["--mapping-values"],
    "--mapping-values --dry-run": ["--mapping-values"],
    "--region --dry-run": ["--region"],
    "--audit-log --dry-run": ["--audit-log"],
    "--from-ids ami-12345": ["'ami-12345' is not an AMI id"],
    "--from-ids i-12345678": ["'i-12345678' is not an AMI id"],
    "--from-ids ami-12345678 --keep-previous 2": ["--keep-previous", "--from-ids"],
    "--ignore-in-use": ["--from-ids"],
    "ami-12345678": ["ami-12345678"],
    "--keep-previuos 2": ["--keep-previuos"],
    "--skip-check everything": ["everything", "instances"],
}


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_command_line_ends_before_aws_is_called(arguments: str) -> None:
    finished = run("-f", *arguments.split(), env=NOWHERE)
    check(finished, 2, *WRONG[arguments])
    assert finished.out == ""


def test_wrong_variable_ends_the_run() -> None:
    check(run("-f", env={**NOWHERE, "AMICLEANER_KEEP_PREVIOUS": "four"}), 2, "AMICLEANER_KEEP_PREVIOUS", "four")
    check(run(env={**NOWHERE, "AMICLEANER_FORCE_DELETE": "1"}), 2, "AMICLEANER_FORCE_DELETE", "command line")


def test_unknown_variable_only_warns() -> None:
    finished = run("--version", env={"AMICLEANER_VERSION": "1"})
    assert (finished.status, finished.err) == (0, "")
    finished = run("--iam-policy", env={"AMICLEANER_VERSION": "1"})
    assert (finished.status, finished.err) == (0, "Warning: Unknown environment variable AMICLEANER_VERSION.\n")


def test_wrong_configuration_ends_the_run(tmp_path: Path) -> None:
    file = tmp_path / "amicleaner.toml"
    file.write_text("keep_previuos = 2\n")
    check(run("-f", "--config", str(file), env=NOWHERE), 2, "keep_previuos", "keep_previous")
    file.write_text("[[rule]]\nname = 'prod'\nkeep = 2\n")
    check(run("-f", "--config", str(file), env=NOWHERE), 2, "rule 'prod'", "Hint: Did you mean keep_previous?")
    file.write_text("keep_previous = \n")
    check(run("-f", "--config", str(file), env=NOWHERE), 2, str(file), "line 1")
