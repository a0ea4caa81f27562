"""The deleter with real clients: every way in which a changing call can fail on the wire, and AWS's documented rates."""

from __future__ import annotations

from functools import cache

import pytest
from botocore.credentials import Credentials

from amicleaner.actions import QUARANTINE, RELEASE
from amicleaner.aws.api import Api
from amicleaner.aws.session import Clients, new_session, with_credentials
from amicleaner.models import Ami, Target
from tests.fake_aws import DEFAULT_ACCOUNT, FakeAws, Fault, RegionState, World, attach

from .simulation import Scene, SimulatedTime, make_ami

TARGET = Target(DEFAULT_ACCOUNT, "eu-west-1")
PASSING = "throttle http500 html xhtml empty truncated unreachable cut lost cut-after hang-after".split()


@cache
def connected() -> tuple[FakeAws, Clients]:
    """Made once: a client takes longer to make than all that a test does with it."""
    fake_aws = FakeAws()
    session = with_credentials(new_session(), Credentials(fake_aws.world.access_key(), "secret"))
    attach(fake_aws, session)
    return fake_aws, Clients(session, TARGET.region)


class Wire(Scene):
    """An account behind the fake AWS, and a deleter that reaches it through botocore."""

    def __init__(self, *, results: bool = True) -> None:
        super().__init__(TARGET, apis=self._connect)
        self.world.deletes_associated = results

    def _connect(self, time: SimulatedTime) -> dict[Target, Api]:
        self.world = World(time.now)
        self.world.account()  # its access key
        self.fake_aws, clients = connected()
        self.fake_aws.reset(self.world)
        self.fake_aws.sleep = time.sleep
        self.region: RegionState = self.world.region(TARGET.region, TARGET.account)
        return {TARGET: Api(TARGET, clients, clock=time.clock)}

    def add(self, *snapshots: int | str) -> Ami:
        image = self.region.add_image("web", snapshots=snapshots)
        self.home.add(image.image_id, *image.snapshot_ids)  # for who uses what
        return make_ami(image.image_id, *image.snapshot_ids)


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("call", ["DeregisterImage", "DeleteSnapshot"])
def test_a_failure_that_passes_leaves_nothing_behind_and_touches_nothing_else(call: str, kind: str) -> None:
    wire = Wire(results=call == "DeregisterImage")
    kept = wire.add(8)
    shared = kept.snapshots[0].id
    amis = [wire.add(8, shared), wire.add(8)]
    wire.fake_aws.faults.append(Fault(call, kind))  # type: ignore[arg-type]
    assert wire.delete(amis) == dict.fromkeys([ami.id for ami in amis], "removed")
    assert (set(wire.region.images), set(wire.region.snapshots)) == ({kept.id}, {shared})
    assert wire.snapshot_outcomes()[shared] == ["kept"]
    assert wire.changer.stopped_by is None


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("call", ["CreateTags", "DisableImage", "EnableImage", "DeleteTags"])
def test_an_ami_is_quarantined_and_released_whatever_passes_on_the_way(call: str, kind: str) -> None:
    wire = Wire()
    ami = wire.add(8)
    wire.fake_aws.faults.append(Fault(call, kind))  # type: ignore[arg-type]
    states: list[str] = []
    wire.on_line = lambda line: states.append(wire.region.images[ami.id].state)
    wire.run([wire.job(ami, QUARANTINE)], [wire.job(ami, RELEASE)])
    assert wire.lines == [f"{ami.id} quarantined", f"{ami.id} released"]
    assert states == ["disabled", "available"]
    assert (wire.region.images[ami.id].state, wire.region.images[ami.id].tags) == ("available", {})


def test_the_rate_that_aws_documents_is_never_reached() -> None:
    wire = Wire()
    wire.fake_aws.rates.enabled = True
    assert set(wire.delete([wire.add(8, 8) for _ in range(250)]).values()) == {"removed"}
    assert {call.outcome for call in wire.fake_aws.calls.changing()} == {"OK"}
    assert wire.fake_aws.calls.count() == 250
    assert 35.7 < wire.time.seconds < 36.0
    assert wire.pool.most == 4


def test_another_client_that_uses_up_the_bucket_makes_it_slower_and_nothing_fails() -> None:
    wire = Wire()
    wire.fake_aws.rates.enabled = True
    amis = [wire.add(8) for _ in range(90)]
    wire.time.at(1.0, lambda: wire.fake_aws.rates.drain("DeregisterImage", TARGET.account, TARGET.region))
    assert set(wire.delete(amis).values()) == {"removed"}
    refused = [call for call in wire.fake_aws.calls.changing() if call.outcome != "OK"]
    assert 0 < len(refused) <= 16
