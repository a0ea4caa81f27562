"""Runs the steps of a workflow and of the action as GitHub's runner would: bash, environment files, expressions."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.command.process import by_starter

ROOT = Path(__file__).parent.parent
EXPRESSION = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")


@dataclass
class Runner:
    """One job.  `environ` is what its steps inherit; `outputs` are those of the steps that have run, by the id of the step.
    `summary` and `log` collect what the steps wrote; `status` is the exit status of the last one."""

    folder: Path
    environ: Mapping[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    summary: str = ""
    log: str = ""
    status: int = 0

    def shell(self, step: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
        """Runs the script of one step and returns its outputs.  `values` are the contexts of the expressions."""
        script, output, summary = (self.folder / name for name in ("step.sh", "output", "summary"))
        script.write_text(self.expand(step["run"], values), "utf-8")
        for file in (output, summary):
            file.write_text("")
        environ = {name: self.expand(str(value), values) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            env={
                **self.environ,
                "RUNNER_TEMP": str(self.folder),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary),
                **environ,
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        self.log += done.stdout
        self.summary += summary.read_text("utf-8")
        self.status = done.returncode
        return dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())

    def python(self) -> str:
        """A program that does what `python -m amicleaner.github_action` does, by a fork of a process that has loaded it."""
        program = self.folder / "python"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(by_starter())} "$@"\n')
        program.chmod(0o755)
        return str(program)

    def action(self, inputs: Mapping[str, Any], installed: Mapping[str, str]) -> dict[str, str]:
        """Runs the action of this repository and returns its outputs.  `installed` are the outputs of its step that installs
        packages, which is not run."""
        action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
        assert inputs.keys() <= action["inputs"].keys(), "the action has no such input"
        given = {name: str(entry.get("default", "")) for name, entry in action["inputs"].items()}
        # YAML's true is the string "true" to an action.
        given |= {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in inputs.items()}
        values = {f"inputs.{name}": value for name, value in given.items()} | {"github.action_path": str(ROOT)}
        values |= {f"steps.install.outputs.{name}": value for name, value in installed.items()}
        for step in action["runs"]["steps"]:
            if step["id"] != "install" and self.status == 0:
                outputs = self.shell(step, values)
                values |= {f"steps.{step['id']}.outputs.{name}": value for name, value in outputs.items()}
        return {name: self.expand(entry["value"], values) for name, entry in action["outputs"].items()}

    @staticmethod
    def expand(text: str, values: Mapping[str, str]) -> str:
        """A string with its `${{ … }}` replaced.  An output that a step did not set is empty."""

        def value(match: re.Match[str]) -> str:
            return values.get(match[1], "") if match[1].startswith("steps.") else values[match[1]]

        return EXPRESSION.sub(value, text)
