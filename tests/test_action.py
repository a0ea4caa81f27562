"""The GitHub Action: its steps, run as a runner runs them, against the fake AWS."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from amicleaner.config import BY_NAME
from tests.command.accounts import FOUR, Account, article_account
from tests.command.process import environment
from tests.fake_aws import Fault
from tests.runner import ROOT, Runner

pytestmark = pytest.mark.once

ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
RUN = next(step for step in ACTION["runs"]["steps"] if step["id"] == "run")
COMMAND_LINE_ONLY = {"apply-plan", "include-shared", "skip-check"}
"""The inputs for options that the environment may not set."""


@pytest.fixture
def aws() -> Iterator[Account]:
    with article_account() as account:
        yield account


@pytest.fixture
def run(aws: Account, tmp_path: Path) -> Any:
    """Runs the action with inputs; returns the runner and the outputs."""

    def start(environ: dict[str, str] | None = None, python: str = "", **inputs: Any) -> tuple[Runner, dict[str, str]]:
        runner = Runner(tmp_path, environment(aws.environment | (environ or {})))
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return runner, runner.action(given, {"python": python or runner.python()})

    return start


def test_each_input_is_an_option_by_its_long_name() -> None:
    for name, entry in ACTION["inputs"].items():
        key = name.replace("-", "_")
        assert BY_NAME[key].command_line_only == (name in COMMAND_LINE_ONLY)
        assert RUN["env"][f"INPUT_{key.upper()}"] == f"${{{{ inputs.{name} }}}}"
        assert entry.get("default") == ("true" if name == "dry-run" else None)


def test_no_script_contains_an_expression() -> None:
    assert not any("${{" in step["run"] for step in ACTION["runs"]["steps"])


def test_the_default_is_a_dry_run(aws: Account, run: Any) -> None:
    runner, outputs = run(python=sys.executable)
    assert runner.status == 0
    assert aws.deletions() == []
    assert (outputs["exit-status"], outputs["planned"], outputs["deleted"]) == ("0", "4", "0")
    assert "| " in runner.summary
    assert all(ami in runner.summary for ami in FOUR)


def test_an_empty_dry_run_deletes_nothing(aws: Account, run: Any) -> None:
    _, outputs = run(dry_run="")
    assert aws.deletions() == []
    assert (outputs["status"], outputs["planned"], outputs["deleted"]) == ("planned", "4", "0")


def test_dry_run_false_deletes(aws: Account, run: Any) -> None:
    runner, outputs = run(dry_run=False)
    assert runner.status == 0
    assert {id for _, id in aws.deletions()} == {*FOUR}
    assert (outputs["deleted"], outputs["failed"], outputs["kept"]) == ("4", "0", str(len(aws.images)))
    document = json.loads(Path(outputs["result"]).read_text())
    assert sum(ami["outcome"] == "removed" for ami in document["amis"]) == 4


def test_inputs_reach_the_command(run: Any, tmp_path: Path) -> None:
    assert run(keep_previous=2, mapping_key="tags", mapping_values="environment role")[1]["planned"] == "12"
    (tmp_path / "cleaner.toml").write_text('keep_previous = 2\nmapping_values = ["environment", "role"]\n')
    assert run(config="cleaner.toml")[1]["planned"] == "12"
    assert run(config="cleaner.toml", keep_previous=4)[1]["planned"] == "4"


def test_inputs_for_the_command_line_reach_the_command(aws: Account, run: Any) -> None:
    for ami in FOUR[:2]:
        aws.region.images[ami].public = True
    assert run()[1]["planned"] == "2"
    assert run(include_shared=True)[1]["planned"] == "4"
    assert run(include_shared="yes")[0].status == 2
    assert run(skip_check="spot fleets")[0].status == 0
    assert "instances" not in aws.fake_aws.calls.summary()


def test_an_input_without_a_value_leaves_a_variable_of_the_job(run: Any) -> None:
    assert run({"AMICLEANER_KEEP_PREVIOUS": "2"})[1]["planned"] == "12"
    assert run({"AMICLEANER_KEEP_PREVIOUS": "2"}, keep_previous="4")[1]["planned"] == "4"


def test_a_denied_deletion_fails_the_step_with_the_status_of_the_command(aws: Account, run: Any) -> None:
    aws.fake_aws.faults.append(Fault("DeregisterImage", "refuse", times=None))
    runner, outputs = run(dry_run=False)
    assert (runner.status, outputs["exit-status"]) == (1, "1")
    assert outputs["deleted"] == "0"
    assert outputs["failed"] != "0"
    assert re.search("^Error: ", runner.log, re.MULTILINE)


def test_a_wrong_input_fails_the_step_and_says_so_in_the_summary(aws: Account, run: Any) -> None:
    runner, outputs = run(keep_previous="many")
    assert (runner.status, outputs["exit-status"]) == (2, "2")
    assert r"AMICLEANER\_KEEP\_PREVIOUS: 'many' is not a whole number." in runner.summary
    assert run(dry_run="perhaps")[0].status == 2
    assert run(skip_check="everything")[0].status == 2
    assert aws.deletions() == []


def test_a_plan_is_saved_and_applied(aws: Account, run: Any) -> None:
    runner, outputs = run(save_plan="plan.json")
    assert (runner.status, outputs["plan"]) == (0, "plan.json")
    assert aws.deletions() == []
    runner, outputs = run(apply_plan=outputs["plan"], dry_run=False)
    assert (runner.status, outputs["deleted"]) == (0, "4")


def test_an_exit_code_fails_the_step_with_three(run: Any) -> None:
    assert run(exit_code=True)[0].status == 3


@pytest.mark.parametrize("value", ["$(touch hacked)", "`touch hacked`", "'; touch hacked; '", '"; touch hacked; "'])
def test_no_input_is_run_as_a_script(run: Any, tmp_path: Path, value: str) -> None:
    run(**{name.replace("-", "_"): value for name in ACTION["inputs"]})
    run(**{name.replace("-", "_"): value for name in ACTION["inputs"] if name != "dry-run"})
    assert not list(tmp_path.rglob("hacked"))


def test_no_line_of_the_command_is_a_command_to_the_runner(run: Any) -> None:
    runner, _ = run(region="::set-output")
    assert "::set-output" in runner.log
    lines = runner.log.splitlines()
    assert lines[0].startswith("::stop-commands::")
    assert lines[-1] == "::" + lines[0].removeprefix("::stop-commands::") + "::"


def test_a_run_that_cannot_begin_says_so_in_the_summary_and_in_the_outputs(run: Any) -> None:
    runner, outputs = run(apply_plan="missing.json")
    assert (runner.status, outputs["exit-status"], outputs["status"]) == (2, "2", "failed")
    assert "missing.json" in runner.summary
