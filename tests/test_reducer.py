"""Which of a group are the newest."""

from __future__ import annotations

from itertools import permutations

import pytest

from amicleaner.models import Ami
from amicleaner.reducer import newest_first, reduce_group
from tests.strategies import image


def ids(amis: object) -> list[int]:
    assert isinstance(amis, list | tuple)
    return [int(ami.id[4:], 16) for ami in amis]


def test_newest_first_then_by_id_whatever_the_order_of_the_input() -> None:
    amis = [image(3, days=1), image(1, days=2), image(2, days=2), image(4, days=5)]
    for order in permutations(amis):
        assert ids(newest_first(order)) == [3, 1, 2, 4]


def test_without_a_date_it_is_the_oldest() -> None:
    assert ids(newest_first([image(1, created=None), image(2, days=9999)])) == [2, 1]


@pytest.mark.parametrize(
    "keep, kept, old",
    [(0, [], [1, 2, 3]), (1, [1], [2, 3]), (2, [1, 2], [3]), (3, [1, 2, 3], []), (9, [1, 2, 3], [])],
)
def test_the_n_newest_stay(keep: int, kept: list[int], old: list[int]) -> None:
    amis = [image(number, days=number) for number in (2, 3, 1)]
    stay, go = reduce_group(amis, keep)
    assert (ids(stay), ids(go)) == (kept, old)


@pytest.mark.parametrize("state", ["failed", "error", "invalid"])
def test_a_failed_one_takes_no_place_however_new(state: str) -> None:
    amis: list[Ami] = [image(1, days=1, state=state), image(2, days=2), image(3, days=3)]
    stay, go = reduce_group(amis, 1)
    assert (ids(stay), ids(go)) == ([2], [1, 3])
