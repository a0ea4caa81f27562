"""Which snapshots are orphaned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amicleaner.models import Snapshot
from amicleaner.orphans import find_orphans, made_for, manager_of, origin_of
from tests.strategies import NOW, snapshot_lists

SECOND = timedelta(seconds=1)
CREATED = "Created by CreateImage(i-06a469f2d64822242) for ami-654b5503 from vol-06caf0d5af00505e7"
COPIED = (
    "Copied for DestinationAmi ami-654b5503 from SourceAmi ami-0123456789abcdef0 for SourceSnapshot snap-01. "
    "Task created on 1,607,338,338,349."
)


@pytest.mark.parametrize(
    "description, ami",
    [
        (CREATED, "ami-654b5503"),
        ("Created by CreateImage(i-1234) for ami-0123456789abcdef0", "ami-0123456789abcdef0"),
        (COPIED, "ami-654b5503"),
        ("", None),
        ("Created by CreateImage", None),
        ("Created by CreateImage() for ami-1", None),
        ("Created by CreateImage(i-1) for vol-1", None),
        ("Created by CreateImage(i-1) for ami-1 and others", None),
        ("Created by CreateImage(i-1) for ami-1 from vol-1, do not delete", None),
        ("Before the upgrade. " + CREATED, None),
        ("created by createimage(i-1) for ami-1", None),
        ("Copied for DestinationAmi ami-1", None),
        ("[Copied snap-1 from us-east-1] " + CREATED, None),
        ("Created by AWS-VMImport service for import-ami-1", None),
    ],
)
def test_the_description_says_for_which_ami_it_was_made(description: str, ami: str | None) -> None:
    assert made_for(description) == ami


def orphan(**changes: Any) -> bool:
    """Whether an orphaned snapshot with these changes still is one; `existing` and `used` as `find_orphans` takes them."""
    existing, used = changes.pop("existing", ()), changes.pop("used", ())
    plain: dict[str, Any] = {
        "id": "snap-1",
        "description": CREATED,
        "started": NOW - timedelta(days=2),
        "state": "completed",
        "size_gib": 8,
    }
    plain["volume"] = "vol-06caf0d5af00505e7"
    snapshot = Snapshot(**{**plain, **changes})
    found = find_orphans([snapshot], existing, used, NOW)
    assert found in ([], [snapshot])
    return bool(found)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, True),
        ({"existing": {"ami-0"}, "used": {"snap-0"}}, True),
        ({"existing": {"ami-654b5503"}}, False),
        ({"description": COPIED, "existing": {"ami-0123456789abcdef0"}}, True),
        ({"description": COPIED, "existing": {"ami-654b5503"}}, False),
        ({"volume": "vol-ffffffff"}, False),  # a copy that repeats the description of its source
        ({"volume": ""}, False),
        ({"description": COPIED, "volume": "vol-ffffffff"}, True),
        ({"description": COPIED, "volume": ""}, True),
        ({"used": {"snap-1"}}, False),
        ({"description": "mine"}, False),
        ({"state": "pending"}, False),
        ({"state": "error"}, False),
        ({"state": ""}, False),
        ({"started": None}, False),
        ({"started": NOW - timedelta(days=1)}, False),
        ({"started": NOW - timedelta(days=1) - SECOND}, True),
        ({"tags": (("aws:backup:source-resource", "x"),)}, False),
        ({"tags": (("aws:dlm:lifecycle-policy-id", "x"),)}, False),
        ({"tags": (("dlm:managed", "true"),)}, False),
        ({"tags": (("backup", "x"), ("dlm", "x"))}, True),
    ],
)
def test_an_orphaned_snapshot_has_every_mark(changes: dict[str, Any], expected: bool) -> None:
    assert orphan(**changes) is expected


def test_orphans_are_sorted_by_their_ids_alone() -> None:
    started = [NOW - timedelta(days=days) for days in (2, 4, 3)]
    found = [Snapshot(f"snap-{id}", COPIED, date, "completed", 8) for id, date in zip("bca", started, strict=True)]
    assert [snapshot.id for snapshot in find_orphans(found, (), (), NOW)] == ["snap-a", "snap-b", "snap-c"]


AMIS = st.frozensets(st.integers(0, 5).map("ami-{:08x}".format), max_size=3)
SNAPSHOTS = st.frozensets(st.integers(0, 7).map("snap-{}".format), max_size=3)


def test_the_manager_is_named() -> None:
    assert manager_of([("dlm:managed", "true")]) == manager_of([("x", ""), ("aws:dlm:x", "")]) == "Data Lifecycle Manager"
    assert manager_of([("aws:backup:x", "")]) == "AWS Backup"
    assert manager_of([("aws:backupx", ""), ("dlm", "")]) is None


@settings(max_examples=min(settings().max_examples, 1000))
@given(snapshot_lists, AMIS, SNAPSHOTS, AMIS, SNAPSHOTS, st.randoms(use_true_random=False))
def test_more_amis_and_references_never_make_more_orphans(
    snapshots: tuple[Snapshot, ...],
    existing: frozenset[str],
    used: frozenset[str],
    more_existing: frozenset[str],
    more_used: frozenset[str],
    random: Any,
) -> None:
    found = find_orphans(snapshots, existing, used, NOW)
    assert {origin_of(snapshot) for snapshot in found}.isdisjoint({None, *existing})
    shuffled = list(snapshots)
    random.shuffle(shuffled)
    assert find_orphans(shuffled, existing, used, NOW) == found
    for fewer in (
        find_orphans(snapshots, existing | more_existing, used, NOW),
        find_orphans(snapshots, existing, used | more_used, NOW),
    ):
        assert set(fewer) <= set(found)
