"""Each reason to stay, its edges, and the order in which they are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest

from amicleaner.config import Config
from amicleaner.filters import NAMED_RULES, RULES, Reason, RuleContext, keep_reason
from amicleaner.mapper import groups_of
from amicleaner.models import Ami
from tests.strategies import NOW, image, use

DEV_FRONT = {"environment": "dev", "role": "front"}
BY_NAME: dict[str, Any] = {"mapping_key": "name", "mapping_values": ("image",)}


def reason(ami: Ami, *, uses: int = 0, shared_with: tuple[str, ...] = (), now: datetime = NOW, **options: Any) -> str | None:
    """Why an AMI stays, or None if it may go."""
    config = Config(**options)
    groups = groups_of(ami, config.mapping_key, config.mapping_values)
    found = keep_reason(RuleContext(ami, (use(ami),) * uses, groups, shared_with, config, now))
    if found is None:
        return None
    assert found[1].endswith(".")
    return found[0]


def tagged(**changes: Any) -> Ami:
    return image(1, tags={**DEV_FRONT, **changes.pop("more", {})}, **changes)


def test_an_ordinary_ami_may_go() -> None:
    assert reason(tagged()) is None


def test_the_reasons_stand_in_the_order_of_the_contract() -> None:
    order = [reason for reason, _ in RULES]
    assert list(dict.fromkeys(order)) == list(get_args(Reason))[: len(set(order))]
    assert get_args(Reason) == tuple(
        "in-use state protected managed public shared keep-tag excluded recently-launched not-selected no-tags no-match "
        "too-young kept-previous old named".split()
    )
    assert [reason for reason, _ in NAMED_RULES] == "in-use state protected managed public shared keep-tag".split()


EVERYTHING = image(
    1, state="pending", protection="enabled", public=True, name="AwsBackup_1", tags={"keep": ""}, last_launched=NOW, days=1
)
ALL_OPTIONS: dict[str, Any] = {
    "keep_tag": "keep",
    "excluded_mapping_values": "Backup",
    "unused_days": 5,
    "only_name": "none",
    "ami_min_days": 5,
    "mapping_key": "name",
    "mapping_values": "none",
}


@pytest.mark.parametrize(
    "ami, uses, options, expected",
    [
        (EVERYTHING, 1, {}, "in-use"),
        (EVERYTHING, 0, {}, "state"),
        (image(1, state="available", created=None, protection="enabled"), 0, {}, "state"),
    ],
)
def test_the_first_reason_is_told(ami: Ami, uses: int, options: dict[str, Any], expected: str) -> None:
    assert reason(ami, uses=uses, shared_with=("account 2",), **{**ALL_OPTIONS, **options}) == expected


def test_reasons_fall_away_one_after_the_other() -> None:
    """Each reason is told only where those before it do not hold."""
    base: dict[str, Any] = {"days": 1, "last_launched": NOW}
    more: dict[str, Any] = {"tags": {"keep": ""}}
    told = [
        reason(image(1, **base, **more, protection="on", name="AwsBackup_1", public=True), **ALL_OPTIONS),
        reason(image(1, **base, **more, name="AwsBackup_1", public=True), **ALL_OPTIONS),
        reason(image(1, **base, **more, name="xBackup", public=True), shared_with=("you",), **ALL_OPTIONS),
        reason(image(1, **base, **more, name="xBackup"), shared_with=("you",), **ALL_OPTIONS),
        reason(image(1, **base, **more, name="xBackup"), **ALL_OPTIONS),
        reason(image(1, **base, name="xBackup"), **ALL_OPTIONS),
        reason(image(1, **base), **ALL_OPTIONS),
        reason(image(1, days=1), **ALL_OPTIONS),
        reason(image(1, days=1, name="none"), **{**ALL_OPTIONS, "mapping_values": "other"}),
        reason(image(1, days=1), ami_min_days=5),
        reason(image(1, days=1, name="none"), **ALL_OPTIONS),
        reason(image(1, days=9, name="none"), **ALL_OPTIONS),
    ]
    assert told == [
        *("protected", "managed", "public", "shared", "keep-tag", "excluded", "recently-launched", "not-selected"),
        *("no-match", "no-tags", "too-young", None),
    ]


def test_who_uses_it_is_told() -> None:
    ami = tagged()
    told = [keep_reason(RuleContext(ami, (use(ami),) * count, (), (), Config(), NOW), [RULES[0]]) for count in (1, 2, 3)]
    assert told == [
        ("in-use", "It is used by instance i-00000001 (stopped)."),
        ("in-use", "It is used by instance i-00000001 (stopped) and 1 more."),
        ("in-use", "It is used by instance i-00000001 (stopped) and 2 more."),
    ]


@pytest.mark.parametrize(
    "state, expected",
    [
        ("available", None),
        *((state, None) for state in ("failed", "error", "invalid")),
        *((state, "state") for state in ("pending", "disabled", "transient", "deregistered", "", "Available", "new")),
    ],
)
def test_states(state: str, expected: str | None) -> None:
    assert reason(tagged(state=state)) == expected


def test_what_has_no_date_is_never_old() -> None:
    assert reason(tagged(created=None)) == "state"


@pytest.mark.parametrize(
    "protection, expected",
    [
        ("", None),
        ("disabled", None),
        *((text, "protected") for text in ("enabled", "enabled-with-cooldown", "Disabled", "?")),
    ],
)
def test_protection(protection: str, expected: str | None) -> None:
    assert reason(tagged(protection=protection)) == expected


@pytest.mark.parametrize(
    "tag, name, expected",
    [
        ("aws:backup:source-resource", "image", "managed"),
        ("aws:dlm:lifecycle-policy-id", "image", "managed"),
        ("dlm:managed", "image", "managed"),
        ("role", "AwsBackup_i-1_2", "managed"),
        ("dlm:managed-by", "my-AwsBackup_1", None),
        ("backup", "awsbackup_1", None),
    ],
)
def test_managed(tag: str, name: str, expected: str | None) -> None:
    assert reason(tagged(more={tag: "x"}, name=name)) == expected


def test_public_and_shared_ones_go_only_with_include_shared() -> None:
    assert reason(tagged(public=True)) == "public"
    assert reason(tagged(), shared_with=("account 2",)) == "shared"
    assert reason(tagged(public=True), shared_with=("everybody",), include_shared=True) is None


@pytest.mark.parametrize(
    "keep_tag, expected",
    [
        ("keep", "keep-tag"),
        ("keep=yes", "keep-tag"),
        ("a=b", "keep-tag"),
        ("a=b=c", "keep-tag"),
        ("empty=", "keep-tag"),
        *((text, None) for text in ("kee", "keep=ye", "keep=", "yes", "Keep", "a")),
    ],
)
def test_keep_tag(keep_tag: str, expected: str | None) -> None:
    ami = tagged(more={"keep": "yes", "a=b": "c", "empty": ""})
    assert reason(ami, keep_tag=keep_tag) == expected
    assert reason(ami, keep_tag=("other", keep_tag)) == expected


@pytest.mark.parametrize(
    "excluded, expected",
    [
        (("dev",), "excluded"),
        (("ron",), "excluded"),
        (("prod", "dev"), "excluded"),
        (("dev", "prod"), "excluded"),
        (("dev", "front"), "excluded"),
        (("dev.front",), "excluded"),
        (("prod",), None),
        (("prod", "back"), None),
        (("me",), None),
        (("role",), None),
        (("image",), None),
    ],
)
def test_excluded_values_by_tags_are_parts_of_the_grouped_values(excluded: tuple[str, ...], expected: str | None) -> None:
    """In 0.2.2 two of them excluded nothing."""
    assert reason(tagged(more={"owner": "me"}), excluded_mapping_values=excluded) == expected


@pytest.mark.parametrize(
    "excluded, expected",
    [(("mag",), "excluded"), (("no", "mag"), "excluded"), (("mag", "no"), "excluded"), (("dev",), None)],
)
def test_excluded_values_by_name_are_parts_of_the_name(excluded: tuple[str, ...], expected: str | None) -> None:
    assert reason(tagged(), **BY_NAME, excluded_mapping_values=excluded) == expected


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "ago, days, expected",
    [
        (timedelta(days=7) - SECOND, 7, "recently-launched"),
        (timedelta(days=7), 7, "recently-launched"),
        (timedelta(days=7) + SECOND, 7, None),
        (timedelta(0), 0, "recently-launched"),
        (SECOND, 0, None),
        (-timedelta(days=1), 0, "recently-launched"),
        (timedelta(days=1), None, None),
    ],
)
def test_recently_launched(ago: timedelta, days: int | None, expected: str | None) -> None:
    assert reason(tagged(last_launched=NOW - ago), unused_days=days) == expected


def test_what_was_never_launched_was_not_launched_recently() -> None:
    assert reason(tagged(last_launched=None), unused_days=10_000) is None


@pytest.mark.parametrize(
    "age, days, expected",
    [
        (timedelta(days=3) - SECOND, 3, "too-young"),
        (timedelta(days=3), 3, None),
        (timedelta(days=2, hours=23, minutes=59), 3, "too-young"),
        (SECOND, 1, "too-young"),
        (timedelta(0), 0, None),
        (-SECOND, 0, "too-young"),
        (-SECOND, -1, None),
        (-timedelta(days=9), -1, None),
        (timedelta(0), 10**30, "too-young"),
    ],
)
def test_too_young_counts_whole_days(age: timedelta, days: int, expected: str | None) -> None:
    assert reason(tagged(created=NOW - age), ami_min_days=days) == expected


@pytest.mark.parametrize("hours", [-11, 0, 13])
def test_ages_are_the_same_in_every_zone(hours: int) -> None:
    """0.2.2 compared local time with UTC."""
    now = NOW.astimezone(timezone(timedelta(hours=hours)))
    created = Ami.from_aws({"ImageId": "ami-1", "CreationDate": "2024-03-07T12:00:00.000Z"}).created
    assert reason(tagged(created=created), ami_min_days=3, now=now) is None
    assert reason(tagged(created=created), ami_min_days=3, now=now - SECOND) == "too-young"
    assert datetime(2024, 3, 10, 12, tzinfo=UTC) == NOW


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"only_tag": "role=front"}, None),
        ({"only_tag": ("role=front", "environment=dev")}, None),
        ({"only_tag": ("role=front", "environment=prod")}, "not-selected"),
        ({"only_tag": "role=fron"}, "not-selected"),
        ({"only_tag": "empty="}, None),
        ({"only_tag": "missing="}, "not-selected"),
        ({"only_name": "image-*"}, None),
        ({"only_name": ("other", "?mage-[0-9]")}, None),
        ({"only_name": ("image", "Image-*", "*-2")}, "not-selected"),
        ({"only_name": "image-*", "only_tag": "role=back"}, "not-selected"),
    ],
)
def test_not_selected(options: dict[str, Any], expected: str | None) -> None:
    assert reason(tagged(more={"empty": ""}), **options) == expected


def test_no_tags_and_no_match() -> None:
    assert reason(image(1, tags={"environment": "", "Role": "front"})) == "no-tags"
    assert reason(image(1), include_untagged=True) is None
    assert reason(image(1, name="other"), **BY_NAME) == "no-match"
    assert reason(image(1, name="other"), **BY_NAME, include_untagged=True) == "no-match"
    assert reason(image(1), **BY_NAME) is None


def test_an_unreadable_date_of_the_last_launch_counts_as_just_now() -> None:
    ami = Ami.from_aws(
        {"ImageId": "ami-1", "State": "available", "CreationDate": "2020-01-01T00:00:00Z", "LastLaunchedTime": "?"}
    )
    found = keep_reason(RuleContext(ami, (), ((("role", "web"),),), (), Config(unused_days=0), NOW))
    assert found == ("recently-launched", "It was launched, and AWS's date of that is unreadable.")


@pytest.mark.parametrize(
    "ami, options, sentence",
    [
        (tagged(state=""), {}, "Its state is unknown."),
        (tagged(created=None), {}, "Its creation date is missing or unreadable, so its age is unknown."),
        (tagged(protection="on"), {}, "It has deregistration protection (on)."),
        (tagged(public=True), {}, "It is public."),
        (tagged(name="AwsBackup_1"), {}, "AWS Backup manages it."),
        (tagged(more={"aws:backup:x": ""}), {}, "AWS Backup manages it."),
        (tagged(more={"dlm:managed": ""}), {}, "Data Lifecycle Manager manages it."),
        (tagged(), {"keep_tag": "role=front"}, "It has the tag role=front of --keep-tag."),
        (tagged(), {"excluded_mapping_values": ("x", "dev")}, "--excluded-mapping-values excludes dev."),
        (tagged(last_launched=NOW), {"unused_days": 2}, "It was launched on 2024-03-10, within 2 days."),
        (tagged(), {"only_tag": "role=db"}, "It does not have the tags of --only-tag."),
        (tagged(), {"only_name": "db*"}, "Its name matches none of --only-name."),
        (image(1), {}, "It has none of the tags environment, role."),
        (tagged(), {"mapping_key": "name", "mapping_values": ("a1", "b2")}, "Its name contains none of a1, b2."),
        (tagged(days=1), {"ami_min_days": 2}, "It was created on 2024-03-09, less than 2 whole days ago."),
    ],
)
def test_each_reason_is_told_in_a_sentence(ami: Ami, options: dict[str, Any], sentence: str) -> None:
    config = Config(**options)
    groups = groups_of(ami, config.mapping_key, config.mapping_values)
    found = keep_reason(RuleContext(ami, (), groups, (), config, NOW))
    assert found is not None
    assert found[1] == sentence


def test_everybody_it_is_shared_with_is_told() -> None:
    found = keep_reason(RuleContext(tagged(), (), (), ("account 2", "account 3"), Config(), NOW))
    assert found == ("shared", "It is shared with account 2, account 3.")
