"""What a run says to whoever looks on.  `report/console.py` prints it; a library's caller may be silent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .config import Config
from .models import AmiResult, CallRecord, Failure, Snapshot, Target
from .plan import Plan
from .result import Result


class View(Protocol):
    """Called from the run's own thread, but for `called`.  Nothing here is said before it is true."""

    def warning(self, text: str) -> None:
        """Something that changes what the run can see, and does not stop it."""

    def problem(self, text: str) -> None:
        """Something that was asked for and is not done; the exit status will be 1."""

    def retrieving(self, config: Config) -> None:
        """The values in force, before the account is read."""

    def called(self, record: CallRecord) -> None:
        """A call to AWS came back: for `--debug`, and for progress.  From any thread, at any time."""

    def targets(self, targets: Sequence[Target]) -> None:
        """The accounts and Regions in which AMIs may go, once they are known."""

    def orphans(self, orphans: Sequence[tuple[Target, Snapshot]]) -> None:
        """The orphan snapshots that were found (at least one)."""

    def plan(self, plan: Plan) -> None:
        """The plan, before the question."""

    def confirm_orphans(self, count: int) -> bool:
        """The question about orphan snapshots.  Raises InputEnded."""

    def confirm_amis(self, count: int) -> bool:
        """The question about AMIs.  Raises InputEnded."""

    def removing_orphans(self, count: int) -> None:
        """The orphan snapshots are about to be deleted."""

    def removed_orphans(self, count: int) -> None:
        """So many orphan snapshots were deleted."""

    def cleaning(self, count: int) -> None:
        """The AMIs are about to be deregistered."""

    def deregistered(self, target: Target, ami: str) -> None:
        """AWS has deregistered an AMI."""

    def snapshot_deleted(self, target: Target, snapshot: str) -> None:
        """AWS has deleted a snapshot."""

    def snapshot_kept(self, target: Target, snapshot: str, by: Sequence[str]) -> None:
        """A snapshot of an AMI that went stays: the AMIs `by` (none known: some other AMI) use it."""

    def ami_kept(self, result: AmiResult) -> None:
        """An AMI of the plan stays: it came into use meanwhile, or it is shared."""

    def ami_failed(self, target: Target, ami: str, failure: Failure) -> None:
        """AWS did not deregister an AMI."""

    def snapshot_failed(self, target: Target, snapshot: str, failure: Failure) -> None:
        """AWS did not delete a snapshot."""

    def finished(self, result: Result) -> None:
        """The end, also of an interrupted run: failures, and the data of the machine formats."""


class SilentView:
    """Says nothing, and answers every question with `yes` (given when it is made)."""

    def __init__(self, yes: bool = False) -> None:
        self.yes = yes

    def warning(self, text: str) -> None: ...
    def problem(self, text: str) -> None: ...
    def retrieving(self, config: Config) -> None: ...
    def called(self, record: CallRecord) -> None: ...
    def targets(self, targets: Sequence[Target]) -> None: ...
    def orphans(self, orphans: Sequence[tuple[Target, Snapshot]]) -> None: ...
    def plan(self, plan: Plan) -> None: ...
    def confirm_orphans(self, count: int) -> bool:
        return self.yes

    def confirm_amis(self, count: int) -> bool:
        return self.yes

    def removing_orphans(self, count: int) -> None: ...
    def removed_orphans(self, count: int) -> None: ...
    def cleaning(self, count: int) -> None: ...
    def deregistered(self, target: Target, ami: str) -> None: ...
    def snapshot_deleted(self, target: Target, snapshot: str) -> None: ...
    def snapshot_kept(self, target: Target, snapshot: str, by: Sequence[str]) -> None: ...
    def ami_kept(self, result: AmiResult) -> None: ...
    def ami_failed(self, target: Target, ami: str, failure: Failure) -> None: ...
    def snapshot_failed(self, target: Target, snapshot: str, failure: Failure) -> None: ...
    def finished(self, result: Result) -> None: ...
