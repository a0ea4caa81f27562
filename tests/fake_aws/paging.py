"""Pages and their tokens.

A token holds the last item of its page, not a count, so a deletion between two pages neither repeats nor skips an item. As
in AWS, it is valid only for the caller and the parameters that it was given for.
"""

from __future__ import annotations

import base64
import itertools
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from .calls import Call
from .errors import ApiError
from .resources import Shape

T = TypeVar("T")

TOKENS = ("NextToken", "nextToken", "Marker")
PAGING_PARAMS = {*TOKENS, "MaxResults", "maxResults", "MaxRecords"}


def token_of(params: Shape) -> str:
    """The token of the page that is asked for, empty for the first one; its name is each service's own."""
    return str(next((params[name] for name in TOKENS if params.get(name)), ""))


@dataclass(frozen=True)
class Position:
    question: Any
    after: Any
    page: int
    blank_given: bool


class Pager:
    def __init__(self) -> None:
        # AWS may return fewer items than requested, even none, together with a token.
        self.cap: int | None = None
        self.first_cap: int | None = None
        self.blank_pages = False
        self._positions: dict[str, Position] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def number(self, params: Shape) -> int:
        position = self._positions.get(token_of(params))
        return position.page if position else 1

    def cut(
        self,
        call: Call,
        items: Iterable[T],
        size: int | None,
        key: Callable[[T], Any],
        invalid: ApiError,
    ) -> tuple[list[T], str | None]:
        """One page of the items, sorted by `key`, and the token of the next page."""
        asked = {name: value for name, value in call.params.items() if name not in PAGING_PARAMS}
        question = (call.account, call.region, call.name, asked)
        position = Position(question, None, 1, False)
        token = token_of(call.params)
        if token:
            known = self._positions.get(token)
            if known is None or known.question != question:
                raise invalid
            position = known
        rest = sorted(items, key=key)
        if position.after is not None:
            rest = rest[bisect_right(rest, position.after, key=key) :]
        if self.blank_pages and rest and not position.blank_given:
            return [], self._issue(Position(question, position.after, position.page + 1, True))
        first_cap = None if token else self.first_cap
        limits = [limit for limit in (size, self.cap, first_cap) if limit is not None]
        if not limits or len(rest) <= min(limits):
            return rest, None
        page = rest[: min(limits)]
        return page, self._issue(Position(question, key(page[-1]), position.page + 1, False))

    def _issue(self, position: Position) -> str:
        with self._lock:
            token = base64.b64encode(f"page {position.page} token {next(self._numbers)}".encode()).decode()
            self._positions[token] = position
            return token
