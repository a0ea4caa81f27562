"""What makes a run stop before it deletes too much, and what makes it warn."""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.errors import AmicleanerError
from tests.flows.flow import FAR, HOME, OTHER, OWN, Flow, removed


@pytest.mark.parametrize(
    ("options", "number", "status"),
    [
        ({"max_deletions": 2}, 2, 0), ({"max_deletions": 2}, 3, 1), ({"max_deletions": 0}, 1, 1),
        ({"max_deletions": 0}, 0, 0),
        ({"max_percent": 50}, 1, 0), ({"max_percent": 49.9}, 1, 1), ({"max_percent": 0}, 0, 0),
        ({"max_percent": 50, "max_deletions": 0}, 1, 1),
        ({"max_deletions": 1, "quarantine": 14}, 1, 0), ({"max_deletions": 1, "quarantine": 14}, 2, 1),
    ],
)  # fmt: skip
def test_a_plan_beyond_a_maximum_deletes_nothing(flow: Flow, options: dict[str, Any], number: int, status: int) -> None:
    """Beside the AMIs that would be deleted the account has as many others."""
    flow.several(number)
    flow.several(number, tags={})
    result = flow.asks(lambda: None, **options)
    assert result.exit_status == status
    assert len(set(flow.changes())) == (0 if status else number)
    if status:
        assert flow.view.prompts == []
        verb = "delete or quarantine" if "quarantine" in options else "delete"
        assert f"The plan would {verb} {number} " in result.problems[0]


@pytest.mark.parametrize("options", [{"max_deletions": 1}, {"max_percent": 10}], ids=str)
def test_in_a_dry_run_a_maximum_is_a_warning(flow: Flow, options: dict[str, Any]) -> None:
    flow.several(2)
    result = flow.clean(dry_run=True, **options)
    assert (result.exit_status, result.problems) == (0, ())
    assert any("The plan would delete 2 " in warning for warning in result.warnings)


def test_max_percent_holds_for_each_target(flow: Flow) -> None:
    flow.several(1)
    flow.several(3, tags={})
    flow.several(2, region=flow.region(name=FAR))
    result = flow.clean(region=(HOME, FAR), max_percent=50)
    assert (flow.changes(), result.exit_status) == ([], 1)
    assert f"2 of 2 AMIs in account {OWN}, Region {FAR}" in result.problems[0]


def test_limit_counts_over_all_targets_and_before_the_maxima(flow: Flow) -> None:
    flow.several(2)
    older = flow.add(region=flow.region(OTHER), days=99).image_id
    result = flow.clean(limit=1, max_deletions=1, role_arn=(flow.role(OWN), flow.role(OTHER)))
    assert (removed(result), result.exit_status) == ({older}, 0)


@pytest.mark.parametrize("way", ["own", "role", "one of two"])
def test_an_account_that_is_not_expected_stops_the_run_before_it_is_read(flow: Flow, way: str) -> None:
    flow.several(2)
    roles = {"own": (), "role": (flow.role(OTHER),), "one of two": (flow.role(OWN), flow.role(OTHER))}[way]
    expected = OTHER if way == "own" else OWN
    with pytest.raises(AmicleanerError, match="--expect-account") as caught:
        flow.clean(expect_account=(expected,), role_arn=roles)
    assert caught.value.exit_status == 1
    assert {call.action for call in flow.fake_aws.calls.records} <= {"GetCallerIdentity", "AssumeRole"}


def test_expected_accounts_are_cleaned(flow: Flow) -> None:
    free = flow.add().image_id
    flow.profile("reader", OTHER)
    assert removed(flow.clean(expect_account=(OWN,), used_by_profile=("reader",))) == {free}


def test_sts_is_called_only_where_an_account_id_is_needed(flow: Flow) -> None:
    flow.clean(region=(HOME,))
    assert flow.calls("GetCallerIdentity") == []
    flow.clean(region=(HOME,), expect_account=(OWN,))
    assert len(flow.calls("GetCallerIdentity")) == 1
