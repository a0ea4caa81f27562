"""EC2's filters: OR between values, AND between filters; `*` and `?` are wildcards; case-sensitive."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TypeVar

from .errors import ApiError
from .resources import Resource, Shape
from .wire import text

R = TypeVar("R", bound=Resource)

Getter = Callable[[R], object]  # a value, or a list of values


@lru_cache(maxsize=1024)
def pattern(value: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    pieces = re.findall(r"\\.|.", value, re.DOTALL)
    regex = "".join(
        parts.get(piece) or re.escape(piece[1:] if piece.startswith("\\") and len(piece) > 1 else piece) for piece in pieces
    )
    return re.compile(regex, re.DOTALL)


def select(resources: Iterable[R], filters: list[Shape], getters: Mapping[str, Getter[R]]) -> list[R]:
    chosen = list(resources)
    for entry in filters:
        name, values = entry.get("Name", ""), entry.get("Value") or []
        if len(values) > 200:
            raise ApiError("FilterLimitExceeded", "The maximum number of filter values is 200")
        getter = _getter(name, getters)
        exact = {value for value in values if not set(value) & set("*?\\")}
        patterns = [pattern(value) for value in values if value not in exact]
        chosen = [resource for resource in chosen if _matches(getter(resource), exact, patterns)]
    return chosen


def _getter(name: str, getters: Mapping[str, Getter[R]]) -> Getter[R]:
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda resource: resource.tags.get(key)
    if name == "tag-key":
        return lambda resource: list(resource.tags)
    if name not in getters:
        raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return getters[name]


def _matches(value: object, exact: set[str], patterns: list[re.Pattern[str]]) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    texts = [entry if isinstance(entry, str) else text(entry) for entry in values if entry is not None]
    return any(entry in exact or any(one.fullmatch(entry) for one in patterns) for entry in texts)
