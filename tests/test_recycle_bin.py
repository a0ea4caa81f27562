"""Until when a deletion can be undone, by the rules of the Recycle Bin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.models import BlockSnapshot
from amicleaner.recycle_bin import BinRules, RetentionRule, restorable_until
from tests.strategies import NOW, as_pairs, bin_rules, image, retention_rules, snapshot

WEB = (("role", "web"),)


def rule(days: int = 7, **changes: Any) -> RetentionRule:
    return RetentionRule(days, changes.pop("available", True), **changes)


@pytest.mark.parametrize(
    "changes, tags, expected",
    [
        ({}, {}, True),
        ({}, {"role": "web"}, True),
        ({"available": False}, {"role": "web"}, False),
        ({"tags": WEB}, {"role": "web"}, True),
        ({"tags": WEB}, {"role": "web", "x": "y"}, True),
        ({"tags": WEB}, {"role": "db"}, False),
        ({"tags": WEB}, {"Role": "web"}, False),
        ({"tags": WEB}, {}, False),
        ({"tags": (*WEB, ("x", "y"))}, {"x": "y"}, True),  # one of them is enough
        ({"tags": (("role", ""),)}, {"role": ""}, True),
        ({"tags": (("role", ""),)}, {"role": "web"}, False),
        ({"tags": (("role", None),)}, {"role": ""}, True),  # a missing value counts as what retains less
        ({"tags": (("role", None),)}, {"role": "web"}, False),
        ({"excluded": WEB}, {"role": "db"}, True),
        ({"excluded": WEB}, {"role": "web"}, False),
        ({"excluded": (("x", "y"), *WEB)}, {"role": "web"}, False),
        ({"excluded": (("role", None),)}, {"role": "web"}, False),
        ({"excluded": (("role", None),)}, {"x": ""}, True),
        ({"tags": WEB, "excluded": WEB}, {"role": "web"}, False),
        ({"available": False, "tags": WEB}, {"role": "web"}, False),
    ],
)
def test_a_rule_matches_by_status_tags_and_exclusions(changes: dict[str, Any], tags: dict[str, str], expected: bool) -> None:
    assert rule(**changes).matches(as_pairs(tags)) is expected


def days_left(rules: BinRules, ami_tags: dict[str, str] | None = None, *snapshot_tags: dict[str, str]) -> int | None:
    blocks = tuple(BlockSnapshot(f"snap-{number}", 8) for number in range(len(snapshot_tags)))
    snapshots = [snapshot(block.id, tags=tags) for block, tags in zip(blocks, snapshot_tags, strict=True)]
    until = restorable_until(image(1, tags=ami_tags, snapshots=blocks), snapshots, rules, NOW)
    return None if until is None else (until - NOW).days


@pytest.mark.parametrize(
    "rules, expected",
    [
        (BinRules((rule(1),), (rule(7),)), 1),
        (BinRules((rule(7), rule(14), rule(3)), (rule(30),)), 14),  # of several the longest
        (BinRules((rule(30),), (rule(3), rule(14))), 14),  # of AMI and snapshots the shortest
        (BinRules((rule(30),), (rule(14, tags=WEB), rule(3))), 3),
        (BinRules((rule(30),), ()), None),
        (BinRules((), (rule(30),)), None),
        (BinRules((rule(30, available=False),), (rule(30),)), None),
        (BinRules((rule(30, tags=WEB),), (rule(30),)), None),
        (BinRules(), None),
    ],
)
def test_of_several_rules_the_longest_and_of_all_parts_the_shortest_counts(rules: BinRules, expected: int | None) -> None:
    assert days_left(rules, {}, {}, {"x": "y"}) == expected


def test_each_snapshot_is_matched_by_its_own_tags() -> None:
    rules = BinRules((rule(30, tags=WEB),), (rule(30, tags=WEB), rule(7, tags=(("x", "y"),))))
    assert days_left(rules, {"role": "web"}, {"role": "web"}) == 30
    assert days_left(rules, {"role": "web"}, {"role": "web"}, {"x": "y"}) == 7
    assert days_left(rules, {"role": "web"}, {"role": "web"}, {}) is None
    assert days_left(rules, {}, {"role": "web"}) is None


def test_an_ami_without_snapshots_is_not_retained() -> None:
    assert days_left(BinRules((rule(),), (rule(),)), {}) is None


def test_a_snapshot_that_was_not_looked_up_counts_as_not_retained() -> None:
    rules = BinRules((rule(),), (rule(),))
    ami = image(1, snapshots=(BlockSnapshot("snap-1", 8), BlockSnapshot("snap-2", 8)))
    assert restorable_until(ami, [snapshot("snap-1")], rules, NOW) is None
    assert restorable_until(ami, [snapshot("snap-1"), snapshot("snap-2")], rules, NOW) == NOW + timedelta(days=7)


def test_the_snapshots_of_other_amis_do_not_matter() -> None:
    rules = BinRules((rule(),), (rule(tags=WEB),))
    ami = image(1, snapshots=(BlockSnapshot("snap-1", 8),))
    found = [snapshot("snap-0"), snapshot("snap-1", tags={"role": "web"}), snapshot("snap-2")]
    assert restorable_until(ami, found, rules, NOW) == NOW + timedelta(days=7)


@given(bin_rules, retention_rules, st.sampled_from(({}, {"role": "web"}, {"keep": "x"})), st.data())
def test_more_rules_never_retain_less(rules: BinRules, more: RetentionRule, tags: dict[str, str], data: Any) -> None:
    before = days_left(rules, tags, tags, {})
    after = days_left(BinRules((*rules.amis, more), (more, *rules.snapshots)), tags, tags, {})
    assert (before or 0) <= (after or 0)
    assert before is None or before in {rule.days for rule in (*rules.amis, *rules.snapshots)}
