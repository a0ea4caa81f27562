from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from amicleaner.config import Config
from amicleaner.models import AmiResult, RestoreResult, Snapshot, SnapshotResult
from amicleaner.plan import Plan
from amicleaner.report.markdown import ROWS, escape_markup, to_markdown
from amicleaner.report.sanitize import escape_control
from amicleaner.result import Orphan, Result

from .accounts import HERE, NOW, REFUSED, THERE, ami, article, hostile, hostile_plans, instance, plan_of

USED = [(article()[0].id, instance())]


def inline(text: str) -> list[str]:
    """What a reader of GitHub's Markdown finds in each block: text, and nothing but text."""
    found = []
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text):
        if token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert kinds <= {"text", "text_special", "strong_open", "strong_close"}, token.content
            found.append("".join(child.content for child in token.children or ()))
    return found


def test_plan_for_a_pull_request() -> None:
    plan = plan_of(article()[:7], Config(dry_run=True), uses=USED, targets=(HERE, THERE))
    page = to_markdown(Result(plan, warnings=("careful",)), 0.05).split("\n\n")
    assert page[0] == (
        r"**Plan: delete 1 AMI and 1 snapshot, freeing up to 8 GiB (up to \$0.40/month). "
        "Keep 13: 12 newest in group, 1 in use.**"
    )
    assert page[1] == "Warnings:"
    assert page[2].startswith("- careful\n- No AMI is in use in account 123456789012, Region us-east-1. ")
    assert page[4].splitlines() == [
        "| AMI | id | group | age | GiB | action |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| front-0000005 | {article()[4].id} | dev.front | 4 d | 8 | delete |",
    ]
    assert [page[3], *page[5:]] == [
        "### Account 123456789012, Region us-east-1",
        "Kept:",
        (
            "| kept because | reason | AMIs |\n"
            "| --- | --- | --- |\n| newest in group | kept-previous | 12 |\n| in use | in-use | 1 |\n"
        ),
    ]


def test_run_for_a_summary() -> None:
    plan = plan_of(article(), uses=USED)
    first, second, _ = (decision.ami.id for decision in plan.removals)
    amis = {
        (HERE, first): AmiResult(HERE, first, "removed"),
        (HERE, second): AmiResult(HERE, second, "failed", REFUSED),
    }
    page = to_markdown(Result(plan, amis, problems=("broken\nHint: Try again.",), seconds=2), 0.05)
    assert page.startswith("**Deleted 1 AMI in 2.0 s. Failed: 1 AMI. Not tried: 1 AMI.**\n")
    assert "\n- broken Hint: Try again.\n- 1 AMI: UnauthorizedOperation (ec2:DeregisterImage): " in page
    assert "| action | outcome |\n" in page
    assert f"| {second} | back.dev | 4 d | 8 | delete | failed |" in page


@pytest.mark.parametrize(
    "result, headline",
    [
        (Result(problems=("no",)), "amicleaner failed before there was a plan."),
        (Result(), "amicleaner has nothing to report."),
        (Result(plan_of(article()[:2])), "Nothing to delete. Keep 2: 2 newest in group."),
        (
            Result(plan_of(article()[:2]), declined=True),
            "Not confirmed: nothing was deleted. Nothing to delete. Keep 2: 2 newest in group.",
        ),
        (Result(plan_of(article()), interrupted=143), "Interrupted. Deleted 0 of 4 AMIs; nothing is in progress."),
        (Result(restored=(RestoreResult(HERE, "ami-1", "restored"),)), "Restored 1 AMI."),
    ],
)
def test_headlines(result: Result, headline: str) -> None:
    assert inline(to_markdown(result, 0.05))[0] == headline


def test_orphans_and_restored() -> None:
    orphan = Orphan(HERE, Snapshot("snap-1", "", NOW, "completed", 8))
    gone = replace(orphan, result=SnapshotResult(HERE, orphan.snapshot.id, "removed"))
    assert "Deleted: 1." in to_markdown(Result(orphans=(orphan, gone)), 0.05)
    result = Result(orphans=(orphan,), restored=(RestoreResult(HERE, "ami-1", "restored"),))
    assert inline(to_markdown(result, 0.05)) == [
        "Restored 1 AMI.",
        "1 orphaned snapshot, up to 8 GiB, up to $0.40/month.",
        "ami-1 restored",
    ]


def test_many_amis_stay_far_below_a_mebibyte() -> None:
    tags = {"role": "web" * 40}
    images = [ami(number, f"{number:05}" + "x*" * 60, "2017-06-01T00:00:00.000Z", tags) for number in range(1_000)]
    plan = plan_of(images, Config(keep_previous=10), targets=(HERE, THERE))
    page = to_markdown(Result(plan), 0.05)
    assert len(page.encode()) < 1 << 19
    assert page.count("| delete |") == ROWS
    assert f"\n… {990 - ROWS} more.\n" in page
    assert page.count("### ") == 2
    assert "\n… 990 more.\n" in page


@pytest.mark.parametrize(
    "name",
    [
        "a|b",
        "a\\|b",
        "a\\",
        "`a`",
        "**a**",
        "_a_",
        "<b>a</b>",
        "&lt;",
        "[a](b)",
        " a ",
        "  ",
        "~~a~~",
        "$a$",
        "# a",
        "![a](b)",
    ],
)
def test_a_name_is_shown_as_it_is(name: str) -> None:
    plan = plan_of([ami(1, name, "2017-06-15T09:55:42.000Z", {"role": "x"})], Config(keep_previous=0))
    assert name in inline(to_markdown(Result(plan), 0.05))


def test_names_become_no_links() -> None:
    assert escape_markup("http://x.de WWW.x.de a@b.de") == r"http\://x.de WWW\.x.de a\@b.de"


@given(hostile_plans(), hostile)
def test_hostile_names_are_text(plan: Plan, text: str) -> None:
    result = Result(plan, problems=(text,), restored=(RestoreResult(HERE, text, "failed", text),))
    page = to_markdown(result, 0.05)
    cells = inline(page)
    assert all(escape_control(line) == line for line in page.split("\n"))
    for decision in plan.removals:
        assert escape_control(decision.ami.name) in cells
