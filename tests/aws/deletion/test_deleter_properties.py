"""Whatever AWS does to it: nothing outside the removal goes, nothing is lost track of, and a second run finishes."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from amicleaner.errors import TransientError
from amicleaner.models import Ami, AmiResult
from tests.aws.deletion.simulation import (
    HOME,
    Account,
    FakeAws,
    Fault,
    Scene,
    aws_error,
    cut,
    expired,
    make_watch,
    snapshot_outcomes,
    throttle,
)

FAULTS = st.one_of(
    st.builds(lambda: Fault(throttle())),
    st.builds(lambda: Fault(aws_error("InternalError", TransientError))),
    st.builds(lambda after: Fault(cut(), after=after), st.booleans()),
    st.builds(lambda code: Fault(aws_error(code)), st.sampled_from(["UnauthorizedOperation", "InvalidSnapshot.InUse"])),
)
CODES = st.sampled_from(["skipped", "internal-error", "missing-permissions", "client-error", "new-code"])


@dataclass
class Case:
    """An account: `held` has each AMI's snapshots; some AMIs go; what goes wrong, and when it is stopped."""

    held: list[set[int]]
    goes: set[int]
    emulator: bool
    ami_faults: dict[int, list[Fault]]
    snapshot_faults: dict[int, list[Fault]]
    codes: dict[int, dict[int, str]]
    expires: int | None
    stops_after: float | None
    in_use: dict[int, float]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    held = draw(st.lists(st.sets(st.integers(0, 7), max_size=3), min_size=1, max_size=9))
    ids = st.integers(0, len(held) - 1)
    return Case(
        held=held,
        goes=draw(st.sets(ids, min_size=1)),
        emulator=draw(st.booleans()),
        ami_faults=draw(st.dictionaries(ids, st.lists(FAULTS, max_size=6), max_size=4)),
        snapshot_faults=draw(st.dictionaries(st.integers(0, 7), st.lists(FAULTS, max_size=6), max_size=4)),
        codes=draw(st.dictionaries(ids, st.dictionaries(st.integers(0, 7), CODES), max_size=3)),
        expires=draw(st.none() | ids),
        stops_after=draw(st.none() | st.floats(0.0, 3.0)),
        in_use=draw(st.dictionaries(ids, st.floats(0.0, 3.0), max_size=2)),
    )


def set_up(case: Case) -> tuple[Scene, list[Ami]]:
    scene = Scene(emulator=case.emulator)
    amis = [scene.home.add(f"ami-{n}", *(f"snap-{s}" for s in sorted(held))) for n, held in enumerate(case.held)]
    for number, faults in case.ami_faults.items():
        scene.home.faults[f"ami-{number}"] = list(faults)
    for number, codes in case.codes.items():
        # Not for a snapshot that is shared: what AWS says of those is in the fake itself.
        own = {f"snap-{s}": code for s, code in codes.items() if sum(s in held for held in case.held) == 1}
        scene.home.faults[f"ami-{number}"].append(Fault(codes=own))
    for number, faults in case.snapshot_faults.items():
        scene.home.faults[f"snap-{number}"] = list(faults)
    if case.expires is not None:
        scene.home.faults[f"ami-{case.expires}"].append(Fault(expired()))
    if case.stops_after is not None:
        scene.time.at(case.stops_after, scene.stop.set)
    return scene, [ami for number, ami in enumerate(amis) if number in case.goes]


@given(cases())
def test_whatever_happens(case: Case) -> None:
    scene, removals = set_up(case)
    account = Account(scene.time, HOME, 0.5)
    watch = make_watch(scene.time, account)
    watch.invalidate()
    for number, moment in case.in_use.items():
        scene.time.at(moment, lambda number=number: account.use(f"ami-{number}"))  # type: ignore[misc]
    aws = scene.home
    before = dict(aws.amis)
    results = scene.remove(removals, watch=watch)
    check(aws, before, removals, results, scene.heard.lines)
    finish(scene, removals)


def check(
    aws: FakeAws,
    amis: dict[str, tuple[str, ...]],
    removals: list[Ami],
    results: list[AmiResult],
    lines: list[str],
) -> None:
    wanted = {ami.id for ami in removals}
    wanted_snapshots = {snapshot.id for ami in removals for snapshot in ami.snapshots}
    # Nothing outside the removal is gone, or was even touched; no AMI that exists has lost a snapshot.
    assert set(amis) - wanted <= set(aws.amis)
    assert {made.id for made in aws.made} <= wanted | wanted_snapshots
    assert all(snapshot in aws.snapshots for held in aws.amis.values() for snapshot in held)
    # What is said of AMIs is true, in the plan's order; what was not tried is untouched.
    assert [result.id for result in results] == [ami.id for ami in removals if ami.id in {result.id for result in results}]
    for result in results:
        not_known = result.error is not None and "may be gone" in result.error.message
        if result.outcome == "removed":
            assert result.id not in aws.amis
        elif not not_known:
            assert result.id in aws.amis
        assert (result.outcome == "failed") == (result.error is not None)
    assert all(id in aws.amis for id in wanted - {result.id for result in results})
    # What is said of snapshots is true, and none is lost track of.
    outcomes = snapshot_outcomes(results)
    for result in results:
        for snapshot in result.snapshots:
            if snapshot.outcome == "removed":
                assert snapshot.id not in aws.snapshots
            assert (snapshot.outcome == "failed") == (snapshot.error is not None)
    for result in results:
        assert {snapshot.id for ami in removals if ami.id == result.id for snapshot in ami.snapshots} <= set(outcomes)
    left = {id for id in wanted_snapshots & aws.snapshots if not aws.used(id)}
    assert all(set(outcomes[id]) & {"failed", "kept"} for id in left)
    assert all(found.count("removed") <= 1 for found in outcomes.values())
    # The news are the results.
    assert {line.split()[0] for line in lines if line.endswith("deregistered")} == {
        result.id for result in results if result.outcome == "removed"
    }
    assert sorted(line.split()[0] for line in lines if line.endswith("deleted")) == sorted(
        id for id, found in outcomes.items() if "removed" in found
    )
    failed = {id for id, found in outcomes.items() if "failed" in found} | {
        result.id for result in results if result.outcome == "failed"
    }
    assert {line.split()[0] for line in lines if line.endswith("failed")} == failed


def finish(scene: Scene, removals: list[Ami]) -> None:
    """A second run, of what is still there, when AWS is well again."""
    aws = scene.home
    scene.time.advance(10.0)
    scene.stop.clear()
    aws.faults.clear()
    again = [ami for ami in removals if ami.id in aws.amis]
    results = scene.remove(again)
    assert all(result.outcome == "removed" for result in results)
    assert not {ami.id for ami in removals} & set(aws.amis)
    held = {snapshot for held in aws.amis.values() for snapshot in held}
    assert not {snapshot.id for ami in again for snapshot in ami.snapshots} & (aws.snapshots - held)
