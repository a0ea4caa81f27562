"""The one line that says what goes and what stays, and what that may be worth."""

from __future__ import annotations

import sys
from decimal import Decimal

from ..plan import Plan


def monthly_cost(size_gib: int, price_per_gib: float) -> Decimal:
    """USD a month.  Decimal, so that 3 GiB at 0.1 are 0.3."""
    return size_gib * _exact(price_per_gib)


def monthly_usd(size_gib: int, price_per_gib: float) -> float:
    """The same for JSON, in whole cents; JSON has no infinity."""
    return min(float(f"{monthly_cost(size_gib, price_per_gib):.2f}"), sys.float_info.max)


def added_line(plan: Plan) -> str:
    """`4 AMIs and 4 snapshots go, …; 17 AMIs stay: …`, always in the plural, so that scripts have one form to read."""
    totals, price = plan.totals, plan.config.price_per_gib
    goes = (
        f"{totals.amis} AMIs and {totals.snapshots} snapshots go, at most {totals.size_gib} GiB, "
        f"about ${monthly_cost(totals.size_gib, price):.2f} a month (at ${_price(price)} a GiB)"
    )
    stays = f"{sum(count for _, count in plan.stays)} AMIs stay"
    if plan.stays:
        stays += ": " + ", ".join(f"{count} {reason}" for reason, count in plan.stays)
    unasked = "; of those that go, shared ones will stay" if plan.shared_unasked else ""
    return f"{goes}; {stays}{unasked}"


def _exact(price: float) -> Decimal:
    """The number as it was written: 0.05, not the binary fraction nearest to it; nor the -0.0 of floating point."""
    return Decimal(repr(abs(price)))


def _price(price: float) -> str:
    """At least two decimals, and all that were given."""
    text = f"{_exact(price):f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2}"
