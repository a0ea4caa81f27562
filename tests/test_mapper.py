"""Which AMI belongs to which groups, and the groups' labels."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given

from amicleaner.config import Config
from amicleaner.mapper import UNTAGGED, Group, groups_of, labels_of
from amicleaner.models import Ami
from tests.strategies import KEYS, VALUES, Account, Choices, accounts, chosen, image, options


def groups_by(key: str, values: tuple[str, ...], name: str, **tags: str) -> tuple[Group, ...]:
    return groups_of(image(1, name=name, tags=tags), Config(mapping_key=key, mapping_values=values))


def by_tags(**tags: str) -> Group:
    (group,) = groups_by("tags", ("environment", "role"), "image", **tags)
    return group


def by_pattern(name: str, *patterns: str) -> list[tuple[str, ...]]:
    """What made each group."""
    groups = groups_by("pattern", patterns, name)
    assert all(key == "" for group in groups for key, _ in group)
    return [tuple(value for _, value in group) for group in groups]


def test_by_tags_the_values_of_the_given_keys_make_the_group() -> None:
    assert by_tags(environment="dev", role="front", owner="me") == (("environment", "dev"), ("role", "front"))
    assert by_tags(role="front") == (("role", "front"),)


@pytest.mark.parametrize("key", ["env", "on", "role.", "Role", "environment.role", "roles", ""])
def test_keys_are_matched_whole(key: str) -> None:
    """0.2.2 looked for the key in `environment.role`."""
    assert by_tags(**{key: "dev"}) == UNTAGGED


def test_an_empty_value_counts_as_none() -> None:
    assert by_tags(environment="", role="front") == by_tags(role="front")
    assert by_tags(environment="", role="") == UNTAGGED


def test_by_name_an_ami_is_in_the_group_of_every_value_in_its_name() -> None:
    assert groups_by("name", ("back", "front", "db"), "front-back-7") == ((("", "back"),), (("", "front"),))
    assert groups_by("name", ("Front", "7-"), "front-back-7") == ()


def test_grouping_by_tags_does_not_look_at_names_nor_the_other_way_round() -> None:
    assert groups_by("tags", ("front", "back"), "front", role="back") == (UNTAGGED,)
    assert groups_by("name", ("role", "back"), "front", role="back") == ()


def test_by_family_the_group_is_the_name_without_what_changes() -> None:
    assert groups_by("family", ("x",), "web-20260914-ab12cd3") == ((("", "web"),),)
    assert groups_by("family", ("x",), "") == ()


@pytest.mark.parametrize(
    "name, patterns, expected",
    [
        ("web-prod-17", ("^[a-z]+",), [("web",)]),  # without capturing groups the whole match
        ("web-prod-17", ("^([a-z]+)-([a-z]+)",), [("web", "prod")]),
        ("web-prod-17", ("(?P<env>dev|prod)",), [("prod",)]),
        ("web-prod-17", ("prod",), [("prod",)]),  # searched, not matched from the start
        ("web-prod-17", ("Prod", "^prod"), []),
        ("web-prod-17", ("prod", "^web"), [("prod",), ("web",)]),  # several groups, as by name
        ("web-prod-17", ("^(web)", "(?:a|(web))"), [("web",)]),  # the same group
        ("web-prod-17", ("(x)?(web)",), [("", "web")]),
        ("web-prod-17", ("(web)(x)?",), [("web", "")]),  # not the group of the one above
        ("web-prod-17", ("x*", "(x)?", "(x*)(y*)"), []),  # nothing was matched
        ("a.b", ("(.*)",), [("a.b",)]),
        ("a.b", (r"(a)\.(b)",), [("a", "b")]),
    ],
)
def test_by_pattern_the_group_is_what_the_capturing_groups_matched(
    name: str, patterns: tuple[str, ...], expected: list[tuple[str, ...]]
) -> None:
    assert by_pattern(name, *patterns) == expected


def test_labels_of_patterns_keep_the_order_of_the_name() -> None:
    one, other, third = ((("", "web"), ("", "dev")), (("", "web.dev"),), (("", "x"), ("", "")))
    assert labels_of([one]) == {one: "web.dev"}
    assert labels_of([third]) == {third: "x"}
    assert labels_of([one, other]) == {one: '"web"."dev"', other: '"web.dev"'}


def test_labels_are_the_sorted_values() -> None:
    groups = [by_tags(environment="prod", role="front"), by_tags(environment="dev", role="front"), UNTAGGED]
    assert list(labels_of(groups).values()) == ["front.prod", "dev.front", "no-tags"]
    assert labels_of([(("", "front"),)]) == {(("", "front"),): "front"}


def test_labels_that_would_be_the_same_name_the_keys() -> None:
    one, other = by_tags(environment="web", role="db"), by_tags(environment="db", role="web")
    third = by_tags(role="front")
    assert labels_of([one, other, third]) == {
        one: "environment=web.role=db",
        other: "environment=db.role=web",
        third: "front",
    }


def test_no_value_can_pass_for_the_untagged() -> None:
    group = by_tags(role="no-tags")
    assert labels_of([group, UNTAGGED])[group] != "no-tags" == labels_of([group, UNTAGGED])[UNTAGGED]


def test_values_with_dots_and_equals_signs_are_quoted_where_they_must_be() -> None:
    groups = [
        by_tags(environment="web.role=db"),
        by_tags(role="web.role=db"),
        by_tags(environment="web", role="db"),
        by_tags(environment="db", role="web"),
    ]
    assert list(labels_of(groups).values()) == [
        '"environment"="web.role=db"',
        "role=web.role=db",
        '"environment"="web"."role"="db"',
        "environment=db.role=web",
    ]


def choose_groups(choices: Choices) -> set[Group]:
    """Groups by tags, or what a pattern matched."""
    keyed, some = choices.one((True, False)), set()
    for _ in range(choices.one(range(13))):
        if keyed:
            pairs = {choices.one(KEYS): choices.one(LABEL_VALUES) for _ in range(choices.one(range(4)))}
            some.add(tuple(sorted(pairs.items())))
        else:
            values = [choices.one(("", "a", "b", "a.b", '"a"', "a=b", ".")) for _ in range(choices.one((1, 2, 3)))]
            some |= {tuple(("", value) for value in values)} if any(values) else set()
    return some


LABEL_VALUES = (*VALUES[1:], "a=b.role=x", '"role"="x"')


@given(chosen(choose_groups, 100))
def test_no_two_groups_have_the_same_label_in_any_order(some: set[Group]) -> None:
    labels = labels_of(some)
    assert labels == labels_of(sorted(some))
    assert labels.keys() == some
    assert len(set(labels.values())) == len(some)
    assert all(labels.values())


@given(accounts(), options)
def test_grouping_loses_nobody_and_invents_nobody(account: Account, said: dict[str, Any]) -> None:
    config = Config(**said)
    mapped: dict[Group, list[Ami]] = {}
    for ami in account.amis:
        for group in groups_of(ami, config):
            mapped.setdefault(group, []).append(ami)
    assert all(len({ami.id for ami in amis}) == len(amis) for amis in mapped.values())
    placed = {ami.id for amis in mapped.values() for ami in amis}
    if config.mapping_key in ("tags", "family"):
        assert sum(map(len, mapped.values())) == len(placed)
        assert placed == {ami.id for ami in account.amis if config.mapping_key == "tags" or ami.name}
    elif config.mapping_key == "name":
        assert placed == {ami.id for ami in account.amis if any(value in ami.name for value in config.mapping_values)}
    else:
        assert placed <= {ami.id for ami in account.amis if any(re.search(p, ami.name) for p in config.mapping_values)}
