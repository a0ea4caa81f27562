"""The tables of the plan and of its end.  Sorted here; with several targets they begin with `Account` and `Region`."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ..actions import QUARANTINE, Action
from ..decisions import Decision
from ..models import AmiResult, Failure, SnapshotResult, Target
from ..plan import GroupSummary, Plan
from ..reducer import newest_first
from ..result import Orphan
from .layout import Column, table
from .sizes import age, created_for, gib, orphan_block, sizes_of

ALL_NAMED = 20
"""Up to this number, all AMIs are named before the prompt; beyond it only the `FIRST_NAMED` oldest."""

FIRST_NAMED = 10

WIDE = 70
"""Columns of a terminal on which the AMIs are named with their groups."""

_WHERE = (Column("Account"), Column("Region", 9))
_AGE = Column("Age", right=True)
_GIB = Column("GiB", right=True)
_RULE = Column("Rule", 8)
_SUMMARY = (
    Column("Group name", 10), Column("candidates", right=True), Column("AMIs", right=True, optional=True),
    Column("in use", right=True), Column("oldest", right=True), _GIB,
)  # fmt: skip
_NAMED = (Column("AMI Name", 10), Column("AMI ID"), _AGE, _GIB, Column("Group", 8))
_FULL = (
    Column("AMI ID"), Column("AMI Name", 8), Column("Creation Date", 13), Column("Age", right=True, optional=True),
    Column("GiB", right=True, optional=True),
)  # fmt: skip
_ORPHANS = (Column("Orphan Snapshots"), _GIB, _AGE, Column("Created for", optional=True))


def summary(plan: Plan, width: int | None = None) -> str:
    """A row for each group out of which something would be deleted, and one for the untagged AMIs.  Empty without rows."""
    sizes, several = sizes_of(plan), len(plan.targets) > 1
    rows = []
    for group in plan.groups:
        oldest = newest_first(decision.ami for decision in group.decisions)[-1]
        rows.append(
            [
                *at(group.target, several),
                label(group),
                str(len(group.decisions)),
                str(group.amis),
                str(group.in_use),
                age(oldest.created, plan.created),
                str(gib(group.decisions, sizes)),
                *_rule(plan, group.rule),
            ]
        )
    return table((*columns(_SUMMARY, several), *rule_column(plan)), rows, width) if rows else ""


def named(plan: Plan, action: Action, width: int | None = None, *, whole: bool = False) -> str:
    """The AMIs with this action, oldest first: all up to `ALL_NAMED`, or if `whole`.  Empty where there are none."""
    sizes, several = sizes_of(plan), len(plan.targets) > 1
    ordered = oldest_first(plan.of(action))
    if not ordered:
        return ""
    shown = ordered if whole or len(ordered) <= ALL_NAMED else ordered[:FIRST_NAMED]
    rows = [
        [
            *at(decision.target, several),
            decision.ami.name,
            decision.ami.id,
            age(decision.ami.created, plan.created),
            str(gib([decision], sizes)),
            "; ".join(decision.groups),
        ]
        for decision in shown
    ]
    grouped = _NAMED if any(row[-1] for row in rows) and (width is None or width >= WIDE + 25 * several) else _NAMED[:-1]
    cells = rows if grouped is _NAMED else [row[:-1] for row in rows]
    drawn = table(columns(grouped, several), cells, width)
    more = len(ordered) - len(shown)
    return f"{drawn}\n… {more} more: --full-report" if more else drawn


def full_report(plan: Plan, width: int | None = None) -> list[tuple[str, str]]:
    """Each group's label and the table of its AMIs to be deleted, by name."""
    sizes, several = sizes_of(plan), len(plan.targets) > 1
    # Whether an AMI is quarantined or deleted differs only in a run with --quarantine.
    mixed = bool(plan.of(QUARANTINE))
    found = []
    for group in plan.groups:
        rows = [
            [
                *at(group.target, several),
                decision.ami.id,
                decision.ami.name,
                decision.ami.created_text,
                age(decision.ami.created, plan.created),
                str(gib([decision], sizes)),
                *([decision.action.verb] if mixed else []),
            ]
            for decision in sorted(group.decisions, key=lambda decision: (decision.ami.name, decision.ami.id))
        ]
        more = (Column("Action"),) if mixed else ()
        heading = f"{label(group)} (rule {group.rule})" if group.rule else label(group)
        found.append((heading, table((*columns(_FULL, several), *more), rows, width)))
    return found


def orphan_snapshots(orphans: Iterable[Orphan], several: bool, now: datetime, width: int | None = None) -> str:
    """The orphaned snapshots with the AMI that each was created for."""
    rows = [
        [
            *at(orphan.target, several),
            orphan.snapshot.id,
            str(orphan_block(orphan).size_gib),
            age(orphan.snapshot.started, now),
            created_for(orphan),
        ]
        for orphan in sorted(orphans, key=lambda orphan: (orphan.target, orphan.snapshot.id))
    ]
    return table(columns(_ORPHANS, several), rows, width)


def failed(
    title: str, results: Sequence[AmiResult | SnapshotResult], several: bool, width: int | None = None
) -> tuple[str, list[str]]:
    """What AWS did not change, with AWS's code; and AWS's messages, one for each code."""
    rows = sorted([*at(result.target, several), result.id, (result.error or _NO_ERROR).code] for result in results)
    messages: dict[str, str] = {}
    for result in sorted(results, key=lambda result: (result.target, result.id)):
        if result.error and result.error.message:
            messages.setdefault(result.error.code, result.error.message)
    drawn = table(columns((Column(title), Column("Code", 12)), several), rows, width)
    return drawn, [f"{code}: {message}" for code, message in sorted(messages.items())]


_NO_ERROR = Failure("", "")


def oldest_first(decisions: Iterable[Decision]) -> list[Decision]:
    """By creation date, the unknown ones first, in all targets together."""
    by_ami = {(decision.target, decision.ami.id): decision for decision in decisions}
    return sorted(by_ami.values(), key=lambda d: (d.ami.created is not None, d.ami.created or 0, d.key))


def label(group: GroupSummary) -> str:
    """A group as the tables name it."""
    return f"{group.label} (excluded)" if group.excluded else group.label


def columns(columns: Sequence[Column], several: bool) -> Sequence[Column]:
    """With several targets, tables begin with theirs."""
    return (*_WHERE, *columns) if several else columns


def at(target: Target, several: bool) -> list[str]:
    """The first cells of a row."""
    return [target.account, target.region] if several else []


def rule_column(plan: Plan) -> tuple[Column, ...]:
    """A column more where the configuration file has rules."""
    return (_RULE,) if plan.config.rules else ()


def _rule(plan: Plan, rule: str) -> list[str]:
    return [rule] if plan.config.rules else []
