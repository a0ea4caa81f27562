"""What a run did: the plan, what became of each part of it, and the exit status that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .models import AmiResult, Reference, RestoreResult, Snapshot, SnapshotResult, Target
from .plan import Plan

InBin = dict[tuple[Target, str], datetime]
"""(Target, AMI id) to the time until which it can be restored from the Recycle Bin."""

Status = Literal["planned", "declined", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Orphan:
    """An orphaned snapshot that was found, and the AMI that it was made for; `result` is None until somebody tries to
    delete it."""

    target: Target
    snapshot: Snapshot
    ami: str = ""
    result: SnapshotResult | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a run, of an interrupted one too.

    `plan` is None where the run ended before there was one.  `amis` holds what was tried, by (target, AMI id).  `problems`
    are sentences about what was requested and could not be done; each makes the exit status 1.  `interrupted` is 129
    (SIGHUP), 130 (Ctrl-C), 143 (SIGTERM), or 1 where nobody reads the output any longer.  `seconds` is how long the changes
    took.  `in_bin` is what the Recycle Bin held after the deletion: (target, AMI id) to the time until which it can be
    restored; None: it was not read.  `dangling` are references to AMIs that do not exist.
    """

    plan: Plan | None = None
    amis: Mapping[tuple[Target, str], AmiResult] = field(default_factory=dict)
    orphans: tuple[Orphan, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    interrupted: int | None = None
    declined: bool = False
    seconds: float = 0.0
    in_bin: InBin | None = None
    restored: tuple[RestoreResult, ...] = ()
    dangling: tuple[Reference, ...] = ()

    @property
    def failed_amis(self) -> tuple[AmiResult, ...]:
        """The AMIs that AWS did not change, in the plan's order."""
        return tuple(result for result in self.amis.values() if result.outcome == "failed")

    @property
    def failed_snapshots(self) -> tuple[SnapshotResult, ...]:
        """The snapshots that AWS did not delete, orphaned ones last."""
        own = [snapshot for result in self.amis.values() for snapshot in result.snapshots if snapshot.outcome == "failed"]
        orphans = [orphan.result for orphan in self.orphans if orphan.result and orphan.result.outcome == "failed"]
        return (*own, *orphans)

    @property
    def orphans_deleted(self) -> int:
        """How many orphaned snapshots were deleted."""
        return sum(orphan.result is not None and orphan.result.outcome == "removed" for orphan in self.orphans)

    @property
    def would_change(self) -> bool:
        """Whether something would be deleted or quarantined: `--exit-code` asks for it."""
        return bool((self.plan and self.plan.candidates) or self.orphans)

    @property
    def status(self) -> Status:
        """How the run ended, in one word."""
        if self.interrupted is not None:
            return "interrupted"
        if self.exit_status == 1:
            return "failed"
        if self.declined:
            return "declined"
        return "planned" if self.plan is not None and not self.plan.config.deletes else "done"

    @property
    def exit_status(self) -> int:
        """0, 1, 3 (`--exit-code`), 129, 130 or 143; wrong input never gets as far as a result."""
        if self.interrupted is not None:
            return self.interrupted
        unrestored = any(restored.outcome == "failed" for restored in self.restored)
        if self.problems or self.failed_amis or self.failed_snapshots or unrestored:
            return 1
        if self.plan and self.plan.config.exit_code and self.would_change:
            return 3
        return 0
