"""Fills the parts of the documentation that are generated from the code: between `<!-- made: NAME -->` and `<!-- end -->`.

Run it after changing an option or a source of references:  python docs/make_tables.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from amicleaner.config import OPTIONS, SECTIONS
from amicleaner.options import KIND_WORDS, OWN, Option
from amicleaner.settings import FILE_KEYS, RULE_KEYS
from amicleaner.sources import SOURCES, USE_KINDS, UsageSource

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

ONLY = " *Command line only.*"

MADE = re.compile(r"(<!-- made: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with its generated parts as they should be."""
    return MADE.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}{match[3]}", text)


def options() -> str:
    """A table per section, with the options of click in the last one."""
    parts = []
    for section in SECTIONS:
        rows = [
            (_code(option.usage), option.shown, option.help + (ONLY if option.command_line_only else ""))
            for option in OPTIONS
            if option.section == section
        ]
        if section == SECTIONS[-1]:
            rows += [(_code("-v, --version"), "", OWN["--version"]), (_code("-h, --help"), "", OWN["--help"])]
        parts.append(f"### {section}\n\n{_table(('option', 'default', 'meaning'), rows)}")
    return "\n" + "\n".join(parts) + "\n"


def keys() -> str:
    """What a configuration file and the environment may set."""
    rows = [
        (f"`{option.name}`", f"`{option.variable}`" if option.in_environment else "", _takes(option))
        for option in OPTIONS
        if option.name in FILE_KEYS
    ]
    return _table(("key", "variable", "value"), rows)


def rule_keys() -> str:
    """What a rule may set."""
    return ", ".join(["`name`", *(f"`{option.name}`" for option in OPTIONS if option.name in RULE_KEYS)]) + "\n"


def command_line_only() -> str:
    """The options that only the command line may set."""
    return _flags(option for option in OPTIONS if option.command_line_only) + "\n"


def with_apply_plan() -> str:
    """The options that may be combined with --apply-plan."""
    return _flags(option for option in OPTIONS if option.with_apply_plan and option.name != "apply_plan") + "\n"


def with_restore() -> str:
    """The options that may be combined with --restore."""
    return _flags(option for option in OPTIONS if option.with_restore and option.name != "restore") + "\n"


def with_from_ids() -> str:
    """The options that may not be combined with --from-ids."""
    return _flags(option for option in OPTIONS if option.selects) + "\n"


def sources() -> str:
    """The kinds of references that are checked by default."""
    return _sources(source for source in SOURCES if not source.on_request)


def further_sources() -> str:
    """The kinds of references that are checked on request."""
    return _sources(source for source in SOURCES if source.on_request)


def use_kinds() -> str:
    """The kinds of references in a document."""
    return ", ".join(f"`{kind}`" for kind in USE_KINDS) + "\n"


def _sources(found: Iterable[UsageSource]) -> str:
    rows = [
        (
            source.words,
            f"`{source.check}`" if source.check else "always",
            ", ".join(f"`{action}`" for action in source.actions),
            source.cost,
        )
        for source in sorted(found, key=lambda source: source.check)
    ]
    return _table(("what references the AMI", "check", "IAM actions", "cost"), rows)


def _flags(found: Iterable[Option]) -> str:
    return ", ".join(f"`{option.flag}`" for option in found)


def _takes(option: Option) -> str:
    choices = " or ".join(f"`{choice}`" for choice in option.choices)
    if option.bare is not None:
        return f"`true`, `false`, {choices or KIND_WORDS[option.kind]}"
    if option.kind == "flag":
        return "`true` or `false`"
    if option.kind == "string":
        return choices or KIND_WORDS["string"]
    return KIND_WORDS[option.kind]


def _code(text: str) -> str:
    return "`" + text.replace("|", r"\|") + "`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


PARTS: dict[str, Callable[[], str]] = {
    "options": options,
    "keys": keys,
    "rule-keys": rule_keys,
    "command-line-only": command_line_only,
    "with-apply-plan": with_apply_plan,
    "with-restore": with_restore,
    "not-with-from-ids": with_from_ids,
    "sources": sources,
    "further-sources": further_sources,
    "use-kinds": use_kinds,
}


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8")), encoding="utf-8")
