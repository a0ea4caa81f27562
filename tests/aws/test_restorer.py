"""A stop ends a restore in time and loses no result."""

from __future__ import annotations

import pytest

from amicleaner.actions import QUARANTINE_TAG
from amicleaner.aws.restorer import Restorer
from amicleaner.models import RestoreResult
from amicleaner.restore_steps import Step

from .simulation import HANG, HOME, NEVER, Fault, Scene, cut


@pytest.mark.parametrize("phase", ["call", "look", "tag"])
def test_what_hangs_after_a_stop_is_waited_for_twenty_seconds_and_named(phase: str) -> None:
    scene = Scene()
    scene.home.add("ami-1", state="disabled", tags={QUARANTINE_TAG: "2026-01-01T00:00:00Z"})
    if phase == "call":
        scene.home.faults["ami-1"] = [HANG]
    elif phase == "look":
        scene.home.faults["ami-1"] = [Fault(cut())] * 4
        describe = scene.home._describe

        def hanging(*ids: str) -> object:
            scene.clock.sleep(NEVER)
            return describe(*ids)

        scene.home._describe = hanging  # type: ignore[method-assign, assignment]
    else:
        scene.home.faults["DeleteTags ami-1"] = [HANG]
    told: list[RestoreResult] = []
    restorer = Restorer(scene.changer, told.append)
    scene.time.at(10.0 if phase == "look" else 0.1, scene.changer.halt)
    scene.time.run(restorer.run([Step(HOME, "ami-1", "enable")]))
    assert scene.time.seconds <= 30.1
    [result] = told
    assert (result.id, result.outcome) == ("ami-1", "failed")
    assert "it may be done" in result.reason
    assert restorer.results == told
