"""For each reason to stay: an account in which exactly that keeps an AMI, on the last page, and a free one goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, get_args

import pytest

from amicleaner import filters, plan
from amicleaner.filters import Reason
from tests.flows.flow import NOW, OTHER, TAGS, Flow, decisions, planned, reasons, removed

ORGANIZATION = "arn:aws:organizations::111111111111:organization/o-exampleorgid"
UNIT = "arn:aws:organizations::111111111111:ou/o-exampleorgid/ou-root-unit"


@dataclass(frozen=True)
class Case:
    """An AMI by its members, the options, the reason, and a part of the sentence that explains it."""

    name: str
    reason: Reason
    says: str
    members: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    by_id: bool = False
    """Whether it protects an AMI too that a person names."""


def tagged(**more: str) -> dict[str, Any]:
    return {"tags": TAGS | more}


BY_NAME: dict[str, Any] = {"mapping_key": "name", "mapping_values": ("web", "db")}

CASES = [
    *(
        Case(state, "state", state, {"state": state}, by_id=True)
        for state in ("pending", "disabled", "transient", "deregistered", "hibernated")
    ),
    Case("no date", "state", "date", {"omit": {"CreationDate"}}),
    Case("a date that is none", "state", "date", {"extra": {"CreationDate": "yesterday"}}),
    *(
        Case(f"protection {text}", "protected", text, {"deregistration_protection": text}, by_id=True)
        for text in ("enabled-with-cooldown", "enabled-without-cooldown", "true", "something-new")
    ),
    Case("AWS Backup's tag", "managed", "AWS Backup", {"tags": TAGS | {"aws:backup:source-resource": "i-1"}}, by_id=True),
    Case("AWS Backup's name", "managed", "AWS Backup", {"name": "AwsBackup_i-1"}, by_id=True),
    Case(
        "Data Lifecycle Manager's tag", "managed", "Data Lifecycle", {"tags": TAGS | {"aws:dlm:lifecycle-policy-id": "p"}},
        by_id=True,
    ),
    Case("dlm:managed", "managed", "Data Lifecycle", {"tags": TAGS | {"dlm:managed": "yes"}}, by_id=True),
    Case("public", "public", "public", {"public": True}, by_id=True),
    Case("shared with an account", "shared", OTHER, {"shared_with": (OTHER,)}, by_id=True),
    Case("shared with an organization", "shared", "the organization", {"organizations": (ORGANIZATION,)}, by_id=True),
    Case("shared with a unit", "shared", "the organizational unit", {"organizations": (UNIT,)}, by_id=True),
    Case("keep tag", "keep-tag", "golden", tagged(golden=""), {"keep_tag": ("golden",)}, by_id=True),
    Case("keep tag's value", "keep-tag", "golden=yes", tagged(golden="yes"), {"keep_tag": ("golden=yes",)}, by_id=True),
    Case(
        "excluded", "excluded", "legacy", {"tags": TAGS | {"role": "web-legacy"}},
        {"excluded_mapping_values": ("other", "legacy")},
    ),
    Case(
        "excluded by name", "excluded", "old", {"name": "web-old-1"},
        {**BY_NAME, "excluded_mapping_values": ("old", "other")},
    ),
    Case(
        "recently launched", "recently-launched", "within 30 days", {"last_launched": NOW - timedelta(days=29)},
        {"unused_days": 30},
    ),
    Case("without the tag", "not-selected", "--only-tag", {}, {"only_tag": ("team=blue",)}),
    Case("another name", "not-selected", "--only-name", {"name": "other"}, {"only_name": ("free*",)}),
    Case("no tags", "no-tags", "environment, role", {"tags": {"Name": "x"}}),
    Case("empty tags", "no-tags", "environment, role", {"tags": {"role": ""}}),
    Case("in no group by name", "no-match", "web, db", {"name": "other"}, BY_NAME),
    Case("too young", "too-young", "less than 11 whole days", {"days": 10.99}, {"ami_min_days": 11}),
    Case("kept previous", "kept-previous", "1 newest", {"days": 1}, {"keep_previous": 1}),
]  # fmt: skip
EACH = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def free_and_held(flow: Flow, case: Case) -> tuple[str, str]:
    """The free one is of the same group, where the held one has one, and stands on a page before."""
    flow.fake_aws.pager.cap = 1
    free = flow.add(name="web-free" if "mapping_key" in case.options else "free", days=40, tags=TAGS | {"team": "blue"})
    members = {"name": "web", **case.members}
    held = flow.add(**members)
    return free.image_id, held.image_id


@EACH
def test_exactly_this_keeps_it(flow: Flow, case: Case) -> None:
    free, held = free_and_held(flow, case)
    result = flow.clean(**case.options)
    assert removed(result) == {free}
    assert flow.home.images.keys() == {held}
    assert reasons(result) == {free: "old", held: case.reason}
    explanation = decisions(result)[held].explanation
    assert case.says in explanation
    assert explanation.endswith(".")
    assert len(flow.calls("DescribeImages")) == 2


@EACH
def test_without_its_rule_it_goes(flow: Flow, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps it is this one rule, so that the test before tells when the rule is lost."""
    free, held = free_and_held(flow, case)
    options = {**case.options, **({"keep_previous": 0} if case.reason == "kept-previous" else {})}
    # Everybody is also somebody outside the run; and AWS protects what is protected.
    lost = {case.reason, *(["shared"] if case.reason == "public" else [])}
    left = {name: tuple(rule for rule in getattr(filters, name) if rule[0] not in lost) for name in ("RULES", "NAMED_RULES")}
    monkeypatch.setattr(filters.keep_reason, "__defaults__", (left["RULES"],))
    monkeypatch.setattr(plan, "NAMED_RULES", left["NAMED_RULES"])
    assert planned(flow.clean(**options)) == {free, held}


def test_every_reason_has_a_case() -> None:
    assert {case.reason for case in CASES} == set(get_args(Reason)) - {"in-use", "old", "named"}


NAMED = [case for case in CASES if case.by_id]
CHOICES = [case for case in CASES if not case.by_id]


@pytest.mark.parametrize("case", NAMED, ids=[case.name for case in NAMED])
def test_it_keeps_one_that_is_named_too(flow: Flow, case: Case) -> None:
    free, held = free_and_held(flow, case)
    result = flow.clean(from_ids=(held, free), force_delete=False, **case.options)
    assert removed(result) == {free}
    assert reasons(result) == {free: "named", held: case.reason}
    [problem] = result.problems
    assert problem.startswith(f"{held} stays ({case.reason}): ")
    assert result.exit_status == 1


@pytest.mark.parametrize("case", CHOICES, ids=[case.name for case in CHOICES])
def test_what_is_about_groups_does_not_keep_one_that_is_named(flow: Flow, case: Case) -> None:
    _, held = free_and_held(flow, case)
    result = flow.clean(from_ids=(held,), force_delete=False)
    assert removed(result) == {held}
    assert result.exit_status == 0


# In the contract's order: each next AMI has one reason less.
ORDER: tuple[tuple[str, dict[str, Any]], ...] = (
    ("in-use", {}),
    ("state", {"state": "disabled"}),
    ("protected", {"deregistration_protection": "true"}),
    ("managed", {"tags": {"dlm:managed": "1"}}),
    ("public", {"public": True}),
    ("keep-tag", {"tags": {"golden": "1"}}),
    ("excluded", {"tags": {"role": "legacy"}}),
    ("recently-launched", {"last_launched": NOW}),
    ("not-selected", {"name": "other"}),
    ("no-tags", {"tags": {"role": "", "environment": ""}}),
)


def test_the_first_reason_in_the_contracts_order_is_told(flow: Flow) -> None:
    expected = {}
    for start, (reason, _) in enumerate(ORDER):
        rest = ORDER[start:]
        members: dict[str, Any] = {"days": 1, "name": "free"}
        tags = dict(TAGS)
        for name, more in rest:
            # What has no tags has no value that could be excluded.
            tags |= more.get("tags", {}) if name != "no-tags" or reason == "no-tags" else {}
            members |= {key: value for key, value in more.items() if key != "tags"}
        image = flow.add(**members, tags=tags).image_id
        expected[image] = reason
        if reason == "in-use":
            flow.home.add_instance(image)
    young = flow.add(days=1, name="free").image_id
    kept = flow.add(days=20, name="free").image_id
    old = flow.add(days=21, name="free").image_id
    result = flow.clean(
        keep_previous=1, keep_tag=("golden",), excluded_mapping_values=("legacy",), unused_days=3, only_name=("free",),
        ami_min_days=7,
    )  # fmt: skip
    assert reasons(result) == {**expected, young: "too-young", kept: "kept-previous", old: "old"}
    assert removed(result) == {old}


class TestOptions:
    @pytest.mark.parametrize("members", [{"public": True}, {"shared_with": (OTHER,)}, {"organizations": (UNIT,)}])
    def test_include_shared_lets_go_what_is_shared_and_asks_nothing(self, flow: Flow, members: dict[str, Any]) -> None:
        image = flow.add(**members).image_id
        assert removed(flow.clean(include_shared=True)) == {image}
        assert flow.calls("DescribeImageAttribute") == []

    def test_being_shared_does_not_change_who_is_among_the_newest(self, flow: Flow) -> None:
        first, second, third = flow.several(3)
        flow.home.images[second].shared_with = (OTHER,)
        result = flow.clean(keep_previous=1)
        assert reasons(result) == {first: "kept-previous", second: "shared", third: "old"}

    def test_sharing_is_asked_only_of_what_would_go(self, flow: Flow) -> None:
        ids = flow.several(3)
        flow.clean(keep_previous=1)
        assert {call.params["ImageId"] for call in flow.calls("DescribeImageAttribute")} == set(ids[1:])

    def test_include_untagged_makes_the_untagged_a_group(self, flow: Flow) -> None:
        newer, older = flow.add(tags={}, days=1).image_id, flow.add(tags={}, days=2).image_id
        result = flow.clean(include_untagged=True, keep_previous=1)
        assert removed(result) == {older}
        assert decisions(result)[newer].groups == ("no-tags",)

    def test_every_name_group_must_let_it_go(self, flow: Flow) -> None:
        """One group keeps what the other would delete; 0.2.2 deleted it."""
        both = flow.add(name="web-db", days=30).image_id
        web = flow.add(name="web", days=20).image_id
        older = flow.add(name="web", days=40).image_id
        result = flow.clean(**BY_NAME, keep_previous=1)
        assert reasons(result) == {both: "kept-previous", web: "kept-previous", older: "old"}

    def test_an_ami_of_two_groups_is_removed_once(self, flow: Flow) -> None:
        image = flow.add(name="web-db").image_id
        result = flow.clean(**BY_NAME)
        assert removed(result) == {image}
        assert flow.changes() == [image]
        assert result.plan is not None
        assert [(row.label, len(row.decisions)) for row in result.plan.groups] == [("db", 1), ("web", 1)]

    def test_a_failed_ami_takes_no_place(self, flow: Flow) -> None:
        failed = flow.add(days=1, state="failed").image_id
        newest, oldest = flow.add(days=2).image_id, flow.add(days=3).image_id
        assert removed(flow.clean(keep_previous=1)) == {failed, oldest}
        assert flow.home.images.keys() == {newest}

    def test_what_is_not_selected_takes_no_place_and_is_in_no_group(self, flow: Flow) -> None:
        other = flow.add(days=1, name="other").image_id
        mine, older = flow.add(days=2, name="mine").image_id, flow.add(days=3, name="mine").image_id
        result = flow.clean(keep_previous=1, only_name=("mine",))
        assert reasons(result) == {other: "not-selected", mine: "kept-previous", older: "old"}
        assert decisions(result)[other].groups == ()
