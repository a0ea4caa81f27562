"""Where an AMI stands in its quarantine, at any time and with any tag."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.actions import QUARANTINE_TAG
from amicleaner.models import Ami
from amicleaner.quarantine import format_time, parse_since, quarantine_end, quarantine_of
from tests.strategies import NOW, STATES, image

SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)


def held(text: str, state: str = "disabled") -> Ami:
    return image(1, state=state, tags={QUARANTINE_TAG: text, "role": "web"})


def test_an_ami_without_the_tag_has_nothing_to_do_with_quarantine() -> None:
    for state in STATES:
        assert quarantine_of(image(1, state=state, tags={"Amicleaner:quarantined-at": ""}), 7, NOW).stage == "none"


@pytest.mark.parametrize("state", [state for state in STATES if state != "disabled"])
def test_an_ami_with_the_tag_that_is_not_disabled_was_enabled(state: str) -> None:
    assert quarantine_of(held(format_time(NOW - WEEK), state), 7, NOW).stage == "enabled"


@pytest.mark.parametrize(
    "ago, days, stage",
    [
        (timedelta(0), 1, "waiting"),
        (WEEK - SECOND, 7, "waiting"),
        (WEEK, 7, "over"),
        (WEEK, 8, "waiting"),
        (WEEK + SECOND, 7, "over"),
        (-SECOND, 7, "restart"),
        (timedelta(days=-400), 7, "restart"),
    ],
)
def test_days_are_full_24_hours(ago: timedelta, days: int, stage: str) -> None:
    found = quarantine_of(held(format_time(NOW - ago)), days, NOW)
    assert found.stage == stage
    if stage != "restart":
        assert (found.since, found.until) == (NOW - ago, NOW - ago + timedelta(days=days))


@pytest.mark.parametrize(
    "text",
    [
        *("", "?", "2024-03-01", "2024-03-01T00:00:00", "2024-03-01T00:00:00+00:00", "2024-03-01T00:00:00.000Z"),
        *("2024-3-1T00:00:00Z", "2024-02-30T00:00:00Z", "2024-03-01t00:00:00z", " 2024-03-01T00:00:00Z", "1709251200"),
        *("2024-03-01T00:00:00Z\n", "\u0662024-03-01T00:00:00Z", "0000-01-01T00:00:00Z"),
    ],
)
def test_a_time_that_this_tool_does_not_write_is_unreadable(text: str) -> None:
    assert parse_since(text) is None
    assert quarantine_of(held(text), 1, NOW).stage == "restart"


def test_the_time_is_written_in_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-5)))
    assert format_time(there) == "2024-03-10T12:00:00Z"
    assert parse_since("2024-03-10T12:00:00Z") == NOW
    assert quarantine_of(held(format_time(there)), 1, there + timedelta(days=1)).stage == "over"


def test_no_number_of_days_is_too_large() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert quarantine_end(NOW, 10**30) == quarantine_end(NOW, 10**9) == last
    assert quarantine_of(held(format_time(NOW)), 10**9, NOW + WEEK).stage == "waiting"


moments = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(moments)
def test_what_is_written_is_read(moment: datetime) -> None:
    assert parse_since(format_time(moment)) == moment.replace(microsecond=0)


@given(st.text() | moments.map(format_time), st.integers(0, 10**12), moments)
def test_a_quarantine_is_over_only_days_after_it_began(text: str, days: int, now: datetime) -> None:
    found = quarantine_of(held(text), days, now)
    assert found.stage in ("restart", "waiting", "over")
    if found.stage == "over":
        since = datetime.fromisoformat(text)
        assert (now - since).total_seconds() >= days * 86_400
