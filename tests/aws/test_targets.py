"""Which accounts and Regions a run works in: on moto, in process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, main_thread
from time import monotonic
from typing import Any

import boto3
import pytest
from moto import mock_aws

from amicleaner.aws.api import Api
from amicleaner.aws.session import Clients
from amicleaner.aws.targets import Location, find_accounts, find_locations, make_session, select_regions
from amicleaner.config import Config
from amicleaner.errors import AmicleanerError, CredentialsError, UsageError
from amicleaner.models import CallRecord, Target

OWN = "123456789012"  # moto's
ONE, TWO = "111111111111", "222222222222"
Profiles = Callable[..., None]


def role(account: str, name: str = "cleaner") -> str:
    return f"arn:aws:iam::{account}:role/{name}"


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profiles:
    """Writes profiles, each with credentials of the account that is given (or with other settings)."""
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))

    def write(settings: str = "region = eu-west-1", **accounts: str) -> None:
        with config.open("a") as out, credentials.open("a") as secrets:
            for name, account in accounts.items():
                key = keys_of(account)
                out.write(f"[profile {name}]\n{settings}\n")
                secrets.write(
                    f"[{name}]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n"
                    f"aws_session_token = {key['SessionToken']}\n"
                )
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(variable, raising=False)

    return write


def keys_of(account: str) -> Any:
    client = boto3.client(
        "sts", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing", aws_session_token="t"
    )
    return client.assume_role(RoleArn=role(account), RoleSessionName="tests")["Credentials"]


class Run:
    """The locations of one run, and the calls that it took."""

    def __init__(self, *, named: bool = False, **options: Any) -> None:
        self.calls: list[CallRecord] = []
        config = Config(**options)
        self.locations = find_locations(find_accounts(config, make_session, self.api, named=named), config, self.api)

    def api(self, target: Target, clients: Clients) -> Api:
        return Api(target, clients, observe=self.calls.append, attempts=1)

    @property
    def targets(self) -> list[tuple[str, str]]:
        return [
            (location.api.target.account, location.api.target.region)
            for location in self.locations
            if not location.read_only
        ]

    @property
    def only_read(self) -> list[tuple[str, str]]:
        return [
            (location.api.target.account, location.api.target.region) for location in self.locations if location.read_only
        ]


def account_of(location: Location) -> str:
    """Whose credentials a location really has."""
    return str(location.api.call("sts:GetCallerIdentity")["Account"])


# One account


def test_one_account_in_its_region_asks_nobody() -> None:
    run = Run()
    assert run.targets == [("", "eu-west-1")]
    assert run.calls == []


def test_its_id_is_asked_where_it_must_be_known() -> None:
    run = Run(named=True)
    assert run.targets == [(OWN, "eu-west-1")]
    assert [call.action for call in run.calls] == ["sts:GetCallerIdentity"]


def test_an_interruption_does_not_wait_for_the_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = Event()

    def pages(api: Api, action: str, **parameters: Any) -> list[dict[str, Any]]:
        signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
        answered.wait(10)
        return []

    monkeypatch.setattr(Api, "pages", pages)
    began = monotonic()
    with pytest.raises(KeyboardInterrupt):
        Run(region="eu-*")
    assert monotonic() - began < 5
    answered.set()


def test_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    for excluded in ((), ("us-*",)):
        with pytest.raises(AmicleanerError, match="No Region is set") as caught:
            Run(exclude_region=excluded)
        assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    "region, exclude, expected",
    [
        ("us-east-1", (), ["us-east-1"]),
        (("us-east-1", "eu-west-1"), (), ["eu-west-1", "us-east-1"]),
        ("eu-west-*", (), ["eu-west-1", "eu-west-2", "eu-west-3"]),
        ("eu-west-?", "*-2", ["eu-west-1", "eu-west-3"]),
        (("eu-west-1", "eu-*-1", "eu-west-1"), ("eu-n*", "eu-[cs]*"), ["eu-west-1"]),
        ((), "us-*", ["eu-west-1"]),
    ],
)
def test_regions(region: Any, exclude: Any, expected: list[str]) -> None:
    run = Run(region=region, exclude_region=exclude)
    assert [name for _, name in run.targets] == expected


@pytest.mark.parametrize(
    "said", [{"region": "eu-wst-1"}, {"region": ("eu-west-1", "mars-*")}, {"exclude_region": "eu-wst-1"}]
)
def test_a_region_that_is_none(said: dict[str, Any]) -> None:
    with pytest.raises(AmicleanerError, match=r"is not enabled for this account. Enabled: .*eu-west-1"):
        Run(**said)


def test_no_region_left() -> None:
    for region in (("eu-west-1",), ()):
        with pytest.raises(UsageError, match="excludes every Region"):
            Run(region=region, exclude_region="eu-*")


def test_select_regions_is_sorted_as_the_enabled_ones() -> None:
    assert select_regions(["*"], ["b"], ["a", "b", "c"]) == ["a", "c"]
    with pytest.raises(AmicleanerError):
        select_regions(["A"], [], ["a"])


# Profiles


def test_several_profiles_are_several_accounts(profiles: Profiles) -> None:
    profiles(two=TWO, one=ONE)
    run = Run(profile=("two", "one"))
    assert run.targets == [(ONE, "eu-west-1"), (TWO, "eu-west-1")]
    assert [account_of(location) for location in run.locations] == [ONE, TWO]


def test_each_profile_has_its_region_unless_regions_are_given(profiles: Profiles) -> None:
    profiles(one=ONE)
    profiles("region = us-east-1", two=TWO)
    assert Run(profile=("one", "two")).targets == [(ONE, "eu-west-1"), (TWO, "us-east-1")]
    both = Run(profile=("one", "two"), region=("eu-west-1", "us-east-1")).targets
    assert both == [(ONE, "eu-west-1"), (ONE, "us-east-1"), (TWO, "eu-west-1"), (TWO, "us-east-1")]


def test_the_same_account_twice_counts_once(profiles: Profiles) -> None:
    profiles(one=ONE, again=ONE)
    assert Run(profile=("one", "again")).targets == [(ONE, "eu-west-1")]


def test_a_profile_that_is_none(profiles: Profiles, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles(one=ONE)
    with pytest.raises(UsageError, match=r"\(nobody\)") as caught:
        Run(profile="nobody")
    assert caught.value.exit_status == 2
    with pytest.raises(UsageError, match=r"\(default\)"):
        Run(profile="default")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AmicleanerError, match="could not be found") as said_nothing:
        Run()
    assert said_nothing.value.exit_status == 2
    monkeypatch.setenv("AWS_PROFILE", "")
    with pytest.raises(AmicleanerError, match=r"\(\) could not be found"):
        Run()


def test_a_broken_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text("[profile one\nregion")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    with pytest.raises(AmicleanerError, match="The AWS configuration cannot be read"):
        Run()


# Roles


def test_roles_are_assumed_from_the_one_account_which_is_no_target() -> None:
    run = Run(role_arn=(role(TWO), role(ONE)))
    assert run.targets == [(ONE, "eu-west-1"), (TWO, "eu-west-1")]
    assert [account_of(location) for location in run.locations] == [ONE, TWO]


def test_roles_of_a_profile_have_its_region_and_its_other_settings(profiles: Profiles) -> None:
    profiles("region = us-east-1\nsdk_ua_app_id = from-profile", base=TWO)
    (location,) = Run(role_arn=role(ONE), profile="base").locations
    assert location.api.target == Target(ONE, "us-east-1")
    assert account_of(location) == ONE
    assert location.clients("ec2").meta.config.user_agent_appid == "from-profile"


def test_the_same_account_by_two_roles_counts_once() -> None:
    assert Run(role_arn=(role(ONE), role(ONE, "other"))).targets == [(ONE, "eu-west-1")]


def test_the_external_id_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    session = make_session(None)
    session.events.register("provide-client-params.sts.AssumeRole", lambda params, **_: asked.append(params))

    def api(target: Target, clients: Clients) -> Api:
        return Api(target, clients)

    config = Config(role_arn=(role(ONE),), external_id="secret")
    (location,) = find_locations(find_accounts(config, lambda _: session, api), config, api)
    assert asked == []
    assert account_of(location) == ONE
    assert asked == [{"RoleArn": role(ONE), "RoleSessionName": "amicleaner", "ExternalId": "secret"}]


def test_a_role_needs_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AmicleanerError, match="Partial credentials"):
        Run(role_arn=role(ONE))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(AmicleanerError, match="credentials"):
        Run(role_arn=role(ONE))


def test_a_role_needs_credentials_that_make_sense(profiles: Profiles, tmp_path: Path) -> None:
    profiles()
    (tmp_path / "config").write_text(f"[profile odd]\ncredential_process = {tmp_path}/missing\n")
    with pytest.raises(AmicleanerError, match="No such file"):
        Run(role_arn=role(ONE), profile="odd")


def test_without_credentials_no_region_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="ec2:DescribeRegions failed"):
        Run(region="eu-*")


# An organization


@pytest.fixture
def organization() -> list[str]:
    """The ids of two members, sorted; the caller's own account manages them."""
    client = boto3.client("organizations")
    client.create_organization(FeatureSet="ALL")
    created = [client.create_account(AccountName=name, Email=f"{name}@example.org") for name in ("one", "two")]
    return sorted(answer["CreateAccountStatus"]["AccountId"] for answer in created)


def test_all_accounts_of_an_organization_the_own_one_with_its_own_credentials(organization: list[str]) -> None:
    run = Run(organization_role="cleaner")
    assert run.targets == [(account, "eu-west-1") for account in sorted([OWN, *organization])]
    assert [account_of(location) for location in run.locations] == sorted([OWN, *organization])
    arns = {location.api.target.account: location.api.call("sts:GetCallerIdentity")["Arn"] for location in run.locations}
    assert {account for account, arn in arns.items() if "assumed-role/cleaner" in arn} == set(organization)


def test_accounts_may_be_excluded(organization: list[str]) -> None:
    assert Run(organization_role="r", exclude_account=(OWN, organization[0])).targets == [(organization[1], "eu-west-1")]
    with pytest.raises(UsageError, match="excludes every account"):
        Run(organization_role="r", exclude_account=(OWN, *organization))
    with pytest.raises(AmicleanerError, match="999999999999 is not in this organization"):
        Run(organization_role="r", exclude_account="9" * 12)


def test_closed_accounts_are_left_out_and_may_be_excluded(organization: list[str]) -> None:
    boto3.client("organizations").close_account(AccountId=organization[0])
    expected = [(account, "eu-west-1") for account in sorted([OWN, organization[1]])]
    assert Run(organization_role="r").targets == expected
    assert Run(organization_role="r", exclude_account=organization[0]).targets == expected


# Accounts that are only read


def test_accounts_that_are_only_read_are_read_where_the_targets_are(profiles: Profiles) -> None:
    profiles(one=ONE)
    profiles("region = us-east-1", two=TWO)
    run = Run(profile="one", region=("eu-west-1", "eu-west-2"), used_by_profile="two", used_by_role_arn=role("3" * 12))
    assert run.targets == [(ONE, "eu-west-1"), (ONE, "eu-west-2")]
    assert run.only_read == [(account, region) for account in (TWO, "3" * 12) for region in ("eu-west-1", "eu-west-2")]
    assert [location.read_only for location in run.locations] == [False, False, True, True, True, True]
    assert {account_of(location) for location in run.locations if location.read_only} == {TWO, "3" * 12}


def test_what_is_a_target_too_is_a_target(profiles: Profiles) -> None:
    profiles(one=ONE, two=TWO)
    run = Run(profile=("one", "two"), used_by_profile=("two",), used_by_role_arn=role(ONE))
    assert (run.targets, run.only_read) == ([(ONE, "eu-west-1"), (TWO, "eu-west-1")], [])


def test_the_accounts_beside_one_that_is_only_read_are_known(profiles: Profiles) -> None:
    profiles(one=ONE)
    assert Run(profile="one", used_by_role_arn=role(TWO)).targets == [(ONE, "eu-west-1")]
    assert Run(profile="one", used_by_role_arn=role(ONE)).only_read == []
