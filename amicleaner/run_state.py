"""What the steps of a run share: its settings, whom it informs, and what happened so far."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from .audit import AuditLog
from .aws.api import Api
from .aws.targets import Finder, Location, SessionMaker, check_sessions
from .clock import Clock
from .config import Config
from .errors import AmicleanerError, describe
from .interrupts import Interrupted, Interrupts
from .models import Target
from .report.plan_file import SavedPlan
from .result import Result
from .view import View


class Stopped(Exception):
    """A deletion was stopped; what there is to say about it has been said."""


@dataclass(slots=True)
class Run:
    """What the steps of a run share: the config, the view, and what happened so far."""

    config: Config
    view: View
    clock: Clock
    interrupts: Interrupts
    result: Result = field(default_factory=Result)
    _several: bool = False

    def open_audit(self, stack: ExitStack) -> AuditLog:
        """The audit log, if something may be changed.  Raises UsageError: open it before AWS is called."""
        return stack.enter_context(AuditLog(self.config.audit_log if self.config.deletes else None, clock=self.clock))

    def sessions(self, sessions: SessionMaker, stack: ExitStack) -> SessionMaker:
        """The function that makes sessions, also in a demo, once it is known that it works."""
        if self.config.demo is not None:
            from .demo import REGIONS, demo_session

            session = stack.enter_context(demo_session(self.config.demo, self.clock))
            sessions = lambda profile: session  # noqa: E731
            if not (self.config.region or self.config.exclude_region):
                self.config = replace(self.config, region=REGIONS[self.config.demo])
        check_sessions(self.config, sessions)
        return sessions

    def locations(self, sessions: SessionMaker, saved: SavedPlan | None = None, *, named: bool = False) -> list[Location]:
        """The locations that the run reads, and those in which it may delete."""
        config = self.config
        named = named or bool(saved or config.save_plan or config.expect_account)
        make_api = partial(
            Api, clock=self.clock, attempts=config.max_attempts, stop=self.interrupts.stop, observe=self.view.called
        )
        finder = Finder(config, sessions, make_api)
        accounts = finder.accounts(named=named)
        if saved:
            saved.check_accounts(account.id for account in accounts if not account.read_only)
        for account in accounts:
            if config.expect_account and not account.read_only and account.id not in config.expect_account:
                expected = ", ".join(config.expect_account)
                raise AmicleanerError(f"These credentials are for account {account.id}; --expect-account allows {expected}.")
        locations = finder.locations(accounts, saved.targets if saved else None)
        if saved:
            saved.check_targets(location.api.target for location in locations if not location.read_only)
        self._several = len(locations) > 1
        return locations

    def warning(self, text: str) -> None:
        """Reports and keeps a warning, once."""
        if text not in self.result.warnings:
            self.result = replace(self.result, warnings=(*self.result.warnings, text))
            self.view.warning(text)

    def problem(self, text: str) -> None:
        """Reports and keeps a problem, which makes the exit status 1."""
        self.result = replace(self.result, problems=(*self.result.problems, text))
        self.view.problem(text)

    def warn(self, found: Iterable[tuple[Target | None, str]]) -> None:
        """Each warning once, with its location, if it has one and the run has several."""
        where: dict[str, dict[str, None]] = {}
        for target, text in found:
            where.setdefault(text, {}).update({str(target): None} if target else {})
        for text, places in where.items():
            shown = [*list(places)[:3], *([f"and {len(places) - 3} more"] if len(places) > 3 else [])]
            self.warning(f"{text} ({'; '.join(shown)})" if self._several and shown else text)

    def lost_its_reader(self, failure: Exception | None) -> None:
        """A pipe that nobody reads ends the run.  A terminal that is lost breaks the output and sends SIGHUP, in either
        order: the signal is what ended the run."""
        if isinstance(failure, OSError) and self.interrupts.status is not None:
            self.result = replace(self.result, interrupted=self.interrupts.status)
        elif isinstance(failure, BrokenPipeError):
            self.result = replace(self.result, interrupted=self.result.interrupted or 1)

    def ended(self, stopped_by: Exception | None, problems: Sequence[AmicleanerError] = ()) -> None:
        """Reports what stopped a change before its end, and ends the run."""
        for problem in problems:
            self.problem(describe(problem))
        if isinstance(stopped_by, OSError):
            raise stopped_by
        if stopped_by is not None:
            self.problem(describe(stopped_by))
            raise Stopped
        if self.interrupts.status is not None:
            raise Interrupted(self.interrupts.status)
