"""The tables of the plan and of its end.  Sorted here; with several targets they begin with `Account` and `Region`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..actions import QUARANTINE, Action
from ..decisions import Decision
from ..models import AmiResult, SnapshotResult, Target
from ..plan import GroupSummary, Plan, oldest_first
from ..reducer import newest_first
from ..result import Orphan
from .layout import Column, table
from .sizes import age, created_for, gib, orphan_block

ALL_NAMED = 20
"""Up to this number, all AMIs are named before the prompt; beyond it only the `FIRST_NAMED` oldest."""

FIRST_NAMED = 10

WIDE = 70
"""Columns of a terminal on which the AMIs are named with their groups."""

_WHERE = (Column("Account"), Column("Region", 9))
_NAME, _ID = Column("AMI Name", 10), Column("AMI ID")
_AGE, _GIB = Column("Age", right=True), Column("GiB", right=True)
_GROUP = Column("Group", 8)
_RULE = Column("Rule", 8)
_SUMMARY = (
    Column("Group name", 10), Column("candidates", right=True), Column("AMIs", right=True, optional=True),
    Column("in use", right=True), Column("oldest", right=True), _GIB,
)  # fmt: skip
_FULL = (
    _ID, Column("AMI Name", 8), Column("Creation Date", 13), Column("Age", right=True, optional=True),
    Column("GiB", right=True, optional=True),
)  # fmt: skip
_ORPHANS = (Column("Orphan Snapshots"), _GIB, _AGE, Column("Created for", optional=True))


def summary(plan: Plan, width: int | None = None) -> str:
    """A row for each group out of which something would be deleted, and one for the untagged AMIs.  Empty without rows."""
    rows = []
    for group in plan.groups:
        oldest = newest_first(decision.ami for decision in group.decisions)[-1]
        row = {
            "Group name": label(group),
            "candidates": str(len(group.decisions)),
            "AMIs": str(group.amis),
            "in use": str(group.in_use),
            "oldest": age(oldest.created, plan.created),
            "GiB": str(gib(plan, *group.decisions)),
            "Rule": group.rule,
        }
        rows.append(row | at(group.target))
    columns = (*_SUMMARY, _RULE) if plan.config.rules else _SUMMARY
    return draw(columns, rows, len(plan.targets) > 1, width) if rows else ""


def named(plan: Plan, action: Action, width: int | None = None, *, whole: bool = False) -> str:
    """The AMIs with this action, oldest first: all up to `ALL_NAMED`, or if `whole`.  Empty where there are none."""
    several = len(plan.targets) > 1
    ordered = oldest_first(plan.of(action))
    if not ordered:
        return ""
    shown = ordered if whole or len(ordered) <= ALL_NAMED else ordered[:FIRST_NAMED]
    columns = [_NAME, _ID, _AGE, _GIB]
    if any(decision.groups for decision in shown) and (width is None or width >= WIDE + 25 * several):
        columns.append(_GROUP)
    drawn = draw(columns, [cells(decision, plan) for decision in shown], several, width)
    more = len(ordered) - len(shown)
    return f"{drawn}\n… {more} more: --full-report" if more else drawn


def full_report(plan: Plan, width: int | None = None) -> list[tuple[str, str]]:
    """Each group's label and the table of its AMIs to be deleted, by name."""
    several = len(plan.targets) > 1
    # Whether an AMI is quarantined or deleted differs only in a run with --quarantine.
    columns = (*_FULL, Column("Action")) if plan.of(QUARANTINE) else _FULL
    found = []
    for group in plan.groups:
        ordered = sorted(group.decisions, key=lambda decision: (decision.ami.name, decision.ami.id))
        heading = f"{label(group)} (rule {group.rule})" if group.rule else label(group)
        found.append((heading, draw(columns, [cells(decision, plan) for decision in ordered], several, width)))
    return found


def orphan_snapshots(orphans: Iterable[Orphan], several: bool, now: datetime, width: int | None = None) -> str:
    """The orphaned snapshots with the AMI that each was created for."""
    rows = [
        {
            "Orphan Snapshots": orphan.snapshot.id,
            "GiB": str(orphan_block(orphan).size_gib),
            "Age": age(orphan.snapshot.started, now),
            "Created for": created_for(orphan),
        }
        | at(orphan.target)
        for orphan in sorted(orphans, key=lambda orphan: (orphan.target, orphan.snapshot.id))
    ]
    return draw(_ORPHANS, rows, several, width)


def failed(
    title: str, results: Sequence[AmiResult | SnapshotResult], several: bool, width: int | None = None
) -> tuple[str, list[str]]:
    """What AWS did not change, with AWS's code; and AWS's messages, one for each code."""
    rows = []
    messages: dict[str, str] = {}
    for result in sorted(results, key=lambda result: (result.target, result.id)):
        rows.append(at(result.target) | {title: result.id, "Code": result.error.code if result.error else ""})
        if result.error and result.error.message:
            messages.setdefault(result.error.code, result.error.message)
    drawn = draw((Column(title), Column("Code", 12)), rows, several, width)
    return drawn, [f"{code}: {message}" for code, message in sorted(messages.items())]


def cells(decision: Decision, plan: Plan) -> dict[str, str]:
    """What a table may say about an AMI, by the title of the column."""
    ami = decision.ami
    return at(decision.target) | {
        "AMI Name": ami.name,
        "AMI ID": ami.id,
        "Creation Date": ami.created_text,
        "Created": f"{ami.created:%Y-%m-%d}" if ami.created else ami.created_text,
        "Age": age(ami.created, plan.created),
        "GiB": str(gib(plan, decision)),
        "Group": "; ".join(decision.groups),
        "Action": decision.action.verb,
        "Decision": decision.action.verb,
    }


def at(target: Target) -> dict[str, str]:
    """Where something is, as `cells`."""
    return {"Account": target.account, "Region": target.region}


def draw(columns: Sequence[Column], rows: Iterable[Mapping[str, str]], several: bool, width: int | None, **more: Any) -> str:
    """The table of some columns of the rows.  With several targets, tables begin with theirs."""
    shown = (*_WHERE, *columns) if several else columns
    return table(shown, [[row[column.title] for column in shown] for row in rows], width, **more)


def label(group: GroupSummary) -> str:
    """A group as the tables name it."""
    return f"{group.label} (excluded)" if group.excluded else group.label
