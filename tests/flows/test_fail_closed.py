"""It fails closed: a read that is denied or breaks, on whichever page, stops everything before anything is deleted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from amicleaner.errors import AwsError, ThrottledError, UnsupportedCallError
from tests.fake_aws import Call
from tests.flows.flow import HOME, OTHER, OWN, Flow, removed


@dataclass(frozen=True)
class Read:
    """A call that a run makes: AWS's code when it is denied, what helps, the options that lead to it."""

    action: str
    check: str = ""
    paged: bool = True
    service: str = "ec2"
    required: bool = True
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"

    @property
    def denial(self) -> str:
        """The code of the service's own refusal."""
        return {
            "ec2": "UnauthorizedOperation",
            "ssm": "AccessDeniedException",
            "organizations": "AccessDeniedException",
        }.get(self.service, "AccessDenied")

    @property
    def keyword(self) -> dict[str, Any]:
        return {name: OPTIONS[name] for name in self.options}


OPTIONS: dict[str, Any] = {
    "check_orphans": True,
    "region": ("eu-west-*",),
    "organization_role": "cleaner",
    "all_launch_template_versions": True,
}
AUTO: dict[str, Any] = {"service": "autoscaling"}

READS = [
    Read("DescribeImages"),
    Read("DescribeInstances", "instances"),
    Read("DescribeLaunchConfigurations", "launch-configurations", **AUTO),
    Read("DescribeLaunchTemplateVersions", "launch-templates"),
    Read("DescribeAutoScalingGroups", "auto-scaling-groups", **AUTO),
    Read("DescribeSpotFleetRequests", "spot", required=False),
    Read("DescribeSpotInstanceRequests", "spot", required=False),
    Read("DescribeFleets", "fleets", required=False),
    Read("GetParameters", "launch-templates", paged=False, service="ssm", required=False),
    Read("DescribeInstanceRefreshes", "auto-scaling-groups", required=False, **AUTO),
    Read("DescribeImageReferences", "image-references", required=False),
    Read("DescribeImageAttribute", paged=False),
    Read("DescribeSnapshots", required=False, options=("check_orphans",)),
    Read("ListImagesInRecycleBin", required=False, options=("check_orphans",)),
    Read("DescribeRegions", paged=False, options=("region",)),
    Read("ListAccounts", service="organizations", options=("organization_role",)),
    Read("GetCallerIdentity", paged=False, service="sts", options=("organization_role",)),
    Read("AssumeRole", paged=False, service="sts", options=("organization_role",)),
]
EACH = pytest.mark.parametrize("read", READS, ids=[read.action for read in READS])
PAGED = [read for read in READS if read.paged]
ALONE = [read for read in READS if read.options in ((), ("check_orphans",)) and read.action != "DescribeImages"]

# How an answer breaks, and what is then told: the code, a part of the message or the hint.
BREAKS = {
    "http500": ("500|ResponseParserError", ""),
    "html": ("ResponseParserError|MalformedResponse", ""),
    "xhtml": ("MalformedResponse|ResponseParserError", ""),
    "truncated": ("ResponseParserError|MalformedResponse", ""),
    "cut": ("ConnectionClosedError", ""),
    "throttle": ("RequestLimitExceeded|Throttling|ThrottlingException|TooManyRequestsException", "try again later"),
}


@pytest.fixture
def full(flow: Flow) -> Flow:
    flow.fill()
    flow.organization()
    flow.fake_aws.pager.cap = 1
    return flow


def untouched(flow: Flow, account: str = OWN) -> bool:
    region = flow.region(account)
    return len(region.images) == 3 and len(region.snapshots) == 5 and flow.changes() == []


def test_the_account_has_every_call_and_every_page_and_is_cleaned_where_nothing_breaks(full: Flow) -> None:
    result = full.clean(**OPTIONS)
    assert (len(removed(result)), len(full.changes()), result.exit_status, result.warnings) == (2, 4, 0, ())
    for read in READS:
        calls = full.calls(read.action)
        assert calls, read.action
        assert not read.paged or max(call.page for call in calls) >= 2, read.action
    known = {read.action for read in READS} | {"DeregisterImage", "DeleteSnapshot"}
    assert {call.action for call in full.fake_aws.calls.records} == known


@EACH
def test_a_denied_read_stops_everything_and_says_what_to_grant(full: Flow, read: Read) -> None:
    full.fill(OTHER)
    # Only what the other account answers, where that has an answer of its own.
    account = OWN if read.service in ("sts", "organizations") else OTHER
    full.fault(read.name, code=read.denial, when=lambda call: call.account == account)
    error = full.fails(**OPTIONS)
    assert untouched(full)
    assert untouched(full, OTHER)
    where = {"GetCallerIdentity": "", "AssumeRole": f"account {OTHER} "}.get(read.action, f"account {account} ")
    text = str(error)
    assert text.startswith(f"{read.name} failed in {where}Region {HOME}: {read.denial}: You are not authorized")
    assert f"Grant the IAM action {read.name}" in text
    if read.check:
        assert f"eave this check out with --skip-check {read.check}; what it would find is then not protected." in text
    else:
        assert "--skip-check" not in text
    assert "see --iam-policy" in text or read.action != "DescribeImageReferences"
    assert error.exit_status == 1


@pytest.mark.parametrize("read", ALONE, ids=[read.action for read in ALONE])
def test_where_one_account_alone_takes_part_it_is_named_too(full: Flow, read: Read) -> None:
    """Nobody asked for its id, but the owner of its AMIs is known."""
    full.fault(read.name)
    assert f"failed in account {OWN} Region {HOME}: " in str(full.fails(check_orphans=True))


@pytest.mark.parametrize("read", PAGED, ids=[read.action for read in PAGED])
@pytest.mark.parametrize("kind", ["refuse", *BREAKS])
def test_a_later_page_that_breaks_stops_everything(full: Flow, read: Read, kind: str) -> None:
    full.fault(read.name, kind, page=2, code=read.denial)
    error = full.fails(**read.keyword)
    assert untouched(full)
    assert error.action == read.name
    code, hint = BREAKS.get(kind, (read.denial, f"Grant the IAM action {read.name}"))
    assert re.fullmatch(code, error.code)
    assert hint in error.hint
    assert not isinstance(error, UnsupportedCallError)
    assert (error.account, error.region) == ("" if len(error.account) < 12 else OWN, HOME)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("empty", "ResponseParserError"), ("hang", "ReadTimeoutError"), ("unreachable", "EndpointConnectionError")],
)
def test_silence_stops_everything(full: Flow, kind: str, code: str) -> None:
    full.fault("DescribeInstances", kind, page=2)
    error = full.fails(check_orphans=True)
    assert (error.action, error.code) == ("ec2:DescribeInstances", code)
    assert error.hint


UNPAGED = [read for read in READS if not read.paged]


@pytest.mark.parametrize("read", UNPAGED, ids=[read.action for read in UNPAGED])
@pytest.mark.parametrize("kind", BREAKS)
def test_a_read_without_pages_that_breaks_stops_everything(full: Flow, read: Read, kind: str) -> None:
    full.fault(read.name, kind)
    error = full.fails(**read.keyword)
    assert untouched(full)
    # What breaks without an answer of AWS is told of the call that waits for the role's credentials.
    assert error.action == read.name or read.action == "AssumeRole"
    code = BREAKS[kind][0] + ("|CredentialRetrievalError" if read.action == "AssumeRole" else "")
    assert re.fullmatch(code, error.code)


@pytest.mark.parametrize("action", ["DescribeImageAttribute", "DescribeImageReferences", "DescribeInstanceRefreshes"])
def test_a_later_question_that_is_refused_stops_everything(full: Flow, action: str) -> None:
    full.fault(action, nth=2)
    assert full.fails(check_orphans=True).action.endswith(action)
    assert untouched(full)


@pytest.mark.parametrize("which", ["versions", "numbers"])
def test_further_calls_for_templates_that_are_refused_stop_everything(full: Flow, which: str) -> None:
    def asks_for(call: Call) -> bool:
        named = "LaunchTemplateId" in call.params
        return named and ("LaunchTemplateVersion" in call.params) == (which == "numbers")

    full.fault("DescribeLaunchTemplateVersions", when=asks_for)
    options = {"all_launch_template_versions": True} if which == "versions" else {}
    assert "--skip-check launch-templates" in str(full.fails(**options))
    assert untouched(full)


def test_what_breaks_and_passes_is_nothing(full: Flow) -> None:
    for read in READS:
        if read.action != "AssumeRole":
            full.fault(read.name, "throttle", times=2, page=2 if read.paged else None)
    result = full.clean(**OPTIONS)
    assert (len(removed(result)), result.exit_status) == (2, 0)


@pytest.mark.parametrize(
    "member",
    [
        {"DescribeImages": "ImageId"}, {"DescribeInstances": "ImageId"}, {"DescribeSnapshots": "SnapshotId"},
        {"DescribeLaunchConfigurations": "ImageId"},
    ],
    ids=lambda member: next(iter(member)),
)  # fmt: skip
def test_an_answer_that_lacks_what_aws_always_sends_stops_everything(full: Flow, member: dict[str, str]) -> None:
    [(action, name)] = member.items()
    things: dict[str, Any] = {
        "DescribeImages": full.home.images,
        "DescribeInstances": full.home.instances,
        "DescribeSnapshots": full.home.snapshots,
        "DescribeLaunchConfigurations": full.home.launch_configurations,
    }
    list(things[action].values())[-1].omit.add(name)
    error = full.fails(check_orphans=True)
    assert (error.action.split(":")[1], error.code) == (action, "MalformedResponse")


def test_a_page_that_comes_twice_stops_everything(full: Flow) -> None:
    """A token that never changes must end the listing with an error, not with a part of it."""
    cut = full.fake_aws.pager.cut
    first: dict[str, Any] = {}

    def again(call: Call, *arguments: Any) -> Any:
        if call.action != "DescribeInstances":
            return cut(call, *arguments)
        return first.setdefault("page", cut(call, *arguments))

    full.patch.setattr(full.fake_aws.pager, "cut", again)
    assert "repeats a page" in str(full.fails())


def test_expired_credentials_stop_everything_and_no_check_is_offered_instead(full: Flow) -> None:
    full.fault("DescribeInstances", page=2, code="RequestExpired", status=400)
    text = str(full.fails())
    assert "RequestExpired" in text
    assert "Renew your AWS credentials" in text
    assert "--skip-check" not in text


def test_of_several_errors_the_first_account_and_place_is_told(full: Flow) -> None:
    full.fill(OTHER)
    for action in ("DescribeFleets", "DescribeInstances", "DescribeLaunchConfigurations"):
        full.fault(action, code="X")
    texts = {str(full.fails(**OPTIONS)) for _ in range(3)}
    [text] = texts
    assert text.startswith(f"ec2:DescribeInstances failed in account {OWN}")


OPTIONAL = [read for read in READS if not read.required]
REQUIRED = [read for read in READS if read.required and read.check]


class TestWhatAnEndpointDoesNotHave:
    @pytest.mark.parametrize("read", OPTIONAL, ids=[read.action for read in OPTIONAL])
    def test_an_unknown_action_gives_a_warning(self, full: Flow, read: Read) -> None:
        full.fake_aws.missing_actions.add(read.action)
        result = full.clean(**read.keyword)
        assert len(removed(result)) == 2
        [warning] = result.warnings
        assert warning.startswith(f"{read.name} is not offered by this endpoint: ")
        assert full.view.of("warning") == [warning]
        assert result.exit_status == 0

    @pytest.mark.parametrize("read", OPTIONAL, ids=[read.action for read in OPTIONAL])
    @pytest.mark.parametrize("kind", ["http500", "html", "empty", "501"])
    def test_outside_aws_a_500_a_501_and_what_does_not_parse_say_the_same(self, full: Flow, read: Read, kind: str) -> None:
        full.outside_aws()
        if kind == "501":
            full.fault(read.name, code="NotImplemented", status=501)
        else:
            full.fault(read.name, kind)
        if read.service == "ssm" and kind in ("html", "empty"):
            # To botocore a body that is no JSON is an answer without members; that is a broken answer.
            assert full.fails().code in ("MalformedResponse", "ResponseParserError")
            return
        result = full.clean(**read.keyword)
        assert len(removed(result)) == 2
        assert [warning.split(" is ")[0] for warning in result.warnings] == [read.name]

    @pytest.mark.parametrize("read", REQUIRED, ids=[read.action for read in REQUIRED])
    @pytest.mark.parametrize("kind", ["unknown", "http500"])
    def test_what_every_account_needs_is_never_softened(self, full: Flow, read: Read, kind: str) -> None:
        full.outside_aws()
        full.fake_aws.missing_actions.add(read.action)
        full.fake_aws.missing_answer = "unknown" if kind == "unknown" else "http500"
        error = full.fails()
        assert error.action == read.name
        assert f"--skip-check {read.check}" in error.hint

    @pytest.mark.parametrize("action", ["DescribeImages", "DescribeImageAttribute"])
    @pytest.mark.parametrize("kind", ["unknown", "http500"])
    def test_nor_is_what_no_check_stands_for(self, full: Flow, action: str, kind: str) -> None:
        full.outside_aws()
        full.fake_aws.missing_actions.add(action)
        full.fake_aws.missing_answer = "unknown" if kind == "unknown" else "http500"
        assert full.fails(check_orphans=True).action == f"ec2:{action}"

    @pytest.mark.parametrize("read", OPTIONAL, ids=[read.action for read in OPTIONAL])
    def test_aws_itself_that_answers_500_stops_everything(self, full: Flow, read: Read) -> None:
        full.fault(read.name, "http500")
        assert full.fails(**read.keyword).action == read.name

    @pytest.mark.parametrize(
        "url",
        [
            "https://vpce-0a-b.ec2.eu-west-1.vpce.amazonaws.com",
            "https://ec2.eu-west-1.api.aws",
            "https://ec2.cn-north-1.amazonaws.com.cn",
        ],
    )
    def test_so_does_a_vpc_endpoint_and_any_domain_of_aws(self, full: Flow, url: str) -> None:
        full.patch.setenv("AWS_ENDPOINT_URL_EC2", url)
        full.fault("DescribeFleets", "http500")
        assert full.fails().action == "ec2:DescribeFleets"

    @pytest.mark.parametrize("read", OPTIONAL, ids=[read.action for read in OPTIONAL])
    def test_a_throttle_does_not_pass_for_it(self, full: Flow, read: Read) -> None:
        full.outside_aws()
        full.fault(read.name, "throttle")
        assert isinstance(full.fails(**read.keyword), ThrottledError)

    @pytest.mark.parametrize("kind", ["refuse", "cut", "hang", "unreachable"])
    def test_nor_does_a_refusal_or_silence(self, full: Flow, kind: str) -> None:
        full.outside_aws()
        full.fault("DescribeImageReferences", kind)
        assert full.fails().action == "ec2:DescribeImageReferences"

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_nor_does_a_proxy_that_is_down(self, full: Flow, status: int) -> None:
        full.outside_aws()
        full.fault("DescribeFleets", code="ServiceUnavailable", status=status)
        assert full.fails().action == "ec2:DescribeFleets"

    @pytest.mark.parametrize("read", [read for read in OPTIONAL if read.paged], ids=lambda read: read.action)
    def test_what_has_answered_before_is_there_and_broken(self, full: Flow, read: Read) -> None:
        full.outside_aws()
        full.fault(read.name, "http500", nth=2)
        error = full.fails(**read.keyword)
        assert error.action == read.name
        assert untouched(full)

    def test_a_simulation_that_does_not_implement_it_gives_a_warning(self, full: Flow) -> None:
        def not_implemented(*arguments: Any) -> None:
            raise NotImplementedError("describe_image_references is not implemented")

        full.fake_aws.before("DescribeImageReferences", not_implemented)
        result = full.clean()
        assert len(removed(result)) == 2
        assert [warning.split(" is ")[0] for warning in result.warnings] == ["ec2:DescribeImageReferences"]

    def test_with_several_places_the_warning_says_where(self, full: Flow) -> None:
        full.fill(OTHER)
        full.fake_aws.missing_actions.add("DescribeFleets")
        result = full.clean(organization_role="cleaner")
        [warning] = result.warnings
        assert f"{OWN} {HOME}" in warning
        assert f"{OTHER} {HOME}" in warning


def test_an_unreadable_plan_of_amis_leaves_the_orphans_alone_too(full: Flow) -> None:
    """References are asked last of all; still no orphan snapshot has gone before."""
    full.fault("DescribeImageAttribute")
    with pytest.raises(AwsError, match="DescribeImageAttribute"):
        full.clean(check_orphans=True)
    assert untouched(full)
