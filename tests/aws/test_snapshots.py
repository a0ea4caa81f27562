"""What becomes of an AMI's snapshots, from AWS's return codes and the AMIs that use them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.audit import return_codes
from amicleaner.aws.snapshots import SnapshotPlan, SnapshotReferences, classify_snapshots, in_device_order
from amicleaner.models import Ami, SnapshotResult

from .simulation import AWAY, HOME, make_ami

AMI = make_ami("ami-1", "snap-1")


def classify(codes: dict[str, str], *others: Ami, deleted: tuple[str, ...] = ()) -> SnapshotPlan:
    """The plan for ami-1, which was deregistered; `deleted` are the others that will be."""
    references = SnapshotReferences([(HOME, [AMI, *others])], [(HOME, id) for id in ("ami-1", *deleted)])
    references.deregistered(HOME, AMI)
    return classify_snapshots(HOME, AMI, codes, references)


def removed(id: str) -> SnapshotResult:
    return SnapshotResult(HOME, id, "removed")


@pytest.mark.parametrize("code", ["missing-permissions", "client-error", "new-code", ""])
def test_a_snapshot_that_aws_did_not_delete_is_a_failure(code: str) -> None:
    (result,) = classify({"snap-1": code}).settled
    assert (result.outcome, result.error and result.error.code) == ("failed", code or "NoReturnCode")


def test_a_missing_permission_is_named() -> None:
    (result,) = classify({"snap-1": "missing-permissions"}).settled
    assert result.error
    assert "ec2:DeleteSnapshot" in result.error.message


@pytest.mark.parametrize("codes", [{}, {"snap-1": "skipped"}, {"snap-1": "internal-error"}])
def test_a_snapshot_with_an_unknown_result(codes: dict[str, str]) -> None:
    other = make_ami("ami-2", "snap-1")
    assert classify(codes) == SnapshotPlan(singly=["snap-1"])
    assert classify(codes, other) == SnapshotPlan([SnapshotResult(HOME, "snap-1", "kept", used_by=("ami-2",))])
    assert classify(codes, other, deleted=("ami-2",)) == SnapshotPlan(left=["snap-1"])


def test_a_success_is_deleted_whoever_seemed_to_use_it() -> None:
    assert classify({"snap-1": "success"}, make_ami("ami-2", "snap-1")) == SnapshotPlan([removed("snap-1")])


@pytest.mark.parametrize("code", ["skipped", "internal-error", "client-error", ""])
def test_a_snapshot_that_the_ami_did_not_have_is_left_alone(code: str) -> None:
    assert classify({"snap-1": "success", "snap-other": code}) == SnapshotPlan([removed("snap-1")])


def test_a_snapshot_that_only_the_answer_names_is_reported() -> None:
    assert classify({"snap-1": "success", "snap-other": "success"}).settled == [removed("snap-1"), removed("snap-other")]


def test_a_snapshot_that_went_with_another_ami_is_not_named_again() -> None:
    references = SnapshotReferences([(HOME, [AMI])], [(HOME, "ami-1")])
    references.deleted(HOME, "snap-1")
    assert classify_snapshots(HOME, AMI, {"snap-1": "client-error"}, references) == SnapshotPlan()


def test_references_belong_to_a_target() -> None:
    references = SnapshotReferences([(HOME, [AMI]), (AWAY, [make_ami("ami-2", "snap-1")])], [(AWAY, "ami-2")])
    assert references.users(HOME, "snap-1") == ("ami-1",)
    assert references.users(AWAY, "snap-1") == ("ami-2",)
    assert not references.left_to_another(HOME, "snap-1")
    references.deleted(AWAY, "snap-1")
    assert not references.is_deleted(HOME, "snap-1")


def test_a_snapshot_is_no_longer_left_to_an_ami_that_was_deregistered() -> None:
    other = make_ami("ami-2", "snap-1")
    references = SnapshotReferences([(HOME, [AMI, other])], [(HOME, "ami-1"), (HOME, "ami-2")])
    references.deregistered(HOME, AMI)
    assert references.left_to_another(HOME, "snap-1")
    references.deregistered(HOME, other)
    assert not references.left_to_another(HOME, "snap-1")
    assert references.users(HOME, "snap-1") == ()


def test_results_are_in_the_order_of_the_devices() -> None:
    ami = make_ami("ami-1", "snap-b", "snap-a", "snap-missing")
    found = {id: removed(id) for id in ("snap-x", "snap-a", "snap-b")}
    assert [result.id for result in in_device_order(ami, found)] == ["snap-b", "snap-a", "snap-x"]


@pytest.mark.parametrize("results", [None, [], "success", {"snap-1": "success"}, [None], [{"ReturnCode": "success"}]])
def test_an_answer_without_results_says_nothing(results: object) -> None:
    assert return_codes({"DeleteSnapshotResults": results}) == return_codes({}) == {}


def test_of_two_codes_for_one_snapshot_none_counts() -> None:
    results = [("snap-1", "success"), ("snap-1", "internal-error"), ("snap-2", "success"), ("snap-3", None)]
    answer = {"DeleteSnapshotResults": [{"SnapshotId": id, "ReturnCode": code} for id, code in results]}
    assert return_codes(answer) == {"snap-2": "success", "snap-3": ""}


CODES = st.sampled_from(["success", "skipped", "internal-error", "missing-permissions", "client-error", "new", ""])
IDS = st.sampled_from([f"snap-{number}" for number in range(5)])


@given(st.lists(st.sets(IDS, max_size=3), min_size=1, max_size=5), st.dictionaries(IDS, CODES), st.sets(st.integers(1, 4)))
def test_no_snapshot_is_deleted_singly_that_an_ami_uses_or_that_was_not_the_amis(
    held: list[set[str]], codes: dict[str, str], deleted: set[int]
) -> None:
    amis = [make_ami(f"ami-{number}", *sorted(snapshots)) for number, snapshots in enumerate(held)]
    references = SnapshotReferences([(HOME, amis)], [(HOME, f"ami-{number}") for number in (0, *deleted)])
    references.deregistered(HOME, amis[0])
    plan = classify_snapshots(HOME, amis[0], codes, references)
    used = set().union(*held[1:])
    assert set(plan.singly) <= held[0] - used
    assert set(plan.left) <= held[0] & used
    settled = [result.id for result in plan.settled]
    assert held[0] <= {*settled, *plan.singly, *plan.left}
    assert len(settled) + len(plan.singly) + len(plan.left) == len({*settled, *plan.singly, *plan.left})
