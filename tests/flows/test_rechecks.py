"""It asks again: what comes into use while a person thinks, or while the deletion goes on, stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from amicleaner import planning
from amicleaner.aws import rate_limits
from tests.fake_aws import Call, World
from tests.flows.flow import FAR, OTHER, OWN, THIRD, Flow, kept, planned, reasons, removed
from tests.flows.test_references import CASES, Case

CHOSEN = [case for case in CASES if not case.name.startswith(("alias ", "refresh that"))]
EACH = pytest.mark.parametrize("case", CHOSEN, ids=[case.name for case in CHOSEN])


def in_batches(flow: Flow, between: Callable[[], object], seconds: float = 61.0) -> None:
    """AWS lets two AMIs go at once; `between` is called after those, and the rest's turn comes `seconds` later."""
    flow.patch.setitem(rate_limits.DOCUMENTED, "DeregisterImage", (2.5, 5.0))

    def waiting(slept: float) -> None:
        if len(flow.calls("DeregisterImage")) >= 2:
            flow.time.waiting = lambda slept: None
            flow.time.seconds += seconds
            between()

    flow.time.waiting = waiting


class TestBetweenPlanAndYes:
    @EACH
    def test_what_comes_into_use_stays(self, flow: Flow, case: Case) -> None:
        free, held = flow.several(2)
        result = flow.asks(lambda: case.use(flow.home, held), **case.options)
        assert planned(result) == {free, held}
        assert (removed(result), kept(result)) == ({free}, {held})
        assert flow.changes() == [free]
        [told] = flow.view.of("kept")
        assert told.used_by[0].label.startswith(case.user)
        assert (result.exit_status, result.problems) == (0, ())

    @pytest.mark.parametrize("who", ["target", "reader"])
    def test_in_every_account_of_the_run(self, flow: Flow, who: str) -> None:
        free, held = flow.several(2)
        role = flow.role(OTHER)
        options: dict[str, Any] = {"used_by_role_arn": (role,)} if who == "reader" else {"role_arn": (flow.role(OWN), role)}
        result = flow.asks(lambda: flow.region(OTHER).add_instance(held), **options)
        assert (removed(result), kept(result)) == ({free}, {held})
        assert flow.view.of("kept")[0].used_by[0].account == OTHER

    def test_not_in_another_region(self, flow: Flow) -> None:
        [image] = flow.several(1)
        result = flow.asks(lambda: flow.region(OTHER, FAR).add_instance(image), role_arn=(flow.role(OWN), flow.role(OTHER)))
        assert removed(result) == {image}

    def test_after_a_no_nothing_more_is_asked(self, flow: Flow) -> None:
        flow.several(2)
        flow.view.yes = False
        flow.asks(flow.fake_aws.calls.clear)
        assert flow.fake_aws.calls.records == []

    @pytest.mark.parametrize("kind", ["refuse", "http500", "xhtml", "throttle", "cut"])
    @pytest.mark.parametrize(
        "action", ["DescribeInstances", "DescribeFleets", "DescribeAutoScalingGroups", "DescribeImageReferences"]
    )
    def test_a_re_read_that_fails_stops_the_deletion(self, flow: Flow, action: str, kind: str) -> None:
        flow.several(2)
        result = flow.asks(lambda: flow.fault(action, kind), max_attempts=2)
        assert flow.changes() == []
        [problem] = result.problems
        assert f"{action} failed in account {OWN}" in problem
        assert result.exit_status == 1

    def test_so_does_one_of_the_account_that_is_only_read(self, flow: Flow) -> None:
        flow.several(2)
        result = flow.asks(
            lambda: flow.fault("DescribeFleets", when=lambda call: call.account == OTHER),
            used_by_role_arn=(flow.role(OTHER),),
        )
        assert (flow.changes(), result.exit_status) == ([], 1)
        assert f"account {OTHER}" in result.problems[0]

    def test_an_endpoint_that_loses_a_call_meanwhile_stops_it_too(self, flow: Flow) -> None:
        """What has answered once is there; outside AWS a 500 is then no longer a call that does not exist."""
        flow.outside_aws()
        flow.several(2)
        result = flow.asks(lambda: flow.fault("DescribeFleets", "http500"))
        assert (flow.changes(), result.exit_status) == ([], 1)

    def test_refreshes_are_asked_only_of_the_groups_that_changed(self, flow: Flow) -> None:
        free, held = flow.several(2)
        for name in ("first", "second", "third"):
            flow.home.add_group(name)

        def begin() -> None:
            flow.fake_aws.calls.clear()
            flow.home.groups["second"].size = 7
            flow.home.add_refresh("second", {"MixedInstancesPolicy": {"LaunchTemplate": {"Overrides": [{"ImageId": held}]}}})

        result = flow.asks(begin)
        assert (removed(result), kept(result)) == ({free}, {held})
        assert [call.params["AutoScalingGroupName"] for call in flow.calls("DescribeInstanceRefreshes")] == ["second"]


class TestAfterTheFirstBatch:
    @EACH
    def test_what_comes_into_use_stays(self, flow: Flow, case: Case) -> None:
        ids = flow.several(5)
        held = sorted(ids)[-1]
        in_batches(flow, lambda: case.use(flow.home, held))
        result = flow.clean(**case.options)
        assert (removed(result), kept(result)) == (set(ids) - {held}, {held})
        assert flow.view.of("kept")[0].used_by[0].label.startswith(case.user)
        assert result.exit_status == 0

    def test_in_an_account_that_is_only_read_too(self, flow: Flow) -> None:
        ids = flow.several(5)
        held = sorted(ids)[-1]
        in_batches(flow, lambda: flow.region(OTHER).add_instance(held))
        result = flow.clean(used_by_role_arn=(flow.role(OTHER),))
        assert (removed(result), kept(result)) == (set(ids) - {held}, {held})
        assert [call.action for call in flow.fake_aws.calls.changing() if call.account == OTHER] == []

    def test_its_snapshots_stay_with_it(self, flow: Flow) -> None:
        ids = flow.several(5)
        held = sorted(ids)[-1]
        snapshots = set(flow.home.images[held].snapshot_ids)
        in_batches(flow, lambda: flow.home.add_instance(held))
        flow.clean()
        assert flow.home.snapshots.keys() == snapshots

    @pytest.mark.parametrize("action", ["DescribeInstances", "DescribeImageReferences"])
    def test_a_re_read_that_fails_stops_the_rest(self, flow: Flow, action: str) -> None:
        ids = flow.several(5)
        in_batches(flow, lambda: flow.fault(action))
        result = flow.clean()
        assert removed(result) == set(sorted(ids)[:2])
        assert flow.home.images.keys() == set(ids) - removed(result)
        assert action in result.problems[0]
        assert result.exit_status == 1

    def test_within_a_minute_the_answers_of_the_plan_are_good_enough(self, flow: Flow) -> None:
        ids = flow.several(5)
        in_batches(flow, lambda: None, seconds=20.0)
        result = flow.clean()
        assert removed(result) == set(ids)
        assert len(flow.calls("DescribeInstances")) == 1

    def test_no_answer_is_older_than_a_minute(self, flow: Flow) -> None:
        """Each deregistration, against the last reading of the instances that was begun before it."""
        flow.patch.setitem(rate_limits.DOCUMENTED, "DeregisterImage", (2.5, 5.0))
        flow.time.waiting = lambda slept: setattr(flow.time, "seconds", flow.time.seconds + 7.0)
        ids = flow.several(40)
        assert removed(flow.clean()) == set(ids)
        read, oldest = 0.0, 0.0
        for call in flow.fake_aws.calls.records:
            moment = call.time.timestamp()
            if call.action == "DescribeInstances":
                read = moment
            elif call.action == "DeregisterImage":
                oldest = max(oldest, moment - read)
        assert oldest <= 60.0
        assert len(flow.calls("DescribeInstances")) > 2

    def test_the_references_of_the_plan_are_as_old_as_their_first_call(self, flow: Flow) -> None:
        """Another page of them took longer than a minute."""
        flow.several(1)

        def later(world: World, call: Call) -> None:
            flow.time.seconds += 61.0

        flow.fault("DescribeImageReferences", "do", do=later, times=1)
        assert len(removed(flow.clean())) == 1
        assert len(flow.calls("DescribeImageReferences")) == 2


class TestSharing:
    def several(self, flow: Flow, number: int) -> tuple[set[str], str]:
        """Free ones, and one that is shared."""
        flow.patch.setattr(planning, "ASK_SHARED_FIRST", 3)
        ids = flow.several(number)
        flow.home.images[ids[1]].shared_with = (THIRD,)
        return set(ids) - {ids[1]}, ids[1]

    def test_of_few_it_is_asked_before_the_question(self, flow: Flow) -> None:
        free, shared = self.several(flow, 3)
        result = flow.asks(flow.fake_aws.calls.clear)
        assert reasons(result)[shared] == "shared"
        assert removed(result) == free
        assert flow.calls("DescribeImageAttribute") == []
        assert result.plan is not None
        assert not result.plan.shared_unasked

    def test_of_many_it_is_asked_beside_the_deletion_each_before_its_own(self, flow: Flow) -> None:
        free, shared = self.several(flow, 4)
        before: list[int] = []
        result = flow.asks(lambda: before.append(len(flow.calls("DescribeImageAttribute"))))
        assert before == [0]
        assert result.plan is not None
        assert result.plan.shared_unasked
        assert planned(result) == {*free, shared}
        assert (removed(result), kept(result)) == (free, {shared})
        [told] = flow.view.of("kept")
        assert told.shared_with == (f"account {THIRD}",)
        assert result.exit_status == 0
        calls = [(call.action, call.params.get("ImageId")) for call in flow.fake_aws.calls.records]
        for image in free:
            assert calls.index(("DescribeImageAttribute", image)) < calls.index(("DeregisterImage", image))

    def test_of_many_too_an_account_that_is_only_read_is_inside(self, flow: Flow) -> None:
        free, shared = self.several(flow, 4)
        flow.profile("third", THIRD)
        assert removed(flow.clean(used_by_profile=("third",))) == {*free, shared}

    def test_of_many_with_include_shared_it_is_not_asked(self, flow: Flow) -> None:
        free, shared = self.several(flow, 4)
        assert removed(flow.clean(include_shared=True)) == {*free, shared}
        assert flow.calls("DescribeImageAttribute") == []

    def test_a_refused_answer_stops_the_deletion(self, flow: Flow) -> None:
        self.several(flow, 4)
        flow.fault("DescribeImageAttribute")
        result = flow.clean()
        assert (flow.changes(), result.exit_status) == ([], 1)
        assert "Grant the IAM action ec2:DescribeImageAttribute" in result.problems[0]

    @pytest.mark.parametrize(("number", "asked"), [(200, 200), (201, 0)])
    def test_two_hundred_are_few(self, flow: Flow, number: int, asked: int) -> None:
        flow.several(number)
        result = flow.clean(dry_run=True)
        assert len(flow.calls("DescribeImageAttribute")) == asked
        assert len(planned(result)) == number


@pytest.mark.parametrize(("limit", "number", "status"), [(2, 2, 0), (2, 3, 1), (0, 1, 1), (0, 0, 0)])
def test_max_deletions(flow: Flow, limit: int, number: int, status: int) -> None:
    flow.several(number)
    result = flow.asks(lambda: None, max_deletions=limit)
    assert result.exit_status == status
    assert len(removed(result)) == (0 if status else number)
    if status:
        assert flow.view.questions == []
        assert result.problems == (
            f"{number} AMIs would be removed, more than --max-deletions {limit} allows: nothing is removed.",
        )


class TestNamed:
    def test_no_question_is_asked_and_groups_count_for_nothing(self, flow: Flow) -> None:
        first, second, third = flow.several(3)
        result = flow.asks(lambda: None, from_ids=(first, third))
        assert (removed(result), flow.view.questions, result.exit_status) == ({first, third}, [], 0)
        assert flow.home.images.keys() == {second}

    def test_one_that_does_not_exist_is_named_and_the_others_go(self, flow: Flow) -> None:
        [image] = flow.several(1)
        result = flow.clean(from_ids=("ami-12345678", image))
        assert removed(result) == {image}
        assert result.problems == ("ami-12345678 does not exist, or is not an AMI of this account.",)
        assert result.exit_status == 1

    def test_one_of_another_account_is_none_of_ours(self, flow: Flow) -> None:
        theirs = flow.add(region=flow.region(OTHER), public=True).image_id
        assert flow.clean(from_ids=(theirs,)).exit_status == 1
        assert theirs in flow.region(OTHER).images

    def test_one_in_use_stays(self, flow: Flow) -> None:
        free, held = flow.several(2)
        flow.home.add_instance(held)
        result = flow.clean(from_ids=(free, held))
        assert (removed(result), reasons(result)[held], result.exit_status) == ({free}, "in-use", 1)

    @pytest.mark.parametrize("case", CHOSEN[::4], ids=lambda case: case.name)
    def test_ignore_in_use_lets_it_go(self, flow: Flow, case: Case) -> None:
        [held] = flow.several(1)
        case.use(flow.home, held)
        result = flow.clean(from_ids=(held,), ignore_in_use=True, **case.options)
        assert (removed(result), result.exit_status) == ({held}, 0)

    @pytest.mark.parametrize(
        ("reason", "members"),
        [
            ("state", {"state": "pending"}), ("protected", {"deregistration_protection": "true"}),
            ("managed", {"name": "AwsBackup_1"}), ("public", {"public": True}), ("shared", {"shared_with": (OTHER,)}),
            ("keep-tag", {"tags": {"golden": "1"}}),
        ],
    )  # fmt: skip
    def test_ignore_in_use_overrides_nothing_else(self, flow: Flow, reason: str, members: dict[str, Any]) -> None:
        image = flow.add(**members).image_id
        flow.home.add_instance(image)
        result = flow.clean(from_ids=(image,), ignore_in_use=True, keep_tag=("golden",))
        assert (removed(result), reasons(result)[image], result.exit_status) == (set(), reason, 1)

    def test_with_ignore_in_use_it_still_fails_closed(self, flow: Flow) -> None:
        [image] = flow.several(1)
        flow.fault("DescribeImages")
        assert flow.fails(from_ids=(image,), ignore_in_use=True).action == "ec2:DescribeImages"

    def test_in_every_target_of_the_run(self, flow: Flow) -> None:
        near, far = flow.add().image_id, flow.add(region=flow.region(OTHER, FAR)).image_id
        result = flow.clean(from_ids=(near, far), role_arn=(flow.role(OWN), flow.role(OTHER)), region=("eu-west-1", FAR))
        assert (removed(result), result.exit_status) == ({near, far}, 0)

    def test_one_that_comes_into_use_after_the_first_batch_stays(self, flow: Flow) -> None:
        ids = sorted(flow.several(5))
        in_batches(flow, lambda: flow.home.add_instance(ids[-1]))
        result = flow.clean(from_ids=tuple(ids))
        assert (removed(result), kept(result), result.exit_status) == (set(ids[:-1]), {ids[-1]}, 0)
