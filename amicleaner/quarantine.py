"""Where an AMI stands in its quarantine, by its state and one tag.  Pure.

A disabled AMI launches nothing and can be enabled by one call (EC2 guide, "Disable an AMI").  No Describe call tells when it
was disabled, so the time is in a tag, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from .actions import QUARANTINE_TAG
from .models import Ami

FORMAT = "%Y-%m-%dT%H:%M:%SZ"
DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """`none`: the AMI has nothing to do with quarantine.  `enabled`: it has the tag and is not disabled, so a person
    enabled it.  `restart`: its time is unreadable or in the future.  `waiting` and `over`: it is disabled since `since`,
    and the days end at `until`."""

    stage: Literal["none", "enabled", "restart", "waiting", "over"]
    since: datetime | None = None
    until: datetime | None = None


def quarantine_of(ami: Ami, days: int, now: datetime) -> Quarantine:
    """The quarantine of an AMI at the time `now`; `days` are full 24 hours."""
    text = dict(ami.tags).get(QUARANTINE_TAG)
    if text is None:
        return Quarantine("none")
    if ami.state != DISABLED:
        return Quarantine("enabled")
    since = parse_since(text)
    if since is None or since > now:
        return Quarantine("restart")
    until = since + timedelta(days=days)
    return Quarantine("over" if now >= until else "waiting", since, until)


def parse_since(text: str) -> datetime | None:
    """The time in the tag, or None where it is not one that this tool writes."""
    try:
        return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def format_since(now: datetime) -> str:
    """The tag's value for a quarantine that begins now."""
    return now.astimezone(UTC).strftime(FORMAT)
