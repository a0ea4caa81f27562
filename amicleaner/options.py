"""What an option is: its facts, and the checks of a single value.  `config.py` states each option once, and everything else
about it follows from there."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

from .errors import UsageError

Kind = Literal["flag", "integer", "number", "string", "strings"]

KIND_WORDS: dict[Kind, str] = {
    "flag": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "strings": "a list of strings",
}

KINDS: dict[Any, Kind] = {
    bool: "flag",
    int: "integer",
    int | None: "integer",
    float: "number",
    float | None: "number",
    str: "string",
    str | None: "string",
    tuple[str, ...]: "strings",
    tuple[str, ...] | None: "strings",
}
"""The kind of an option by the type of its field."""

FLAG_WORDS = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
"""What an environment variable of a flag may say, in upper or lower case."""

_VERSION, _HELP = "Print the version and exit.", "Show this message and exit."

OWN = {"-v": _VERSION, "--version": _VERSION, "-h": _HELP, "--help": _HELP}
"""The options that click handles, with their help; they are no fields of `Config`."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form:
    """What a string must look like: a regular expression for the whole string, the words for it, and an example."""

    pattern: re.Pattern[str]
    words: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option, from the command line to the documentation.

    `name` is the field of `Config`, the key in a configuration file and, in capitals, the end of the environment variable.
    `default` is the value without the option, `shown` what the help says about it (empty where that would tell nothing),
    `bare` the value of the option without a value (None: it requires one).  `file` says that a value is a path, `dash` that
    a single dash is one, for standard input or output.

    `command_line_only`: it deletes or weakens a check, so no file and no environment variable may set it.
    `in_file`, `in_environment`: a configuration file, the environment may set it.
    `selects`: it chooses AMIs by group, age or filter, so it cannot be combined with --from-ids.
    `in_rule`: a `[[rule]]` table may set it.  `in_plan`: a saved plan contains it.
    `with_apply_plan`, `with_restore`: it may be combined with --apply-plan, with --restore.
    """

    name: str
    kind: Kind
    default: Any
    section: str
    help: str
    shown: str = ""
    metavar: str = ""
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    form: Form | None = None
    minimum: float | None = None
    maximum: float | None = None
    bare: Any = None
    file: bool = False
    dash: bool = False
    command_line_only: bool = False
    in_file: bool = True
    in_environment: bool = True
    selects: bool = False
    in_rule: bool = False
    in_plan: bool = False
    with_apply_plan: bool = False
    with_restore: bool = False

    @property
    def flag(self) -> str:
        """The long option: `--keep-previous`."""
        return "--" + self.name.replace("_", "-")

    @property
    def flags(self) -> tuple[str, ...]:
        """Every spelling, the long option first."""
        return (self.flag, *self.aliases)

    @property
    def variable(self) -> str:
        """The environment variable: `AMICLEANER_KEEP_PREVIOUS`."""
        return "AMICLEANER_" + self.name.upper()

    @property
    def usage(self) -> str:
        """The option as the help shows it: `-q, --quiet`, `--region R ...`, `--explain [AMI ...]`."""
        value = self.metavar or "|".join(self.choices)
        more = f"{value} ..." if self.kind == "strings" else value
        flags = ", ".join(sorted(self.flags, key=lambda flag: flag.startswith("--")))
        return f"{flags} {f'[{more}]' if self.bare is not None else more}".strip()

    def parse(self, text: str, label: str = "") -> bool | int | float | str:
        """The value that `text` stands for, one of several for a list.  Raises UsageError, which names `label`."""
        label = label or self.flag
        if self.kind == "flag":
            word = text.strip().lower()
            if word not in FLAG_WORDS:
                raise UsageError(f"{label}: {text!r} is not one of {', '.join(FLAG_WORDS)}.")
            return FLAG_WORDS[word]
        try:
            return int(text) if self.kind == "integer" else float(text) if self.kind == "number" else text
        except ValueError:
            raise UsageError(f"{label}: {text!r} is not {KIND_WORDS[self.kind]}.") from None

    def check(self, value: Any, label: str = "") -> None:
        """Raises UsageError, which names `label`, for a value that this option does not take."""
        label = label or self.flag
        if value is None and self.default is None:
            return
        if self.kind == "flag" and not isinstance(value, bool):
            raise UsageError(f"{label}: {value!r} is not True or False.")
        if self.kind in ("integer", "number"):
            self._check_number(value, label)
        for string in value if self.kind == "strings" else (value,) if self.kind == "string" else ():
            self._check_string(string, label)

    def _check_number(self, value: Any, label: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int if self.kind == "integer" else int | float):
            raise UsageError(f"{label}: {value!r} is not {KIND_WORDS[self.kind]}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{label}: {value} is not a finite number.")
        shown = f"{value:.15g}" if isinstance(value, float) else value
        if self.minimum is not None and value < self.minimum:
            raise UsageError(f"{label}: {shown} is too small; the minimum is {self.minimum:g}.")
        if self.maximum is not None and value > self.maximum:
            raise UsageError(f"{label}: {shown} is too large; the maximum is {self.maximum:.0f}.")

    def _check_string(self, string: Any, label: str) -> None:
        if not isinstance(string, str) or not string:
            raise UsageError(f"{label}: empty value; omit the option or set a value.")
        # Python keeps bytes that it can't decode as surrogates.  No tag or name has one, so the value would match nothing.
        if not self.file and any("\ud800" <= char <= "\udfff" for char in string):
            raise UsageError(f"{label}: {string!r} contains bytes that are invalid in this locale.")
        if self.choices and string not in self.choices:
            near = nearest(string, self.choices)
            hint = _several(string, label) or (f"Did you mean {near}?" if near else "")
            raise UsageError(f"{label}: {string!r} is not one of {', '.join(self.choices)}.", hint=hint)
        if self.form is not None and not self.form.pattern.fullmatch(string):
            hint = _several(string, label) or f"Example: {self.form.example}"
            raise UsageError(f"{label}: {string!r} is not {self.form.words}.", hint=hint)


def option(default: T, section: str, help: str, **facts: Any) -> T:
    """A field of `Config` with the facts about its option, by the names of `Option`; its kind follows from its type."""
    made: T = field(default=default, metadata={"option": {"section": section, "help": help, **facts}})
    return made


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that was probably meant, or an empty string: the first that `name` begins, else the most similar one."""
    names = list(names)
    begun = [known for known in names if len(name.strip("-")) > 1 and known.startswith(name)]
    return next(iter(begun or get_close_matches(name, names, n=1, cutoff=0.75)), "")


def _several(string: str, label: str) -> str:
    """The hint for values that were separated by commas."""
    values = [value.strip() for value in string.split(",") if value.strip()]
    if "," not in string or not values:
        return ""
    if label.startswith("--"):
        return f"Separate values with spaces: {label} {' '.join(values)}"
    return f"Set separate values: {', '.join(map(repr, values))}"
