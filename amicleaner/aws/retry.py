"""When a call that failed is tried again: one policy for reads and changes."""

import random

from ..clock import Clock
from ..errors import AwsError, ThrottledError, TransientError

LONGEST_PAUSE = 5.0
"""Seconds between two tries after a failure."""

LONGEST_THROTTLED_PAUSE = 2.0
"""Seconds between two tries after a throttle: AWS's buckets refill every second (EC2 guide, request throttling)."""

THROTTLED_LIMIT = 300.0
"""Seconds of nothing but throttles, after which a call is given up."""

UNREACHABLE = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"})
UNREACHABLE_ATTEMPTS = 3
"""A person waits: a host that does not answer, or cannot be trusted, is given up early."""


class Retries:
    """The tries of one call.  `attempts` counts the first try too; throttles do not count, for they are known to pass."""

    def __init__(self, clock: Clock, attempts: int) -> None:
        self._clock = clock
        self._attempts = attempts
        self._failures = 0
        self._throttles = 0
        self._throttled_since: float | None = None

    def pause(self, error: AwsError, *, attempts: int | None = None) -> float | None:
        """Seconds to wait before the next attempt; None: the error is final.  `attempts` lowers the limit for this error."""
        if isinstance(error, ThrottledError):
            return self._pause_throttled()
        self._throttles, self._throttled_since = 0, None
        if not isinstance(error, TransientError):
            return None
        self._failures += 1
        limit = min(self._attempts, attempts or self._attempts)
        if error.code in UNREACHABLE:
            limit = min(limit, UNREACHABLE_ATTEMPTS)
        return None if self._failures >= limit else _backoff(self._failures, LONGEST_PAUSE)

    def _pause_throttled(self) -> float | None:
        now = self._clock.monotonic()
        self._throttled_since = now if self._throttled_since is None else self._throttled_since
        self._throttles += 1
        if self._attempts == 1 or now - self._throttled_since >= THROTTLED_LIMIT:
            return None
        return _backoff(self._throttles, LONGEST_THROTTLED_PAUSE)


def _backoff(tries: int, longest: float) -> float:
    """Exponential, and random so that calls which failed together are not all tried again together."""
    pause: float = min(longest, 0.25 * 2 ** min(tries - 1, 10)) * random.uniform(0.5, 1.0)
    return pause
