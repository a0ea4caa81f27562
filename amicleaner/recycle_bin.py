"""Until when a deletion can be undone, by the Recycle Bin's retention rules.  Pure.

EC2 guide, "Recycle Bin": rules for AMIs and for snapshots are separate, only rules in the state `available` retain, and of
several that match the longest counts.  An AMI comes back only with all its snapshots, so the shortest of them counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .models import Ami, Snapshot


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """A rule as `rbin:GetRule` describes it; `days` is its `RetentionPeriod`, `available` its `Status`.

    With `tags` it retains resources that have one of them; without, all of the Region's but those that have one of
    `excluded`. AWS documents pairs, but `ResourceTagValue` may be missing (None).  Both readings of such a tag are
    possible, so it counts as the one that retains less: in `tags` it is the empty value, in `excluded` it is every value.
    """

    days: int
    available: bool
    tags: tuple[tuple[str, str | None], ...] = ()
    excluded: tuple[tuple[str, str | None], ...] = ()

    def matches(self, tags: Iterable[tuple[str, str]]) -> bool:
        """Whether it retains a resource with these tags."""
        if not self.available:
            return False
        own = set(tags)
        if any((key, value) in own or (value is None and key in dict(own)) for key, value in self.excluded):
            return False
        return not self.tags or any((key, value or "") in own for key, value in self.tags)


@dataclass(frozen=True, slots=True)
class BinRules:
    """The rules of one Region of one account."""

    amis: tuple[RetentionRule, ...] = ()
    snapshots: tuple[RetentionRule, ...] = ()


def restorable_until(ami: Ami, snapshots: Sequence[Snapshot], rules: BinRules, now: datetime) -> datetime | None:
    """Until when an AMI deleted `now` could be restored with all its snapshots; None: not at all, or not known.

    An AMI without EBS snapshots (instance store) is not retained.  A snapshot that was not looked up counts as not retained.
    """
    known = {snapshot.id: snapshot.tags for snapshot in snapshots}
    if not ami.snapshots or any(block.id not in known for block in ami.snapshots):
        return None
    days = min(_days(rules.amis, ami.tags), *(_days(rules.snapshots, known[block.id]) for block in ami.snapshots))
    return now + timedelta(days=days) if days > 0 else None


def _days(rules: Iterable[RetentionRule], tags: Iterable[tuple[str, str]]) -> int:
    return max((rule.days for rule in rules if rule.matches(tags)), default=0)
