"""Ages and sizes for people: whole days, and upper bounds in GiB and USD.  Pure."""

import sys
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from ..decisions import Decision
from ..models import BlockSnapshot
from ..orphans import made_for
from ..plan import Plan, measured
from ..result import Orphan

ARCHIVED_PRICE = 0.0125
"""USD per GiB-month in the archive tier (EBS pricing)."""


def age_days(created: datetime | None, now: datetime) -> int | None:
    """Whole days; None where the creation date is not known."""
    return None if created is None else max((now - created).days, 0)


def age(created: datetime | None, now: datetime) -> str:
    """`12 d`, or `?`."""
    days = age_days(created, now)
    return "?" if days is None else f"{days} d"


def gib(plan: Plan, *decisions: Decision) -> int:
    """GiB of all their snapshots, each counted once."""
    found = {
        (decision.target, snapshot.id): plan.size_of(decision.target, snapshot)
        for decision in decisions
        for snapshot in decision.ami.snapshots
    }
    return sum(found.values())


def orphan_block(orphan: Orphan) -> BlockSnapshot:
    """An orphaned snapshot with its measured size."""
    snapshot = orphan.snapshot
    return measured(BlockSnapshot(snapshot.id, snapshot.size_gib, snapshot.archived), snapshot)


def monthly_cost(snapshots: Iterable[BlockSnapshot], price_per_gib: float) -> Decimal:
    """USD a month, an upper bound.  Decimal, so that 3 GiB at 0.1 are 0.3."""
    sums = {False: 0, True: 0}
    for snapshot in snapshots:
        sums[snapshot.archived] += snapshot.size_gib
    # The number as it was written: 0.05, not the nearest binary fraction; nor the -0.0 of floating point.
    return sums[False] * Decimal(repr(abs(price_per_gib))) + sums[True] * Decimal(str(ARCHIVED_PRICE))


def monthly_usd(snapshots: Iterable[BlockSnapshot], price_per_gib: float) -> float:
    """The same for JSON, in whole cents; JSON has no infinity."""
    return min(float(f"{monthly_cost(snapshots, price_per_gib):.2f}"), sys.float_info.max)


def upper_bound(snapshots: Iterable[BlockSnapshot], price_per_gib: float) -> tuple[str, str]:
    """`up to 32 GiB` and `up to $1.60/month`; each is empty where it would say 0."""
    snapshots = list(snapshots)
    size = sum(snapshot.size_gib for snapshot in snapshots)
    cost = f"{monthly_cost(snapshots, price_per_gib):.2f}"
    return f"up to {size} GiB" if size else "", f"up to ${cost}/month" if float(cost) else ""


def created_for(orphan: Orphan) -> str:
    """The AMI that a snapshot was created for."""
    return orphan.ami or made_for(orphan.snapshot.description) or ""
