from __future__ import annotations

import json
from dataclasses import replace

import pytest

from amicleaner.config import Config
from amicleaner.report.summary_line import added_line, monthly_usd

from .accounts import ami, article, plan_of


def test_the_articles_line() -> None:
    assert added_line(plan_of(article())) == (
        "4 AMIs and 4 snapshots go, at most 32 GiB, about $1.60 a month (at $0.05 a GiB); "
        "17 AMIs stay: 16 kept-previous, 1 no-tags"
    )


def test_nothing_goes_and_nothing_stays() -> None:
    assert added_line(plan_of(())) == (
        "0 AMIs and 0 snapshots go, at most 0 GiB, about $0.00 a month (at $0.05 a GiB); 0 AMIs stay"
    )


def test_the_plural_is_the_only_form() -> None:
    plan = plan_of([ami(1, "x", "2017-06-15T09:55:42.000Z", {"role": "x"}, size=1)], Config(keep_previous=0))
    assert added_line(plan) == (
        "1 AMIs and 1 snapshots go, at most 1 GiB, about $0.05 a month (at $0.05 a GiB); 0 AMIs stay"
    )


@pytest.mark.parametrize(
    "price, shown, sum",
    [
        (0.053, "0.053", "1.70"),
        (0.1, "0.10", "3.20"),
        (1, "1.00", "32.00"),
        (2.0, "2.00", "64.00"),
        (0, "0.00", "0.00"),
        (-0.0, "0.00", "0.00"),
        (1e-7, "0.0000001", "0.00"),
        (1e22, "10000000000000000000000.00", "320000000000000000000000.00"),
    ],
)
def test_the_price_is_told_as_it_was_given(price: float, shown: str, sum: str) -> None:
    line = added_line(plan_of(article(), Config(price_per_gib=price)))
    assert f"about ${sum} a month (at ${shown} a GiB)" in line


def test_of_many_images_it_says_that_shared_ones_will_stay() -> None:
    assert added_line(replace(plan_of(article()), shared_unasked=True)).endswith("; of those that go, shared ones will stay")


def test_json_has_no_infinity() -> None:
    json.dumps(monthly_usd(10**6, 1e308), allow_nan=False)
    assert monthly_usd(3, 0.1) == 0.3
