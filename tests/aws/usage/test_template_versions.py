"""Launch template versions that groups, fleets and others name."""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.aws.usage import launch_templates
from amicleaner.errors import AwsError
from tests.aws.usage.account import Account

CALL = "DescribeLaunchTemplateVersions"


def name_version(account: Account, name: str = "front", **specification: str) -> None:
    account.region.add_group(name, launch_template=specification)


@pytest.mark.parametrize("by", ["id", "name"])
@pytest.mark.parametrize(
    ("version", "label"),
    [
        ("2", "2"),
        ("02", "2"),
        ("1", "1 (default)"),
        ("$Default", "1 (default)"),
        (None, "1 (default)"),
        ("$Latest", "3 (latest)"),
    ],
)
def test_what_a_version_means(account: Account, by: str, version: str | None, label: str) -> None:
    images = [account.image() for _ in range(3)]
    template = account.region.add_launch_template("web", versions=[{"ImageId": image} for image in images])
    named = {"LaunchTemplateId": template.template_id} if by == "id" else {"LaunchTemplateName": "web"}
    name_version(account, **named, **({"Version": version} if version else {}))
    image = images[int(label[0]) - 1]
    want = f'Auto Scaling group "front", launch template {template.template_id} "web" version {label}'
    assert [use for use in account.users(image) if use.startswith("Auto")] == [want]


def test_known_versions_cost_no_call(account: Account) -> None:
    template = account.region.add_launch_template("web", versions=[{"ImageId": account.image()} for _ in range(3)])
    for number, version in enumerate(("$Latest", "$Default", "1", "3")):
        name_version(account, str(number), LaunchTemplateId=template.template_id, Version=version)
        name_version(account, f"by name {number}", LaunchTemplateName="web", Version=version)
    account.read()
    assert account.fake_aws.calls.count(CALL) == 1


def test_one_call_a_template_for_all_its_numbers(account: Account) -> None:
    images = [account.image() for _ in range(12)]
    for name in ("one", "two"):
        account.region.add_launch_template(name, versions=[{}, *({"ImageId": image} for image in images), {}])
    for number in range(2, 14):
        name_version(account, f"a{number}", LaunchTemplateName="one", Version=str(number))
        name_version(account, f"b{number}", LaunchTemplateName="two", Version=str(number))
    account.fake_aws.pager.cap = 5
    assert account.read().uses.keys() == set(images)
    assert len([call for call in account.fake_aws.calls.of(CALL) if call.page == 1]) == 3


def test_more_numbers_than_one_call_takes(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch_templates, "AT_ONCE", 2)
    images = [account.image() for _ in range(5)]
    account.region.add_launch_template("web", versions=[{}, *({"ImageId": image} for image in images), {}])
    for number in range(2, 7):
        name_version(account, f"g{number}", LaunchTemplateName="web", Version=str(number))
    assert account.read().uses.keys() == set(images)
    assert account.fake_aws.calls.count(CALL) == 4


def test_a_hidden_managed_template(account: Account) -> None:
    image = account.image()
    account.region.add_launch_template("web", versions=[{}, {"ImageId": image}, {}], managed=True)
    name_version(account, LaunchTemplateName="web", Version="2")
    assert len(account.users(image)) == 1


def test_a_name_that_looks_like_an_id(account: Account) -> None:
    image = account.image()
    account.region.add_launch_template("lt-web", versions=[{}, {"ImageId": image}, {}])
    name_version(account, LaunchTemplateName="lt-web", Version="2")
    assert len(account.users(image)) == 1


def test_a_version_that_was_deleted_is_a_warning_and_the_others_count(account: Account) -> None:
    image = account.image()
    template = account.region.add_launch_template("web", versions=[{}, {"ImageId": image}, {}, {}])
    del template.versions[3]
    name_version(account, "one", LaunchTemplateId=template.template_id, Version="2")
    name_version(account, "two", LaunchTemplateId=template.template_id, Version="3")
    assert len(account.users(image)) == 1
    assert account.warnings == (
        (
            f'Launch template {template.template_id} version 3 does not exist (named by Auto Scaling group "two"); '
            "it protects no AMI."
        ),
    )


@pytest.mark.parametrize("version", ["7", "$Latest", "$Default"])
@pytest.mark.parametrize("named", [{"LaunchTemplateId": "lt-0123456789abcdef0"}, {"LaunchTemplateName": "gone"}])
def test_a_template_that_was_deleted_is_a_warning(account: Account, version: str, named: dict[str, str]) -> None:
    name_version(account, **named, Version=version)
    assert account.read().uses == {}
    assert account.warnings == (
        (
            f"Launch template {next(iter(named.values()))} version {version} does not exist "
            '(named by Auto Scaling group "front"); it protects no AMI.'
        ),
    )


@pytest.mark.parametrize(("version", "mark"), [("$Latest", "latest"), ("$Default", "default")])
def test_a_template_that_came_after_the_templates_were_read(account: Account, version: str, mark: str) -> None:
    images = [account.image(), account.image()]
    name_version(account, LaunchTemplateName="new", Version=version)

    def make(*_: object) -> None:
        if not account.region.launch_templates:
            account.region.add_launch_template("new", versions=[{"ImageId": image} for image in images])

    account.fake_aws.after(CALL, make)
    uses = account.read().uses
    assert uses.keys() == {images[mark == "latest"]}
    assert all(use.label.endswith(f"({mark})") for use in uses[images[mark == "latest"]])


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "InvalidParameterValue", "InvalidLaunchTemplateId.Malformed"])
def test_any_other_refusal_stops_the_run(account: Account, code: str) -> None:
    account.region.add_launch_template("web", versions=[{}, {"ImageId": account.image()}, {}])
    name_version(account, LaunchTemplateName="web", Version="2")
    account.fault(CALL, code=code, when=lambda call: "LaunchTemplateId" in call.params)
    with pytest.raises(AwsError, match=f"{CALL} .*{code}") as caught:
        account.read()
    assert ("--skip-check launch-templates" in caught.value.hint) == (code == "UnauthorizedOperation")


ITEM: dict[str, Any] = {
    "LaunchTemplateId": "lt-1",
    "LaunchTemplateName": "new",
    "VersionNumber": 2,
    "LaunchTemplateData": {},
}


@pytest.mark.parametrize(
    ("version", "answer"),
    [
        ("2", [ITEM | {"VersionNumber": 7}]),
        ("2", [ITEM, ITEM | {"VersionNumber": 3}]),
        ("2", [ITEM | {"LaunchTemplateName": "other"}]),
        ("2", [{name: value for name, value in ITEM.items() if name != "LaunchTemplateName"}]),
        ("$Latest", [ITEM | {"LaunchTemplateName": "other"}]),
        ("$Latest", []),
        ("$Default", [ITEM, ITEM | {"VersionNumber": 3}]),
    ],
)
def test_other_versions_than_those_asked_for_stop_the_run(account: Account, version: str, answer: Any) -> None:
    """They don't say that the version is gone, which would protect nothing."""
    pages = account.api.pages
    asks = lambda action, **more: answer if "LaunchTemplateName" in more else pages(action, **more)  # noqa: E731
    account.api.pages = asks  # type: ignore[method-assign]
    name_version(account, LaunchTemplateName="new", Version=version)
    with pytest.raises(AwsError, match="MalformedResponse: the response lacks requested versions of new"):
        account.read()


def test_a_version_longer_than_any_number(account: Account) -> None:
    """Python refuses to make a number of so many digits."""
    template = account.region.add_launch_template("web", versions=[{}, {}])
    name_version(account, LaunchTemplateId=template.template_id, Version="9" * 5000)
    account.fault(CALL, code="InvalidParameterValue", when=lambda call: "LaunchTemplateId" in call.params)
    with pytest.raises(AwsError, match="InvalidParameterValue"):
        account.read()
