"""What an option is.  `config.py` states each option once; everything else about it follows from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Kind = Literal["flag", "integer", "number", "string", "strings"]

GROUPING = "Grouping"
FILTERS = "Filters"
RETENTION = "Retention"
IN_USE = "In-use checks"
PREVIEW = "Plan and preview"
DELETION = "Deletion"
UNDO = "Quarantine and restore"
ACCOUNTS = "Accounts and Regions"
OUTPUT = "Output"
SETTINGS = "Settings"

SECTIONS = (GROUPING, FILTERS, RETENTION, IN_USE, PREVIEW, DELETION, UNDO, ACCOUNTS, OUTPUT, SETTINGS)
"""In the order of the help."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option, from the command line to the documentation.

    `name` is the field of `Config`, the key in a configuration file and, in capitals, the end of the environment variable.
    `default` is the value without the option, `shown` what the help says of it (nothing: the default tells nobody anything),
    `bare` the value of the flag without a value (None: it needs one).  `file` says that the value is the path of a file.

    `command_line_only`: it deletes or weakens a check, so that no file and no environment may set it.
    `selects`: it chooses AMIs by group, age or filter, so that it cannot be combined with --from-ids.
    `in_rule`: a `[[rule]]` table may set it.  `in_plan`: a saved plan brings it along.
    `with_apply_plan`, `with_restore`: it may be combined with these two.
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
    minimum: float | None = None
    maximum: float | None = None
    bare: Any = None
    file: bool = False
    command_line_only: bool = False
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


def option(default: T, section: str, help: str, **facts: Any) -> T:
    """A field of `Config` with the facts about its option, by the names of `Option`; its kind follows from its type."""
    made: T = field(default=default, metadata={"option": {"section": section, "help": help, **facts}})
    return made


def kind_of(annotation: str) -> Kind:
    """The kind of an option by the annotation of its field.  Raises KeyError for a type that no option has."""
    kinds: dict[str, Kind] = {
        "bool": "flag",
        "int": "integer",
        "float": "number",
        "str": "string",
        "tuple[str, ...]": "strings",
    }
    return kinds[annotation.removesuffix(" | None")]
