from __future__ import annotations

import re
from dataclasses import replace

import pytest

from amicleaner.actions import DELETE, QUARANTINE, RELEASE
from amicleaner.config import Config, Rule
from amicleaner.models import AmiResult, Failure, Snapshot, SnapshotResult
from amicleaner.plan import Plan
from amicleaner.report import tables
from amicleaner.result import Orphan

from .accounts import HERE, NOW, REFUSED, THERE, ami, article, instance, plan_of, written

HEAD = ["Group name", "candidates", "AMIs", "in use", "oldest", "GiB"]


def cells(table: str) -> list[list[str]]:
    """The text of a table, cell by cell."""
    return [re.split(r" *\| *", line)[1:-1] for line in table.splitlines() if line.startswith("|")]


def test_summary_of_the_article() -> None:
    images = article()
    plan = plan_of(images, uses=[(images[0].id, instance())], snapshots=written(images, 3))
    assert cells(tables.summary(plan)) == [
        HEAD,
        ["back.dev", "1", "5", "0", "4 d", "3"],
        ["back.prod", "1", "5", "0", "4 d", "3"],
        ["front.prod", "1", "5", "0", "4 d", "3"],
        ["no-tags (excluded)", "1", "1", "0", "307 d", "8"],
    ]


def test_summary_and_amis_name_the_rule() -> None:
    rules = (Rule("dev", (("only_tag", ("environment=dev",)),)), Rule("rest", (("keep_previous", 3),)))
    plan = plan_of(article(), Config(rules=rules))
    rules_named = [row[-1] for row in cells(tables.named(plan, DELETE))]
    assert rules_named == ["Rule", "dev", "rest", "dev", "rest", "rest", "rest"]
    rows = cells(tables.summary(plan))
    assert rows[0] == [*HEAD, "Rule"]
    assert [(row[0], row[1], row[-1]) for row in rows[1:]] == [
        ("back.dev", "1", "dev"),
        ("back.prod", "2", "rest"),
        ("dev.front", "1", "dev"),
        ("front.prod", "2", "rest"),
        ("no-tags (excluded)", "1", "rest"),
    ]


def test_nothing_to_list_is_no_table() -> None:
    plan = plan_of(article()[:3])
    assert tables.summary(plan) == ""
    assert tables.full_report(plan) == []
    assert tables.named(plan, DELETE) == ""


def row_of(count: int) -> Plan:
    """A plan that deletes so many AMIs of one group, one of each day."""
    tags = {"role": "web"}
    images = [ami(number, f"web-{number}", f"2017-0{4 + number // 28}-{1 + number % 28:02}T00:00:00.000Z", tags)
              for number in range(count)]  # fmt: skip
    return plan_of(images, Config(keep_previous=0))


def test_the_amis_to_be_deleted_are_named_oldest_first() -> None:
    rows = cells(tables.named(row_of(2), DELETE))
    assert rows == [
        ["AMI Name", "AMI ID", "Age", "GiB", "Group"],
        ["web-0", "ami-00000000000000000", "80 d", "8", "web"],
        ["web-1", "ami-00000000000000001", "79 d", "8", "web"],
    ]


def test_an_unknown_date_is_first() -> None:
    plan = row_of(2)
    undated = replace(plan.decisions[1], ami=replace(plan.decisions[1].ami, created=None))
    rows = cells(tables.named(replace(plan, decisions=(plan.decisions[0], undated)), DELETE))
    assert [row[2] for row in rows] == ["Age", "?", "80 d"]


@pytest.mark.parametrize("count, shown", [(20, 20), (21, 10), (42, 10)])
def test_of_many_only_the_oldest_are_named(count: int, shown: int) -> None:
    table = tables.named(row_of(count), DELETE)
    assert [row[0] for row in cells(table)[1:]] == [f"web-{number}" for number in range(shown)]
    assert table.splitlines()[-1] == (f"… {count - shown} more: --full-report" if count > shown else table.splitlines()[0])
    assert len(cells(tables.named(row_of(count), DELETE, whole=True))) == count + 1


def test_amis_without_groups_have_no_group_column() -> None:
    ids = tuple(image.id for image in article()[:2])
    assert cells(tables.named(plan_of(article(), Config(from_ids=ids)), DELETE))[0] == ["AMI Name", "AMI ID", "Age", "GiB"]


def test_each_action_has_a_table_of_its_own() -> None:
    plan = row_of(3)
    actions = (DELETE, QUARANTINE, RELEASE)
    mixed = replace(plan, decisions=tuple(replace(d, action=a) for d, a in zip(plan.decisions, actions, strict=True)))
    assert [cells(tables.named(mixed, action))[1][0] for action in actions] == ["web-0", "web-1", "web-2"]
    [(_, table)] = tables.full_report(mixed)
    assert [row[-1] for row in cells(table)] == ["Action", "delete", "quarantine"]


def test_full_report_of_a_group_is_sorted_by_name() -> None:
    tags = {"environment": "dev", "role": "front"}
    images = [ami(number, name, f"2017-06-0{number}T00:00:00.000Z", tags) for number, name in ((1, "b"), (2, "a"), (3, "c"))]
    [(label, table)] = tables.full_report(plan_of(images, Config(keep_previous=0)))
    assert label == "dev.front"
    assert cells(table) == [
        ["AMI ID", "AMI Name", "Creation Date", "Age", "GiB"],
        [images[1].id, "a", "2017-06-02T00:00:00.000Z", "18 d", "8"],
        [images[0].id, "b", "2017-06-01T00:00:00.000Z", "19 d", "8"],
        [images[2].id, "c", "2017-06-03T00:00:00.000Z", "17 d", "8"],
    ]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("targets", [(HERE,), (HERE, THERE)])
def test_tables_fit_the_terminal_with_whole_ids(width: int, targets: tuple[object, ...]) -> None:
    plan = plan_of(article(), targets=targets)  # type: ignore[arg-type]
    shown = [
        tables.summary(plan, width),
        tables.named(plan, DELETE, width),
        *(t for _, t in tables.full_report(plan, width)),
    ]
    for table in shown:
        assert max(map(len, table.splitlines())) <= width
    for decision in plan.removals:
        assert decision.ami.id in shown[1]


def test_with_several_targets_each_table_begins_with_account_and_region() -> None:
    plan = plan_of(article()[:5], targets=(THERE, HERE))
    snapshot = Snapshot("snap-1", "", None, "completed", 8)
    results = [SnapshotResult(target, "snap-1", "failed", Failure("X", "y")) for target in (THERE, HERE)]
    for table in (
        tables.summary(plan),
        tables.full_report(plan)[0][1],
        tables.named(plan, DELETE),
        tables.orphan_snapshots([Orphan(THERE, snapshot), Orphan(HERE, snapshot)], True, NOW),
        tables.failed("Failed Snapshots", results, True)[0],
    ):
        assert cells(table)[0][:2] == ["Account", "Region"]
        assert cells(table)[1][:2] == [HERE.account, HERE.region]
    assert cells(tables.summary(plan))[2][:3] == [THERE.account, THERE.region, "dev.front"]


def test_orphaned_snapshots_have_size_age_and_origin() -> None:
    found = [
        Orphan(HERE, Snapshot("snap-2", "", NOW.replace(day=1), "completed", 8, full_bytes=3 << 30), "ami-00000001"),
        Orphan(HERE, Snapshot("snap-1", "", None, "completed", 8), "ami-7"),
    ]
    assert cells(tables.orphan_snapshots(found, False, NOW)) == [
        ["Orphan Snapshots", "GiB", "Age", "Created for"],
        ["snap-1", "8", "?", "ami-7"],
        ["snap-2", "3", "19 d", "ami-00000001"],
    ]


def test_failures_have_id_and_code_and_each_message_once() -> None:
    results = [
        AmiResult(HERE, "ami-2", "failed", REFUSED),
        AmiResult(HERE, "ami-3", "failed", Failure("Broken", "")),
        AmiResult(HERE, "ami-1", "failed", Failure("UnauthorizedOperation", "first")),
    ]
    table, messages = tables.failed("Failed AMIs", results, False)
    assert cells(table) == [
        ["Failed AMIs", "Code"],
        ["ami-1", "UnauthorizedOperation"],
        ["ami-2", "UnauthorizedOperation"],
        ["ami-3", "Broken"],
    ]
    assert messages == ["UnauthorizedOperation: first"]
