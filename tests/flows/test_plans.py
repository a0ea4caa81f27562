"""Saved plans: applying one deletes exactly what it says and today's account still allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from amicleaner.errors import UsageError
from tests.flows.flow import FAR, HOME, OTHER, OWN, Flow, planned, removed


@pytest.fixture
def path(flow: Flow) -> str:
    return flow.path("plan.json")


def save(flow: Flow, path: str, **options: Any) -> set[str]:
    """Saves a plan, and returns what it deletes."""
    result = flow.clean(save_plan=path, force_delete=False, **options)
    assert (flow.changes(), flow.view.prompts, result.exit_status) == ([], [], 0)
    return planned(result)


def apply(flow: Flow, path: str, **options: Any) -> Any:
    return flow.clean(apply_plan=path, **options)


def test_amis_that_did_not_change_are_deleted(flow: Flow, path: str) -> None:
    newest, *old = flow.several(4)
    assert save(flow, path, keep_previous=1) == set(old)
    result = apply(flow, path)
    assert (removed(result), result.exit_status, result.problems) == (set(old), 0, ())
    assert flow.home.images.keys() == {newest}
    assert len(flow.home.snapshots) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"skip_check": ("fleets", "instances")}, "--skip-check fleets instances"),
        ({"from_ids": ("ami-1",), "ignore_in_use": True}, "--ignore-in-use"),
        ({}, None),
    ],
)
def test_a_plan_that_protects_less_says_so(flow: Flow, path: str, options: dict[str, Any], said: str | None) -> None:
    [image] = flow.several(1)
    if "from_ids" in options:
        options = options | {"from_ids": (image,)}
    save(flow, path, **options)
    warnings = [text for text in apply(flow, path).warnings if "was created with" in text]
    assert [text.split("created with ")[1].split(":")[0] for text in warnings] == ([said] if said else [])


def test_applying_a_plan_shows_a_prompt(flow: Flow, path: str) -> None:
    flow.several(2)
    save(flow, path)
    flow.view.yes = False
    assert removed(apply(flow, path, force_delete=False)) == set()
    assert flow.view.prompts == ["2 AMIs"]
    assert (flow.changes(), apply(flow, path, dry_run=True).exit_status) == ([], 0)


def test_an_ami_that_must_be_kept_by_now_is_named(flow: Flow, path: str) -> None:
    """What can change is in `test_changes.py`."""
    free, held = flow.several(2)
    save(flow, path)
    flow.home.add_instance(held)
    result = apply(flow, path)
    assert removed(result) == {free}
    [problem] = result.problems
    assert problem.startswith(f"{held} kept: in use by instance i-")
    assert flow.view.of("problem") == [problem]
    assert result.exit_status == 1


def test_amis_that_no_longer_exist_are_counted_in_a_sentence(flow: Flow, path: str) -> None:
    first, second, third, free = flow.several(4)
    save(flow, path)
    for gone in (first, second, third):
        del flow.home.images[gone]
    result = apply(flow, path)
    assert (removed(result), result.exit_status, result.problems) == ({free}, 0, ())
    assert result.warnings == ("3 AMIs of the plan no longer exist.",)


def test_a_plan_of_listed_amis_shows_a_prompt_too(flow: Flow, path: str) -> None:
    """Listing them was the confirmation of whoever saved the plan."""
    ids = flow.several(2)
    save(flow, path, from_ids=tuple(ids))
    flow.view.yes = False
    assert removed(apply(flow, path, force_delete=False)) == set()
    assert (flow.view.prompts, flow.changes()) == (["2 AMIs"], [])
    assert removed(apply(flow, path)) == set(ids)


def test_several_accounts_and_regions(flow: Flow, path: str) -> None:
    roles = (flow.role(OWN), flow.role(OTHER))
    free = {flow.add(region=flow.region(account, name)).image_id for account in (OWN, OTHER) for name in (HOME, FAR)}
    assert save(flow, path, role_arn=roles, region=(HOME, FAR)) == free
    stranger = flow.add(region=flow.region(OTHER, FAR)).image_id
    assert removed(apply(flow, path, role_arn=roles)) == free
    assert stranger in flow.region(OTHER, FAR).images


def test_a_plan_beyond_a_maximum_is_saved_to_be_looked_at(flow: Flow, path: str) -> None:
    flow.several(2)
    for result in (flow.clean(save_plan=path, max_deletions=1), apply(flow, path, max_deletions=1)):
        assert (removed(result), result.exit_status) == (set(), 1)
        assert "more than --max-deletions 1 allows" in result.problems[0]
    assert len(removed(apply(flow, path, max_deletions=2))) == 2


class TestRefused:
    def refused(self, flow: Flow, path: str, **options: Any) -> str:
        with pytest.raises(UsageError) as caught:
            apply(flow, path, **options)
        assert flow.changes() == []
        assert caught.value.exit_status == 2
        return str(caught.value)

    @pytest.mark.parametrize("region", [(), ("eu-*",)])
    def test_the_plan_of_another_account(self, flow: Flow, path: str, region: tuple[str, ...]) -> None:
        flow.several(2)
        save(flow, path, region=region)
        other = flow.profile("other", OTHER)
        text = self.refused(flow, path, profile=(other,))
        assert f"was created for account {OWN}; these credentials are for account {OTHER}." in text
        assert {call.action for call in flow.fake_aws.calls.records if call.account == OTHER} == {"GetCallerIdentity"}

    def test_a_plan_that_was_changed(self, flow: Flow, path: str) -> None:
        """How a file can be wrong is tested in `tests/report/test_plan_file.py`."""
        flow.several(2)
        save(flow, path)
        plan = json.loads(Path(path).read_text())
        plan["amis"][0]["id"] = "ami-12345678"
        Path(path).write_text(json.dumps(plan))
        flow.fake_aws.calls.clear()
        assert "checksum mismatch" in self.refused(flow, path)
        assert flow.fake_aws.calls.records == []
