"""The recipes: each script is taken from its page and run against the fake AWS, also with deletion denied."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from amicleaner.config import BY_FLAG
from tests.command.accounts import Account, article_account
from tests.command.process import by_starter, environment
from tests.fake_aws import Fault
from tests.runner import ROOT, Runner

pytestmark = pytest.mark.once

PAGE = (ROOT / "docs" / "recipes.md").read_text("utf-8")
WITHOUT_A_SCRIPT = ("actions/", "aws-actions/configure-aws-credentials@")
"""Actions of others, which are not run."""


def section(title: str) -> str:
    """A section of the page, without its subsections."""
    (found,) = re.findall(rf"^##+ {title}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def blocks(title: str, language: str) -> list[str]:
    """The fenced blocks of a section."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)


@dataclass
class Host:
    """A machine with the files of the page below one folder, and amicleaner installed."""

    root: Path
    aws: Account

    def here(self, text: str) -> str:
        """A script, with its paths below the folder."""
        return re.sub(r"(?<![\w.])/(?=(?:etc|opt|run|tmp|var)/(?!null))", f"{self.root}/", text)

    def run(self, script: str, *, shell: str = "sh", **environ: str) -> subprocess.CompletedProcess[str]:
        """Runs a script as cron and pipelines do: without input, and without a terminal."""
        file = self.root / "script"
        file.write_text(self.here(script), "utf-8")
        return subprocess.run(
            [shell, "-e", file],
            env={**environment(self.aws.environment), **environ, "PATH": f"{self.root}/opt/amicleaner/bin:/usr/bin:/bin"},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @contextmanager
    def denied(self) -> Iterator[None]:
        """Meanwhile AWS refuses to delete."""
        fault = Fault("DeregisterImage", "refuse", times=None)
        self.aws.fake_aws.faults.append(fault)
        yield
        self.aws.fake_aws.faults.remove(fault)

    @property
    def deleted(self) -> int:
        """How many AMIs AWS was asked to delete."""
        return sum(action == "DeregisterImage" for action, _ in self.aws.deletions())


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    for folder in ("etc", "opt/amicleaner/bin", "run/lock", "tmp", "var/lib/amicleaner"):
        (tmp_path / folder).mkdir(parents=True)
    with article_account() as aws:
        aws.region.add_instance("ami-2bf48158")  # the AMI without tags; without any reference there is a warning
        made = Host(tmp_path, aws)
        program = tmp_path / "opt/amicleaner/bin/amicleaner"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(by_starter())} "$@"\n')
        program.chmod(0o755)
        (toml,) = blocks("The configuration file", "toml")
        (tmp_path / "etc/amicleaner.toml").write_text(made.here(toml), "utf-8")
        yield made


def is_heard(err: str) -> bool:
    """Whether the reason of a failure is on standard error."""
    return bool(re.search(r"^Error: .+", err, re.MULTILINE))


# cron

(CRON,) = blocks("cron", "sh")
needs_flock = pytest.mark.skipif(shutil.which("flock") is None, reason="this system has no flock")


@needs_flock
def test_cron_mails_a_denied_deletion_and_nothing_when_all_is_well(host: Host) -> None:
    with host.denied():
        done = host.run(CRON)
    assert (done.returncode, done.stdout, host.deleted) == (1, "", 1)
    assert is_heard(done.stderr)
    assert "ec2:DeregisterImage" in done.stderr
    done = host.run(CRON)
    assert (done.returncode, done.stdout, done.stderr, host.deleted) == (0, "", "", 1 + 12)
    lines = (host.root / "var/lib/amicleaner/audit.jsonl").read_text().splitlines()
    assert {json.loads(line)["event"] for line in lines} == {"before", "after"}


@needs_flock
def test_cron_mails_that_the_previous_run_is_busy(host: Host) -> None:
    lock = host.root / "run/lock/amicleaner"
    with subprocess.Popen(["flock", lock, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as busy:
        assert busy.stdin
        assert busy.stdout
        busy.stdin.write(b"x")
        busy.stdin.flush()
        busy.stdout.read(1)
        done = host.run(CRON)
    assert (done.returncode, host.deleted) == (75, 0)
    assert is_heard(done.stderr)


# systemd


def units() -> dict[str, configparser.RawConfigParser]:
    """The units of the page by their names."""
    found = {}
    for text in blocks("systemd", "ini"):
        parser = configparser.RawConfigParser()
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
        found[Path(text.split(maxsplit=2)[1]).name] = parser
    return found


def test_systemd_runs_the_service_and_hears_a_denied_deletion(host: Host) -> None:
    service = units()["amicleaner.service"]["Service"]
    assert service["Type"] == "oneshot"
    with host.denied():
        done = host.run(service["ExecStart"])
    assert (done.returncode, is_heard(done.stderr), host.deleted) == (1, True, 1)
    done = host.run(service["ExecStart"])
    assert (done.returncode, is_heard(done.stderr), host.deleted) == (0, False, 1 + 12)


def test_systemd_reports_a_failed_service(host: Host) -> None:
    all_units = units()
    failed = all_units["amicleaner.service"]["Unit"]["OnFailure"]
    arguments = shlex.split(all_units[failed]["Service"]["ExecStart"])
    for name, script in (("journalctl", "echo Error: it failed"), ("mail", 'cat > "mail to $3"; echo "$@" >> "mail to $3"')):
        program = host.root / "opt/amicleaner/bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    assert arguments[:2] == ["/bin/sh", "-c"]
    assert host.run(arguments[2].replace("%H", "host")).returncode == 0
    assert (host.root / "mail to root").read_text() == "Error: it failed\n-s amicleaner failed on host root\n"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this system has no systemd")
def test_systemd_accepts_the_units(host: Host) -> None:
    folder = host.root / "units"
    folder.mkdir()
    for text in blocks("systemd", "ini"):
        (folder / Path(text.split(maxsplit=2)[1]).name).write_text(host.here(text), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *folder.iterdir()], capture_output=True, text=True, timeout=60
    )
    assert [line for line in (done.stdout + done.stderr).splitlines() if "amicleaner" in line] == []


# GitHub Actions


def workflow(title: str) -> dict[str, Any]:
    """The workflow of a section."""
    (text,) = blocks(title, "yaml")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def run_job(job: dict[str, Any], host: Host) -> tuple[Runner, dict[str, str]]:
    """Runs the steps of a job that are amicleaner's; the others only fetch credentials and files."""
    runner = Runner(host.root, environment(host.aws.environment))
    (step,) = [step for step in job["steps"] if not step["uses"].startswith(WITHOUT_A_SCRIPT)]
    assert re.fullmatch(r"your-organization/amicleaner@[0-9a-f]{40}", step["uses"])
    return runner, runner.action(step["with"], {"python": runner.python()})


def test_the_github_workflow_deletes_and_hears_a_denied_deletion(host: Host) -> None:
    job = workflow("GitHub Actions")["jobs"]["clean"]
    with host.denied():
        runner, outputs = run_job(job, host)
    assert (runner.status, outputs["deleted"], is_heard(runner.log)) == (1, "0", True)
    assert "Problems:" in runner.summary
    runner, outputs = run_job(job, host)
    assert (runner.status, outputs["deleted"], is_heard(runner.log)) == (0, "12", False)
    assert "Problems:" not in runner.summary
    assert (host.root / "audit.jsonl").exists()


def test_the_reviewed_github_workflow_applies_what_the_plan_says(host: Host) -> None:
    jobs = workflow("Review today, delete tomorrow")["jobs"]
    runner, outputs = run_job(jobs["plan"], host)
    assert (runner.status, outputs["plan"], host.deleted) == (0, "plan.json", 0)
    assert jobs["apply"]["needs"] == "plan"
    with host.denied():
        runner, outputs = run_job(jobs["apply"], host)
    assert (runner.status, outputs["deleted"], is_heard(runner.log)) == (1, "0", True)
    runner, outputs = run_job(jobs["apply"], host)
    assert (runner.status, outputs["deleted"], is_heard(runner.log)) == (0, "12", False)


@pytest.mark.parametrize("title", ["GitHub Actions", "Review today, delete tomorrow"])
def test_the_github_workflows_have_the_least_permissions(title: str) -> None:
    found = workflow(title)
    assert found["permissions"] == {}
    for job in found["jobs"].values():
        assert job["permissions"] == {"id-token": "write"}
        for step in job["steps"]:
            assert re.search(r"@[0-9a-f]{40}$", step["uses"]), "pin actions by their commits"


# GitLab CI


def gitlab_job(name: str) -> tuple[str, dict[str, str]]:
    """The script of a job with what it extends, and its variables; the installation is not run."""
    (text,) = blocks("GitLab CI", "yaml")
    jobs = yaml.safe_load(text)
    base = jobs[jobs[name]["extends"]]
    lines = [*base["before_script"], *jobs[name]["script"]]
    return "\n".join(line for line in lines if not line.startswith("pip install ")), base["variables"]


def test_the_gitlab_jobs_plan_and_apply(host: Host) -> None:
    script, variables = gitlab_job("plan")
    environ = {name: host.here(value) for name, value in variables.items()} | {"AWS_TOKEN": "token"}
    assert (host.run(script, **environ).returncode, host.deleted) == (0, 0)
    assert (host.root / "tmp/token").read_text() == "token\n"
    apply, _ = gitlab_job("apply")
    with host.denied():
        done = host.run(apply, **environ)
    assert (done.returncode, is_heard(done.stderr), host.deleted) == (1, True, 1)
    done = host.run(apply, **environ)
    assert (done.returncode, is_heard(done.stderr), host.deleted) == (0, False, 1 + 12)


# What stops a run


def stop_rows() -> list[list[str]]:
    """The table of the page."""
    return [line.strip("| ").split(" | ") for line in section("What stops a run").splitlines() if line.startswith("| ")][2:]


def limit(option: str) -> Callable[[Host], str]:
    return lambda host: f"amicleaner -f {option}"


def fault(action: str, script: str = "amicleaner -f") -> Callable[[Host], str]:
    def arranged(host: Host) -> str:
        host.aws.fake_aws.faults.append(Fault(action, "refuse", times=None))
        return script

    return arranged


STOPS: dict[str, list[tuple[Callable[[Host], str], int, int]]] = {
    "a wrong option, configuration or plan file": [
        (limit("--nonsense"), 2, 0),
        (limit("--audit-log /nowhere/audit.jsonl"), 2, 0),
    ],
    "a target outside `--expect-account`": [(limit("--expect-account 999999999999"), 1, 0)],
    "no credentials; a read that is denied": [(fault("DescribeInstances"), 1, 0)],
    "`--max-deletions`, `--max-percent`": [(limit("--max-deletions 3"), 1, 0), (limit("--max-percent 1"), 1, 0)],
    "the answer no": [(lambda host: "echo n | amicleaner", 0, 0)],
    "standard input ends": [(lambda host: "amicleaner < /dev/null", 1, 0)],
    "a missing permission to change the first AMI": [(fault("DeregisterImage"), 1, 1)],
}
"""Rows of the table: scripts, their exit status, and how many AMIs AWS is asked to delete."""


@pytest.mark.parametrize("what", STOPS)
def test_what_stops_a_run_is_as_the_page_says(what: str, host: Host) -> None:
    (row,) = [row for row in stop_rows() if row[0].startswith(what)]
    for arrange, status, asked in STOPS[what]:
        host.aws.fake_aws.faults.clear()
        before, images = host.deleted, host.aws.images
        done = host.run(arrange(host))
        assert (done.returncode, host.deleted - before) == (status, asked)
        assert row[2].startswith(str(status))
        assert host.aws.images == images
        if row[3] == "unchanged":
            assert host.aws.deletions() == []
        assert is_heard(done.stderr) == bool(status)


def test_the_page_names_only_options_that_exist() -> None:
    for words in re.findall(r"amicleaner ((?:--?\w[\w-]*.*?)?)(?:`|$)", PAGE, re.MULTILINE):
        for flag in re.findall(r"(?<![\w-])--[a-z-]+", words):
            assert flag in BY_FLAG
