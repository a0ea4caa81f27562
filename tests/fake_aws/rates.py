"""Token buckets per action, account and Region, with the sizes in the EC2 guide (request throttling)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .calls import Call
from .errors import ApiError

# (capacity, refill per second)
DESCRIBING = (100.0, 20.0)
LIMITS = {
    "DeregisterImage": (100.0, 5.0),
    "DeleteSnapshot": (100.0, 5.0),
    "CreateTags": (100.0, 10.0),
    "DeleteTags": (100.0, 10.0),
    "DisableImage": (50.0, 5.0),
    "EnableImage": (50.0, 5.0),
    "RestoreImageFromRecycleBin": (50.0, 5.0),
    "RestoreSnapshotFromRecycleBin": (50.0, 5.0),
    "DescribeSpotFleetRequests": (50.0, 3.0),
}
# Calls without filters and pages have a smaller bucket of their own.
UNPAGINATED = (50.0, 10.0)
NARROWING = {"MaxResults", "NextToken", "Filter", "InstanceId", "SnapshotId"}

THROTTLES = {
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "autoscaling": ("Throttling", "Rate exceeded", 400),
    "sts": ("Throttling", "Rate exceeded", 400),
    "rbin": ("ThrottlingException", "Rate exceeded", 429),
    "ssm": ("ThrottlingException", "Rate exceeded", 400),
    "organizations": ("TooManyRequestsException", "AWS Organizations can't complete your request", 400),
    "imagebuilder": ("CallRateLimitExceededException", "Rate exceeded", 429),
    "batch": ("TooManyRequestsException", "Too Many Requests", 429),
    "elasticmapreduce": ("ThrottlingException", "Rate exceeded", 400),
    "sagemaker": ("ThrottlingException", "Rate exceeded", 400),
    "pcs": ("ThrottlingException", "Rate exceeded", 400),
    "rds": ("Throttling", "Rate exceeded", 400),
    "elasticbeanstalk": ("Throttling", "Rate exceeded", 400),
    "cloudformation": ("Throttling", "Rate exceeded", 400),
}


def throttled(service: str) -> ApiError:
    return ApiError(*THROTTLES[service])


@dataclass
class Bucket:
    capacity: float
    refill: float
    level: float
    since: datetime

    def fill(self, now: datetime) -> None:
        seconds = max((now - self.since).total_seconds(), 0)
        self.level = min(self.capacity, self.level + seconds * self.refill)
        self.since = now


class Rates:
    def __init__(self, clock: Callable[[], datetime], enabled: bool) -> None:
        self.enabled = enabled
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._storm = 0.0
        self._storms: dict[tuple[str, str, str], datetime] = {}
        self._lock = threading.Lock()

    def take(self, call: Call) -> None:
        if not self.enabled:
            return
        action = call.action
        if action in ("DescribeInstances", "DescribeSnapshots") and not NARROWING & call.params.keys():
            action += " unpaginated"
        with self._lock:
            bucket = self._bucket(action, call.account, call.region)
            if self._storm:
                began = self._storms.setdefault((action, call.account, call.region), bucket.since)
                if (bucket.since - began).total_seconds() < self._storm:
                    bucket.level = 0
            if bucket.level < 1:
                raise throttled(call.service)
            bucket.level -= 1

    def storm(self, seconds: float) -> None:
        """From now on, another client empties each bucket for this many seconds after the first call that uses it."""
        with self._lock:
            self._storm = seconds
            self._storms.clear()

    def drain(self, action: str, account: str, region: str) -> None:
        """Empty the bucket, as another client of the account would."""
        with self._lock:
            self._bucket(action, account, region).level = 0

    def _bucket(self, action: str, account: str, region: str) -> Bucket:
        key = (action, account, region)
        now = self._clock()
        if key not in self._buckets:
            default = UNPAGINATED if action.endswith(" unpaginated") else DESCRIBING
            capacity, refill = LIMITS.get(action, default)
            self._buckets[key] = Bucket(capacity, refill, capacity, now)
        bucket = self._buckets[key]
        bucket.fill(now)
        return bucket
