"""Options from a TOML file and from the environment.  Pure but for reading the file: what is wrong is told with the nearest
right name, and what deletes or weakens a check is taken from the command line alone."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from .config import BY_NAME, OPTIONS
from .errors import UsageError
from .options import Option

PREFIX = "AMICLEANER_"

FILE_KEYS = frozenset(option.name for option in OPTIONS if not option.command_line_only) - {"config", "iam_policy"}
"""What a configuration file may say."""

_TRUE, _FALSE = "1", "0"

_LONGEST = 1 << 20
"""Letters: far beyond what anybody configures, and short of a device without an end."""


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The options in `AMICLEANER_…` variables, as values of their kind: lists are separated by white space, flags are `1`
    or `0`, an empty variable says nothing.  Raises UsageError for a name or a value that is none."""
    values: dict[str, Any] = {}
    for variable in sorted(environ):
        text = environ[variable]
        if not variable.startswith(PREFIX) or not text.strip():
            continue
        name = variable.removeprefix(PREFIX).lower()
        option = BY_NAME.get(name)
        if option is None or option.variable != variable or name == "iam_policy":
            raise UsageError(f"The environment variable {variable} is no option.{_nearest(variable.upper(), _variables())}")
        if option.command_line_only:
            raise UsageError(f"The environment variable {variable} is not obeyed: {_only_there(option)}")
        values[name] = _from_text(option, text, f"The environment variable {variable}")
    return values


def from_file(path: str) -> dict[str, Any]:
    """The options in a TOML file, keys by their long names.  Raises UsageError for a file that can't be read, a key or a
    value that is none."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LONGEST + 1)
        if len(text) > _LONGEST:
            raise UsageError(f"The configuration file {path} is too large for one.")
        # Windows's editors put a mark before the text, which changes nothing in it.
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except OSError as error:
        raise UsageError(f"The configuration file {path} can't be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"The configuration file {path} is not TOML: {error}.") from error
    values: dict[str, Any] = {}
    for key, value in document.items():
        option = BY_NAME.get(key)
        if option is not None and option.command_line_only:
            raise UsageError(f"{path}: {key} is not obeyed: {_only_there(option)}")
        if option is None or key not in FILE_KEYS:
            raise UsageError(f"{path}: {key!r} is no option.{_nearest(key.replace('-', '_'), sorted(FILE_KEYS))}")
        values[key] = _from_toml(option, value, f"{path}: {key}")
    return values


def _only_there(option: Option) -> str:
    return f"what deletes or weakens a check is taken from the command line alone ({option.flag})."


def _variables() -> list[str]:
    return sorted(option.variable for option in OPTIONS if option.name in FILE_KEYS or option.name == "config")


def _nearest(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, n=1, cutoff=0.0)
    return f" Did you mean {close[0]}?" if close else ""


def _from_text(option: Option, text: str, where: str) -> Any:
    if option.kind == "flag":
        if text.strip() not in (_TRUE, _FALSE):
            raise UsageError(f"{where} is {text!r}: a flag is {_TRUE} or {_FALSE}.")
        return text.strip() == _TRUE
    if option.kind == "strings":
        return tuple(text.split())
    if option.kind == "string":
        return text
    try:
        return int(text) if option.kind == "integer" else float(text)
    except ValueError:
        raise UsageError(f"{where} is {text!r}: that is not a {_WORDS[option.kind]}.") from None


_WORDS = {
    "flag": "true or false",
    "integer": "whole number",
    "number": "number",
    "string": "string",
    "strings": "list of strings",
}


def _from_toml(option: Option, value: Any, where: str) -> Any:
    if option.kind == "strings":
        if isinstance(value, list) and all(isinstance(text, str) for text in value):
            return tuple(value)
    elif option.kind == "number":
        if isinstance(value, int | float) and not isinstance(value, bool):
            with suppress(OverflowError):
                return float(value)
    elif type(value) is {"flag": bool, "integer": int, "string": str}[option.kind]:
        return value
    raise UsageError(f"{where} is {value!r}: it takes a {_WORDS[option.kind]}.")
