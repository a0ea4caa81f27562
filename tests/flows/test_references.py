"""Runs in which a reference keeps an AMI, and a free AMI beside it is deleted.

`tests/aws/usage/test_registry.py` tests every kind of reference.
"""

from __future__ import annotations

import pytest

from tests.catalogue import UNOWNED, ReferenceKind, plainest
from tests.flows.flow import FAR, HOME, OTHER, OWN, Flow, decisions, reasons, removed

READ_SO = {(kind.source.registered.when, bool(kind.source.registered.reader)): kind for kind in plainest().values()}


@pytest.mark.parametrize("kind", READ_SO.values(), ids=lambda kind: kind.name)
def test_a_reference_on_the_last_page_keeps_the_ami(flow: Flow, kind: ReferenceKind) -> None:
    """One of each way in which sources are read: with the Region or per group, on demand or for AMIs, on request."""
    free = set(flow.several(11 if kind.source.check == "image-references" else 2))
    flow.fake_aws.pager.cap = 1
    flow.fake_aws.pager.blank_pages = True
    for unowned in UNOWNED:
        kind.add(flow.home, unowned)
    held = flow.add().image_id
    kind.add(flow.home, held)
    result = flow.clean(**kind.options)
    assert removed(result) == free
    assert flow.home.images.keys() == {held}
    [use] = decisions(result)[held].used_by
    assert use.label.startswith(kind.source.label)
    assert (use.account, use.region) == (OWN, HOME)
    assert (result.exit_status, result.warnings) == (0, ())


def test_references_to_amis_that_do_not_exist_are_reported(flow: Flow) -> None:
    theirs = flow.region(OTHER).add_image(public=True).image_id
    flow.home.add_launch_template("web", versions=[{"ImageId": "ami-0dead000"}])
    flow.home.add_launch_template("base", versions=[{"ImageId": theirs}])
    flow.home.add_instance("ami-0dead001")
    result = flow.clean(explain=(), dry_run=True)
    assert [(found.ami, found.use.kind) for found in result.dangling] == [("ami-0dead000", "launch-template")]
    assert flow.clean(dry_run=True).dangling == ()


def test_references_are_read_for_the_kept_amis_of_a_group_too(flow: Flow) -> None:
    """Only DescribeImageReferences tells that the newest is in use, so the second newest is kept in its place."""
    newest, second, third = flow.several(3)
    flow.home.add_parameter("/golden", newest)
    result = flow.clean(keep_previous=1)
    assert removed(result) == {third}
    assert reasons(result) == {newest: "in-use", second: "kept-previous", third: "old"}


def test_reads_on_demand_are_not_made_where_nothing_would_be_deleted(flow: Flow) -> None:
    flow.add()
    flow.clean(keep_previous=1)
    on_demand = ("DescribeImageReferences", "DescribeComputeEnvironments", "ListRules")
    assert [call for action in on_demand for call in flow.calls(action)] == []


def test_a_copy_under_way_keeps_its_source(flow: Flow) -> None:
    source, free = flow.several(2)
    copy = flow.add(state="pending", source_image=(source, HOME), tags={})
    result = flow.clean()
    assert (removed(result), reasons(result)[source]) == ({free}, "in-use")
    assert decisions(result)[source].used_by[0].id == copy.image_id
    copy.state = "available"
    assert removed(flow.clean()) == {source}


@pytest.mark.parametrize("account, region", [(OWN, FAR), (OTHER, HOME), (OTHER, FAR)])
def test_a_copy_in_another_region_or_in_a_read_only_account_keeps_its_source(flow: Flow, account: str, region: str) -> None:
    source, free = flow.several(2)
    flow.add(region=flow.region(account, region), state="pending", source_image=(source, HOME))
    result = flow.clean(region=(HOME, FAR), used_by_profile=(flow.profile("reader", OTHER),))
    assert (removed(result), reasons(result)[source]) == ({free}, "in-use")


def test_ids_in_files_keep_their_amis(flow: Flow) -> None:
    held, free = flow.several(2)
    with open(flow.path("main.tf"), "w") as file:
        file.write(f'ami = "{held}"\n')
    result = flow.clean(used_by_files=(flow.path("main.tf"),))
    assert (removed(result), reasons(result)[held]) == ({free}, "in-use")
    assert flow.clean(used_by_files=(flow.path("main.tf"),), from_ids=(held,)).exit_status == 1
