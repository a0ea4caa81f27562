"""What holds for every source of use alike: pages, refusals, calls that do not exist, `--skip-check`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from amicleaner.aws import usage
from amicleaner.aws.operations import OPERATIONS
from amicleaner.aws.usage import AnySource, UsageOptions
from amicleaner.aws.usage.source import guarded
from amicleaner.aws.usage.usage_report import UsageReport
from amicleaner.checks import CHECKS
from amicleaner.errors import AwsError, CredentialsError, ThrottledError, UnsupportedCallError
from tests.aws.usage.account import Account
from tests.fake_aws import RegionState


@dataclass(frozen=True)
class Case:
    """A source, its call, and how a test makes it name an AMI (or, of `free`, nothing at all)."""

    source: str
    call: str
    code: str
    use: Callable[[RegionState, str], object]


def config(image: str) -> list[dict[str, object]]:
    return [{"Overrides": [{"ImageId": image}]}]


def use_group(region: RegionState, image: str) -> None:
    region.add_group(mixed_instances_policy={"LaunchTemplate": {"Overrides": [{"ImageId": image}]}})


CASES = {
    case.source: case
    for case in (
        Case("instances", "DescribeInstances", "UnauthorizedOperation", lambda r, i: r.add_instance(i)),
        Case(
            "launch-configurations",
            "DescribeLaunchConfigurations",
            "AccessDenied",
            lambda r, i: r.add_launch_configuration(i),
        ),
        Case(
            "launch-templates",
            "DescribeLaunchTemplateVersions",
            "UnauthorizedOperation",
            lambda r, i: r.add_launch_template(versions=[{"ImageId": i}]),
        ),
        Case("auto-scaling-groups", "DescribeAutoScalingGroups", "AccessDenied", use_group),
        Case(
            "spot-fleets",
            "DescribeSpotFleetRequests",
            "UnauthorizedOperation",
            lambda r, i: r.add_spot_fleet(launch_specifications=[{"ImageId": i}]),
        ),
        Case("spot-requests", "DescribeSpotInstanceRequests", "UnauthorizedOperation", lambda r, i: r.add_spot_request(i)),
        Case(
            "fleets",
            "DescribeFleets",
            "UnauthorizedOperation",
            lambda r, i: r.add_fleet(launch_template_configs=config(i)),
        ),
    )
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def place_of(case: Case) -> AnySource:
    return next(source for source in usage.SOURCES if source.name == case.source)


def test_every_place_has_a_case() -> None:
    assert [source.name for source in usage.SOURCES] == list(CASES)


def test_the_checks_are_those_of_the_registry() -> None:
    sources = (*usage.SOURCES, *usage.FOLLOWED, *usage.ON_DEMAND)
    assert list(CHECKS) == sorted({source.check for source in sources})
    assert len({source.name for source in sources}) == len(sources)


def test_every_own_action_is_a_call_that_is_known() -> None:
    known = {f"{operation.service}:{name}" for name, operation in OPERATIONS.items()}
    assert {action for source in (*usage.SOURCES, *usage.FOLLOWED, *usage.ON_DEMAND) for action in source.actions} <= known


@EACH
def test_a_use_on_the_last_page_counts(account: Account, case: Case) -> None:
    account.fake_aws.pager.cap = 1
    account.fake_aws.pager.blank_pages = True
    for _ in range(3):
        case.use(account.region, account.image())
    used, free = account.image(), account.image()
    case.use(account.region, used)
    uses = account.read().uses
    assert len(uses[used]) == 1
    assert (uses[used][0].account, uses[used][0].region) == (account.api.target.account, account.api.target.region)
    assert free not in uses
    assert account.fake_aws.calls.of(case.call)[-1].page >= 4


@EACH
def test_only_this_place_finds_it(account: Account, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    image = account.image()
    case.use(account.region, image)
    monkeypatch.setattr(usage, "SOURCES", tuple(source for source in usage.SOURCES if source.name != case.source))
    assert account.users(image) == []


@EACH
def test_a_skipped_check_makes_no_call(account: Account, case: Case) -> None:
    case.use(account.region, account.image())
    account.read(UsageOptions(skip=frozenset({place_of(case).check})))
    assert account.fake_aws.calls.count(case.call) == 0


@EACH
@pytest.mark.parametrize("page", [1, 3])
def test_a_denied_read_says_which_action_to_grant(account: Account, case: Case, page: int) -> None:
    account.fake_aws.pager.cap = 1
    for _ in range(3):
        case.use(account.region, account.image())
    account.fault(case.call, page=page, code=case.code, times=None)
    with pytest.raises(AwsError) as caught:
        account.read()
    source = place_of(case)
    assert caught.value.action == source.actions[0]
    assert caught.value.hint == (
        f"Grant the IAM action {source.actions[0]}. Or leave this check out with --skip-check {source.check}; "
        "what it would find is then not protected."
    )
    assert f"in account {account.api.target.account} Region {account.api.target.region}: {case.code}" in str(caught.value)


@EACH
@pytest.mark.parametrize("kind", ["http500", "html", "empty", "truncated", "cut"])
def test_a_later_page_that_breaks_stops_the_run(account: Account, case: Case, kind: str) -> None:
    account.fake_aws.pager.cap = 1
    for _ in range(3):
        case.use(account.region, account.image())
    account.fault(case.call, kind, page=2, times=None)
    with pytest.raises(AwsError) as caught:
        account.read()
    assert caught.value.action == place_of(case).actions[0]
    assert not isinstance(caught.value, UnsupportedCallError)


@EACH
def test_a_throttle_that_lasts_is_an_error(account: Account, case: Case) -> None:
    account.fault(case.call, "throttle", times=None)
    with pytest.raises(ThrottledError, match=case.call):
        account.read()


@EACH
def test_a_throttle_that_passes_is_nothing(account: Account, case: Case) -> None:
    image = account.image()
    case.use(account.region, image)
    account.fault(case.call, "throttle", times=2)
    assert len(account.users(image)) == 1
    assert len(account.slept) == 2


@EACH
def test_a_call_that_does_not_exist(account: Account, case: Case) -> None:
    """It is an error for what nearly every account uses, a warning for the rest; the other sources are read all the same."""
    account.fake_aws.missing_actions.add(case.call)
    image = account.image()
    for other in CASES.values():
        other.use(account.region, image)
    source = place_of(case)
    if source.required:
        with pytest.raises(AwsError, match=re.escape(f"--skip-check {source.check}")) as caught:
            account.read()
        assert not isinstance(caught.value, UnsupportedCallError)
    else:
        assert len(account.users(image)) == len(CASES) - 1
        assert account.warnings == (
            f"{source.actions[0]} is not offered by this endpoint: {source.things} are not looked at",
        )


def test_the_required_places() -> None:
    assert {source.name for source in (*usage.SOURCES, *usage.FOLLOWED, *usage.ON_DEMAND) if source.required} == {
        "instances",
        "launch-configurations",
        "launch-templates",
        "auto-scaling-groups",
    }


def test_credentials_that_expired_are_no_reason_to_skip_a_check(account: Account) -> None:
    account.fault("DescribeFleets", code="RequestExpired", status=400)
    with pytest.raises(CredentialsError) as caught:
        account.read()
    assert "--skip-check" not in str(caught.value)


def test_of_several_errors_the_first_place_tells(account: Account) -> None:
    for call in ("DescribeFleets", "DescribeSpotFleetRequests", "DescribeLaunchConfigurations"):
        account.fault(call, times=None)
    for _ in range(5):
        with pytest.raises(AwsError, match="DescribeLaunchConfigurations"):
            account.read()


def test_every_use_is_there_once_and_sorted(account: Account) -> None:
    image = account.image()
    account.region.add_fleet(launch_template_configs=config(image) + config(image))
    for case in reversed(CASES.values()):
        case.use(account.region, image)
    uses = account.read().uses[image]
    assert list(uses) == sorted(set(uses))
    assert len(uses) == len(CASES) + 1


def test_the_times_of_a_reading_enclose_it(account: Account) -> None:
    reading = account.read()
    assert reading.started < reading.finished


def test_an_account_with_nothing_in_it(account: Account) -> None:
    reading = account.read()
    assert (reading.uses, reading.snapshots, reading.groups, reading.warnings) == ({}, frozenset(), {}, ())


def test_credentials_that_can_not_be_renewed_are_no_place_that_the_endpoint_lacks() -> None:
    """An optional source may be missing; an account that can't be asked may not."""

    def read() -> UsageReport:
        raise UnsupportedCallError("sts:AssumeRole", "InvalidAction", "no such action")

    (source,) = (source for source in usage.SOURCES if source.name == "spot-fleets")
    with pytest.raises(UnsupportedCallError, match="sts:AssumeRole"):
        guarded(source, read)


@pytest.mark.parametrize("source", usage.SOURCES, ids=lambda source: source.name)
def test_what_lacks_its_first_member_stops_the_run(account: Account, source: usage.UsageSource) -> None:
    """An answer that can't be read is an error with the call's name, never a defect."""
    account.api.pages = lambda action, **_: [{}]  # type: ignore[assignment, method-assign]
    with pytest.raises(AwsError, match=r"Describe\w+ .*: MalformedResponse: .* has no \w+"):
        source.read(account.api)
