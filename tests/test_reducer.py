"""Which AMIs of a group are kept for being new, and by which rule; held against an independent oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given

from amicleaner.config import Config
from amicleaner.models import Ami
from amicleaner.reducer import newest_first, retained
from tests.strategies import Choices, chosen, image


def ids(amis: Sequence[Ami]) -> list[int]:
    return [int(ami.id[4:], 16) for ami in amis]


def made(number: int, year: int, month: int, day: int) -> Ami:
    return image(number, created=datetime(year, month, day, tzinfo=UTC))


def kept(amis: Sequence[Ami], **options: Any) -> dict[int, tuple[str, str]]:
    return {int(id[4:], 16): reason for id, reason in retained(amis, Config(**options), "web").items()}


def sentences(amis: Sequence[Ami], **options: Any) -> dict[int, str]:
    return {number: sentence for number, (_, sentence) in kept(amis, **options).items()}


def test_newest_first_then_by_id_whatever_the_order_of_the_input() -> None:
    amis = [image(3, days=1), image(1, days=2), image(2, days=2), image(4, days=5)]
    for order in permutations(amis):
        assert ids(newest_first(order)) == [3, 1, 2, 4]


def test_without_a_date_it_is_the_oldest() -> None:
    assert ids(newest_first([image(1, created=None), image(2, days=9999)])) == [2, 1]


@pytest.mark.parametrize("number, expected", [(0, []), (1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (9, [1, 2, 3])])
def test_the_n_newest_are_kept(number: int, expected: list[int]) -> None:
    amis = [image(number, days=number) for number in (2, 3, 1)]
    assert sorted(kept(amis, keep_previous=number)) == expected


def test_the_sentence_names_the_group() -> None:
    amis = [image(1, days=1), image(2, days=2)]
    assert kept(amis, keep_previous=1) == {1: ("kept-previous", "The newest in web.")}
    assert kept(amis, keep_previous=4)[2] == ("kept-previous", "One of the 4 newest in web.")


@pytest.mark.parametrize("state", ["failed", "error", "invalid"])
@pytest.mark.parametrize("options", [{"keep_previous": 1}, {"keep_daily": 1}, {"keep_yearly": 1}])
def test_a_failed_ami_never_counts_among_the_newest(state: str, options: dict[str, Any]) -> None:
    amis = [image(1, days=1, state=state), image(2, days=2), image(3, days=3)]
    assert list(kept(amis, **options)) == [2]


def test_periods_without_an_ami_do_not_count() -> None:
    amis = [made(1, 2026, 10, 20), made(2, 2026, 10, 3), made(3, 2026, 7, 31), made(4, 2024, 2, 29), made(5, 2023, 1, 1)]
    assert kept(amis, keep_monthly=3) == {
        1: ("kept-monthly", "Newest of 2026-10, month 1 of 3."),
        3: ("kept-monthly", "Newest of 2026-07, month 2 of 3."),
        4: ("kept-monthly", "Newest of 2024-02, month 3 of 3."),
    }


def test_each_rule_tells_its_period() -> None:
    amis = [made(1, 2026, 10, 20), made(2, 2026, 10, 19), made(3, 2026, 10, 11), made(4, 2026, 9, 1), made(5, 2025, 9, 1)]
    options = {"keep_previous": 1, "keep_daily": 2, "keep_weekly": 2, "keep_monthly": 2, "keep_yearly": 2}
    assert kept(amis, **options) == {
        1: ("kept-previous", "The newest in web."),
        2: ("kept-daily", "Newest of 2026-10-19, day 2 of 2."),
        3: ("kept-weekly", "Newest of 2026-W41, week 2 of 2."),
        4: ("kept-monthly", "Newest of 2026-09, month 2 of 2."),
        5: ("kept-yearly", "Newest of 2025, year 2 of 2."),
    }


def test_weeks_are_iso_weeks() -> None:
    """2020-W53 ends on Sunday, January 3, 2021; 2025-W01 begins on Monday, December 30, 2024."""
    amis = [made(1, 2025, 1, 5), made(2, 2024, 12, 30), made(3, 2024, 12, 29), made(4, 2021, 1, 3), made(5, 2020, 12, 28)]
    assert sentences(amis, keep_weekly=9) == {
        1: "Newest of 2025-W01, week 1 of 9.",
        3: "Newest of 2024-W52, week 2 of 9.",
        4: "Newest of 2020-W53, week 3 of 9.",
    }


def test_days_are_those_of_utc() -> None:
    late = image(1, created=datetime(2024, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    early = image(2, created=datetime(2024, 2, 29, 0, tzinfo=UTC))
    assert sentences([late, early], keep_daily=2) == {1: "Newest of 2024-02-29, day 1 of 2."}


def test_given_only_periods_no_ami_is_kept_for_being_among_the_newest() -> None:
    amis = [image(number, days=number / 100) for number in range(1, 6)]
    assert len(kept(amis)) == 4
    assert len(kept(amis, keep_yearly=1)) == 1
    assert len(kept(amis, keep_yearly=1, keep_previous=2)) == 2


# The oracle walks through every day of the calendar, from the newest AMI back to the oldest.


def monday(day: date) -> date:
    return day - timedelta(days=(day - date(2018, 1, 1)).days % 7)


STARTS: dict[str, Callable[[date], date]] = {
    "keep_daily": lambda day: day,
    "keep_weekly": monday,
    "keep_monthly": lambda day: day.replace(day=1),
    "keep_yearly": lambda day: day.replace(month=1, day=1),
}


def oracle(amis: Sequence[Ami], options: dict[str, Any]) -> set[str]:
    """What is kept: for each rule, periods from the last day backwards, the AMIs of each one by one."""
    dated = [(ami.created, ami.id) for ami in amis if ami.state == "available" and ami.created is not None]
    dated.sort(key=lambda row: (-row[0].timestamp(), row[1]))
    found = {id for _, id in dated[: options.get("keep_previous", 0)]}
    if not dated:
        return found
    first, last = dated[-1][0].date(), dated[0][0].date()
    for name, start_of in STARTS.items():
        left, day = options.get(name, 0), last
        while left and day >= first:
            start = start_of(day)
            of_period = [id for created, id in dated if start <= created.date() <= day]
            found |= set(of_period[:1])
            left -= bool(of_period)
            day = start - timedelta(days=1)
    return found


EDGES = [
    datetime(year, month, day, tzinfo=UTC)
    for year in (2019, 2020, 2021, 2023, 2024, 2025)
    for month, day in ((1, 1), (1, 4), (2, 28), (3, 1), (12, 28), (12, 31))
]


def choose_moment(choices: Choices) -> datetime:
    if choices.one((True, False)):
        return choices.one(EDGES) + timedelta(days=choices.one(range(-8, 9)), seconds=choices.one((-1, 0, 1, 3600)))
    return datetime(2018, 1, 1, tzinfo=UTC) + timedelta(days=choices.byte() * 13, minutes=choices.byte() * 5)


def choose_amis_and_options(choices: Choices) -> tuple[list[Ami], dict[str, Any], Choices]:
    states = ("available", "available", "available", "failed")
    amis = [
        image(number, created=choose_moment(choices), state=choices.one(states)) for number in range(choices.one(range(26)))
    ]
    numbers = {name: choices.one(range(6)) for name in STARTS if choices.one((False, True))}
    return amis, {"keep_previous": choices.one(range(4)), **numbers}, choices


cases = chosen(choose_amis_and_options, 160)


@given(cases)
def test_the_oracle_keeps_the_same(case: tuple[list[Ami], dict[str, Any], Choices]) -> None:
    amis, options, _ = case
    found = retained(amis, Config(**options), "web")
    assert found.keys() == oracle(amis, options)
    assert retained(amis[::-1], Config(**options), "web") == found


@given(cases)
def test_more_to_keep_never_keeps_less(case: tuple[list[Ami], dict[str, Any], Choices]) -> None:
    amis, options, choices = case
    name, more = choices.one(("keep_previous", *STARTS)), choices.one((1, 2, 3))
    larger = {**options, name: options.get(name, 0) + more}
    assert retained(amis, Config(**options), "web").keys() <= retained(amis, Config(**larger), "web").keys(), name


@given(cases)
def test_fewer_amis_beside_it_never_end_what_keeps_an_ami(case: tuple[list[Ami], dict[str, Any], Choices]) -> None:
    """What makes the whole plan monotonic: an AMI that comes into use only makes room."""
    amis, options, choices = case
    fewer = [ami for ami in amis if choices.one((True, False))]
    still = {ami.id for ami in fewer}
    assert still & retained(amis, Config(**options), "web").keys() <= retained(fewer, Config(**options), "web").keys()
