"""Orphaned snapshots: what is read keeps a snapshot, and a free one beside it is deleted.  What a snapshot says of itself:
`tests/test_orphans.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from amicleaner.errors import InputEnded
from amicleaner.result import Orphan
from tests.fake_aws import Call, World
from tests.flows.flow import FAR, OTHER, OWN, Flow, removed

GONE = "ami-00000abc"
TO_BLOCK = "BlockDeviceMappings"


def device(snapshot: str) -> list[dict[str, Any]]:
    return [{"DeviceName": "/dev/xvda"}, {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": snapshot}}]


def template(flow: Flow) -> str:
    snapshot = flow.orphan()
    flow.home.add_launch_template(versions=[{}, {TO_BLOCK: device(snapshot)}, {}])
    return snapshot


def configuration(flow: Flow) -> str:
    snapshot = flow.orphan()
    flow.home.add_launch_configuration("ami-22222222", block_devices=device(snapshot))
    return snapshot


def recycled(flow: Flow) -> str:
    flow.home.recycle("ami-11111111")
    flow.home.recycle(GONE)
    return flow.orphan(GONE)


def existing(flow: Flow) -> str:
    """Made for an AMI that exists, and no longer one of its block devices."""
    return flow.orphan(flow.add(snapshots=[], tags={}, state="disabled").image_id)


def held(flow: Flow) -> str:
    """Of an AMI that was made from it, and for which it was not made."""
    snapshot = flow.orphan()
    flow.add(snapshots=[snapshot], state="disabled")
    return snapshot


KEPT: dict[str, Callable[[Flow], str]] = {
    "made for a disabled AMI that exists": existing,
    "of an AMI in the Recycle Bin": recycled,
    "held by another AMI": held,
    "an old version of a template that nothing else names": template,
    "a launch configuration": configuration,
    "of somebody else": lambda flow: flow.orphan(owner_id=OTHER),
}


@pytest.mark.parametrize("name", KEPT)
def test_each_condition_keeps_a_snapshot(flow: Flow, name: str) -> None:
    flow.fake_aws.pager.cap = 1
    for _ in range(2):
        flow.home.add_launch_configuration("ami-22222222")
        flow.home.add_launch_template()
    free = flow.orphan()
    kept = KEPT[name](flow)
    result = flow.clean(check_orphans=True)
    assert [(orphan.snapshot.id, orphan.ami) for orphan in result.orphans] == [(free, "ami-00000000")]
    assert kept in flow.home.snapshots
    assert free not in flow.home.snapshots
    assert result.exit_status == 0


def test_there_are_two_prompts_and_each_can_be_declined(flow: Flow) -> None:
    orphan, image = flow.orphan(), flow.add().image_id
    flow.view.yes = False
    result = flow.asks(lambda: None, check_orphans=True)
    assert flow.view.prompts == ["1 orphaned snapshots", "1 AMIs"]
    assert (flow.changes(), result.exit_status, result.would_change) == ([], 0, True)
    assert orphan in flow.home.snapshots
    assert image in flow.home.images


def test_force_delete_shows_neither_prompt(flow: Flow) -> None:
    flow.orphan()
    flow.add()
    flow.clean(check_orphans=True)
    assert (flow.view.prompts, flow.home.snapshots, flow.home.images) == ([], {}, {})
    assert flow.view.of("removed orphans") == [1]


def test_without_the_option_no_snapshots_are_listed(flow: Flow) -> None:
    flow.orphan()
    flow.clean()
    assert flow.calls("DescribeSnapshots") == flow.calls("ListImagesInRecycleBin") == []
    assert len(flow.home.snapshots) == 1


def test_a_dry_run_only_shows_them(flow: Flow) -> None:
    flow.orphan()
    result = flow.clean(check_orphans=True, dry_run=True, exit_code=True)
    assert (len(result.orphans), flow.changes(), result.exit_status) == (1, [], 3)


def test_listed_amis_follow_without_a_prompt(flow: Flow) -> None:
    orphan, image = flow.orphan(), flow.add().image_id
    result = flow.asks(lambda: None, check_orphans=True, from_ids=(image,))
    assert flow.view.prompts == ["1 orphaned snapshots"]
    assert (removed(result), orphan in flow.home.snapshots) == ({image}, False)


def test_a_failure_does_not_stop_the_others(flow: Flow) -> None:
    bad, good = flow.orphan(refusal=("OperationNotPermitted", "It is locked.")), flow.orphan()
    image = flow.add().image_id
    result = flow.clean(check_orphans=True)
    assert flow.home.snapshots.keys() == {bad}
    assert flow.view.of("removed orphans") == [1]
    [failed] = result.failed_snapshots
    assert (failed.id, failed.error and failed.error.code) == (bad, "OperationNotPermitted")
    assert (removed(result), result.exit_status) == ({image}, 1)
    assert good not in flow.home.snapshots


def test_a_snapshot_that_vanished_counts_as_deleted(flow: Flow) -> None:
    snapshot = flow.orphan()
    result = flow.asks(lambda: flow.home.snapshots.pop(snapshot, None), check_orphans=True)
    assert (flow.view.of("removed orphans"), result.exit_status) == ([1], 0)


def name_in_template(flow: Flow, snapshot: str) -> None:
    flow.home.add_launch_template(versions=[{TO_BLOCK: device(snapshot)}, {}, {}], default=3)


CHANGES: dict[str, Callable[[Flow, str], object]] = {
    "an AMI uses it": lambda flow, snapshot: flow.add(snapshots=[snapshot], tags={}),
    "a template names it": name_in_template,
    "Data Lifecycle Manager takes it": lambda flow, snapshot: flow.home.snapshots[snapshot].tags.update(
        {"dlm:managed": "true"}
    ),
    "its AMI comes back": lambda flow, snapshot: flow.add(image_id="ami-00000000", snapshots=[], tags={}),
}


@pytest.mark.parametrize(
    "change, when",
    [
        *((change, "at the prompt") for change in CHANGES),
        ("an AMI uses it", "while deleting"),
        ("a template names it", "while they are shown with --force-delete"),
        ("its AMI comes back", "while deleting with --force-delete"),
    ],
)
def test_a_snapshot_that_is_no_longer_orphaned_is_kept_and_named(flow: Flow, change: str, when: str) -> None:
    free = [flow.orphan(f"ami-0000000{number}") for number in (1, 2)]
    kept = flow.orphan("ami-00000000")

    def do() -> None:
        CHANGES[change](flow, kept)

    if when == "at the prompt":
        result = flow.asks(do, check_orphans=True, keep_previous=9)
    elif when == "while deleting":
        result = flow.asks(lambda: flow.midway(do), check_orphans=True, keep_previous=9)
    elif when == "while they are shown with --force-delete":

        def shown(orphans: Sequence[Orphan]) -> None:
            do()
            flow.time.seconds += 61

        flow.patch.setattr(flow.view, "orphans", shown)
        result = flow.clean(check_orphans=True, keep_previous=9)
    else:
        flow.midway(do)
        result = flow.clean(check_orphans=True, keep_previous=9)
    assert kept in flow.home.snapshots
    assert sorted(flow.changes()) == free
    [told] = flow.view.of("snapshot kept")
    assert (told.id, told.explanation) == (kept, "no longer orphaned")
    assert (flow.view.of("removed orphans"), result.exit_status) == ([2], 0)


@pytest.mark.parametrize(("orphans", "amis", "status"), [(3, 1, 1), (1, 3, 1), (2, 2, 0)])
def test_more_than_max_deletions_of_either_deletes_nothing(flow: Flow, orphans: int, amis: int, status: int) -> None:
    for _ in range(orphans):
        flow.orphan()
    flow.several(amis)
    result = flow.clean(check_orphans=True, max_deletions=2)
    assert result.exit_status == status
    assert len(flow.changes()) == (0 if status else orphans + amis)
    expected = [f"The plan would delete {count} {things}, more than --max-deletions 2 allows. Nothing was deleted."
                for count, things in ((amis, "AMIs"), (orphans, "orphaned snapshots")) if count > 2]  # fmt: skip
    assert list(result.problems) == expected


class TestSeveralTargets:
    def test_an_ami_anywhere_in_the_run_exists(self, flow: Flow) -> None:
        """A snapshot that was copied to another Region keeps its description."""
        image = flow.add(region=flow.region(OTHER, FAR), tags={}).image_id
        copied, free = flow.orphan(image), flow.orphan()
        result = flow.clean(check_orphans=True, role_arn=(flow.role(OWN), flow.role(OTHER)), region=("eu-west-1", FAR))
        assert [orphan.snapshot.id for orphan in result.orphans] == [free]
        assert copied in flow.home.snapshots

    def test_an_ami_of_a_read_only_account_exists(self, flow: Flow) -> None:
        """A snapshot that was shared with this account and copied here keeps its description."""
        image = flow.add(region=flow.region(OTHER), tags={}).image_id
        copied, free = flow.orphan(image), flow.orphan()
        result = flow.clean(check_orphans=True, used_by_role_arn=(flow.role(OTHER),))
        assert [orphan.snapshot.id for orphan in result.orphans] == [free]
        assert copied in flow.home.snapshots

    def test_an_ami_in_the_recycle_bin_of_a_read_only_account_exists(self, flow: Flow) -> None:
        flow.region(OTHER).recycle("ami-11111111")
        copied = flow.orphan("ami-11111111")
        assert flow.clean(check_orphans=True, used_by_role_arn=(flow.role(OTHER),)).orphans == ()
        assert copied in flow.home.snapshots


def test_expired_credentials_end_the_run_before_the_amis(flow: Flow) -> None:
    def expire(world: World, call: Call) -> None:
        del world.keys[world.access_key()]

    flow.orphan()
    flow.orphan()
    flow.add()
    flow.fake_aws.after("DeleteSnapshot", expire)
    result = flow.clean(check_orphans=True)
    assert result.exit_status == 1
    assert "AuthFailure" in result.problems[0]
    assert flow.calls("DeregisterImage") == []


def test_old_template_versions_are_read_only_where_there_are_orphans(flow: Flow) -> None:
    for _ in range(3):
        flow.home.add_launch_template(versions=[{}, {}])
    flow.clean(check_orphans=True)
    assert len(flow.calls("DescribeLaunchTemplateVersions")) == 1
    flow.fake_aws.calls.clear()
    flow.orphan()
    flow.clean(check_orphans=True, dry_run=True)
    assert len(flow.calls("DescribeLaunchTemplateVersions")) == 1 + 3
    flow.fake_aws.calls.clear()
    flow.clean(check_orphans=True, dry_run=True, all_launch_template_versions=True)
    assert len(flow.calls("DescribeLaunchTemplateVersions")) == 1 + 3


def test_an_old_template_version_in_a_read_only_account_keeps_a_snapshot(flow: Flow) -> None:
    flow.profile("reader", OTHER)
    snapshot, free = flow.orphan(), flow.orphan()
    flow.region(OTHER).add_launch_template(versions=[{TO_BLOCK: device(snapshot)}, {}, {}], default=2)
    result = flow.clean(check_orphans=True, used_by_profile=("reader",))
    assert [orphan.snapshot.id for orphan in result.orphans] == [free]


def test_old_template_versions_that_cannot_be_read_stop_the_run(flow: Flow) -> None:
    flow.add()
    flow.orphan()
    flow.home.add_launch_template(versions=[{}, {}, {}])
    flow.fault("DescribeLaunchTemplateVersions", when=lambda call: "LaunchTemplateId" in call.params)
    assert "DescribeLaunchTemplateVersions" in str(flow.fails(check_orphans=True))
    assert flow.changes() == []


def test_a_template_that_is_deleted_meanwhile_gives_a_warning(flow: Flow) -> None:
    orphan = flow.orphan()
    made = flow.home.add_launch_template(versions=[{}, {}, {}])
    flow.fault(
        "DescribeLaunchTemplateVersions",
        when=lambda call: "LaunchTemplateId" in call.params,
        code="InvalidLaunchTemplateId.NotFound",
        status=400,
    )
    result = flow.clean(check_orphans=True)
    assert [(orphan.snapshot.id, made.template_id in result.warnings[0]) for orphan in result.orphans] == [(orphan, True)]


def test_what_was_deleted_before_the_input_ended_is_not_denied(flow: Flow) -> None:
    flow.orphan()
    flow.add()

    def end_at_the_second_prompt() -> None:
        if len(flow.view.prompts) == 2:
            raise InputEnded("No answer.")

    result = flow.asks(end_at_the_second_prompt, check_orphans=True)
    assert (result.orphans_deleted, result.exit_status) == (1, 1)
    assert result.problems == ("No answer. No AMI was deleted. Use --force-delete to skip the prompt.",)
