"""How fast AWS is called, and when a call that failed is tried again: one policy for reads and changes.

There is a token bucket for each call in each Region of each account.  AWS's own buckets are in `actions.py` (changes) and
below (reads).  A fifth of the bucket and a twentieth of the rate are left to others who work in the account.
"""

import random
from dataclasses import dataclass
from threading import Lock

from ..actions import Change
from ..clock import Clock
from ..errors import AwsError, ThrottledError, TransientError

READS_AT_ONCE = 100.0
"""Describe calls in AWS's full bucket (EC2's guide)."""

READS = 20.0
"""Describe calls that AWS's bucket gains a second (EC2's guide; of Auto Scaling no figure is documented)."""

SHARE_OF_BUCKET = 0.8
SHARE_OF_RATE = 0.95

SLOWEST = 0.2
"""The share of the rate below which throttles don't push it: a try a second, so that a storm's end is noticed soon."""

SETTLING = 1.0
"""Seconds: the throttles of calls that were under way together count as one."""

RECOVERY = 120.0
"""Seconds that the rate takes from nothing to whole, in a straight line, when throttles stay away."""

_ROUNDING = 1e-9

_SHORTEST = 0.001
"""Seconds: a shorter wait could be lost in the rounding of a clock that counts from long ago, and never end."""


@dataclass(eq=False)
class TokenBucket:
    """One bucket, full at first.  Safe to use from several threads; it never sleeps: `wait` returns how long to wait.

    `capacity` is in tokens, `rate` in tokens a second, when it was last asked for one.
    """

    clock: Clock
    capacity: float
    rate: float
    _slowed: float | None = None

    def __post_init__(self) -> None:
        self._whole = self.rate
        self._level = self.capacity
        self._seen = self.clock.monotonic()
        self._lock = Lock()

    def take(self) -> bool:
        """Takes a token, if there is one."""
        with self._lock:
            self._fill()
            if self._level < 1 - _ROUNDING:
                return False
            self._level = max(0.0, self._level - 1)
            return True

    def wait(self) -> float:
        """Seconds until there is a token, if nobody else takes it and the rate stays as it is; 0.0: there is one."""
        with self._lock:
            self._fill()
            return 0.0 if self._level >= 1 - _ROUNDING else max(_SHORTEST, (1 - self._level) / self.rate)

    def within(self, seconds: float) -> int:
        """How many calls may start in that time."""
        with self._lock:
            self._fill()
            return int(self._level + self.rate * max(0.0, seconds) + _ROUNDING)

    def throttled(self) -> None:
        """AWS said "too fast", so others use the bucket too: what is left of ours counts for nothing, the rate is halved."""
        with self._lock:
            now = self._fill()
            self._level = 0.0
            if self._slowed is None or now - self._slowed >= SETTLING:
                self.rate = max(self._whole * SLOWEST, self.rate / 2)
                self._slowed = now

    def empty(self) -> None:
        """Whatever was in it is gone; it fills again at its rate."""
        with self._lock:
            self._slowed = self._fill()
            self._level = 0.0

    def _fill(self) -> float:
        now = self.clock.monotonic()
        passed = max(0.0, now - self._seen)
        # At the rate that held when the wait was computed, so that a token is there when `wait` said it would be.
        self._level = min(self.capacity, self._level + passed * self.rate)
        self.rate = min(self._whole, self.rate + self._whole * passed / RECOVERY)
        self._seen = max(now, self._seen)
        return now


def read_bucket(clock: Clock, *, full: bool) -> TokenBucket:
    """The bucket of one reading action in one Region of one account, at the documented rate less its margin.

    Calls that grow with the AMIs would be throttled sooner or later, so they have one, `full` at first, from the first call.
    Others are free until AWS throttles them: what is left of AWS's bucket then counts for nothing.
    """
    rate = READS * SHARE_OF_RATE
    bucket = TokenBucket(clock, READS_AT_ONCE * SHARE_OF_BUCKET if full else rate, rate)
    if not full:
        bucket.empty()
    return bucket


def change_bucket(clock: Clock, change: Change) -> TokenBucket:
    """The bucket of a changing call in one Region of one account."""
    return TokenBucket(clock, change.bucket * SHARE_OF_BUCKET, change.rate * SHARE_OF_RATE)


LONGEST_PAUSE = 5.0
"""Seconds between two tries after a failure."""

LONGEST_THROTTLED_PAUSE = 2.0
"""Seconds between two tries after a throttle: AWS's buckets refill every second (EC2 guide, request throttling)."""

THROTTLED_LIMIT = 300.0
"""Seconds of nothing but throttles, after which a call is given up."""

UNREACHABLE = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"})
UNREACHABLE_ATTEMPTS = 3
"""A person waits: a host that does not answer, or cannot be trusted, is given up early."""


@dataclass(slots=True)
class Retries:
    """The tries of one call.  `attempts` counts the first try too; throttles do not count, for they are known to pass."""

    clock: Clock
    attempts: int
    _failures: int = 0
    _throttles: int = 0
    _throttled_since: float | None = None

    def pause(self, error: AwsError, *, attempts: int | None = None) -> float | None:
        """Seconds to wait before the next attempt; None: the error is final.  `attempts` lowers the limit for this error."""
        if isinstance(error, ThrottledError):
            return self._pause_throttled()
        self._throttles, self._throttled_since = 0, None
        if not isinstance(error, TransientError):
            return None
        self._failures += 1
        limit = min(self.attempts, attempts or self.attempts)
        if error.code in UNREACHABLE:
            limit = min(limit, UNREACHABLE_ATTEMPTS)
        return None if self._failures >= limit else _backoff(self._failures, LONGEST_PAUSE)

    def _pause_throttled(self) -> float | None:
        now = self.clock.monotonic()
        self._throttled_since = now if self._throttled_since is None else self._throttled_since
        self._throttles += 1
        if self.attempts == 1 or now - self._throttled_since >= THROTTLED_LIMIT:
            return None
        return _backoff(self._throttles, LONGEST_THROTTLED_PAUSE)


def _backoff(tries: int, longest: float) -> float:
    """Exponential, and random so that calls which failed together are not all tried again together."""
    pause: float = min(longest, 0.25 * 2 ** min(tries - 1, 10)) * random.uniform(0.5, 1.0)
    return pause
