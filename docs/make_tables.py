"""Fills the parts of the documentation that are made from the program: between `<!-- made: NAME -->` and `<!-- end -->`.

Run it after a change of an option or of a source of use:  python docs/make_tables.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from amicleaner.aws import usage
from amicleaner.completion import OWN
from amicleaner.config import OPTIONS
from amicleaner.options import SECTIONS, Option
from amicleaner.settings import FILE_KEYS

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

ONLY = " *Command line only.*"

MADE = re.compile(r"(<!-- made: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with its made parts as they should be today."""
    return MADE.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}{match[3]}", text)


def options() -> str:
    """A table for each section, with click's own options in the last one."""
    parts = []
    for section in SECTIONS:
        rows = [
            (_code(_usage(option)), _default(option), option.help + (ONLY if option.command_line_only else ""))
            for option in OPTIONS
            if option.section == section
        ]
        if section == SECTIONS[-1]:
            rows += [(_code("-v", "--version"), "", OWN["--version"]), (_code("-h", "--help"), "", OWN["--help"])]
        parts.append(f"### {section}\n\n{_table(('option', 'default', 'meaning'), rows)}")
    return "\n" + "\n".join(parts) + "\n"


def option_names() -> str:
    """A row for each section."""
    rows = [(section, ", ".join(f"`{o.flag}`" for o in OPTIONS if o.section == section)) for section in SECTIONS]
    return _table(("about", "options"), rows)


def keys() -> str:
    """What a configuration file may say, and what the environment may."""
    rows = [
        (f"`{option.name}`", f"`{option.variable}`", _takes(option))
        for option in OPTIONS
        if option.name in FILE_KEYS
    ]  # fmt: skip
    return _table(("key", "variable", "takes"), rows)


def command_line_only() -> str:
    """The options that only the command line may say."""
    return ", ".join(f"`{option.flag}`" for option in OPTIONS if option.command_line_only) + "\n"


def sources() -> str:
    """The sources of use, by the check that leaves them out."""
    found = sorted((*usage.SOURCES, *usage.FOLLOWED, *usage.ON_DEMAND), key=lambda source: source.check)
    rows = [(source.words, f"`{source.check}`", ", ".join(f"`{action}`" for action in source.actions)) for source in found]
    return _table(("what names the AMI", "check", "read with"), rows)


def _default(option: Option) -> str:
    return "off" if option.kind == "flag" else option.shown or str(option.default)


def _usage(option: Option) -> str:
    value = "|".join(option.choices) if option.choices and not option.metavar else option.metavar
    more = " ..." if option.kind == "strings" else ""
    return f"{option.short}, {option.flag}" if option.short else f"{option.flag} {value}{more}".strip()


def _takes(option: Option) -> str:
    if option.kind == "flag":
        return "`true` or `false`; as a variable `1` or `0`"
    if option.choices:
        return " or ".join(f"`{choice}`" for choice in option.choices)
    return {
        "integer": "a whole number",
        "number": "a number",
        "string": "a text",
        "strings": "a list of texts; as a variable separated by spaces",
    }[option.kind]


def _code(*texts: str) -> str:
    return "`" + ", ".join(texts).replace("|", r"\|") + "`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


PARTS: dict[str, Callable[[], str]] = {
    "options": options,
    "option-names": option_names,
    "keys": keys,
    "command-line-only": command_line_only,
    "sources": sources,
}


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8")), encoding="utf-8")
