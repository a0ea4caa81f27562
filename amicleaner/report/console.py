"""The view of the command line: the texts that people and scripts know, in their order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import RLock
from typing import IO

from ..clock import Clock
from ..config import Config
from ..models import AmiResult, CallRecord, Failure, Snapshot, SnapshotResult, Target
from ..plan import Plan
from ..result import Result
from . import tables
from .document import document, why_kept
from .formats import render
from .progress import Progress
from .prompt import Prompt
from .sanitize import escape_control, escape_control_lines
from .summary_line import added_line
from .terminal import styles_for, width_of

_INTERRUPTS = (130, 143)


class Console:
    """A `View` on three streams, each of which may be missing.

    With `--output table` all goes to standard output but warnings, problems and progress; with a machine format all that is
    said goes to standard error, and the data alone to standard output when the run is over.  Each line is flushed, so that a
    run that is killed has shown what it did.  A reader that went away raises BrokenPipeError out of any method.
    """

    def __init__(
        self,
        config: Config,
        *,
        stdout: IO[str] | None,
        stderr: IO[str] | None,
        stdin: IO[str] | None,
        environ: Mapping[str, str],
        clock: Clock,
        version: str,
    ) -> None:
        for stream in (stdout, stderr):
            escape_unencodable(stream)
            set_blocking(stream)
        self._config = config
        self._clock = clock
        self._version = version
        self._data = stdout
        self._errors = stderr
        self._talk = stdout if config.output == "table" else stderr
        self._styles = styles_for(self._talk, environ)
        self._error_styles = self._styles if self._talk is stderr else styles_for(stderr, environ)
        self._answers = Prompt(stdin, self._talk)
        self._progress = Progress(stderr, environ, clock)
        # Calls come back in many threads: a line of progress must not get between another thread's text.
        self._lock = RLock()
        self._several = False
        self._calls = 0
        self._named = bool(config.from_ids)
        self._noun, self._done, self._total = "AMIs", 0, 0

    def targets(self, targets: Sequence[Target]) -> None:
        """The targets of the run, once they are known: with several, every line and table says which."""
        self._several = len(targets) > 1

    def warning(self, text: str) -> None:
        """On standard error."""
        self._print(self._errors, escape_control_lines(f"Warning: {text}"))

    def problem(self, text: str) -> None:
        """On standard error."""
        self._print(self._errors, self._error_styles.red(escape_control_lines(f"Error: {text}")))

    def retrieving(self, config: Config) -> None:
        """The values in force; AMIs that were named need none of them."""
        if config.from_ids:
            return
        values = {
            "mapping_key": config.mapping_key,
            "mapping_values": list(config.mapping_values),
            "excluded_mapping_values": list(config.excluded_mapping_values) or None,
            "keep_previous": config.keep_previous,
            "ami_min_days": None if config.ami_min_days < 0 else config.ami_min_days,
        }
        self._bold("Default values : ==>")
        for name, value in values.items():
            if value is not None:
                self._print(self._talk, self._styles.green(escape_control(f"{name} : {value}")))
        self._say("")
        self._bold("Retrieving AMIs to clean ...")

    def called(self, record: CallRecord) -> None:
        """A line each for `--debug`; progress on a terminal otherwise."""
        if self._config.debug:
            where = ", ".join(filter(None, (record.target.account, record.target.region)))
            line = escape_control_lines(f"{record.action} ({where}): {record.outcome}, {record.seconds:.3f} s")
            # In the thread of the call, whose answer must not be lost because nobody reads of it.
            with suppress(OSError):
                self._print(self._errors, line)
        elif not self._total:
            self._calls += 1
            self._show(f"Reading: {self._calls} calls")

    def orphans(self, orphans: Sequence[tuple[Target, Snapshot]]) -> None:
        """Their table."""
        self._print(self._talk, tables.orphan_snapshots(orphans, self._several, self._width))

    def plan(self, plan: Plan) -> None:
        """The tables and the added line.  AMIs that were named are in no groups."""
        self.targets(plan.targets)
        self._named = bool(plan.config.from_ids)
        if self._config.full_report:
            for label, table in tables.full_report(plan, self._width):
                self._bold(label)
                self._print(self._talk, f"{table}\n")
        if self._config.explain and plan.decisions:
            self._print(self._talk, f"{tables.explanation(plan, self._width)}\n")
        if plan.listed:
            if not (self._config.full_report or self._config.explain):
                self._say("")
            self._bold("AMIs to be removed:")
            self._print(self._talk, tables.summary(plan, self._width))
        self._say(added_line(plan))

    def confirm_orphans(self, count: int) -> bool:
        """The question about orphan snapshots."""
        return self._ask(f"Do you want to continue and remove {count} orphan snapshots [y/N] ? : ")

    def confirm_amis(self, count: int) -> bool:
        """The question about AMIs."""
        return self._ask(f"Do you want to continue and remove {count} AMIs [y/N] ? : ")

    def removing_orphans(self, count: int) -> None:
        """Only the end says that they are removed."""
        self._begin("snapshots", count)
        self._bold("Removing orphan snapshots...")

    def removed_orphans(self, count: int) -> None:
        """How many really went."""
        self._total = 0
        self._say(f"{count} orphan snapshots successfully removed !")

    def cleaning(self, count: int) -> None:
        """The start of the deletion."""
        self._begin("AMIs", count)
        self._bold(f"Cleaning from {count} AMI id(s) ..." if self._named else f"Cleaning {count} AMIs ...")

    def deregistered(self, target: Target, ami: str) -> None:
        """A line."""
        self._say(f"{ami} deregistered{self._where(target)}")
        self._count("AMIs")

    def snapshot_deleted(self, target: Target, snapshot: str) -> None:
        """A line."""
        self._say(f"{snapshot} deleted{self._where(target)}")
        self._count("snapshots")

    def snapshot_kept(self, target: Target, snapshot: str, by: Sequence[str]) -> None:
        """A line that names the AMIs that use it."""
        users = f"{', '.join(by)} {'uses' if len(by) == 1 else 'use'}" if by else "another AMI uses"
        self._say(f"{snapshot} stays: {users} it{self._where(target)}")
        self._count("snapshots")

    def ami_kept(self, result: AmiResult) -> None:
        """A line that names its users."""
        why = why_kept(result)
        self._say(f"{result.id} stays{f': {why}' if why else ''}{self._where(result.target)}")
        self._count("AMIs")

    def ami_failed(self, target: Target, ami: str, failure: Failure) -> None:
        """Told at the end, all in one table."""
        self._count("AMIs")

    def snapshot_failed(self, target: Target, snapshot: str, failure: Failure) -> None:
        """Told at the end, all in one table."""
        self._count("snapshots")

    def finished(self, result: Result) -> None:
        """What failed, how far an interrupted run came, and the data of a machine format."""
        try:
            with self._lock:
                self._progress.clear()
            self._failures("AMIs", result.failed_amis)
            self._failures("snapshots", result.failed_snapshots)
            if result.interrupted in _INTERRUPTS:
                removed = sum(ami.outcome == "removed" for ami in result.amis.values())
                self.problem(f"Interrupted: {removed} AMIs were removed, nothing is being deleted any more.")
        finally:
            # The talk may go to a terminal that is gone; the data goes elsewhere.
            if self._config.output != "table":
                made = document(result, self._config, version=self._version, created=self._clock.now())
                self._print(self._data, render(made, self._config.output), end="")

    @property
    def _width(self) -> int | None:
        return width_of(self._talk)

    def _failures(self, noun: str, results: Sequence[AmiResult] | Sequence[SnapshotResult]) -> None:
        if results:
            self._print(self._talk, self._styles.red(f"{len(results)} failed {noun}"))
            title = f"Failed {noun[0].upper()}{noun[1:]}"
            self._print(self._talk, tables.failed(title, results, self._several, self._width))

    def _where(self, target: Target) -> str:
        return f" ({', '.join(filter(None, (target.account, target.region)))})" if self._several else ""

    def _begin(self, noun: str, count: int) -> None:
        self._noun, self._done, self._total = noun, 0, count
        with self._lock:
            self._progress.begin()

    def _count(self, noun: str) -> None:
        if self._total and noun == self._noun:
            self._done += 1
            self._show(f"Removing: {self._done} of {self._total} {noun}")

    def _ask(self, question: str) -> bool:
        return self._answers.read(lambda: self._print(self._talk, question, end=""))

    def _bold(self, text: str) -> None:
        self._print(self._talk, self._styles.bold(escape_control(text)))

    def _say(self, text: str) -> None:
        self._print(self._talk, escape_control_lines(text))

    def _show(self, progress: str) -> None:
        with self._lock:
            self._progress.show(progress)

    def _print(self, stream: IO[str] | None, text: str, end: str = "\n") -> None:
        """Whoever calls has made what comes from AWS visible."""
        with self._lock:
            self._progress.clear()
            if stream is not None:
                stream.write(text + end)
                stream.flush()


def escape_unencodable(stream: IO[str] | None) -> None:
    """A letter that the stream's encoding lacks becomes an escape, where Python would raise."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def set_blocking(stream: IO[str] | None) -> None:
    """Another program may have left a terminal or a pipe in the mode in which a slow reader is an error."""
    with suppress(AttributeError, OSError, ValueError):
        if stream is not None:
            os.set_blocking(stream.fileno(), True)
