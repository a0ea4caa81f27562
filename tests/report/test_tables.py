from __future__ import annotations

import re

import pytest
from hypothesis import given

from amicleaner.config import Config
from amicleaner.models import AmiResult, Failure, Snapshot, SnapshotResult, Use
from amicleaner.plan import Plan
from amicleaner.report import tables

from .accounts import HERE, THERE, ami, article, hostile_plans, instance, plan_of


def cells(table: str) -> list[list[str]]:
    """The text of a table, cell by cell."""
    return [re.split(r" *\| *", line)[1:-1] for line in table.splitlines() if line.startswith("|")]


def test_the_summary_of_the_article() -> None:
    assert cells(tables.summary(plan_of(article()))) == [
        ["Group name", "candidates"],
        ["back.dev", "1"],
        ["back.prod", "1"],
        ["dev.front", "1"],
        ["front.prod", "1"],
        ["no-tags (excluded)", "1"],
    ]


def test_nothing_to_list_is_no_table() -> None:
    plan = plan_of(article()[:3])
    assert tables.summary(plan) == ""
    assert tables.full_report(plan) == []
    assert tables.explanation(plan_of(())) == ""


def test_the_full_report_of_a_group_is_sorted_by_name() -> None:
    tags = {"environment": "dev", "role": "front"}
    images = [ami(number, name, f"2017-06-0{number}T00:00:00.000Z", tags) for number, name in ((1, "b"), (2, "a"), (3, "c"))]
    [(label, table)] = tables.full_report(plan_of(images, Config(keep_previous=0)))
    assert label == "dev.front"
    assert cells(table) == [
        ["AMI ID", "AMI Name", "Creation Date"],
        [images[1].id, "a", "2017-06-02T00:00:00.000Z"],
        [images[0].id, "b", "2017-06-01T00:00:00.000Z"],
        [images[2].id, "c", "2017-06-03T00:00:00.000Z"],
    ]


def test_the_explanation_tells_of_every_image_what_and_why() -> None:
    images = article()[:5]
    plan = plan_of(images, Config(keep_previous=2), uses=[(images[0].id, instance())])
    assert cells(tables.explanation(plan)) == [
        ["AMI ID", "AMI Name", "Decision", "Reason", "Groups", "Used by"],
        [images[0].id, images[0].name, "keep", "in-use", "dev.front", "instance i-0123456789abcdef0 (running)"],
        [images[1].id, images[1].name, "keep", "kept-previous", "dev.front", ""],
        [images[2].id, images[2].name, "keep", "kept-previous", "dev.front", ""],
        [images[3].id, images[3].name, "remove", "old", "dev.front", ""],
        [images[4].id, images[4].name, "remove", "old", "dev.front", ""],
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_explanation_fits_the_terminal_with_whole_ids(width: int) -> None:
    images = article()
    id = "lt-0123456789abcdef0"
    template = Use("launch-template", id, HERE.account, HERE.region, f'launch template {id} "web" version 3 (default)')
    uses = [(images[0].id, instance()), (images[1].id, template)]
    shown = tables.explanation(plan_of(images, uses=uses), width)
    assert max(map(len, shown.splitlines())) <= width
    assert id in shown
    for image in images:
        assert image.id in shown
    assert "i-0123456789abcdef0" in shown


def test_with_several_targets_each_table_begins_with_account_and_region() -> None:
    plan = plan_of(article()[:5], targets=(THERE, HERE))
    snapshot = Snapshot("snap-1", "", None, "completed", 8)
    results = [SnapshotResult(target, "snap-1", "failed", Failure("X", "y")) for target in (THERE, HERE)]
    for table in (
        tables.summary(plan),
        tables.full_report(plan)[0][1],
        tables.explanation(plan),
        tables.orphan_snapshots([(THERE, snapshot), (HERE, snapshot)], True),
        tables.failed("Failed Snapshots", results, True),
    ):
        assert cells(table)[0][:2] == ["Account", "Region"]
        assert cells(table)[1][:2] == [HERE.account, HERE.region]
    assert cells(tables.summary(plan))[2][:3] == [THERE.account, THERE.region, "dev.front"]


def test_orphans_and_failures() -> None:
    found = [(HERE, Snapshot(id, "", None, "completed", 8)) for id in ("snap-2", "snap-1")]
    assert cells(tables.orphan_snapshots(found, False)) == [["Orphan Snapshots"], ["snap-1"], ["snap-2"]]
    failures = [AmiResult(HERE, "ami-2", "failed", Failure("Denied", "no\n")), AmiResult(HERE, "ami-1", "failed")]
    assert cells(tables.failed("Failed AMIs", failures, False)) == [
        ["Failed AMIs", "Code", "Message"],
        ["ami-1", "", ""],
        ["ami-2", "Denied", "no\\n"],
    ]


@given(hostile_plans())
def test_hostile_names_add_no_lines(plan: Plan) -> None:
    assert tables.explanation(plan).count("\n") == len(plan.decisions) + 3
    if plan.listed:
        assert tables.summary(plan).count("\n") == len(plan.listed) + 3
