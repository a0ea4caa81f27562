"""What a run reports while it runs.  `report/console.py` prints it; a library's caller may ignore it."""

from collections.abc import Sequence

from .config import Config
from .models import AmiResult, CallRecord, Reference, RestoreResult, SnapshotResult, Target
from .plan import Plan
from .result import Orphan, Result


class View:
    """Called from the run's own thread, except `called` and `scanned`.  Nothing is reported before it is true.

    This one prints nothing and confirms nothing; others override what they print.
    """

    def warning(self, text: str) -> None:
        """Something the user should know, which does not stop the run."""

    def problem(self, text: str) -> None:
        """Something that was requested and is not done; the exit status will be 1.  A hint follows on a line of its own."""

    def retrieving(self, config: Config) -> None:
        """The settings in force, before the account is read."""

    def called(self, record: CallRecord) -> None:
        """A call to AWS came back: for `--debug`, and to tell of throttling.  From any thread, at any time."""

    def targets(self, targets: Sequence[Target]) -> None:
        """The targets, once they are known, before they are read."""

    def scanned(self, target: Target, amis: int) -> None:
        """One Region of one account was read, with this many AMIs.  From any thread."""

    def orphans(self, orphans: Sequence[Orphan]) -> None:
        """The orphaned snapshots that were found; there may be none."""

    def plan(self, plan: Plan) -> None:
        """The plan, before the prompt."""

    def dangling(self, references: Sequence[Reference]) -> None:
        """The references to AMIs that do not exist, after the plan."""

    def confirm_orphans(self, orphans: Sequence[Orphan]) -> bool:
        """The prompt for orphaned snapshots.  Raises InputEnded."""
        return False

    def confirm(self, plan: Plan) -> bool:
        """The prompt for the plan.  Raises InputEnded."""
        return False

    def declined(self) -> None:
        """The prompt was answered with no: nothing is deleted."""

    def checking(self) -> None:
        """After a confirmation: everything is read again before anything is changed."""

    def removing_orphans(self, count: int) -> None:
        """The orphaned snapshots are about to be deleted."""

    def removed_orphans(self, count: int) -> None:
        """This many orphaned snapshots were deleted."""

    def cleaning(self, plan: Plan) -> None:
        """The plan is about to be carried out."""

    def ami_done(self, result: AmiResult) -> None:
        """What became of an AMI, once it is true: deregistered, quarantined, released, kept or failed.  Its snapshots
        follow."""

    def snapshot_done(self, result: SnapshotResult) -> None:
        """What became of a snapshot, once it is true: deleted, kept or failed."""

    def restored(self, result: RestoreResult) -> None:
        """What became of an AMI or snapshot that was to be brought back, once it is true; in a dry run what would."""

    def suggestion(self, text: str) -> None:
        """The suggested configuration file."""

    def finished(self, result: Result) -> None:
        """The end, of an interrupted run too: failures, the final sentence, and machine-readable output."""
