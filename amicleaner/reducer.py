"""Reduce: which AMIs of a group are kept for being new, and by which rule.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from .config import Config
from .models import FAILED_STATES, Ami, Reason

_NEVER = datetime.min.replace(tzinfo=UTC)


def newest_first(amis: Iterable[Ami]) -> list[Ami]:
    """By creation date, newest first, then by id, so that the same account gives the same order."""
    by_id = sorted(amis, key=lambda ami: ami.id)
    return sorted(by_id, key=lambda ami: ami.created or _NEVER, reverse=True)


def retained(amis: Iterable[Ami], config: Config, label: str) -> dict[str, tuple[Reason, str]]:
    """The AMIs of one group that are kept: id to the reason and a sentence.  `label` is the group's name for people.

    The `newest_kept` newest are kept.  An AMI whose creation failed takes no place.
    """
    ordered = [ami for ami in newest_first(amis) if ami.state not in FAILED_STATES]
    number = config.newest_kept
    return {ami.id: ("kept-previous", f"One of the {number} newest in {label}.") for ami in ordered[:number]}
