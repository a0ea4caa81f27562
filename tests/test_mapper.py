"""Which AMI belongs to which groups, and how the groups are called."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.mapper import UNTAGGED, Group, groups_of, labels_of
from amicleaner.models import Ami
from tests.strategies import KEYS, VALUES, Account, accounts, image, options

KEYS_OF_THE_ARTICLE = ("environment", "role")


def by_tags(**tags: str) -> Group:
    (group,) = groups_of(image(1, tags=tags), "tags", KEYS_OF_THE_ARTICLE)
    return group


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
    both = image(1, name="front-back-7")
    assert groups_of(both, "name", ("back", "front", "db")) == ((("", "back"),), (("", "front"),))
    assert groups_of(both, "name", ("Front", "7-")) == ()


def test_grouping_by_tags_does_not_look_at_names_nor_the_other_way_round() -> None:
    ami = image(1, name="front", tags={"role": "back"})
    assert groups_of(ami, "tags", ("front", "back")) == (UNTAGGED,)
    assert groups_of(ami, "name", ("role", "back")) == ()


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


groups = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([*VALUES[1:], "a=b.role=x", '"role"="x"']), max_size=3).map(
    lambda pairs: tuple(sorted(pairs.items()))
)


@given(st.sets(groups, max_size=12))
def test_no_two_groups_have_the_same_label(some: set[Group]) -> None:
    labels = labels_of(some)
    assert labels.keys() == some
    assert len(set(labels.values())) == len(some)


def test_labels_do_not_depend_on_the_order() -> None:
    some = [by_tags(environment="a", role="b"), by_tags(environment="b", role="a"), UNTAGGED, by_tags(role="a.b")]
    first = labels_of(some)
    assert all(labels_of(order) == first for order in permutations(some))


@given(accounts(), options)
def test_grouping_loses_nobody_and_invents_nobody(account: Account, said: dict[str, object]) -> None:
    key, values = str(said["mapping_key"]), said["mapping_values"]
    assert isinstance(values, tuple)
    mapped: dict[Group, list[Ami]] = {}
    for ami in account.amis:
        for group in groups_of(ami, key, values):
            mapped.setdefault(group, []).append(ami)
    assert all(len({ami.id for ami in amis}) == len(amis) for amis in mapped.values())
    placed = {ami.id for amis in mapped.values() for ami in amis}
    if key == "tags":
        assert sum(map(len, mapped.values())) == len(account.amis)
        assert placed == {ami.id for ami in account.amis}
    else:
        assert placed == {ami.id for ami in account.amis if any(value in ami.name for value in values)}
