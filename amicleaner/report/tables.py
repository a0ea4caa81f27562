"""The tables of the plan and of its end, and all that `--explain` shows.  Sorted here; with several targets they begin with
`Account` and `Region`."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..actions import QUARANTINE, Action
from ..decisions import Decision
from ..models import UNREADABLE, AmiResult, Reference, SnapshotResult, Target
from ..plan import GroupSummary, Plan, oldest_first
from ..reducer import newest_first
from ..result import Orphan
from .layout import Column, table
from .sanitize import safe_lines
from .sentences import age, gib
from .terminal import plain

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
_EXPLAIN = (
    Column("AMI Name", 10), Column("AMI ID"), Column("Created", 10, optional=True), Column("Age", right=True),
    Column("GiB", right=True, optional=True), Column("Decision"), Column("Explanation", 18),
)  # fmt: skip

NO_GROUP = "(no group)"

_VALUES = 20
"""The column in which the facts about one AMI begin, after their names."""

_LONGEST_ID = 24
"""Columns of a fact, at least: an id, with a comma, is never cut."""


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
    if plan.config.rules:
        columns.append(replace(_RULE, optional=True))
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
            "GiB": str(orphan.snapshot.block().size_gib),
            "Age": age(orphan.snapshot.started, now),
            "Created for": orphan.ami,
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
        "Rule": decision.rule,
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
    target = f" in {decisions[0].target}" if len(plan.targets) > 1 else ""
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
    return draw(_EXPLAIN, rows, False, width, cut=cut, style=style)


def in_detail(plan: Plan, ids: Iterable[str], width: int | None = None) -> list[str]:
    """Everything that is known about these AMIs, in lines that are safe for a terminal; every reference by name."""
    wanted = set(ids)
    lines: list[str] = []
    for decision in plan.decisions:
        if decision.ami.id in wanted:
            lines += safe_lines(f"{decision.ami.id} {decision.ami.name}".rstrip(), width)
            for name, value in _facts(plan, decision):
                parts = safe_lines(value, width and max(width - _VALUES, _LONGEST_ID)) if value else []
                lines += [f"{'' if more else f'  {name}:':<{_VALUES}}{part}" for more, part in enumerate(parts)]
            lines.append("")
    return lines


def _facts(plan: Plan, decision: Decision) -> Iterable[tuple[str, str]]:
    ami = decision.ami
    yield "Target", str(decision.target)
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
        elsewhere = (use.account, use.region) != (decision.target.account, decision.target.region)
        yield "Used by", ", ".join(filter(None, (use.label, *((use.account, use.region) if elsewhere else ()))))


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
