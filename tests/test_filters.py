"""Each reason to keep an AMI, its edges, and the order in which the reasons are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest

from amicleaner.actions import KEEP_UNTIL_TAG, QUARANTINE_TAG
from amicleaner.config import Config
from amicleaner.filters import NAMED_RULES, OWN_RULES, RULES, RuleContext, keep_reason
from amicleaner.mapper import groups_of
from amicleaner.models import UNREADABLE, Ami, Reason, Snapshot
from tests.strategies import NOW, image, snapshot, use

DEV_FRONT = {"environment": "dev", "role": "front"}
BY_NAME: dict[str, Any] = {"mapping_key": "name", "mapping_values": ("image",)}


def told(
    ami: Ami,
    *,
    uses: int = 0,
    shared_with: tuple[str, ...] = (),
    snapshots: tuple[Snapshot, ...] = (),
    now: datetime = NOW,
    **options: Any,
) -> tuple[str, str] | None:
    """The reason and the sentence why an AMI is kept, or None if it may be deleted."""
    config = Config(**options)
    ctx = RuleContext(ami, config, now, (use(ami),) * uses, groups_of(ami, config), shared_with, snapshots)
    return keep_reason(ctx, RULES)


def reason(ami: Ami, **changes: Any) -> str | None:
    found = told(ami, **changes)
    if found is None:
        return None
    assert found[1].endswith(".")
    assert not found[1].startswith("It ")
    return found[0]


def tagged(**changes: Any) -> Ami:
    return image(1, tags={**DEV_FRONT, **changes.pop("more", {})}, **changes)


def test_an_ordinary_ami_may_be_deleted() -> None:
    assert reason(tagged()) is None


def test_the_rules_follow_the_order_of_the_reasons() -> None:
    all_reasons = list(get_args(Reason))
    for rules in (RULES, NAMED_RULES, OWN_RULES):
        order = list(dict.fromkeys(reason for reason, _ in rules))
        assert order == [reason for reason in all_reasons if reason in order]
    named = [reason for reason, _ in NAMED_RULES]
    assert named == all_reasons[: all_reasons.index("keep-until") + 1]
    assert [*dict.fromkeys(reason for reason, _ in OWN_RULES)] == all_reasons[: all_reasons.index("not-selected")]


ALL_OPTIONS: dict[str, Any] = {
    "keep_tag": "keep",
    "excluded_mapping_values": "Backup",
    "unused_days": 5,
    "only_name": "none",
    "ami_min_days": 5,
    "mapping_key": "name",
    "mapping_values": "none",
}


def test_each_reason_is_told_only_where_those_before_it_do_not_hold() -> None:
    base: dict[str, Any] = {"days": 1, "last_launched": NOW}
    until = {KEEP_UNTIL_TAG: "2999-01-01"}
    keep = {"keep": "", **until}
    tags = {QUARANTINE_TAG: "x", **keep}
    shared: dict[str, Any] = {"shared_with": ("you",)}
    everything = image(1, **base, tags=tags, state="pending", protection="on", name="AwsBackup_1", public=True)
    found = [
        reason(everything, uses=1, **shared, **ALL_OPTIONS),
        reason(everything, **shared, **ALL_OPTIONS),
        reason(replace(everything, state="available", created=None), **ALL_OPTIONS),
        reason(image(1, **base, tags=tags, state="disabled", protection="on", name="AwsBackup_1"), **ALL_OPTIONS),
        reason(image(1, **base, tags=tags, protection="on", name="AwsBackup_1", public=True), **ALL_OPTIONS),
        reason(image(1, **base, tags=keep, protection="on", name="AwsBackup_1", public=True), **ALL_OPTIONS),
        reason(image(1, **base, tags=keep, name="AwsBackup_1", public=True), **ALL_OPTIONS),
        reason(image(1, **base, tags=keep, name="xBackup", public=True), **shared, **ALL_OPTIONS),
        reason(image(1, **base, tags=keep, name="xBackup"), **shared, **ALL_OPTIONS),
        reason(image(1, **base, tags=keep, name="xBackup"), **ALL_OPTIONS),
        reason(image(1, **base, tags=until, name="xBackup"), **ALL_OPTIONS),
        reason(image(1, **base, name="xBackup"), **ALL_OPTIONS),
        reason(image(1, **base), **ALL_OPTIONS),
        reason(image(1, days=1), **ALL_OPTIONS),
        reason(image(1, days=1, name="none"), **{**ALL_OPTIONS, "mapping_values": "other"}),
        reason(image(1, days=1), ami_min_days=5),
        reason(image(1, days=1, name="none"), **ALL_OPTIONS),
        reason(image(1, days=9, name="none"), **ALL_OPTIONS),
    ]
    assert found == [
        *("in-use", "state", "state", "quarantined", "released", "protected", "managed", "public", "shared", "keep-tag"),
        *("keep-until", "excluded", "recently-launched", "not-selected", "no-match", "no-tags", "too-young", None),
    ]


@pytest.mark.parametrize(
    "state, expected",
    [
        *((state, None) for state in ("available", "failed", "error", "invalid")),
        *((state, "state") for state in ("pending", "disabled", "transient", "deregistered", "", "Available", "new")),
    ],
)
def test_an_ami_in_another_state_is_kept(state: str, expected: str | None) -> None:
    assert reason(tagged(state=state)) == expected


@pytest.mark.parametrize(
    "protection, expected",
    [
        ("", None),
        ("disabled", None),
        *((text, "protected") for text in ("enabled", "enabled-with-cooldown", "Disabled", "?")),
    ],
)
def test_any_protection_but_disabled_keeps(protection: str, expected: str | None) -> None:
    assert reason(tagged(protection=protection)) == expected


@pytest.mark.parametrize(
    "state, tag, quarantine, expected",
    [
        ("disabled", None, None, ("state", "In state disabled.")),
        ("disabled", None, 7, ("state", "In state disabled.")),
        (
            "disabled",
            "2024-03-01T00:00:00Z",
            None,
            ("quarantined", "In quarantine since 2024-03-01; only a run with --quarantine deletes or releases it."),
        ),
        ("disabled", "?", None, ("quarantined", "In quarantine; only a run with --quarantine deletes or releases it.")),
        ("disabled", "2024-03-01T00:00:00Z", 7, None),
        ("disabled", "?", 7, None),
        *(
            (
                "available",
                value,
                quarantine,
                ("released", f"Enabled during its quarantine. Remove the tag {QUARANTINE_TAG} to let it be deleted."),
            )
            for value in ("2024-03-01T00:00:00Z", "?", "")
            for quarantine in (None, 7)
        ),
        ("pending", "2024-03-01T00:00:00Z", 7, ("state", "In state pending.")),
    ],
)
def test_the_tag_and_the_state_tell_who_disabled_or_enabled_an_ami(
    state: str, tag: str | None, quarantine: int | None, expected: tuple[str, str] | None
) -> None:
    more = {} if tag is None else {QUARANTINE_TAG: tag}
    assert told(tagged(state=state, more=more), quarantine=quarantine) == expected


MANAGED = [
    ("aws:backup:source-resource", "image", "managed"),
    ("aws:dlm:lifecycle-policy-id", "image", "managed"),
    ("dlm:managed", "image", "managed"),
    ("role", "AwsBackup_i-1_2", "managed"),
    ("dlm:managed-by", "my-AwsBackup_1", None),
    ("backup", "awsbackup_1", None),
]


@pytest.mark.parametrize("tag, name, expected", MANAGED)
def test_what_another_service_manages_is_kept(tag: str, name: str, expected: str | None) -> None:
    assert reason(tagged(more={tag: "x"}, name=name)) == expected


@pytest.mark.parametrize("tag, name, expected", MANAGED[:3])
def test_a_managed_snapshot_keeps_its_ami(tag: str, name: str, expected: str) -> None:
    assert reason(tagged(), snapshots=(snapshot("snap-1"), snapshot("snap-2", tags={tag: "x"}))) == expected


def test_a_snapshot_with_a_keep_tag_keeps_its_ami() -> None:
    found = (snapshot("snap-1", tags={"other": ""}), snapshot("snap-2", tags={"keep": "x"}))
    assert told(tagged(), snapshots=found, keep_tag="keep") == (
        "keep-tag",
        "Its snapshot snap-2 is tagged keep (--keep-tag).",
    )
    assert reason(tagged(), snapshots=found, keep_tag=("keep=y", "Keep")) is None


@pytest.mark.parametrize(
    "value, now, kept",
    [
        ("2024-03-10", datetime(2024, 3, 10, 23, 59, 59, tzinfo=UTC), True),
        ("2024-03-10", datetime(2024, 3, 11, tzinfo=UTC), False),
        ("2024-03-09", NOW, False),
        ("2024-03-11", NOW, True),
        ("2024-03-10", datetime(2024, 3, 11, 1, tzinfo=timezone(timedelta(hours=2))), True),  # still the 10th in UTC
        ("2024-03-10", datetime(2024, 3, 10, 23, tzinfo=timezone(-timedelta(hours=2))), False),
        ("9999-12-31", NOW, True),
        *(
            (value, NOW, True)
            for value in (
                *("", "20200101", "2020-W01-1", "2020-1-1", " 2020-01-01", "2020-01-01\n", "2020-02-30", "0000-01-01"),
                *("2020-01-01T00:00:00Z", "never", "\u0662020-01-01", "01-01-2020"),
            )
        ),
    ],
)
def test_keep_until_counts_until_its_day_is_over(value: str, now: datetime, kept: bool) -> None:
    assert reason(tagged(more={KEEP_UNTIL_TAG: value}), now=now) == ("keep-until" if kept else None)


def test_public_and_shared_amis_are_deleted_only_with_include_shared() -> None:
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


def test_pattern_and_family_match_names() -> None:
    assert reason(image(1, name="other"), mapping_key="pattern", mapping_values=("^image", "x+")) == "no-match"
    assert reason(image(1), mapping_key="pattern", mapping_values=("^image", "x+")) is None
    assert reason(image(1, name=""), mapping_key="family") == "no-match"
    assert reason(image(1), mapping_key="family") is None


@pytest.mark.parametrize("excluded, expected", [("mag", "excluded"), ("image-1", "excluded"), ("1.im", None), ("img", None)])
def test_excluded_values_by_pattern_and_family_are_parts_of_the_name(excluded: str, expected: str | None) -> None:
    assert reason(image(1), mapping_key="family", excluded_mapping_values=excluded) == expected
    pattern: dict[str, Any] = {"mapping_key": "pattern", "mapping_values": ("(i)mage-(1)",)}
    assert reason(image(1), **pattern, excluded_mapping_values=excluded) == expected
    assert reason(image(1), **pattern, excluded_mapping_values="i.1") == "excluded"  # the group's label


@pytest.mark.parametrize(
    "ami, options, sentence",
    [
        (tagged(), {"uses": 1}, "In use by instance i-00000001 (stopped)."),
        (tagged(), {"uses": 2}, "In use by instance i-00000001 (stopped) and 1 other."),
        (tagged(), {"uses": 3}, "In use by instance i-00000001 (stopped) and 2 others."),
        (tagged(state=""), {}, "In an unknown state."),
        (tagged(state="error"), {"quarantine": 7}, "Creation failed (state error), so it cannot be quarantined."),
        (tagged(state="pending"), {}, "In state pending."),
        (tagged(created=None), {}, "Creation date missing or unreadable, so its age is unknown."),
        (tagged(protection="on"), {}, "Protected against deregistration (on)."),
        (tagged(public=True), {}, "Public: every AWS account can launch it."),
        (tagged(), {"shared_with": ("account 2", "account 3")}, "Shared with account 2, account 3."),
        (tagged(name="AwsBackup_1"), {}, "Managed by AWS Backup."),
        (tagged(owner_alias="aws-backup-vault"), {}, "Managed by AWS Backup."),
        (tagged(more={"aws:backup:x": ""}), {}, "Managed by AWS Backup."),
        (tagged(more={"dlm:managed": ""}), {}, "Managed by Data Lifecycle Manager."),
        (tagged(), {"keep_tag": "role=front"}, "Tagged role=front (--keep-tag)."),
        (tagged(more={KEEP_UNTIL_TAG: "2999-01-01"}), {}, "Tagged amicleaner:keep-until=2999-01-01."),
        (
            tagged(more={KEEP_UNTIL_TAG: "soon"}),
            {},
            "Tagged amicleaner:keep-until=soon, which is not a date (YYYY-MM-DD).",
        ),
        (tagged(), {"excluded_mapping_values": ("x", "dev")}, "Excluded by --excluded-mapping-values dev."),
        (tagged(last_launched=NOW), {"unused_days": 2}, "Launched on 2024-03-10, within the last 2 days."),
        (tagged(last_launched=NOW), {"unused_days": 1}, "Launched on 2024-03-10, within the last 1 day."),
        (
            tagged(last_launched=UNREADABLE),
            {"unused_days": 0},
            "Launched, but AWS's date of the last launch is unreadable.",
        ),
        (tagged(), {"only_tag": "role=db"}, "Does not have the tags of --only-tag."),
        (tagged(), {"only_name": "db*"}, "Name does not match --only-name."),
        (image(1), {}, "Has none of the tags environment, role."),
        (tagged(), {"mapping_key": "name", "mapping_values": ("a1", "b2")}, "Name contains none of a1, b2."),
        (tagged(), {"mapping_key": "pattern", "mapping_values": ("a1", "b2")}, "Name matches none of a1, b2."),
        (tagged(name=""), {"mapping_key": "family"}, "Has no name."),
        (tagged(days=1), {"ami_min_days": 2}, "Created on 2024-03-09, less than 2 days ago."),
    ],
)
def test_each_reason_is_told_in_a_sentence(ami: Ami, options: dict[str, Any], sentence: str) -> None:
    found = told(ami, **options)
    assert found is not None
    assert found[1] == sentence
