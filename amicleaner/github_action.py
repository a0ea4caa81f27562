"""The step of `action.yml` that runs amicleaner: writes the plan to the job's summary, sets the outputs, and ends with the
exit status of the command."""

import os
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .clock import SYSTEM_CLOCK
from .config import Config
from .errors import AmicleanerError, UsageError, describe
from .interrupts import Interrupts
from .report.console import Console
from .report.document import document, to_json
from .report.markdown import to_markdown
from .result import Result
from .run import clean
from .settings import combine, from_environment

COMMAND_LINE_ONLY = ("DRY_RUN", "APPLY_PLAN", "INCLUDE_SHARED", "SKIP_CHECK")
"""The inputs that the environment and the configuration file may not set."""


class Log(Console):
    """Prints to the log of the step, and keeps the result of a run that failed, too."""

    result = Result()

    def finished(self, result: Result) -> None:
        """The end of the run."""
        self.result = result
        super().finished(result)


def main() -> int:
    """Runs amicleaner with the inputs of the action and returns the exit status."""
    try:
        config = configure(os.environ)
    except UsageError as error:
        print(f"Error: {describe(error)}")
        append("GITHUB_STEP_SUMMARY", to_markdown(Result(problems=(describe(error),)), 0))
        append("GITHUB_OUTPUT", f"status=failed\nexit-status={error.exit_status}\n")
        return error.exit_status
    log = Log(config, stdout=sys.stdout, stderr=sys.stdout, stdin=None, environ=os.environ, clock=SYSTEM_CLOCK)
    interrupts = Interrupts()
    try:
        with interrupts.signals():
            status = clean(config, view=log, interrupts=interrupts).exit_status
    except AmicleanerError as error:
        print(f"Error: {describe(error)}")
        status = error.exit_status
        # A run that never began has told nobody its result.
        log.result = replace(log.result, problems=log.result.problems or (describe(error),))
    append("GITHUB_STEP_SUMMARY", to_markdown(log.result, config.price_per_gib))
    for name, value in outputs(log.result, config, status):
        append("GITHUB_OUTPUT", f"{name}={value}\n")
    return status


def configure(environ: Mapping[str, str]) -> Config:
    """The configuration: the inputs (`INPUT_…`), then the variables of the job (`AMICLEANER_…`), then the file.  An input
    without a value changes nothing.  Raises UsageError."""
    inputs = {name.removeprefix("INPUT_"): value for name, value in environ.items() if name.startswith("INPUT_") and value}
    settings = {f"AMICLEANER_{name}": value for name, value in inputs.items() if name not in COMMAND_LINE_ONLY}
    environment, warnings = from_environment({**environ, **settings})
    for warning in warnings:
        print(f"Warning: {warning}")
    # An expression may come out empty, as that of an input in a job that a schedule started: only `false` deletes.
    dry_run = flag({"DRY_RUN": "true", **inputs}, "DRY_RUN")
    line: dict[str, Any] = {"dry_run": True} if dry_run else {"force_delete": True}
    if "APPLY_PLAN" in inputs:
        line["apply_plan"] = inputs["APPLY_PLAN"]
    if flag(inputs, "INCLUDE_SHARED"):
        line["include_shared"] = True
    if "SKIP_CHECK" in inputs:
        line["skip_check"] = tuple(inputs["SKIP_CHECK"].split())
    return combine(line, environment)


def flag(inputs: Mapping[str, str], name: str) -> bool:
    """The value of an input that is true or false.  Raises UsageError."""
    text = inputs.get(name, "false").strip().lower()
    if text not in ("true", "false"):
        raise UsageError(f"The input {name.lower().replace('_', '-')} must be true or false, not {text!r}.")
    return text == "true"


def outputs(result: Result, config: Config, status: int) -> Iterator[tuple[str, object]]:
    """The outputs of the action; the document of the run is written to a file."""
    outcomes = Counter(ami.outcome for ami in result.amis.values())
    yield "status", result.status
    yield "exit-status", status
    yield "planned", len(result.plan.candidates) if result.plan else 0
    yield "deleted", outcomes["removed"]
    yield "quarantined", outcomes["quarantined"]
    yield "failed", outcomes["failed"]
    yield "kept", (len(result.plan.kept) if result.plan else 0) + outcomes["kept"]
    if config.save_plan is not None and result.plan is not None and "\n" not in config.save_plan:
        yield "plan", config.save_plan
    path = Path(tempfile.mkdtemp(prefix="amicleaner-", dir=os.environ["RUNNER_TEMP"]), "result.json")
    path.write_text(to_json(document(result, config, SYSTEM_CLOCK.now())), "utf-8")
    yield "result", path


def append(variable: str, text: str) -> None:
    """Adds to one of the runner's files."""
    with open(os.environ[variable], "a", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    # No line of the log may be taken for a command to the runner.
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    try:
        sys.exit(main())
    finally:
        print(f"::{token}::", flush=True)
