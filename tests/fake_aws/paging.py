"""Pages and their tokens.

A token stands for the last item that was given out, not for a number of items, so that deletions between two
pages neither repeat nor skip anything. It holds for the same caller and question only, as AWS has it.
"""

from __future__ import annotations

import base64
import itertools
import json
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
class Place:
    question: str
    after: Any
    page: int
    blank_given: bool


class Pager:
    def __init__(self) -> None:
        # AWS may return fewer items than were asked for, even none, and still a token.
        self.cap: int | None = None
        self.blank_pages = False
        self._places: dict[str, Place] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def expire(self) -> None:
        """Every token given out so far stops to hold."""
        with self._lock:
            self._places.clear()

    def number(self, params: Shape) -> int:
        place = self._places.get(token_of(params))
        return place.page if place else 1

    def cut(
        self,
        call: Call,
        items: Iterable[T],
        size: int | None,
        key: Callable[[T], Any],
        invalid: ApiError,
    ) -> tuple[list[T], str | None]:
        """One page of the items (in the order of `key`) and the token of the next one."""
        question = json.dumps(
            [
                call.account,
                call.region,
                call.name,
                {k: v for k, v in call.params.items() if k not in PAGING_PARAMS},
            ],
            sort_keys=True,
        )
        place = Place(question, None, 1, False)
        token = token_of(call.params)
        if token:
            known = self._places.get(token)
            if known is None or known.question != question:
                raise invalid
            place = known
        rest = sorted(items, key=key)
        if place.after is not None:
            rest = rest[bisect_right(rest, place.after, key=key) :]
        if self.blank_pages and rest and not place.blank_given:
            return [], self._issue(Place(question, place.after, place.page + 1, True))
        limits = [limit for limit in (size, self.cap) if limit is not None]
        if not limits or len(rest) <= min(limits):
            return rest, None
        page = rest[: min(limits)]
        return page, self._issue(Place(question, key(page[-1]), place.page + 1, False))

    def _issue(self, place: Place) -> str:
        with self._lock:
            token = base64.b64encode(f"page {place.page} token {next(self._numbers)}".encode()).decode()
            self._places[token] = place
            return token
