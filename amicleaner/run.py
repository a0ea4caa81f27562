"""A whole run, from a `Config` to a `Result`: read, decide, show, ask, delete, report.  Knows the order, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .audit import Audit, AuditLog, NullAudit
from .aws.api import Api
from .aws.scan import Scan, Scanner
from .aws.session import Clients
from .aws.targets import SessionMaker, find_accounts, find_locations, make_session
from .aws.usage import UsageOptions
from .clock import SYSTEM_CLOCK, Clock
from .config import Config
from .errors import AmicleanerError, InputEnded
from .execution import Execution
from .interrupts import Interrupted, Interrupts
from .models import Target
from .planning import PlanningResult, decide, find_all_orphans, refusals
from .report.plan_file import SavedPlan, check_writable, read_plan, write_plan
from .result import Orphan, Result
from .view import SilentView, View

if TYPE_CHECKING:
    import boto3


def clean(
    config: Config,
    *,
    view: View | None = None,
    sessions: SessionMaker = make_session,
    clock: Clock = SYSTEM_CLOCK,
    interrupts: Interrupts | None = None,
) -> Result:
    """Does a whole run and hands back what happened; `Result.exit_status` is what the command would exit with.

    `view` is told everything as it happens and answers the questions; without one nothing is asked, and nothing is removed
    unless the config says `force_delete` or `from_ids`.  `sessions` makes boto3 sessions by profile name (None: the
    environment's).  Raises UsageError for files and values that are wrong, `AwsError` where AWS could not be read: then
    nothing was changed.  What failed later is in the result.  An OSError of the view's ends the run in order, and is raised
    once `finished` was told.
    """
    run = _Run(config, view or SilentView(), clock, interrupts or Interrupts())
    with ExitStack() as stack:
        unsaid: OSError | None = None
        try:
            run.whole(sessions, stack)
        except Interrupted as interrupted:
            run.result = replace(run.result, interrupted=interrupted.status)
        except OSError as error:
            # The view can't say what it should.  What was done is told all the same, wherever that can be.
            unsaid = error
        with run.interrupts.finishing():
            try:
                run.view.finished(run.result)
            except OSError as error:
                unsaid = unsaid or error
        if isinstance(unsaid, BrokenPipeError):
            return replace(run.result, interrupted=run.result.interrupted or 1)
        if unsaid is not None:
            raise unsaid
    return run.result


@dataclass(slots=True)
class _Run:
    config: Config
    view: View
    clock: Clock
    interrupts: Interrupts
    result: Result = field(default_factory=Result)
    _limited: bool = False

    def whole(self, sessions: SessionMaker, stack: ExitStack) -> None:
        """Everything but the end."""
        try:
            self._go(sessions, stack)
        except InputEnded as ended:
            self.problem(str(ended))
        except _Stopped:
            pass
        except RuntimeError as error:
            if _NO_THREAD not in str(error):
                raise
            raise AmicleanerError(describe(error)) from error

    def _go(self, sessions: SessionMaker, stack: ExitStack) -> None:
        saved, audit = self._files(stack)
        config = self.config
        if config.demo:
            from .demo import demo_session

            demo = stack.enter_context(demo_session())
            sessions = _always(demo)
        if not config.check_orphans:
            self.view.retrieving(config)
        accounts = find_accounts(config, sessions, self._api, named=bool(saved or config.save_plan))
        if saved:
            saved.check_accounts(account.id for account in accounts if not account.read_only)
        locations = find_locations(accounts, config, self._api)
        if saved:
            saved.check_targets(location.api.target for location in locations if not location.read_only)
        options = UsageOptions(frozenset(config.skip_check), config.all_launch_template_versions)
        scanner = Scanner(options, orphans=config.check_orphans)
        stack.callback(scanner.close)
        scans = scanner.scan(locations)
        self._warn(scans, [(scan.inventory.target, warning) for scan in scans for warning in scan.warnings])
        self.view.targets([scan.inventory.target for scan in scans if not scan.location.read_only])
        execution = Execution(config, scanner, scans, audit, self.clock, self.interrupts, self.view)
        # Everything is read before the first orphan snapshot goes: what can't be read stops that deletion too.
        decided = decide(config, scanner, scans, self.clock, saved.removals if saved else None)
        if config.check_orphans:
            orphans, warnings = find_all_orphans(scanner, scans, self.clock.now())
            self._warn(scans, warnings)
            self._limited = self._exceeds(len(orphans)) or self._exceeds(len(decided.plan.removals))
            self._orphans(orphans, execution)
            self.view.retrieving(config)
        self._warn(scans, decided.warnings)
        self._amis(decided, execution, saved)

    def warning(self, text: str) -> None:
        """Says and keeps a warning."""
        self.result = replace(self.result, warnings=(*self.result.warnings, text))
        self.view.warning(text)

    def _warn(self, scans: Sequence[Scan], found: Iterable[tuple[Target, str]]) -> None:
        """Each warning once, with where it holds if the run is in several locations."""
        locations: dict[str, list[Target]] = {}
        for target, text in found:
            locations.setdefault(text, []).append(target)
        for text, targets in locations.items():
            shown = [" ".join(filter(None, (target.account, target.region))) for target in dict.fromkeys(targets)]
            more = [f"and {len(shown) - 3} more"] if len(shown) > 3 else []
            said = f"{text} ({', '.join([*shown[:3], *more])})" if len(scans) > 1 else text
            if said not in self.result.warnings:
                self.warning(said)

    def problem(self, text: str) -> None:
        """Says and keeps what makes the exit status 1."""
        self.result = replace(self.result, problems=(*self.result.problems, text))
        self.view.problem(text)

    def _files(self, stack: ExitStack) -> tuple[SavedPlan | None, Audit]:
        """Everything that may be wrong with files is found out before AWS is called."""
        saved = None
        if self.config.apply_plan is not None:
            saved = read_plan(self.config.apply_plan)
            self.config = saved.config(self.config)
        if self.config.save_plan is not None:
            check_writable(self.config.save_plan)
        if self.config.audit_log is None or not self.config.deletes:
            return saved, NullAudit()
        audit = AuditLog(self.config.audit_log, clock=self.clock)
        stack.callback(audit.close)
        return saved, audit

    def _api(self, target: Target, clients: Clients) -> Api:
        return Api(
            target,
            clients,
            clock=self.clock,
            attempts=self.config.max_attempts,
            stop=self.interrupts.stop,
            observe=self.view.called,
        )

    def _orphans(self, found: tuple[Orphan, ...], execution: Execution) -> None:
        """Orphan snapshots: shown, asked about, removed."""
        self.result = replace(self.result, orphans=found)
        if not found:
            return
        self.view.orphans([(orphan.target, orphan.snapshot) for orphan in found])
        if self._too_many(len(found), "orphan snapshots") or not self.config.deletes:
            return
        if not (self.config.force_delete or self.view.confirm_orphans(len(found))):
            return
        self.view.removing_orphans(len(found))
        with self.interrupts.finishing():
            results = execution.orphans(found)
            done = tuple(replace(orphan, result=results.get((orphan.target, orphan.snapshot.id))) for orphan in found)
            self.result = replace(self.result, orphans=done)
        self.view.removed_orphans(sum(result.outcome == "removed" for result in results.values()))
        self._ended(execution)

    def _amis(self, decided: PlanningResult, execution: Execution, saved: SavedPlan | None) -> None:
        """The plan: shown, asked about, carried out."""
        config, plan = self.config, decided.plan
        self.result = replace(self.result, plan=plan)
        self.view.plan(plan)
        for text in refusals(plan, saved.removals if saved else None):
            self.problem(text)
        count = len(plan.removals)
        if config.save_plan is not None:
            write_plan(config.save_plan, self.result, self.clock.now())
        if self._too_many(count, "AMIs"):
            return
        if not config.deletes or not count:
            return
        # A plan's file may name AMIs too; whoever applies it has not.
        asks = not (config.force_delete or (config.from_ids and saved is None))
        if asks and not self.view.confirm_amis(count):
            return
        self.view.cleaning(count)
        with self.interrupts.finishing():
            results = execution.amis(plan, since=None if asks else decided.since)
            self.result = replace(self.result, amis=results)
        self._ended(execution)

    def _ended(self, execution: Execution) -> None:
        """What stopped a deletion before its end."""
        if isinstance(execution.stopped_by, OSError):
            raise execution.stopped_by
        if execution.stopped_by is not None:
            self.problem(describe(execution.stopped_by))
            raise _Stopped
        if self.interrupts.status is not None:
            raise Interrupted(self.interrupts.status)

    def _exceeds(self, count: int) -> bool:
        limit = self.config.max_deletions
        return limit is not None and count > limit

    def _too_many(self, count: int, things: str) -> bool:
        """Whether `--max-deletions` forbids it, if not for these things then for the others of this run."""
        if not self._exceeds(count):
            return self._limited
        limit = self.config.max_deletions
        self.problem(f"{count} {things} would be removed, more than --max-deletions {limit} allows: nothing is removed.")
        return True


_NO_THREAD = "can't start new thread"
"""Python's words, in a RuntimeError."""


def describe(error: Exception) -> str:
    """What stopped a run, for people."""
    if _NO_THREAD in str(error):
        return "The system gives this run no more threads: raise its limit on processes (ulimit -u, a container's)."
    return str(error)


class _Stopped(Exception):
    """A deletion was stopped; what is to be said about it has been said."""


def _always(session: boto3.Session) -> SessionMaker:
    return lambda profile: session
