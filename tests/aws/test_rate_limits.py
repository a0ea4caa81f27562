"""A bucket never gives more than its share of AWS's, gives all of it, and slows down when AWS asks for that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.aws.rate_limits import RateLimits, ReadLimiter, TokenBucket
from tests.aws.deletion.simulation import FAR, HOME, Time


def take_all(bucket: TokenBucket) -> int:
    taken = 0
    while bucket.take():
        taken += 1
    return taken


@pytest.mark.parametrize("action", ["DeregisterImage", "DeleteSnapshot"])
def test_a_fifth_of_the_bucket_and_a_twentieth_of_the_rate_are_left_to_others(action: str) -> None:
    time = Time()
    bucket = RateLimits(time.clock).bucket(action, HOME)
    assert take_all(bucket) == 80
    time.advance(100.0)
    assert take_all(bucket) == 80
    assert bucket.rate == 4.75
    time.advance(10.0)
    assert take_all(bucket) == 47


def test_each_action_of_each_target_has_its_own_bucket() -> None:
    pace = RateLimits(Time().clock)
    bucket = pace.bucket("DeregisterImage", HOME)
    take_all(bucket)
    assert pace.bucket("DeregisterImage", HOME) is bucket
    assert pace.bucket("DeregisterImage", FAR).take()
    assert pace.bucket("DeleteSnapshot", HOME).take()


def test_after_the_wait_that_it_tells_there_is_a_token() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 1, 3.0)
    for _ in range(1000):
        time.advance(bucket.wait())
        assert bucket.wait() == 0.0
        assert bucket.take()


def test_it_says_how_many_calls_fit_into_a_time_and_how_long_calls_last() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 80, 4.75)
    assert bucket.within(20.0) == 175
    assert bucket.lasts(80) == 0.0
    assert bucket.lasts(250) == pytest.approx((250 - 80) / 4.75)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 100), st.booleans()), max_size=40))
def test_no_stretch_of_time_sees_more_than_the_bucket_and_the_rate(steps: list[tuple[float, int, bool]]) -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 80, 4.75)
    moments: list[float] = []
    for pause, wanted, throttled in steps:
        time.advance(pause)
        if throttled:
            bucket.throttled()
        moments += [time.seconds for _ in range(wanted) if bucket.take()]
    for first, start in enumerate(moments):
        for last in range(first, len(moments)):
            assert last - first + 1 <= 80 + 4.75 * (moments[last] - start) + 1e-6


def test_a_throttle_empties_it_and_halves_the_rate() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 80, 4.0)
    bucket.throttled()
    assert not bucket.take()
    assert bucket.wait() == pytest.approx(0.5)
    assert bucket.rate == 2.0


def test_throttles_of_calls_under_way_together_count_once() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 80, 4.0)
    for _ in range(8):
        bucket.throttled()
    assert bucket.rate == 2.0
    time.advance(1.0)
    bucket.throttled()
    assert bucket.rate < 1.1


def test_a_storm_leaves_a_try_a_second_and_the_rate_comes_back_by_and_by() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 80, 4.75)
    for _ in range(100):
        time.advance(bucket.wait())
        bucket.throttled()
    assert 1.0 < bucket.wait() <= 1.1
    time.advance(30.0)
    assert 2.0 < bucket.rate < 2.2
    time.advance(120.0)
    assert bucket.rate == 4.75


@pytest.mark.parametrize("days", [1, 500, 10_000])
def test_a_wait_ends_by_a_clock_that_counts_from_long_ago(days: int) -> None:
    """Its seconds have some ten digits before the point, and so few behind it."""
    time = Time()
    time.seconds = days * 86_400.0
    bucket = TokenBucket(time.clock, 80, 19.0)
    for _ in range(1_000):
        for _ in range(3):
            if bucket.take():
                break
            time.advance(bucket.wait())
        else:
            pytest.fail("there is no token after the wait")
        time.advance(1e-9)


def test_a_clock_that_steps_back_gives_nothing() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 2, 1.0)
    take_all(bucket)
    time.seconds -= 50.0
    assert not bucket.take()
    time.seconds += 50.5
    assert not bucket.take()


def test_reads_are_held_up_only_once_they_were_throttled() -> None:
    time = Time()
    gate, start = ReadLimiter(time.clock), time.seconds
    for _ in range(1000):
        gate.enter()
    assert time.seconds == start
    gate.throttled()
    for _ in range(38):
        gate.enter()
    assert time.seconds - start == pytest.approx(2.0)


def test_threads_share_the_tokens() -> None:
    bucket = TokenBucket(Time().clock, 500, 1.0)
    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(lambda _: sum(bucket.take() for _ in range(100)), range(8)))
    assert taken == 500
