"""What becomes of an AMI's snapshots: AWS's answer to its deregistration, read snapshot by snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...models import Ami, Failure, SnapshotResult, Target

# Return codes of DeregisterImage (API reference, DeleteSnapshotReturnCode).
SUCCESS = "success"
SKIPPED = "skipped"
INTERNAL_ERROR = "internal-error"

_WORDS = {
    "missing-permissions": "AWS did not delete the snapshot with its AMI: grant the IAM action ec2:DeleteSnapshot",
    "client-error": "AWS did not delete the snapshot with its AMI: the request was wrong for it",
    "": "AWS did not say what became of the snapshot",
}


@dataclass(slots=True)
class Sorting:
    """`settled` is known already; `singly` must be deleted by calls of their own; `later` go with the last AMI of the
    plan that holds them, if that goes; `kept` are used by the AMIs named."""

    settled: list[SnapshotResult] = field(default_factory=list)
    singly: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Holders:
    """Which own AMIs hold a snapshot, as they go one by one.  Kept by target: ids are an account's Region's own."""

    def __init__(self, holders: Mapping[Target, Mapping[str, frozenset[str]]]) -> None:
        """Snapshot id -> ids of the own AMIs, disabled ones included, that use it; those that go among them."""
        self._holders = holders
        self._gone: dict[Target, set[str]] = defaultdict(set)
        self._going: dict[Target, set[str]] = defaultdict(set)
        self._deleted: set[tuple[Target, str]] = set()

    def will_go(self, target: Target, ami_id: str) -> None:
        """The plan removes this AMI."""
        self._going[target].add(ami_id)

    def went(self, target: Target, ami_id: str) -> None:
        """This AMI is deregistered."""
        self._gone[target].add(ami_id)

    def deleted(self, target: Target, snapshot_id: str) -> None:
        """This snapshot is gone."""
        self._deleted.add((target, snapshot_id))

    def is_deleted(self, target: Target, snapshot_id: str) -> bool:
        """Whether it went with another AMI of this removal, whose result names it."""
        return (target, snapshot_id) in self._deleted

    def of(self, target: Target, snapshot_id: str) -> tuple[str, ...]:
        """The AMIs that hold it now, sorted."""
        held = self._holders.get(target, {}).get(snapshot_id, frozenset())
        return tuple(sorted(held - self._gone[target]))

    def goes_later(self, target: Target, snapshot_id: str) -> bool:
        """Whether one of the AMIs that hold it is to go, or was but stays: who holds it is known for certain at the end."""
        return not self._going[target].isdisjoint(self.of(target, snapshot_id))


def sort_out(target: Target, ami: Ami, codes: Mapping[str, str], holders: Holders) -> Sorting:
    """Of a deregistered AMI; `codes` is snapshot id -> AWS's return code, without those that AWS said nothing of.

    Without a code (an emulator, an answer that was lost, an AMI that was gone already) a snapshot is left to a call of its
    own, and so is one that AWS skipped though no AMI that we know of holds it: right after another AMI went, AWS may not
    have noticed.  An internal error is tried once more in that way.
    """
    sorting = Sorting()
    own = {snapshot.id for snapshot in ami.snapshots}
    for id in dict.fromkeys([*(snapshot.id for snapshot in ami.snapshots), *codes]):
        code = codes.get(id)
        # Of a snapshot that the AMI did not have, AWS may say that it is gone; nothing is done about it here.
        if holders.is_deleted(target, id) or (id not in own and code != SUCCESS):
            continue
        if code == SUCCESS:
            sorting.settled.append(SnapshotResult(target, id, "removed"))
        elif code not in (None, SKIPPED, INTERNAL_ERROR):
            words = _WORDS.get(code, "AWS did not delete the snapshot with its AMI")
            sorting.settled.append(SnapshotResult(target, id, "failed", Failure(code or "NoReturnCode", words)))
        elif holders.goes_later(target, id):
            sorting.later.append(id)
        elif by := holders.of(target, id):
            sorting.kept[id] = by
        else:
            sorting.singly.append(id)
    return sorting


def kept_with_ami(target: Target, ami: Ami) -> tuple[SnapshotResult, ...]:
    """The snapshots of an AMI that stays."""
    return tuple(SnapshotResult(target, snapshot.id, "kept") for snapshot in ami.snapshots)


def in_plan_order(ami: Ami, results: Mapping[str, SnapshotResult]) -> tuple[SnapshotResult, ...]:
    """The results in the order of the AMI's devices, any others after them."""
    order: Sequence[str] = [*dict.fromkeys([*(snapshot.id for snapshot in ami.snapshots), *sorted(results)])]
    return tuple(results[id] for id in order if id in results)
