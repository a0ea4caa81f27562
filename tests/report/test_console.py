from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given

from amicleaner.config import Config
from amicleaner.errors import InputEnded
from amicleaner.models import AmiResult, CallRecord, Failure, Snapshot, SnapshotResult, Target
from amicleaner.plan import Plan
from amicleaner.report.sanitize import escape_control
from amicleaner.result import Orphan, Result
from amicleaner.view import View

from .accounts import HERE, THERE, FakeTerminal, Screen, article, hostile, hostile_plans, instance, plan_of

GOES = "4 AMIs and 4 snapshots go, at most 32 GiB, about $1.60 a month (at $0.05 a GiB)"
REFUSED = Failure("UnauthorizedOperation", "You are not authorized.")


def session(screen: Screen, config: Config) -> list[str]:
    """What a person sees up to the answer, without padding and blank lines."""
    plan = plan_of(article(), config)
    screen.console.retrieving(config)
    screen.console.plan(plan)
    screen.console.confirm_amis(len(plan.removals))
    return [re.sub(r" +|-+", lambda run: run[0][0], line).rstrip() for line in screen.lines if line]


def test_a_console_is_a_view() -> None:
    view: View = Screen().console
    assert view is not None


def test_the_articles_first_session() -> None:
    assert session(Screen(answers="n\n"), Config()) == [
        "Default values : ==>",
        "mapping_key : tags",
        "mapping_values : ['environment', 'role']",
        "keep_previous : 4",
        "Retrieving AMIs to clean ...",
        "AMIs to be removed:",
        "+-+-+",
        "| Group name | candidates |",
        "+-+-+",
        "| back.dev | 1 |",
        "| back.prod | 1 |",
        "| dev.front | 1 |",
        "| front.prod | 1 |",
        "| no-tags (excluded) | 1 |",
        "+-+-+",
        f"{GOES}; 17 AMIs stay: 16 kept-previous, 1 no-tags",
        "Do you want to continue and remove 4 AMIs [y/N] ? :",
    ]


def test_the_articles_session_by_name() -> None:
    config = Config(mapping_key="name", mapping_values=("front",), full_report=True, keep_previous=8)
    shown = session(Screen(config, "n\n"), config)
    assert shown[:8] == [
        "Default values : ==>",
        "mapping_key : name",
        "mapping_values : ['front']",
        "keep_previous : 8",
        "Retrieving AMIs to clean ...",
        "front",
        "+-+-+-+",
        "| AMI ID | AMI Name | Creation Date |",
    ]
    assert shown[9:11] == [
        "| ami-00000000000000005 | front-0000005 | 2017-06-15T07:54:57.000Z |",
        "| ami-0000000000000000a | front-000000a | 2017-06-15T07:54:57.000Z |",
    ]
    assert shown[12:18] == [
        "AMIs to be removed:",
        "+-+-+",
        "| Group name | candidates |",
        "+-+-+",
        "| front | 2 |",
        "+-+-+",
    ]
    assert shown[-1] == "Do you want to continue and remove 2 AMIs [y/N] ? :"


def test_blank_lines_stand_where_they_stood() -> None:
    screen = Screen(config := Config(full_report=True, keep_previous=3), "n\n")
    session(screen, config)
    text = screen.out.getvalue()
    assert "\nkeep_previous : 3\n\nRetrieving AMIs to clean ...\nback.dev\n+" in text
    assert "+\n\nback.prod\n+" in text
    assert "+\n\nAMIs to be removed:\n+" in text
    assert text.endswith(" 1 no-tags\nDo you want to continue and remove 8 AMIs [y/N] ? : \n")
    screen = Screen(answers="n\n")
    session(screen, Config())
    assert "Retrieving AMIs to clean ...\n\nAMIs to be removed:\n+" in screen.out.getvalue()


def test_values_that_are_set_have_lines() -> None:
    screen = Screen()
    screen.console.retrieving(Config(excluded_mapping_values=("prod", "x\x1b"), ami_min_days=0, keep_previous=0))
    assert screen.lines == [
        "Default values : ==>",
        "mapping_key : tags",
        "mapping_values : ['environment', 'role']",
        "excluded_mapping_values : ['prod', 'x\\x1b']",
        "keep_previous : 0",
        "ami_min_days : 0",
        "",
        "Retrieving AMIs to clean ...",
    ]


def test_nothing_to_list_is_the_line_alone() -> None:
    screen = Screen()
    screen.console.plan(plan_of(article()[:2]))
    assert screen.lines == [
        "0 AMIs and 0 snapshots go, at most 0 GiB, about $0.00 a month (at $0.05 a GiB); 2 AMIs stay: 2 kept-previous"
    ]


def test_named_images_need_no_groups() -> None:
    ids = tuple(image.id for image in article()[:2])
    screen = Screen(config := Config(from_ids=ids, full_report=True))
    screen.console.retrieving(config)
    screen.console.plan(plan_of(article(), config))
    screen.console.cleaning(2)
    assert screen.lines == [
        "2 AMIs and 2 snapshots go, at most 16 GiB, about $0.80 a month (at $0.05 a GiB); 0 AMIs stay",
        "Cleaning from 2 AMI id(s) ...",
    ]


def test_the_explanation_stands_before_the_summary() -> None:
    screen = Screen(config := Config(explain=True))
    screen.console.plan(plan_of(article(), config))
    assert screen.lines[1].startswith("| AMI ID ")
    assert screen.lines[25:27] == ["", "AMIs to be removed:"]


def test_the_deletion() -> None:
    screen = Screen(answers="y\n")
    console = screen.console
    console.targets([HERE])
    assert console.confirm_amis(4) is True
    console.cleaning(4)
    console.deregistered(HERE, "ami-1")
    console.snapshot_deleted(HERE, "snap-1")
    console.snapshot_kept(HERE, "snap-2", ["ami-7"])
    console.snapshot_kept(HERE, "snap-3", ["ami-7", "ami-8"])
    console.snapshot_kept(HERE, "snap-4", [])
    console.ami_kept(AmiResult(HERE, "ami-2", "kept", used_by=(instance(),)))
    console.ami_kept(AmiResult(HERE, "ami-3", "kept", used_by=(instance("i-1"), instance("i-2"))))
    console.ami_kept(AmiResult(HERE, "ami-4", "kept", shared_with=("999999999999", "o-1")))
    console.ami_kept(AmiResult(HERE, "ami-5", "kept"))
    console.ami_failed(HERE, "ami-6", REFUSED)
    console.snapshot_failed(HERE, "snap-6", REFUSED)
    assert screen.lines == [
        "Do you want to continue and remove 4 AMIs [y/N] ? : ",
        "Cleaning 4 AMIs ...",
        "ami-1 deregistered",
        "snap-1 deleted",
        "snap-2 stays: ami-7 uses it",
        "snap-3 stays: ami-7, ami-8 use it",
        "snap-4 stays: another AMI uses it",
        "ami-2 stays: instance i-0123456789abcdef0 (running) uses it by now",
        "ami-3 stays: instance i-1 (running), instance i-2 (running) use it by now",
        "ami-4 stays: it is shared with 999999999999, o-1",
        "ami-5 stays",
    ]
    assert screen.err.getvalue() == ""


def test_with_several_targets_each_line_says_where() -> None:
    screen = Screen()
    screen.console.targets([HERE, Target("", "us-east-1")])
    screen.console.deregistered(HERE, "ami-1")
    screen.console.snapshot_deleted(Target("", "us-east-1"), "snap-1")
    assert screen.lines == ["ami-1 deregistered (123456789012, eu-west-1)", "snap-1 deleted (us-east-1)"]


def test_orphan_snapshots() -> None:
    screen = Screen(answers="yes\n")
    found = [(HERE, Snapshot(f"snap-{number}", "", None, "completed", 8)) for number in (2, 1, 3)]
    screen.console.orphans(found)
    assert screen.console.confirm_orphans(3) is True
    screen.console.removing_orphans(3)
    screen.console.removed_orphans(3)
    assert screen.lines == [
        "+------------------+",
        "| Orphan Snapshots |",
        "+------------------+",
        "| snap-1           |",
        "| snap-2           |",
        "| snap-3           |",
        "+------------------+",
        "Do you want to continue and remove 3 orphan snapshots [y/N] ? : ",
        "Removing orphan snapshots...",
        "3 orphan snapshots successfully removed !",
    ]


def failed_result() -> Result:
    plan = plan_of(article())
    ids = [decision.ami.id for decision in plan.removals]
    snapshots = tuple(SnapshotResult(HERE, id, "failed", REFUSED) for id in ("snap-2", "snap-1"))
    results = (AmiResult(HERE, ids[0], "removed", snapshots=snapshots), AmiResult(HERE, ids[1], "failed", REFUSED))
    return Result(plan, {(HERE, result.id): result for result in results})


def test_failures_stand_at_the_end() -> None:
    screen = Screen()
    result = failed_result()
    screen.console.finished(result)
    assert screen.lines == [
        "1 failed AMIs",
        "+-----------------------+-----------------------+-------------------------+",
        "| Failed AMIs           | Code                  | Message                 |",
        "+-----------------------+-----------------------+-------------------------+",
        f"| {result.failed_amis[0].id} | UnauthorizedOperation | You are not authorized. |",
        "+-----------------------+-----------------------+-------------------------+",
        "2 failed snapshots",
        "+------------------+-----------------------+-------------------------+",
        "| Failed Snapshots | Code                  | Message                 |",
        "+------------------+-----------------------+-------------------------+",
        "| snap-1           | UnauthorizedOperation | You are not authorized. |",
        "| snap-2           | UnauthorizedOperation | You are not authorized. |",
        "+------------------+-----------------------+-------------------------+",
    ]


def test_warnings_and_problems_go_to_standard_error() -> None:
    screen = Screen()
    screen.console.warning("strange\x1b[2J")
    screen.console.problem("ec2:DescribeImages failed\nGrant it.")
    assert screen.lines == []
    assert screen.err.getvalue() == "Warning: strange\\x1b[2J\nError: ec2:DescribeImages failed\nGrant it.\n"


@pytest.mark.parametrize("status", [130, 143])
def test_an_interrupted_run_says_how_far_it_came(status: int) -> None:
    screen = Screen()
    result = failed_result()
    screen.console.finished(Result(result.plan, result.amis, interrupted=status))
    assert screen.err.getvalue() == "Error: Interrupted: 1 AMIs were removed, nothing is being deleted any more.\n"


@pytest.mark.parametrize("output", ["json", "csv", "markdown"])
@pytest.mark.parametrize("interrupted", [None, 130])
def test_machine_formats_are_alone_on_standard_output(output: str, interrupted: int | None) -> None:
    config = Config(output=output, full_report=True, explain=True)
    screen = Screen(config, "y\n")
    result = failed_result()
    assert result.plan
    screen.console.retrieving(config)
    screen.console.orphans([(HERE, Snapshot("snap-1", "", None, "completed", 8))])
    screen.console.plan(result.plan)
    screen.console.confirm_amis(4)
    screen.console.cleaning(4)
    screen.console.deregistered(HERE, "ami-1")
    assert screen.out.getvalue() == ""
    screen.console.finished(Result(result.plan, result.amis, interrupted=interrupted))
    told, data = screen.err.getvalue(), screen.out.getvalue()
    for text in (
        "Default values",
        "Orphan Snapshots",
        "AMIs to be removed:",
        "go, at most",
        "[y/N] ? : \n",
        "1 failed AMIs",
    ):
        assert text in told
    if output == "json":
        assert [image["outcome"] for image in json.loads(data)["amis"]].count("removed") == 1
        assert json.loads(data)["dry_run"] is False
    elif output == "csv":
        assert len(list(csv.reader(io.StringIO(data)))) == 22
    else:
        assert data.count("\n") == 23


def test_the_document_says_what_the_run_found() -> None:
    screen = Screen(Config(output="json", dry_run=True))
    orphan = Orphan(THERE, Snapshot("snap-1", "", None, "completed", 8))
    screen.console.finished(Result(plan_of(article(), targets=(HERE, THERE)), orphans=(orphan,)))
    told = json.loads(screen.out.getvalue())
    assert told["dry_run"] is True
    assert told["amicleaner"] == "1.0.0"
    assert told["created"] == "2017-06-20T00:00:00Z"
    assert told["orphan_snapshots"][0]["region"] == "us-east-1"


@pytest.mark.parametrize("ask", ["confirm_amis", "confirm_orphans"])
def test_the_end_of_input_is_an_error_of_its_own(ask: str) -> None:
    screen = Screen()
    with pytest.raises(InputEnded):
        getattr(screen.console, ask)(3)
    assert screen.out.getvalue().endswith(" [y/N] ? : \n")


def test_a_line_is_there_as_soon_as_it_is_said() -> None:
    class Buffered(io.StringIO):
        flushed = ""

        def flush(self) -> None:
            self.flushed = self.getvalue()

    out = Buffered()
    screen = Screen(out=out)
    screen.console.deregistered(HERE, "ami-1")
    assert out.flushed == "ami-1 deregistered\n"


class Closed(io.StringIO):
    """A stream that nobody reads any longer."""

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_reader_that_went_away_is_told_on() -> None:
    with pytest.raises(BrokenPipeError):
        Screen(out=Closed()).console.deregistered(HERE, "ami-1")


def test_the_thread_of_a_call_is_not_told_that_nobody_reads_of_it() -> None:
    """It would take that for the end of the call, whose answer would be lost."""
    Screen(Config(debug=True), err=Closed()).console.called(CallRecord("ec2:DeregisterImage", HERE, 0.25, "ok"))


@pytest.mark.parametrize("interrupted", [130, 1])
def test_the_data_comes_though_nobody_hears_the_talk(interrupted: int) -> None:
    screen = Screen(Config(output="json"), err=Closed())
    failed = {(HERE, "ami-1"): AmiResult(HERE, "ami-1", "failed", REFUSED)}
    with pytest.raises(BrokenPipeError):
        screen.console.finished(Result(plan_of(article()), failed, interrupted=interrupted))
    assert json.loads(screen.out.getvalue())["totals"]["amis"] == 4


def test_letters_that_the_output_lacks_become_escapes() -> None:
    data = io.BytesIO()
    out = io.TextIOWrapper(data, encoding="ascii")
    screen = Screen(out=out)
    screen.console.retrieving(Config(mapping_values=("é日",)))
    assert b"mapping_values : ['\\xe9\\u65e5']" in data.getvalue()


def test_without_streams_nothing_is_said() -> None:
    screen = Screen()
    screen.console._talk = screen.console._errors = screen.console._data = None
    screen.console.plan(plan_of(article()))
    screen.console.warning("x")
    screen.console.finished(Result())


def test_progress_of_reading_and_of_deleting_and_no_trace_of_it() -> None:
    screen = Screen(err=FakeTerminal())
    record = CallRecord("ec2:DescribeImages", HERE, 0.25, "ok")
    for _ in range(3):
        screen.time.sleep(0.5)
        screen.console.called(record)
    assert screen.err.getvalue() == "\rReading: 2 calls\rReading: 3 calls"
    screen.console.cleaning(5)
    screen.time.sleep(0.5)
    screen.console.ami_failed(HERE, "ami-0", REFUSED)
    assert screen.err.getvalue().endswith("\r" + " " * 16 + "\r")
    screen.time.sleep(1)
    screen.console.called(record)
    screen.console.deregistered(HERE, "ami-1")
    assert screen.err.getvalue().endswith("\rRemoving: 2 of 5 AMIs")
    screen.console.finished(Result())
    assert screen.err.getvalue().endswith("\r" + " " * 21 + "\r")
    assert "\r" not in screen.out.getvalue()


def test_debug_tells_each_call_instead() -> None:
    screen = Screen(Config(debug=True))
    screen.console.called(CallRecord("ec2:DescribeImages", HERE, 0.25, "ok"))
    assert screen.err.getvalue() == "ec2:DescribeImages (123456789012, eu-west-1): ok, 0.250 s\n"


@given(hostile_plans(), hostile)
def test_no_control_character_reaches_a_stream(plan: Plan, text: str) -> None:
    for output in ("table", "json", "csv", "markdown"):
        screen = Screen(Config(output=output, full_report=True, explain=True))
        console = screen.console
        console.warning(text)
        console.problem(text)
        console.retrieving(plan.config)
        console.called(CallRecord(text, HERE, 0, text))
        console.orphans([(Target("", text), Snapshot(text, text, None, text, 0))])
        console.plan(plan)
        console.deregistered(Target("", text), text)
        console.ami_kept(AmiResult(HERE, text, "kept", used_by=(instance(text),)))
        console.snapshot_kept(HERE, text, [text])
        failure = SnapshotResult(Target("", text), text, "failed", Failure(text, text))
        console.finished(Result(plan, {(HERE, text): AmiResult(HERE, text, "failed", Failure(text, text), (failure,))}))
        for line in (screen.out.getvalue() + screen.err.getvalue()).split("\n"):
            assert escape_control(line) == line
