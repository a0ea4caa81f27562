"""What is in use, worked out from what was read."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from amicleaner.models import Ami, BlockSnapshot, Reference, Target, Use
from amicleaner.uses import (
    Uses,
    dangling_references,
    merge_uses,
    uses_by_copies,
    uses_by_snapshot,
    uses_of,
)

HERE = Target("111111111111", "eu-west-1")
TEMPLATE = Use("launch-template", "lt-1", HERE.account, HERE.region, 'launch template lt-1 "web" version 3')
INSTANCE = Use("instance", "i-1", HERE.account, HERE.region, "instance i-1 (running)")


def ami(id: str = "ami-1", *snapshots: str, **members: object) -> Ami:
    plain = Ami(id, id, None, "", "available", snapshots=tuple(BlockSnapshot(snapshot, 8) for snapshot in snapshots))
    return replace(plain, **members)  # type: ignore[arg-type]


def test_a_reference_that_two_readers_report_counts_once_with_its_fuller_label() -> None:
    short = replace(INSTANCE, label="instance i-1")
    assert merge_uses([{"ami-1": [short]}, {"ami-1": [INSTANCE]}]) == {"ami-1": (INSTANCE,)}
    assert merge_uses([{"ami-1": [INSTANCE]}, {"ami-1": [short]}]) == {"ami-1": (INSTANCE,)}


def test_resources_whose_labels_begin_alike_are_two() -> None:
    other = replace(INSTANCE, id="i-11", label="instance i-1 (running) again")
    assert merge_uses([{"ami-1": [INSTANCE, other]}]) == {"ami-1": (INSTANCE, other)}


def test_references_are_collected_by_what_they_name() -> None:
    references = [Reference("ami-1", INSTANCE), Reference("ami-2", TEMPLATE), Reference("ami-1", TEMPLATE)]
    assert uses_of(references) == {"ami-1": (INSTANCE, TEMPLATE), "ami-2": (TEMPLATE,)}


def test_no_reference_is_no_entry() -> None:
    assert merge_uses([{"ami-1": []}, {}]) == {}


def test_an_ami_is_in_use_through_each_of_its_snapshots() -> None:
    amis = [ami("ami-1", "snap-1", "snap-2"), ami("ami-2", "snap-2"), ami("ami-3", "snap-3"), ami("ami-4")]
    found = uses_by_snapshot(amis, {"snap-1": [TEMPLATE], "snap-2": [INSTANCE], "snap-9": [INSTANCE]})
    assert {id: [(use.id, use.label) for use in uses] for id, uses in found.items()} == {
        "ami-1": [
            ("i-1", "instance i-1 (running), snapshot snap-2"),
            ("lt-1", 'launch template lt-1 "web" version 3, snapshot snap-1'),
        ],
        "ami-2": [("i-1", "instance i-1 (running), snapshot snap-2")],
    }
    [use] = found["ami-2"]
    assert (use.kind, use.account, use.region) == ("instance", HERE.account, HERE.region)


def test_a_template_that_names_an_ami_and_its_snapshot_is_one_reference() -> None:
    through = uses_by_snapshot([ami("ami-1", "snap-1")], {"snap-1": [TEMPLATE]})
    assert len(merge_uses([{"ami-1": [TEMPLATE]}, through])["ami-1"]) == 1


def test_a_pending_copy_protects_its_source() -> None:
    copies = [
        ami("ami-2", state="pending", source=("ami-1", "us-east-1")),
        ami("ami-3", state="pending", source=("ami-1", "")),
        ami("ami-4", state="available", source=("ami-5", "us-east-1")),
        ami("ami-6", state="pending"),
    ]
    found = uses_by_copies(HERE, copies)
    assert found.keys() == {("us-east-1", "ami-1"), ("eu-west-1", "ami-1")}
    [use] = found["us-east-1", "ami-1"]
    assert (use.kind, use.id, use.account, use.region) == ("image-copy", "ami-2", HERE.account, HERE.region)


def test_a_reference_to_an_ami_that_does_not_exist_is_dangling() -> None:
    uses = {"ami-2": (TEMPLATE,), "ami-1": (TEMPLATE, INSTANCE), "ami-3": (INSTANCE,), "ami-4": (TEMPLATE,)}
    assert dangling_references(uses, {"ami-4"}) == (Reference("ami-1", TEMPLATE), Reference("ami-2", TEMPLATE))
    assert dangling_references(uses, {"ami-1", "ami-2", "ami-4"}) == ()


def test_a_file_may_tell_of_the_past() -> None:
    assert dangling_references({"ami-1": (Use("file", "a:1", "", "", "file a:1"),)}, ()) == ()


KINDS = ["instance", "launch-template", "fleet", "file"]
IDS = st.sampled_from(["ami-1", "ami-2", "ami-3"])
USE = st.builds(
    Use,
    st.sampled_from(KINDS),
    st.sampled_from("ab"),
    st.just("1"),
    st.just("r"),
    st.sampled_from(["a", "a (x)", "a, b", "ab"]),
)
USES = st.dictionaries(IDS, st.lists(USE, max_size=4).map(tuple), max_size=3)
AMIS = st.lists(st.builds(ami, IDS, st.sampled_from(["snap-1", "snap-2"])), max_size=4)
SNAPSHOTS = st.dictionaries(st.sampled_from(["snap-1", "snap-2", "snap-3"]), st.lists(USE, max_size=3).map(tuple))


@given(st.lists(USES, max_size=4))
def test_merging_never_loses_an_ami_that_is_in_use(parts: list[Uses]) -> None:
    merged = merge_uses(parts)
    assert merged.keys() == {id for part in parts for id, uses in part.items() if uses}
    resources = {(id, use.kind, use.id) for part in parts for id, uses in part.items() for use in uses}
    assert {(id, use.kind, use.id) for id, uses in merged.items() for use in uses} == resources
    assert merge_uses(reversed(parts)) == merged == merge_uses([merged])


@given(AMIS, SNAPSHOTS, SNAPSHOTS)
def test_more_snapshot_references_never_free_an_ami(amis: list[Ami], some: Uses, more: Uses) -> None:
    both = merge_uses([some, more])
    assert uses_by_snapshot(amis, some).keys() <= uses_by_snapshot(amis, both).keys()
    for one in amis:
        named = any(both.get(snapshot.id) for snapshot in one.snapshots)
        assert (one.id in uses_by_snapshot([one], both)) == named


@given(USES, st.sets(IDS), st.sets(IDS))
def test_the_more_amis_exist_the_fewer_references_dangle(uses: Uses, existing: set[str], more: set[str]) -> None:
    fewer = dangling_references(uses, existing | more)
    assert set(fewer) <= set(dangling_references(uses, existing))
    assert {reference.ami for reference in fewer}.isdisjoint(existing | more)
    assert list(fewer) == sorted(fewer)
