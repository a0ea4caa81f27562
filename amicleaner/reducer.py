"""Reduce: of a group's AMIs the newest stay, the others are old.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from .models import Ami

FAILED_STATES = frozenset({"error", "failed", "invalid"})
"""States of an AMI whose creation failed: nothing can be launched from it, so it takes no place among the newest."""

_NEVER = datetime.min.replace(tzinfo=UTC)


def newest_first(amis: Iterable[Ami]) -> list[Ami]:
    """By creation date, newest first, then by id, so that the same account gives the same order."""
    by_id = sorted(amis, key=lambda ami: ami.id)
    return sorted(by_id, key=lambda ami: ami.created or _NEVER, reverse=True)


def reduce_group(amis: Iterable[Ami], keep: int) -> tuple[Sequence[Ami], Sequence[Ami]]:
    """(those that stay, those that are old): the `keep` newest available ones stay."""
    ordered = newest_first(amis)
    kept = [ami for ami in ordered if ami.state not in FAILED_STATES][:keep]
    ids = {ami.id for ami in kept}
    return kept, [ami for ami in ordered if ami.id not in ids]
