"""The AWS Lambda function: its zip, invoked in a process that can import nothing else, against the fake AWS."""

from __future__ import annotations

import importlib
import json
import os
import runpy
import shlex
import shutil
import signal
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from amicleaner.aws import iam
from amicleaner.aws_lambda import LogView, configure, handler
from amicleaner.config import Config, Rule
from amicleaner.errors import UsageError
from amicleaner.interrupts import Interrupted, Interrupts
from amicleaner.sources import OPERATIONS
from tests.command.accounts import FOUR, Account, article_account, large_account
from tests.command.process import Running, socket_of_starter
from tests.fake_aws import Fault, World

pytestmark = pytest.mark.once

DEPLOY = Path(__file__).parents[1] / "deploy" / "lambda"

LOAD = """
import sys
sys.path.insert(0, {folder!r})
from amicleaner.aws_lambda import handler

class Context:
    def __init__(self, remaining):
        self.remaining = remaining

    def get_remaining_time_in_millis(self):
        return self.remaining

def run(words):
    import json
    event, remaining = json.loads(words[0])
    try:
        answer = {{"returned": handler(event, Context(remaining))}}
    except Exception as error:
        answer = {{"raised": type(error).__name__, "message": str(error)}}
    answer["loaded"] = sorted({{name.partition(".")[0] for name in sys.modules}})
    print(json.dumps(answer))
"""
"""What Lambda's runtime does: it loads the folder of the zip, then calls the handler with events."""


build_zip = SimpleNamespace(**runpy.run_path(str(DEPLOY / "build_zip.py")))


def installed(folder: Path) -> None:
    """Puts what is installed here into a folder, as pip does: the requirements that the builder asks pip for, without the
    models of services that no call is for."""
    services = {operation.service for operation in OPERATIONS.values()}
    entries = build_zip.requirements((DEPLOY.parents[1] / "requirements.txt").read_text("utf-8"))
    for line in entries.splitlines():
        if line[0].isalpha():
            for file in distribution(line.partition("==")[0]).files or ():
                of_a_service = file.parts[:2] == ("botocore", "data") and len(file.parts) > 3
                if of_a_service and file.parts[2] not in services:
                    continue
                if ".." not in file.parts and "__pycache__" not in file.parts:
                    target = folder / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(str(file.locate()), target)


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which Lambda unpacks the zip."""
    folder = tmp_path_factory.mktemp("packages")
    installed(folder)
    zip, unpacked = folder.with_suffix(".zip"), folder.with_name("task")
    build_zip.pack(folder, zip)
    with zipfile.ZipFile(zip) as archive:
        archive.extractall(unpacked)
    return unpacked


@dataclass
class Invocation:
    """One invocation, under way: in a fork of a process that has loaded the function."""

    folder: Path
    aws: Account
    environ: dict[str, str] = field(default_factory=lambda: {"AMICLEANER_ALLOW": "force_delete"})
    running: Running | None = None
    log: str = ""

    def __call__(self, remaining: int = 900_000, **event: Any) -> dict[str, Any]:
        """Invokes the function and returns what it returned or raised, and the modules that it loaded."""
        loaded = socket_of_starter(LOAD.format(folder=str(self.folder)), ("-I", "-S", "-W", "error"))
        with Running(
            json.dumps([event, remaining]), env={**self.aws.environment, **self.environ}, by=loaded
        ) as self.running:
            finished = self.running.finish()
        self.log = finished.err
        answer: dict[str, Any] = json.loads(finished.lines[-1])
        return answer


@pytest.fixture
def invoke(function: Path) -> Iterator[Invocation]:
    with article_account() as aws:
        yield Invocation(function, aws)


def test_a_run_deletes_and_returns_a_summary_without_libraries_of_the_terminal(invoke: Invocation) -> None:
    answer = invoke(force_delete=True)
    assert answer["returned"] == {
        "status": "done",
        "exit_status": 0,
        "planned": 4,
        "deleted": sorted(FOUR),
        "quarantined": [],
        "released": [],
        "failed": [],
        "left": 0,
        "kept": {"kept-previous": 16, "no-tags": 1},
        "warnings": [],
        "problems": [],
    }
    assert {id for _, id in invoke.aws.deletions()} == {*FOUR}
    assert invoke.log == ""
    assert {"amicleaner", "boto3"} <= {*answer["loaded"]}
    assert not {"blessings", "click", "curses", "moto", "prettytable", "wcwidth"} & {*answer["loaded"]}


def test_a_denied_deletion_is_an_error_of_the_function(invoke: Invocation) -> None:
    invoke.aws.fake_aws.faults.append(Fault("DeregisterImage", "refuse", times=None))
    answer = invoke(force_delete=True)
    assert answer["raised"] == "RunFailed"
    summary = json.loads(answer["message"])
    assert (summary["status"], summary["exit_status"], summary["deleted"]) == ("failed", 1, [])
    assert summary["failed"]
    assert "Error: " in invoke.log


def test_a_denied_read_is_an_error_of_the_function(invoke: Invocation) -> None:
    invoke.aws.fake_aws.faults.append(Fault("DescribeInstances", "refuse", times=None))
    answer = invoke(force_delete=True)
    assert (answer["raised"], invoke.aws.deletions()) == ("DeniedError", [])
    assert "Error: ec2:DescribeInstances failed" in invoke.log


def test_a_function_that_may_not_delete_without_a_prompt_does_not_run(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UsageError, match="A Lambda function cannot prompt for confirmation"):
        handler({"keep_previous": 2}, SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000))
    assert "AMICLEANER_ALLOW=force_delete" in caplog.text


def test_a_time_out_that_is_too_short_is_an_error_of_the_function() -> None:
    with pytest.raises(UsageError, match="Set it to 60 to 900 seconds"):
        handler({"dry_run": True}, SimpleNamespace(get_remaining_time_in_millis=lambda: 59_000))


@pytest.mark.parametrize(
    "environ, event, options",
    [
        ({"AMICLEANER_ALLOW": "force_delete"}, {"force_delete": True}, {"force_delete": True}),
        (
            {"AMICLEANER_ALLOW": "from_ids", "AMICLEANER_KEEP_PREVIOUS": "2"},
            {"from_ids": ["ami-12345678"]},
            {"from_ids": ("ami-12345678",)},
        ),
        ({"AMICLEANER_MAX_DELETIONS": "3"}, {"max_deletions": 9, "limit": 9}, {"max_deletions": 3, "limit": 9}),
        ({}, {"rule": [{"name": "a", "keep_previous": 1}]}, {"rules": (Rule("a", (("keep_previous", 1),)),)}),
    ],
)
def test_an_event_becomes_options_and_changes_nothing_that_the_function_sets(
    environ: dict[str, str], event: dict[str, Any], options: dict[str, Any]
) -> None:
    assert configure({"dry_run": True, **event}, environ, LogView()) == Config(dry_run=True, **options)


@pytest.mark.parametrize(
    "allowed, event",
    [
        *((allowed, {"force_delete": True}) for allowed in ("", "skip_check", "force-delete", "force_delete keep_previous")),
        *(("force_delete", event) for event in ({"detail-type": "Event"}, {"keep_previous": "4"}, {"keep-previous": 4})),
    ],
)
def test_a_wrong_event_or_function_is_refused(allowed: str, event: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        configure({"dry_run": True, **event}, {"AMICLEANER_ALLOW": allowed}, LogView())


@pytest.mark.parametrize("event", [None, [], "dry_run"])
def test_an_event_that_is_no_object_is_refused(event: Any) -> None:
    with pytest.raises(UsageError, match="The event is not a JSON object"):
        configure(event, {}, LogView())


def end_at(invoke: Invocation, action: str, nth: int) -> None:
    """Lets the time of the function end at the nth call of an action: what `Interrupts.deadline` sends."""

    def end(world: World, call: object) -> None:
        assert invoke.running
        invoke.running.signal(signal.SIGTERM)

    invoke.aws.fake_aws.faults.append(Fault(action, "do", nth=nth, do=end))


def test_the_end_of_the_time_leaves_the_rest_for_the_next_run(function: Path) -> None:
    with large_account() as aws:
        invoke = Invocation(function, aws)
        end_at(invoke, "DeregisterImage", 5)
        first = invoke(force_delete=True, keep_previous=0)["returned"]
        assert (first["status"], first["exit_status"]) == ("interrupted", 143)
        assert len(first["deleted"]) >= 5
        assert first["left"] == 40 - len(first["deleted"]) > 0
        second = invoke(force_delete=True, keep_previous=0)["returned"]
        assert (second["status"], len(second["deleted"]), second["left"]) == ("done", first["left"], 0)
        assert aws.images == set()


def test_the_end_of_the_time_before_anything_is_deleted_is_an_error_of_the_function(invoke: Invocation) -> None:
    end_at(invoke, "DescribeImages", 1)
    answer = invoke(force_delete=True)
    assert answer["raised"] == "RunFailed"
    assert json.loads(answer["message"])["status"] == "interrupted"
    assert invoke.aws.deletions() == []


def test_a_deadline_interrupts_the_main_thread() -> None:
    interrupts, before = Interrupts(), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted), interrupts.signals(), interrupts.deadline(0.02):
        interrupts.stop.wait(30)
    assert interrupts.status == 143
    assert signal.getsignal(signal.SIGTERM) is before


# The zip and the template


def test_the_zip_is_the_same_each_time(tmp_path: Path) -> None:
    zips = []
    for name, umask in (("a", 0o022), ("b", 0o077)):
        (tmp_path / name / "six-1.dist-info").mkdir(parents=True)
        (tmp_path / name / "six-1.dist-info" / "RECORD").write_text(name)
        before = os.umask(umask)
        (tmp_path / name / "six.py").write_text("")
        os.umask(before)
        os.utime(tmp_path / name / "six.py", (1e9, 1e9))
        build_zip.pack(tmp_path / name, tmp_path / f"{name}.zip")
        zips.append((tmp_path / f"{name}.zip").read_bytes())
    assert zips[0] == zips[1]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
    assert {"six.py", "amicleaner/aws_lambda.py", "amicleaner/py.typed"} <= {*names}
    assert not [name for name in names if "RECORD" in name or "__pycache__" in name]


def test_the_zip_has_every_requirement_but_those_of_the_terminal() -> None:
    text = (DEPLOY.parents[1] / "requirements.txt").read_text("utf-8")
    kept = build_zip.requirements(text)
    names = {line.partition("==")[0] for line in kept.splitlines() if "==" in line}
    every = {line.partition("==")[0] for line in text.splitlines() if "==" in line}
    assert every - names == {*build_zip.TERMINAL}
    assert kept.count("--hash") == text.count("--hash") - sum(
        text.split(f"\n{name}==")[1].split("\n", 1)[1].partition("==")[0].count("--hash") for name in build_zip.TERMINAL
    )


class Template(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's tags."""


Template.add_multi_constructor("!", lambda loader, tag, node: {tag: node.value})


def template() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((DEPLOY / "template.yaml").read_text("utf-8"), Template)  # noqa: S506 - a safe loader
    return found


def test_the_role_of_the_template_has_the_least_privilege() -> None:
    properties = template()["Resources"]["Cleaner"]["Properties"]
    (policy,) = properties["Policies"]
    printed = json.loads(json.dumps(iam.policy(Config())))
    assert policy == printed, "replace Policies by:\n" + yaml.safe_dump(printed, sort_keys=False)


def test_the_template_starts_the_handler_with_an_event_that_it_allows(invoke: Invocation) -> None:
    properties = template()["Resources"]["Cleaner"]["Properties"]
    module, _, function = properties["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))
    assert shlex.split(properties["CodeUri"])[0].endswith("dist/amicleaner-lambda.zip")
    invoke.environ = properties["Environment"]["Variables"]
    event = json.loads(properties["Events"]["Weekly"]["Properties"]["Input"])
    assert len(invoke(remaining=properties["Timeout"] * 1000, **event)["returned"]["deleted"]) == 12
