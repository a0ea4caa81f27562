"""Whatever happens: nothing is changed that the last round did not allow, nothing is lost, and a second run finishes."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from amicleaner.actions import DELETE, QUARANTINE, QUARANTINE_TAG, RELEASE, Action
from amicleaner.models import Ami

from .simulation import HANG, HOME, Fault, Image, Scene, aws_error, cut, denied, expired, throttle, transient

FAULTS = st.one_of(
    st.builds(lambda: Fault(throttle())),
    st.builds(lambda: Fault(transient())),
    st.builds(lambda after: Fault(cut(), after=after), st.booleans()),
    st.builds(lambda seconds: Fault(seconds=seconds), st.sampled_from([10.0, 65.0])),
    st.builds(lambda code: Fault(aws_error(code)), st.sampled_from(["OperationNotPermitted", "InvalidSnapshot.InUse"])),
    st.builds(lambda: Fault(denied())),
    st.just(HANG),
)
CODES = st.sampled_from(["skipped", "internal-error", "missing-permissions", "client-error", "new-code"])


@dataclass
class Case:
    """An account: `held` has each AMI's snapshots.  Some AMIs are changed; what fails, what comes into use, what somebody
    else deregisters, and when the run is stopped."""

    held: list[set[int]]
    actions: dict[int, Action]
    emulator: bool
    reading: float
    faults: dict[str, list[Fault]]
    codes: dict[int, dict[int, str]]
    expires: int | None
    unreadable: bool
    fresh: bool
    stop: float | None
    in_use: dict[int, float]
    deregistered: dict[int, float]


@st.composite
def cases(draw: st.DrawFn, *actions: Action) -> Case:
    held = draw(st.lists(st.sets(st.integers(0, 7), max_size=3), min_size=1, max_size=9))
    ids = st.integers(0, len(held) - 1)
    names = st.builds("ami-{}".format, ids) | st.builds("snap-{}".format, st.integers(0, 7))
    times = st.dictionaries(ids, st.floats(0.0, 3.0), max_size=2)
    return Case(
        held=held,
        actions=draw(st.dictionaries(ids, st.sampled_from(actions), min_size=1)),
        emulator=draw(st.booleans()),
        reading=draw(st.sampled_from([0.0, 0.5, 70.0])),
        faults=draw(st.dictionaries(names, st.lists(FAULTS, max_size=5), max_size=5)),
        codes=draw(st.dictionaries(ids, st.dictionaries(st.integers(0, 7), CODES), max_size=3)),
        expires=draw(st.none() | ids),
        unreadable=draw(st.booleans()),
        fresh=draw(st.booleans()),
        stop=draw(st.just(400.0) | st.floats(0.0, 3.0)),  # what hangs would hang for ever
        in_use=draw(times),
        deregistered=draw(times),
    )


def carry_out(case: Case) -> tuple[Scene, list[Ami], dict[str, Image]]:
    """The run, what was to be deleted, and the AMIs as they were before."""
    scene = Scene(emulator=case.emulator, reading=case.reading)
    amis = []
    for number, held in enumerate(case.held):
        quarantined = case.actions.get(number) is RELEASE
        state, tags = ("disabled", {QUARANTINE_TAG: "2026-02-01T00:00:00Z"}) if quarantined else ("available", {})
        amis.append(scene.home.add(f"ami-{number}", *(f"snap-{s}" for s in sorted(held)), state=state, tags=tags))
    for id, faults in case.faults.items():
        scene.home.faults[id] = list(faults)
    for number, codes in case.codes.items():
        # Not of a snapshot that is shared: the fake itself knows what AWS says of those.
        own = {f"snap-{s}": code for s, code in codes.items() if sum(s in held for held in case.held) == 1}
        scene.home.faults[f"DeregisterImage ami-{number}"].append(Fault(codes=own))
    if case.expires is not None:
        scene.home.faults[f"ami-{case.expires}"].append(Fault(expired()))
    if case.unreadable:
        scene.home.unreadable = denied()
    if case.stop is not None:
        scene.time.at(case.stop, scene.changer.halt)
    for number, moment in case.in_use.items():
        scene.time.at(moment, lambda id=f"ami-{number}": scene.keeps.update({id: "i-1"}))  # type: ignore[misc]
    for number, moment in case.deregistered.items():
        scene.time.at(moment, lambda id=f"ami-{number}": scene.home.images.pop(id, None))  # type: ignore[misc]
    before = {id: Image(image.snapshots, image.state, dict(image.tags)) for id, image in scene.home.images.items()}
    steps = [
        [scene.job(ami, action) for n, ami in enumerate(amis) if case.actions.get(n) is action]
        for action in (RELEASE, QUARANTINE, DELETE)
    ]
    scene.run(*steps, fresh=case.fresh)
    return scene, [ami for n, ami in enumerate(amis) if case.actions.get(n) is DELETE], before


def check_rounds(scene: Scene) -> None:
    """Each change of an AMI rests on the last round that looked at it, which allowed it and is young enough.  What completes
    something that was begun may come later."""
    for made in scene.home.made:
        if made.call in ("DeregisterImage", "CreateTags", "EnableImage"):
            last = [r for _, r in scene.rounds if (HOME, made.id) in r.verdicts and r.finished <= made.time][-1]
            verdict = last.verdicts[HOME, made.id]
            # One that is gone is asked for once more where a try of ours may have been the reason.
            assert verdict.go or verdict.gone
            assert made.time <= last.expires


def check_results(scene: Scene, deleted: list[Ami], before: dict[str, Image], others: set[str]) -> None:
    """What is said is true, and said once."""
    aws, results = scene.home, {result.id: result for result in scene.deleter.results.values()}
    wanted = {ami.id: ami for ami in deleted}
    assert set(before) - set(wanted) - others <= set(aws.images)
    assert all(snapshot in aws.snapshots for image in aws.images.values() for snapshot in image.snapshots)
    for id, result in results.items():
        unknown = result.error is not None and "it may be done" in result.error.message
        assert (result.outcome == "failed") == (result.error is not None)
        if result.outcome == "removed":
            assert id not in aws.images
        elif not unknown:
            assert id in aws.images or id in others
    assert all(id in aws.images or id in others for id in wanted.keys() - results.keys())
    outcomes = scene.snapshot_outcomes()
    assert all(len(found) == 1 for found in outcomes.values())
    for result in results.values():
        for snapshot in result.snapshots:
            assert (snapshot.outcome == "failed") == (snapshot.error is not None)
            if snapshot.outcome == "removed":
                assert snapshot.id not in aws.snapshots
            elif snapshot.outcome == "kept":
                assert snapshot.id in aws.snapshots
    # No snapshot of an AMI that was deleted is lost track of.
    for id in wanted.keys() & results.keys():
        if results[id].outcome == "removed":
            assert {snapshot.id for snapshot in wanted[id].snapshots} <= set(outcomes)
    said = [(result.id, result.outcome) for result in results.values()]
    said += [(snapshot.id, snapshot.outcome) for result in results.values() for snapshot in result.snapshots]
    assert sorted(tuple(line.split()[:2]) for line in scene.lines) == sorted(said)


@given(cases(DELETE))
def test_a_deletion_is_true_to_the_last_round_and_to_aws(case: Case) -> None:
    scene, deleted, before = carry_out(case)
    others = {f"ami-{number}" for number in case.deregistered}
    touched = {ami.id for ami in deleted} | {snapshot.id for ami in deleted for snapshot in ami.snapshots}
    assert {made.id for made in scene.home.made} <= touched
    check_rounds(scene)
    check_results(scene, deleted, before, others)
    # A second run, when AWS is well again, deletes what is left.
    again = Scene(emulator=case.emulator)
    again.aws[HOME].images, again.aws[HOME].snapshots = scene.home.images, scene.home.snapshots
    rest = [ami for ami in deleted if ami.id in scene.home.images]
    assert set(again.delete(rest).values()) <= {"removed"}
    assert not {ami.id for ami in deleted} & set(scene.home.images)
    assert not [s.id for ami in rest for s in ami.snapshots if s.id in scene.home.snapshots and not scene.home.used(s.id)]


@given(cases(DELETE, QUARANTINE, RELEASE))
def test_quarantine_and_release_never_delete_and_leave_no_ami_disabled_without_its_tag(case: Case) -> None:
    scene, deleted, before = carry_out(case)
    others = {f"ami-{number}" for number in case.deregistered}
    check_rounds(scene)
    assert set(scene.home.calls("DeregisterImage")) <= {ami.id for ami in deleted}
    assert set(before) - {ami.id for ami in deleted} - others <= set(scene.home.images)
    for id, image in scene.home.images.items():
        assert image.state == "available" or QUARANTINE_TAG in image.tags
        action, outcome = case.actions.get(int(id[4:])), scene.outcomes.get(id)
        if outcome == "quarantined":
            assert (image.state, QUARANTINE_TAG in image.tags) == ("disabled", True)
        if outcome == "released":
            assert (image.state, QUARANTINE_TAG in image.tags) == ("available", False)
        if outcome in (None, "kept") or action is None:
            assert image == before[id]
    # A call that AWS refused for now changed nothing: a stop leaves that AMI untried.
    counted = [made for made in scene.home.made if made.outcome == "ok" or case.stop is None]
    assert all(made.id in scene.outcomes for made in counted if made.id.startswith("ami"))
