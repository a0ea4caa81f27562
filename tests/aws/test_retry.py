"""When a call that failed is tried again."""

from __future__ import annotations

import pytest

from amicleaner.aws.rate_limits import LONGEST_PAUSE, LONGEST_THROTTLED_PAUSE, UNREACHABLE, Retries
from amicleaner.errors import AwsError, CredentialsError, DeniedError, TransientError, UnsupportedCallError
from tests.virtual_time import Time

from .simulation import aws_error, throttle, transient


def pauses(retries: Retries, error: AwsError, times: int) -> list[float | None]:
    return [retries.pause(error) for _ in range(times)]


@pytest.mark.parametrize("kind", [AwsError, DeniedError, CredentialsError, UnsupportedCallError])
def test_a_failure_that_does_not_pass_is_final(kind: type[AwsError]) -> None:
    assert Retries(Time().clock, 8).pause(aws_error("Code", kind)) is None


@pytest.mark.parametrize("attempts", [1, 2, 8])
def test_a_transient_failure_is_final_after_the_last_attempt(attempts: int) -> None:
    *tried, last = pauses(Retries(Time().clock, attempts), transient(), attempts)
    assert last is None
    assert None not in tried


def test_an_error_can_have_fewer_attempts() -> None:
    retries = Retries(Time().clock, 8)
    assert retries.pause(transient(), attempts=2) is not None
    assert retries.pause(transient(), attempts=2) is None
    assert Retries(Time().clock, 1).pause(transient(), attempts=2) is None


@pytest.mark.parametrize("code", sorted(UNREACHABLE))
def test_a_host_that_cannot_be_reached_is_given_up_after_three_attempts(code: str) -> None:
    first, second, third = pauses(Retries(Time().clock, 8), aws_error(code, TransientError), 3)
    assert first and second and third is None  # noqa: PT018 - one fact


def test_pauses_double_up_to_the_longest_and_are_random() -> None:
    found = [pauses(Retries(Time().clock, 50), transient(), 12) for _ in range(20)]
    for number, column in enumerate(zip(*found, strict=True)):
        longest = min(LONGEST_PAUSE, 0.25 * 2**number)
        assert all(pause is not None and longest / 2 <= pause <= longest for pause in column)
        assert len(set(column)) > 1


def test_many_attempts_do_not_overflow() -> None:
    assert pauses(Retries(Time().clock, 2000), transient(), 1999)[-1]


def test_throttles_are_no_attempts_and_pause_for_two_seconds_at_most() -> None:
    found = pauses(Retries(Time().clock, 2), throttle(), 1000)
    assert all(pause is not None and pause <= LONGEST_THROTTLED_PAUSE for pause in found)


def test_one_attempt_means_no_second_after_a_throttle_either() -> None:
    assert Retries(Time().clock, 1).pause(throttle()) is None


def test_five_minutes_of_nothing_but_throttles_are_the_end() -> None:
    time = Time()
    retries = Retries(time.clock, 8)
    assert retries.pause(throttle()) is not None
    time.seconds += 299.9
    assert retries.pause(throttle()) is not None
    time.seconds += 0.1
    assert retries.pause(throttle()) is None


def test_another_answer_ends_a_storm_of_throttles() -> None:
    time = Time()
    retries = Retries(time.clock, 8)
    pauses(retries, throttle(), 10)
    time.seconds += 299.0
    retries.pause(transient())
    time.seconds += 299.0
    pause = retries.pause(throttle())
    assert pause is not None
    assert pause <= 0.25
