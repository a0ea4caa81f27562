"""The limits beyond which a run deletes nothing.  Pure."""

from .plan import Plan


def limits_exceeded(plan: Plan, orphans: int = 0) -> list[str]:
    """A sentence for each limit that the plan or the number of orphaned snapshots exceeds.  AMIs to be quarantined count
    like those to be deleted."""
    config = plan.config
    exceeded = []
    if config.max_deletions is not None:
        for count, things in ((len(plan.candidates), "AMIs"), (orphans, "orphaned snapshots")):
            if count > config.max_deletions:
                allowed = f"more than --max-deletions {config.max_deletions} allows"
                exceeded.append(f"The plan would delete {count} {things}, {allowed}.")
    if config.max_percent is not None:
        for target, total in sorted(plan.own_amis.items()):
            count = sum(decision.target == target for decision in plan.candidates)
            if count * 100 > config.max_percent * total:
                allowed = f"more than --max-percent {config.max_percent:g} allows"
                exceeded.append(f"The plan would delete {count} of {total} AMIs in {target}, {allowed}.")
    return exceeded
