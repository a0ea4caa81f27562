"""The plan: what goes, what stays and why; and what holds for every account."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.config import Config
from amicleaner.models import Ami, BlockSnapshot
from amicleaner.plan import Inventory, Totals, make_plan, restrict, to_ask_about
from amicleaner.reducer import FAILED_STATES
from tests.strategies import (
    HERE,
    NOW,
    THERE,
    Account,
    accounts,
    ami_id,
    every_account,
    image,
    options,
    plan_of,
    reasons,
    removed,
    row,
    use,
    used,
)


def ids(*numbers: int) -> set[str]:
    return {ami_id(number) for number in numbers}


# What goes


def test_the_n_newest_of_each_group_stay_and_the_others_are_old() -> None:
    amis = [*row(3), *row(3, 4, tags={"role": "back"})]
    plan = plan_of(amis, keep_previous=2)
    assert removed(plan) == ids(3, 6)
    assert reasons(plan) == ["kept-previous", "kept-previous", "old"] * 2
    assert [decision.groups for decision in plan.decisions] == [("front",)] * 3 + [("back",)] * 3
    assert plan.decisions[0].explanation == "It is one of the 2 newest of front."
    assert plan.decisions[2].explanation == "It is unused and older than the 2 that stay in its group."


@pytest.mark.parametrize("keep, goes", [(0, ids(1, 2, 3)), (2, ids(3)), (4, set())])
def test_zero_is_a_number_to_keep(keep: int, goes: set[str]) -> None:
    assert removed(plan_of(row(3), keep_previous=keep)) == goes


def test_with_nothing_to_keep_no_newer_ones_are_told_of() -> None:
    assert plan_of(row(1), keep_previous=0).decisions[0].explanation == "It is unused, and no previous AMIs are kept."


@pytest.mark.parametrize(
    "changes, options",
    [
        ({}, {}),
        ({"state": "pending"}, {}),
        ({"created": None}, {}),
        ({"protection": "enabled"}, {}),
        ({"name": "AwsBackup_1"}, {}),
        ({"public": True}, {}),
        ({"name": "keep"}, {"keep_tag": "keep"}),
        ({"name": "other"}, {"only_name": "image-*"}),
        ({"last_launched": NOW}, {"unused_days": 1}),
    ],
)
def test_what_stays_for_itself_takes_no_place(changes: dict[str, Any], options: dict[str, Any]) -> None:
    first, *others = row(4)
    tags = {"role": "front", **({"keep": ""} if "keep_tag" in options else {})}
    newest = image(1, days=1, tags=tags, **changes)
    plan = plan_of([newest, *others], usage=None if changes else used(first), keep_previous=2, **options)
    assert removed(plan) == ids(4)


def test_what_is_too_young_takes_no_place() -> None:
    plan = plan_of(row(5), keep_previous=2, ami_min_days=2)
    assert reasons(plan) == ["too-young", "kept-previous", "kept-previous", "old", "old"]


def test_an_excluded_one_takes_no_place_and_is_listed_once() -> None:
    """In 0.2.2 two excluded values excluded nothing, and listed AMIs twice."""
    amis = [*row(3), *row(3, 4, tags={"role": "back"}), *row(3, 7, tags={"role": "db"})]
    plan = plan_of(amis, keep_previous=1, excluded_mapping_values=("front", "back"))
    assert reasons(plan) == ["excluded"] * 6 + ["kept-previous", "old", "old"]
    assert len(plan.decisions) == 9


@pytest.mark.parametrize("state", sorted(FAILED_STATES))
def test_a_failed_one_goes_and_takes_no_place(state: str) -> None:
    failed = image(1, days=1, tags={"role": "front"}, state=state)
    plan = plan_of([failed, *row(3, 2)], keep_previous=2)
    assert removed(plan) == ids(1, 4)
    assert plan.decisions[0].explanation == f"Its creation failed (state {state})."


def test_in_two_groups_it_goes_only_if_both_would_remove_it_and_counts_once() -> None:
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
    assert plan.totals.amis == 2
    assert [(listed.label, [d.ami.id for d in listed.decisions]) for listed in plan.listed] == [
        ("back", [ami_id(3), ami_id(4)]),
        ("front", [ami_id(3)]),
    ]


def test_of_several_groups_that_keep_it_the_first_by_label_is_told() -> None:
    amis = [image(1, days=2, name="front"), image(2, days=1, name="front-back"), image(3, days=3, name="back")]
    options: dict[str, Any] = {"mapping_key": "name", "mapping_values": ("front", "back"), "keep_previous": 1}
    for order in (amis, amis[::-1]):
        assert plan_of(order, **options).decisions[1].explanation == "It is one of the 1 newest of back."


def test_colliding_labels_are_different_groups() -> None:
    amis = [
        *row(2, tags={"environment": "web", "role": "db"}),
        *row(2, 3, tags={"environment": "db", "role": "web"}),
    ]
    plan = plan_of(amis, keep_previous=1)
    assert removed(plan) == ids(2, 4)
    assert [listed.label for listed in plan.listed] == ["environment=db.role=web", "environment=web.role=db"]


def test_keys_that_are_parts_of_the_given_ones_make_no_group() -> None:
    """0.2.2 looked for a tag's key in `environment.role`."""
    assert reasons(plan_of(row(3, tags={"env": "dev", "on": "x"}), keep_previous=0)) == ["no-tags"] * 3


def test_the_untagged_are_listed_and_stay() -> None:
    amis = [*row(1), *row(2, 2, tags={"environment": ""}), image(4, public=True)]
    plan = plan_of(amis, keep_previous=0, usage=used(amis[2]))
    assert reasons(plan) == ["old", "no-tags", "in-use", "public"]
    assert [(listed.label, listed.excluded, len(listed.decisions)) for listed in plan.listed] == [
        ("front", False, 1),
        ("no-tags", True, 1),
    ]
    assert plan.totals.amis == 1


def test_with_include_untagged_they_are_a_group_like_any_other() -> None:
    plan = plan_of([*row(3, tags={}), *row(1, 4, tags={"role": "z"})], keep_previous=0, include_untagged=True)
    assert removed(plan) == ids(1, 2, 3, 4)
    assert [(listed.label, listed.excluded) for listed in plan.listed] == [("z", False), ("no-tags", False)]
    assert reasons(plan_of(row(2, tags={}), keep_previous=1, include_untagged=True)) == ["kept-previous", "old"]


def test_not_selected_ones_are_decided_in_no_group() -> None:
    plan = plan_of(row(3), only_name="image-3", keep_previous=0)
    assert [(decision.reason, decision.groups) for decision in plan.decisions] == [
        ("not-selected", ()),
        ("not-selected", ()),
        ("old", ("front",)),
    ]


def test_shared_ones_stay_and_keep_their_place() -> None:
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


def test_groups_count_in_each_target_alone() -> None:
    inventories = [Inventory(THERE, tuple(row(3, 4))), Inventory(HERE, tuple(row(3)))]
    plan = make_plan(inventories, {}, Config(keep_previous=2), NOW)
    assert removed(plan) == ids(3, 6)
    assert plan.targets == (HERE, THERE)
    assert [(listed.target, listed.label) for listed in plan.listed] == [(HERE, "front"), (THERE, "front")]
    assert [decision.key for decision in plan.decisions] == sorted(decision.key for decision in plan.decisions)


# By id


def named(amis: list[Ami], *numbers: int, **changes: Any) -> list[tuple[str, bool]]:
    plan = plan_of(amis, from_ids=tuple(ami_id(number) for number in numbers), **changes)
    return [(decision.reason, decision.remove) for decision in plan.decisions]


def test_named_ones_go_whatever_their_group_and_age() -> None:
    amis = [image(1, days=0), *row(2, 2), image(4, state="failed", created=None)]
    assert named(amis, 1, 2, 4) == [("named", True)] * 3
    (decision,) = plan_of(amis, from_ids=(ami_id(2),)).decisions
    assert (decision.explanation, decision.groups, decision.used_by) == ("It was named.", (), ())


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"state": "disabled"}, "state"),
        ({"protection": "enabled"}, "protected"),
        ({"name": "AwsBackup_1"}, "managed"),
        ({"public": True}, "public"),
        ({"tags": {"keep": "x"}}, "keep-tag"),
    ],
)
def test_named_ones_stay_for_what_protects_them(changes: dict[str, Any], reason: str) -> None:
    ami = image(1, **changes)
    for more in ({}, {"ignore_in_use": True}):
        assert named([ami], 1, keep_tag="keep", usage=used(ami) if more else {}, **more) == [(reason, False)]


def test_a_named_one_in_use_stays_unless_that_is_to_be_ignored() -> None:
    """0.2.2 removed it."""
    ami = image(1)
    assert named([ami], 1, usage=used(ami)) == [("in-use", False)]
    assert named([ami], 1, usage=used(ami), ignore_in_use=True) == [("named", True)]


def test_a_named_one_that_is_shared_stays() -> None:
    ami, shared = image(1), {(HERE, ami_id(1)): ("account 2",)}
    assert named([ami], 1, shared=shared, ignore_in_use=True) == [("shared", False)]
    assert named([ami], 1, shared=shared, include_shared=True) == [("named", True)]


def test_named_ones_that_do_not_exist_are_told() -> None:
    inventories = [Inventory(HERE, (image(1),)), Inventory(THERE, (image(2),))]
    plan = make_plan(inventories, {}, Config(from_ids=(ami_id(9), ami_id(2), ami_id(1), ami_id(8))), NOW)
    assert plan.missing == (ami_id(9), ami_id(8))
    assert removed(plan) == ids(1, 2)


# Snapshots and numbers


def test_a_snapshot_counts_once_and_only_if_nothing_that_stays_uses_it() -> None:
    tags = {"role": "front"}
    amis = [
        image(1, days=1, tags=tags, snapshots=(BlockSnapshot("snap-kept", 1), BlockSnapshot("snap-own", 2))),
        image(2, days=2, tags=tags, snapshots=(BlockSnapshot("snap-kept", 4), BlockSnapshot("snap-both", 16))),
        image(3, days=3, tags=tags, snapshots=(BlockSnapshot("snap-both", 8), BlockSnapshot("snap-a", 32))),
    ]
    plan = plan_of(amis, keep_previous=1)
    assert plan.snapshots == ((HERE, BlockSnapshot("snap-a", 32)), (HERE, BlockSnapshot("snap-both", 16)))
    assert plan.totals == Totals(amis=2, snapshots=2, size_gib=48)


def test_a_snapshot_of_no_known_size_counts_as_nothing() -> None:
    plan = plan_of(row(1, snapshots=(BlockSnapshot("snap-1", 0),)), keep_previous=0)
    assert plan.totals == Totals(amis=1, snapshots=1, size_gib=0)


def test_a_snapshot_that_an_unnamed_ami_uses_stays() -> None:
    shared = (BlockSnapshot("snap-1", 8),)
    plan = plan_of([image(1, snapshots=shared), image(2, snapshots=shared)], from_ids=(ami_id(1),))
    assert plan.totals == Totals(amis=1, snapshots=0, size_gib=0)


def test_how_many_stay_for_each_reason_the_most_frequent_first() -> None:
    plan = plan_of([image(1, public=True), image(2, state="pending"), image(3), image(4, public=True)])
    assert plan.stays == (("public", 2), ("no-tags", 1), ("state", 1))


def test_groups_are_listed_by_label_the_untagged_last() -> None:
    amis = [image(n, tags={"role": r} if r else {}) for n, r in enumerate(["zoo", "", "a", "Back", "~"], start=1)]
    assert [listed.label for listed in plan_of(amis, keep_previous=0).listed] == ["Back", "a", "zoo", "~", "no-tags"]


def test_a_group_out_of_which_nothing_goes_is_not_listed() -> None:
    assert plan_of(row(4)).listed == ()


# Narrowed, and asked further


def test_restrict_lets_only_the_allowed_ones_go() -> None:
    shared = (BlockSnapshot("snap-1", 8),)
    amis = [*row(3, snapshots=shared), image(4, public=True)]
    inventories = [Inventory(HERE, tuple(amis))]
    plan = make_plan(inventories, {}, Config(keep_previous=1), NOW)
    assert len(plan.snapshots) == 0
    whole = make_plan(inventories, {}, Config(keep_previous=0), NOW)
    assert len(whole.snapshots) == 1
    narrow = restrict(whole, inventories, {(HERE, amis[0].id), (HERE, amis[3].id), (THERE, amis[1].id)})
    assert reasons(narrow) == ["old", "not-selected", "not-selected", "public"]
    assert narrow.snapshots == ()
    assert (whole.config, whole.created, whole.targets) == (Config(keep_previous=0), NOW, (HERE,))
    assert whole.shared_unasked is False
    assert (narrow.config, narrow.created, narrow.targets) == (whole.config, whole.created, whole.targets)
    left = narrow.decisions[1]
    assert (left.remove, left.groups) == (False, ())
    assert left.explanation == "The plan that is applied does not remove it."


def test_references_are_asked_of_whole_groups_out_of_which_something_goes() -> None:
    """A kept one that is in use makes room for one that would go."""
    amis = [*row(3), *row(2, 4, tags={"role": "back"}), image(6), image(7, name="other", tags={"role": "front"})]
    plan = plan_of(amis, keep_previous=2, only_name="image-*")
    assert to_ask_about(plan) == {HERE: tuple(sorted(ids(1, 2, 3)))}
    assert to_ask_about(plan_of(amis, keep_previous=9)) == {}
    assert to_ask_about(plan_of(amis, from_ids=(ami_id(2), ami_id(9)))) == {HERE: (ami_id(2),)}


def test_references_are_asked_in_the_target_where_something_goes() -> None:
    inventories = [Inventory(HERE, tuple(row(3))), Inventory(THERE, tuple(row(2, 4)))]
    assert set(to_ask_about(make_plan(inventories, {}, Config(keep_previous=2), NOW))) == {HERE}


# Every account


def may_go(ami: Ami, account: Account, config: Config) -> bool:
    """The contract's reasons, told once more in other words."""
    pairs = dict(ami.tags)
    grouped = [pairs[key] for key in config.mapping_values if pairs.get(key)]
    looked_at = [ami.name] if config.mapping_key == "name" else grouped
    age = None if ami.created is None else (NOW - ami.created).total_seconds()
    launched = None if ami.last_launched is None else (NOW - ami.last_launched).total_seconds()
    kept_tags = {*pairs, *(f"{key}={value}" for key, value in pairs.items())}
    return (
        ami.id not in account.used
        and ami.state in ("available", "failed", "error", "invalid")
        and ami.protection in ("", "disabled")
        and not ami.name.startswith("AwsBackup_")
        and not any(key == "dlm:managed" or key.startswith(("aws:backup:", "aws:dlm:")) for key in pairs)
        and (config.include_shared or not (ami.public or ami.id in account.shared))
        and kept_tags.isdisjoint(config.keep_tag)
        and not any(value in text for value in config.excluded_mapping_values for text in looked_at)
        and (config.unused_days is None or launched is None or launched > config.unused_days * 86400)
        and all(tag in {f"{key}={value}" for key, value in pairs.items()} for tag in config.only_tag)
        and (not config.only_name or any(fnmatchcase(ami.name, glob) for glob in config.only_name))
        and age is not None
        and (config.ami_min_days < 0 or age >= config.ami_min_days * 86400)
        and bool(
            any(value in ami.name for value in config.mapping_values)
            if config.mapping_key == "name"
            else grouped or config.include_untagged
        )
    )


def mates(ami: Ami, account: Account, config: Config) -> list[list[Ami]]:
    """The AMIs of each of its groups, itself among them."""
    if config.mapping_key == "name":
        return [[a for a in account.amis if value in a.name] for value in config.mapping_values if value in ami.name]

    def group(a: Ami) -> dict[str, str]:
        return {key: value for key, value in a.tags if value and key in config.mapping_values}

    return [[a for a in account.amis if group(a) == group(ami)]]


def check_that_nothing_goes_that_must_stay(account: Account, said: dict[str, Any]) -> None:
    config = Config(**said)
    plan = account.plan(config)
    gone = removed(plan)
    assert sorted(ami.id for ami in account.amis) == [decision.ami.id for decision in plan.decisions]
    for decision in plan.decisions:
        ami = decision.ami
        assert decision.remove == (decision.reason == "old")
        assert decision.explanation.endswith(".")
        if not decision.remove:
            continue
        assert may_go(ami, account, config)
        for group in mates(ami, account, config):
            kept = [a for a in group if a.id not in gone and a.state == "available" and a.created is not None]
            newer = [a for a in kept if ami.created is not None and (a.created, ami.id) >= (ami.created, a.id)]
            assert ami.state != "available" or len(newer) >= config.keep_previous
    held = {snapshot.id for ami in account.amis if ami.id not in gone for snapshot in ami.snapshots}
    going = {snapshot.id for ami in account.amis if ami.id in gone for snapshot in ami.snapshots}
    assert {snapshot.id for _, snapshot in plan.snapshots} == going - held


@given(accounts(), options)
def test_everything_goes_that_may_go_with_nothing_to_keep(account: Account, said: dict[str, Any]) -> None:
    config = Config(**{**said, "keep_previous": 0, "excluded_mapping_values": ()})
    assert removed(account.plan(config)) == {ami.id for ami in account.amis if may_go(ami, account, config)}


def check_that_the_order_changes_nothing(account: Account, said: dict[str, Any], data: st.DataObject) -> None:
    config = Config(**said)
    shuffled = Account(tuple(data.draw(st.permutations(account.amis))), account.used, account.shared)
    one, other = account.plan(config), shuffled.plan(config)
    assert one == other
    assert (one.listed, one.stays, to_ask_about(one)) == (other.listed, other.stays, to_ask_about(other))


MORE: list[dict[str, Any]] = [
    {"keep_tag": "role"},
    {"keep_tag": "environment=dev"},
    {"excluded_mapping_values": "e"},
    {"excluded_mapping_values": "1"},
    {"ami_min_days": 3},
    {"unused_days": 7},
    {"only_tag": "role=front"},
]


def check_that_what_protects_more_removes_no_more(
    account: Account, said: dict[str, Any], more: dict[str, Any], further: int, data: st.DataObject
) -> None:
    """A larger N, more usage, more sharing, more to keep: at once and each alone."""
    before = removed(account.plan(Config(**said)))
    some = st.frozensets(st.sampled_from([ami.id for ami in account.amis])) if account.amis else st.just(frozenset[str]())
    larger = {**said, "keep_previous": said["keep_previous"] + further}
    ((name, value),) = more.items()
    longer = {**said, name: (*said.get(name, ()), value) if isinstance(value, str) else max(value, said.get(name) or -1)}
    busier = Account(account.amis, account.used | data.draw(some), account.shared)
    open_hearted = Account(account.amis, account.used, account.shared | data.draw(some))
    all_of_it = Account(account.amis, busier.used, open_hearted.shared)
    for changed, options_then in [
        (account, larger),
        (account, longer),
        (busier, said),
        (open_hearted, said),
        (all_of_it, {**longer, "keep_previous": larger["keep_previous"]}),
    ]:
        assert removed(changed.plan(Config(**options_then))) <= before


@every_account
@given(accounts(), options, st.sampled_from(MORE), st.integers(0, 4), st.data())
def test_whole_random_accounts(
    account: Account, said: dict[str, Any], more: dict[str, Any], further: int, data: st.DataObject
) -> None:
    """The three promises at once: to draw an account takes longer than to plan for it."""
    check_that_nothing_goes_that_must_stay(account, said)
    check_that_the_order_changes_nothing(account, said, data)
    check_that_what_protects_more_removes_no_more(account, said, more, further, data)


@given(accounts(), accounts(THERE), options)
def test_targets_do_not_mix(one: Account, other: Account, said: dict[str, Any]) -> None:
    config = Config(**said)
    usage, shared = {**one.usage, **other.usage}, {**one.shares(), **other.shares()}
    together = make_plan([other.inventory, one.inventory], usage, config, NOW, shared)
    alone = [make_plan([account.inventory], usage, config, NOW, shared) for account in (one, other)]
    assert together.decisions == (*alone[0].decisions, *alone[1].decisions)
    assert together.snapshots == (*alone[0].snapshots, *alone[1].snapshots)
    assert together.listed == (*alone[0].listed, *alone[1].listed)


@given(accounts(), st.booleans(), st.booleans(), st.frozensets(st.integers(0, 12), min_size=1))
def test_by_id_only_named_ones_go_and_none_that_must_stay(
    account: Account, ignore: bool, include: bool, numbers: frozenset[int]
) -> None:
    wanted = tuple(sorted(map(ami_id, numbers)))
    config = Config(from_ids=wanted, ignore_in_use=ignore, include_shared=include, keep_tag=("keep",))
    plan = account.plan(config)
    bare = Account(account.amis, frozenset() if ignore else account.used, account.shared)
    # What stays by group, tag or age says nothing here.
    plain = Config(include_shared=include, keep_tag=("keep",), include_untagged=True)
    dated = {ami.id for ami in account.amis if may_go(ami, bare, plain)}
    undated = {ami.id for ami in account.amis if ami.created is None}
    assert removed(plan) - undated == dated.intersection(wanted)
    assert removed(plan) <= set(wanted)
    assert {decision.ami.id for decision in plan.decisions} | set(plan.missing) == set(wanted)


def test_pairs_of_groups_keep_for_each_other() -> None:
    """Every pair of three name groups: an AMI in both goes only where both are past their N."""
    for left, right in combinations(("aa", "bb", "cc"), 2):
        amis = [image(1, days=9, name=left + right), *(image(n, days=n, name=left) for n in (2, 3))]
        options: dict[str, Any] = {"mapping_key": "name", "mapping_values": (left, right), "keep_previous": 1}
        assert removed(plan_of(amis, **options)) == ids(3)
        amis.append(image(4, days=1, name=right))
        assert removed(plan_of(amis, **options)) == ids(1, 3)
