"""What is in use, worked out from what was read.  Pure.

`Uses` are the references to AMIs of one Region, by AMI id; they come from the readers in `aws/usage`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from .models import Ami, Reference, Target, Use, number

Uses = dict[str, tuple[Use, ...]]

NOT_DANGLING = frozenset({"instance", "file"})
"""A running instance needs no AMI any more, and a file may well tell of the past."""


def merge_uses(parts: Iterable[Mapping[str, Iterable[Use]]]) -> Uses:
    """Several mappings of references as one, each reference once, sorted.  Where two readers report the same resource, only
    the fuller label stays."""
    uses: dict[str, set[Use]] = defaultdict(set)
    for part in parts:
        for id, found in part.items():
            uses[id].update(found)
    return {id: _fullest(found) for id, found in sorted(uses.items()) if found}


def uses_of(references: Iterable[tuple[str, Use]]) -> Uses:
    """References by AMI id, or by that of a snapshot."""
    return merge_uses({id: [use]} for id, use in references)


def _fullest(uses: set[Use]) -> tuple[Use, ...]:
    """The longest of the labels that continue one another."""
    kept: list[Use] = []
    for use in sorted(uses):
        last = kept[-1] if kept else use
        if use.label.startswith((f"{last.label} ", f"{last.label}, ")) and replace(last, label=use.label) == use:
            kept.pop()
        kept.append(use)
    return tuple(kept)


def condensed(uses: Sequence[Use]) -> str:
    """`instance i-… (running) and 13 others`."""
    if len(uses) < 2:
        return "".join(use.label for use in uses)
    return f"{uses[0].label} and {number(len(uses) - 1, 'other')}"


def uses_by_snapshot(amis: Iterable[Ami], snapshot_references: Mapping[str, Iterable[Use]]) -> Uses:
    """References to AMIs through their snapshots: each AMI that has one of the snapshots that block devices name.  The label
    says which one: `launch template lt-… "web" version 3, snapshot snap-…`.  All of one Region."""
    return merge_uses(
        {ami.id: [use.through(f"snapshot {snapshot.id}") for use in snapshot_references.get(snapshot.id, ())]}
        for ami in amis
        for snapshot in ami.snapshots
    )


def uses_by_copies(target: Target, amis: Iterable[Ami]) -> dict[tuple[str, str], tuple[Use, ...]]:
    """References to AMIs that are being copied, by (Region, AMI id): the pending AMIs of `target` that name them as their
    source."""
    uses: dict[tuple[str, str], set[Use]] = defaultdict(set)
    for ami in amis:
        source, region = ami.source
        if source and ami.state == "pending":
            use = Use("image-copy", ami.id, target.account, target.region, f"AMI {ami.id} (being copied from it)")
            uses[region or target.region, source].add(use)
    return {key: tuple(sorted(found)) for key, found in uses.items()}


def dangling_references(uses: Mapping[str, Iterable[Use]], existing: Collection[str]) -> tuple[Reference, ...]:
    """References to AMIs that do not exist, sorted: what will fail at its next launch.  All of one Region.

    `existing` are the AMIs that the run owns in the Region, and those that the account of the reference can see besides
    (`aws.fetcher.fetch_visible_amis`): public ones and those that other accounts share with it.  Instances and files are
    left out.
    """
    return tuple(
        sorted(
            Reference(id, use)
            for id, found in uses.items()
            if id not in existing
            for use in found
            if use.kind not in NOT_DANGLING
        )
    )
