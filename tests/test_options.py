"""The table of options: what it promises to the old tool's users, and to whoever reads it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from amicleaner.config import NOT_WITH_FROM_IDS, WITH_APPLY_PLAN, Config
from amicleaner.options import BY_NAME, OPTIONS, SECTIONS


@pytest.mark.parametrize(
    "name, default",
    [
        ("mapping_key", "tags"),
        ("mapping_values", ("environment", "role")),
        ("excluded_mapping_values", ()),
        ("keep_previous", 4),
        ("ami_min_days", -1),
        ("full_report", False),
        ("force_delete", False),
        ("from_ids", ()),
        ("check_orphans", False),
        ("price_per_gib", 0.05),
        ("output", "table"),
    ],
)
def test_defaults(name: str, default: object) -> None:
    assert BY_NAME[name].default == default


def test_options_and_config_say_the_same() -> None:
    assert {option.name: option.default for option in OPTIONS} == {field.name: field.default for field in fields(Config)}


def test_names_are_unique_and_each_stands_in_a_section() -> None:
    assert len(BY_NAME) == len(OPTIONS)
    assert {option.section for option in OPTIONS} == set(SECTIONS)
    shorts = [option.short for option in OPTIONS if option.short]
    assert shorts == ["-f"]


def test_each_says_what_it_does_and_shows_a_default() -> None:
    for option in OPTIONS:
        assert option.help.endswith("."), option.name
        assert option.kind == "flag" or option.shown or option.default not in (None, ()), option.name
        assert option.kind == "flag" or option.metavar or option.choices, option.name


def test_what_deletes_or_weakens_a_check_is_taken_from_the_command_line_alone() -> None:
    assert {option.name for option in OPTIONS if option.command_line_only} == {
        *("force_delete", "from_ids", "ignore_in_use", "apply_plan", "skip_check", "include_shared")
    }


def test_forms_of_a_name() -> None:
    option = BY_NAME["keep_previous"]
    assert (option.flag, option.variable) == ("--keep-previous", "AMICLEANER_KEEP_PREVIOUS")


def test_lists_of_names_are_names() -> None:
    assert BY_NAME.keys() >= {*NOT_WITH_FROM_IDS, *WITH_APPLY_PLAN}
