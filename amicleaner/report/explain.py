"""`--explain`: every AMI by group with its decision and the reason, or everything that is known about some AMIs."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ..decisions import Decision
from ..models import UNREADABLE, Reference, Target
from ..plan import Plan
from ..reducer import newest_first
from .layout import Column
from .sentences import where
from .sizes import age
from .tables import cells, draw
from .terminal import plain

_COLUMNS = (
    Column("AMI Name", 10), Column("AMI ID"), Column("Created", 10, optional=True), Column("Age", right=True),
    Column("GiB", right=True, optional=True), Column("Decision"), Column("Explanation", 18),
)  # fmt: skip

NO_GROUP = "(no group)"


def by_group(plan: Plan, width: int | None = None, style: Callable[[str], str] = plain) -> list[tuple[str, str]]:
    """A heading and a table for each group: what is kept, newest first, and below a line what is deleted or quarantined."""
    groups: dict[tuple[Target, bool, str, str], list[Decision]] = {}
    for decision in plan.decisions:
        for label in decision.groups or (NO_GROUP,):
            groups.setdefault((decision.target, not decision.groups, label, decision.rule), []).append(decision)
    return [
        (_heading(plan, label, rule, decisions), _table(plan, decisions, width, style))
        for (_, _, label, rule), decisions in sorted(groups.items())
    ]


def _heading(plan: Plan, label: str, rule: str, decisions: Sequence[Decision]) -> str:
    counts = Counter(decision.action.verb for decision in decisions)
    said = ", ".join(f"{verb} {count}" for verb, count in sorted(counts.items(), reverse=True))
    target = f" in {where(decisions[0].target)}" if len(plan.targets) > 1 else ""
    return f"{label}{f' (rule {rule})' if rule else ''}{target}: {said}"


def _table(plan: Plan, decisions: Sequence[Decision], width: int | None, style: Callable[[str], str]) -> str:
    order = {ami.id: place for place, ami in enumerate(newest_first(decision.ami for decision in decisions))}
    ordered = sorted(decisions, key=lambda decision: (decision.candidate, order[decision.ami.id]))
    kept = sum(not decision.candidate for decision in decisions)
    # One date for all is in the sentence on the Recycle Bin.
    differ = len({decision.restorable_until for decision in plan.removals}) > 1
    rows = []
    for decision in ordered:
        undo = decision.restorable_until if differ else None
        restorable = f" Restorable until {undo:%Y-%m-%d}." if undo else ""
        rows.append(cells(decision, plan) | {"Explanation": f"{decision.explanation}{restorable}"})
    cut = kept - 1 if 0 < kept < len(decisions) else None
    return draw(_COLUMNS, rows, False, width, cut=cut, style=style)


def in_detail(plan: Plan, ids: Iterable[str]) -> list[str]:
    """Everything that is known about these AMIs, in lines; every reference by name."""
    wanted = set(ids)
    lines: list[str] = []
    for decision in plan.decisions:
        if decision.ami.id in wanted:
            lines += [f"{decision.ami.id} {decision.ami.name}".rstrip()]
            lines += [f"  {name + ':':<17} {value}" for name, value in _facts(plan, decision) if value]
            lines.append("")
    return lines


def _facts(plan: Plan, decision: Decision) -> Iterable[tuple[str, str]]:
    ami = decision.ami
    yield "Target", where(decision.target)
    yield "Decision", f"{decision.action.verb} ({decision.reason}): {decision.explanation}"
    yield "Rule", decision.rule
    yield "Groups", "; ".join(decision.groups)
    yield "Created", f"{ami.created_text or 'unknown'} (age {age(ami.created, plan.created)})"
    launched = "AWS's date is unreadable" if ami.last_launched == UNREADABLE else ""
    yield "Last launched", launched or (f"{ami.last_launched:%Y-%m-%d}" if ami.last_launched else "never, or not recorded")
    yield "State", ami.state
    yield "Visibility", "public" if ami.public else ""
    yield "Protection", ami.protection
    yield "Copied from", " in ".join(filter(None, ami.source))
    yield "Quarantine until", f"{decision.until:%Y-%m-%d}" if decision.until else ""
    yield "Restorable until", f"{decision.restorable_until:%Y-%m-%d}" if decision.restorable_until else ""
    for key, value in ami.tags:
        yield "Tag", f"{key}={value}"
    for snapshot in ami.snapshots:
        size = plan.size_of(decision.target, snapshot)
        yield "Snapshot", f"{snapshot.id}, up to {size} GiB{', archived' if snapshot.archived else ''}"
    for use in decision.used_by:
        yield "Used by", f"{use.label}, {', '.join(filter(None, (use.account, use.region)))}".rstrip(", ")


def dangling(references: Iterable[Reference], width: int | None = None) -> str:
    """The references to AMIs that do not exist: what fails at its next launch.  Empty if there are none."""
    rows = [
        {
            "Account": reference.use.account,
            "Region": reference.use.region,
            "Dangling reference": reference.use.label,
            "Missing AMI": reference.ami,
        }
        for reference in set(references)
    ]
    rows.sort(key=lambda row: tuple(row.values()))
    return draw((Column("Dangling reference", 20), Column("Missing AMI")), rows, True, width) if rows else ""
