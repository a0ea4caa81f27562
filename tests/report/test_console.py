from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.config import Config, Rule
from amicleaner.errors import InputEnded
from amicleaner.models import AmiResult, CallRecord, Failure, Reference, RestoreResult, Snapshot, SnapshotResult, Target
from amicleaner.plan import Plan
from amicleaner.recycle_bin import BinRules
from amicleaner.report import printer
from amicleaner.report.sanitize import escape_control
from amicleaner.result import Orphan, Result

from .accounts import HERE, REFUSED, THERE, FakeTerminal, Screen, article, hostile, hostile_plans, instance, plan_of

USED = [(article()[0].id, instance())]
PLAN = (
    "Plan: delete 4 AMIs and 4 snapshots, freeing up to 32 GiB (up to $1.60/month). Keep 17: 16 newest in group, 1 untagged."
)


def session(screen: Screen, config: Config) -> list[str]:
    """What a person sees up to the prompt, without padding and blank lines."""
    plan = plan_of(article(), config)
    screen.console.retrieving(config)
    screen.console.plan(plan)
    screen.console.confirm(plan)
    return [re.sub(r" +|-+", lambda run: run[0][0], line).rstrip() for line in screen.lines if line]


def test_first_session_of_the_article() -> None:
    shown = session(Screen(answers="n\n"), Config())
    assert shown[:15] == [
        "Default values : ==>",
        "mapping_key : tags",
        "mapping_values : ['environment', 'role']",
        "keep_previous : 4",
        "Retrieving AMIs to clean ...",
        "Account 123456789012, Region eu-west-1: 21 AMIs, 0 in use.",
        "AMIs to be removed:",
        "+-+-+-+-+-+-+",
        "| Group name | candidates | AMIs | in use | oldest | GiB |",
        "+-+-+-+-+-+-+",
        "| back.dev | 1 | 5 | 0 | 4 d | 8 |",
        "| back.prod | 1 | 5 | 0 | 4 d | 8 |",
        "| dev.front | 1 | 5 | 0 | 4 d | 8 |",
        "| front.prod | 1 | 5 | 0 | 4 d | 8 |",
        "| no-tags (excluded) | 1 | 1 | 0 | 307 d | 8 |",
    ]
    assert shown[16:20] == [
        "To be deleted, oldest first:",
        "+-+-+-+-+-+",
        "| AMI Name | AMI ID | Age | GiB | Group |",
        "+-+-+-+-+-+",
    ]
    assert shown[25:] == [PLAN, "Do you want to continue and remove 4 AMIs [y/N] ? :"]


def test_blank_lines() -> None:
    screen = Screen(config := Config(full_report=True, keep_previous=3), "n\n")
    assert "To be deleted, oldest first:" not in session(screen, config)
    text = screen.out.getvalue()
    assert "\nkeep_previous : 3\n\nRetrieving AMIs to clean ...\nAccount " in text
    assert " in use.\nback.dev\n+" in text
    assert "+\n\nback.prod\n+" in text
    assert "+\n\nAMIs to be removed:\n+" in text
    assert text.endswith(" 1 untagged.\nDo you want to continue and remove 8 AMIs [y/N] ? : \n")
    screen = Screen(answers="n\n")
    session(screen, Config())
    assert " in use.\n\nAMIs to be removed:\n+" in screen.out.getvalue()
    assert "+\n\nTo be deleted, oldest first:\n+" in screen.out.getvalue()


def test_settings_that_are_set_have_lines() -> None:
    screen = Screen()
    screen.console.retrieving(
        Config(excluded_mapping_values=("prod", "x\x1b"), ami_min_days=0, keep_daily=7, quarantine=14, rules=(Rule("a"),))
    )
    assert screen.lines == [
        "Default values : ==>",
        "mapping_key : tags",
        "mapping_values : ['environment', 'role']",
        "excluded_mapping_values : ['prod', 'x\\x1b']",
        "keep_previous : 0",
        "ami_min_days : 0",
        "keep_daily : 7",
        "quarantine : 14",
        "rules : ['a']",
        "",
        "Retrieving AMIs to clean ...",
    ]


def test_family_needs_no_values() -> None:
    screen = Screen()
    screen.console.retrieving(Config(mapping_key="family"))
    assert screen.lines[1:3] == ["mapping_key : family", "keep_previous : 4"]


def test_nothing_to_delete_is_a_sentence() -> None:
    screen = Screen()
    screen.console.plan(plan_of(article()[:2]))
    assert screen.lines[1:] == ["Nothing to delete. Keep 2: 2 newest in group."]


def test_nothing_to_delete_for_lack_of_tags_ends_with_what_to_try() -> None:
    screen = Screen()
    screen.console.plan(plan_of(article(), Config(mapping_values=("app",))))
    assert screen.lines[-5] == "21 of 21 AMIs have none of the grouping tags (app)."
    assert screen.lines[-1] == "  amicleaner --dry-run --mapping-key family"


def test_amis_listed_by_id_need_no_groups() -> None:
    ids = tuple(image.id for image in article()[:2])
    screen = Screen(config := Config(from_ids=ids))
    screen.console.retrieving(config)
    screen.console.scanned(HERE, 21)
    plan = plan_of(article(), config)
    screen.console.plan(plan)
    screen.console.cleaning(plan)
    assert screen.lines[0] == "Account 123456789012, Region eu-west-1: 21 AMIs."
    assert screen.lines[-2:] == [
        "Plan: delete 2 AMIs and 2 snapshots, freeing up to 16 GiB (up to $0.80/month).",
        "Cleaning from 2 AMI id(s) ...",
    ]


def test_explanation_is_before_the_summary_and_names_the_amis() -> None:
    screen = Screen(config := Config(explain=()))
    screen.console.plan(plan_of(article(), config))
    assert screen.lines[1] == "back.dev: keep 4, delete 1"
    assert screen.lines.index("AMIs to be removed:") > screen.lines.index("no-tags: keep 1")
    assert "To be deleted, oldest first:" not in screen.lines


def test_explanation_of_one_ami() -> None:
    screen = Screen(config := Config(explain=(article()[0].id,)))
    screen.console.plan(plan_of(article(), config))
    assert screen.lines[1] == f"{article()[0].id} front-0000001"
    assert "To be deleted, oldest first:" in screen.lines
    screen.console.dangling([Reference("ami-1", instance())])
    assert "Missing AMI" in screen.lines[-4]


def test_a_log_that_names_nothing_restores_nothing_and_says_so() -> None:
    screen = Screen(Config(restore=("audit.jsonl",)))
    screen.console.finished(Result())
    assert screen.lines == ["Nothing was restored."]


def test_choices_that_look_like_mistakes_are_warnings() -> None:
    screen = Screen()
    screen.console.plan(plan_of(article()))
    assert screen.err.getvalue().startswith("Warning: No AMI is in use in account 123456789012, Region eu-west-1. ")


def test_the_deletion() -> None:
    plan = plan_of(article())
    screen = Screen(answers="y\n")
    console = screen.console
    assert console.confirm(plan) is True
    console.checking()
    console.cleaning(plan)
    console.ami_done(AmiResult(HERE, "ami-1", "removed"))
    console.snapshot_done(SnapshotResult(HERE, "snap-1", "removed"))
    console.ami_done(AmiResult(HERE, "ami-2", "kept", used_by=(instance(),)))
    console.ami_done(AmiResult(HERE, "ami-6", "failed", REFUSED))
    console.snapshot_done(SnapshotResult(HERE, "snap-6", "failed", REFUSED))
    assert screen.lines == [
        "Do you want to continue and remove 4 AMIs [y/N] ? : ",
        "Cleaning 4 AMIs ...",
        "ami-1 deregistered",
        "snap-1 deleted",
        "ami-2 kept: in use by instance i-0123456789abcdef0 (running).",
    ]
    assert screen.err.getvalue() == ""


def test_a_no_deletes_nothing() -> None:
    screen = Screen(answers="no\n")
    assert screen.console.confirm(plan_of(article())) is False
    screen.console.declined()
    screen.console.finished(Result(plan_of(article()), declined=True))
    assert screen.lines[1:] == ["Nothing was deleted."]
    screen.console.removed_orphans(2)
    screen.console.declined()
    assert screen.lines[-1] == "No AMI was deleted."


def test_with_several_targets_each_line_says_where() -> None:
    screen = Screen()
    screen.console.targets([HERE, Target("", "us-east-1")])
    screen.console.ami_done(AmiResult(HERE, "ami-1", "removed"))
    screen.console.snapshot_done(SnapshotResult(Target("", "us-east-1"), "snap-1", "removed"))
    assert screen.lines == ["ami-1 deregistered (123456789012, eu-west-1)", "snap-1 deleted (us-east-1)"]


def test_orphaned_snapshots() -> None:
    screen = Screen(answers="yes\n")
    found = [Orphan(HERE, Snapshot("snap-1", "", None, "completed", 8), "ami-1")] * 3
    screen.console.orphans(found)
    assert screen.console.confirm_orphans(found) is True
    screen.console.removing_orphans(3)
    screen.console.snapshot_done(SnapshotResult(HERE, "snap-1", "kept", used_by=("ami-1",)))
    screen.console.removed_orphans(2)
    assert screen.lines[1].startswith("| Orphan Snapshots |")
    assert screen.lines[7:] == [
        "3 orphaned snapshots, up to 24 GiB, up to $1.20/month.",
        "Do you want to continue and remove 3 orphan snapshots [y/N] ? : ",
        "Removing orphan snapshots...",
        "snap-1 kept: also used by ami-1",
        "2 orphan snapshots successfully removed !",
    ]


def test_no_orphaned_snapshots() -> None:
    screen = Screen()
    screen.console.orphans([])
    assert screen.lines == ["No orphaned snapshots."]


def failed_result(**changes: Any) -> Result:
    plan = replace(plan_of(article(), uses=USED[:0]), bins_read=True)
    ids = [decision.ami.id for decision in plan.removals]
    snapshots = tuple(SnapshotResult(HERE, id, "failed", REFUSED) for id in ("snap-2", "snap-1"))
    results = (AmiResult(HERE, ids[0], "removed", snapshots=snapshots), AmiResult(HERE, ids[1], "failed", REFUSED))
    return Result(plan, {(HERE, result.id): result for result in results}, **changes)


def test_failures_are_tables_and_the_message_is_below() -> None:
    screen = Screen()
    result = failed_result(in_bin={}, seconds=2)
    screen.console.finished(result)
    assert screen.lines == [
        "1 failed AMIs",
        "+-----------------------+-----------------------+",
        "| Failed AMIs           | Code                  |",
        "+-----------------------+-----------------------+",
        f"| {result.failed_amis[0].id} | UnauthorizedOperation |",
        "+-----------------------+-----------------------+",
        "UnauthorizedOperation: You are not authorized.",
        "2 failed snapshots",
        "+------------------+-----------------------+",
        "| Failed Snapshots | Code                  |",
        "+------------------+-----------------------+",
        "| snap-1           | UnauthorizedOperation |",
        "| snap-2           | UnauthorizedOperation |",
        "+------------------+-----------------------+",
        "UnauthorizedOperation: You are not authorized.",
        "Deleted 1 AMI in 2.0 s. Failed: 1 AMI and 2 snapshots. Not tried: 2 AMIs.",
        "None of the deleted AMIs are in the Recycle Bin: the deletion cannot be undone.",
    ]


def test_failures_are_errors_on_standard_error_too() -> None:
    """A job that discards standard output still hears of them."""
    screen = Screen()
    screen.console.finished(failed_result())
    lines = screen.err.getvalue().splitlines()
    assert [line.split(" (")[0].split(";")[0] for line in lines] == [
        "Error: 1 AMI: UnauthorizedOperation",
        "Hint: Allow ec2:DeregisterImage",
        "Error: 2 snapshots: UnauthorizedOperation",
        "Hint: Allow ec2:DeleteSnapshot",
    ]


def test_warnings_and_problems_are_written_to_standard_error() -> None:
    screen = Screen()
    screen.console.warning("strange\x1b[2J")
    screen.console.problem("ec2:DescribeImages failed\nHint: Allow it.")
    assert screen.lines == []
    assert screen.err.getvalue() == "Warning: strange\\x1b[2J\nError: ec2:DescribeImages failed\nHint: Allow it.\n"


@pytest.mark.parametrize(
    "status, said",
    [
        (130, "Interrupted. Deleted 0 of 4 AMIs; nothing is in progress."),
        (1, "Error: Standard output was closed. Deleted 0 of 4 AMIs; nothing is in progress."),
    ],
)
def test_an_interrupted_run_says_how_far_it_got(status: int, said: str) -> None:
    screen = Screen()
    screen.console.finished(Result(plan_of(article()), interrupted=status))
    assert screen.err.getvalue() == said + "\n"


def test_restored_amis_and_those_that_cannot_be() -> None:
    screen = Screen()
    restored = (RestoreResult(HERE, "ami-1", "restored"), RestoreResult(HERE, "ami-2", "failed", "It is gone."))
    for result in restored:
        screen.console.restored(result)
    screen.console.finished(Result(restored=restored))
    assert screen.lines == ["ami-1 restored", "Restored 1 AMI."]
    assert screen.err.getvalue() == "Error: ami-2 cannot be restored: It is gone.\n"


def test_a_suggestion_is_alone_on_standard_output() -> None:
    screen = Screen()
    screen.console.suggestion("# a file\n")
    assert screen.out.getvalue() == "# a file\n"


@pytest.mark.parametrize("demo, options", [(None, ""), ("tour", "--demo tour ")])
def test_a_saved_plan_is_named_with_the_command_that_applies_it(demo: str | None, options: str) -> None:
    screen = Screen(config := Config(save_plan="my plan.json", demo=demo))
    screen.console.finished(Result(plan_of(article(), config)))
    assert screen.lines == [f"Plan saved to my plan.json. To apply it: amicleaner {options}--apply-plan 'my plan.json'"]
    screen = Screen(config)
    screen.console.finished(Result(plan_of(article(), config), interrupted=130))
    assert screen.lines == []


def test_quiet_tells_warnings_errors_and_the_final_sentence() -> None:
    config = Config(quiet=True, force_delete=True)
    screen = Screen(config)
    console, result = screen.console, failed_result(in_bin={}, seconds=2)
    assert result.plan is not None
    console.retrieving(config)
    console.plan(result.plan)
    console.cleaning(result.plan)
    console.ami_done(AmiResult(HERE, "ami-1", "removed"))
    console.snapshot_done(SnapshotResult(HERE, "snap-1", "removed"))
    console.finished(result)
    assert screen.lines == [
        "Deleted 1 AMI in 2.0 s. Failed: 1 AMI and 2 snapshots. Not tried: 2 AMIs.",
        "None of the deleted AMIs are in the Recycle Bin: the deletion cannot be undone.",
    ]
    assert [line.split()[0] for line in screen.err.getvalue().splitlines()] == [
        "Warning:", "Error:", "Hint:", "Error:", "Hint:",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "config, amis, said",
    [
        (Config(quiet=True, dry_run=True), article(), PLAN),
        (Config(quiet=True), article(), PLAN),
        (Config(quiet=True, force_delete=True), article()[:2], "Nothing to delete. Keep 2: 2 newest in group."),
    ],
)
def test_quiet_tells_the_plan_where_nothing_follows_or_a_prompt(config: Config, amis: Any, said: str) -> None:
    screen = Screen(config)
    screen.console.plan(plan_of(amis, config))
    assert screen.lines == [said]


@pytest.mark.parametrize("dry_run", [True, False])
def test_quiet_tells_before_a_prompt_that_the_deletion_cannot_be_undone(dry_run: bool) -> None:
    screen = Screen(config := Config(quiet=True, dry_run=dry_run))
    screen.console.plan(replace(plan_of(article(), config), bins_read=True))
    assert screen.lines[1:] == ([] if dry_run else ["No Recycle Bin rule covers these AMIs: deletion cannot be undone."])


@pytest.mark.parametrize("output", ["json", "csv", "markdown"])
@pytest.mark.parametrize("interrupted", [None, 130])
def test_machine_readable_output_is_alone_on_standard_output(output: str, interrupted: int | None) -> None:
    config = Config(output=output, full_report=True, explain=())
    screen = Screen(config, "y\n")
    result = failed_result(interrupted=interrupted)
    assert result.plan
    screen.console.retrieving(config)
    screen.console.orphans([Orphan(HERE, Snapshot("snap-1", "", None, "completed", 8))])
    screen.console.plan(result.plan)
    screen.console.confirm(result.plan)
    screen.console.cleaning(result.plan)
    screen.console.ami_done(AmiResult(HERE, "ami-1", "removed"))
    assert screen.out.getvalue() == ""
    screen.console.finished(result)
    told, data = screen.err.getvalue(), screen.out.getvalue()
    for text in (
        "Default values",
        "Orphan Snapshots",
        "AMIs to be removed:",
        "Plan: delete",
        "[y/N] ? : \n",
        "1 failed AMIs",
    ):
        assert text in told
    if output == "json":
        assert [image["outcome"] for image in json.loads(data)["amis"]].count("removed") == 1
        assert json.loads(data)["status"] == ("interrupted" if interrupted else "failed")
    elif output == "csv":
        assert len(list(csv.reader(io.StringIO(data)))) == 22
    else:
        assert data.startswith("**Interrupted" if interrupted else "**Deleted 1 AMI")


@pytest.mark.parametrize("ask", ["confirm", "confirm_orphans"])
def test_the_end_of_input_is_an_error_of_its_own(ask: str) -> None:
    screen = Screen()
    with pytest.raises(InputEnded):
        getattr(screen.console, ask)(plan_of(article()) if ask == "confirm" else ())
    assert screen.out.getvalue().endswith(" [y/N] ? : \n")


class Closed(io.StringIO):
    """A stream that nobody reads any longer."""

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_reader_that_went_away_is_raised() -> None:
    with pytest.raises(BrokenPipeError):
        Screen(out=Closed()).console.ami_done(AmiResult(HERE, "ami-1", "removed"))


def test_the_thread_of_a_call_does_not_learn_that_nobody_reads() -> None:
    """It would take that for the failure of its call, whose result would be lost."""
    Screen(Config(debug=True), err=Closed()).console.called(CallRecord("ec2:DeregisterImage", HERE, 0.25, "ok"))


@pytest.mark.parametrize("interrupted", [130, 1])
def test_the_data_is_written_though_nobody_reads_the_messages(interrupted: int) -> None:
    screen = Screen(Config(output="json"), err=Closed())
    with pytest.raises(BrokenPipeError):
        screen.console.finished(failed_result(interrupted=interrupted))
    assert json.loads(screen.out.getvalue())["totals"]["amis"] == 4


def test_errors_are_written_though_nobody_reads_standard_output() -> None:
    screen = Screen(out=Closed())
    with pytest.raises(BrokenPipeError):
        screen.console.finished(failed_result(interrupted=1))
    assert screen.err.getvalue().count("Error: ") == 3


def test_output_that_is_closed_at_the_end_is_an_error() -> None:
    screen = Screen(out=Closed())
    with pytest.raises(BrokenPipeError):
        screen.console.finished(Result(plan_of(article()), {(HERE, "ami-1"): AmiResult(HERE, "ami-1", "removed")}))
    assert screen.err.getvalue() == "Error: Standard output was closed.\n"


def test_letters_that_the_output_lacks_become_escapes() -> None:
    data = io.BytesIO()
    out = io.TextIOWrapper(data, encoding="ascii")
    screen = Screen(out=out)
    screen.console.retrieving(Config(mapping_values=("é日",)))
    assert b"mapping_values : ['\\xe9\\u65e5']" in data.getvalue()


@pytest.mark.parametrize("output", ["table", "json"])
def test_without_streams_nothing_is_written(output: str) -> None:
    screen = Screen(Config(output=output))
    console = type(screen.console)(
        Config(output=output), stdout=None, stderr=None, stdin=None, environ={}, clock=screen.time.clock
    )
    console.plan(plan_of(article()))
    console.warning("x")
    with pytest.raises(InputEnded):
        console.confirm(plan_of(article()))
    console.finished(failed_result(interrupted=130))


outcomes = st.sampled_from(("removed", "failed", "kept", "quarantined", "released"))


@given(
    st.lists(outcomes, max_size=4),
    st.lists(outcomes, max_size=2),
    st.lists(st.sampled_from(("It is broken.", "It is denied.\nHint: Allow it.")), max_size=2),
    st.sampled_from((None, None, 1, 129, 130, 143)),
    st.lists(st.sampled_from(("restored", "failed", "already")), max_size=2),
    st.sampled_from((Config(), Config(quiet=True), Config(output="json"), Config(dry_run=True, exit_code=True))),
)
def test_every_failure_leaves_an_error_on_standard_error(
    amis: list[Any], snapshots: list[Any], problems: list[str], interrupted: int | None, restored: list[Any], config: Config
) -> None:
    """A job that discards standard output hears of it."""
    screen = Screen(config)
    plan = plan_of(article(), config)
    parts = tuple(SnapshotResult(HERE, f"snap-{n}", outcome, REFUSED) for n, outcome in enumerate(snapshots))
    found = {
        (HERE, d.ami.id): AmiResult(HERE, d.ami.id, o, REFUSED, parts) for d, o in zip(plan.removals, amis, strict=False)
    }
    back = tuple(RestoreResult(HERE, f"ami-{n}", outcome) for n, outcome in enumerate(restored))
    result = Result(plan, found, problems=tuple(problems), interrupted=interrupted, restored=back)
    for text in problems:
        screen.console.problem(text)
    screen.console.finished(result)
    errors = [line for line in screen.err.getvalue().splitlines() if line.startswith(("Error: ", "Interrupted. "))]
    assert bool(errors) == (result.exit_status not in (0, 3))


OK = CallRecord("ec2:DescribeImages", HERE, 0.25, "ok")


def test_progress_of_scanning_checking_and_changing_leaves_no_trace() -> None:
    screen = Screen(err=FakeTerminal())
    screen.time.sleep(1.5)
    screen.console.targets([HERE, THERE])
    screen.console.scanned(HERE, 412)
    assert screen.err.getvalue().endswith("\rScanning… 1/2 Regions, 412 AMIs")
    screen.time.sleep(0.5)
    screen.console.called(replace(OK, throttled=True))
    assert screen.err.getvalue().endswith("\rScanning… 1/2 Regions, 412 AMIs, throttled by AWS, retrying")
    plan = plan_of(article(), uses=USED, targets=(HERE,))
    screen.console.plan(plan)
    screen.time.sleep(10)
    screen.console.called(OK)
    assert not screen.err.getvalue().endswith("AMIs")
    screen.console.checking()
    assert screen.err.getvalue().endswith("\rChecking again …")
    screen.console.cleaning(plan)
    screen.time.sleep(1)
    screen.console.called(OK)
    assert screen.err.getvalue().endswith("\rChecking again …")
    screen.console.ami_done(AmiResult(HERE, "ami-0", "removed"))
    assert screen.err.getvalue().endswith("\r" + " " * 16 + "\r")
    screen.time.sleep(2)
    screen.console.ami_done(AmiResult(HERE, "ami-1", "failed", REFUSED))
    assert screen.err.getvalue().endswith("\rChanging… 2/3 AMIs")
    screen.console.finished(Result())
    assert screen.err.getvalue().endswith("\r" + " " * 18 + "\r")
    assert "\r" not in screen.out.getvalue()


def test_quiet_has_no_progress() -> None:
    screen = Screen(Config(quiet=True), err=FakeTerminal())
    screen.time.sleep(1.5)
    screen.console.called(OK)
    assert screen.err.getvalue() == ""


def test_debug_tells_each_call() -> None:
    screen = Screen(Config(debug=True))
    screen.console.called(OK)
    assert screen.err.getvalue() == "ec2:DescribeImages (123456789012, eu-west-1): ok, 0.250 s\n"


@pytest.mark.parametrize("width", [60, 120])
def test_every_line_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printer, "width_of", lambda stream: width)
    config = Config(quarantine=3, full_report=True, explain=(), check_orphans=True)
    screen = Screen(config)
    screen.console.targets([HERE, THERE])
    screen.console.plan(plan_of(article(), config, targets=(HERE, THERE), bins=BinRules()))
    screen.console.orphans([Orphan(THERE, Snapshot("snap-0123456789abcdef0", "", None, "completed", 8))])
    screen.console.ami_done(AmiResult(HERE, "ami-1", "kept", used_by=(instance(),)))
    screen.console.finished(failed_result(dangling=(Reference("ami-1", instance()),)))
    lines = [*screen.lines, *screen.err.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    for above, below in pairwise(lines):
        if above.startswith(("+", "|")) and below.startswith(("+", "|")):
            assert len(above) == len(below)
    assert article()[4].id in "\n".join(lines)


@given(hostile_plans(), hostile)
def test_no_control_character_reaches_a_stream(plan: Plan, text: str) -> None:
    """That of JSON, CSV and Markdown is for their own tests: here all else is the same."""
    screen = Screen(Config(full_report=True, explain=()))
    console = screen.console
    console.warning(text)
    console.problem(text)
    console.retrieving(plan.config)
    console.called(CallRecord(text, HERE, 0, text))
    console.orphans([Orphan(Target("", text), Snapshot(text, text, None, text, 0), text)])
    console.plan(plan)
    console.ami_done(AmiResult(Target("", text), text, "kept", explanation=text))
    console.ami_done(AmiResult(HERE, text, "kept", used_by=(instance(text),)))
    console.snapshot_done(SnapshotResult(HERE, text, "kept", used_by=(text,)))
    failure = SnapshotResult(Target("", text), text, "failed", Failure(text, text))
    failed = AmiResult(HERE, text, "failed", Failure(text, text), (failure,))
    console.finished(
        Result(
            plan,
            {(HERE, text): failed},
            restored=(RestoreResult(HERE, text, "failed", text),),
            dangling=(Reference(text, instance(text)),),
        )
    )
    for line in (screen.out.getvalue() + screen.err.getvalue()).split("\n"):
        assert escape_control(line) == line
