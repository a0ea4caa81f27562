"""The suggested configuration file: what it says, and that a run with it does what it says."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.config import Config, Rule
from amicleaner.decisions import Facts
from amicleaner.models import Ami, Inventory, Target
from amicleaner.plan import Plan, make_plan
from amicleaner.suggest import MAX_RULES, suggest_config
from tests.strategies import HERE, NOW, THERE, Account, accounts, image, rule_options, used


def series(first: int, count: int, name: str) -> list[Ami]:
    """AMIs of one family, a day between them."""
    return [image(n, days=n - first + 1, name=name.format(n)) for n in range(first, first + count)]


def suggestion(inventories: list[Inventory], facts: Facts, config: Config) -> str:
    return suggest_config(inventories, config, lambda other: make_plan(inventories, facts, other, NOW))


def suggested(amis: list[Ami], facts: Facts | None = None, **options: Any) -> str:
    return suggestion([Inventory(HERE, tuple(amis))], facts or Facts(), Config(suggest_config=True, **options))


def read(text: str) -> Config:
    """The configuration that a file says."""
    document = tomllib.loads(text)
    tables = document.pop("rule", [])
    rules = tuple(Rule(table["name"], (("only_name", tuple(table["only_name"])),)) for table in tables)
    return Config(**document, rules=rules)


def test_the_file_has_a_rule_for_each_family_and_says_what_it_would_delete() -> None:
    amis = [
        *series(1, 6, "web-2024030{}-ab12cd3"),
        *series(11, 2, "web-api-1.2.{}"),
        image(21, name="golden"),
        image(22, name='odd "name"\n\u202e'),
    ]
    assert suggested(amis, Facts(used(amis[0]))) == (
        """\
# Suggested by amicleaner on 2024-03-10 for account 111111111111, Region eu-west-1: 10 AMIs.
# This file deletes nothing. Review it, then look at the plan:
#     amicleaner --config FILE --dry-run
#
# AMIs are grouped by family, the name without trailing dates, versions, build numbers and hashes.
# The first rule that matches an AMI decides. AMIs that no rule matches are kept.
# What a rule does not set comes from the lines before the first rule.

mapping_key = "family"
keep_previous = 4

# 2 AMIs, created 2024-03-08 to 2024-03-09; 0 in use. Would delete nothing.
[[rule]]
name = "web-api"
only_name = ["web-api-*"]

# 6 AMIs, created 2024-03-04 to 2024-03-09; 1 in use. Would delete up to 1 AMI.
[[rule]]
name = "web"
only_name = ["web-*"]

# Kept because no rule matches: 2 AMIs. By family:
# "golden", "odd \\"name\\"\\U0000000a\\U0000202e"
"""
    )


def test_the_options_of_the_run_become_those_of_the_file() -> None:
    amis = series(1, 6, "web-{}")
    text = suggested(
        amis, keep_previous=2, keep_tag='a"b', unused_days=9, mapping_key="name", mapping_values="x", only_name="y"
    )
    said = {key: value for key, value in tomllib.loads(text).items() if key != "rule"}
    assert said == {"mapping_key": "family", "keep_previous": 2, "keep_tag": ['a"b'], "unused_days": 9}
    assert "Would delete up to 4 AMIs." in text
    assert "keep_previous = 0\nkeep_monthly = 3\n" in suggested(amis, keep_monthly=3)


def test_a_name_of_any_characters_is_matched_by_its_own_rule() -> None:
    amis = [*series(1, 2, "a[b]*-{}"), *series(3, 2, "ü/{}"), *series(5, 2, "a-{}")]
    config = read(suggested(amis))
    assert [rule.options[0][1] for rule in config.rules] == [("a[[]b][*]-*",), ("a-*",), ("ü/*",)]
    plan = make_plan([Inventory(HERE, tuple(amis))], Facts(), config, NOW)
    assert [decision.rule for decision in plan.decisions] == ["a[b]*", "a[b]*", "ü", "ü", "a", "a"]


def test_only_the_largest_families_get_a_rule() -> None:
    amis = [ami for n in range(MAX_RULES + 5) for ami in series(n * 10, 2 + (n >= 5), f"f{n:02}x-{{}}")]
    config = read(suggested(amis))
    assert [rule.name for rule in config.rules] == [f"f{n:02}x" for n in range(5, MAX_RULES + 5)]


def test_many_families_without_a_rule_are_counted() -> None:
    text = suggested([*(image(n, name=f"x{chr(97 + n)}") for n in range(13)), *series(20, 2, "web-{}")])
    assert "no rule matches: 13 AMIs." in text
    assert text.endswith('"xj", and 3 more\n')


def test_several_targets_are_one_file() -> None:
    inventories = [Inventory(HERE, tuple(series(1, 1, "web-{}"))), Inventory(THERE, tuple(series(2, 1, "web-{}")))]
    text = suggestion(inventories, Facts(), Config())
    assert "for 2 accounts in 1 Region: 2 AMIs." in text
    assert [rule.name for rule in read(text).rules] == ["web"]


def test_an_unknown_account_is_not_named() -> None:
    inventories = [Inventory(Target("", "eu-west-1"), tuple(series(1, 2, "web-{}")))]
    assert "for Region eu-west-1: 2 AMIs." in suggestion(inventories, Facts(), Config())


def test_the_limit_of_the_run_does_not_count() -> None:
    assert "Would delete up to 2 AMIs." in suggested(series(1, 6, "web-{}"), limit=1)


@pytest.mark.parametrize("amis", [[], [image(1, name="web-1")], [image(1, name="web"), image(2, name="db")]])
def test_without_a_family_of_several_amis_the_file_sets_nothing(amis: list[Ami]) -> None:
    """A file with settings and no rule would be one for every AMI."""
    text = suggested(amis)
    assert tomllib.loads(text) == {}
    assert text.endswith("# There is nothing to suggest: no family has two or more AMIs.\n")


@pytest.mark.parametrize("days, text", [(0, "Would delete up to 2 AMIs."), (400, "Would delete nothing.")])
def test_a_rule_says_what_it_would_delete_at_the_moment(days: int, text: str) -> None:
    assert text in suggested(series(1, 6, "web-{}"), ami_min_days=days)


@given(accounts(), rule_options, st.text(max_size=3))
def test_a_run_with_the_file_deletes_what_the_file_says(account: Account, said: dict[str, Any], stem: str) -> None:
    inventory = account.inventory
    amis = tuple(ami if ami.name else image(int(ami.id[4:], 16), name=f"{stem}-1") for ami in inventory.amis)
    inventories = [Inventory(HERE, amis)]
    asked: list[Plan] = []

    def plan_with(config: Config) -> Plan:
        asked.append(make_plan(inventories, account.facts, config, NOW))
        return asked[-1]

    text = suggest_config(inventories, Config(**said), plan_with)
    config = read(text)
    plan = make_plan(inventories, account.facts, config, NOW)
    assert plan.decisions == asked[0].decisions or not config.rules
    numbers = re.findall(r"^# .* Would delete (?:up to )?(\d+|nothing)", text, re.MULTILINE)
    assert sum(int(number.replace("nothing", "0")) for number in numbers) == len(plan.candidates if config.rules else ())
    assert all(line.startswith("#") or line.isprintable() for line in text.split("\n"))
