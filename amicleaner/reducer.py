"""Reduce: which AMIs of a group are kept because they are new, and by which option.  Pure."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime

from .config import Config
from .models import FAILED_STATES, Ami, Reason

NEVER = datetime.min.replace(tzinfo=UTC)


def newest_first(amis: Iterable[Ami]) -> list[Ami]:
    """By creation date, newest first, then by id, so that the same account gives the same order."""
    by_id = sorted(amis, key=lambda ami: ami.id)
    return sorted(by_id, key=lambda ami: ami.created or NEVER, reverse=True)


def retained(amis: Iterable[Ami], config: Config, label: str) -> dict[str, tuple[Reason, str]]:
    """The AMIs of one group that are kept: id to the first reason that holds and a sentence.  `label` is the group's name.

    The `newest_kept` newest are kept, and the newest AMI of each of the last days, ISO weeks, months and years (UTC) that
    have one.  An AMI whose creation failed does not count.
    """
    ordered = [ami for ami in newest_first(amis) if ami.state not in FAILED_STATES]
    number = config.newest_kept
    why = f"One of the {number} newest in {label}." if number > 1 else f"The newest in {label}."
    kept: dict[str, tuple[Reason, str]] = {ami.id: ("kept-previous", why) for ami in ordered[:number]}
    for reason, count, period, name_of in _periods(config):
        newest = newest_of_periods(ordered, count, name_of)
        for place, (name, ami) in enumerate(newest.items(), start=1):
            kept.setdefault(ami.id, (reason, f"Newest of {name}, {period} {place} of {count}."))
    return kept


def newest_of_periods(ordered: Iterable[Ami], count: int, name_of: Callable[[date], str]) -> dict[str, Ami]:
    """The newest AMI of each of the last `count` periods that have one, by the period's name, the last period first.

    `ordered` are AMIs, newest first; `name_of` names the period of a day in UTC.  AMIs without a date belong to none.
    """
    found: dict[str, Ami] = {}
    for ami in ordered:
        if len(found) == count:
            break
        if ami.created is not None:
            found.setdefault(name_of(ami.created.astimezone(UTC).date()), ami)
    return found


def _periods(config: Config) -> tuple[tuple[Reason, int, str, Callable[[date], str]], ...]:
    return (
        ("kept-daily", config.keep_daily, "day", lambda day: f"{day:%Y-%m-%d}"),
        ("kept-weekly", config.keep_weekly, "week", _week),
        ("kept-monthly", config.keep_monthly, "month", lambda day: f"{day:%Y-%m}"),
        ("kept-yearly", config.keep_yearly, "year", lambda day: f"{day:%Y}"),
    )


def _week(day: date) -> str:
    """The ISO week, which begins on a Monday and belongs to the year of its Thursday."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"
