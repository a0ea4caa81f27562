"""Reduce: which AMIs of a group are kept because they are new, and by which option.  Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice

from .config import Config
from .models import FAILED_STATES, Ami, KeepReason, Reason
from .quarantine import quarantine_of

NEVER = datetime.min.replace(tzinfo=UTC)


def newest_first(amis: Iterable[Ami]) -> list[Ami]:
    """By creation date, newest first, then by id, so that the same account gives the same order."""
    by_id = sorted(amis, key=lambda ami: ami.id)
    return sorted(by_id, key=lambda ami: ami.created or NEVER, reverse=True)


def retained(amis: Iterable[Ami], config: Config, label: str) -> dict[str, KeepReason]:
    """The AMIs of one group that are kept: id to the first reason that holds and a sentence.  `label` is the group's name.

    The `newest_kept` newest are kept, and the newest AMI of each of the last days, ISO weeks, months and years (UTC) that
    have one.  An AMI whose creation failed does not count, and one without a date belongs to no day.
    """
    ordered = [ami for ami in newest_first(amis) if ami.state not in FAILED_STATES]
    number = config.newest_kept
    why = f"One of the {number} newest in {label}." if number > 1 else f"The newest in {label}."
    newest_kept: KeepReason = "kept-previous", why
    kept = dict.fromkeys((ami.id for ami in ordered[:number]), newest_kept)
    for (reason, period, form), count in zip(_PERIODS, config.periods.values(), strict=True):
        newest: dict[str, Ami] = {}
        for ami in ordered if count else ():
            if ami.created is not None:
                newest.setdefault(f"{ami.created.astimezone(UTC):{form}}", ami)
        for place, (name, ami) in enumerate(islice(newest.items(), count), start=1):
            kept.setdefault(ami.id, (reason, f"Newest of {name}, {period} {place} of {count}."))
    return kept


def kept_in_group(amis: Sequence[Ami], config: Config, label: str, now: datetime) -> dict[str, KeepReason]:
    """The same of a group in which some are in quarantine.  These take no place, but each is kept where it would have one
    if it were enabled."""
    counted = [ami for ami in amis if quarantine_of(ami, 0, now).stage == "none"]
    kept = retained(counted, config, label)
    if len(counted) < len(amis):
        ids = {ami.id for ami in counted}
        kept |= {id: reason for id, reason in retained(amis, config, label).items() if id not in ids}
    return kept


_PERIODS: tuple[tuple[Reason, str, str], ...] = (
    ("kept-daily", "day", "%Y-%m-%d"),
    ("kept-weekly", "week", "%G-W%V"),  # by ISO 8601: from a Monday on, in the year of its Thursday
    ("kept-monthly", "month", "%Y-%m"),
    ("kept-yearly", "year", "%Y"),
)
"""In the order of `Config.periods`: the reason, a word, and the name of the period of a day."""
