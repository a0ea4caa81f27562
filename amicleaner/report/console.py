"""The view of the command line: the texts that people and scripts know, in their order."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from ..actions import DELETE, ORDER, RELEASE
from ..clock import Clock
from ..config import Config
from ..models import AmiResult, CallRecord, Reference, RestoreResult, SnapshotResult, Target
from ..plan import Plan
from ..result import Orphan, Result
from ..view import View
from . import result_sentences, sentences, tables
from .document import document, to_csv, to_json
from .markdown import to_markdown
from .printer import Printer
from .prompt import Prompt

_SETTINGS = (
    "mapping_key", "mapping_values", "excluded_mapping_values", "keep_previous", "ami_min_days", "only_tag", "only_name",
    "rule", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "keep_tag", "unused_days", "include_untagged",
    "quarantine", "rules",
)  # fmt: skip
"""The settings that are shown: those that 0.2.2 always showed, and others where they are set."""

_DEFAULTS = Config()

CLOSED = "Standard output was closed."


class Console(View):
    """Prints to three streams, each of which may be missing.

    With `--output table` everything is written to standard output except warnings, problems and progress.  With another
    format all messages are written to standard error, and only the document to standard output, at the end of the run.
    Every method may raise the OSError of a stream that is no longer read.
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
    ) -> None:
        messages = stdout if config.output == "table" else stderr
        self._config = config
        self._clock = clock
        self._print = Printer(messages, stderr, stdout, environ, clock, progress=not config.quiet)
        self._answers = Prompt(stdin, messages)
        self._targets: frozenset[Target] = frozenset()
        self._amis: dict[Target, int] = {}
        self._several = False
        self._noun = "AMIs"
        self._total = self._done = self._orphans_deleted = 0
        self._print.progress.begin(self._scanning)

    def warning(self, text: str) -> None:
        self._print.error(f"Warning: {text}", self._print.error_styles.yellow)

    def problem(self, text: str) -> None:
        self._print.error(f"Error: {text}", self._print.error_styles.red)

    def retrieving(self, config: Config) -> None:
        """The values in force; not needed for AMIs that were listed by id."""
        if config.from_ids or config.quiet:
            return
        values = {name: getattr(config, name) for name in _SETTINGS}
        values |= {"keep_previous": config.newest_kept, "rules": tuple(rule.name for rule in config.rules)}
        if config.mapping_key == "family":
            del values["mapping_values"]
        self._bold("Default values : ==>")
        for name, value in values.items():
            if name in ("mapping_key", "mapping_values", "keep_previous") or value != getattr(_DEFAULTS, name):
                self._print.text(f"{name} : {list(value) if isinstance(value, tuple) else value}")
        self._print.block("")
        self._bold("Retrieving AMIs to clean ...")

    def targets(self, targets: Sequence[Target]) -> None:
        """With several targets, every line and table says which."""
        self._several = len(targets) > 1
        self._targets = frozenset(targets)

    def called(self, record: CallRecord) -> None:
        """A line per call with `--debug`; else progress, which says when AWS throttles."""
        # In the thread of the call, whose result must not be lost because nobody reads about it.
        with suppress(OSError):
            if self._config.debug:
                place = ", ".join(filter(None, (record.target.account, record.target.region)))
                self._print.error(f"{record.action} ({place}): {record.outcome}, {record.seconds:.3f} s", str)
            self._print.progress.called(record)

    def scanned(self, target: Target, amis: int) -> None:
        self._amis[target] = amis
        with suppress(OSError):
            self._print.progress.draw()

    def orphans(self, orphans: Sequence[Orphan]) -> None:
        """Their table and their total."""
        if orphans and not self._config.quiet:
            table = tables.orphan_snapshots(orphans, self._several, self._clock.now(), self._print.width)
            self._print.block(table)
        self._print.text(sentences.orphans_sentence(orphans, self._config.price_per_gib))

    def plan(self, plan: Plan) -> None:
        """The tables, and the plan in one sentence with what else matters before the confirmation."""
        self._several = len(plan.targets) > 1
        self._print.progress.begin(str)
        for text in sentences.cautions(plan):
            self.warning(text)
        if self._config.quiet:
            # Nothing follows a dry run and a plan without changes, and a prompt needs to say what for.
            if not (plan.changes and self._config.deletes and (self._config.force_delete or self._config.from_ids)):
                self._print.text(sentences.plan_sentence(plan))
                if plan.removals and self._config.deletes:
                    self._print.text(sentences.recycle_bin_sentence(plan))
            return
        self._print.text(sentences.account_line(plan))
        self._explain(plan)
        if self._config.full_report:
            for label, table in tables.full_report(plan, self._print.width):
                self._bold(label)
                self._print.block(f"{table}\n")
        summary = tables.summary(plan, self._print.width)
        if summary:
            if not (self._config.full_report or self._config.explain is not None):
                self._print.block("")
            self._bold("AMIs to be removed:")
            self._print.block(summary)
            self._print.text(sentences.idle_groups(plan))
        self._named(plan)
        styles = self._print.styles
        self._print.text(sentences.plan_sentence(plan), styles.red if plan.removals else styles.bold)
        for text in (*sentences.plan_notes(plan), *sentences.tag_hints(plan)):
            self._print.text(text)

    def dangling(self, references: Sequence[Reference]) -> None:
        """Their table, with `--explain`."""
        if self._config.explain is not None and not self._config.quiet:
            self._print.block(tables.dangling(references, self._print.width))

    def confirm_orphans(self, orphans: Sequence[Orphan]) -> bool:
        prompt = f"Do you want to continue and remove {len(orphans)} orphan snapshots [y/N] ? : "
        return self._answers.read(lambda: self._print.ask(prompt))

    def confirm(self, plan: Plan) -> bool:
        return self._answers.read(lambda: self._print.ask(sentences.prompt(plan)))

    def declined(self) -> None:
        self._print.text("No AMI was deleted." if self._orphans_deleted else "Nothing was deleted.")

    def checking(self) -> None:
        """Progress until the first change."""
        self._print.progress.begin(lambda: "Checking again …", patience=0)

    def removing_orphans(self, count: int) -> None:
        """Only the end says that they are deleted."""
        self._noun, self._total, self._done = "snapshots", count, 0
        self._bold("Removing orphan snapshots...")
        self._print.progress.begin(self._changing)

    def removed_orphans(self, count: int) -> None:
        self._orphans_deleted = count
        self._print.progress.begin(str)
        self._print.text(f"{count} orphan snapshots successfully removed !")

    def cleaning(self, plan: Plan) -> None:
        self._noun, self._total, self._done = "AMIs", len(plan.changes), 0
        by_id = bool(plan.config.from_ids)
        self._bold(f"Cleaning from {self._total} AMI id(s) ..." if by_id else f"Cleaning {self._total} AMIs ...")

    def ami_done(self, result: AmiResult) -> None:
        """A line; failures follow at the end, in one table."""
        self._about(result_sentences.ami_line(result), result.target)
        if not self._done:
            self._print.progress.begin(self._changing)
        self._count("AMIs")

    def snapshot_done(self, result: SnapshotResult) -> None:
        self._about(result_sentences.snapshot_line(result), result.target)
        self._count("snapshots")

    def restored(self, result: RestoreResult) -> None:
        """A line; failures follow at the end, as errors."""
        if result.outcome != "failed":
            self._about(result_sentences.restore_line(result), result.target)

    def suggestion(self, text: str) -> None:
        """The configuration file, and nothing else, on standard output."""
        self._print.machine(text)

    def finished(self, result: Result) -> None:
        """Failures, the final sentence, errors, and machine-readable data.  Each of these is written although the stream of
        another one is broken; then the first OSError is raised."""
        self._print.progress.begin(str)
        self._print.progress.clear()
        broken: OSError | None = None
        for step in (self._summarize, self._report_errors, self._write_data):
            try:
                step(result)
            except OSError as error:
                broken = broken or error
        if isinstance(broken, BrokenPipeError) and result.interrupted is None:
            with suppress(OSError):
                self.problem(CLOSED)
        if broken is not None:
            raise broken

    def _summarize(self, result: Result) -> None:
        self._failures("AMIs", result.failed_amis)
        self._failures("snapshots", result.failed_snapshots)
        if result.restored or (self._config.restore and result.interrupted is None):
            self._print.text(result_sentences.restore_sentence(result))
        if self._config.save_plan is not None and result.plan is not None and result.interrupted is None:
            self._print.text(result_sentences.saved_sentence(self._config.save_plan, self._config.demo))
        if result.amis:
            self._print.text(result_sentences.final_sentence(result), self._print.styles.bold)
            for note in result_sentences.undo_notes(result):
                self._print.text(note)

    def _report_errors(self, result: Result) -> None:
        for restored in result.restored:
            if restored.outcome == "failed":
                self.problem(f"{result_sentences.restore_line(restored)}{self._where(restored.target)}")
        for text in result_sentences.failure_errors(result, self._config.debug):
            self.problem(text)
        if result.interrupted is not None:
            # 1 is not a signal's: standard output was closed.
            why = f"Error: {CLOSED}" if result.interrupted == 1 else "Interrupted."
            self._print.error(f"{why} {result_sentences.interrupted_sentence(result)}", self._print.error_styles.red)

    def _write_data(self, result: Result) -> None:
        output = self._config.output
        if output == "markdown":
            self._print.machine(to_markdown(result, self._config.price_per_gib))
        elif output != "table":
            made = document(result, self._config, self._clock.now())
            self._print.machine(to_json(made) if output == "json" else to_csv(made))

    def _explain(self, plan: Plan) -> None:
        if self._config.explain:
            for line in tables.in_detail(plan, self._config.explain, self._print.width):
                self._print.block(line)
        elif self._config.explain is not None:
            for heading, table in tables.by_group(plan, self._print.width, self._print.styles.red):
                self._bold(heading)
                self._print.block(f"{table}\n")

    def _named(self, plan: Plan) -> None:
        """The AMIs by name, except those that another table has named."""
        if self._config.explain == ():
            return
        for action in (RELEASE,) if self._config.full_report else ORDER:
            table = tables.named(plan, action, self._print.width, whole=self._config.full_report)
            if table:
                self._print.block("")
                style = self._print.styles.red if action is DELETE else self._print.styles.bold
                self._print.text(f"To be {action.past}, oldest first:", style)
                self._print.block(table)

    def _failures(self, noun: str, results: Sequence[AmiResult] | Sequence[SnapshotResult]) -> None:
        if not results or self._config.quiet:
            return
        self._print.text(f"{len(results)} failed {noun}", self._print.styles.red)
        title = f"Failed {noun[0].upper()}{noun[1:]}"
        table, messages = tables.failed(title, results, self._several, self._print.width)
        self._print.block(table)
        for message in messages:
            self._print.text(message)

    def _about(self, text: str, target: Target) -> None:
        if text and not self._config.quiet:
            self._print.text(f"{text}{self._where(target)}")

    def _where(self, target: Target) -> str:
        return f" ({', '.join(filter(None, (target.account, target.region)))})" if self._several else ""

    def _bold(self, text: str) -> None:
        if not self._config.quiet:
            self._print.text(text, self._print.styles.bold)

    def _scanning(self) -> str:
        """`Scanning… 11/24 Regions, 412 AMIs`."""
        if not self._targets:
            return "Scanning…"
        done = [self._amis[target] for target in self._targets if target in self._amis]
        regions = "Region" if len(self._targets) == 1 else "Regions"
        return f"Scanning… {len(done)}/{len(self._targets)} {regions}, {sum(done)} AMIs"

    def _changing(self) -> str:
        return f"Changing… {self._done}/{self._total} {self._noun}"

    def _count(self, noun: str) -> None:
        if noun == self._noun:
            self._done += 1
            self._print.progress.draw()
