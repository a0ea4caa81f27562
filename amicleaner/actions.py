"""What a run may do to an AMI or a snapshot, as values: the calls with everything that is known about them, and the actions
of a plan with their words.  Pure.

The limits are those of the EC2 guide ("Request throttling for the Amazon EC2 API"), the codes those of the API reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

IMAGES = "arn:*:ec2:*::image/*"
SNAPSHOTS = "arn:*:ec2:*::snapshot/*"

AMI_GONE = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"})
"""How EC2 says that an AMI is gone.  `Unavailable` is also said of one that exists, for example a pending one."""

SNAPSHOT_GONE = frozenset({"InvalidSnapshot.NotFound"})

QUARANTINE_TAG = "amicleaner:quarantined-at"
"""The tag that holds the whole state of a quarantine: the UTC time at which it began, `2026-11-24T10:43:42Z`."""

KEEP_UNTIL_TAG = "amicleaner:keep-until"
"""The tag with which an owner keeps an AMI until a date, `2027-01-31`."""


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of call that changes something.

    `call` is the EC2 API call, `id_member` the parameter that takes the id, `parameters` what else is sent each time.
    `already` are the codes that mean that it is so already.  `bucket` tokens, refilled with `rate` a second, are AWS's
    limit; `also_needs` are IAM actions that it needs besides its own, on `resources`.
    """

    call: str
    id_member: str
    resources: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    already: frozenset[str] = frozenset()
    bucket: float = 50.0
    rate: float = 5.0
    also_needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The IAM form: `ec2:DeregisterImage`."""
        return f"ec2:{self.call}"

    @property
    def permissions(self) -> tuple[str, ...]:
        """The IAM actions that it needs."""
        return (self.name, *self.also_needs)

    def request(self, id: str, **more: Any) -> dict[str, Any]:
        """The parameters of the call for one id."""
        return {self.id_member: [id] if self.id_member == "Resources" else id, **self.parameters, **more}


DEREGISTER = Change(
    "DeregisterImage", "ImageId", (IMAGES,), {"DeleteAssociatedSnapshots": True}, AMI_GONE, bucket=100.0,
    also_needs=("ec2:DeleteSnapshot",),
)  # fmt: skip
DELETE_SNAPSHOT = Change("DeleteSnapshot", "SnapshotId", (SNAPSHOTS,), already=SNAPSHOT_GONE, bucket=100.0)
DISABLE = Change("DisableImage", "ImageId", (IMAGES,))
ENABLE = Change("EnableImage", "ImageId", (IMAGES,))
TAG = Change("CreateTags", "Resources", (IMAGES,), bucket=100.0, rate=10.0)
UNTAG = Change("DeleteTags", "Resources", (IMAGES,), {"Tags": [{"Key": QUARANTINE_TAG}]}, bucket=100.0, rate=10.0)
RESTORE_IMAGE = Change("RestoreImageFromRecycleBin", "ImageId", (IMAGES,))
RESTORE_SNAPSHOT = Change("RestoreSnapshotFromRecycleBin", "SnapshotId", (SNAPSHOTS,))

CHANGES = (DEREGISTER, DELETE_SNAPSHOT, DISABLE, ENABLE, TAG, UNTAG, RESTORE_IMAGE, RESTORE_SNAPSHOT)


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """What a plan does with an AMI.  `name` is its word in the documents and the prompt, `verb` in the plan's sentence,
    `outcome` what a result says; `calls` are the changes it is made of, the main one first."""

    name: Literal["remove", "keep", "quarantine", "release"]
    verb: str
    past: str
    outcome: Literal["removed", "kept", "quarantined", "released"]
    calls: tuple[Change, ...] = ()

    @property
    def permissions(self) -> tuple[str, ...]:
        """The IAM actions that it needs, sorted."""
        return tuple(sorted({permission for call in self.calls for permission in call.permissions}))

    @property
    def slowest(self) -> Change:
        """The change that AWS's limits allow least often: it decides how many AMIs can be changed in a time."""
        return min(self.calls, key=lambda call: (call.rate, call.bucket))


KEEP = Action("keep", "keep", "kept", "kept")
DELETE = Action("remove", "delete", "deleted", "removed", (DEREGISTER, DELETE_SNAPSHOT))
QUARANTINE = Action("quarantine", "quarantine", "quarantined", "quarantined", (DISABLE, TAG, UNTAG))
RELEASE = Action("release", "release", "released", "released", (ENABLE, UNTAG))
DELETE_ORPHAN = Action("remove", "delete", "deleted", "removed", (DELETE_SNAPSHOT,))
"""Of an orphaned snapshot; a plan decides about AMIs alone."""

ACTIONS = {action.name: action for action in (KEEP, DELETE, QUARANTINE, RELEASE)}
ORDER = (RELEASE, QUARANTINE, DELETE)
"""In each run, in this order: what is needed is enabled first, and what is deleted comes last."""
