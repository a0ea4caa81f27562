"""A run fails closed: a read that is denied or fails, on whichever page, stops it before anything is deleted.

Which error each failure of a call becomes is tested in `tests/aws/test_api.py`, every failure of every call in
`tests/fault_injection`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from amicleaner.errors import AwsError, ThrottledError, UnsupportedCallError, describe
from amicleaner.sources import SOURCES
from tests.fake_aws import Call, denial
from tests.flows.flow import HOME, OTHER, OWN, Flow, removed

EVERYTHING: dict[str, Any] = {
    "check_orphans": True,
    "region": ("eu-west-*",),
    "organization_role": "cleaner",
    "all_launch_template_versions": True,
    "require_recycle_bin": 7,
}


@dataclass(frozen=True)
class Read:
    """A call that a run with `EVERYTHING` makes.  `check` is the check that may be skipped instead; `required`: an endpoint
    without the call is an error."""

    action: str
    check: str = ""
    service: str = "ec2"
    paged: bool = True
    required: bool = False

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"


READS = (
    Read("DescribeImages", required=True),
    *(
        Read(call.name, source.check, call.service, bool(call.items and call.next_page), source.required)
        for source in SOURCES
        if not source.on_request
        for call in source.calls
    ),
    Read("DescribeImageAttribute", paged=False, required=True),
    Read("DescribeSnapshots"),
    Read("ListImagesInRecycleBin"),
    Read("ListRules", service="rbin", required=True),
    Read("GetRule", service="rbin", paged=False, required=True),
    Read("DescribeRegions", paged=False, required=True),
    Read("ListAccounts", service="organizations", required=True),
    Read("GetCallerIdentity", service="sts", paged=False, required=True),
    Read("AssumeRole", service="sts", paged=False, required=True),
)
ids = lambda read: read.action  # noqa: E731
EACH = pytest.mark.parametrize("read", READS, ids=ids)
CHECKED = pytest.mark.parametrize("read", [read for read in READS if read.check], ids=ids)


@pytest.fixture
def full(flow: Flow) -> Flow:
    flow.fill()
    flow.fill(OTHER)
    flow.organization()
    flow.fake_aws.pager.first_cap = 1
    return flow


def test_a_run_makes_every_call_on_every_page(full: Flow) -> None:
    result = full.clean(**EVERYTHING)
    assert (len(removed(result)), result.exit_status, result.warnings) == (4, 0, ())
    for read in READS:
        calls = full.calls(read.action)
        assert calls, read.action
        assert not read.paged or max(call.page for call in calls) >= 2, read.action
    known = {read.action for read in READS} | {"DeregisterImage", "DeleteSnapshot"}
    assert {call.action for call in full.fake_aws.calls.records} == known


@EACH
def test_a_denied_read_stops_the_run_and_says_what_to_grant(full: Flow, read: Read) -> None:
    """On the second page, in the other account, where the call has these."""
    central = read.service in ("sts", "organizations")
    full.fault(
        read.name, code=denial(read.service), page=2 if read.paged else None,
        when=lambda call: central or call.account == OTHER,
    )  # fmt: skip
    error = full.fails(**EVERYTHING)
    assert (error.action, error.code, error.region) == (read.name, denial(read.service), HOME)
    assert error.account == ("" if read.action == "GetCallerIdentity" else OWN if read.action == "ListAccounts" else OTHER)
    text = describe(error)
    assert f"Hint: Grant the IAM action {read.name}" in text
    skip = f"pass --skip-check {read.check}." if read.check and read.check != "instances" else ""
    assert skip in text if skip else "--skip-check" not in text
    assert error.exit_status == 1


@CHECKED
def test_an_error_that_may_pass_never_advises_to_skip_a_check(full: Flow, read: Read) -> None:
    full.fault(read.name, code="Unavailable", status=503)
    text = describe(full.fails())
    assert "--skip-check" not in text
    assert "Hint: Try again later." in text


@pytest.mark.parametrize("kind", ["throttle", "cut", "hang", "html"])
def test_neither_does_a_throttle_or_silence(full: Flow, kind: str) -> None:
    full.fault("DescribeFleets", kind)
    assert "--skip-check" not in describe(full.fails())


@CHECKED
def test_a_call_that_the_endpoint_lacks_gives_a_warning_or_stops_the_run(full: Flow, read: Read) -> None:
    full.fake_aws.missing_actions.add(read.name)
    if not read.required:
        result = full.clean()
        assert len(removed(result)) == 2
        [warning] = result.warnings
        assert warning.startswith(f"This endpoint doesn't support {read.name}; references from ")
        assert full.view.of("warning") == [warning]
        assert result.exit_status == 0
    else:
        error = full.fails()
        assert error.action == read.name
        assert ("--skip-check" in error.hint) == (read.check != "instances")


@pytest.mark.parametrize("code", ["UnknownOperationException", "InvalidAction", "500", "501", "html"])
@pytest.mark.parametrize("outside", [False, True])
def test_a_parameter_that_cannot_be_resolved_stops_the_run(full: Flow, code: str, outside: bool) -> None:
    """A left-over AWS_ENDPOINT_URL_SSM can point at any web server."""
    if outside:
        full.outside_aws()
    if code == "html":
        full.fault("GetParameters", "html")
    else:
        status = int(code) if code.isdigit() else 400
        full.fault("GetParameters", code="InternalError" if code.isdigit() else code, status=status)
    assert full.fails().action == "ssm:GetParameters"


class TestEndpointsOutsideAws:
    @pytest.mark.parametrize("kind", ["http500", "501", "html"])
    def test_a_failure_that_is_no_answer_of_aws_means_unsupported(self, full: Flow, kind: str) -> None:
        full.outside_aws()
        if kind == "501":
            full.fault("DescribeFleets", code="NotImplemented", status=501)
        else:
            full.fault("DescribeFleets", kind)
        result = full.clean()
        assert len(removed(result)) == 2
        assert "doesn't support ec2:DescribeFleets" in result.warnings[0]

    @pytest.mark.parametrize("kind", ["refuse", "cut", "hang", "unreachable", "throttle", "503"])
    def test_a_denial_or_silence_does_not(self, full: Flow, kind: str) -> None:
        full.outside_aws()
        if kind == "503":
            full.fault("DescribeFleets", code="ServiceUnavailable", status=503)
        else:
            full.fault("DescribeFleets", kind)
        assert full.fails().action == "ec2:DescribeFleets"

    def test_what_was_answered_before_is_supported(self, full: Flow) -> None:
        full.outside_aws()
        full.fault("DescribeFleets", "http500", nth=2)
        assert full.fails().action == "ec2:DescribeFleets"

    @pytest.mark.parametrize("url", ["https://vpce-0a-b.ec2.eu-west-1.vpce.amazonaws.com", "https://ec2.eu-west-1.api.aws",
                                     "https://ec2.cn-north-1.amazonaws.com.cn"])  # fmt: skip
    def test_a_domain_of_aws_is_aws(self, full: Flow, url: str) -> None:
        full.patch.setenv("AWS_ENDPOINT_URL_EC2", url)
        full.fault("DescribeFleets", "http500")
        assert full.fails().action == "ec2:DescribeFleets"


def test_aws_itself_that_answers_500_stops_the_run(full: Flow) -> None:
    full.fault("DescribeFleets", "http500")
    assert full.fails().action == "ec2:DescribeFleets"


def test_a_simulation_without_the_call_gives_a_warning(full: Flow) -> None:
    def not_implemented(*arguments: Any) -> None:
        raise NotImplementedError("describe_image_references is not implemented")

    full.fake_aws.before("DescribeImageReferences", not_implemented)
    result = full.clean()
    assert len(removed(result)) == 2
    assert "doesn't support ec2:DescribeImageReferences" in result.warnings[0]


def test_with_several_targets_a_warning_says_where(full: Flow) -> None:
    full.fake_aws.missing_actions.add("DescribeFleets")
    [warning] = full.clean(organization_role="cleaner").warnings
    assert f"({OWN} {HOME}, {OTHER} {HOME})" in warning


def test_an_endpoint_without_snapshots_gives_a_warning_that_their_tags_were_not_checked(full: Flow) -> None:
    full.fake_aws.missing_actions.add("DescribeSnapshots")
    result = full.clean()
    assert len(removed(result)) == 2
    [warning] = result.warnings
    assert warning.startswith("This endpoint doesn't support ec2:DescribeSnapshots; tags of snapshots (keep tags, ")
    assert full.view.of("warning") == [warning]


def test_endpoints_without_the_recycle_bin_cannot_be_required_to_have_it(full: Flow) -> None:
    full.fake_aws.missing_actions.add("ListRules")
    result = full.clean(dry_run=True)
    assert "it is not known whether the deletion can be undone" in result.warnings[0]
    with pytest.raises(UnsupportedCallError):
        full.clean(require_recycle_bin=7)


def test_where_one_account_alone_takes_part_errors_name_it_too(full: Flow) -> None:
    """Nobody asked for its id, but the owner of its AMIs is known."""
    full.fault("DescribeFleets")
    assert f"failed in account {OWN} Region {HOME}: " in str(full.fails())


@pytest.mark.parametrize("which", ["every version", "numbered versions"])
def test_further_calls_for_templates_stop_the_run_too(full: Flow, which: str) -> None:
    def asks_for(call: Call) -> bool:
        named = "LaunchTemplateId" in call.params
        return named and ("LaunchTemplateVersion" in call.params) == (which == "numbered versions")

    full.fault("DescribeLaunchTemplateVersions", when=asks_for)
    error = full.fails(all_launch_template_versions=which == "every version")
    assert error.action == "ec2:DescribeLaunchTemplateVersions"


def test_failures_that_pass_do_not_stop_the_run(full: Flow) -> None:
    for read in READS:
        if read.action != "AssumeRole":
            full.fault(read.name, "throttle", times=2, page=2 if read.paged else None)
    result = full.clean(**EVERYTHING)
    assert (len(removed(result)), result.exit_status) == (4, 0)


@pytest.mark.parametrize(
    ("action", "member"),
    [
        ("DescribeImages", "ImageId"), ("DescribeInstances", "ImageId"), ("DescribeSnapshots", "SnapshotId"),
        ("DescribeLaunchConfigurations", "ImageId"),
    ],
)  # fmt: skip
def test_an_answer_without_a_member_that_aws_always_sends_stops_the_run(full: Flow, action: str, member: str) -> None:
    things: dict[str, Any] = {
        "DescribeImages": full.home.images,
        "DescribeInstances": full.home.instances,
        "DescribeSnapshots": full.home.snapshots,
        "DescribeLaunchConfigurations": full.home.launch_configurations,
    }
    list(things[action].values())[-1].omit.add(member)
    error = full.fails(check_orphans=True)
    assert (error.action.split(":")[1], error.code) == (action, "MalformedResponse")


def test_expired_credentials_stop_the_run_and_no_check_is_offered(full: Flow) -> None:
    full.fault("DescribeInstances", page=2, code="RequestExpired", status=400)
    text = describe(full.fails())
    assert "RequestExpired" in text
    assert "Renew your AWS credentials" in text
    assert "--skip-check" not in text


def test_of_several_errors_the_first_target_and_call_are_told(full: Flow) -> None:
    for action in ("DescribeFleets", "DescribeInstances", "DescribeLaunchConfigurations"):
        full.fault(action, code="X")
    [text] = {str(full.fails(**EVERYTHING)) for _ in range(3)}
    assert text.startswith(f"ec2:DescribeInstances failed in account {OWN}")


def test_a_throttle_that_does_not_end_is_told_as_one(full: Flow) -> None:
    full.fault("DescribeInstances", "throttle")
    assert isinstance(full.fails(), ThrottledError)


def test_amis_that_cannot_be_planned_keep_the_orphaned_snapshots_too(full: Flow) -> None:
    """Launch permissions are read last of all, and no orphaned snapshot was deleted before."""
    full.fault("DescribeImageAttribute")
    with pytest.raises(AwsError, match="DescribeImageAttribute"):
        full.clean(check_orphans=True)
    assert full.changes() == []
