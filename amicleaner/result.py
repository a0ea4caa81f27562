"""What a run did: the plan, what became of each part of it, and the exit status that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .models import AmiResult, Snapshot, SnapshotResult, Target
from .plan import Plan


@dataclass(frozen=True, slots=True)
class Orphan:
    """An orphan snapshot that was found; `result` is None as long as nobody tried to delete it."""

    target: Target
    snapshot: Snapshot
    result: SnapshotResult | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a run, also of one that was interrupted.

    `plan` is None where the run ended before there was one.  `amis` holds what was tried, by (target, AMI id).  `problems`
    are sentences about what was asked for and could not be done; each makes the exit status 1.  `interrupted` is 130
    (Ctrl-C), 143 (SIGTERM), or 1 where nobody reads the output any longer.
    """

    plan: Plan | None = None
    amis: Mapping[tuple[Target, str], AmiResult] = field(default_factory=dict)
    orphans: tuple[Orphan, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    interrupted: int | None = None

    @property
    def failed_amis(self) -> tuple[AmiResult, ...]:
        """The AMIs that AWS did not deregister, in the plan's order."""
        return tuple(result for result in self.amis.values() if result.outcome == "failed")

    @property
    def failed_snapshots(self) -> tuple[SnapshotResult, ...]:
        """The snapshots that AWS did not delete, orphans last."""
        own = [snapshot for result in self.amis.values() for snapshot in result.snapshots if snapshot.outcome == "failed"]
        orphans = [orphan.result for orphan in self.orphans if orphan.result and orphan.result.outcome == "failed"]
        return (*own, *orphans)

    @property
    def would_remove(self) -> bool:
        """Whether something is to go: `--exit-code` asks for it."""
        return bool((self.plan and self.plan.removals) or self.orphans)

    @property
    def exit_status(self) -> int:
        """0, 1, 3 (`--exit-code`), 130 or 143; wrong input never gets as far as a result."""
        if self.interrupted is not None:
            return self.interrupted
        if self.problems or self.failed_amis or self.failed_snapshots:
            return 1
        if self.plan and self.plan.config.exit_code and self.would_remove:
            return 3
        return 0
