"""Rules of the configuration file, and the way through quarantine, case by case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from amicleaner.actions import DELETE, KEEP, QUARANTINE, QUARANTINE_TAG, RELEASE, Action
from amicleaner.config import Config, Rule
from amicleaner.decisions import Facts
from amicleaner.models import Ami, Inventory
from amicleaner.plan import make_plan, rules_without_amis
from amicleaner.quarantine import format_time
from tests.strategies import HERE, NOW, THERE, actions, ami_id, image, plan_of, reasons, removed, row, used

WEEK = timedelta(days=7)
PULL_REQUESTS = Rule("pull-requests", (("only_name", ("pr-*",)), ("keep_previous", 0), ("ami_min_days", 7)))
PRODUCTION = Rule("production", (("only_tag", ("environment=prod",)), ("keep_previous", 2), ("keep_yearly", 1)))
ALL = Rule("others", (("keep_previous", 1),))


def quarantined(number: int, days: float = 8, **changes: Any) -> Ami:
    """An AMI of the group `front` that has been in quarantine for so many days."""
    tags = {"role": "front", QUARANTINE_TAG: format_time(NOW - timedelta(days=days)), **changes.pop("more", {})}
    return image(number, days=100 + number, tags=tags, **{"state": "disabled", **changes})


# Rules


def by_rules(amis: list[Ami], *rules: Rule, **options: Any) -> list[tuple[str, str]]:
    return [(decision.rule, decision.reason) for decision in plan_of(amis, rules=rules, **options).decisions]


def test_the_first_rule_that_matches_decides() -> None:
    amis = [
        image(1, name="pr-1", days=9, tags={"role": "web"}),
        image(2, name="pr-2", days=3, tags={"role": "web"}),
        image(3, name="pr-3", days=9, tags={"role": "web", "environment": "prod"}),
        *row(3, 4, tags={"environment": "prod"}),
        *row(2, 7, tags={"role": "db"}),
    ]
    assert by_rules(amis, PULL_REQUESTS, PRODUCTION, ALL) == [
        ("pull-requests", "old"),
        ("pull-requests", "too-young"),
        ("pull-requests", "old"),
        *[("production", "kept-previous")] * 2,
        ("production", "old"),
        ("others", "kept-previous"),
        ("others", "old"),
    ]
    assert by_rules(amis, PRODUCTION, PULL_REQUESTS, ALL)[2] == ("production", "kept-previous")


def test_an_ami_that_no_rule_matches_is_kept() -> None:
    plan = plan_of(row(2, tags={"environment": "dev"}), rules=(PULL_REQUESTS, PRODUCTION), keep_previous=0)
    assert {(decision.rule, decision.reason, decision.groups) for decision in plan.decisions} == {("", "no-rule", ())}
    assert plan.decisions[0].explanation == "No rule of the configuration file selects it."


def test_an_ami_that_no_rule_matches_has_its_own_reason_first() -> None:
    amis = [image(1), image(2, public=True), image(3, tags={"keep": ""})]
    assert reasons(plan_of(amis, used(amis[0]), rules=(PRODUCTION,), keep_tag="keep")) == ["in-use", "public", "keep-tag"]


def test_groups_and_n_count_within_a_rule() -> None:
    amis = [*row(2), *row(2, 3, tags={"role": "front", "environment": ""}, name="pr-1")]
    rules = (Rule("pr", (("only_name", ("pr-*",)), ("keep_previous", 1))), Rule("all", (("keep_previous", 1),)))
    plan = plan_of(amis, rules=rules)
    assert removed(plan) == {ami_id(2), ami_id(4)}
    assert [(group.rule, group.label, group.amis) for group in plan.groups] == [("all", "front", 2), ("pr", "front", 2)]


def test_only_the_named_rules_run_and_all_decide_whose_an_ami_is() -> None:
    amis = [image(1, name="pr-1", days=9, tags={"role": "web"}), *row(2, 2, tags={"role": "web"})]
    plan = plan_of(amis, rules=(PULL_REQUESTS, ALL), rule="others")
    assert [(decision.rule, decision.reason) for decision in plan.decisions] == [
        ("pull-requests", "not-selected"),
        ("others", "kept-previous"),
        ("others", "old"),
    ]
    assert plan.decisions[0].explanation == "Belongs to rule pull-requests, which --rule leaves out."


def test_a_rule_without_amis_in_any_target_is_named() -> None:
    rules = (PULL_REQUESTS, ALL, PRODUCTION)
    inventories = [Inventory(HERE, tuple(row(1))), Inventory(THERE, (image(9, name="pr-9"),))]
    plan = make_plan(inventories, Facts(), Config(rules=rules), NOW)
    assert rules_without_amis(plan) == ("production",)  # an earlier rule matches everything
    assert rules_without_amis(make_plan(inventories[:1], Facts(), Config(rules=rules), NOW)) == (
        "pull-requests",
        "production",
    )
    named = Config(rules=rules, rule=("pull-requests", "others"))
    assert rules_without_amis(make_plan(inventories, Facts(), named, NOW)) == ()
    assert rules_without_amis(plan_of(row(1))) == ()


# Several groups and several rules of keeping


def test_of_several_groups_the_first_reason_by_its_order_is_told() -> None:
    amis = [
        image(1, days=1, name="aa"),
        image(2, days=2, name="aa-bb"),  # the month's newest of no group, but the newest of bb
    ]
    plan = plan_of(amis, mapping_key="name", mapping_values=("aa", "bb"), keep_daily=2, keep_previous=1)
    assert reasons(plan) == ["kept-previous", "kept-previous"]
    assert plan.decisions[1].explanation == "The newest in bb."


# Quarantine


def decided(ami: Ami, *others: Ami, in_use: bool = False, **options: Any) -> tuple[Action, str]:
    plan = plan_of([ami, *others], used(ami) if in_use else None, **{"quarantine": 7, "keep_previous": 0, **options})
    decision = next(decision for decision in plan.decisions if decision.ami == ami)
    return decision.action, decision.reason


@pytest.mark.parametrize(
    "ami, options, expected",
    [
        (image(1, tags={"role": "front"}), {}, (QUARANTINE, "old")),
        (image(1, tags={"role": "front"}), {"in_use": True}, (KEEP, "in-use")),
        (image(1, tags={"role": "front"}), {"quarantine": None}, (DELETE, "old")),
        (image(1, tags={"role": "front"}, state="failed"), {}, (KEEP, "state")),
        (image(1, tags={"role": "front"}, state="disabled"), {}, (KEEP, "state")),
        (quarantined(1, 7), {}, (DELETE, "old")),
        (quarantined(1, 6.99), {}, (KEEP, "quarantined")),
        (quarantined(1, -0.01), {}, (QUARANTINE, "old")),
        (quarantined(1, more={QUARANTINE_TAG: "?"}), {}, (QUARANTINE, "old")),
        (quarantined(1), {"quarantine": None}, (KEEP, "quarantined")),
        (quarantined(1, state="available"), {}, (KEEP, "released")),
        (quarantined(1, state="available"), {"quarantine": None}, (KEEP, "released")),
        # What needs it ends the quarantine, before and after its days.
        *((quarantined(1, days), {"in_use": True}, (RELEASE, "in-use")) for days in (1, 8, -1)),
        (quarantined(1, more={"keep": ""}), {"keep_tag": "keep"}, (RELEASE, "keep-tag")),
        (quarantined(1, more={"amicleaner:keep-until": "2999-01-01"}), {}, (RELEASE, "keep-until")),
        (quarantined(1, protection="enabled"), {}, (RELEASE, "protected")),
        (quarantined(1), {"excluded_mapping_values": "front"}, (RELEASE, "excluded")),
        (quarantined(1), {"ami_min_days": 500}, (RELEASE, "too-young")),
        (quarantined(1), {"keep_previous": 1}, (RELEASE, "kept-previous")),
        (quarantined(1), {"keep_previous": None, "keep_yearly": 1}, (RELEASE, "kept-yearly")),
        # What only leaves it out of the run does not.
        (quarantined(1), {"only_name": "other"}, (KEEP, "not-selected")),
        (quarantined(1), {"rules": (PULL_REQUESTS,)}, (KEEP, "no-rule")),
        (quarantined(1), {"rules": (ALL, PRODUCTION), "rule": "production"}, (KEEP, "not-selected")),
        (quarantined(1), {"mapping_values": "team"}, (KEEP, "no-tags")),
        (quarantined(1), {"mapping_key": "name", "mapping_values": "x"}, (KEEP, "no-match")),
        (quarantined(1), {"limit": 0}, (KEEP, "over-limit")),
        # A reference counts also where no rule selects it.
        (quarantined(1), {"rules": (PULL_REQUESTS,), "in_use": True}, (RELEASE, "in-use")),
        # By id
        (quarantined(1), {"from_ids": ami_id(1), "keep_previous": None}, (DELETE, "named")),
        (quarantined(1, 1), {"from_ids": ami_id(1), "keep_previous": None}, (KEEP, "quarantined")),
        (quarantined(1), {"from_ids": ami_id(1), "keep_previous": None, "quarantine": None}, (KEEP, "quarantined")),
        (image(1), {"from_ids": ami_id(1), "keep_previous": None}, (QUARANTINE, "named")),
    ],
)
def test_the_way_through_quarantine(ami: Ami, options: dict[str, Any], expected: tuple[Action, str]) -> None:
    assert decided(ami, **options) == expected


def test_quarantined_amis_take_no_place_among_the_n() -> None:
    amis = [quarantined(1), *row(3, 2)]  # the quarantined one is the oldest
    assert actions(plan_of(amis, quarantine=7, keep_previous=2)) == ["remove", "keep", "keep", "quarantine"]
    newest = quarantined(1, days=1, created=NOW)  # released, because it is among the newest, and nothing is lost for it
    assert actions(plan_of([newest, *row(3, 2)], quarantine=7, keep_previous=2)) == ["release", "keep", "keep", "quarantine"]


def test_an_ami_comes_back_when_the_newer_ones_are_gone() -> None:
    amis = [*row(2), quarantined(3)]
    assert actions(plan_of(amis, quarantine=7, keep_previous=2)) == ["keep", "keep", "remove"]
    assert actions(plan_of(amis[1:], quarantine=7, keep_previous=2)) == ["keep", "release"]


def test_decisions_say_when_a_quarantine_ends() -> None:
    amis = [image(1, tags={"role": "front"}), quarantined(2, 1), quarantined(3), quarantined(4, more={QUARANTINE_TAG: "?"})]
    plan = plan_of(amis, quarantine=7, keep_previous=0)
    assert [decision.until for decision in plan.decisions] == [NOW + WEEK, NOW + WEEK * 6 / 7, NOW - WEEK / 7, NOW + WEEK]
    assert [decision.explanation for decision in plan.decisions][1:] == [
        "In quarantine until 2024-03-16.",
        "Unused, and its group keeps no AMIs (--keep-previous 0).",
        "The time of its quarantine is unreadable or in the future, so the wait begins again.",
    ]
    limited = plan_of(amis, quarantine=7, keep_previous=0, limit=0)
    assert [decision.until for decision in limited.decisions] == [None, NOW + WEEK * 6 / 7, NOW - WEEK / 7, None]
    (released,) = plan_of([quarantined(1)], used(quarantined(1)), quarantine=7).decisions
    assert (released.until, released.explanation) == (NOW - WEEK / 7, "In use by instance i-00000001 (stopped).")


def test_quarantining_counts_in_the_limit_and_deletes_no_snapshots() -> None:
    plan = plan_of([*row(2), quarantined(3)], quarantine=7, keep_previous=0, limit=2)
    assert actions(plan) == ["keep", "quarantine", "remove"]
    assert (len(plan.removals), len(plan.snapshots)) == (1, 1)
    assert (len(plan.candidates), len(plan.removals)) == (2, 1)
