"""Suggests a configuration file for an account: a rule for each family of AMIs, with what it would delete.  Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from .config import BY_NAME, OPTIONS, RETENTION, Config, Rule
from .decisions import Decision
from .family import family_of
from .models import Ami, Inventory, number
from .plan import Plan

MAX_RULES = 50
"""Rules in a suggestion: the largest families.  More would not be reviewed."""

_EXAMPLES = 10

_KEPT = [option.name for option in OPTIONS if option.in_rule and option.section == RETENTION] + ["excluded_mapping_values"]
_RESET = {option.name: option.default for option in OPTIONS if option.in_rule and option.name not in _KEPT}
_RESET |= {"rule": (), "limit": None}


def suggest_config(inventories: Sequence[Inventory], config: Config, plan_with: Callable[[Config], Plan]) -> str:
    """A commented TOML file with a `[[rule]]` for each family of two or more AMIs.

    `config` is that of the run: its retention options become those of the file.  `plan_with` makes the plan for another
    configuration of the same account; the comments say what each rule would delete by it.  Nothing is deleted by the file.
    """
    families: dict[str, list[Ami]] = {}
    for ami in sorted((ami for inventory in inventories for ami in inventory.amis if ami.name), key=lambda ami: ami.name):
        families.setdefault(family_of(ami.name), []).append(ami)
    largest = sorted((name for name in families if len(families[name]) > 1), key=lambda name: (-len(families[name]), name))
    # The first match decides, so `web-api-*` comes before `web-*`; otherwise by name.
    chosen = sorted(largest[:MAX_RULES], key=lambda name: name + chr(0x10FFFF))
    rules = tuple(Rule(name, (("only_name", _globs(name, families[name])),)) for name in chosen)
    options = _top_level(config)
    plan = plan_with(replace(config, **{**_RESET, **options, "rules": rules}))
    if not rules:
        # Settings without a rule would be settings for every AMI.
        return "\n".join([*_head(plan), "#", "# There is nothing to suggest: no family has two or more AMIs."]) + "\n"
    lines = [*_head(plan), "", *(f"{name} = {_toml(value)}" for name, value in options.items())]
    for rule in rules:
        decisions = [decision for decision in plan.decisions if decision.rule == rule.name]
        lines += ["", f"# {_count(decisions)}", "[[rule]]", f"name = {_toml(rule.name)}"]
        lines += [f"{name} = {_toml(value)}" for name, value in rule.options]
    return "\n".join([*lines, *_rest([decision for decision in plan.decisions if not decision.rule])]) + "\n"


def _globs(family: str, amis: Iterable[Ami]) -> tuple[str, ...]:
    """Patterns for the names of a family, past and future: the family, and what follows it after the same separators."""
    separators = {ami.name[len(family) :][:1] for ami in amis}
    return tuple(_escape(family + separator) + ("*" if separator else "") for separator in sorted(separators))


def _escape(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _top_level(config: Config) -> dict[str, Any]:
    """What the file says for all rules: the families, and what the run's own options keep."""
    said = {"mapping_key": "family", "keep_previous": config.newest_kept}
    for name in _KEPT:
        if getattr(config, name) != BY_NAME[name].default:
            said.setdefault(name, getattr(config, name))
    return said


def _head(plan: Plan) -> list[str]:
    accounts, regions = ({getattr(target, part) for target in plan.targets} for part in ("account", "region"))
    where = f"{number(len(accounts), 'account')} in {number(len(regions), 'Region')}"
    if len(plan.targets) == 1:
        (target,) = plan.targets
        where = f"{f'account {target.account}, ' if target.account else ''}Region {target.region}"
    return [
        f"# Suggested by amicleaner on {plan.created:%Y-%m-%d} for {where}: {number(len(plan.decisions), 'AMI')}.",
        "# This file deletes nothing. Review it, then look at the plan:",
        "#     amicleaner --config FILE --dry-run",
        "#",
        "# AMIs are grouped by family, the name without trailing dates, versions, build numbers and hashes.",
        "# The first rule that matches an AMI decides. AMIs that no rule matches are kept.",
        "# What a rule does not set comes from the lines before the first rule.",
    ]


def _count(decisions: Sequence[Decision]) -> str:
    in_use = sum(decision.reason == "in-use" for decision in decisions)
    deleted = sum(decision.candidate for decision in decisions)
    dates = sorted(decision.ami.created for decision in decisions if decision.ami.created is not None)
    made = f", created {dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}" if dates else ""
    action = f"Would delete up to {number(deleted, 'AMI')}" if deleted else "Would delete nothing"
    return f"{number(len(decisions), 'AMI')}{made}; {in_use} in use. {action}."


def _rest(decisions: Sequence[Decision]) -> list[str]:
    families = sorted({family_of(decision.ami.name) for decision in decisions})
    if not families:
        return []
    more = f", and {len(families) - _EXAMPLES} more" if len(families) > _EXAMPLES else ""
    return [
        "",
        f"# Kept because no rule matches: {number(len(decisions), 'AMI')}. By family:",
        f"# {', '.join(map(_toml, families[:_EXAMPLES]))}{more}",
    ]


def _toml(value: object) -> str:
    """A value in TOML, on one line and printable whatever it contains: names come from AWS."""
    if isinstance(value, str):
        return f'"{"".join(map(_char, value))}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value).lower()


def _char(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08x}"
