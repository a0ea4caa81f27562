"""A run fails closed: a read that is denied or fails, on whichever page, stops it before anything is deleted.

Which error each failure of a call becomes is tested in `tests/aws/test_api.py`, what each call about references does to a
reading in `tests/aws/usage/test_registry.py`, every failure of every call in `tests/fault_injection`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from amicleaner.errors import UnsupportedCallError, describe
from amicleaner.sources import SOURCES
from tests.fake_aws import denial
from tests.flows.flow import HOME, OTHER, OWN, Flow, removed

HERE: dict[str, Any] = {"check_orphans": True, "all_launch_template_versions": True, "require_recycle_bin": 7}
EVERYTHING = HERE | {"region": (HOME,), "organization_role": "cleaner"}


@dataclass(frozen=True)
class Read:
    """A call that a run with `EVERYTHING` makes.  `check` is the check that may be skipped instead."""

    action: str
    check: str = ""
    service: str = "ec2"
    paged: bool = True

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"


READS = (
    Read("DescribeImages"),
    *(
        Read(call.name, source.check, call.service, bool(call.items and call.next_page))
        for source in SOURCES
        if not source.on_request
        for call in source.calls
    ),
    Read("DescribeImageAttribute", paged=False),
    Read("DescribeSnapshots"),
    Read("ListImagesInRecycleBin"),
    Read("ListRules", service="rbin"),
    Read("GetRule", service="rbin", paged=False),
    Read("DescribeRegions", paged=False),
    Read("ListAccounts", service="organizations"),
    Read("GetCallerIdentity", service="sts", paged=False),
    Read("AssumeRole", service="sts", paged=False),
)
NAMELESS = {"DescribeImages", "GetCallerIdentity"}
"""Those that tell which account it is."""


@pytest.fixture
def full(flow: Flow) -> Flow:
    flow.fill()
    flow.fake_aws.pager.first_cap = 1
    return flow


@pytest.fixture
def organization(full: Flow) -> Flow:
    full.fill(OTHER)
    full.organization()
    return full


def test_a_run_makes_every_call_on_every_page(organization: Flow) -> None:
    result = organization.clean(**EVERYTHING)
    assert (len(removed(result)), result.exit_status, result.warnings) == (4, 0, ())
    for read in READS:
        calls = organization.calls(read.action)
        assert calls, read.action
        assert not read.paged or max(call.page for call in calls) >= 2, read.action
    known = {read.action for read in READS} | {"DeregisterImage", "DeleteSnapshot"}
    assert {call.action for call in organization.fake_aws.calls.records} == known


@pytest.mark.parametrize("read", READS, ids=lambda read: read.action)
def test_a_denied_read_stops_the_run_and_says_what_to_grant(full: Flow, read: Read) -> None:
    """On the second page, where the call has pages; in an account whose id nobody asked for, unless the call is made for
    several."""
    central = read.service in ("sts", "organizations") or read.action == "DescribeRegions"
    if central:
        full.organization()
    full.fault(read.name, code=denial(read.service), page=2 if read.paged else None)
    error = full.fails(**EVERYTHING if central else HERE)
    assert (error.action, error.code, error.region) == (read.name, denial(read.service), HOME)
    assert error.account == ("" if read.action in NAMELESS else OTHER if read.action == "AssumeRole" else OWN)
    text = describe(error)
    assert f"Hint: Grant the IAM action {read.name}" in text
    skip = f"pass --skip-check {read.check}." if read.check and read.check != "instances" else ""
    assert skip in text if skip else "--skip-check" not in text
    assert error.exit_status == 1


def test_a_call_that_the_endpoint_lacks_gives_a_warning(full: Flow) -> None:
    full.fake_aws.missing_actions.add("DescribeFleets")
    result = full.clean()
    assert (len(removed(result)), result.exit_status) == (2, 0)
    [warning] = result.warnings
    assert warning.startswith("This endpoint doesn't support ec2:DescribeFleets; references from ")
    assert HOME not in warning  # one target needs no name
    assert full.view.of("warning") == [warning]


def test_outside_aws_a_failure_that_is_no_answer_of_aws_means_unsupported(full: Flow) -> None:
    full.outside_aws()
    full.fault("DescribeFleets", "http500")
    result = full.clean()
    assert len(removed(result)) == 2
    assert "doesn't support ec2:DescribeFleets" in result.warnings[0]


def test_with_several_targets_a_warning_says_where(flow: Flow) -> None:
    flow.organization()
    flow.fake_aws.missing_actions.add("DescribeFleets")
    [warning] = flow.clean(organization_role="cleaner").warnings
    assert f"(account {OWN}, Region {HOME}; account {OTHER}, Region {HOME})" in warning


def test_an_endpoint_without_snapshots_gives_a_warning_that_their_tags_were_not_checked(flow: Flow) -> None:
    flow.add()
    flow.fake_aws.missing_actions.add("DescribeSnapshots")
    result = flow.clean()
    assert len(removed(result)) == 1
    [warning] = result.warnings
    assert warning.startswith("This endpoint doesn't support ec2:DescribeSnapshots; tags of snapshots (keep tags, ")
    assert flow.view.of("warning") == [warning]


def test_endpoints_without_the_recycle_bin_cannot_be_required_to_have_it(flow: Flow) -> None:
    flow.add()
    flow.fake_aws.missing_actions.add("ListRules")
    result = flow.clean(dry_run=True)
    assert "it is not known whether the deletion can be undone" in result.warnings[0]
    with pytest.raises(UnsupportedCallError):
        flow.clean(require_recycle_bin=7)
