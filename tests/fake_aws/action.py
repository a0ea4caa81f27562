"""What the handler of an action receives, and the tables of handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from .calls import Call
from .errors import ApiError, invalid_value
from .filters import Getter, select
from .paging import PAGING_PARAMS, Pager, token_of
from .region import RegionState
from .resources import Resource, Shape
from .world import AccessKey, Account, World

T = TypeVar("T")
R = TypeVar("R", bound=Resource)


@dataclass
class Context:
    world: World
    account: Account
    region: RegionState
    caller: AccessKey
    call: Call
    pager: Pager
    may: Callable[[str, bool], bool]  # given an IAM action and whether AWS calls on the caller's behalf

    @property
    def params(self) -> Shape:
        return self.call.params

    def text(self, name: str) -> str | None:
        """A parameter, or None where it is empty or missing."""
        value = self.params.get(name)
        return str(value) if value not in (None, "") else None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise ApiError("MissingParameter", f"The request must contain the parameter {name}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.params.get(name, default)
        return value if isinstance(value, bool) else str(value).lower() == "true"

    def strings(self, name: str) -> list[str]:
        value = self.params.get(name)
        return [str(entry) for entry in value] if isinstance(value, list) else []

    def structures(self, name: str) -> list[Shape]:
        value = self.params.get(name)
        return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []

    def select(self, resources: Iterable[R], getters: dict[str, Getter[R]]) -> list[R]:
        return select(resources, self.structures("Filter"), getters)

    def size(self, smallest: int, largest: int, default: int | None = None) -> int | None:
        """EC2's MaxResults, which must be within these bounds."""
        value = self.text("MaxResults")
        if value is None:
            return default
        if not value.isdigit() or int(value) > largest:
            raise invalid_value(value, "maxResults", f"Expecting a value smaller than {largest}.")
        if int(value) < smallest:
            raise invalid_value(value, "maxResults", f"Expecting a value greater than {smallest}.")
        return int(value)

    def forbid_pages(self, ids: list[str], parameter: str) -> None:
        if ids and self.text("MaxResults") is not None:
            message = f"The parameter {parameter} cannot be used with the parameter maxResults"
            raise ApiError("InvalidParameterCombination", message)

    def page(self, items: Iterable[R], size: int | None) -> tuple[list[R], str | None]:
        return self.page_by(items, size, lambda resource: resource.seq)

    def page_by(self, items: Iterable[T], size: int | None, key: Callable[[T], Any]) -> tuple[list[T], str | None]:
        return self.pager.cut(self.call, items, size, key, self._invalid_token())

    def _invalid_token(self) -> ApiError:
        token = token_of(self.params)
        match self.call.service:
            case "ec2":  # as observed with DescribeVpcs and DescribeImages
                return invalid_value(token, "NextToken", "The token is invalid.")
            case "autoscaling":
                return ApiError("InvalidNextToken", f"The token '{token}' was invalid")
            case _:
                return ApiError("InvalidInputException", "You specified an invalid value: INVALID_NEXT_TOKEN.")


Handler = Callable[[Context], "str | Shape"]


@dataclass(frozen=True)
class Action:
    handler: Handler
    params: frozenset[str]


class Actions(dict[str, Action]):
    """The actions of one service. Each names the parameters that it supports; any other is an error, never ignored."""

    def __call__(self, *params: str, name: str = "") -> Callable[[Handler], Handler]:
        """`name` is the action's, where it does not follow from the handler's."""

        def register(handler: Handler) -> Handler:
            action = name or "".join(word.capitalize() for word in handler.__name__.split("_"))
            self[action] = Action(handler, frozenset(params) | PAGING_PARAMS)
            return handler

        return register
