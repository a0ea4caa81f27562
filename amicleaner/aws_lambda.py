"""The handler of an AWS Lambda function: `amicleaner.aws_lambda.handler` (docs/lambda.md).

The event holds options by their long names, as a configuration file does.  What is for the command line alone, such as
`force_delete`, counts only where the function's environment variable AMICLEANER_ALLOW names it.
"""

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from .config import BY_NAME, Config
from .errors import AmicleanerError, UsageError, describe
from .interrupts import Interrupted, Interrupts
from .result import Result
from .run import clean
from .settings import combine, from_environment, from_mapping
from .view import View

ALLOW = "AMICLEANER_ALLOW"
"""Names of options that an event may set although they are for the command line alone, separated by spaces."""

RESERVE = 30.0
"""Seconds before the end of the function at which nothing new is started: 20 for what is in flight, the rest to report."""

log = logging.getLogger("amicleaner")
log.setLevel(logging.INFO)  # Lambda's own level is WARNING


class RunFailed(AmicleanerError):
    """The run did not do what it was asked to do; the message is the JSON summary."""


class LogView(View):
    """Logs warnings and problems, and prompts for nothing."""

    def warning(self, text: str) -> None:
        log.warning("Warning: %s", text)

    def problem(self, text: str) -> None:
        log.error("Error: %s", text)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Does one run and returns its summary (`summarize`).

    `context` is Lambda's: 30 seconds before the function would be cut off, the run ends cleanly.  Raises UsageError for a
    wrong event, AwsError where AWS could not be read, and RunFailed where something was refused or the time ended before
    anything was changed; Lambda counts each as an error of the function.
    """
    view, interrupts = LogView(), Interrupts()
    try:
        seconds = context.get_remaining_time_in_millis() / 1000 - RESERVE
        if seconds < RESERVE:
            raise UsageError("The function's timeout is too short. Set it to 60 to 900 seconds.")
        config = configure(event, os.environ, view)
        with interrupts.signals(), interrupts.deadline(seconds):
            result = clean(config, view=view, interrupts=interrupts)
    except AmicleanerError as error:
        log.error("Error: %s", describe(error))
        raise
    except Interrupted:
        # Where the time ends just before or after the run.
        raise RunFailed("The function ran out of time.") from None
    summary = summarize(result)
    text = json.dumps(summary)
    if result.exit_status in (0, 3) or only_ran_out_of_time(result):
        log.info("%s", text)
        return summary
    log.error("Error: %s", text)
    raise RunFailed(text)


def only_ran_out_of_time(result: Result) -> bool:
    """Whether the end of the time stopped a run that had changed something, and nothing else went wrong."""
    changed = any(ami.outcome in ("removed", "quarantined", "released") for ami in result.amis.values())
    failed = result.problems or result.failed_amis or result.failed_snapshots
    return result.interrupted is not None and changed and not failed


def configure(event: Mapping[str, Any], environ: Mapping[str, str], view: LogView) -> Config:
    """The configuration of a run: the function's environment, then the event, then the file that AMICLEANER_CONFIG names.
    No event changes what the environment sets.  Raises UsageError."""
    allowed = environ.get(ALLOW, "").split()
    for name in allowed:
        if name not in BY_NAME or not BY_NAME[name].command_line_only:
            raise UsageError(f"{ALLOW}: {name!r} is not a command-line-only option.")
    environment, warnings = from_environment({name: value for name, value in environ.items() if name != ALLOW})
    for warning in warnings:
        view.warning(warning)
    if not isinstance(event, Mapping):
        raise UsageError("The event is not a JSON object.")
    values = from_mapping(event, "event", allowed=allowed)
    line = {name: values.pop(name) for name in allowed if name in values}
    config = combine(line, environment, values)
    if config.deletes and not (config.force_delete or config.from_ids or config.restore):
        raise UsageError(
            "A Lambda function cannot prompt for confirmation.",
            hint=f"Set dry_run in the event, or force_delete, which the function allows with {ALLOW}=force_delete.",
        )
    return config


def summarize(result: Result) -> dict[str, Any]:
    """What a run did, in JSON's types: ids of AMIs by what became of them, the number that is left for the next run,
    warnings and problems."""
    outcomes: dict[str, list[str]] = {name: [] for name in ("removed", "quarantined", "released", "failed", "kept")}
    for (_, id), ami in sorted(result.amis.items()):
        outcomes[ami.outcome].append(id)
    candidates = result.plan.candidates if result.plan else ()
    return {
        "status": result.status,
        "exit_status": result.exit_status,
        "planned": len(candidates),
        "deleted": outcomes["removed"],
        "quarantined": outcomes["quarantined"],
        "released": outcomes["released"],
        "failed": outcomes["failed"],
        "left": sum(decision.key not in result.amis for decision in candidates),
        "kept": dict(result.plan.kept_by_reason) if result.plan else {},
        "warnings": list(result.warnings),
        "problems": list(result.problems),
    }
