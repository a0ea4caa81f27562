"""No change rests on an old round, rounds come early enough, and the run ends at any number of accounts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amicleaner.actions import DEREGISTER, QUARANTINE, RELEASE, Action
from amicleaner.aws.usage_monitor import MAX_AGE, Round, Verdict
from amicleaner.errors import AmicleanerError
from amicleaner.models import Target

from .simulation import AWAY, FAR, HOME, NEVER, Fault, Scene, denied, throttle, transient

# How long a round may be used


@pytest.mark.parametrize(
    "took, expires",
    [(0.0, 160.0), (1.0, 160.0), (59.9, 160.0), (60.0, 170.0), (100.0, 210.0), (299.0, 409.0), (300.0, 160.0)],
)
def test_a_round_counts_for_sixty_seconds_from_its_begin_or_ten_from_its_end(took: float, expires: float) -> None:
    assert Round(100.0, 100.0 + took, {}).expires == expires


def test_what_the_plan_read_counts_as_the_first_round() -> None:
    scene = Scene()
    scene.delete([scene.home.add(f"ami-{number}") for number in range(200)])
    assert len(scene.rounds) == 1


def test_what_the_plan_read_too_long_ago_is_read_again() -> None:
    scene = Scene(HOME, FAR)
    scene.time.seconds = 1000.0
    jobs = [scene.job(aws.add("ami-1"), target=target) for target, aws in scene.aws.items()]
    late = {"eu-west-1": Round(939.9, 939.9, {job.key: Verdict(True) for job in jobs})}
    late["us-east-1"] = Round(700.0, 990.1, {job.key: Verdict(True) for job in jobs})
    scene.time.run(scene.deleter.run(jobs, scene.recheck, late))
    assert [region for region, _ in scene.rounds] == ["eu-west-1"]
    assert scene.outcomes == {"ami-1": "removed"}


def test_after_the_prompt_nothing_that_was_read_before_counts() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}") for number in range(3)]
    scene.delete(amis, fresh=False)
    (region, first) = scene.rounds[0]
    assert (region, first.started, len(first.verdicts)) == ("eu-west-1", 0.0, 3)
    assert all(made.time >= first.finished for made in scene.home.made)


def test_an_ami_that_was_deregistered_by_somebody_else_is_not_asked_for() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(2)]
    del scene.home.images["ami-0"]
    assert scene.delete(amis, fresh=False) == {"ami-0": "removed", "ami-1": "removed"}
    assert scene.home.calls("DeregisterImage") == ["ami-1"]
    assert scene.lines == ["ami-0 removed", "snap-0 kept", "ami-1 removed", "snap-1 removed"]


@pytest.mark.parametrize("action", [QUARANTINE, RELEASE])
def test_an_ami_that_is_gone_is_neither_quarantined_nor_released(action: Action) -> None:
    scene = Scene()
    ami = scene.home.add("ami-1", "snap-1")
    del scene.home.images["ami-1"]
    scene.run([scene.job(ami, action)], fresh=False)
    assert (scene.home.made, scene.home.snapshots) == ([], {"snap-1"})


def test_a_job_that_was_put_back_keeps_its_attempts() -> None:
    scene = Scene(attempts=4)
    scene.home.faults["ami-1"] = [Fault(transient(), seconds=40.0)] * 10
    assert scene.delete([scene.home.add("ami-1")]) == {"ami-1": "failed"}
    assert len(scene.home.made) == 4
    assert len(scene.rounds) == 2


# Rounds come early enough


@pytest.mark.parametrize("seconds", [0.5, 20.0])
def test_the_deletion_of_a_thousand_amis_does_not_wait_for_rounds(seconds: float) -> None:
    scene = Scene(reading=seconds)
    scene.delete([scene.home.add(f"ami-{number}") for number in range(1000)], fresh=False)
    assert set(scene.outcomes.values()) == {"removed"}
    assert scene.time.seconds < seconds + (1000 - 80) / 4.75 + 3.0
    assert len(scene.rounds) <= 12
    asked = sum(len(known.verdicts) for _, known in scene.rounds)
    assert asked < 1300, "rounds ask about AMIs whose turn does not come in time"


@pytest.mark.parametrize("seconds, expected", [(29.0, 300.0), (55.0, 600.0), (299.0, 2700.0)])
def test_slow_rounds_slow_the_deletion_down_and_it_ends(seconds: float, expected: float) -> None:
    scene = Scene(reading=seconds)
    scene.delete([scene.home.add(f"ami-{number}") for number in range(1000)], fresh=False)
    assert set(scene.outcomes.values()) == {"removed"}
    assert scene.time.seconds < expected


def test_a_round_that_is_too_old_uses_up_no_tokens() -> None:
    scene = Scene()
    scene.home.faults["ami-0"] = [Fault(seconds=60.2)]
    scene.delete([scene.home.add(f"ami-{number}") for number in range(80)])
    assert scene.time.seconds < 65.0


def test_no_round_is_read_that_nobody_needs() -> None:
    scene = Scene()
    scene.home.faults["ami-1"] = [Fault(seconds=1000.0)]
    scene.delete([scene.home.add("ami-0"), scene.home.add("ami-1")])
    assert len(scene.rounds) == 1


def test_workers_that_hang_cause_no_rounds_that_nobody_can_use() -> None:
    scene = Scene()
    for number in range(1, 5):
        scene.home.faults[f"ami-{number}"] = [Fault(seconds=200.0)]
    scene.delete([scene.home.add(f"ami-{number}") for number in range(800)])
    assert len(scene.rounds) <= 15


def test_a_storm_of_throttles_is_not_a_storm_of_rounds() -> None:
    scene = Scene()
    amis = [scene.home.add(f"ami-{number}") for number in range(1000)]
    for ami in amis:
        scene.home.faults[ami.id] = [Fault(throttle())] * 10_000
    scene.time.at(200.0, scene.changer.halt)
    scene.delete(amis)
    assert len(scene.rounds) <= 12


def test_an_instance_that_starts_in_the_middle_saves_its_ami() -> None:
    scene = Scene()
    scene.time.at(3.0, lambda: scene.keeps.update({"ami-499": "i-1"}))
    outcomes = scene.delete([scene.home.add(f"ami-{number}") for number in range(500)])
    assert [id for id, outcome in outcomes.items() if outcome == "kept"] == ["ami-499"]
    assert set(scene.home.images) == {"ami-499"}


@pytest.mark.parametrize("accounts, seconds, longest", [(150, 1.2, 45.0), (500, 4.0, 150.0), (1500, 1.0, 250.0)])
def test_three_amis_in_each_of_many_accounts_are_deleted(accounts: int, seconds: float, longest: float) -> None:
    targets = [Target(f"{number:012}", "eu-west-1") for number in range(accounts)]
    scene = Scene(*targets, reading=seconds, accounts=accounts, at_once=16)
    jobs = [scene.job(scene.aws[target].add(f"ami-{number}"), target=target) for target in targets for number in range(3)]
    scene.run(jobs, fresh=False)
    assert all(result.outcome == "removed" for result in scene.deleter.results.values())
    assert len(scene.deleter.results) == 3 * accounts
    assert scene.time.seconds < longest
    assert len(scene.rounds) <= 3


def test_regions_are_read_side_by_side_in_a_pool_of_their_own() -> None:
    regions = [Target("123456789012", f"region-{number:02}") for number in range(20)]
    scene = Scene(*regions, reading=10.0)
    scene.run([scene.job(aws.add("ami-1"), target=target) for target, aws in scene.aws.items()], fresh=False)
    assert scene.rounds_pool.most == 16
    assert scene.time.seconds < 21.0


# Where nothing can be confirmed


def test_nothing_confirmed_for_five_minutes_ends_the_run() -> None:
    scene = Scene(HOME, FAR, reading=NEVER)
    jobs = [scene.job(aws.add("ami-1"), target=target) for target, aws in scene.aws.items()]
    assert scene.run(jobs, fresh=False) == {}
    assert scene.time.seconds == pytest.approx(300.0)
    assert isinstance(scene.changer.stopped_by, AmicleanerError)
    assert "Nothing could be confirmed for 5 minutes: reading eu-west-1" in str(scene.changer.stopped_by)


def test_the_five_minutes_begin_with_the_last_confirmation() -> None:
    scene = Scene(reading=160.0)
    amis = [scene.home.add(f"ami-{number}") for number in range(150)]
    scene.time.at(161.0, lambda: setattr(scene, "reading", NEVER))
    assert len(scene.delete(amis, fresh=False)) == 150
    scene = Scene(reading=200.0)
    amis = [scene.home.add(f"ami-{number}") for number in range(300)]
    scene.time.at(201.0, lambda: setattr(scene, "reading", NEVER))
    assert len(scene.delete(amis, fresh=False)) > 200
    assert scene.time.seconds > 650.0


def test_rounds_that_are_always_too_old_for_the_next_call_end_the_run() -> None:
    def shared(target: Target, id: str) -> tuple[str, ...]:
        scene.clock.sleep(61.0)
        return ()

    scene = Scene(reading=1.0, shared=shared)
    assert scene.delete([scene.home.add("ami-1")], fresh=False) == {}
    assert "Nothing could be confirmed" in str(scene.changer.stopped_by)
    assert scene.time.seconds < 400.0


def test_a_call_that_is_tried_again_and_again_is_confirmed_again_and_again() -> None:
    scene = Scene(attempts=30)
    scene.home.faults["ami-1"] = [Fault(transient(), seconds=40.0)] * 15
    assert scene.delete([scene.home.add("ami-1")]) == {"ami-1": "removed"}
    assert scene.time.seconds > 600.0


def test_a_machine_that_slept_reads_again_before_it_gives_up() -> None:
    scene = Scene()
    scene.changer.apis[HOME].bucket(DEREGISTER).empty()
    scene.time.at(0.1, lambda: setattr(scene.time, "seconds", 5000.0))
    assert set(scene.delete([scene.home.add(f"ami-{number}") for number in range(100)]).values()) == {"removed"}


@pytest.mark.parametrize("error", [denied(), ZeroDivisionError("a bug")])
def test_a_round_that_fails_ends_the_run_everywhere(error: Exception) -> None:
    scene = Scene(HOME, AWAY, FAR)
    jobs = [scene.job(aws.add(f"ami-{n}"), target=target) for target, aws in scene.aws.items() for n in range(450)]
    scene.time.at(10.0, lambda: setattr(scene, "unreadable", error))
    scene.run(jobs)
    assert scene.changer.stopped_by is error
    assert scene.time.seconds < 65.0
    deleted = {key for key, result in scene.deleter.results.items() if result.outcome == "removed"}
    assert deleted == {job.key for job in jobs if job.subject.id not in scene.aws[job.target].images}


def test_a_round_without_an_answer_on_every_job_ends_the_run() -> None:
    scene = Scene()
    job = scene.job(scene.home.add("ami-1"))
    scene.time.run(scene.deleter.run([job], lambda region, jobs: Round(0.0, 0.0, {}), {}))
    assert isinstance(scene.changer.stopped_by, KeyError)
    assert scene.home.made == []


def test_a_view_that_fails_to_warn_ends_the_run() -> None:
    scene = Scene()
    scene.warnings = ("SSM parameters were not checked.",)
    broken = BrokenPipeError()

    class Broken(list[str]):
        def append(self, text: str) -> None:
            raise broken

    scene.warned = Broken()
    assert scene.delete([scene.home.add("ami-1")], fresh=False) in ({}, {"ami-1": "removed"})
    assert scene.changer.stopped_by is broken


# The invariant


@given(
    count=st.integers(1, 400),
    seconds=st.sampled_from([0.5, 5.0, 20.0, 45.0, 59.0, 70.0, 150.0]),
    moments=st.dictionaries(st.integers(0, 399), st.floats(0.0, 150.0), max_size=20),
    slow=st.dictionaries(st.integers(0, 399), st.sampled_from([5.0, 30.0, 100.0]), max_size=5),
    throttled=st.dictionaries(st.integers(0, 399), st.integers(1, 20), max_size=5),
    fresh=st.booleans(),
)
@settings(max_examples=max(10, settings().max_examples // 4))
def test_no_change_begins_on_a_round_that_is_too_old(
    count: int,
    seconds: float,
    moments: dict[int, float],
    slow: dict[int, float],
    throttled: dict[int, int],
    fresh: bool,
) -> None:
    scene = Scene(reading=seconds)
    for number, moment in moments.items():
        scene.time.at(moment, lambda id=f"ami-{number}": scene.keeps.update({id: "i-1"}))  # type: ignore[misc]
    given_up = {f"ami-{number}" for number in throttled}
    for number, times in throttled.items():
        scene.home.faults[f"ami-{number}"] = [Fault(throttle())] * times
    for number, wait in slow.items():
        scene.home.faults[f"ami-{number}"].append(Fault(seconds=wait))
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(count)]
    outcomes = scene.delete(amis, fresh=fresh)
    for made in scene.home.made:
        rounds = [
            read for _, read in scene.rounds if (HOME, made.id) in read.verdicts and read.finished <= made.time + 0.001
        ]
        last = max(rounds, key=lambda read: read.finished)
        assert last.verdicts[HOME, made.id].go
        assert (
            made.time - last.started <= MAX_AGE
            or made.time - last.finished <= 10.0 < MAX_AGE <= last.finished - last.started
        )
    for ami in amis:
        end = {"removed"} if ami.id not in scene.home.images else {"kept", "failed"} if ami.id in given_up else {"kept"}
        assert outcomes[ami.id] in end
    assert all(result.used_by for result in scene.deleter.results.values() if result.outcome == "kept")
