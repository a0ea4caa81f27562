"""EC2's filters: OR between values, AND between filters.  None of those that are known has wildcards in its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from .errors import ApiError
from .resources import Resource, Shape

R = TypeVar("R", bound=Resource)

Getter = Callable[[R], str]


def select(resources: Iterable[R], filters: list[Shape], getters: Mapping[str, Getter[R]]) -> list[R]:
    chosen = list(resources)
    for entry in filters:
        name, values = entry.get("Name", ""), entry.get("Value") or []
        if len(values) > 200:
            raise ApiError("FilterLimitExceeded", "The maximum number of filter values is 200")
        if name not in getters:
            raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")
        chosen = [resource for resource in chosen if getters[name](resource) in values]
    return chosen
