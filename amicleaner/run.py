"""A whole run, from a `Config` to a `Result`: read, decide, show, ask, delete, report.  Knows the order, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .audit import Audit, AuditLog
from .aws.api import Api
from .aws.scan import Scan, Scanner
from .aws.session import Clients
from .aws.targets import Location, SessionMaker, check_sessions, find_accounts, find_locations, make_session
from .aws.usage import UsageOptions
from .clock import SYSTEM_CLOCK, Clock
from .config import Config
from .errors import AmicleanerError, InputEnded, describe
from .execution import Execution, with_results
from .interrupts import Interrupted, Interrupts
from .limits import limits_exceeded
from .models import Target
from .plan import Plan, rules_without_amis
from .planning import Planner, PlanningResult, find_all_orphans, refusals
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
    """Does a whole run and returns what happened; `Result.exit_status` is the command's exit status.

    `view` is told everything as it happens and answers the prompts; without one nothing is asked, and nothing is deleted
    unless the config says `force_delete` or `from_ids`.  `sessions` makes boto3 sessions by profile name (None: the
    environment's).  Raises UsageError for files and values that are wrong, another AmicleanerError where AWS could not be
    read: then nothing was changed.  Failures after that are in the result.  An OSError of the view's ends the run in order,
    and is raised once `finished` was told.
    """
    run = _Run(config, view or SilentView(), clock, interrupts or Interrupts())
    with ExitStack() as stack:
        failure: Exception | None = None
        try:
            run.whole(sessions, stack)
        except Interrupted as interrupted:
            run.result = replace(run.result, interrupted=interrupted.status)
        except OSError as error:
            # The view cannot say what it should.  What was done is told all the same, wherever that is possible.
            failure = error
        except AmicleanerError as error:
            if error.exit_status != 1:
                raise
            failure = error
            run.result = replace(run.result, problems=(*run.result.problems, describe(error)))
        with run.interrupts.finishing():
            try:
                run.view.finished(run.result)
            except OSError as error:
                failure = failure or error
        if isinstance(failure, BrokenPipeError):
            return replace(run.result, interrupted=run.result.interrupted or 1)
        if failure is not None:
            raise failure
    return run.result


class _Stopped(Exception):
    """A deletion was stopped; what there is to say about it has been said."""


@dataclass(slots=True)
class _Run:
    config: Config
    view: View
    clock: Clock
    interrupts: Interrupts
    result: Result = field(default_factory=Result)
    _several: bool = False

    def whole(self, sessions: SessionMaker, stack: ExitStack) -> None:
        """Everything but the end."""
        try:
            self._go(sessions, stack)
        except InputEnded as ended:
            self.problem(describe(ended))
        except _Stopped:
            pass
        except RuntimeError as error:
            if "can't start new thread" not in str(error):
                raise
            raise AmicleanerError(describe(error)) from error

    def _go(self, sessions: SessionMaker, stack: ExitStack) -> None:
        saved, audit = self._files(stack)
        config = self.config
        if config.demo is not None:
            from .demo import demo_session

            demo = stack.enter_context(demo_session(config.demo))
            sessions = _always(demo)
        check_sessions(config, sessions)
        if not config.check_orphans:
            self.view.retrieving(config)
        locations = self._locations(sessions, saved)
        targets = [location.api.target for location in locations if not location.read_only]
        self._several = len(locations) > 1
        self.view.targets(targets)
        options = UsageOptions(
            frozenset(config.skip_check), frozenset(config.also_check), config.all_launch_template_versions
        )
        scanner = Scanner(options, orphans=config.check_orphans, scanned=self.view.scanned)
        stack.callback(scanner.close)
        scans = scanner.scan(locations)
        self._warn((scan.target, warning) for scan in scans for warning in scan.warnings)
        planner = Planner(config, scanner, self.clock, {})
        # Everything is read before the first orphaned snapshot is deleted: what cannot be read stops that deletion too.
        allowed = saved.changes if saved else None
        known = planner.decide(scans, allowed)
        execution = Execution(config, planner, scans, audit, self.clock, self.interrupts, self.view, self._warn_of)
        if config.check_orphans:
            orphans, warnings = find_all_orphans(scanner, scans, self.clock.now())
            self._warn(warnings)
            self._orphans(orphans, known.plan, execution)
            self.view.retrieving(config)
        self._warn(known.warnings)
        for rule in rules_without_amis(known.plan):
            self.warning(f"Rule {rule} matches no AMI.")
        if config.explain is not None or config.output == "json":
            self.result = replace(self.result, dangling=planner.dangling(known.references))
        self._amis(known, scans, execution, saved)

    def _files(self, stack: ExitStack) -> tuple[SavedPlan | None, Audit]:
        """Whatever may be wrong with files is found before AWS is called."""
        saved = None
        if self.config.apply_plan is not None:
            saved = read_plan(self.config.apply_plan)
            self.config = saved.config(self.config)
        if self.config.save_plan is not None:
            check_writable(self.config.save_plan)
        if self.config.audit_log is None or not self.config.deletes:
            return saved, Audit()
        audit = AuditLog(self.config.audit_log, clock=self.clock)
        stack.callback(audit.close)
        return saved, audit

    def _locations(self, sessions: SessionMaker, saved: SavedPlan | None) -> list[Location]:
        """Where the run reads, and where it may delete."""
        config = self.config
        named = bool(saved or config.save_plan or config.expect_account)
        accounts = find_accounts(config, sessions, self._api, named=named)
        if saved:
            saved.check_accounts(account.id for account in accounts if not account.read_only)
        for account in accounts:
            if config.expect_account and not account.read_only and account.id not in config.expect_account:
                expected = ", ".join(config.expect_account)
                raise AmicleanerError(f"These credentials are for account {account.id}; --expect-account says {expected}.")
        locations = find_locations(accounts, config, self._api, targets=saved.targets if saved else None)
        if saved:
            saved.check_targets(location.api.target for location in locations if not location.read_only)
        return locations

    def _api(self, target: Target, clients: Clients) -> Api:
        return Api(
            target,
            clients,
            clock=self.clock,
            attempts=self.config.max_attempts,
            stop=self.interrupts.stop,
            observe=self.view.called,
        )

    def warning(self, text: str) -> None:
        """Tells and keeps a warning, once."""
        if text not in self.result.warnings:
            self.result = replace(self.result, warnings=(*self.result.warnings, text))
            self.view.warning(text)

    def problem(self, text: str) -> None:
        """Tells and keeps what makes the exit status 1."""
        self.result = replace(self.result, problems=(*self.result.problems, text))
        self.view.problem(text)

    def _warn(self, found: Iterable[tuple[Target, str]]) -> None:
        """Each warning once, with where it holds if the run has several locations."""
        where: dict[str, list[Target]] = {}
        for target, text in found:
            where.setdefault(text, []).append(target)
        for text, targets in where.items():
            shown = [" ".join(filter(None, (target.account, target.region))) for target in dict.fromkeys(targets)]
            more = [f"and {len(shown) - 3} more"] if len(shown) > 3 else []
            self.warning(f"{text} ({', '.join([*shown[:3], *more])})" if self._several else text)

    def _warn_of(self, target: Target | None, text: str) -> None:
        """A warning of the deletion's, of one location or of the whole run."""
        if target is None:
            self.warning(text)
        else:
            self._warn([(target, text)])

    def _orphans(self, found: tuple[Orphan, ...], plan: Plan, execution: Execution) -> None:
        """Orphaned snapshots: shown, confirmed, deleted."""
        self.result = replace(self.result, orphans=found)
        self.view.orphans(found)
        if not found or self._over_limits(plan, len(found)) or not self.config.deletes:
            return
        confirmed = not self.config.force_delete
        if confirmed and not self.view.confirm_orphans(found):
            return
        if confirmed:
            self.view.checking()
        self.view.removing_orphans(len(found))
        results = execution.orphans(found, confirmed=confirmed)
        self.result = replace(self.result, orphans=with_results(found, results))
        self.view.removed_orphans(sum(result.outcome == "removed" for result in results.values()))
        self._ended(execution)

    def _amis(self, known: PlanningResult, scans: Sequence[Scan], execution: Execution, saved: SavedPlan | None) -> None:
        """The plan: shown, confirmed, carried out."""
        config, plan = self.config, known.plan
        self.result = replace(self.result, plan=plan)
        self.view.plan(plan)
        if saved:
            existing = {(scan.target, ami.id) for scan in scans for ami in scan.inventory.amis}
            gone = len(saved.changes.keys() - existing)
            if gone:
                self.warning(
                    f"{gone} {'AMI' if gone == 1 else 'AMIs'} of the plan no longer exist{'s' if gone == 1 else ''}."
                )
        for text in refusals(plan, saved.changes if saved else None):
            self.problem(text)
        if config.save_plan is not None:
            write_plan(config.save_plan, self.result, self.clock.now())
        if self._over_limits(plan, len(self.result.orphans)) or not config.deletes or not plan.changes:
            return
        # A plan's file may list AMIs too; whoever applies it has not.
        asks = not (config.force_delete or (config.from_ids and saved is None))
        if asks and not self.view.confirm(plan):
            self.result = replace(self.result, declined=True)
            self.view.declined()
            return
        if asks:
            self.view.checking()
        self.view.cleaning(plan)
        began = self.clock.monotonic()
        results = execution.amis(plan, None if asks else known)
        self.result = replace(self.result, amis=results, seconds=self.clock.monotonic() - began)
        restorable = sorted({d.target for d in plan.removals if d.restorable_until is not None})
        if restorable and self.interrupts.status is None:
            self.result = replace(self.result, in_bin=execution.in_bin(restorable))
        self._ended(execution)

    def _ended(self, execution: Execution) -> None:
        """What stopped a deletion before its end."""
        for problem in execution.problems:
            self.problem(describe(problem))
        execution.problems.clear()
        if isinstance(execution.stopped_by, OSError):
            raise execution.stopped_by
        if execution.stopped_by is not None:
            self.problem(describe(execution.stopped_by))
            raise _Stopped
        if self.interrupts.status is not None:
            raise Interrupted(self.interrupts.status)

    def _over_limits(self, plan: Plan, orphans: int) -> bool:
        """Whether a limit forbids this run; in a dry run that is only a warning."""
        said = limits_exceeded(plan, orphans)
        for text in said:
            if self.config.dry_run:
                self.warning(text)
            elif text not in self.result.problems:
                self.problem(text)
        return bool(said) and not self.config.dry_run


def _always(session: boto3.Session) -> SessionMaker:
    return lambda profile: session
