"""A bucket never gives more than its share of AWS's, gives all of it, and slows down when AWS asks for that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.actions import CHANGES, DELETE_SNAPSHOT, DEREGISTER, DISABLE, TAG, Change
from amicleaner.aws.api import Api
from amicleaner.aws.rate_limits import TokenBucket, change_bucket, read_bucket
from tests.virtual_time import Time

from .simulation import FAR, HOME


def take_all(bucket: TokenBucket) -> int:
    taken = 0
    while bucket.take():
        taken += 1
    return taken


@pytest.mark.parametrize(
    "change, bucket, rate", [(DEREGISTER, 80, 4.75), (DELETE_SNAPSHOT, 80, 4.75), (DISABLE, 40, 4.75), (TAG, 80, 9.5)]
)
def test_a_fifth_of_a_bucket_and_a_twentieth_of_its_rate_are_left_to_others(
    change: Change, bucket: int, rate: float
) -> None:
    time = Time()
    tokens = change_bucket(time.clock, change)
    assert take_all(tokens) == bucket
    time.sleep(100.0)
    assert take_all(tokens) == bucket
    assert tokens.rate == rate
    time.sleep(4.0)
    assert take_all(tokens) == 4 * rate


def test_each_call_of_each_target_has_its_own_bucket() -> None:
    apis = [Api(target, lambda service: None, clock=Time().clock) for target in (HOME, FAR)]
    buckets = [api.bucket(change) for change in CHANGES for api in apis]
    assert len(set(map(id, buckets))) == len(buckets)
    assert apis[0].bucket(DEREGISTER) is buckets[0]


def test_there_is_a_token_after_the_wait() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 1, 3.0)
    for _ in range(1000):
        time.sleep(bucket.wait())
        assert bucket.wait() == 0.0
        assert bucket.take()


def test_a_bucket_knows_how_many_calls_fit_into_a_time() -> None:
    bucket = TokenBucket(Time().clock, 80, 5.0)
    assert bucket.within(20.0) == 180
    assert bucket.within(-20.0) == 80


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 100), st.booleans()), max_size=40))
def test_no_stretch_of_time_sees_more_than_the_bucket_and_the_rate(steps: list[tuple[float, int, bool]]) -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 80, 4.75)
    moments: list[float] = []
    for pause, wanted, throttled in steps:
        time.sleep(pause)
        if throttled:
            bucket.throttled()
        moments += [time.seconds for _ in range(wanted) if bucket.take()]
    for first, start in enumerate(moments):
        for last in range(first, len(moments)):
            assert last - first + 1 <= 80 + 4.75 * (moments[last] - start) + 1e-6


def test_a_throttle_empties_the_bucket_and_halves_the_rate() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 80, 4.0)
    bucket.throttled()
    assert not bucket.take()
    assert bucket.wait() == pytest.approx(0.5)
    assert bucket.rate == 2.0


def test_throttles_of_calls_in_flight_together_count_once() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 80, 4.0)
    for _ in range(8):
        bucket.throttled()
    assert bucket.rate == 2.0
    time.sleep(1.0)
    bucket.throttled()
    assert bucket.rate < 1.1


def test_a_storm_of_throttles_leaves_one_try_per_second_and_the_rate_recovers() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 80, 4.75)
    for _ in range(100):
        time.sleep(bucket.wait())
        bucket.throttled()
    assert 1.0 < bucket.wait() <= 1.1
    time.sleep(30.0)
    bucket.wait()
    assert 2.0 < bucket.rate < 2.2
    time.sleep(120.0)
    bucket.wait()
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
            time.sleep(bucket.wait())
        else:
            pytest.fail("there is no token after the wait")
        time.sleep(1e-9)


def test_a_clock_that_steps_back_gives_nothing() -> None:
    time = Time()
    bucket = TokenBucket(time.clock, 2, 1.0)
    take_all(bucket)
    time.seconds -= 50.0
    assert not bucket.take()
    time.seconds += 50.5
    assert not bucket.take()


def enter(bucket: TokenBucket, time: Time, calls: int) -> None:
    """Makes calls, each as soon as there is a token."""
    for _ in range(calls):
        while not bucket.take():
            time.sleep(bucket.wait())


def test_reads_that_were_throttled_keep_to_the_rate() -> None:
    time = Time()
    bucket = read_bucket(time.clock, full=False)
    enter(bucket, time, 38)
    assert time.seconds == pytest.approx(2.0)
    bucket.throttled()
    enter(bucket, time, 9)
    assert time.seconds > 2.9


def test_reads_of_one_ami_at_a_time_keep_to_the_rate_from_the_first() -> None:
    time = Time()
    enter(read_bucket(time.clock, full=True), time, 80 + 190)
    assert time.seconds == pytest.approx(10.0)


def test_threads_share_the_tokens() -> None:
    bucket = TokenBucket(Time().clock, 500, 1.0)
    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(lambda _: sum(bucket.take() for _ in range(100)), range(8)))
    assert taken == 500
