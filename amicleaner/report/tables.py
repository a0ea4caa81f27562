"""The tables that people read, from the plan and from the results.  Sorted here; with several targets they begin with
`Account` and `Region`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..models import AmiResult, Failure, Snapshot, SnapshotResult, Target
from ..plan import Decision, GroupSummary, Plan
from .layout import Column, table

_WHERE = (Column("Account"), Column("Region", 9))

_AMI = (Column("AMI ID"), Column("AMI Name", 8), Column("Creation Date", 13))
_SUMMARY = (Column("Group name", 10), Column("candidates", right=True))
_EXPLAIN = (
    Column("AMI ID"), Column("AMI Name", 8, optional=True), Column("Decision"), Column("Reason", 9), Column("Groups", 6),
    Column("Used by", 20),
)  # fmt: skip


def summary(plan: Plan, width: int | None = None) -> str:
    """How many AMIs of each group go; the untagged ones are listed too.  Empty where there is nothing to list."""
    rows = [_at(plan, listed.target, label(listed), str(len(listed.decisions))) for listed in plan.listed]
    return table(_columns(_SUMMARY, len(plan.targets) > 1), rows, width) if rows else ""


def full_report(plan: Plan, width: int | None = None) -> list[tuple[str, str]]:
    """Each group's label and the table of its AMIs that go, by name."""
    several = len(plan.targets) > 1
    return [
        (label(listed), table(_columns(_AMI, several), [_ami(plan, decision) for decision in _by_name(listed)], width))
        for listed in plan.listed
    ]


def explanation(plan: Plan, width: int | None = None) -> str:
    """Every AMI looked at: decision, reason, groups, and what uses it.  Empty where there is none."""
    rows = [
        _at(
            plan,
            decision.target,
            decision.ami.id,
            decision.ami.name,
            "remove" if decision.remove else "keep",
            decision.reason,
            "; ".join(decision.groups),
            "; ".join(use.label for use in decision.used_by),
        )
        for decision in plan.decisions
    ]
    return table(_columns(_EXPLAIN, len(plan.targets) > 1), rows, width) if rows else ""


def orphan_snapshots(orphans: Iterable[tuple[Target, Snapshot]], several: bool, width: int | None = None) -> str:
    """The orphan snapshots."""
    rows = sorted(_where(target, several, snapshot.id) for target, snapshot in orphans)
    return table(_columns((Column("Orphan Snapshots"),), several), rows, width)


def failed(title: str, results: Iterable[AmiResult | SnapshotResult], several: bool, width: int | None = None) -> str:
    """What AWS did not remove, with AWS's code and message."""
    rows = sorted(_where(result.target, several, result.id, *_why(result.error)) for result in results)
    return table(_columns((Column(title), Column("Code", 12), Column("Message", 12)), several), rows, width)


def label(listed: GroupSummary) -> str:
    """A group as the tables name it."""
    return f"{listed.label} (excluded)" if listed.excluded else listed.label


def _columns(columns: Sequence[Column], several: bool) -> Sequence[Column]:
    return (*_WHERE, *columns) if several else columns


def _at(plan: Plan, target: Target, *cells: str) -> list[str]:
    return _where(target, len(plan.targets) > 1, *cells)


def _where(target: Target, several: bool, *cells: str) -> list[str]:
    return [target.account, target.region, *cells] if several else list(cells)


def _by_name(listed: GroupSummary) -> list[Decision]:
    return sorted(listed.decisions, key=lambda decision: (decision.ami.name, decision.ami.id))


def _ami(plan: Plan, decision: Decision) -> list[str]:
    return _at(plan, decision.target, decision.ami.id, decision.ami.name, decision.ami.created_text)


def _why(error: Failure | None) -> tuple[str, str]:
    return (error.code, error.message) if error else ("", "")
