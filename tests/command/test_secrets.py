"""No secret is in what the command prints or writes, whatever fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_aws import Fault

from .accounts import Account, large_account
from .process import run

OTHER = "222222222222"
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "sk/NOBODY+MAY/SEE+IT",
    "AWS_SESSION_TOKEN": "st/NOBODY+MAY/SEE+IT==",
    "AMICLEANER_EXTERNAL_ID": "ei/NOBODY-MAY-SEE-IT",
}
MADE = ("secret-of-", "token-of-")
"""How the fake AWS's credentials of an assumed role begin."""

SIGNED = (
    "The Canonical String for this request should have been\n'POST\n/\n\nhost:ec2\n"
    "x-amz-date:20260101T000000Z\nx-amz-security-token:{}\n\nhost;x-amz-date;x-amz-security-token\nabc'"
)
"""As AWS answers to a wrong signature, with all that was signed."""

REFUSED = (
    "2 validation errors detected: Value '***' at 'roleSessionName' failed to satisfy constraint; "
    f"Value '{SECRETS['AMICLEANER_EXTERNAL_ID']}' at 'externalId' failed to satisfy constraint"
)


@pytest.fixture
def account() -> Iterator[Account]:
    """Three AMIs here and three in an account whose role asks for an external id."""
    with large_account(3) as account:
        world = account.fake_aws.world
        world.add_role(OTHER, external_id=SECRETS["AMICLEANER_EXTERNAL_ID"])
        for number in range(3):
            world.region("eu-west-1", OTHER).add_image(f"web-{number}", tags={"environment": "prod", "role": "web"})
        yield account


def refusal(action: str, code: str, message: str, times: int | None = None) -> Fault:
    return Fault(action, "refuse", code=code, message=message, times=times)


def everything_said(account: Account, folder: Path, *options: str) -> str:
    """Both streams of a run, and what stands in the files that it left."""
    words = ["--role-arn", f"arn:aws:iam::{OTHER}:role/cleaner", "--debug", "--max-attempts", "2", "--keep-previous", "1"]
    finished = run(*words, *options, env=account.environment | SECRETS | {"HOME": str(folder)})
    assert finished.untroubled
    files = [path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()]
    return "\n".join([finished.out, finished.err, *files])


@pytest.mark.parametrize("options", [("--output", "json"), ("--explain", "--full-report")], ids=" ".join)
def test_no_secret_is_shown_or_written(account: Account, tmp_path: Path, options: tuple[str, ...]) -> None:
    plan, audit = tmp_path / "plan", tmp_path / "audit"
    said = everything_said(account, tmp_path, *options, "--save-plan", str(plan))
    said += everything_said(account, tmp_path, *options, "-f", "--audit-log", str(audit))
    asked = [call for call in account.fake_aws.calls.records if call.action == "AssumeRole"]
    assert {call.params["ExternalId"] for call in asked} == {SECRETS["AMICLEANER_EXTERNAL_ID"]}
    assert len(account.fake_aws.world.region("eu-west-1", OTHER).images) == 1
    assert json.loads(plan.read_text("utf-8"))["amis"]
    assert len(audit.read_text("utf-8").splitlines()) >= 4
    assert [secret for secret in (*SECRETS.values(), *MADE) if secret in said] == []


@pytest.mark.parametrize(
    "fault",
    [
        refusal("AssumeRole", "ValidationError", REFUSED),
        refusal("AssumeRole", "SignatureDoesNotMatch", SIGNED.format(SECRETS["AWS_SESSION_TOKEN"])),
        refusal("DescribeImages", "SignatureDoesNotMatch", SIGNED.format("token-of-ASIA0000000000000001")),
        refusal("DeregisterImage", "SignatureDoesNotMatch", SIGNED.format("token-of-ASIA0000000000000001")),
        refusal("DeregisterImage", "Whatever", SIGNED.format("token-of-ASIA0000000000000001")),
        Fault("AssumeRole", "cut", times=None),
        Fault("AssumeRole", "html", times=None),
        Fault("DescribeImages", "html", times=None),
        Fault("DeregisterImage", "cut", times=None),
    ],
    ids=lambda fault: f"{fault.action}-{fault.kind}-{fault.code}",
)
def test_no_secret_is_shown_when_a_call_fails(account: Account, tmp_path: Path, fault: Fault) -> None:
    account.fake_aws.faults.append(fault)
    said = everything_said(account, tmp_path, "-f", "--audit-log", str(tmp_path / "audit"))
    assert fault.seen
    assert fault.code in said or fault.kind != "refuse"
    assert [secret for secret in (*SECRETS.values(), *MADE) if secret in said] == []
