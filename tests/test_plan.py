"""The plan: what is deleted, what is kept and why; case by case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from amicleaner.actions import DELETE, KEEP, QUARANTINE_TAG
from amicleaner.config import Config
from amicleaner.decisions import Facts
from amicleaner.models import Ami, BlockSnapshot, Inventory
from amicleaner.plan import limits_exceeded, make_plan, to_resolve
from amicleaner.quarantine import format_time
from amicleaner.recycle_bin import BinRules, RetentionRule
from tests.strategies import (
    HERE,
    NOW,
    THERE,
    actions,
    ami_id,
    image,
    plan_of,
    reasons,
    removed,
    row,
    snapshot,
    use,
    used,
)


def ids(*numbers: int) -> set[str]:
    return {ami_id(number) for number in numbers}


# By group


def test_the_n_newest_of_each_group_are_kept_and_the_others_are_old() -> None:
    amis = [*row(3), *row(3, 4, tags={"role": "back"})]
    plan = plan_of(amis, keep_previous=2)
    assert removed(plan) == ids(3, 6)
    assert reasons(plan) == ["kept-previous", "kept-previous", "old"] * 2
    assert [decision.groups for decision in plan.decisions] == [("front",)] * 3 + [("back",)] * 3
    assert plan.decisions[0].explanation == "One of the 2 newest in front."
    assert plan.decisions[2].explanation == "Unused, and older than the 2 newest in its group."


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"keep_previous": 0}, "Unused, and its group keeps no AMIs (--keep-previous 0)."),
        ({"keep_previous": 1}, "Unused, and older than the newest in its group."),
        ({"keep_yearly": 1}, "Unused, and not among the AMIs that its group keeps (1 yearly)."),
        (
            {"keep_previous": 1, "keep_daily": 1, "keep_weekly": 1, "keep_monthly": 1},
            "Unused, and not among the AMIs that its group keeps (1 newest, 1 daily, 1 weekly, 1 monthly).",
        ),
    ],
)
def test_what_is_deleted_says_what_its_group_keeps(options: dict[str, Any], sentence: str) -> None:
    amis = [*row(1), image(9, days=9, tags={"role": "front"})]
    assert plan_of([*amis, image(10, days=9.1, tags={"role": "front"})], **options).decisions[2].explanation == sentence


def test_what_is_kept_for_itself_takes_no_place() -> None:
    first, *others = row(5)
    assert reasons(plan_of([first, *others], used(first), keep_previous=2)) == [
        *("in-use", "kept-previous", "kept-previous", "old", "old"),
    ]
    assert reasons(plan_of([first, *others], keep_previous=2, ami_min_days=2)) == [
        *("too-young", "kept-previous", "kept-previous", "old", "old"),
    ]


def test_an_excluded_ami_takes_no_place_and_is_listed_once() -> None:
    """In 0.2.2 two excluded values excluded nothing, and listed AMIs twice."""
    amis = [*row(3), *row(3, 4, tags={"role": "back"}), *row(3, 7, tags={"role": "db"})]
    plan = plan_of(amis, keep_previous=1, excluded_mapping_values=("front", "back"))
    assert reasons(plan) == ["excluded"] * 6 + ["kept-previous", "old", "old"]
    assert len(plan.decisions) == 9


def test_a_failed_ami_is_deleted_and_takes_no_place() -> None:
    failed = image(1, days=1, tags={"role": "front"}, state="failed")
    plan = plan_of([failed, *row(3, 2)], keep_previous=2)
    assert removed(plan) == ids(1, 4)
    assert plan.decisions[0].explanation == "Creation failed (state failed)."


def test_an_ami_of_two_groups_is_deleted_only_if_both_would_delete_it_and_counts_once() -> None:
    """0.2.2 deleted it though one group kept it."""
    amis = [
        image(1, days=1, name="front"),
        image(2, days=2, name="front-back"),
        image(3, days=3, name="front-back"),
        image(4, days=4, name="back"),
    ]
    options: dict[str, Any] = {"mapping_key": "name", "mapping_values": ("front", "back"), "keep_previous": 1}
    plan = plan_of(amis, **options)
    assert reasons(plan) == ["kept-previous", "kept-previous", "old", "old"]
    assert plan.decisions[2].groups == ("back", "front")
    assert len(plan.removals) == 2
    assert [(listed.label, [d.ami.id for d in listed.decisions]) for listed in plan.groups] == [
        ("back", [ami_id(3), ami_id(4)]),
        ("front", [ami_id(3)]),
    ]


def test_of_several_groups_that_keep_it_the_first_by_label_is_told() -> None:
    amis = [image(1, days=2, name="front"), image(2, days=1, name="front-back"), image(3, days=3, name="back")]
    options: dict[str, Any] = {"mapping_key": "name", "mapping_values": ("front", "back"), "keep_previous": 1}
    for order in (amis, amis[::-1]):
        assert plan_of(order, **options).decisions[1].explanation == "The newest in back."


def test_untagged_amis_are_listed_and_kept() -> None:
    amis = [*row(1), *row(2, 2, tags={"environment": ""}), image(4, public=True)]
    plan = plan_of(amis, keep_previous=0, usage=used(amis[2]))
    assert reasons(plan) == ["old", "no-tags", "in-use", "public"]
    assert [(listed.label, listed.excluded, len(listed.decisions)) for listed in plan.groups] == [
        ("front", False, 1),
        ("no-tags", True, 1),
    ]
    assert len(plan.removals) == 1


def test_with_include_untagged_they_are_a_group_like_any_other() -> None:
    plan = plan_of([*row(3, tags={}), *row(1, 4, tags={"role": "z"})], keep_previous=0, include_untagged=True)
    assert removed(plan) == ids(1, 2, 3, 4)
    assert [(listed.label, listed.excluded) for listed in plan.groups] == [("z", False), ("no-tags", False)]
    assert reasons(plan_of(row(2, tags={}), keep_previous=1, include_untagged=True)) == ["kept-previous", "old"]


def test_amis_that_are_not_selected_are_in_no_group() -> None:
    plan = plan_of(row(3), only_name="image-3", keep_previous=0)
    assert [(decision.reason, decision.groups) for decision in plan.decisions] == [
        ("not-selected", ()),
        ("not-selected", ()),
        ("old", ("front",)),
    ]


def test_shared_amis_are_kept_and_keep_their_place() -> None:
    """Who it is shared with is asked only of what would go, so it must not change who is among the N."""
    amis = row(4)
    shared = {(HERE, amis[2].id): ("account 2",)}
    assert reasons(plan_of(amis, shared=shared, keep_previous=2)) == ["kept-previous", "kept-previous", "shared", "old"]
    among_the_n = {(HERE, amis[0].id): ("account 2",)}
    assert reasons(plan_of(amis, shared=among_the_n, keep_previous=2)) == ["kept-previous", "kept-previous", "old", "old"]
    assert removed(plan_of(amis, shared=shared, keep_previous=2, include_shared=True)) == ids(3, 4)
    elsewhere = {(THERE, amis[2].id): ("account 2",)}
    assert removed(plan_of(amis, shared=elsewhere, keep_previous=2)) == ids(3, 4)


def test_use_counts_in_its_region_whatever_the_account() -> None:
    amis = row(2)
    assert reasons(plan_of(amis, used(amis[1], region="us-east-1"), keep_previous=0)) == ["old", "old"]
    other = {(HERE.region, amis[1].id): (use(amis[1], account=THERE.account),)}
    plan = plan_of(amis, other, keep_previous=0)
    assert reasons(plan) == ["old", "in-use"]
    assert plan.decisions[1].used_by == other[HERE.region, amis[1].id]


# By id


def named(amis: list[Ami], *numbers: int, **changes: Any) -> list[tuple[str, bool]]:
    plan = plan_of(amis, from_ids=tuple(ami_id(number) for number in numbers), **changes)
    return [(decision.reason, decision.action is DELETE) for decision in plan.decisions]


def test_listed_amis_are_deleted_whatever_their_group_and_age() -> None:
    amis = [image(1, days=0), *row(2, 2), image(4, state="failed", created=None)]
    assert named(amis, 1, 2, 4) == [("named", True)] * 3
    (decision,) = plan_of(amis, from_ids=(ami_id(2),)).decisions
    assert (decision.explanation, decision.groups, decision.used_by) == ("Listed by id.", (), ())


def test_a_listed_ami_is_kept_for_what_protects_it() -> None:
    ami = image(1, tags={"keep": "x"})
    assert named([ami], 1, keep_tag="keep") == [("keep-tag", False)]
    assert named([ami], 1, keep_tag="keep", usage=used(ami), ignore_in_use=True) == [("keep-tag", False)]


def test_a_listed_ami_in_use_is_kept_unless_that_is_to_be_ignored() -> None:
    """0.2.2 removed it."""
    ami = image(1)
    assert named([ami], 1, usage=used(ami)) == [("in-use", False)]
    assert named([ami], 1, usage=used(ami), ignore_in_use=True) == [("named", True)]


def test_a_listed_ami_that_is_shared_is_kept() -> None:
    ami, shared = image(1), {(HERE, ami_id(1)): ("account 2",)}
    assert named([ami], 1, shared=shared, ignore_in_use=True) == [("shared", False)]
    assert named([ami], 1, shared=shared, include_shared=True) == [("named", True)]


def test_listed_amis_that_do_not_exist_are_told() -> None:
    inventories = [Inventory(HERE, (image(1),)), Inventory(THERE, (image(2),))]
    plan = make_plan(inventories, Facts(), Config(from_ids=(ami_id(9), ami_id(2), ami_id(1), ami_id(8))), NOW)
    assert plan.missing == (ami_id(9), ami_id(8))
    assert removed(plan) == ids(1, 2)


# Snapshots and numbers


def test_a_snapshot_counts_once_and_only_if_no_kept_ami_uses_it() -> None:
    tags = {"role": "front"}
    amis = [
        image(1, days=1, tags=tags, snapshots=(BlockSnapshot("snap-kept", 1), BlockSnapshot("snap-own", 2))),
        image(2, days=2, tags=tags, snapshots=(BlockSnapshot("snap-kept", 4), BlockSnapshot("snap-both", 16))),
        image(3, days=3, tags=tags, snapshots=(BlockSnapshot("snap-both", 8), BlockSnapshot("snap-a", 32))),
    ]
    plan = plan_of(amis, keep_previous=1)
    assert plan.snapshots == {
        (HERE, "snap-a"): BlockSnapshot("snap-a", 32),
        (HERE, "snap-both"): BlockSnapshot("snap-both", 16),
    }
    assert len(plan.removals) == 2


def test_a_snapshot_that_an_unlisted_ami_uses_is_kept() -> None:
    shared = (BlockSnapshot("snap-1", 8),)
    plan = plan_of([image(1, snapshots=shared), image(2, snapshots=shared)], from_ids=(ami_id(1),))
    assert (len(plan.removals), plan.snapshots) == (1, {})


def test_kept_amis_are_counted_by_reason_the_most_frequent_first() -> None:
    plan = plan_of([image(1, public=True), image(2, state="pending"), image(3), image(4, public=True)])
    assert plan.kept_by_reason == (("public", 2), ("no-tags", 1), ("state", 1))


def test_groups_are_listed_by_label_the_untagged_last() -> None:
    amis = [image(n, tags={"role": r} if r else {}) for n, r in enumerate(["zoo", "", "a", "Back", "~"], start=1)]
    assert [listed.label for listed in plan_of(amis, keep_previous=0).groups] == ["Back", "a", "zoo", "~", "no-tags"]


def test_a_group_that_loses_nothing_is_not_listed() -> None:
    assert plan_of(row(4)).groups == ()


def test_snapshots_that_were_not_made_for_the_deleted_amis_are_counted() -> None:
    blocks = [(BlockSnapshot(f"snap-{number}", 8),) for number in range(6)]
    amis = [image(number, snapshots=blocks[number], tags={"role": "x"}) for number in range(6)]
    created = "Created by CreateImage(i-1) for {}"
    found = [
        snapshot("snap-0", description=created.format(ami_id(0))),
        snapshot("snap-1", description=created.format(ami_id(0))),  # of another AMI that is deleted too
        snapshot("snap-2", description=created.format("ami-00000099")),
        snapshot("snap-3", description=created.format(ami_id(3)), volume="vol-ffffffff"),
        snapshot("snap-4", description="by hand"),
    ]
    plan = plan_of(amis, keep_previous=0, snapshots=found)
    assert (len(plan.snapshots), plan.registered) == (6, 3)


def test_sizes_are_the_smaller_of_volume_and_full_size() -> None:
    blocks = (*(BlockSnapshot(f"snap-{number}", 8) for number in range(4)), BlockSnapshot("snap-4", 0))
    found = [
        snapshot("snap-0", full_bytes=(1 << 30) + 1),
        snapshot("snap-1", full_bytes=9 << 30, archived=True),
        snapshot("snap-2", full_bytes=0),
    ]
    plan = plan_of([image(1, tags={"role": "x"}, snapshots=blocks)], keep_previous=0, snapshots=found)
    assert [(snapshot.size_gib, snapshot.archived) for snapshot in plan.snapshots.values()] == [
        (2, False), (8, True), (8, False), (8, False), (0, False)
    ]  # fmt: skip
    assert [plan.size_of(HERE, BlockSnapshot(id, 5)) for id in ("snap-0", "snap-9")] == [2, 5]


# The limit and the Recycle Bin


def test_the_limit_deletes_the_oldest_of_all_targets() -> None:
    inventories = [Inventory(THERE, tuple(row(3, 4))), Inventory(HERE, tuple(row(3)))]
    plan = make_plan(inventories, Facts(), Config(keep_previous=0, limit=4), NOW)
    assert removed(plan) == ids(3, 4, 5, 6)
    assert reasons(plan) == ["over-limit", "over-limit", "old", "old", "old", "old"]
    assert plan.decisions[0].explanation == "Left for the next run (--limit 4)."


def test_of_the_same_age_the_first_by_id_is_deleted_first() -> None:
    amis = [image(number, tags={"role": "x"}) for number in (2, 1, 3)]
    assert removed(plan_of(amis, keep_previous=0, limit=1)) == ids(1)


RETAINED = BinRules((RetentionRule(14, True),), (RetentionRule(7, True, excluded=(("tmp", ""),)),))


def test_a_deletion_says_until_when_it_can_be_undone() -> None:
    amis = row(3)
    found = [snapshot("snap-00000001"), snapshot("snap-00000002", tags={"tmp": ""})]
    plan = plan_of(amis, keep_previous=0, snapshots=found, bins=RETAINED)
    assert [decision.restorable_until for decision in plan.decisions] == [NOW + timedelta(days=7), None, None]
    assert plan.bins_read
    assert not plan_of(amis, keep_previous=0, snapshots=found).bins_read
    assert not make_plan([Inventory(HERE, tuple(amis))], Facts(bins={HERE: None}), Config(keep_previous=0), NOW).bins_read
    assert plan_of(amis, keep_previous=9).bins_read  # where nothing is deleted nothing had to be read


@pytest.mark.parametrize("days, kept", [(1, False), (7, False), (8, True)])
def test_what_the_recycle_bin_would_not_retain_is_kept_on_request(days: int, kept: bool) -> None:
    found = [snapshot("snap-00000001"), snapshot("snap-00000002", tags={"tmp": ""})]
    plan = plan_of(row(2), keep_previous=0, snapshots=found, bins=RETAINED, require_recycle_bin=days)
    assert reasons(plan) == ["no-recycle-bin" if kept else "old", "no-recycle-bin"]
    assert plan.decisions[1].explanation == f"Not retained in the Recycle Bin for {days} day{'s' if days > 1 else ''}."


def test_what_the_recycle_bin_would_not_retain_is_not_quarantined_either() -> None:
    options: dict[str, Any] = {"keep_previous": 0, "quarantine": 7, "require_recycle_bin": 7}
    found = [snapshot("snap-00000001")]
    plan = plan_of(row(2), snapshots=found, bins=RETAINED, **options)
    assert actions(plan) == ["quarantine", "keep"]
    assert plan.decisions[0].restorable_until is None  # nothing has to be restored
    assert not plan_of(row(2), **options).bins_read
    assert plan_of(row(2), **{**options, "require_recycle_bin": None}).bins_read


def test_the_limit_counts_what_the_recycle_bin_leaves() -> None:
    found = [snapshot("snap-00000001")]
    plan = plan_of(row(2), keep_previous=0, snapshots=found, bins=RETAINED, require_recycle_bin=7, limit=1)
    assert reasons(plan) == ["old", "no-recycle-bin"]


# Narrowed, and what else to read


def test_only_what_is_allowed_is_changed() -> None:
    shared = (BlockSnapshot("snap-1", 8),)
    amis = [*row(3, snapshots=shared), image(4, public=True)]
    inventories = [Inventory(HERE, tuple(amis))]
    plan = make_plan(inventories, Facts(), Config(keep_previous=1), NOW)
    assert len(plan.snapshots) == 0
    whole = make_plan(inventories, Facts(), Config(keep_previous=0), NOW)
    assert len(whole.snapshots) == 1
    allowed = {(HERE, amis[0].id): "remove", (HERE, amis[2].id): "quarantine", (HERE, amis[3].id): "remove"}
    narrow = make_plan(inventories, Facts(), Config(keep_previous=0), NOW, {**allowed, (THERE, amis[1].id): "remove"})
    assert reasons(narrow) == ["old", "not-selected", "not-selected", "public"]
    assert narrow.snapshots == {}
    assert (whole.config, whole.created, whole.targets) == (Config(keep_previous=0), NOW, (HERE,))
    assert (narrow.config, narrow.created, narrow.targets) == (whole.config, whole.created, whole.targets)
    left = narrow.decisions[1]
    assert (left.action, left.groups) == (KEEP, ("front",))
    assert left.explanation == "The confirmed plan does not change it."


def test_the_limit_counts_only_what_is_allowed() -> None:
    """An older AMI that comes out of use later does not push out one that was confirmed."""
    inventories = [Inventory(HERE, tuple(row(3)))]
    config = Config(keep_previous=0, limit=1)
    assert removed(make_plan(inventories, Facts(), config, NOW, {(HERE, ami_id(2)): "remove"})) == ids(2)
    assert removed(make_plan(inventories, Facts(), config, NOW)) == ids(3)
    assert removed(make_plan(inventories, Facts(), config, NOW, {})) == set()


def test_references_are_resolved_of_whole_groups_that_lose_an_ami() -> None:
    """A kept one that is in use makes room for one that would be deleted."""
    amis = [*row(3), *row(2, 4, tags={"role": "back"}), image(6), image(7, name="other", tags={"role": "front"})]
    plan = plan_of(amis, keep_previous=2, only_name="image-*")
    assert to_resolve(plan) == {HERE: tuple(sorted(ids(1, 2, 3)))}
    assert to_resolve(plan_of(amis, keep_previous=9)) == {}
    assert to_resolve(plan_of(amis, from_ids=(ami_id(2), ami_id(9)))) == {HERE: (ami_id(2),)}


def test_references_are_resolved_in_the_targets_that_lose_an_ami() -> None:
    inventories = [Inventory(HERE, tuple(row(3))), Inventory(THERE, tuple(row(2, 4)))]
    assert set(to_resolve(make_plan(inventories, Facts(), Config(keep_previous=2), NOW))) == {HERE}


def test_references_are_resolved_of_what_the_limit_and_the_recycle_bin_keep() -> None:
    """If the oldest turns out to be in use, the limit has room for the next."""
    amis = [*row(1), *row(1, 2, tags={"role": "back"})]
    assert to_resolve(plan_of(amis, keep_previous=0, limit=1)) == {HERE: (ami_id(1), ami_id(2))}
    assert to_resolve(plan_of(amis, keep_previous=0, limit=0)) == {HERE: (ami_id(1), ami_id(2))}
    plan = plan_of(amis, keep_previous=0, bins=BinRules(), require_recycle_bin=1)
    assert to_resolve(plan) == {HERE: (ami_id(1), ami_id(2))}


def test_references_are_resolved_of_what_waits_in_quarantine() -> None:
    """One of them in use is released."""
    tags = {"role": "front", QUARANTINE_TAG: format_time(NOW)}
    amis = [
        image(1, days=200, state="disabled", tags=tags),
        image(2, tags={"role": "front"}),
        image(3, tags={"role": "back"}),
    ]
    plan = plan_of(amis, quarantine=7, keep_previous=1)
    assert actions(plan) == ["keep", "keep", "keep"]
    assert to_resolve(plan) == {HERE: (ami_id(1), ami_id(2))}
    assert to_resolve(plan_of(amis)) == {}


def test_references_are_resolved_of_what_the_confirmed_plan_changes_in_another_way() -> None:
    """A reference may come to light for which it is released."""
    tags = {"role": "front", QUARANTINE_TAG: format_time(NOW - timedelta(days=9))}
    inventories = [Inventory(HERE, (*row(2), image(3, days=200, state="disabled", tags=tags)))]
    config = Config(quarantine=7, keep_previous=2)
    plan = make_plan(inventories, Facts(), config, NOW, {(HERE, ami_id(3)): "release"})
    assert actions(plan) == ["keep", "keep", "keep"]
    assert to_resolve(plan) == {}
    assert to_resolve(plan, {(HERE, ami_id(3)): "release"}) == {HERE: tuple(sorted(ids(1, 2, 3)))}


# Limits


@pytest.mark.parametrize(
    "options, orphans, sentences",
    [
        ({}, 9, []),
        ({"max_deletions": 5}, 5, []),
        ({"max_deletions": 4}, 0, ["The plan would delete 5 AMIs, more than --max-deletions 4 allows."]),
        (
            {"max_deletions": 4, "quarantine": 7},
            5,
            [
                "The plan would delete or quarantine 5 AMIs, more than --max-deletions 4 allows.",
                "The plan would delete 5 orphaned snapshots, more than --max-deletions 4 allows.",
            ],
        ),
        ({"max_percent": 100}, 9, []),
        (
            {"max_percent": 33.5},
            0,
            [f"The plan would delete 4 of 4 AMIs in {HERE}, more than --max-percent 33.5 allows."],
        ),
        (
            {"max_percent": 33},
            0,
            [
                f"The plan would delete {count} AMIs in {target}, more than --max-percent 33 allows."
                for count, target in (("4 of 4", HERE), ("1 of 3", THERE))
            ],
        ),
    ],
)
def test_limits_say_what_exceeds_them(options: dict[str, Any], orphans: int, sentences: list[str]) -> None:
    inventories = [Inventory(THERE, (*row(1), *row(2, 2, tags={}))), Inventory(HERE, tuple(row(4)))]
    plan = make_plan(inventories, Facts(), Config(keep_previous=0, **options), NOW)
    assert limits_exceeded(plan, orphans) == sentences
