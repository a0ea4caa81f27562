from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from amicleaner.config import Config, Rule
from amicleaner.models import Reference, Use
from amicleaner.recycle_bin import BinRules, RetentionRule
from amicleaner.report import tables

from .accounts import HERE, NOW, THERE, ami, article, instance, plan_of, written
from .test_tables import cells

TEMPLATE = Use("launch-template", "lt-1", HERE.account, HERE.region, 'launch template lt-1 "web" version 3 (default)')


def test_a_group_is_newest_first_with_a_cut_between_kept_and_deleted() -> None:
    images = article()[:5]
    [(heading, table)] = tables.by_group(plan_of(images, Config(keep_previous=2), uses=[(images[4].id, instance())]))
    assert heading == "dev.front: keep 3, delete 2"
    rows = cells(table)
    assert rows[0] == ["AMI Name", "AMI ID", "Created", "Age", "GiB", "Decision", "Explanation"]
    assert rows[1] == [
        "front-0000001", images[0].id, "2017-06-15", "4 d", "8", "keep", "One of the 2 newest in dev.front.",
    ]  # fmt: skip
    assert [(row[1], row[5]) for row in rows[1:]] == [
        (images[0].id, "keep"),
        (images[1].id, "keep"),
        (images[4].id, "keep"),
        (images[2].id, "delete"),
        (images[3].id, "delete"),
    ]
    lines = table.splitlines()
    assert [index for index, line in enumerate(lines) if line.startswith("+-")] == [0, 2, 6, 9]


def test_only_what_is_deleted_has_the_style() -> None:
    [(_, table)] = tables.by_group(plan_of(article()[:5]), style=lambda line: f"<{line}>")
    assert [line.startswith("<") for line in table.splitlines()] == [False] * 8 + [True, False]


def test_groups_are_sorted_and_those_without_come_last() -> None:
    images = [*article()[:6], ami(50, "other", "2017-06-01T00:00:00.000Z", {"x": "y"})]
    plan = plan_of(images, Config(only_name=("front*", "back*")), targets=(THERE, HERE))
    assert tables.by_group(plan_of(())) == []
    assert [heading for heading, _ in tables.by_group(plan)] == [
        "dev.front in account 123456789012, Region eu-west-1: keep 4, delete 1",
        "front.prod in account 123456789012, Region eu-west-1: keep 1",
        "(no group) in account 123456789012, Region eu-west-1: keep 1",
        "dev.front in account 123456789012, Region us-east-1: keep 4, delete 1",
        "front.prod in account 123456789012, Region us-east-1: keep 1",
        "(no group) in account 123456789012, Region us-east-1: keep 1",
    ]


def test_rules_are_named() -> None:
    plan = plan_of(article()[:5], Config(rules=(Rule("all"),)))
    assert tables.by_group(plan)[0][0] == "dev.front (rule all): keep 4, delete 1"


def test_different_restore_dates_are_shown() -> None:
    rules = BinRules((RetentionRule(14, True),), (RetentionRule(14, True),))
    plan = plan_of(article(), bins=rules, snapshots=written(article()))
    assert "Restorable" not in "".join(table for _, table in tables.by_group(plan))
    first = plan.removals[0]
    earlier = replace(first, restorable_until=NOW + timedelta(days=1))
    changed = replace(plan, decisions=tuple(earlier if d is first else d for d in plan.decisions))
    shown = "".join(table for _, table in tables.by_group(changed))
    assert "Restorable until 2017-06-21." in shown
    assert "Restorable until 2017-07-04." in shown


def test_45_amis_and_300_instances_are_kilobytes() -> None:
    images = [ami(number, f"web-{number}", "2017-06-01T00:00:00.000Z", {"role": "web"}) for number in range(45)]
    uses = [(image.id, instance(f"i-{number:017x}")) for image in images[:10] for number in range(300)]
    [(_, table)] = tables.by_group(plan_of(images, uses=uses))
    assert len(table) < 10_000


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_it_fits_the_terminal_with_whole_ids(width: int) -> None:
    plan = plan_of(article(), uses=[(article()[0].id, instance())])
    shown = "\n".join(table for _, table in tables.by_group(plan, width))
    assert max(map(len, shown.splitlines())) <= width
    for decision in plan.decisions:
        assert decision.ami.id in shown
    assert "i-0123456789abcdef0" in shown


def test_everything_is_known_about_an_ami() -> None:
    image = replace(
        article()[0], last_launched=NOW, public=True, protection="enabled", source=("ami-1", "us-east-1"), state="available"
    )
    uses = [(image.id, instance(f"i-{number}")) for number in range(3)] + [(image.id, TEMPLATE)]
    lines = tables.in_detail(plan_of([image, *article()[1:]], uses=uses), [image.id])
    assert lines == [
        f"{image.id} front-0000001",
        "  Target:           account 123456789012, Region eu-west-1",
        "  Decision:         keep (in-use): " + plan_of([image], uses=uses).decisions[0].explanation,
        "  Groups:           dev.front",
        "  Created:          2017-06-15T11:50:57.000Z (age 4 d)",
        "  Last launched:    2017-06-20",
        "  State:            available",
        "  Visibility:       public",
        "  Protection:       enabled",
        "  Copied from:      ami-1 in us-east-1",
        "  Tag:              environment=dev",
        "  Tag:              role=front",
        "  Snapshot:         snap-00000000000000001, up to 8 GiB",
        "  Used by:          instance i-0 (running)",
        "  Used by:          instance i-1 (running)",
        "  Used by:          instance i-2 (running)",
        '  Used by:          launch template lt-1 "web" version 3 (default)',
        "",
    ]


def test_facts_about_an_ami_are_wrapped_below_their_beginning() -> None:
    uses = [(article()[0].id, replace(TEMPLATE, account="210987654321"))]
    lines = tables.in_detail(plan_of(article(), uses=uses), [article()[0].id], 60)
    assert max(map(len, lines)) <= 60
    assert lines[-3:] == [
        '  Used by:          launch template lt-1 "web" version 3',
        "                    (default), 210987654321, eu-west-1",
        "",
    ]


def test_dates_of_undoing_are_known_about_an_ami() -> None:
    plan = plan_of(article())
    first = plan.removals[0]
    dated = replace(first, until=NOW, restorable_until=NOW + timedelta(days=14))
    lines = tables.in_detail(replace(plan, decisions=(dated,)), [first.ami.id])
    assert "  Quarantine until: 2017-06-20" in lines
    assert "  Restorable until: 2017-07-04" in lines
    assert "  Last launched:    never, or not recorded" in lines


def test_dangling_references_are_listed() -> None:
    assert cells(tables.dangling([Reference("ami-2", TEMPLATE), Reference("ami-1", TEMPLATE)])) == [
        ["Account", "Region", "Dangling reference", "Missing AMI"],
        ["123456789012", "eu-west-1", TEMPLATE.label, "ami-1"],
        ["123456789012", "eu-west-1", TEMPLATE.label, "ami-2"],
    ]
    assert tables.dangling([]) == ""
