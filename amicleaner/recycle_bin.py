"""Until when a deletion can be undone, by the Recycle Bin's retention rules.  Pure.

EC2 guide, "Recycle Bin": rules for AMIs and for snapshots are separate, only rules in the state `available` retain, and of
several that match the longest counts.  An AMI comes back only with all its snapshots, so the shortest of them counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .models import Ami, Snapshot

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """A rule as `rbin:GetRule` tells it.  `tags`: one of them is enough (none: every resource of the Region, unless it has
    one of `excluded`).  A tag without a value (None) matches by its key."""

    days: int
    available: bool
    tags: tuple[tuple[str, str | None], ...] = ()
    excluded: tuple[tuple[str, str | None], ...] = ()

    def matches(self, tags: Iterable[tuple[str, str]]) -> bool:
        """Whether it retains a resource with these tags."""
        own = list(tags)
        if not self.available or _any(own, self.excluded):
            return False
        return not self.tags or _any(own, self.tags)


@dataclass(frozen=True, slots=True)
class BinRules:
    """The rules of one Region of one account."""

    amis: tuple[RetentionRule, ...] = ()
    snapshots: tuple[RetentionRule, ...] = ()


def restorable_until(ami: Ami, snapshots: Sequence[Snapshot], rules: BinRules, now: datetime) -> datetime | None:
    """Until when an AMI deleted `now` could be restored with all its snapshots; None: not at all, or not known.

    Without EBS snapshots (instance store) nothing is retained.  A snapshot that was not looked up counts as not retained.
    """
    if not ami.snapshots or {snapshot.id for snapshot in ami.snapshots} - {snapshot.id for snapshot in snapshots}:
        return None
    days = [_days(rules.amis, ami.tags), *(_days(rules.snapshots, snapshot.tags) for snapshot in snapshots)]
    return now + timedelta(days=min(days)) if min(days) > 0 else None


def _days(rules: Iterable[RetentionRule], tags: Tags) -> int:
    return max((rule.days for rule in rules if rule.matches(tags)), default=0)


def _any(tags: Sequence[tuple[str, str]], wanted: Iterable[tuple[str, str | None]]) -> bool:
    return any(key == own and value in (None, held) for key, value in wanted for own, held in tags)
