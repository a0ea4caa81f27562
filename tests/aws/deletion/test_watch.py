"""What is in use is asked again: early enough, of everybody, and no decision rests on an old answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amicleaner.aws.deletion.watch import Verdict, Watch
from amicleaner.errors import AwsError
from amicleaner.models import Target, Use
from tests.aws.deletion.simulation import (
    AWAY,
    FAR,
    HOME,
    Account,
    FakeReading,
    Pool,
    Scene,
    Time,
    aws_error,
    instance,
    make_watch,
)

LONG = 1e6


def prepare(watch: Watch, *upcoming: str, target: Target = HOME, last: bool = True, lasts: float = LONG) -> None:
    watch.collect()
    watch.prepare(target, upcoming, last=last, lasts=lasts)


def settle(time: Time, watch: Watch, seconds: float = 1.0) -> None:
    time.advance(seconds)
    watch.collect()


def test_the_plans_own_reading_counts_for_sixty_seconds() -> None:
    time = Time()
    watch = make_watch(time, Account(time, HOME, seconds=1.0))
    time.advance(60.0)
    assert watch.verdict(HOME, "ami-1") == Verdict()
    time.advance(0.001)
    assert watch.verdict(HOME, "ami-1") is None


def test_an_answer_is_as_old_as_its_beginning() -> None:
    time = Time()
    account = Account(time, HOME, seconds=50.0)
    watch = make_watch(time, account, fresh=False)
    prepare(watch, "ami-1")
    assert watch.verdict(HOME, "ami-1") is None
    settle(time, watch, 50.0)
    assert watch.verdict(HOME, "ami-1") == Verdict()
    time.advance(10.001)
    assert watch.verdict(HOME, "ami-1") is None


def test_an_answer_is_as_old_as_its_beginning_whatever_it_says_itself() -> None:
    time = Time()

    def read() -> FakeReading:
        time.seconds += 50.0
        return FakeReading({}, {}, time.seconds, time.seconds)

    watch = Watch(time.clock, Pool(time, 0.0), readers={HOME: read}, readings={})
    prepare(watch, "ami-1")
    settle(time, watch, 10.0)
    assert watch.verdict(HOME, "ami-1") == Verdict()
    time.advance(0.001)
    assert watch.verdict(HOME, "ami-1") is None


def test_where_a_reading_takes_longer_it_counts_for_as_long_as_it_took() -> None:
    time = Time()
    watch = make_watch(time, Account(time, HOME, seconds=100.0))
    time.advance(200.0)
    assert watch.verdict(HOME, "ami-1") == Verdict()
    time.advance(0.001)
    assert watch.verdict(HOME, "ami-1") is None


def test_the_next_reading_begins_early_enough_and_only_once() -> None:
    time = Time()
    account = Account(time, HOME, seconds=5.0)
    watch = make_watch(time, account)
    time.advance(29.9)
    prepare(watch, "ami-1")
    assert len(account.readings) == 1
    time.advance(0.1)
    prepare(watch, "ami-1")
    prepare(watch, "ami-2")
    assert len(account.readings) == 2
    settle(time, watch, 5.0)
    time.advance(54.0)
    assert watch.verdict(HOME, "ami-1") == Verdict()


def test_it_says_whether_an_answer_is_on_its_way() -> None:
    time = Time()
    watch = make_watch(time, Account(time, HOME, seconds=5.0), fresh=False)
    on_its_way = [watch.in_flight]
    prepare(watch, "ami-1")
    on_its_way.append(watch.in_flight)
    settle(time, watch, 5.0)
    assert [*on_its_way, watch.in_flight] == [False, True, False]


def test_a_long_reading_is_begun_anew_as_soon_as_it_is_over() -> None:
    time = Time()
    account = Account(time, HOME, seconds=100.0)
    watch = make_watch(time, account)
    time.advance(100.0)
    prepare(watch, "ami-1")
    assert len(account.readings) == 2


def test_no_reading_is_begun_that_nobody_will_need() -> None:
    time = Time()
    account = Account(time, HOME)
    watch = make_watch(time, account)
    time.advance(40.0)
    prepare(watch, "ami-1", lasts=20.0)
    assert len(account.readings) == 1
    prepare(watch, "ami-1", lasts=20.1)
    assert len(account.readings) == 2


def test_after_the_question_nothing_that_was_read_before_counts() -> None:
    time = Time()
    account = Account(time, HOME)
    references = Asked()
    watch = make_watch(time, account, references=references.ask, references_since=time.seconds)
    assert watch.verdict(HOME, "ami-1") == Verdict()
    account.use("ami-1")
    watch.invalidate()
    assert watch.verdict(HOME, "ami-1") is None
    prepare(watch, "ami-1")
    assert watch.verdict(HOME, "ami-1") is None
    settle(time, watch)
    assert watch.verdict(HOME, "ami-1") == Verdict(used_by=(instance("i-1"),))
    assert references.calls == [(HOME, ("ami-1",))]


def test_a_reading_under_way_at_the_question_does_not_count_either() -> None:
    time = Time()
    account = Account(time, HOME, seconds=10.0)
    watch = make_watch(time, account, fresh=False)
    prepare(watch, "ami-1")
    time.advance(5.0)
    watch.invalidate()
    prepare(watch, "ami-1")
    account.error = aws_error("nobody waits for this")
    settle(time, watch, 5.0)
    assert watch.verdict(HOME, "ami-1") is None
    settle(time, watch, 5.0)
    assert watch.verdict(HOME, "ami-1") == Verdict()


def test_what_any_account_of_the_run_uses_protects_the_amis_of_all_in_its_region() -> None:
    time = Time()
    home, away, far = Account(time, HOME), Account(time, AWAY), Account(time, FAR)
    away.use("ami-1", "i-away")
    home.use("ami-1", "i-home")
    far.use("ami-2", "i-far")
    watch = make_watch(time, home, away, far)
    assert watch.verdict(HOME, "ami-1") == Verdict(used_by=(instance("i-away", AWAY), instance("i-home", HOME)))
    assert watch.verdict(HOME, "ami-2") == Verdict()
    assert watch.verdict(FAR, "ami-2") == Verdict(used_by=(instance("i-far", FAR),))


def test_every_account_of_the_region_must_have_answered() -> None:
    time = Time()
    home, away, far = Account(time, HOME), Account(time, AWAY, seconds=3.0), Account(time, FAR)
    pool = Pool(time, 3.0)
    watch = Watch(
        time.clock,
        pool,
        readers={account.target: account.read for account in (home, away, far)},
        readings={HOME: home.read()},
    )
    assert watch.verdict(HOME, "ami-1") is None
    prepare(watch, "ami-1")
    assert (len(away.readings), len(far.readings)) == (1, 0)
    settle(time, watch, 3.0)
    assert watch.verdict(HOME, "ami-1") == Verdict()
    assert watch.verdict(FAR, "ami-1") is None


def test_a_reading_that_fails_fails_the_watch() -> None:
    time = Time()
    account = Account(time, HOME)
    watch = make_watch(time, account, fresh=False)
    account.error = aws_error("UnauthorizedOperation")
    prepare(watch, "ami-1")
    settle(time, watch)
    assert watch.failure is account.error
    with pytest.raises(AwsError, match="UnauthorizedOperation"):
        watch.verdict(HOME, "ami-1")


def test_a_defect_in_a_reading_fails_the_watch_too() -> None:
    time = Time()
    watch = Watch(time.clock, Pool(time), readers={HOME: lambda: 1 // 0}, readings={})  # type: ignore[dict-item, return-value]
    prepare(watch, "ami-1")
    settle(time, watch)
    assert isinstance(watch.failure, ZeroDivisionError)


def test_it_rings_when_an_answer_has_come() -> None:
    time = Time()
    rung: list[float] = []
    watch = make_watch(time, Account(time, HOME, seconds=2.0), fresh=False)
    watch.on_answer(lambda: rung.append(time.seconds))
    start = time.seconds
    prepare(watch, "ami-1")
    time.advance(5.0)
    assert rung == [start + 2.0]


# Instance refreshes


class Refreshes:
    def __init__(self, *uses: tuple[str, Use]) -> None:
        self.asked: list[list[str]] = []
        self.uses = uses

    def ask(self, target: Target, reading: Any, groups: Sequence[str]) -> dict[str, tuple[Use, ...]]:
        self.asked.append(list(groups))
        return {id: (use,) for id, use in self.uses}


def test_refreshes_are_asked_of_groups_that_changed_or_came() -> None:
    time = Time()
    account = Account(time, HOME)
    account.groups = {"same": "1", "changes": "1", "goes": "1"}
    refreshes = Refreshes()
    watch = make_watch(time, account, refreshes=refreshes.ask)
    for groups in ({"same": "1", "changes": "2", "comes": "1"}, {"same": "1", "changes": "2", "comes": "1"}):
        account.groups = groups
        time.advance(30.0)
        prepare(watch, "ami-1")
        settle(time, watch)
    assert refreshes.asked == [["changes", "comes"]]


def test_what_a_refresh_is_on_its_way_to_stays() -> None:
    time = Time()
    account = Account(time, HOME)
    use = Use("instance-refresh", "r-1", HOME.account, HOME.region, "instance refresh r-1")
    watch = make_watch(time, account, refreshes=Refreshes(("ami-1", use)).ask)
    account.groups = {"group": "2"}
    for _ in range(3):
        time.advance(30.0)
        prepare(watch, "ami-1")
        settle(time, watch)
        assert watch.verdict(HOME, "ami-1") == Verdict(used_by=(use,))


def test_groups_of_a_reading_that_does_not_count_are_asked_again() -> None:
    time = Time()
    account = Account(time, HOME)
    refreshes = Refreshes()
    watch = make_watch(time, account, refreshes=refreshes.ask)
    account.groups = {"group": "2"}
    time.advance(30.0)
    prepare(watch, "ami-1")
    watch.invalidate()
    prepare(watch, "ami-1")
    settle(time, watch)
    assert refreshes.asked == [["group"], ["group"]]


# References and permissions


class Asked:
    def __init__(self, uses: dict[str, tuple[Use, ...]] | None = None) -> None:
        self.calls: list[tuple[Target, tuple[str, ...]]] = []
        self.uses = uses or {}

    def ask(self, target: Target, ids: Sequence[str]) -> dict[str, tuple[Use, ...]]:
        self.calls.append((target, tuple(ids)))
        return {id: self.uses[id] for id in ids if id in self.uses}


def test_references_are_asked_of_the_next_amis_ten_at_a_time() -> None:
    time = Time()
    asked = Asked({"ami-12": (instance("i-1"),)})
    watch = make_watch(time, references=asked.ask, pool=Pool(time, 1.0))
    ids = [f"ami-{number}" for number in range(25)]
    prepare(watch, *ids, last=False)
    assert [len(ids) for _, ids in asked.calls] == [10, 10]
    settle(time, watch)
    assert watch.verdict(HOME, "ami-3") == Verdict()
    assert watch.verdict(HOME, "ami-12") == Verdict(used_by=(instance("i-1"),))
    assert watch.verdict(HOME, "ami-24") is None
    prepare(watch, *ids, last=True)
    assert asked.calls[2:] == [(HOME, tuple(ids[20:]))]


def test_a_batch_is_not_waited_for_when_its_ami_is_the_next() -> None:
    time = Time()
    asked = Asked()
    watch = make_watch(time, references=asked.ask)
    prepare(watch, "ami-1", "ami-2", last=False)
    prepare(watch, "ami-1", "ami-2", "ami-3", last=False)
    assert asked.calls == [(HOME, ("ami-1", "ami-2"))]


def test_references_grow_old_like_everything_else() -> None:
    time = Time()
    asked = Asked()
    watch = make_watch(time, references=asked.ask, references_since=time.seconds, pool=Pool(time, 1.0))
    time.advance(29.0)
    prepare(watch, "ami-1")
    assert asked.calls == []
    time.advance(1.0)
    prepare(watch, "ami-1")
    assert asked.calls == [(HOME, ("ami-1",))]
    time.advance(30.001)
    assert watch.verdict(HOME, "ami-1") is None
    watch.collect()
    assert watch.verdict(HOME, "ami-1") == Verdict()


def test_permissions_are_asked_one_ami_at_a_time_and_one_that_is_gone_is_shared_with_nobody() -> None:
    time = Time()
    calls: list[str] = []

    def shared_with(target: Target, id: str) -> list[str]:
        calls.append(id)
        if id == "ami-gone":
            raise aws_error("InvalidAMIID.Unavailable")
        return ["b", "a"] if id == "ami-shared" else []

    watch = make_watch(time, permissions=shared_with, pool=Pool(time, 1.0))
    prepare(watch, "ami-gone", "ami-shared", "ami-mine", last=False)
    settle(time, watch)
    assert calls == ["ami-gone", "ami-shared", "ami-mine"]
    assert watch.verdict(HOME, "ami-gone") == watch.verdict(HOME, "ami-mine") == Verdict()
    assert watch.verdict(HOME, "ami-shared") == Verdict(shared_with=("a", "b"))


def test_references_that_fail_fail_the_watch() -> None:
    time = Time()

    def refuse(target: Target, ids: Sequence[str]) -> dict[str, tuple[Use, ...]]:
        raise aws_error("UnauthorizedOperation")

    watch = make_watch(time, references=refuse, pool=Pool(time, 1.0))
    prepare(watch, "ami-1")
    settle(time, watch)
    with pytest.raises(AwsError, match="UnauthorizedOperation"):
        watch.verdict(HOME, "ami-1")


def test_without_anything_to_ask_everything_may_go() -> None:
    assert make_watch(Time()).verdict(HOME, "ami-1") == Verdict()


# With the deleter: the invariant


@given(
    count=st.integers(1, 600),
    seconds=st.sampled_from([0.5, 5.0, 20.0, 45.0, 70.0, 150.0]),
    moments=st.lists(st.tuples(st.integers(0, 599), st.floats(0.0, 150.0), st.sampled_from([HOME, AWAY])), max_size=20),
    asks=st.booleans(),
)
@settings(max_examples=max(10, settings().max_examples // 5))  # each takes a good part of a second
def test_no_ami_goes_that_was_seen_in_use_an_answers_age_before(
    count: int, seconds: float, moments: list[tuple[int, float, Target]], asks: bool
) -> None:
    scene = Scene()
    home, away = Account(scene.time, HOME, seconds), Account(scene.time, AWAY, seconds)
    watch = make_watch(scene.time, home, away)
    in_use: dict[str, float] = {}
    accounts = {HOME: home, AWAY: away}
    for number, moment, target in moments:
        id = f"ami-{number}"
        in_use[id] = min(scene.time.seconds + moment, in_use.get(id, float("inf")))
        scene.time.at(moment, lambda target=target, id=id: accounts[target].use(id))  # type: ignore[misc]
    if asks:
        watch.invalidate()
    started = scene.time.seconds
    amis = [scene.home.add(f"ami-{number}", f"snap-{number}") for number in range(count)]
    results = scene.remove(amis, watch=watch)
    age = 60.0 if seconds <= 60.0 else 2 * seconds
    for made in scene.home.made:
        assert made.time - in_use.get(made.id, float("inf")) <= age
        if asks:
            assert in_use.get(made.id, float("inf")) >= started
    assert [result.outcome for result in results] == ["kept" if ami.id in scene.home.amis else "removed" for ami in amis]
    assert all(result.used_by for result in results if result.outcome == "kept")


@pytest.mark.parametrize("seconds", [1.0, 20.0, 29.0, 70.0, 200.0])
def test_the_deletion_does_not_pause_for_readings(seconds: float) -> None:
    scene = Scene()
    watch = make_watch(scene.time, Account(scene.time, HOME, seconds), fresh=False)
    start = scene.time.seconds
    amis = [scene.home.add(f"ami-{number}") for number in range(1000)]
    scene.remove(amis, watch=watch)
    assert scene.time.seconds - start < seconds + (1000 - 80) / 4.75 + 0.5


def test_an_instance_that_starts_after_the_first_batch_saves_its_ami() -> None:
    scene = Scene()
    account = Account(scene.time, HOME)
    watch = make_watch(scene.time, account)
    scene.time.at(3.0, lambda: account.use("ami-399"))
    results = scene.remove([scene.home.add(f"ami-{number}") for number in range(400)], watch=watch)
    assert [result.id for result in results if result.outcome == "kept"] == ["ami-399"]
    assert set(scene.home.amis) == {"ami-399"}
