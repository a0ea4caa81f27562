"""An interruption at the very end of the changes loses no result."""

from __future__ import annotations

import errno
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from amicleaner.config import Config
from amicleaner.errors import AwsError
from amicleaner.interrupts import Interrupts
from amicleaner.result import Result
from amicleaner.run import clean
from tests.flows.flow import Flow


@pytest.fixture
def late(flow: Flow) -> dict[str, Any]:
    """Interrupts a run after its last change, while its event loop ends."""
    interrupts = Interrupts()

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        answer = flow.time.run(coroutine)
        interrupts.interrupt(143)
        return answer

    return {"view": flow.view, "clock": replace(flow.time.clock, run=run), "interrupts": interrupts}


def test_the_result_has_the_amis_that_were_deleted(flow: Flow, late: dict[str, Any]) -> None:
    ids = flow.several(2)
    result = clean(Config(keep_previous=0, force_delete=True), **late)
    assert {id for _, id in result.amis} == set(ids)
    assert result.exit_status == 143


def test_the_result_has_the_orphaned_snapshots_that_were_deleted(flow: Flow, late: dict[str, Any]) -> None:
    flow.orphan()
    result: Result = clean(Config(check_orphans=True, force_delete=True), **late)
    assert [orphan.result.outcome for orphan in result.orphans if orphan.result] == ["removed"]
    assert result.exit_status == 143


def test_the_result_has_the_amis_that_were_restored(flow: Flow, late: dict[str, Any]) -> None:
    (id,) = flow.several(1)
    flow.clean(quarantine=7)
    result = clean(Config(restore=(id,)), **late)
    assert [(found.id, found.outcome) for found in result.restored] == [(id, "restored")]
    assert result.exit_status == 143


def test_a_terminal_that_is_lost_hides_no_failure(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupts = Interrupts()

    def lost(result: Result) -> None:
        interrupts.interrupt(129)
        raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(flow.view, "finished", lost)
    flow.fault("DescribeImages", code="Unavailable", status=503)
    with pytest.raises(AwsError, match="ec2:DescribeImages"):
        clean(Config(dry_run=True, max_attempts=1), view=flow.view, clock=flow.time.clock, interrupts=interrupts)
