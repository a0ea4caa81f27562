"""The stage of an AMI's quarantine, from its state and one tag.  Pure.

A disabled AMI launches nothing and can be enabled by one call (EC2 guide, "Disable an AMI").  No Describe call tells when it
was disabled, so the time is in a tag, and nowhere else.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from .actions import QUARANTINE_TAG
from .models import Ami, parse_time

DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """`none`: the AMI has nothing to do with quarantine.  `enabled`: it has the tag and is not disabled, so a person
    enabled it.  `restart`: its time is unreadable or in the future.  `waiting` and `over`: it has been disabled since
    `since`, and the days end at `until`."""

    stage: Literal["none", "enabled", "restart", "waiting", "over"]
    since: datetime | None = None
    until: datetime | None = None

    @property
    def lasts(self) -> bool:
        """Whether the AMI is in quarantine, whatever its time."""
        return self.stage not in ("none", "enabled")


def quarantine_of(ami: Ami, days: int, now: datetime) -> Quarantine:
    """The quarantine of an AMI at the time `now` (aware); `days` are full 24 hours."""
    text = dict(ami.tags).get(QUARANTINE_TAG)
    if text is None:
        return Quarantine("none")
    if ami.state != DISABLED:
        return Quarantine("enabled")
    since = parse_since(text)
    if since is None or since > now:
        return Quarantine("restart")
    until = quarantine_end(since, days)
    return Quarantine("over" if now >= until else "waiting", since, until)


def quarantine_end(since: datetime, days: int) -> datetime:
    """When a quarantine that began at `since` ends, in UTC: the last moment that there is, if it would be later."""
    try:
        return since.astimezone(UTC) + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def parse_since(text: str) -> datetime | None:
    """The time in the tag, or None where it is not one that this tool writes."""
    since = parse_time(text)
    return since if since is not None and format_time(since) == text else None


def format_time(now: datetime) -> str:
    """A time as the tag has it, and the documents: `2026-11-24T10:43:42Z`."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
