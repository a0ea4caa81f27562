"""What a shell may offer after the words that were typed so far.  Knows no click: `cli.py` hands it to click's completion.

What an option takes is known by the word that stands for it in the help: `FILE`, `R` (a Region), `P` (a profile).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from .config import OPTIONS
from .options import Option

_VERSION, _HELP = "Print the version and exit.", "Show this message and exit."

OWN = {"-v": _VERSION, "--version": _VERSION, "-h": _HELP, "--help": _HELP}
"""Options that are click's own, with their help; they stand in no table."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word to go on with; `file` is for the shell to look up itself, and `text` what stands there already."""

    text: str
    help: str = ""
    kind: Literal["plain", "file"] = "plain"


def suggest(words: Sequence[str], incomplete: str) -> list[Suggestion]:
    """What may stand in the place of `incomplete`, of which a beginning or nothing was typed, behind `words`."""
    said = _joined(words)
    if "--" in said:
        return []
    flag, equals, value = incomplete.partition("=")
    last = said[-1] if said else ""
    if incomplete == "=" or (last.startswith("--") and last.endswith("=")):
        # bash took the word apart, and puts back what stands before the `=` itself.
        return _values(_FLAGS.get(last.rstrip("=")), (), value if incomplete == "=" else incomplete)
    if equals and flag in _FLAGS:
        found = _values(_FLAGS[flag], (), value)
        return [replace(suggestion, text=f"{flag}={suggestion.text}") for suggestion in found]
    option, taken = _open(said)
    if option is not None and not taken:
        return [] if incomplete.startswith("-") else _values(option, (), incomplete)
    further = [] if incomplete.startswith("-") else _values(option, taken, incomplete)
    return further or _flags(said, incomplete)


def _joined(words: Iterable[str]) -> list[str]:
    """bash takes `--output=json` for three words."""
    said: list[str] = []
    for word in words:
        if said and said[-1].startswith("--") and (word == "=" or said[-1].endswith("=")):
            said[-1] += word
        else:
            said.append(word)
    return said


def _open(said: Sequence[str]) -> tuple[Option | None, tuple[str, ...]]:
    """The option that takes the next word, and the values that it has already."""
    option: Option | None = None
    taken: tuple[str, ...] = ()
    for word in said:
        if word.startswith("-"):
            option, taken = _FLAGS.get(word), ()
        else:
            taken = (*taken, word)
        # A word later, all but lists are full; a flag is so at once.
        if option is not None and (option.kind == "flag" or (taken and option.kind != "strings")):
            option, taken = None, ()
    return option, taken


def _values(option: Option | None, taken: Sequence[str], incomplete: str) -> list[Suggestion]:
    if option is None or option.kind == "flag":
        return []
    if option.file:
        return [Suggestion(incomplete, kind="file")]
    values: Iterable[str] = option.choices
    if option.metavar in _FOUND:
        # Whatever is wrong with the AWS configuration is told by a run, not between two keys.
        with suppress(Exception):
            values = _FOUND[option.metavar]()
    return [Suggestion(value) for value in values if value.startswith(incomplete) and value not in taken]


def _flags(said: Sequence[str], incomplete: str) -> list[Suggestion]:
    """Options that were not said, and those that may be said again."""
    shown = [option for option in OPTIONS if option.kind == "strings" or not {*option.flags} & {*said}]
    flags = {flag: option.help for option in shown for flag in option.flags} | OWN
    return [
        Suggestion(flag, help)
        for flag, help in flags.items()
        if flag.startswith(incomplete) and (incomplete == "-" or flag.startswith("--"))
    ]


def _regions() -> list[str]:
    from .aws.local import regions

    return regions()


def _profiles() -> list[str]:
    from .aws.local import profiles

    return profiles()


_FOUND: dict[str, Callable[[], list[str]]] = {"R": _regions, "P": _profiles}

_FLAGS: dict[str, Option] = {flag: option for option in OPTIONS for flag in option.flags}
