"""Runs that delete listed AMIs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.catalogue import ReferenceKind, plainest
from tests.flows.flow import OWN, Flow, kept, reasons, removed


def test_no_prompt_is_shown_and_groups_do_not_count(flow: Flow) -> None:
    first, second, third = flow.several(3)
    result = flow.asks(lambda: None, from_ids=(first, third))
    assert (removed(result), flow.view.prompts, result.exit_status) == ({first, third}, [], 0)
    assert flow.home.images.keys() == {second}


def test_an_ami_that_does_not_exist_is_named_and_the_others_are_deleted(flow: Flow) -> None:
    [image] = flow.several(1)
    result = flow.clean(from_ids=("ami-12345678", image))
    assert removed(result) == {image}
    assert result.problems == (f"ami-12345678 does not exist in account {OWN}, Region eu-west-1.",)
    assert result.exit_status == 1


def test_an_ami_in_use_is_kept_and_named(flow: Flow) -> None:
    free, held = flow.several(2)
    flow.home.add_instance(held)
    result = flow.clean(from_ids=(free, held))
    assert (removed(result), reasons(result)[held], result.exit_status) == ({free}, "in-use", 1)
    [problem] = result.problems
    assert problem.startswith(f"{held} kept: in use by instance i-")


@pytest.mark.parametrize(
    "kind", [kind for kind in plainest().values() if kind.source.check in ("instances", "image-references", "batch")]
)
def test_ignore_in_use_deletes_it(flow: Flow, kind: ReferenceKind) -> None:
    [held] = flow.several(1)
    kind.add(flow.home, held)
    result = flow.clean(from_ids=(held,), ignore_in_use=True, **kind.options)
    assert (removed(result), result.exit_status) == ({held}, 0)


def test_an_ami_that_must_be_kept_by_its_turn_is_kept(flow: Flow) -> None:
    """What can change is in `test_changes.py`."""
    held, *free = flow.several(5)
    flow.midway(lambda: flow.home.add_instance(held))
    result = flow.clean(from_ids=(*free, held))
    assert (removed(result), kept(result), result.exit_status) == (set(free), {held}, 0)


def test_listed_amis_are_quarantined_first(flow: Flow) -> None:
    ids: Any = tuple(flow.several(2))
    flow.clean(from_ids=ids, quarantine=7)
    assert {image.state for image in flow.home.images.values()} == {"disabled"}
    waiting = flow.clean(from_ids=ids, quarantine=7)
    assert (waiting.exit_status, len(waiting.problems)) == (1, 2)
    flow.time.sleep(7 * 86400)
    assert removed(flow.clean(from_ids=ids, quarantine=7)) == set(ids)
