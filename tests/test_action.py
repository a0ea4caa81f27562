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

from amicleaner.config import BY_NAME, Config
from amicleaner.errors import UsageError
from amicleaner.github_action import configure
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


def test_dry_run_false_deletes(aws: Account, run: Any) -> None:
    runner, outputs = run(dry_run=False)
    assert runner.status == 0
    assert {id for _, id in aws.deletions()} == {*FOUR}
    assert (outputs["deleted"], outputs["failed"], outputs["kept"]) == ("4", "0", str(len(aws.images)))
    document = json.loads(Path(outputs["result"]).read_text())
    assert sum(ami["outcome"] == "removed" for ami in document["amis"]) == 4


def test_inputs_reach_the_command(aws: Account, run: Any, tmp_path: Path) -> None:
    (tmp_path / "cleaner.toml").write_text('keep_previous = 2\nmapping_values = ["environment", "role"]\n')
    assert run(config="cleaner.toml", skip_check="spot fleets")[1]["planned"] == "12"
    assert aws.fake_aws.calls.count("DescribeInstances")
    assert not aws.fake_aws.calls.count("DescribeSpotInstanceRequests")


@pytest.mark.parametrize(
    "environ, options",
    [
        ({}, {"dry_run": True}),
        # An expression may come out empty.
        ({"INPUT_DRY_RUN": ""}, {"dry_run": True}),
        ({"INPUT_DRY_RUN": "false"}, {"force_delete": True}),
        (
            {"INPUT_KEEP_PREVIOUS": "2", "INPUT_MAPPING_KEY": "name", "INPUT_MAPPING_VALUES": "web db"},
            {"dry_run": True, "keep_previous": 2, "mapping_key": "name", "mapping_values": ("web", "db")},
        ),
        (
            {"INPUT_INCLUDE_SHARED": "true", "INPUT_SKIP_CHECK": "spot fleets"},
            {"dry_run": True, "include_shared": True, "skip_check": ("spot", "fleets")},
        ),
        ({"AMICLEANER_KEEP_PREVIOUS": "2", "INPUT_KEEP_PREVIOUS": ""}, {"dry_run": True, "keep_previous": 2}),
        ({"AMICLEANER_KEEP_PREVIOUS": "2", "INPUT_KEEP_PREVIOUS": "4"}, {"dry_run": True, "keep_previous": 4}),
    ],
)
def test_inputs_become_options(environ: dict[str, str], options: dict[str, Any]) -> None:
    assert configure(environ) == Config(**options)


@pytest.mark.parametrize(
    "environ",
    [
        *({f"INPUT_{name}": "perhaps"} for name in ("DRY_RUN", "INCLUDE_SHARED", "SKIP_CHECK")),
        {"INPUT_INCLUDE_SHARED": "yes"},
        {"AMICLEANER_SKIP_CHECK": "spot"},
    ],
)
def test_wrong_input_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        configure(environ)


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
    assert aws.deletions() == []


def test_an_exit_code_fails_the_step_with_three(run: Any) -> None:
    assert run(exit_code=True)[0].status == 3


@pytest.mark.parametrize("value", ["$(touch hacked) `touch hacked`", "'; touch hacked; '", '"; touch hacked; "'])
def test_no_input_is_run_as_a_script(run: Any, tmp_path: Path, value: str) -> None:
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
