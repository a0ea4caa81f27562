"""What a shell may offer after the words that were typed so far, in place of click's own suggestions: click knows no option
with several values after one flag.

The placeholder of an option in the help tells what it takes: `R` is a Region, `P` a profile.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from click import shell_completion as shells

from .config import BY_FLAG, OPTIONS
from .options import OWN, Option

Suggestion = shells.CompletionItem[Any]
"""A word to offer.  Where its type is `file` the shell looks up files itself, and the word is what was typed."""


_UNQUOTED = re.compile(r"[\w.@+/][\w.@+/-]*")
"""Names that every shell takes as one word, and none reads as anything else."""


def register() -> None:
    """Replaces click's suggestions, in every shell that click knows."""
    own = {"get_completions": lambda self, args, incomplete: suggest(args, incomplete)}
    for shell in (shells.BashComplete, shells.ZshComplete, shells.FishComplete):
        shells.add_completion_class(type(shell.__name__, (shell,), own))


def suggest(words: Sequence[str], incomplete: str) -> list[Suggestion]:
    """What `incomplete`, the beginning of a word or an empty string, may become after `words`."""
    said = _joined(words)
    if "--" in said:
        return []
    flag, equals, value = incomplete.partition("=")
    last = said[-1] if said else ""
    if incomplete == "=" or (last.startswith("--") and last.endswith("=")):
        # bash splits the word at the `=`, and keeps what is before it.
        return _values(BY_FLAG.get(last.rstrip("=")), (), value if incomplete == "=" else incomplete)
    if equals and flag in BY_FLAG:
        return [Suggestion(f"{flag}={found.value}", found.type) for found in _values(BY_FLAG[flag], (), value)]
    option, taken = _open(said)
    values = [] if incomplete.startswith("-") else _values(option, taken, incomplete)
    required = option is not None and option.bare is None and not taken
    return values if values or required else _flags(said, incomplete)


def _joined(words: Iterable[str]) -> list[str]:
    """The words as they were typed: bash splits `--output=json` into three."""
    said: list[str] = []
    for word in words:
        if said and said[-1].startswith("--") and (word == "=" or said[-1].endswith("=")):
            said[-1] += word
        else:
            said.append(word)
    return said


def _open(said: Sequence[str]) -> tuple[Option | None, tuple[str, ...]]:
    """The option that may take the next word, and the values that it has already."""
    option: Option | None = None
    taken: tuple[str, ...] = ()
    for word in said:
        if word.startswith("-"):
            option, taken = BY_FLAG.get(word), ()
        else:
            taken = (*taken, word)
        # A flag takes no value, any other option but a list takes one.
        if option is not None and (option.kind == "flag" or (taken and option.kind != "strings")):
            option, taken = None, ()
    return option, taken


def _values(option: Option | None, taken: Sequence[str], incomplete: str) -> list[Suggestion]:
    if option is None or option.kind == "flag":
        return []
    if option.file:
        return [Suggestion(incomplete, "file")]
    values: Iterable[str] = option.choices
    if option.metavar in ("R", "P"):
        from .aws.session import known_profiles, known_regions

        # A run reports what is wrong with the AWS configuration; completion must not.
        with suppress(Exception):
            values = known_regions() if option.metavar == "R" else filter(_UNQUOTED.fullmatch, known_profiles())
    return [Suggestion(value) for value in values if value.startswith(incomplete) and value not in taken]


def _flags(said: Sequence[str], incomplete: str) -> list[Suggestion]:
    """Options that are not on the line yet, and those that may be repeated."""
    shown = [option for option in OPTIONS if option.kind == "strings" or not {*option.flags} & {*said}]
    flags = {flag: option.help for option in shown for flag in option.flags} | OWN
    return [
        Suggestion(flag, help=help)
        for flag, help in flags.items()
        if flag.startswith(incomplete) and (incomplete == "-" or flag.startswith("--"))
    ]
