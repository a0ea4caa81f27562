"""Options from a TOML file and from the environment, and how they combine with the command line.  Pure but for reading the
file.  What deletes or weakens a check is taken from the command line alone."""

import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from .config import BY_NAME, EXCLUDED, OPTIONS, Config, Rule, check_combination
from .errors import UsageError
from .options import FLAG_WORDS, KIND_WORDS, Option, nearest

PREFIX = "AMICLEANER_"

FILE_KEYS = frozenset(option.name for option in OPTIONS if option.in_file)
"""What a configuration file may set, in addition to `[[rule]]` tables."""

RULE_KEYS = frozenset(option.name for option in OPTIONS if option.in_rule)
"""What a `[[rule]]` table may set, in addition to its name."""

_MAX_CHARACTERS = 1 << 20
"""Far more than anybody configures, and enough to stop at a device without an end."""


def from_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The options in `AMICLEANER_…` variables, as values of their kinds, and warnings about variables that are no option.

    Values of a list are separated by white space; an empty variable sets nothing.  Raises UsageError for an option that the
    environment may not set, and for a value that is wrong."""
    values: dict[str, Any] = {}
    warnings: list[str] = []
    known = [option.name for option in OPTIONS if option.in_environment]
    for variable in sorted(environ):
        text = environ[variable]
        if not variable.startswith(PREFIX) or not text.strip():
            continue
        name = variable.removeprefix(PREFIX).lower()
        option = BY_NAME.get(name)
        if option is None or option.variable != variable:
            near = nearest(name, known)
            meant = f" Did you mean {BY_NAME[near].variable}?" if near else ""
            warnings.append(f"Unknown environment variable {variable}.{meant}")
            continue
        if not option.in_environment:
            raise _not_allowed(variable, option)
        value: Any
        if option.bare is not None and text.strip().lower() in FLAG_WORDS:
            value = option.bare if FLAG_WORDS[text.strip().lower()] else option.default
        elif option.kind == "strings":
            value = tuple(text.split())
        else:
            value = option.parse(text, variable)
        option.check(value, variable)
        values[option.name] = value
    return values, warnings


def from_file(path: str) -> dict[str, Any]:
    """The options in a TOML file; see `from_mapping`.  Raises UsageError, also for a file that can't be read."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_CHARACTERS + 1)
        if len(text) > _MAX_CHARACTERS:
            raise UsageError(f"The configuration file {path} is too large.")
        # Editors on Windows put a byte order mark before the text.
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except OSError as error:
        raise UsageError(f"Can't read the configuration file {path}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"The configuration file {path} is not TOML: {error}.") from error
    return from_mapping(document, path)


def from_mapping(document: Mapping[str, Any], where: str, *, allowed: Collection[str] = ()) -> dict[str, Any]:
    """The options in a configuration, by their long names, as values of their kinds; the `[[rule]]` tables as `rules`.
    `allowed` are names of options that it may set although they are for the command line alone.

    Raises UsageError, which names `where`, for a key or a value that is wrong."""
    table = {key: value for key, value in document.items() if key != "rule"}
    values = _values(table, where, FILE_KEYS | {"rule"}, allowed)
    if "rule" in document:
        values["rules"] = _rules(document["rule"], where, has_values="mapping_values" in values)
    return values


def combine(line: Mapping[str, Any], environment: Mapping[str, Any], event: Mapping[str, Any] | None = None) -> Config:
    """The configuration of a run: the command line, then the environment, then the event of a function, then the file that
    one of the first two names.  A list is taken whole from the first that has it.

    Options that --from-ids, --apply-plan or --restore exclude are an error on the command line; from elsewhere they are
    ignored.  Raises UsageError for options that cannot be combined, and for a wrong file."""
    path = line.get("config", environment.get("config"))
    file = {**(from_file(path) if path else {}), **(event or {})}
    modes = [name for name in ("from_ids", "apply_plan", "restore") if line.get(name)]
    ignored = {"rules"}.union(*(EXCLUDED[name][0] for name in modes)) if modes else set()
    environment, file = (
        {name: value for name, value in source.items() if name not in ignored} for source in (environment, file)
    )
    _check_mapping_key(line, environment, file)
    if "rules" in file:
        flags = [option.flag for option in OPTIONS if option.in_rule and option.name in line]
        variables = [option.variable for option in OPTIONS if option.in_rule and option.name in environment]
        if flags or variables:
            raise UsageError(
                f"{', '.join(flags + variables)} cannot be combined with the [[rule]] tables of the configuration file.",
                hint="Set it in the configuration file: in a rule, or above the first rule for all of them.",
            )
    config = Config(**{**file, **environment, **line})
    check_combination(config, line)
    return config


def _check_mapping_key(*sources: Mapping[str, Any]) -> None:
    """Tag keys are no substrings of names: a key requires values from the same source, or from one that overrides it."""
    for position, source in enumerate(sources, 1):
        if "mapping_key" in source:
            BY_NAME["mapping_key"].check(source["mapping_key"])
            if source["mapping_key"] != "family" and not any("mapping_values" in found for found in sources[:position]):
                raise UsageError("--mapping-key also requires --mapping-values (tag keys, or substrings of names).")
            return


def _not_allowed(what: str, option: Option) -> UsageError:
    if option.command_line_only:
        return UsageError(f"{what} is not allowed: for safety, {option.flag} must be passed on the command line.")
    return UsageError(f"{what} is not allowed: pass {option.flag} on the command line.")


def _values(table: Mapping[str, Any], where: str, keys: Collection[str], allowed: Collection[str] = ()) -> dict[str, Any]:
    """The options in a table that may set `keys`, and also what is `allowed`."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in BY_NAME:
            near = nearest(key.replace("-", "_"), [name for name in BY_NAME if name in keys])
            raise UsageError(f"{where}: unknown key {key!r}.", hint=f"Did you mean {near}?" if near else "")
        if key not in keys and key in FILE_KEYS:
            raise UsageError(f"{where}: {key} cannot be set in a rule.", hint="Set it before the first [[rule]].")
        if key not in keys and key not in allowed:
            raise _not_allowed(f"{where}: {key}", BY_NAME[key])
        values[key] = converted(BY_NAME[key], value, f"{where}: {key}")
        BY_NAME[key].check(values[key], f"{where}: {key}")
    return values


def converted(option: Option, value: Any, where: str) -> Any:
    """A value of TOML or JSON as a value of the option's kind.  Raises UsageError, which names `where`."""
    if option.bare is not None and isinstance(value, bool):
        return option.bare if value else option.default
    if option.kind == "strings":
        if isinstance(value, list) and all(isinstance(string, str) for string in value):
            return tuple(value)
    elif option.kind == "number":
        if isinstance(value, int | float) and not isinstance(value, bool):
            with suppress(OverflowError):
                return float(value)
    elif type(value) is {"flag": bool, "integer": int, "string": str}[option.kind]:
        return value
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    raise UsageError(f"{where} must be {KIND_WORDS[option.kind]}, not {shown}.")


def _rules(tables: Any, where: str, *, has_values: bool) -> tuple[Rule, ...]:
    """The `[[rule]]` tables.  `has_values`: mapping_values are set outside of the rules."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{where}: rule must be a list of tables, each under a line [[rule]].")
    rules: list[Rule] = []
    for number, table in enumerate(tables, 1):
        name = table.get("name")
        if not isinstance(name, str) or not name.strip():
            raise UsageError(f"{where}: [[rule]] number {number} requires a name.")
        here = f"{where}: rule {name!r}"
        options = _values({key: value for key, value in table.items() if key != "name"}, here, RULE_KEYS)
        if options.get("mapping_key", "family") != "family" and not (has_values or "mapping_values" in options):
            raise UsageError(f"{here}: mapping_key also requires mapping_values (tag keys, or substrings of names).")
        rules.append(Rule(name, tuple(options.items())))
    return tuple(rules)


def suspicious(config: Config) -> list[str]:
    """Warnings about values that look like several ones with commas between them, which are separated by spaces."""
    return [
        f"{option.flag}: {value!r} contains a comma; separate values with spaces."
        for option in OPTIONS
        if option.kind == "strings" and not (option.choices or option.file)
        for value in getattr(config, option.name) or ()
        if "," in value and config.mapping_key != "pattern"
        if option.form is None or all(map(option.form.pattern.fullmatch, value.split(",")))
    ]
