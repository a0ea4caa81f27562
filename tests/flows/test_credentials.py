"""Where a run works and as whom: the Region of the environment, credentials that are resolved once."""

from __future__ import annotations

import getpass
import json
import stat
import sys
from pathlib import Path

import pytest
from botocore.credentials import AssumeRoleProvider

from amicleaner.errors import AwsError, CredentialsError, describe
from tests.flows.flow import FAR, HOME, OTHER, OWN, Flow, removed


class TestRegion:
    @pytest.mark.parametrize(
        ("environment", "expected"),
        [
            ({"AWS_REGION": FAR, "AWS_DEFAULT_REGION": HOME}, FAR), ({"AWS_REGION": FAR}, FAR),
            ({"AWS_DEFAULT_REGION": FAR}, FAR), ({"AWS_REGION": "", "AWS_DEFAULT_REGION": FAR}, FAR), ({}, HOME),
        ],
    )  # fmt: skip
    def test_aws_region_goes_before_aws_default_region_before_the_profile(
        self, flow: Flow, environment: dict[str, str], expected: str
    ) -> None:
        flow.patch.delenv("AWS_DEFAULT_REGION")
        flow.profile("default-region", OWN, region=HOME)
        for name, value in environment.items():
            flow.patch.setenv(name, value)
        images = {name: flow.add(region=flow.region(name=name)).image_id for name in (HOME, FAR)}
        assert removed(flow.clean(profile=("default-region",))) == {images[expected]}

    def test_the_option_goes_before_all(self, flow: Flow) -> None:
        flow.patch.setenv("AWS_REGION", HOME)
        far = flow.add(region=flow.region(name=FAR)).image_id
        assert removed(flow.clean(region=(FAR,))) == {far}


class TestCredentialProcess:
    def process(self, flow: Flow, body: str, name: str = "process") -> Path:
        """A profile with a program that tells its credentials; returns the file in which it counts its runs."""
        runs, script = Path(flow.path("runs")), Path(flow.path("credentials.sh"))
        script.write_text(f"#!/bin/sh\necho run >> {runs}\n{body}\n")
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
        flow.patch.delenv("AWS_ACCESS_KEY_ID")
        with open(flow.path("aws.ini"), "a") as file:
            file.write(f"[profile {name}]\nregion = {HOME}\ncredential_process = {script}\n")
        return runs

    def test_it_is_run_once(self, flow: Flow) -> None:
        keys = flow.world.credentials(OWN)
        id, secret = keys["aws_access_key_id"], keys["aws_secret_access_key"]
        answer = json.dumps({"Version": 1, "AccessKeyId": id, "SecretAccessKey": secret})
        runs = self.process(flow, f"echo '{answer}'")
        free = flow.add().image_id
        assert removed(flow.clean(profile=("process",), check_orphans=True)) == {free}
        assert runs.read_text() == "run\n"

    def test_it_is_run_once_where_it_fails(self, flow: Flow) -> None:
        runs = self.process(flow, "echo sorry >&2; exit 3")
        with pytest.raises(CredentialsError) as caught:
            flow.clean(profile=("process",))
        assert runs.read_text() == "run\n"
        assert "credential" in describe(caught.value)
        assert flow.fake_aws.calls.records == []

    @pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
    def test_one_that_hangs_ends_with_the_connect_timeout(self, flow: Flow) -> None:
        self.process(flow, "sleep 30")
        with pytest.raises(CredentialsError, match=r"within 0\.2 seconds"):
            flow.clean(profile=("process",), connect_timeout=0.2)

    def test_read_only_accounts_too(self, flow: Flow) -> None:
        flow.profile("own", OWN)
        runs = self.process(flow, "exit 3", "reader")
        with pytest.raises(AwsError):
            flow.clean(profile=("own",), used_by_profile=("reader",))
        assert runs.read_text() == "run\n"


def test_an_mfa_code_is_asked_for_once(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    base = flow.profile("base", OWN)
    role = flow.role(OTHER)
    with open(flow.path("aws.ini"), "a") as file:
        file.write(f"[profile mfa]\nregion = {HOME}\nrole_arn = {role}\nsource_profile = {base}\n")
        file.write(f"mfa_serial = arn:aws:iam::{OWN}:mfa/me\n")
    asked: list[str] = []

    def prompt(text: str) -> str:
        asked.append(text)
        return "123456"

    defaults = AssumeRoleProvider.__init__.__defaults__
    assert defaults
    replaced = tuple(prompt if value is getpass.getpass else value for value in defaults)
    assert replaced != defaults
    monkeypatch.setattr(AssumeRoleProvider.__init__, "__defaults__", replaced)
    monkeypatch.setattr("botocore.credentials._local_now", flow.time.now)
    flow.patch.delenv("AWS_ACCESS_KEY_ID")
    free = flow.add(region=flow.region(OTHER)).image_id
    assert removed(flow.clean(profile=("mfa",), check_orphans=True)) == {free}
    assert len(asked) == 1
