"""The words of a command line: which are options, which are their values, and which are mistakes.  Pure."""

from collections.abc import Iterator, Sequence

from .config import AMI_ID, BY_FLAG
from .errors import UsageError
from .options import OWN, Option, nearest

BARE = "\0"
"""The value of an option that was given without one; no argument of a process can contain it."""

_SEE_HELP = "Run 'amicleaner --help' for all options."


def one_value_per_flag(words: Sequence[str]) -> Iterator[str]:
    """The words with a flag for each value, `--region A B` as `--region=A --region=B`, for parsers that know one form only.

    A word that starts with a dash is never a value, a negative number aside: a swallowed --dry-run would delete AMIs.
    Raises UsageError for a word that is neither an option nor a value."""
    rest = list(words)
    before: str | None = None
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        option = BY_FLAG.get(flag)
        if word == "--" and not rest:
            return
        if not word.startswith("-") or word in ("-", "--"):
            raise _unexpected(rest[0] if word == "--" else word, before)
        if option is None and flag not in OWN:
            _check_joined(word)
            yield word
        elif option is None or option.kind == "flag":
            if equals:
                raise UsageError(f"{flag} takes no value.")
            yield word
        elif equals:
            yield f"{flag}={value}"
        else:
            yield from (f"{flag}={value}" for value in _take_values(option, flag, rest))
        before = flag


def _take_values(option: Option, flag: str, rest: list[str]) -> list[str]:
    """The values of an option, taken off the front of the remaining words."""
    values: list[str] = []
    while rest and not (values and option.kind != "strings"):
        is_number = option.kind in ("integer", "number") and rest[0][1:2].isdigit()
        if rest[0].startswith("-") and not is_number and not (rest[0] == "-" and option.dash):
            break
        values.append(rest.pop(0))
    if values:
        return values
    if option.bare is not None:
        return [BARE]
    if option.kind in ("integer", "number"):
        raise UsageError(f"{flag} requires a number.")
    hint = f"If the value starts with a dash, write {flag}={rest[0]}" if rest else ""
    raise UsageError(f"{flag} requires a value.", hint=hint)


def _check_joined(word: str) -> None:
    """Short flags may be joined, `-fq`; anything else is a mistake."""
    if word.startswith("--"):
        flag = word.partition("=")[0]
        raise UsageError(f"Unknown option {flag!r}.", hint=_meant(flag))
    for letter in word[1:]:
        option = BY_FLAG.get(f"-{letter}")
        if f"-{letter}" not in OWN and (option is None or option.kind != "flag"):
            raise UsageError(f"Unknown option {word!r}.", hint=_meant(f"-{word}"))


def _unexpected(word: str, before: str | None) -> UsageError:
    """A word that is not an option and not a value of one; `before` is the last option before it."""
    if AMI_ID.fullmatch(word):
        return UsageError(f"Unexpected argument {word!r}.", hint=f"To see everything known about this AMI: --explain {word}")
    if before is None and not word.startswith("-"):
        flags = [flag for flag in (*BY_FLAG, *OWN) if flag.startswith(f"--{word}")]
        hint = f"Did you mean {flags[0]}?" if flags and word else "To see what would be deleted: amicleaner --dry-run"
        return UsageError(f"amicleaner has no subcommands: {word!r}.", hint=hint)
    option = BY_FLAG.get(before or "")
    takes = "takes no value" if option is None or option.kind == "flag" else "takes one value"
    return UsageError(f"Unexpected argument {word!r}.", hint=f"{before} {takes}." if before else _SEE_HELP)


def _meant(flag: str) -> str:
    near = nearest(flag, [flag for flag in (*BY_FLAG, *OWN) if flag.startswith("--")])
    return f"Did you mean {near}?" if near else _SEE_HELP
