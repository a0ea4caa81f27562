"""The results of an AMI's snapshots: AWS's response to its deregistration, read snapshot by snapshot.  Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..models import Ami, Failure, SnapshotResult, Target

# Return codes of DeregisterImage (API reference, DeleteSnapshotReturnCode).
SUCCESS = "success"
SKIPPED = "skipped"
INTERNAL_ERROR = "internal-error"
MISSING_PERMISSIONS = "missing-permissions"

_MESSAGES = {
    MISSING_PERMISSIONS: "AWS did not delete the snapshot with its AMI: the IAM action ec2:DeleteSnapshot is not granted",
    "": "AWS did not say what became of the snapshot",
}


class SnapshotReferences:
    """Which own AMIs use a snapshot, while they are deleted one by one.  Ids belong to a target."""

    def __init__(self, inventories: Iterable[tuple[Target, Iterable[Ami]]], deleted: Iterable[tuple[Target, str]]) -> None:
        """`inventories` are all own AMIs, disabled ones included; `deleted` are those that the plan deletes."""
        self._users: dict[tuple[Target, str], set[str]] = defaultdict(set)
        for target, amis in inventories:
            for ami in amis:
                for snapshot in ami.snapshots:
                    self._users[target, snapshot.id].add(ami.id)
        self._to_delete = frozenset(deleted)
        self._gone: set[tuple[Target, str]] = set()

    def deregistered(self, target: Target, ami: Ami) -> None:
        """The AMI no longer uses its snapshots."""
        for snapshot in ami.snapshots:
            self._users[target, snapshot.id].discard(ami.id)

    def deleted(self, target: Target, snapshot_id: str) -> None:
        """The snapshot is gone."""
        self._gone.add((target, snapshot_id))

    def is_deleted(self, target: Target, snapshot_id: str) -> bool:
        """Whether it was deleted with another AMI of this run, whose result names it."""
        return (target, snapshot_id) in self._gone

    def users(self, target: Target, snapshot_id: str) -> tuple[str, ...]:
        """The AMIs that use it now, sorted."""
        return tuple(sorted(self._users.get((target, snapshot_id), ())))

    def left_to_another(self, target: Target, snapshot_id: str) -> bool:
        """Whether an AMI of the plan that uses it was not deleted yet: it takes the snapshot along, unless it is kept."""
        return any((target, user) in self._to_delete for user in self.users(target, snapshot_id))


@dataclass(slots=True)
class SnapshotPlan:
    """`settled` is known already; `singly` need a call of their own; `left` go with another AMI of the plan."""

    settled: list[SnapshotResult] = field(default_factory=list)
    singly: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def classify_snapshots(target: Target, ami: Ami, codes: Mapping[str, str], references: SnapshotReferences) -> SnapshotPlan:
    """What to do about the snapshots of a deregistered AMI; `codes` is snapshot id to AWS's return code.

    Without a code (an emulator, a lost answer) a snapshot needs a call of its own, and so does one that AWS skipped though
    no AMI that we know of uses it: right after another deregistration AWS may not have noticed.  So does an internal error.
    """
    plan = SnapshotPlan()
    own = {snapshot.id for snapshot in ami.snapshots}
    for id in dict.fromkeys([*(snapshot.id for snapshot in ami.snapshots), *codes]):
        code = codes.get(id)
        # AWS may say that a snapshot is gone which the AMI did not have; nothing is done about it here.
        if references.is_deleted(target, id) or (id not in own and code != SUCCESS):
            continue
        if code == SUCCESS:
            plan.settled.append(SnapshotResult(target, id, "removed"))
        elif code not in (None, SKIPPED, INTERNAL_ERROR):
            message = _MESSAGES.get(code, "AWS did not delete the snapshot with its AMI")
            plan.settled.append(SnapshotResult(target, id, "failed", Failure(code or "NoReturnCode", message)))
        elif references.left_to_another(target, id):
            plan.left.append(id)
        elif users := references.users(target, id):
            plan.settled.append(SnapshotResult(target, id, "kept", used_by=users))
        else:
            plan.singly.append(id)
    return plan


def in_device_order(ami: Ami, results: Mapping[str, SnapshotResult]) -> tuple[SnapshotResult, ...]:
    """The results in the order of the AMI's devices, any others after them."""
    order: Sequence[str] = [*dict.fromkeys([*(snapshot.id for snapshot in ami.snapshots), *sorted(results)])]
    return tuple(results[id] for id in order if id in results)
