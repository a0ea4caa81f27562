"""When the account is read again, and what a re-read that fails does; what each re-read sees is in `test_changes.py`."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from amicleaner import execution, planning
from amicleaner.aws import rate_limits, scan, usage_monitor
from amicleaner.execution import Execution
from tests.catalogue import batch, batch_template
from tests.fake_aws import Call, World
from tests.flows.flow import FAR, HOME, OTHER, OWN, THIRD, Flow, kept, planned, removed

ONE_OF_EACH = ("DescribeImages", "DescribeInstances", "DescribeAutoScalingGroups", "DescribeImageReferences")


class TestAtThePrompt:
    def test_a_reference_in_any_target_keeps_the_ami(self, flow: Flow) -> None:
        free, held = flow.several(2)
        roles = (flow.role(OWN), flow.role(OTHER))
        result = flow.asks(lambda: flow.region(OTHER).add_instance(held), role_arn=roles)
        assert (removed(result), kept(result)) == ({free}, {held})
        assert flow.view.of("kept")[0].used_by[0].account == OTHER

    @pytest.mark.parametrize(("midway", "empty", "account"), [(False, True, OWN), (True, False, OWN), (False, True, OTHER)])
    def test_a_copy_into_another_region_keeps_the_ami(self, flow: Flow, midway: bool, empty: bool, account: str) -> None:
        held, *free = [flow.add(days=days).image_id for days in (10, 20, 30, 40)]
        if not empty:
            flow.add(region=flow.region(name=FAR), tags={})

        def copy() -> None:
            flow.add(region=flow.region(account, FAR), state="pending", source_image=(held, HOME))

        profiles = (flow.profile("own", OWN), flow.profile("other", OTHER)) if account == OTHER else ()
        result = flow.asks(lambda: flow.midway(copy) if midway else copy(), region=(HOME, FAR), profile=profiles)
        assert (removed(result), kept(result)) == ({*free}, {held})
        assert flow.view.of("kept")[0].used_by[0].kind == "image-copy"

    def test_where_there_are_too_many_regions_only_own_copies_are_seen(self, flow: Flow) -> None:
        flow.patch.setattr(execution, "CLIENTS_KEPT", 2)
        seen, unseen = flow.several(2)

        def copy() -> None:
            flow.add(region=flow.region(OWN, FAR), state="pending", source_image=(seen, HOME), tags={})
            flow.add(region=flow.region(OTHER, FAR), state="pending", source_image=(unseen, HOME), tags={})

        profiles = (flow.profile("own", OWN), flow.profile("other", OTHER))
        result = flow.asks(copy, region=(HOME, FAR, "eu-west-2"), profile=profiles)
        assert (removed(result), kept(result)) == ({unseen}, {seen})

    def test_regions_are_read_again_each_by_itself_and_side_by_side(self, flow: Flow) -> None:
        for name in (HOME, FAR):
            flow.add(region=flow.region(name=name))
        together, recheck = threading.Barrier(2), Execution._recheck

        def meet(execution: Execution, *arguments: Any) -> Any:
            together.wait(10)
            return recheck(execution, *arguments)

        flow.patch.setattr(Execution, "_recheck", meet)
        assert len(removed(flow.asks(flow.fake_aws.calls.clear, region=(HOME, FAR)))) == 2
        assert len(flow.calls("DescribeInstances")) == 2

    def test_nothing_is_read_after_a_no(self, flow: Flow) -> None:
        flow.several(2)
        flow.view.yes = False
        result = flow.asks(flow.fake_aws.calls.clear)
        assert flow.fake_aws.calls.records == []
        assert (result.declined, result.exit_status) == (True, 0)

    @pytest.mark.parametrize(
        ("action", "kind"),
        [*((action, "refuse") for action in ONE_OF_EACH), ("DescribeInstances", "xhtml"), ("DescribeImages", "cut")],
    )
    def test_a_failed_re_read_stops_the_deletion(self, flow: Flow, action: str, kind: str) -> None:
        flow.several(2)
        result = flow.asks(lambda: flow.fault(action, kind), max_attempts=2)
        assert flow.changes() == []
        [problem] = result.problems
        assert f"{action} failed in account {OWN}" in problem
        assert result.exit_status == 1

    def test_a_call_that_was_answered_before_the_prompt_is_never_unsupported(self, flow: Flow) -> None:
        flow.outside_aws()
        flow.several(2)
        result = flow.asks(lambda: flow.fault("DescribeFleets", "http500"))
        assert (flow.changes(), result.exit_status) == ([], 1)

    @pytest.mark.parametrize("late", [False, True], ids=["", "of a source that is read once something would be deleted"])
    def test_a_warning_of_a_re_read_is_shown(self, flow: Flow, late: bool) -> None:
        flow.several(2)
        missing = {"LaunchTemplateId": "lt-00000000000000000", "Version": "7"}

        def change() -> None:
            if late:
                flow.home.add_entry("compute-environment", batch("one", launchTemplate=batch_template(missing)))
            else:
                flow.home.add_group(launch_template=missing)

        result = flow.asks(change)
        [warning] = result.warnings
        assert "version 7" in warning
        assert flow.view.of("warning") == [warning]


class TestWhileDeleting:
    def test_a_failed_re_read_stops_the_rest(self, flow: Flow) -> None:
        ids = flow.several(5)
        flow.midway(lambda: flow.fault("DescribeInstances"))
        result = flow.clean()
        assert removed(result) == set(ids[-2:])  # the oldest
        assert flow.home.images.keys() == set(ids) - removed(result)
        assert "DescribeInstances" in result.problems[0]
        assert result.exit_status == 1

    def test_the_plans_own_reading_is_good_for_a_minute(self, flow: Flow) -> None:
        ids = flow.several(5)
        flow.midway(lambda: None, seconds=20.0)
        assert removed(flow.clean()) == set(ids)
        assert len(flow.calls("DescribeInstances")) == 1

    @pytest.mark.parametrize("quarantine", [None, 14])
    def test_no_change_rests_on_a_reading_older_than_a_minute(self, flow: Flow, quarantine: int | None) -> None:
        """Every change against the last reading of instances, AMIs and references that began before it."""
        flow.patch.setattr(rate_limits, "SHARE_OF_BUCKET", 0.02)

        def slowly(slept: float) -> None:
            if threading.current_thread() is threading.main_thread():  # no call is under way
                flow.time.seconds += 7.0

        flow.time.waiting = slowly
        ids = flow.several(20)
        flow.clean(quarantine=quarantine)
        assert len(set(flow.changes())) == len(ids)
        began = dict.fromkeys(("DescribeInstances", "DescribeImages", "DescribeImageReferences"), 0.0)
        oldest = 0.0
        for call in flow.fake_aws.calls.records:
            moment = call.time.timestamp()
            if call.action in began and "ImageIds" not in call.params:
                began[call.action] = moment
            elif call.action in ("DeregisterImage", "DisableImage", "CreateTags"):
                oldest = max(oldest, *(moment - read for read in began.values()))
        assert 7.0 <= oldest <= 60.0
        assert len(flow.calls("DescribeInstances")) > 1

    def test_a_reading_counts_from_its_first_call_in_any_account(self, flow: Flow) -> None:
        """The other account is read once the first has been, and that took longer than a minute."""
        flow.several(1)

        def later(world: World, call: Call) -> None:
            flow.time.seconds += 61.0

        flow.fault("DescribeInstances", "do", do=later, times=1)
        flow.patch.setattr(usage_monitor, "LATE_WINDOW", -1.0)
        flow.patch.setattr(scan, "LOCATIONS_AT_ONCE", 1)
        assert len(removed(flow.clean(role_arn=(flow.role(OWN), flow.role(OTHER))))) == 1
        assert len(flow.calls("DescribeInstances", account=OTHER)) == 2


class TestSharing:
    def several(self, flow: Flow, number: int) -> tuple[set[str], str]:
        """Free AMIs, and one that is shared.  Three are few, here."""
        assert planning.ASK_SHARED_FIRST == 200
        flow.patch.setattr(planning, "ASK_SHARED_FIRST", 3)
        ids = flow.several(number)
        flow.home.images[ids[1]].shared_with = (THIRD,)
        return set(ids) - {ids[1]}, ids[1]

    @pytest.mark.parametrize("number", [3, 4])
    def test_launch_permissions_are_read_again_before_each_deletion(self, flow: Flow, number: int) -> None:
        free, shared = self.several(flow, number)
        asked: list[int] = []

        def note() -> None:
            asked.append(len(flow.calls("DescribeImageAttribute")))
            flow.fake_aws.calls.clear()

        result = flow.asks(note)
        assert asked == [3 if number == 3 else 0]
        assert shared in flow.home.images
        assert (removed(result), kept(result)) == (free, set() if number == 3 else {shared})
        calls = [(call.action, call.params.get("ImageId")) for call in flow.fake_aws.calls.records]
        for image in free:
            assert calls.index(("DescribeImageAttribute", image)) < calls.index(("DeregisterImage", image))

    def test_launch_permissions_of_many_amis_are_read_while_they_are_deleted(self, flow: Flow) -> None:
        free, shared = self.several(flow, 4)
        result = flow.clean()
        assert result.plan is not None
        assert result.plan.shared_unasked
        assert planned(result) == {*free, shared}
        [told] = flow.view.of("kept")
        assert (told.reason, THIRD in told.explanation, result.exit_status) == ("shared", True, 0)

    def test_listed_amis_that_turn_out_to_be_shared_are_problems(self, flow: Flow) -> None:
        free, shared = self.several(flow, 4)
        result = flow.clean(from_ids=(*free, shared))
        assert (removed(result), result.exit_status) == (free, 1)
        assert result.problems == (f"{shared} kept: shared with account {THIRD}.",)

    def test_a_read_only_account_is_inside_the_run(self, flow: Flow) -> None:
        free, shared = self.several(flow, 4)
        flow.profile("third", THIRD)
        assert removed(flow.clean(used_by_profile=("third",))) == {*free, shared}
