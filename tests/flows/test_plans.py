"""A plan is saved, the account changes, the plan is applied: exactly what it says and today's account still allows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amicleaner.errors import UsageError
from tests.flows.flow import FAR, HOME, OTHER, OWN, Flow, planned, reasons, removed


@pytest.fixture
def path(flow: Flow) -> str:
    return flow.path("plan.json")


def save(flow: Flow, path: str, **options: Any) -> set[str]:
    """What a plan that is saved removes; nothing is asked or changed."""
    result = flow.clean(save_plan=path, force_delete=False, **options)
    assert (flow.changes(), flow.view.prompts, result.exit_status) == ([], [], 0)
    return planned(result)


def apply(flow: Flow, path: str, **options: Any) -> Any:
    return flow.clean(apply_plan=path, **options)


def test_what_did_not_change_goes(flow: Flow, path: str) -> None:
    newest, *old = flow.several(4)
    assert save(flow, path, keep_previous=1) == set(old)
    result = apply(flow, path)
    assert (removed(result), result.exit_status, result.problems) == (set(old), 0, ())
    assert flow.home.images.keys() == {newest}
    assert len(flow.home.snapshots) == 1


def test_the_plan_brings_its_own_options(flow: Flow, path: str) -> None:
    """Without them four would be kept, by other tags."""
    old = [flow.add(tags={"team": "blue"}, days=20 + day).image_id for day in range(2)]
    save(flow, path, mapping_values=("team",))
    assert removed(apply(flow, path)) == set(old)


def test_it_asks_unless_told_not_to(flow: Flow, path: str) -> None:
    flow.several(2)
    save(flow, path)
    flow.view.yes = False
    assert removed(apply(flow, path, force_delete=False)) == set()
    assert flow.view.prompts == ["2 AMIs"]
    assert (flow.changes(), apply(flow, path, dry_run=True).exit_status) == ([], 0)


CHANGES: dict[str, Callable[[Flow, str], object]] = {
    "in-use": lambda flow, id: flow.home.add_instance(id),
    "protected": lambda flow, id: setattr(flow.home.images[id], "deregistration_protection", "enabled-with-cooldown"),
    "managed": lambda flow, id: flow.home.images[id].tags.update({"dlm:managed": "yes"}),
    "public": lambda flow, id: setattr(flow.home.images[id], "public", True),
    "shared": lambda flow, id: setattr(flow.home.images[id], "shared_with", (OTHER,)),
    "state": lambda flow, id: setattr(flow.home.images[id], "state", "disabled"),
    "keep-tag": lambda flow, id: flow.home.images[id].tags.update(golden="1"),
    "no-tags": lambda flow, id: flow.home.images[id].tags.clear(),
    "recently-launched": lambda flow, id: setattr(flow.home.images[id], "last_launched", flow.time.now()),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_what_today_does_not_allow_stays_and_is_named(flow: Flow, path: str, reason: str) -> None:
    free, held = flow.several(2)
    save(flow, path, keep_tag=("golden",), unused_days=3)
    CHANGES[reason](flow, held)
    result = apply(flow, path)
    assert removed(result) == {free}
    assert reasons(result)[held] == reason
    [problem] = result.problems
    assert problem.startswith(f"{held} stays ({reason}): ")
    assert flow.view.of("problem") == [problem]
    assert result.exit_status == 1


def test_what_is_among_the_newest_by_now_stays(flow: Flow, path: str) -> None:
    newest, second, third = flow.several(3)
    assert save(flow, path, keep_previous=1) == {second, third}
    del flow.home.images[newest]
    result = apply(flow, path)
    assert (removed(result), reasons(result)[second], result.exit_status) == ({third}, "kept-previous", 1)


def test_what_vanished_counts_as_removed(flow: Flow, path: str) -> None:
    gone, free = flow.several(2)
    save(flow, path)
    del flow.home.images[gone]
    result = apply(flow, path)
    assert (removed(result), result.exit_status, result.problems) == ({free}, 0, ())


def test_what_vanishes_while_it_is_applied_counts_as_removed(flow: Flow, path: str) -> None:
    gone, free = flow.several(2)
    save(flow, path)
    result = flow.asks(lambda: flow.home.images.pop(gone), apply_plan=path)
    assert (removed(result), result.exit_status) == ({gone, free}, 0)


def test_what_is_new_stays(flow: Flow, path: str) -> None:
    [free] = flow.several(1)
    save(flow, path)
    new = flow.add(days=100).image_id
    result = apply(flow, path)
    assert (removed(result), reasons(result)[new], result.exit_status) == ({free}, "not-selected", 0)


def test_what_the_plan_kept_stays_though_it_could_go_by_now(flow: Flow, path: str) -> None:
    used, free = flow.several(2)
    instance = flow.home.add_instance(used)
    save(flow, path)
    del flow.home.instances[instance.instance_id]
    assert removed(apply(flow, path)) == {free}


def test_that_nothing_is_left_to_do_is_no_failure(flow: Flow, path: str) -> None:
    flow.several(2)
    save(flow, path)
    apply(flow, path)
    again = apply(flow, path)
    assert (removed(again), again.exit_status) == (set(), 0)


def test_a_plan_of_named_amis_asks_too(flow: Flow, path: str) -> None:
    """Naming them was the confirmation of whoever saved the plan."""
    ids = flow.several(2)
    save(flow, path, from_ids=tuple(ids))
    flow.view.yes = False
    assert removed(apply(flow, path, force_delete=False)) == set()
    assert (flow.view.prompts, flow.changes()) == (["2 AMIs"], [])
    assert removed(apply(flow, path)) == set(ids)


def test_named_amis_too(flow: Flow, path: str) -> None:
    free, held = flow.several(2)
    assert save(flow, path, from_ids=(free, held)) == {free, held}
    flow.home.add_instance(held)
    result = apply(flow, path)
    assert (removed(result), result.exit_status) == ({free}, 1)


def test_several_accounts_and_regions(flow: Flow, path: str) -> None:
    roles = (flow.role(OWN), flow.role(OTHER))
    free = {flow.add(region=flow.region(account, name)).image_id for account in (OWN, OTHER) for name in (HOME, FAR)}
    assert save(flow, path, role_arn=roles, region=(HOME, FAR)) == free
    stranger = flow.add(region=flow.region(OTHER, FAR)).image_id
    assert removed(apply(flow, path, role_arn=roles)) == free
    assert stranger in flow.region(OTHER, FAR).images


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (2, 0)])
def test_max_deletions_beside_it(flow: Flow, path: str, limit: int, expected: int) -> None:
    ids = flow.several(2)
    save(flow, path)
    result = apply(flow, path, max_deletions=limit)
    assert (removed(result), result.exit_status) == (set() if expected else set(ids), expected)


def test_more_than_max_deletions_is_saved_to_be_looked_at_and_not_applied(flow: Flow, path: str) -> None:
    flow.several(2)
    for result in (flow.clean(save_plan=path, max_deletions=1), apply(flow, path)):
        assert result.exit_status == 1
        assert "nothing is removed" in result.problems[0]
        assert removed(result) == set()
    assert len(removed(apply(flow, path, max_deletions=2))) == 2


class TestRefused:
    def refused(self, flow: Flow, path: str, **options: Any) -> str:
        with pytest.raises(UsageError) as caught:
            apply(flow, path, **options)
        assert flow.changes() == []
        assert caught.value.exit_status == 2
        return str(caught.value)

    def test_the_plan_of_another_account(self, flow: Flow, path: str) -> None:
        flow.several(2)
        save(flow, path)
        other = flow.profile("other", OTHER)
        text = self.refused(flow, path, profile=(other,))
        assert f"is the plan of account {OWN} Region {HOME}, and this run works in account {OTHER}: " in text
        assert {call.action for call in flow.fake_aws.calls.records if call.account == OTHER} == {"GetCallerIdentity"}

    def test_the_plan_of_another_account_and_of_all_its_regions(self, flow: Flow, path: str) -> None:
        flow.several(2)
        save(flow, path, region=("eu-*",))
        other = flow.profile("other", OTHER)
        assert f"and this run works in account {OTHER}: " in self.refused(flow, path, profile=(other,))
        assert {call.action for call in flow.fake_aws.calls.records if call.account == OTHER} == {"GetCallerIdentity"}

    def test_the_plan_of_another_region(self, flow: Flow, path: str) -> None:
        flow.several(2)
        save(flow, path)
        flow.patch.setenv("AWS_DEFAULT_REGION", FAR)
        flow.fake_aws.calls.clear()
        assert f"this run works in account {OWN} Region {FAR}" in self.refused(flow, path)
        assert [call.action for call in flow.fake_aws.calls.records] == ["GetCallerIdentity"]

    @pytest.mark.parametrize(
        "change",
        [
            lambda plan: plan["amis"][0].update(id="ami-12345678"),
            lambda plan: plan["amis"][0].update(decision="keep"),
            lambda plan: plan["options"].update(keep_previous=0, keep_tag=[]),
            lambda plan: plan["targets"][0].update(account=OTHER),
            lambda plan: plan.update(version=2),
            lambda plan: plan.update(amicleaner="99.0"),
            lambda plan: plan.update(sha256="0" * 64),
            lambda plan: plan.pop("sha256"),
            lambda plan: plan["amis"].pop(),
        ],
    )
    def test_a_plan_that_was_changed(self, flow: Flow, path: str, change: Callable[[Any], object]) -> None:
        flow.several(2)
        save(flow, path, keep_tag=("golden",))
        plan = json.loads(Path(path).read_text())
        change(plan)
        Path(path).write_text(json.dumps(plan))
        flow.fake_aws.calls.clear()
        self.refused(flow, path)
        assert flow.fake_aws.calls.records == []

    @pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
    def test_a_plan_that_was_cut(self, flow: Flow, path: str, part: float) -> None:
        flow.several(2)
        save(flow, path)
        text = Path(path).read_text()
        Path(path).write_text(text[: int(len(text) * part)])
        assert "plan.json" in self.refused(flow, path)

    def test_no_plan_at_all(self, flow: Flow, path: str) -> None:
        assert "can't read" in self.refused(flow, path)
        assert flow.fake_aws.calls.records == []


def test_a_plan_that_can_not_be_read_anew_changes_nothing(flow: Flow, path: str) -> None:
    flow.several(2)
    save(flow, path)
    flow.fault("DescribeInstances")
    assert flow.fails(apply_plan=path).action == "ec2:DescribeInstances"


def test_a_file_that_can_not_be_written_is_found_out_before_aws_is_called(flow: Flow) -> None:
    with pytest.raises(UsageError, match="can't write"):
        flow.clean(save_plan=flow.path("nowhere/plan.json"))
    assert flow.fake_aws.calls.records == []
