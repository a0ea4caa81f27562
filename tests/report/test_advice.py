from __future__ import annotations

import pytest

from amicleaner.config import Config, Rule
from amicleaner.models import Use
from amicleaner.report.sentences import cautions, tag_hints

from .accounts import HERE, THERE, ami, article, instance, plan_of

USED = [(article()[0].id, instance())]


def named(*names: str, **options: object) -> list[str]:
    """The warnings on AMIs with these names, grouped by `web`; one AMI is in use."""
    images = [ami(number, name, f"2017-06-{number:02}T00:00:00.000Z") for number, name in enumerate(names, 1)]
    images.append(ami(99, "web", "2017-06-19T00:00:00.000Z"))
    config = Config(mapping_key="name", mapping_values=("web",), **{"keep_previous": 0, **options})  # type: ignore[arg-type]
    return cautions(plan_of(images, config, uses=[(images[-1].id, instance())]))


def test_an_ordinary_plan_has_no_warning() -> None:
    assert cautions(plan_of(article(), uses=USED)) == []


def test_a_name_value_inside_words_is_a_warning() -> None:
    assert named("cobweb-1", "web-1", "webhook") == ["--mapping-values web also matches inside words: cobweb-1, webhook."]
    assert named("web-1", "my_web", "1web2", "WEB-cobweb-web") == []


def test_keeping_nothing_without_a_prompt_is_a_warning() -> None:
    said = ["--keep-previous 0 with --force-delete: no unused AMI is kept in any group."]
    assert cautions(plan_of(article(), Config(keep_previous=0, force_delete=True), uses=USED)) == said
    assert cautions(plan_of(article(), Config(keep_previous=0), uses=USED)) == []
    assert cautions(plan_of(article(), Config(keep_previous=0, keep_weekly=1, force_delete=True), uses=USED)) == []
    rule = Rule("all", (("keep_previous", 0),))
    assert cautions(plan_of(article(), Config(rules=(rule,), force_delete=True), uses=USED)) == said


def test_a_target_without_any_reference_is_a_warning() -> None:
    [said] = cautions(plan_of(article(), targets=(HERE, THERE), uses=USED))
    assert said.startswith("No AMI is in use in account 123456789012, Region us-east-1. ")
    assert cautions(plan_of(article(), Config(from_ids=(article()[0].id,)))) == []
    elsewhere = Use("file", "main.tf:1", "", HERE.region, "file main.tf:1")
    assert cautions(plan_of(article(), uses=[(article()[3].id, elsewhere)])) == []


def test_a_plan_that_deletes_nothing_has_no_warning() -> None:
    assert cautions(plan_of(article()[:3], Config(force_delete=True))) == []


def test_untagged_account_is_told_its_tags_and_what_to_try() -> None:
    images = [
        ami(number, f"x-{number}", "2017-06-15T00:00:00.000Z", {"Name": f"n{number}", "my app": f"{number % 2}"})
        for number in range(6)
    ]
    assert tag_hints(plan_of(images)) == [
        "6 of 6 AMIs have none of the grouping tags (environment, role).",
        "Tags that these AMIs have: Name (6), my app (6).",
        "To group them differently, try:",
        "  amicleaner --dry-run --mapping-key tags --mapping-values 'my app'",
        "  amicleaner --dry-run --mapping-key family",
    ]


def test_account_without_tags_is_told_to_group_by_name() -> None:
    assert tag_hints(plan_of([ami(1, "x", "2017-06-15T00:00:00.000Z")])) == [
        "1 of 1 AMI has none of the grouping tags (environment, role).",
        "These AMIs have no tags.",
        "To group them differently, try:",
        "  amicleaner --dry-run --mapping-key family",
    ]


def test_many_tags_are_counted() -> None:
    tags = {f"t{number:02}": "x" for number in range(12)} | {"-x": "1", "aws:x": "1"}
    hints = tag_hints(plan_of([ami(number, "x", "2017-06-15T00:00:00.000Z", tags) for number in range(4)]))
    shown = ", ".join(f"{key} (4)" for key in ("-x", "aws:x", "t00", "t01", "t02", "t03", "t04", "t05"))
    assert hints[1] == f"Tags that these AMIs have: {shown}, 6 more."
    assert hints[3].endswith("--mapping-values t00")


@pytest.mark.parametrize("images", [article(), article()[:3], ()])
def test_no_advice_where_something_can_be_deleted_or_most_are_grouped(images: tuple[object, ...]) -> None:
    assert tag_hints(plan_of(images)) == []  # type: ignore[arg-type]
