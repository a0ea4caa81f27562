"""What a person or a job gets wrong, and what a network does: a line or two that help, and nothing deleted."""

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
"""Nobody listens there: whoever asks AWS fails."""


@pytest.fixture
def account() -> Iterator[Account]:
    with article_account() as account:
        yield account
        assert account.deletions() == []
        assert len(account.images) == len(account.snapshots) == 21


def check(finished: Finished, status: int, *words: str, lines: int = 2) -> None:
    """An error of a line or two, with these words."""
    assert finished.status == status
    assert finished.untroubled
    assert finished.err.startswith("Error: ")
    assert finished.err.count("\n") <= lines
    for word in words:
        assert word in finished.err
    assert "AMIs to be removed" not in finished.out


# The surroundings


def test_no_credentials() -> None:
    check(run("-f", env=SOURCE), 1, "credentials", "a profile, environment variables or a role")


def test_no_region() -> None:
    check(run("-f", env=CREDENTIALS), 1, "--region", "AWS_DEFAULT_REGION")


def test_an_unknown_profile(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
    files = {"AWS_CONFIG_FILE": str(tmp_path / "config")}
    check(run("-f", "--profile", "wrok", env={**files, **SOURCE}), 2, "(wrok) could not be found", "exist: work.")
    check(run("-f", env={**files, **SOURCE, "AWS_PROFILE": "wrok"}), 1, "(wrok) could not be found", "exist: work.")


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_broken_aws_configuration(name: str, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("[[[ no configuration\n")
    check(run("-f", env={**SOURCE, name: str(tmp_path / "broken")}), 1, "can't be read", str(tmp_path / "broken"))


@pytest.mark.parametrize(
    "prints, words", [(None, "No such file or directory"), ("nonsense", "JSONDecodeError"), ("[]", "AttributeError")]
)
@pytest.mark.parametrize("option", [(), ("--role-arn", "arn:aws:iam::123456789012:role/cleaner")])
def test_a_process_that_gives_no_credentials(
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


def test_the_file_of_a_token_that_is_not_there(tmp_path: Path) -> None:
    token = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r"}
    check(run("-f", env={**SOURCE, **token}), 1, str(tmp_path / "token"), "credentials", "a token's file")


def test_a_session_token_with_a_line_break_is_not_shown(account: Account) -> None:
    finished = run("-f", env={**account.environment, "AWS_SESSION_TOKEN": "very-secret\r\n"})
    check(finished, 1, "line break", "session token")
    assert "very-secret" not in finished.err


def test_a_region_that_does_not_exist(account: Account) -> None:
    finished = run("-f", "--region", "eu-wst-1", env=account.environment)
    check(finished, 1, "'eu-wst-1' is none of the account's enabled Regions", "eu-west-1")


def test_an_expired_token(account: Account) -> None:
    key = account.fake_aws.world.keys[account.fake_aws.world.access_key()]
    key.expires = datetime(2020, 1, 1, tzinfo=UTC)
    check(run("-f", env=account.environment), 1, "RequestExpired", "Renew your AWS credentials")


def test_a_denied_read_names_what_to_grant(account: Account) -> None:
    account.fake_aws.faults.append(Fault("DescribeInstances", "refuse", times=None))
    finished = run("-f", env=account.environment)
    check(finished, 1, "ec2:DescribeInstances", "UnauthorizedOperation", "eu-west-1", "--skip-check instances")


def test_nobody_listens_and_it_is_said_soon() -> None:
    started = time.monotonic()
    check(run("-f", env=NOWHERE), 1, "Could not connect", "127.0.0.1:9", "Check the network")
    assert time.monotonic() - started < 15


def test_somebody_listens_and_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {**NOWHERE, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        finished = run("-f", "--read-timeout", "0.2", "--max-attempts", "2", env=env)
    check(finished, 1, "ec2:DescribeImages", "Read timeout")


@pytest.mark.parametrize("kind", ["html", "xhtml"])
def test_something_else_than_aws_answers(account: Account, kind: str) -> None:
    account.fake_aws.faults.append(Fault("*", kind, times=None))  # type: ignore[arg-type]
    check(run("-f", env=account.environment), 1, "ec2:DescribeImages failed in Region eu-west-1")


@pytest.mark.parametrize("url", ["nonsense", "http://"])
def test_an_endpoint_that_is_no_url(url: str) -> None:
    check(run("-f", env={**NOWHERE, "AWS_ENDPOINT_URL": url}), 1, "endpoint")


# Files


@pytest.mark.parametrize("option", ["--audit-log", "--save-plan", "--apply-plan", "--config"])
def test_files_that_are_not_there(account: Account, option: str, tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "file")
    check(run(option, path, env=account.environment), 2, path)
    assert account.fake_aws.calls.count() == 0


@pytest.mark.parametrize("option", ["--audit-log", "--save-plan", "--apply-plan", "--config"])
def test_a_folder_is_no_file(account: Account, option: str, tmp_path: Path) -> None:
    check(run(option, str(tmp_path), env=account.environment), 2, str(tmp_path))
    assert account.fake_aws.calls.count() == 0


@only_with_a_full_device
@pytest.mark.parametrize("option", ["--audit-log", "--save-plan"])
def test_a_full_device_is_refused_before_aws_is_asked(account: Account, option: str) -> None:
    check(run("-f", option, "/dev/full", env=account.environment), 2, "/dev/full")
    assert account.fake_aws.calls.count() == 0


# The command line


WRONG = {
    "--keep-previous -1": ["--keep-previous", "minimum is 0"],
    "--keep-previous four": ["--keep-previous", "'four'"],
    "--ami-min-days -2": ["--ami-min-days", "minimum is -1"],
    "--mapping-key name": ["--mapping-values"],
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
def test_a_wrong_command_line(arguments: str) -> None:
    finished = run("-f", *arguments.split(), env=NOWHERE)
    check(finished, 2, *WRONG[arguments])
    assert finished.out == ""


def test_wrong_variables() -> None:
    check(run("-f", env={**NOWHERE, "AMICLEANER_KEEP_PREVIOUS": "four"}), 2, "AMICLEANER_KEEP_PREVIOUS", "four")
    check(run(env={**NOWHERE, "AMICLEANER_FORCE_DELETE": "1"}), 2, "AMICLEANER_FORCE_DELETE", "command line")


def test_a_wrong_configuration(tmp_path: Path) -> None:
    file = tmp_path / "amicleaner.toml"
    file.write_text("keep_previuos = 2\n")
    check(run("-f", "--config", str(file), env=NOWHERE), 2, "keep_previuos", "keep_previous")
    file.write_text("keep_previous = \n")
    check(run("-f", "--config", str(file), env=NOWHERE), 2, str(file), "line 1")
