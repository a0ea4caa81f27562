"""What a run's end says, and its exit status."""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.models import AmiResult, Failure, Outcome, Snapshot, SnapshotResult
from amicleaner.result import Orphan, Result
from tests.strategies import HERE, NOW, plan_of, row

DENIED = Failure("UnauthorizedOperation", "no")


def snapshot(outcome: Outcome, id: str = "snap-1") -> SnapshotResult:
    return SnapshotResult(HERE, id, outcome, DENIED if outcome == "failed" else None)


def ami(outcome: Outcome, *snapshots: SnapshotResult) -> dict[Any, AmiResult]:
    error = DENIED if outcome == "failed" else None
    return {(HERE, "ami-1"): AmiResult(HERE, "ami-1", outcome, error, snapshots)}


def orphan(outcome: Outcome | None) -> Orphan:
    result = snapshot(outcome, "snap-9") if outcome else None
    return Orphan(HERE, Snapshot("snap-9", "", NOW, "completed", 8), result=result)


FULL = plan_of(row(2), keep_previous=0)
EMPTY = plan_of(row(2))
CODED = plan_of(row(2), keep_previous=0, dry_run=True, exit_code=True)
CODED_EMPTY = plan_of(row(2), dry_run=True, exit_code=True)


@pytest.mark.parametrize(
    "result, status",
    [
        (Result(), 0),
        (Result(FULL), 0),
        (Result(FULL, ami("removed", snapshot("removed"), snapshot("kept"))), 0),
        (Result(FULL, ami("kept")), 0),
        (Result(FULL, warnings=("careful",)), 0),
        (Result(FULL, problems=("no such AMI",)), 1),
        (Result(FULL, ami("failed")), 1),
        (Result(FULL, ami("removed", snapshot("failed"))), 1),
        (Result(EMPTY, orphans=(orphan("removed"), orphan(None))), 0),
        (Result(EMPTY, orphans=(orphan("failed"),)), 1),
        (Result(CODED), 3),
        (Result(CODED_EMPTY), 0),
        (Result(CODED_EMPTY, orphans=(orphan(None),)), 3),
        (Result(CODED, problems=("no",)), 1),
        (Result(FULL, ami("failed"), interrupted=143), 143),
        (Result(interrupted=130), 130),
    ],
)
def test_exit_status(result: Result, status: int) -> None:
    """0.2.2 exited with 0 whatever had failed."""
    assert result.exit_status == status


def test_what_failed() -> None:
    result = Result(FULL, ami("failed", snapshot("failed"), snapshot("kept", "snap-2")), (orphan("failed"), orphan(None)))
    assert [failed.id for failed in result.failed_amis] == ["ami-1"]
    assert [failed.id for failed in result.failed_snapshots] == ["snap-1", "snap-9"]
