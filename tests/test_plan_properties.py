"""What is true of the plan of every account, whatever the options: random accounts, held against the documentation in other
words.

Each property names the line that it guards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from amicleaner.actions import ACTIONS, DELETE, KEEP, KEEP_UNTIL_TAG, QUARANTINE, QUARANTINE_TAG, RELEASE
from amicleaner.config import Config, Rule
from amicleaner.decisions import Decision, Facts
from amicleaner.family import family_of
from amicleaner.models import FAILED_STATES, Ami, Target
from amicleaner.plan import Plan, make_plan, to_resolve
from amicleaner.recycle_bin import BinRules, RetentionRule
from tests.strategies import (
    HERE,
    NOW,
    THERE,
    Account,
    Choices,
    accounts,
    ami_id,
    bin_rules,
    choose_account,
    choose_options,
    chosen,
    every_account,
    limited_options,
    options,
    removed,
    rules,
)

SOME = st.frozensets(st.integers(0, 9).map(ami_id))


def candidates(plan: Plan) -> set[str]:
    return {decision.ami.id for decision in plan.candidates}


def waited(ami: Ami, days: int, now: datetime) -> bool:
    """Whether an AMI is disabled and its tag says, in the only form that is written, that it has been for `days`."""
    text = dict(ami.tags).get(QUARANTINE_TAG, "")
    if ami.state != "disabled" or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text):
        return False
    return timedelta(days=days) <= now - datetime.fromisoformat(text)


def groups_in(ami: Ami, config: Config) -> list[object]:
    """Its groups, written otherwise than in mapper.py."""
    if config.mapping_key == "tags":
        pairs = {key: value for key, value in ami.tags if value and key in config.mapping_values}
        return [pairs] if pairs or config.include_untagged else []
    if config.mapping_key == "family":
        return [family_of(ami.name)] if ami.name else []
    if config.mapping_key == "name":
        return [value for value in config.mapping_values if value in ami.name]
    found: list[object] = []
    for pattern in config.mapping_values:
        match = re.search(pattern, ami.name)
        strings = [text or "" for text in (match.groups() or [match[0]])] if match else []
        if any(strings) and strings not in found:
            found.append(strings)
    return found


def may_be_deleted(ami: Ami, account: Account, config: Config) -> bool:
    """The documented reasons to keep an AMI for itself, told once more in other words."""
    pairs = dict(ami.tags)
    looked_up = dict(account.snapshot_tags)
    tags = {*ami.tags, *(tag for snapshot in ami.snapshots for tag in looked_up.get(snapshot.id, ()))}
    keys = {key for key, _ in tags}
    until = pairs.get(KEEP_UNTIL_TAG)
    if config.mapping_key == "tags":
        values = [value for key, value in ami.tags if value and key in config.mapping_values]
        grouped = [*values, ".".join(sorted(values))]
    else:
        grouped = [ami.name, *(".".join(group) for group in groups_in(ami, config) if isinstance(group, list))]
    age = None if ami.created is None else (NOW - ami.created).total_seconds()
    launched = None if ami.last_launched is None else (NOW - ami.last_launched).total_seconds()
    usable = ami.state == "available" or (ami.state in FAILED_STATES and config.quarantine is None)
    return (
        ami.id not in account.used
        and (usable or (ami.state == "disabled" and QUARANTINE_TAG in pairs and config.quarantine is not None))
        and not (QUARANTINE_TAG in pairs and ami.state != "disabled")
        and ami.protection in ("", "disabled")
        and not ami.name.startswith("AwsBackup_")
        and ami.owner_alias != "aws-backup-vault"
        and not any(key == "dlm:managed" or key.startswith(("aws:backup:", "aws:dlm:")) for key in keys)
        and (config.include_shared or not (ami.public or ami.id in account.shared))
        and keys.isdisjoint(config.keep_tag)
        and {f"{key}={value}" for key, value in tags}.isdisjoint(config.keep_tag)
        and until in (None, "2024-03-09")  # the only value of the strategy that is a day before NOW
        and not any(value in text for value in config.excluded_mapping_values for text in grouped)
        and (config.unused_days is None or launched is None or launched > config.unused_days * 86400)
        and all(tag in {f"{key}={value}" for key, value in pairs.items()} for tag in config.only_tag)
        and (not config.only_name or any(fnmatchcase(ami.name, glob) for glob in config.only_name))
        and age is not None
        and (config.ami_min_days < 0 or age >= config.ami_min_days * 86400)
        and bool(groups_in(ami, config))
    )


def check_that_nothing_is_deleted_that_must_be_kept(account: Account, plan: Plan) -> None:
    """filters.RULES, decisions._grouped, plan._snapshots_deleted: a rule that is left out shows here."""
    config = plan.config
    assert sorted(ami.id for ami in account.amis) == [decision.ami.id for decision in plan.decisions]
    gone = removed(plan)
    for decision in plan.decisions:
        ami = decision.ami
        assert decision.candidate == (decision.reason == "old")
        assert config.quarantine is not None or decision.action in (DELETE, KEEP)
        assert decision.explanation.endswith(".")
        assert ami.id not in account.used or not decision.candidate
        if not decision.candidate:
            continue
        assert may_be_deleted(ami, account, config)
        for group in groups_in(ami, config):
            mates = [
                other.ami
                for other in plan.decisions
                if not other.candidate
                and group in groups_in(other.ami, config)
                and other.ami.created is not None
                and other.ami.state in ("available", "disabled")
            ]
            newer = [a for a in mates if a.created and ami.created and (a.created, ami.id) >= (ami.created, a.id)]
            assert ami.state in FAILED_STATES or len(newer) >= config.newest_kept
    held = {snapshot.id for ami in account.amis if ami.id not in gone for snapshot in ami.snapshots}
    going = {snapshot.id for ami in account.amis if ami.id in gone for snapshot in ami.snapshots}
    assert {id for _, id in plan.snapshots} == going - held


NOTHING_KEPT = dict.fromkeys(("keep_previous", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly"), 0)


@given(accounts(), options)
def test_everything_that_may_be_deleted_is_with_nothing_to_keep(account: Account, said: dict[str, Any]) -> None:
    config = Config(**{**said, **NOTHING_KEPT})
    plan = account.plan(config)
    allowed = {ami.id for ami in account.amis if may_be_deleted(ami, account, config)}
    assert candidates(plan) | {decision.ami.id for decision in plan.kept if decision.reason == "quarantined"} >= allowed
    assert candidates(plan) <= allowed


def check_that_the_order_changes_nothing(account: Account, plan: Plan) -> None:
    """The AMIs of a random account come in any order."""
    ordered = replace(account, amis=tuple(sorted(account.amis, key=lambda ami: ami.id))).plan(plan.config)
    assert plan == ordered
    assert (plan.groups, plan.kept_by_reason, to_resolve(plan)) == (
        ordered.groups,
        ordered.kept_by_reason,
        to_resolve(ordered),
    )


MORE: list[tuple[str, Any]] = [
    ("keep_tag", "role"),
    ("keep_tag", "environment=dev"),
    ("excluded_mapping_values", "e"),
    ("excluded_mapping_values", "1"),
    ("ami_min_days", 3),
    ("unused_days", 7),
    ("only_tag", "role=front"),
    ("keep_daily", 2),
    ("keep_weekly", 2),
    ("keep_monthly", 3),
    ("keep_yearly", 1),
]


def keeping_more(said: dict[str, Any], more: tuple[str, Any]) -> dict[str, Any]:
    name, value = more
    return said | {name: (*said.get(name, ()), value) if isinstance(value, str) else max(value, said.get(name) or -1)}


def check_that_what_keeps_more_deletes_no_more(
    account: Account,
    said: dict[str, Any],
    before: Plan,
    more: tuple[str, Any],
    further: int,
    busy: frozenset[str],
    wide: frozenset[str],
) -> None:
    """A larger N, more usage, more sharing, more tags of snapshots, more to keep: each alone and all at once."""
    longer = keeping_more(said, more)
    larger = {"keep_previous": said["keep_previous"] + further}
    looked_up = dict(account.snapshot_tags)
    for id, tags in (("snap-1", (("dlm:managed", ""),)), ("snap-2", (("keep", ""), ("role", "")))):
        looked_up[id] = (*looked_up.get(id, ()), *(tag for tag in tags if tag[0] not in dict(looked_up.get(id, ()))))
    busier = replace(account, used=account.used | busy)
    wider = replace(account, shared=account.shared | wide)
    tagged = replace(account, snapshot_tags=tuple(looked_up.items()))
    everything = replace(tagged, used=busier.used, shared=wider.shared)
    for changed, config in [
        (account, Config(**said | larger)),
        (account, Config(**longer)),
        (busier, before.config),
        (wider, before.config),
        (tagged, before.config),
        (everything, Config(**longer | larger)),
    ]:
        after = changed.plan(config)
        assert removed(after) <= removed(before)
        assert candidates(after) <= candidates(before)


def choose_whole(choices: Choices) -> tuple[Any, ...]:
    account, said = choose_account(choices), choose_options(choices)
    return account, said, choices.one(MORE), choices.one(range(5)), choices.ids(), choices.ids()


@every_account
@given(chosen(choose_whole, 400))
def test_whole_random_accounts(drawn: tuple[Any, ...]) -> None:
    """Three promises at once: to draw an account takes longer than to plan for it."""
    account, said, *more = drawn
    plan = account.plan(Config(**said))
    check_that_nothing_is_deleted_that_must_be_kept(account, plan)
    check_that_the_order_changes_nothing(account, plan)
    check_that_what_keeps_more_deletes_no_more(account, said, plan, *more)


@given(accounts(), accounts(THERE), options)
def test_targets_do_not_mix(one: Account, other: Account, said: dict[str, Any]) -> None:
    config = Config(**said)
    mine, theirs = one.facts, other.facts
    facts = Facts(
        {**mine.usage, **theirs.usage},
        {**mine.shared, **theirs.shared},
        {**mine.snapshots, **theirs.snapshots},
        {**mine.bins, **theirs.bins},
    )
    together = make_plan([other.inventory, one.inventory], facts, config, NOW)
    alone = [make_plan([account.inventory], facts, config, NOW) for account in (one, other)]
    assert together.decisions == (*alone[0].decisions, *alone[1].decisions)
    assert together.snapshots == {**alone[0].snapshots, **alone[1].snapshots}
    assert together.groups == (*alone[0].groups, *alone[1].groups)


@given(accounts(), st.booleans(), st.booleans(), st.frozensets(st.integers(0, 12), min_size=1))
def test_by_id_only_listed_amis_are_deleted_and_none_that_must_be_kept(
    account: Account, ignore: bool, include: bool, numbers: frozenset[int]
) -> None:
    wanted = tuple(sorted(map(ami_id, numbers)))
    config = Config(from_ids=wanted, ignore_in_use=ignore, include_shared=include, keep_tag=("keep",))
    plan = account.plan(config)
    bare = replace(account, used=frozenset()) if ignore else account
    # What is kept for group, tag or age says nothing here.
    plain = Config(include_shared=include, keep_tag=("keep",), include_untagged=True)
    dated = {ami.id for ami in account.amis if may_be_deleted(ami, bare, plain)}
    undated = {ami.id for ami in account.amis if ami.created is None}
    assert removed(plan) - undated == dated.intersection(wanted)
    assert removed(plan) <= set(wanted)
    assert {decision.ami.id for decision in plan.decisions} | set(plan.missing) == set(wanted)


# The limit, the Recycle Bin, what is confirmed


@given(accounts(), limited_options)
def test_the_limit_only_keeps_more_and_the_youngest(account: Account, said: dict[str, Any]) -> None:
    """plan._limited: `candidates[limit:]`."""
    config = Config(**said)
    limited, whole = account.plan(config), account.plan(replace(config, limit=None))
    left = [decision for decision in limited.decisions if decision.reason == "over-limit"]
    assert len(limited.candidates) == min(
        len(whole.candidates), len(whole.candidates) if config.limit is None else config.limit
    )
    assert candidates(limited) | {decision.ami.id for decision in left} == candidates(whole)
    for decision in limited.decisions:
        assert decision in whole.decisions or decision in left
    for kept in left:
        assert kept.action is KEEP
        assert all(gone.ami.created <= kept.ami.created for gone in limited.candidates)  # type: ignore[operator]


@given(accounts(), limited_options, bin_rules, st.integers(1, 20), st.sampled_from((0, 1, 7, 14)))
def test_the_recycle_bin_only_keeps_more(
    account: Account, said: dict[str, Any], bins: BinRules, days: int, retained: int
) -> None:
    """plan._covered: the comparison with `days`."""
    if retained:
        everything = RetentionRule(retained, True)
        bins = BinRules((*bins.amis, everything), (*bins.snapshots, everything))
    config = Config(**{**said, "limit": None, "require_recycle_bin": None})
    every_snapshot = {**{f"snap-{number}": () for number in range(8)}, **dict(account.snapshot_tags)}
    read = replace(account, bins=bins, snapshot_tags=tuple(every_snapshot.items()))
    without, with_days = read.plan(config), read.plan(replace(config, require_recycle_bin=days))
    assert candidates(with_days) <= candidates(without)
    for decision in with_days.removals:
        assert decision.restorable_until is not None
        assert decision.restorable_until >= NOW + timedelta(days=days)
    unread = replace(read, bins=None).plan(config)
    assert {decision.ami.id: decision.action for decision in without.decisions} == {
        decision.ami.id: decision.action for decision in unread.decisions
    }


allowances = st.dictionaries(
    st.tuples(st.sampled_from((HERE, THERE)), st.integers(0, 9).map(ami_id)), st.sampled_from(sorted(ACTIONS))
)


@given(accounts(), limited_options, allowances)
def test_what_is_confirmed_is_never_widened(
    account: Account, said: dict[str, Any], allowed: Mapping[tuple[Target, str], str]
) -> None:
    """plan._restricted: the comparison of the action's name."""
    config = Config(**said)
    plan, inventories = account.plan(config), [account.inventory]
    whole = account.plan(replace(config, limit=None))
    narrow = make_plan(inventories, account.facts, config, NOW, allowed)
    assert [decision.key for decision in narrow.decisions] == [decision.key for decision in whole.decisions]
    for now, before in zip(narrow.decisions, whole.decisions, strict=True):
        assert now.action is KEEP or now == before
        assert now.action is KEEP or allowed[now.target, now.ami.id] == now.action.name
    assert set(narrow.snapshots) <= set(whole.snapshots)
    assert config.limit is None or len(narrow.candidates) <= config.limit
    confirmed = {(decision.target, decision.ami.id): decision.action.name for decision in plan.changes}
    assert make_plan(inventories, account.facts, config, NOW, confirmed).changes == plan.changes


@given(accounts(), limited_options, SOME)
def test_what_is_resolved_covers_what_a_second_look_may_delete(
    account: Account, said: dict[str, Any], busy: frozenset[str]
) -> None:
    """plan.to_resolve: references that come to light never bring an AMI into the plan that was not asked about."""
    config = Config(**said)
    before, after = account.plan(config), replace(account, used=account.used | busy).plan(config)
    asked = set(to_resolve(before).get(HERE, ()))
    assert candidates(after) <= asked
    waiting = {d.ami.id for d in before.kept if d.reason == "quarantined" and config.quarantine is not None}
    assert waiting <= asked


# Quarantine


@given(accounts(), limited_options, st.integers(1, 9), st.sampled_from((-400, -7, -3, 0, 3, 400)), st.booleans())
def test_nothing_is_deleted_that_was_not_quarantined(
    account: Account, said: dict[str, Any], days: int, jump: int, by_id: bool
) -> None:
    """decisions.through_quarantine: whatever the clock, the tags and the other options."""
    now = NOW + timedelta(days=jump)
    if by_id:
        config = Config(from_ids=tuple(map(ami_id, range(10))), quarantine=days)
    else:
        config = Config(**{**said, "include_shared": False, "quarantine": days})
    plan = make_plan([account.inventory], account.facts, config, now)
    for decision in plan.decisions:
        tagged = QUARANTINE_TAG in dict(decision.ami.tags)
        disabled = tagged and decision.ami.state == "disabled"
        if decision.action is DELETE:
            assert waited(decision.ami, days, now)
        elif decision.action is RELEASE:
            assert disabled
            assert decision.reason not in ("old", "named", "quarantined", "not-selected", "no-rule", "no-match", "no-tags")
        elif decision.action is QUARANTINE:
            assert disabled or (decision.ami.state == "available" and not tagged)
            assert not waited(decision.ami, 0, now)
            assert not decision.ami.public
            assert decision.until == now + timedelta(days=days)
        else:
            assert decision.reason not in ("old", "named")
        if tagged and decision.ami.state == "available":
            assert decision.action is KEEP


# Rules


def without_rule(decisions: list[Decision]) -> list[Decision]:
    return [replace(decision, rule="") for decision in decisions]


def first_match(ami: Ami, config: Config) -> str:
    """The name of the first rule whose selection an AMI has, in other words than in filters.py."""
    for rule in config.rules:
        said = dict(rule.options)
        has_tags = all(tag in [f"{key}={value}" for key, value in ami.tags] for tag in said.get("only_tag", ()))
        if has_tags and (not said.get("only_name") or any(fnmatchcase(ami.name, glob) for glob in said["only_name"])):
            return rule.name
    return ""


@given(accounts(), rules, st.sampled_from((None, 3)))
def test_each_rule_decides_about_its_amis_as_a_run_of_its_own(
    account: Account, tables: tuple[Rule, ...], quarantine: int | None
) -> None:
    """decisions.decide_by_rules: the first match, and nothing of one rule counts in another."""
    config = Config(rules=tables, quarantine=quarantine)
    plan = account.plan(config)
    assert sorted(ami.id for ami in account.amis) == [decision.ami.id for decision in plan.decisions]
    for decision in plan.decisions:
        assert decision.rule == first_match(decision.ami, config)
    for rule in tables:
        own = [decision for decision in plan.decisions if decision.rule == rule.name]
        alone = replace(account, amis=tuple(decision.ami for decision in own)).plan(config.for_rule(rule))
        assert without_rule(own) == list(alone.decisions)
    for decision in plan.decisions:
        assert decision.rule or not decision.candidate


@given(accounts(), rules, st.data())
def test_rules_that_are_left_out_keep_their_amis(account: Account, tables: tuple[Rule, ...], data: st.DataObject) -> None:
    config = Config(rules=tables)
    run = data.draw(st.lists(st.sampled_from([rule.name for rule in tables]), min_size=1, unique=True))
    whole, part = account.plan(config), account.plan(replace(config, rule=tuple(run)))
    for before, after in zip(whole.decisions, part.decisions, strict=True):
        assert before.rule == after.rule
        assert before == after if after.rule in run or not after.rule else not after.candidate
