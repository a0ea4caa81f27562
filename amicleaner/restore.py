"""Brings AMIs back (`--restore`): from quarantine, from the Recycle Bin, or everything in an audit log."""

from contextlib import ExitStack
from dataclasses import replace

from .aws.changes import Changer
from .aws.restorer import Restorer, fetch_holdings
from .aws.targets import SessionMaker
from .config import AMI_ID
from .errors import UsageError
from .execution import run_changes
from .models import RestoreResult
from .restore_steps import Wanted, read_log, steps
from .run_state import Run


def restore(run: Run, sessions: SessionMaker, stack: ExitStack) -> None:
    """Brings back what `config.restore` names: ids of AMIs, and paths of audit logs.  The run's result says what cannot be
    restored, and why."""
    config = run.config
    wanted = [entry for word in config.restore for entry in _wanted(word)]
    audit = run.open_audit(stack)
    regions = sorted({entry.target.region for entry in wanted if entry.target is not None})
    if regions and not (config.region or config.exclude_region):
        # An audit log names the Regions; ids are looked for in the usual one.
        run.config = config = replace(config, region=tuple(regions))
    named = any(entry.target is not None and entry.target.account for entry in wanted)
    locations = run.locations(run.sessions(sessions, stack), named=named)
    apis = {location.api.target: location.api for location in locations}
    run.view.targets(list(apis))
    holdings = {}
    for target, api in apis.items():
        holdings[target] = fetch_holdings(api, [entry for entry in wanted if entry.may_be_in(target)])
        run.view.scanned(target, len(holdings[target].amis))
    todo = steps(wanted, holdings)
    if config.dry_run:
        for step in todo:
            planned = [RestoreResult(step.target, id, "planned") for id in filter(None, (*step.snapshots, step.ami))]
            for result in [step.settled] if step.settled else planned:
                run.result = replace(run.result, restored=(*run.result.restored, result))
                run.view.restored(result)
        return

    async def main(changer: Changer) -> list[RestoreResult]:
        restorer = Restorer(changer, run.view.restored)
        await restorer.run(todo)
        return restorer.results

    with run.interrupts.finishing():  # whatever was done is in the result before the run ends
        results, stopped_by = run_changes(main, apis, run, audit)
        run.result = replace(run.result, restored=tuple(results))
    run.ended(stopped_by)


def _wanted(word: str) -> tuple[Wanted, ...]:
    if AMI_ID.fullmatch(word):
        return (Wanted(word),)
    try:
        with open(word, encoding="utf-8") as file:
            return read_log(file.read(), word)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--restore: {word} cannot be read: {reason}.", hint="Pass AMI ids, or an audit log.") from error
