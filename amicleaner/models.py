"""The plain data that flows from the readers through the pipeline to the report: frozen, slotted, independent of AWS.

`from_aws` takes one item of boto3's response to the call named in its docstring; times are parsed once, to aware UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from sys import intern
from typing import Any, Literal, NamedTuple, Self

Reason = Literal[
    "in-use", "state", "quarantined", "released", "protected", "managed", "public", "shared", "keep-tag", "keep-until",
    "excluded", "recently-launched", "not-selected", "no-rule", "no-tags", "no-match", "too-young", "kept-previous",
    "kept-daily", "kept-weekly", "kept-monthly", "kept-yearly", "no-recycle-bin", "over-limit", "old", "named",
]  # fmt: skip
"""Why an AMI is kept: the first that applies is shown.  The last two are why one is deleted."""

KeepReason = tuple[Reason, str]
"""With the sentence that explains it."""

FAILED_STATES = frozenset({"error", "failed", "invalid"})
"""States of an AMI whose creation failed: nothing can be launched from it, so it does not count among the newest."""

Outcome = Literal["removed", "quarantined", "released", "failed", "kept"]


def number(count: int, noun: str) -> str:
    """`1 AMI`, `4 AMIs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One Region of one account.  `account` is empty where it is not known (one account, nothing owned, no STS)."""

    account: str
    region: str

    def __str__(self) -> str:
        """For people: `account 123456789012, Region eu-west-1`."""
        return f"account {self.account}, Region {self.region}" if self.account else f"Region {self.region}"


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A resource that refers to an AMI.  `kind` is one of `USE_KINDS` (`sources.py`), `label` is for people:
    `instance i-… (stopped)`."""

    kind: str
    id: str
    account: str
    region: str
    label: str

    def through(self, step: str) -> Self:
        """The same resource, with a step in between: `Auto Scaling group "web", launch template lt-… version 3`."""
        return replace(self, label=f"{self.label}, {step}")


class Reference(NamedTuple):
    """An AMI and a resource that refers to it; dangling if the AMI does not exist."""

    ami: str
    use: Use


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One try of one call to AWS: `action` in IAM's form, `seconds` it took, `outcome` `ok` or AWS's code, and whether AWS
    `throttled` it."""

    action: str
    target: Target
    seconds: float
    outcome: str
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class BlockSnapshot:
    """A snapshot behind one of an AMI's block devices; `size_gib` is an upper bound of what it stores: the volume's size, or
    its full size where that is known and smaller.  `archived` says that it is in the archive tier."""

    id: str
    size_gib: int
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Ami:
    """An AMI as `DescribeImages` describes it.  `created` is None if AWS's `CreationDate` is missing or unreadable;
    `last_launched` is None if it was never launched, and `UNREADABLE` if AWS's date cannot be read.  `source` is
    the AMI that it was copied from and the Region of that one, both empty if it is not a copy."""

    id: str
    name: str
    created: datetime | None
    created_text: str
    state: str
    tags: tuple[tuple[str, str], ...] = ()
    snapshots: tuple[BlockSnapshot, ...] = ()
    public: bool = False
    protection: str = ""
    last_launched: datetime | None = None
    owner: str = ""
    owner_alias: str = ""
    source: tuple[str, str] = ("", "")

    @classmethod
    def from_aws(cls, image: Mapping[str, Any]) -> Self:
        """Takes one of `Images`.  A snapshot of two devices counts once.  Raises KeyError without an id,
        ValueError for an invalid size or tag."""
        snapshots: dict[str, int] = {}
        for mapping in image.get("BlockDeviceMappings") or ():
            ebs = mapping.get("Ebs") or {}
            if ebs.get("SnapshotId"):
                snapshots[ebs["SnapshotId"]] = max(_gib(ebs.get("VolumeSize")), snapshots.get(ebs["SnapshotId"], 0))
        created, launched = str(image.get("CreationDate") or ""), image.get("LastLaunchedTime")
        return cls(
            id=image["ImageId"],
            name=str(image.get("Name") or ""),
            created=parse_time(created),
            created_text=created,
            state=intern(str(image.get("State") or "")),
            tags=tags_from_aws(image.get("Tags")),
            snapshots=tuple(BlockSnapshot(id, size) for id, size in snapshots.items()),
            public=bool(image.get("Public")),
            protection=intern(str(image.get("DeregistrationProtection") or "")),
            last_launched=(parse_time(launched) or UNREADABLE) if launched else None,
            owner=intern(str(image.get("OwnerId") or "")),
            owner_alias=intern(str(image.get("ImageOwnerAlias") or "")),
            source=_pair(str(image.get("SourceImageId") or ""), intern(str(image.get("SourceImageRegion") or ""))),
        )


@dataclass(frozen=True, slots=True)
class Inventory:
    """All AMIs that an account owns in a Region, disabled ones included."""

    target: Target
    amis: tuple[Ami, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An EBS snapshot as `DescribeSnapshots` describes it.  `size_gib` is its volume's size, `full_bytes` the blocks written
    (0: not known), `archived` says that it is in the archive tier."""

    id: str
    description: str
    started: datetime | None
    state: str
    size_gib: int
    tags: tuple[tuple[str, str], ...] = ()
    full_bytes: int = 0
    archived: bool = False
    volume: str = ""

    @classmethod
    def from_aws(cls, snapshot: Mapping[str, Any]) -> Self:
        """Takes one of `Snapshots`.  Raises KeyError without an id, ValueError for an invalid size or tag."""
        return cls(
            id=snapshot["SnapshotId"],
            description=str(snapshot.get("Description") or ""),
            started=parse_time(snapshot.get("StartTime")),
            state=intern(str(snapshot.get("State") or "")),
            size_gib=_gib(snapshot.get("VolumeSize")),
            tags=tags_from_aws(snapshot.get("Tags")),
            full_bytes=max(0, int(snapshot.get("FullSnapshotSizeInBytes") or 0)),
            archived=snapshot.get("StorageTier") == "archive",
            volume=intern(str(snapshot.get("VolumeId") or "")),
        )

    def block(self, size_gib: int | None = None) -> BlockSnapshot:
        """With the smaller of its volume's size, as the volume of an AMI has it, and its full size in whole GiB, rounded
        up."""
        volume = self.size_gib if size_gib is None else size_gib
        full = -(-self.full_bytes // (1 << 30))
        return BlockSnapshot(self.id, min(volume, full) if full else volume, self.archived)


UNREADABLE = datetime.max.replace(tzinfo=UTC)
"""Later than any other time: an AMI whose last launch cannot be read counts as launched just now."""


def tags_from_aws(tags: Any) -> tuple[tuple[str, str], ...]:
    """`[{"Key": …, "Value": …}]` as sorted pairs; strings that thousands of AMIs share are kept once.  Raises ValueError for
    half a tag, or two with one key, one of which may protect."""
    if not all(tag.get("Key") and tag.get("Value") is not None for tag in tags or ()):
        raise ValueError("a tag has no key or no value")
    pairs = sorted(_pair(intern(str(tag["Key"])), intern(str(tag["Value"]))) for tag in tags or ())
    if any(first[0] == second[0] for first, second in pairwise(pairs)):
        raise ValueError("two tags have the same key")
    return tuple(pairs)


@lru_cache(1000)
def _pair(first: str, second: str) -> tuple[str, str]:
    """A pair that thousands of AMIs have, once: it takes 70 bytes."""
    return first, second


def _gib(value: Any) -> int:
    """A volume's size; 0 if it is missing.  A size beyond EC2's integers would also break sums and prices."""
    size = int(value or 0)
    if not 0 <= size < 1 << 31:
        raise ValueError("a volume's size is invalid")
    return size


def parse_time(value: Any) -> datetime | None:
    """AWS's time, as text (`2017-06-15T09:55:42.000Z`) or as boto3's datetime, in aware UTC; None for everything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something was not done: AWS's own code and message, and the IAM form of the call where it is known."""

    code: str
    message: str
    action: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """The outcome of one snapshot: `removed` (deleted now or before), `kept` (the AMIs `used_by` use it, as far as
    they are known, or for the reason in `explanation`), `failed`."""

    target: Target
    id: str
    outcome: Outcome
    error: Failure | None = None
    used_by: tuple[str, ...] = ()
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class AmiResult:
    """The outcome of one AMI that the plan changes.

    `kept`: the account no longer allows it, which is not a failure; `reason` and `explanation` say why.  `until` is the end
    of the quarantine of one that was quarantined.
    """

    target: Target
    id: str
    outcome: Outcome
    error: Failure | None = None
    snapshots: tuple[SnapshotResult, ...] = ()
    reason: Reason | None = None
    explanation: str = ""
    used_by: tuple[Use, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The outcome of one AMI or snapshot to be restored.  `already`: it was there.  `reason` says why it was
    not brought back."""

    target: Target
    id: str
    outcome: Literal["restored", "already", "failed", "planned"]
    reason: str = ""
