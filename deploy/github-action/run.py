"""The step of `action.yml` that runs amicleaner: writes the plan to the job's summary, sets the outputs, and ends with the
exit status of the command."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from amicleaner.report.formats import render

SUMMARY_LIMIT = 1_000_000
"""Bytes; GitHub discards the summary of a step beyond 1 MiB."""

COMMAND_LINE_ONLY = ("DRY_RUN", "APPLY_PLAN", "ARGUMENTS")
"""The inputs that the command takes from its command line; `DRY_RUN` is said there in either case."""


def main() -> int:
    """Runs the command with the inputs of the action and returns its exit status."""
    folder = Path(tempfile.mkdtemp(prefix="amicleaner-", dir=os.environ["RUNNER_TEMP"]))
    result = folder / "result.json"
    inputs = {name.removeprefix("INPUT_"): value for name, value in os.environ.items() if name.startswith("INPUT_")}
    words = [sys.executable, "-m", "amicleaner", "--output", "json", *arguments(inputs)]
    # The command reads most options from its environment. An input without a value leaves a variable of the job as it is.
    options = {name: value for name, value in inputs.items() if value and name not in COMMAND_LINE_ONLY}
    environ = {**os.environ, **{f"AMICLEANER_{name}": value for name, value in options.items()}}
    # No line that the command prints may be taken for a command to the runner.
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    with result.open("wb") as file:
        done = subprocess.run(words, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=sys.stdout, check=False)
    print(f"::{token}::", flush=True)
    document = read(result)
    append("GITHUB_STEP_SUMMARY", summary(document, done.returncode))
    for name, value in outputs(document, done.returncode):
        append("GITHUB_OUTPUT", f"{name}={value}\n")
    append("GITHUB_OUTPUT", f"result={result}\n")
    if "\n" not in inputs["SAVE_PLAN"]:  # a second line would be another output
        append("GITHUB_OUTPUT", f"plan={inputs['SAVE_PLAN']}\n")
    return done.returncode


def arguments(inputs: Mapping[str, str]) -> Iterator[str]:
    """The words of the command line for the inputs that need one."""
    match inputs["DRY_RUN"].strip().lower():
        case "true":
            yield "--dry-run"
        case "false":
            yield "--force-delete"
        case other:
            sys.exit(f"Error: dry-run must be true or false, not {other!r}.")
    if plan := inputs["APPLY_PLAN"]:
        yield f"--apply-plan={plan}"
    yield from filter(None, map(str.strip, inputs["ARGUMENTS"].splitlines()))


def read(path: Path) -> dict[str, Any]:
    """The document of the run; empty where the command ended before it had one."""
    text = path.read_text("utf-8")
    return json.loads(text) if text else {}


def summary(document: Mapping[str, Any], status: int) -> str:
    """Markdown for the page of the job."""
    if not document:
        return f"**amicleaner failed with exit status {status}.** The log of this step says why.\n"
    text = render(document, "markdown")
    if len(text.encode()) > SUMMARY_LIMIT:
        return "The plan is too long for this page. The output `result` is the path of the whole document.\n"
    return text


def outputs(document: Mapping[str, Any], status: int) -> Iterator[tuple[str, object]]:
    """The outputs that are counts and words."""
    amis = document.get("amis", [])
    decisions = Counter(ami["decision"] for ami in amis)
    outcomes = Counter(ami["outcome"] for ami in amis)
    yield "status", document.get("status", "failed")
    yield "exit-status", status
    yield "planned", decisions["remove"] + decisions["quarantine"]
    yield "deleted", outcomes["removed"]
    yield "quarantined", outcomes["quarantined"]
    yield "failed", outcomes["failed"]
    yield "kept", decisions["keep"] + outcomes["kept"]


def append(variable: str, text: str) -> None:
    """Adds to one of the runner's files."""
    with open(os.environ[variable], "a", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
