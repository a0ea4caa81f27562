"""A whole run, from a `Config` to a `Result`: read, decide, show, prompt, delete, report.  It knows only the order.

What changes something is imported only where it may be needed: a dry run saves 40 ms and 3 MiB, most of them asyncio's.
"""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from .aws.scan import Scan, Scanner
from .aws.targets import SessionMaker, make_session
from .clock import SYSTEM_CLOCK, Clock
from .config import Config
from .errors import AmicleanerError, InputEnded, describe
from .interrupts import Interrupted, Interrupts
from .models import number
from .plan import Plan, limits_exceeded, rules_without_amis
from .planning import Planner, PlanningResult, find_all_orphans
from .report.plan_file import SavedPlan, check_writable, read_plan, write_plan
from .report.result_sentences import late_refusals, nothing_deleted
from .report.sentences import refusals, unknown_ids
from .result import Orphan, Result
from .run_state import Run, Stopped
from .used_by_files import read_files
from .uses import uses_of
from .view import View

if TYPE_CHECKING:
    from .execution import Execution


def clean(
    config: Config,
    *,
    view: View | None = None,
    sessions: SessionMaker = make_session,
    clock: Clock = SYSTEM_CLOCK,
    interrupts: Interrupts | None = None,
) -> Result:
    """Does a whole run and returns what happened; `Result.exit_status` is the command's exit status.

    `view` is notified of everything as it happens and answers the prompts; without one nothing is confirmed, and nothing is
    deleted unless the config says `force_delete` or `from_ids`.  `sessions` makes boto3 sessions by profile name (None: the
    environment's).  Raises UsageError for files and values that are wrong, another AmicleanerError where AWS could not be
    read: then nothing was changed.  Failures after that are in the result.  An OSError of the view's ends the run cleanly,
    and is raised once `finished` was called.
    """
    run = Run(config, view or View(), clock, interrupts or Interrupts())
    with ExitStack() as stack:
        failure: Exception | None = None
        try:
            try:
                if config.restore:
                    from .restore import restore

                    restore(run, sessions, stack)
                else:
                    _clean(run, sessions, stack)
            except InputEnded as ended:
                run.problem(f"{ended} {nothing_deleted(run.result)} Use --force-delete to skip the prompt.")
        except Interrupted as interrupted:
            run.result = replace(run.result, interrupted=interrupted.status)
        except Stopped:
            pass
        except OSError as error:
            # The view cannot print.  Report what was done wherever that is still possible.
            failure = error
        except (AmicleanerError, RuntimeError) as error:
            if isinstance(error, AmicleanerError) and error.exit_status != 1:
                raise
            failure = error
            run.result = replace(run.result, problems=(*run.result.problems, describe(error)))
        with run.interrupts.finishing():
            run.lost_its_reader(failure)
            try:
                run.view.finished(run.result)
            except OSError as error:
                failure = failure or error
                if isinstance(error, BrokenPipeError):
                    run.lost_its_reader(error)
            run.lost_its_reader(failure)
        if failure is not None and run.result.interrupted is None:
            raise failure
    return run.result


def _clean(run: Run, sessions: SessionMaker, stack: ExitStack) -> None:
    """Reads, decides, and carries out what is confirmed."""
    # Problems with files are found before AWS is called.
    saved = None
    if run.config.apply_plan is not None:
        saved = read_plan(run.config.apply_plan)
        run.config = saved.config(run.config)
    config = run.config
    if config.deletes:
        # Now, for a long run must not mix two versions of what is installed.
        from .execution import Execution
    if config.save_plan is not None:
        check_writable(config.save_plan)
    files = uses_of(read_files(config.used_by_files, sys.stdin.buffer if sys.stdin else None))
    audit = run.open_audit(stack)
    sessions = run.sessions(sessions, stack)
    if not (config.check_orphans or config.suggest_config):
        run.view.retrieving(config)
    locations = run.locations(sessions, saved)
    run.view.targets([location.api.target for location in locations if not location.read_only])
    scanner = Scanner(config, run.view.scanned)
    stack.callback(scanner.close)
    scans = scanner.scan(locations)
    run.warn((scan.target, warning) for scan in scans for warning in scan.warnings)
    # A plan's file may list AMIs too; whoever applies it has not.
    asks = config.deletes and not (config.force_delete or (config.from_ids and saved is None))
    planner = Planner(config, scanner, run.clock, files, asks=asks)
    if config.suggest_config:
        run.view.suggestion(planner.suggest(scans))
        return
    # Everything is read before the first orphaned snapshot is deleted: what cannot be read stops that deletion too.
    known = planner.decide(scans, saved.changes if saved else None)
    execution = Execution(run, planner, scans, audit) if config.deletes else None
    if config.check_orphans:
        orphans, warnings = find_all_orphans(scanner, scans, run.clock.now())
        finished = run.clock.monotonic()
        run.warn(warnings)
        _delete_orphans(run, orphans, known.plan, execution, finished)
        run.view.retrieving(config)
    run.warn(known.warnings)
    for rule in rules_without_amis(known.plan):
        run.warning(f"Rule {rule} matches no AMI.")
    if config.explain is not None or config.output == "json":
        run.result = replace(run.result, dangling=planner.dangling(known.references))
    if saved:
        _warn_of_plan(run, saved, scans)
    _delete_amis(run, known, execution, saved, asks=asks)


def _delete_orphans(run: Run, found: tuple[Orphan, ...], plan: Plan, execution: "Execution | None", finished: float) -> None:
    """Orphaned snapshots: shown, confirmed, deleted.  `finished` is when the reading that found them ended."""
    run.result = replace(run.result, orphans=found)
    run.view.orphans(found)
    if not found or execution is None or limits_exceeded(plan, len(found)):  # which is reported below the plan
        return
    confirmed = not run.config.force_delete
    if confirmed:
        if not run.view.confirm_orphans(found):
            return
        run.view.checking()
    run.view.removing_orphans(len(found))
    with run.interrupts.finishing():  # whatever was done is in the result before the run ends
        results = execution.orphans(found, None if confirmed else finished)
        orphans = (replace(orphan, result=results.get((orphan.target, orphan.snapshot.id))) for orphan in found)
        run.result = replace(run.result, orphans=tuple(orphans))
    run.view.removed_orphans(sum(result.outcome == "removed" for result in results.values()))
    run.ended(execution.stopped_by, execution.problems)


def _delete_amis(
    run: Run, known: PlanningResult, execution: "Execution | None", saved: SavedPlan | None, *, asks: bool
) -> None:
    """The plan: shown, confirmed, carried out."""
    config, plan = run.config, known.plan
    run.result = replace(run.result, plan=plan)
    run.view.plan(plan)
    if run.result.dangling:
        run.view.dangling(run.result.dangling)
    for text in (*unknown_ids(plan), *refusals(plan, saved.changes if saved else None)):
        run.problem(text)
    if config.save_plan is not None:
        write_plan(config.save_plan, run.result, run.clock.now())
    if _over_limits(run, plan) or execution is None or not plan.changes:
        return
    if asks:
        if not run.view.confirm(plan):
            run.result = replace(run.result, declined=True)
            run.view.declined()
            return
        run.view.checking()
    run.view.cleaning(plan)
    began = run.clock.monotonic()
    with run.interrupts.finishing():
        results = execution.amis(plan, None if asks else known)
        run.result = replace(run.result, amis=results, seconds=run.clock.monotonic() - began)
    for text in late_refusals(run.result, plan) if saved or config.from_ids else ():
        run.problem(text)
    restorable = sorted({decision.target for decision in plan.removals if decision.restorable_until is not None})
    if restorable and run.interrupts.status is None:
        in_bin = execution.in_bin(restorable)  # may warn, and so replace the result
        run.result = replace(run.result, in_bin=in_bin)
    run.ended(execution.stopped_by, execution.problems)


def _warn_of_plan(run: Run, saved: SavedPlan, scans: Sequence[Scan]) -> None:
    """What a reader of the command line alone would not expect of a saved plan."""
    unprotected = [f"--skip-check {' '.join(run.config.skip_check)}"] if run.config.skip_check else []
    unprotected += ["--ignore-in-use"] if run.config.ignore_in_use else []
    if unprotected:
        run.warning(f"The plan was created with {' and '.join(unprotected)}: those references do not protect AMIs.")
    existing = {(scan.target, ami.id) for scan in scans for ami in scan.inventory.amis}
    gone = len(saved.changes.keys() - existing)
    if gone:
        run.warning(f"{number(gone, 'AMI')} of the plan no longer exist{'' if gone > 1 else 's'}.")


def _over_limits(run: Run, plan: Plan) -> bool:
    """Whether a limit stops this run; in a dry run that is only a warning."""
    exceeded = limits_exceeded(plan, len(run.result.orphans))
    for text in exceeded:
        if run.config.dry_run:
            run.warning(text)
        else:
            run.problem(f"{text} Nothing was deleted.")
    return bool(exceeded) and not run.config.dry_run
