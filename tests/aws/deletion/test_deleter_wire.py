"""The deleter with real clients: every way in which a changing call can go wrong on the wire."""

from __future__ import annotations

from functools import cache

import pytest
from botocore.credentials import Credentials

from amicleaner.aws.api import Api
from amicleaner.aws.deletion.deleter import Deleter
from amicleaner.aws.session import Clients, new_session, with_credentials
from amicleaner.models import Ami, AmiResult, BlockSnapshot, Target
from tests.aws.deletion.simulation import Heard, Pool, SimulatedBell, Time, outcomes, snapshot_outcomes
from tests.fake_aws import DEFAULT_ACCOUNT, FakeAws, Fault, RegionState, World, attach
from tests.fake_aws.resources import Image

TARGET = Target(DEFAULT_ACCOUNT, "eu-west-1")
PASSING = [
    "throttle",
    "http500",
    "html",
    "xhtml",
    "empty",
    "truncated",
    "unreachable",
    "cut",
    "lost",
    "cut-after",
    "hang-after",
]


@cache
def connected() -> tuple[FakeAws, Clients]:
    """Made once: a client takes longer to make than all that a test does with it."""
    fake_aws = FakeAws()
    session = with_credentials(new_session(), Credentials(fake_aws.world.access_key(), "secret"))
    attach(fake_aws, session)
    return fake_aws, Clients(session, TARGET.region)


class Wire:
    """An account behind the fake AWS, and a deleter that reaches it through botocore."""

    def __init__(self, *, results: bool = True) -> None:
        self.time = Time()
        self.world = World(self.time.clock.now)
        self.world.account()  # its access key
        self.world.deletes_associated = results
        self.fake_aws, clients = connected()
        self.fake_aws.reset(self.world)
        self.fake_aws.sleep = self.time.advance
        self.region: RegionState = self.world.region(TARGET.region, TARGET.account)
        self.heard = Heard()
        self.api = Api(TARGET, clients, clock=self.time.clock)

    def add(self, *snapshots: int | str) -> Ami:
        image: Image = self.region.add_image("web", snapshots=snapshots)
        return Ami(
            image.image_id,
            "web",
            None,
            "",
            "available",
            snapshots=tuple(BlockSnapshot(id, 8) for id in image.snapshot_ids),
        )

    def remove(self, *amis: Ami) -> list[AmiResult]:
        holders: dict[str, frozenset[str]] = {}
        for image in self.region.images.values():
            for snapshot in image.snapshot_ids:
                holders[snapshot] = holders.get(snapshot, frozenset()) | {image.image_id}
        deleter = Deleter(
            {TARGET: self.api},
            clock=self.time.clock,
            listener=self.heard,
            pool=Pool(self.time),
            bell=SimulatedBell(self.time),
        )
        results = deleter.remove([(TARGET, ami) for ami in amis], {TARGET: holders})
        assert deleter.stopped_by is None
        return results


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("action", ["DeregisterImage", "DeleteSnapshot"])
def test_what_passes_leaves_nothing_behind_and_touches_nothing_else(action: str, kind: str) -> None:
    wire = Wire(results=action == "DeregisterImage")
    stays = wire.add(8)
    shared = stays.snapshots[0].id
    amis = [wire.add(8, shared), wire.add(8)]
    wire.fake_aws.faults.append(Fault(action, kind))  # type: ignore[arg-type]
    results = wire.remove(*amis)
    assert outcomes(results) == dict.fromkeys([ami.id for ami in amis], "removed")
    assert set(wire.region.images) == {stays.id}
    assert set(wire.region.snapshots) == {shared}
    assert snapshot_outcomes(results)[shared] == ["kept"]
    assert not [line for line in wire.heard.lines if line.endswith("failed")]


@pytest.mark.parametrize("kind", ["refuse", "http500", "xhtml", "cut"])
def test_what_lasts_is_told_as_it_is(kind: str) -> None:
    wire = Wire()
    ami = wire.add(8, 8)
    wire.fake_aws.faults.append(Fault("DeregisterImage", kind, times=None))  # type: ignore[arg-type]
    (result,) = wire.remove(ami)
    assert set(wire.region.images) == {ami.id}
    assert result.outcome == "failed"
    assert result.error
    assert ("may be gone" in result.error.message) == (kind != "refuse")
    assert set(snapshot_outcomes([result])) == {snapshot.id for snapshot in ami.snapshots}


@pytest.mark.parametrize("action", ["DeregisterImage", "DeleteSnapshot"])
def test_twenty_five_throttles_in_a_row(action: str) -> None:
    wire = Wire(results=action == "DeregisterImage")
    wire.fake_aws.faults.append(Fault(action, "throttle", times=25))
    results = wire.remove(wire.add(8), wire.add(8))
    assert [result.outcome for result in results] == ["removed", "removed"]
    assert not wire.region.snapshots
    assert wire.fake_aws.calls.count(action) == 27


def test_the_rate_that_aws_documents_is_never_reached() -> None:
    wire = Wire()
    wire.fake_aws.rates.enabled = True
    start = wire.time.seconds
    results = wire.remove(*(wire.add(8, 8) for _ in range(250)))
    assert all(result.outcome == "removed" for result in results)
    assert {call.outcome for call in wire.fake_aws.calls.changing()} == {"OK"}
    assert wire.fake_aws.calls.count("DeregisterImage") == wire.fake_aws.calls.count() == 250
    assert wire.time.seconds - start <= 36.0


def test_somebody_else_who_uses_up_the_bucket_makes_it_slower_and_nothing_fails() -> None:
    wire = Wire()
    wire.fake_aws.rates.enabled = True
    amis = [wire.add(8) for _ in range(60)]
    wire.time.at(0.1, lambda: wire.fake_aws.rates.drain("DeregisterImage", TARGET.account, TARGET.region))
    results = wire.remove(*amis)
    assert all(result.outcome == "removed" for result in results)
    refused = [call for call in wire.fake_aws.calls.changing() if call.outcome != "OK"]
    assert 0 < len(refused) <= 16
