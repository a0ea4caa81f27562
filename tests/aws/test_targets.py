"""Which accounts and Regions a run works in, as far as no call tells: whole runs are in `flows/test_accounts.py`."""

from __future__ import annotations

import signal
from pathlib import Path
from threading import Event, main_thread
from time import monotonic
from typing import Any

import pytest

from amicleaner.aws.api import Api
from amicleaner.aws.session import Clients
from amicleaner.aws.targets import Finder, Location, make_session, select_regions
from amicleaner.config import Config
from amicleaner.errors import AmicleanerError, CredentialsError, UsageError
from amicleaner.models import Target

ROLE = "arn:aws:iam::111111111111:role/cleaner"
KEYS = "aws_access_key_id = key\naws_secret_access_key = secret\n"
ENABLED = ("eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "us-east-1")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The AWS configuration, in an environment without a Region."""
    path = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    return path


def locations(**options: Any) -> list[Location]:
    def api(target: Target, clients: Clients) -> Api:
        return Api(target, clients, attempts=1)

    finder = Finder(Config(**options), make_session, api)
    return finder.locations(finder.accounts())


def test_one_account_in_its_region_asks_nobody() -> None:
    (location,) = locations()
    assert (location.api.target, location.read_only) == (Target("", "eu-west-1"), False)


def test_an_interruption_does_not_wait_for_the_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = Event()

    def pages(api: Api, action: str, **parameters: Any) -> list[dict[str, Any]]:
        signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
        answered.wait(10)
        return []

    monkeypatch.setattr(Api, "pages", pages)
    began = monotonic()
    with pytest.raises(KeyboardInterrupt):
        locations(region="eu-*")
    assert monotonic() - began < 5
    answered.set()


@pytest.mark.parametrize("excluded", [(), ("us-*",)])
def test_a_run_without_a_region_is_an_error(config: Path, excluded: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="No Region is set"):
        locations(exclude_region=excluded)


@pytest.mark.parametrize(
    "wanted, excluded, expected",
    [
        (["us-east-1", "eu-west-1"], [], ["eu-west-1", "us-east-1"]),
        (["eu-west-?"], ["*-2"], ["eu-west-1", "eu-west-3"]),
        (["eu-west-1", "eu-*-1", "eu-west-1"], ["eu-[cs]*"], ["eu-west-1"]),
        (["*"], ["*"], []),
    ],
)
def test_regions_are_selected_by_name_and_pattern(wanted: list[str], excluded: list[str], expected: list[str]) -> None:
    assert select_regions(wanted, excluded, ENABLED) == expected


@pytest.mark.parametrize(
    "wanted, excluded", [(["eu-wst-1"], []), (["eu-west-1", "mars-*"], []), (["*"], ["eu-wst-1"]), (["EU-WEST-1"], [])]
)
def test_a_region_that_is_not_enabled_is_an_error(wanted: list[str], excluded: list[str]) -> None:
    with pytest.raises(AmicleanerError, match=r"is not enabled for this account. Enabled: eu-central-1, eu-west-1"):
        select_regions(wanted, excluded, ENABLED)


# Profiles and credentials


def test_a_profile_that_does_not_exist_is_an_error(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("[profile one]\nregion = eu-west-1\n")
    for name in ("nobody", "default"):
        with pytest.raises(UsageError, match=rf"\({name}\) could not be found"):
            locations(profile=name)
    for name in ("nobody", ""):
        monkeypatch.setenv("AWS_PROFILE", name)
        with pytest.raises(UsageError, match=rf"\({name}\) could not be found"):
            locations()


def test_a_broken_configuration_is_an_error(config: Path) -> None:
    config.write_text("[profile one\nregion")
    with pytest.raises(UsageError, match="The AWS configuration cannot be read"):
        locations()


def test_roles_of_a_profile_have_its_region_and_its_other_settings(config: Path) -> None:
    config.write_text("[profile base]\nregion = us-east-1\nsdk_ua_app_id = from-profile\n" + KEYS)
    (location,) = locations(role_arn=ROLE, profile="base")
    assert location.api.target == Target("111111111111", "us-east-1")
    assert location.clients("ec2").meta.config.user_agent_appid == "from-profile"


def test_a_role_needs_credentials(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="Partial credentials"):
        locations(role_arn=ROLE)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(AmicleanerError, match="No AWS credentials were found to assume"):
        locations(role_arn=ROLE)
    config.write_text("[profile odd]\ncredential_process = /missing\n")
    with pytest.raises(CredentialsError, match="No such file"):
        locations(role_arn=ROLE, profile="odd")


def test_without_credentials_no_region_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="ec2:DescribeRegions failed"):
        locations(region="eu-*")
