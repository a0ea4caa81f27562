"""A run that quarantines, releases or restores is killed at each of its changing calls.  The next run finishes the work, or
says what is left.

Nothing that a killed process still does in this one counts: AWS answers no further call, and the audit log is put back to
what it was at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from amicleaner.actions import QUARANTINE_TAG
from amicleaner.config import Config
from amicleaner.result import Result
from amicleaner.run import clean
from tests.fake_aws import Call
from tests.fake_aws.calls import CHANGING
from tests.flows.flow import Flow

pytestmark = pytest.mark.once
DAYS = 7
Moment = Literal["before", "after"]
MOMENTS = pytest.mark.parametrize("moment", ["before", "after"])


class Killed(BaseException):
    """The process is dead."""


class Killer:
    """Kills at the `nth` changing call, `before` or `after` AWS acts on it."""

    def __init__(self, flow: Flow, nth: int, moment: Moment, log: Path) -> None:
        self.dead = False
        self._nth = nth
        self._moment = moment
        self._log = log
        self._written = b""
        self._act = flow.fake_aws._act
        flow.patch.setattr(flow.fake_aws, "_act", self.act)

    def act(self, call: Call, key: Any) -> Any:
        if self.dead:
            raise Killed
        self._nth -= call.action in CHANGING
        if self._nth or call.action not in CHANGING:
            return self._act(call, key)
        if self._moment == "after":
            self._act(call, key)
        self.dead = True
        self._written = self._log.read_bytes()
        raise Killed

    def bury(self, flow: Flow) -> None:
        """Undoes what the dead process did after its death."""
        flow.patch.setattr(flow.fake_aws, "_act", self._act)
        self._log.write_bytes(self._written)


@pytest.fixture
def new_flow(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Flow]:
    """Makes accounts, each with a folder of its own."""
    return lambda: Flow(monkeypatch, tmp_path_factory.mktemp("flow"))


def kills(
    new_flow: Callable[[], Flow], prepare: Callable[[Flow], object], run: Callable[[Flow], Result], moment: Moment
) -> Iterator[Flow]:
    """An account for each changing call of a run, after a run that was killed at this call."""
    for nth in range(1, 100):
        flow = new_flow()
        prepare(flow)
        log = Path(flow.path("audit.jsonl"))
        log.unlink(missing_ok=True)
        killer = Killer(flow, nth, moment, log)
        with suppress(Killed):
            run(flow)
        if not killer.dead:
            assert nth > 3, "the run makes calls that change something"
            return
        killer.bury(flow)
        yield flow


def quarantine(flow: Flow) -> Result:
    return flow.clean(quarantine=DAYS, audit_log=flow.path("audit.jsonl"))


def bring_back(flow: Flow, *words: str) -> Result:
    config = Config(restore=words, audit_log=flow.path("audit.jsonl"))
    return clean(config, view=flow.view, clock=flow.time.clock)


def states(flow: Flow) -> list[tuple[str, bool]]:
    """Of each AMI, its state and whether it has the tag."""
    return sorted((image.state, QUARANTINE_TAG in image.tags) for image in flow.home.images.values())


def half_done(flow: Flow) -> set[str]:
    """The AMIs that are available and have the tag."""
    tagged = {id: image for id, image in flow.home.images.items() if QUARANTINE_TAG in image.tags}
    return {id for id, image in tagged.items() if image.state == "available"}


@MOMENTS
def test_killed_while_quarantining(new_flow: Callable[[], Flow], moment: Moment) -> None:
    """What was tagged and not disabled counts as enabled by hand, and is named; all else is finished.  The log brings back
    every AMI that is disabled."""
    for flow in kills(new_flow, lambda flow: flow.several(2), quarantine, moment):
        half = len(half_done(flow))
        result = quarantine(flow)
        assert result.exit_status == 0
        assert states(flow) == [("available", True)] * half + [("disabled", True)] * (2 - half)
        assert result.plan
        assert [reason for reason, _ in result.plan.kept_by_reason].count("released") == (half > 0)
        assert bring_back(flow, flow.path("audit.jsonl")).exit_status == 0
        assert {state for state, _ in states(flow)} == {"available"}


def in_use_by_now(flow: Flow) -> None:
    ids = flow.several(2)
    quarantine(flow)
    for id in ids:
        flow.home.add_instance(id)


@MOMENTS
def test_killed_while_releasing(new_flow: Callable[[], Flow], moment: Moment) -> None:
    for flow in kills(new_flow, in_use_by_now, quarantine, moment):
        half = len(half_done(flow))
        assert quarantine(flow).exit_status == 0
        assert states(flow) == [("available", False)] * (2 - half) + [("available", True)] * half


@MOMENTS
def test_killed_while_restoring_from_quarantine(new_flow: Callable[[], Flow], moment: Moment) -> None:
    ids: list[str] = []

    def prepare(flow: Flow) -> None:
        ids[:] = flow.several(2)
        quarantine(flow)

    for flow in kills(new_flow, prepare, lambda flow: bring_back(flow, *ids), moment):
        half = half_done(flow)
        result = bring_back(flow, *ids)
        assert result.exit_status == 0
        assert states(flow) == [("available", False)] * (2 - len(half)) + [("available", True)] * len(half)
        assert {one.id for one in result.restored if QUARANTINE_TAG in one.reason} == half


@pytest.mark.parametrize(("moment", "by_log"), [("before", True), ("after", False)], ids=["before, by log", "after, by id"])
def test_killed_while_restoring_from_the_recycle_bin(new_flow: Callable[[], Flow], moment: Moment, by_log: bool) -> None:
    """The AMI was deleted out of quarantine, and comes back disabled."""
    words: list[str] = []
    before: list[str] = []

    def prepare(flow: Flow) -> None:
        for kind in ("EC2_IMAGE", "EBS_SNAPSHOT"):
            flow.home.add_retention_rule(kind, days=30)
        id = flow.add(snapshots=[8, 8]).image_id
        quarantine(flow)
        flow.time.seconds += 8 * 86400
        before[:] = sorted([*flow.home.images, *flow.home.snapshots])
        log = flow.path("deleted.jsonl")
        flow.clean(quarantine=DAYS, audit_log=log)
        words[:] = [log if by_log else id]

    for flow in kills(new_flow, prepare, lambda flow: bring_back(flow, *words), moment):
        half = len(half_done(flow))
        result = bring_back(flow, *words)
        assert result.exit_status == 0
        assert sorted([*flow.home.images, *flow.home.snapshots]) == before
        assert states(flow) == [("available", bool(half))]
