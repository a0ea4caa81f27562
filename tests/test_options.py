"""Every option is stated once, with all its facts, and keeps its promises to users of the old tool."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, make_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import amicleaner
from amicleaner import config
from amicleaner.config import BY_FLAG, BY_NAME, OPTIONS, SECTIONS, UNDO, Config, Rule
from amicleaner.errors import UsageError
from amicleaner.options import OWN, Form, Option, nearest, option
from amicleaner.settings import FILE_KEYS, RULE_KEYS, from_environment, from_mapping

every_option = pytest.mark.parametrize("known", OPTIONS, ids=lambda known: known.name)
STRINGS = Option(name="some_strings", kind="strings", default=(), section=UNDO, help="Some strings.")


@pytest.mark.parametrize(
    "name, default",
    [
        ("mapping_key", "tags"),
        ("mapping_values", ("environment", "role")),
        ("excluded_mapping_values", ()),
        ("ami_min_days", -1),
        ("full_report", False),
        ("force_delete", False),
        ("from_ids", ()),
        ("check_orphans", False),
        ("price_per_gib", 0.05),
        ("output", "table"),
        ("max_percent", None),
    ],
)
def test_option_keeps_its_default(name: str, default: object) -> None:
    assert BY_NAME[name].default == getattr(Config(), name) == default
    assert Config().newest_kept == 4


# Stated once


def test_every_field_of_config_is_an_option_but_the_rules() -> None:
    assert {field.name for field in fields(Config)} - {known.name for known in OPTIONS} == {"rules"}


def test_field_without_facts_fails() -> None:
    """A forgotten `option(…)` is noticed when it is no option, forgotten facts when the module is loaded."""

    facts = [
        ("colour", str, "red"),
        ("size", int, option(1, UNDO, "The size.", colour="red")),
        ("shape", bytes, option(b"", UNDO, "The shape.")),
    ]
    colour, size, shape = fields(make_dataclass("Forgetful", facts))
    with pytest.raises(KeyError):
        config._option(colour)
    with pytest.raises(TypeError):
        config._option(size)
    with pytest.raises(KeyError):
        config._option(shape)


def test_option_requires_section_and_help() -> None:
    with pytest.raises(TypeError):
        option(1, UNDO)  # type: ignore[call-arg]


@every_option
def test_option_is_complete(known: Option) -> None:
    assert known.section in SECTIONS
    assert re.fullmatch(r"[A-Z].*[^.]\.", known.help)
    assert known.kind == "flag" or known.metavar or known.choices, "the help shows nothing for its value"
    assert known.kind in ("integer", "number") or (known.minimum is None and known.maximum is None)
    assert known.kind not in ("integer", "number") or known.minimum is not None
    assert not (known.choices and known.form)
    assert known.file or not known.dash
    for alias in known.aliases:
        assert alias.startswith("--") or (len(alias) == 2 and known.kind == "flag"), "short options are flags"
    if known.default is not None:
        known.check(known.default)
    if known.bare is not None:
        known.check(known.bare)


@every_option
def test_facts_of_an_option_agree(known: Option) -> None:
    if known.command_line_only:
        assert not known.in_file
        assert not known.in_environment
    if known.in_rule:
        assert known.in_file
        assert known.in_plan, "a plan without it would be applied with other rules"
        assert not known.with_apply_plan
    if known.selects:
        assert known.in_plan
        assert not known.with_restore
    if known.in_plan and known.with_apply_plan:
        assert known.name in ("limit", "max_deletions", "max_percent"), "the plan and the command line both set it"


def test_facts_are_those_that_the_documentation_states() -> None:
    def names(fact: str) -> set[str]:
        return {known.name for known in OPTIONS if getattr(known, fact)}

    grouping = {"mapping_key", "mapping_values", "excluded_mapping_values", "include_untagged"}
    retention = {"keep_previous", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly", "ami_min_days", "unused_days"}
    access = {"profile", "role_arn", "organization_role", "external_id", "connect_timeout", "read_timeout", "max_attempts"}
    both = {"dry_run", "output", "audit_log", "debug", "quiet", "expect_account", "demo"} | access
    assert names("command_line_only") == {
        *("force_delete", "from_ids", "ignore_in_use", "apply_plan", "skip_check", "include_shared", "restore")
    }
    assert names("selects") == grouping | retention | {"only_tag", "only_name", "rule"}
    assert names("in_rule") == grouping | retention | {"only_tag", "only_name", "keep_tag"}
    limits = {"limit", "max_deletions", "max_percent"}
    assert names("with_apply_plan") == both | limits | {"apply_plan", "force_delete", "explain"}
    assert names("with_restore") == both | {"restore", "region", "exclude_region", "exclude_account", "iam_policy"}


def test_names_and_flags_are_unique() -> None:
    assert len(BY_NAME) == len(OPTIONS)
    flags = [*OWN, *(flag for known in OPTIONS for flag in known.flags)]
    assert len(flags) == len(set(flags)) == len(BY_FLAG) + len(OWN)
    assert {known.section for known in OPTIONS} == set(SECTIONS)


def test_file_keys_and_rule_keys_follow_from_the_facts() -> None:
    only_there = {known.name for known in OPTIONS if known.command_line_only}
    assert not FILE_KEYS & only_there
    assert RULE_KEYS <= FILE_KEYS
    assert {known.name for known in OPTIONS} - FILE_KEYS == only_there | {"config", "rule", "iam_policy", "suggest_config"}


@pytest.mark.parametrize("module", ["arguments.py", "completion.py", "options.py"])
def test_module_about_all_options_names_none(module: str) -> None:
    """It works from the facts alone.  These names are words of the code, too."""
    words = {"config", "rule", "limit", "output", "region", "profile", "restore", "explain"}
    text = (Path(amicleaner.__file__).parent / module).read_text("utf-8")
    code = re.sub(r'""".*?"""|#.*', "", text, flags=re.DOTALL | re.ASCII)
    assert not (BY_NAME.keys() - words) & {*re.findall(r"\w+", code)}


# Forms


def test_forms_of_a_name() -> None:
    known = BY_NAME["keep_previous"]
    assert (known.flag, known.variable) == ("--keep-previous", "AMICLEANER_KEEP_PREVIOUS")
    assert BY_NAME["force_delete"].flags == ("--force-delete", "-f", "-y", "--yes")


@pytest.mark.parametrize(
    "name, usage",
    [
        ("keep_previous", "--keep-previous N"),
        ("region", "--region R ..."),
        ("output", "--output table|json|csv|markdown"),
        ("explain", "--explain [AMI ...]"),
        ("demo", "--demo [article|tour]"),
        ("force_delete", "-f, -y, --force-delete, --yes"),
    ],
)
def test_usage_shows_every_spelling_and_what_follows(name: str, usage: str) -> None:
    assert BY_NAME[name].usage == usage


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("--keep", "--keep-previous"),
        ("--keep-prev", "--keep-previous"),
        ("--keep-previuos", "--keep-previous"),
        ("--dryrun", "--dry-run"),
        ("--dry", "--dry-run"),
        ("--mapping", "--mapping-key"),
        ("--regions", "--region"),
        ("--excluded", "--excluded-mapping-values"),
        ("--audit", "--audit-log"),
        ("--delete", ""),  # --force-delete is no answer to a guess
        ("--x", ""),
        ("--", ""),
        ("", ""),
    ],
)
def test_nearest_is_what_was_meant(typed: str, meant: str) -> None:
    assert nearest(typed, BY_FLAG) == meant


# One value


@given(st.sampled_from(OPTIONS), st.text())
def test_parse_returns_the_kind_or_names_the_label(known: Option, text: str) -> None:
    types: dict[str, Any] = {"flag": bool, "integer": int, "number": float, "string": str, "strings": str}
    try:
        assert type(known.parse(text, "label")) is types[known.kind]
    except UsageError as error:
        assert str(error).startswith("label: ")  # noqa: PT017


def test_comma_separated_values_get_a_hint() -> None:
    known = replace(STRINGS, form=Form(re.compile("[a-z]"), "a letter", "a"))
    known.check(("a", "b"))
    for label, hint in [("--l", "Separate values with spaces: --l a b"), ("c.toml: l", "Set separate values: 'a', 'b'")]:
        with pytest.raises(UsageError, match=f"{label}: 'a, b' is not a letter") as caught:
            known.check(("a, b",), label)
        assert caught.value.hint == hint
    with pytest.raises(UsageError) as caught:
        known.check(("ab",))
    assert caught.value.hint == "Example: a"


def test_choice_gets_a_hint() -> None:
    known = replace(STRINGS, choices=("spot", "fleets"))
    for value, hint in [("spots", "Did you mean spot?"), ("x", ""), ("spot,fleets", "spaces: --some-strings spot fleets")]:
        with pytest.raises(UsageError, match="is not one of spot, fleets") as caught:
            known.check((value,))
        assert caught.value.hint.endswith(hint)


@every_option
def test_file_and_environment_take_what_the_facts_say(known: Option) -> None:
    toml: Any = {"flag": True, "integer": 1, "number": 1.0, "string": "x", "strings": ["x"]}[known.kind]
    reads: list[tuple[bool, Callable[[], object]]] = [
        (known.in_file, lambda: from_mapping({known.name: toml}, "c.toml")),
        (known.in_environment, lambda: from_environment({known.variable: "1"})),
    ]
    for allowed, read in reads:
        if known.name == "rule":
            continue  # in a file the key means tables
        try:
            read()
        except UsageError as error:
            assert ("is not allowed" in str(error)) is not allowed  # noqa: PT017
        else:
            assert allowed


@pytest.mark.parametrize("name", sorted(RULE_KEYS))
def test_rule_may_set_what_the_facts_say(name: str) -> None:
    Config(rules=(Rule("one", ((name, getattr(Config(), name)),)),))
