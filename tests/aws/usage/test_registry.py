"""What every usage source does alike: pages, denials, calls that the endpoint lacks, `--skip-check`."""

from __future__ import annotations

import pytest

from amicleaner.aws import usage
from amicleaner.aws.operations import OPERATIONS
from amicleaner.aws.usage import AnySource, UsageOptions
from amicleaner.aws.usage.source import guarded
from amicleaner.aws.usage.usage_report import UsageReport
from amicleaner.checks import CHECKS
from amicleaner.errors import AwsError, CredentialsError, ThrottledError, UnsupportedCallError
from amicleaner.models import Use
from tests.aws.usage.account import Account
from tests.catalogue import KINDS, SNAPSHOT_KINDS, UNOWNED, ReferenceKind, configs, plainest
from tests.fake_aws import denial

ALL = (*usage.SOURCES, *usage.FOLLOWED, *usage.ON_DEMAND)

PLAINEST = {source: kind for source, kind in plainest().items() if source in {source.name for source in usage.SOURCES}}
EACH = pytest.mark.parametrize("kind", PLAINEST.values(), ids=PLAINEST)


def service_of(call: str) -> str:
    return OPERATIONS[call].service


def source_of(kind: ReferenceKind) -> AnySource:
    return next(source for source in ALL if source.name == kind.source.name)


def test_every_source_is_in_the_catalogue() -> None:
    assert {source.name for source in (*usage.SOURCES, *usage.ON_DEMAND)} == plainest().keys()
    assert {kind.name: kind.source.check for kind in KINDS} == {kind.name: source_of(kind).check for kind in KINDS}


def test_the_checks_are_those_of_the_registry() -> None:
    assert list(CHECKS) == sorted({source.check for source in ALL})
    assert len({source.name for source in ALL}) == len(ALL)


def test_every_action_of_a_source_is_a_known_operation() -> None:
    known = {f"{operation.service}:{name}" for name, operation in OPERATIONS.items()}
    assert {action for source in ALL for action in source.actions} <= known


def read(account: Account, kind: ReferenceKind, image: str) -> tuple[Use, ...]:
    """The uses of the AMI, as the readers of this kind's source find them."""
    options = UsageOptions(all_template_versions="all_launch_template_versions" in kind.config)
    reading = account.read(options)
    uses = reading.uses
    if kind.source.name == "instance-refreshes":
        uses, _ = usage.read_refreshes(account.api, reading, reading.groups, options, account.pool)
    if kind.source.name == "image-references":
        uses, _ = usage.read_references(account.api, [image], options, account.pool)
    return uses.get(image, ())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_reference_on_the_last_page_counts(account: Account, kind: ReferenceKind) -> None:
    account.fake_aws.pager.cap = 1
    account.fake_aws.pager.blank_pages = True
    for image in UNOWNED:
        kind.add(account.region, image)
    used, free = account.image(), account.image()
    kind.add(account.region, used)
    [use] = read(account, kind, used)
    assert use.label.startswith(kind.source.label)
    assert (use.account, use.region) == (account.api.target.account, account.api.target.region)
    assert max(call.page for call in account.fake_aws.calls.of(kind.source.call)) >= kind.source.pages
    assert read(account, kind, free) == ()


@pytest.mark.parametrize("kind", SNAPSHOT_KINDS, ids=lambda kind: kind.name)
def test_a_snapshot_in_a_block_device_counts(account: Account, kind: ReferenceKind) -> None:
    account.fake_aws.pager.cap = 1
    for snapshot in ("snap-00000001", "snap-00000002", "snap-00000003"):
        kind.add(account.region, snapshot)
    assert {"snap-00000001", "snap-00000003"} <= account.read().snapshots


@EACH
def test_only_its_source_finds_it(account: Account, kind: ReferenceKind, monkeypatch: pytest.MonkeyPatch) -> None:
    image = account.image()
    kind.add(account.region, image)
    monkeypatch.setattr(usage, "SOURCES", tuple(source for source in usage.SOURCES if source.name != kind.source.name))
    assert account.users(image) == []


@EACH
def test_a_skipped_check_makes_no_call(account: Account, kind: ReferenceKind) -> None:
    kind.add(account.region, account.image())
    account.read(UsageOptions(skip=frozenset({source_of(kind).check})))
    assert account.fake_aws.calls.count(kind.source.call) == 0


@EACH
@pytest.mark.parametrize("page", [1, 3])
def test_a_denied_read_names_the_action_to_grant(account: Account, kind: ReferenceKind, page: int) -> None:
    account.fake_aws.pager.cap = 1
    for _ in range(3):
        kind.add(account.region, account.image())
    account.fault(kind.source.call, "deny", page=page, times=None)
    with pytest.raises(AwsError) as caught:
        account.read()
    source = source_of(kind)
    assert caught.value.action == source.actions[0]
    assert caught.value.hint == (
        f"Grant the IAM action {source.actions[0]}. Or leave this check out with --skip-check {source.check}; "
        "what it would find is then not protected."
    )
    assert f"in account {account.api.target.account} Region {account.api.target.region}: " in str(caught.value)
    assert caught.value.code == denial(service_of(kind.source.call))


@EACH
@pytest.mark.parametrize("fault", ["http500", "html", "empty", "truncated", "cut"])
def test_a_later_page_that_breaks_stops_the_run(account: Account, kind: ReferenceKind, fault: str) -> None:
    account.fake_aws.pager.cap = 1
    for _ in range(3):
        kind.add(account.region, account.image())
    account.fault(kind.source.call, fault, page=2, times=None)
    with pytest.raises(AwsError) as caught:
        account.read()
    assert caught.value.action == source_of(kind).actions[0]
    assert not isinstance(caught.value, UnsupportedCallError)


@EACH
def test_lasting_throttling_is_an_error(account: Account, kind: ReferenceKind) -> None:
    account.fault(kind.source.call, "throttle", times=None)
    with pytest.raises(ThrottledError, match=kind.source.call):
        account.read()


@EACH
def test_passing_throttling_is_no_error(account: Account, kind: ReferenceKind) -> None:
    image = account.image()
    kind.add(account.region, image)
    account.fault(kind.source.call, "throttle", times=2)
    assert len(account.users(image)) == 1
    assert len(account.slept) == 2


@EACH
def test_a_call_that_the_endpoint_lacks(account: Account, kind: ReferenceKind) -> None:
    """An error for what nearly every account uses, a warning for the rest, and the other sources are still read."""
    account.fake_aws.missing_actions.add(kind.source.call)
    image = account.image()
    for other in PLAINEST.values():
        other.add(account.region, image)
    source = source_of(kind)
    if source.required:
        with pytest.raises(AwsError, match="InvalidAction") as caught:
            account.read()
        assert source.check == "instances" or f"--skip-check {source.check}" in caught.value.hint
        assert not isinstance(caught.value, UnsupportedCallError)
    else:
        assert len(account.users(image)) == len(PLAINEST) - 1
        assert account.warnings == (
            f"{source.actions[0]} is not offered by this endpoint: {source.things} are not looked at",
        )


def test_the_required_sources() -> None:
    assert {source.name for source in ALL if source.required} == {
        "instances",
        "launch-configurations",
        "launch-templates",
        "auto-scaling-groups",
    }


def test_expired_credentials_are_no_reason_to_skip_a_check(account: Account) -> None:
    account.fault("DescribeFleets", code="RequestExpired", status=400)
    with pytest.raises(CredentialsError) as caught:
        account.read()
    assert "--skip-check" not in str(caught.value)


def test_the_first_source_in_the_registry_reports_its_error(account: Account) -> None:
    for call in ("DescribeFleets", "DescribeSpotFleetRequests", "DescribeLaunchConfigurations"):
        account.fault(call, times=None)
    for _ in range(5):
        with pytest.raises(AwsError, match="DescribeLaunchConfigurations"):
            account.read()


def test_each_use_is_reported_once_and_sorted(account: Account) -> None:
    image = account.image()
    account.region.add_fleet(launch_template_configs=configs({"ImageId": image}) * 2)
    for kind in reversed(PLAINEST.values()):
        kind.add(account.region, image)
    uses = account.read().uses[image]
    assert list(uses) == sorted(set(uses))
    assert len(uses) == len(PLAINEST) + 1


def test_a_reading_starts_before_it_finishes(account: Account) -> None:
    reading = account.read()
    assert reading.started < reading.finished


def test_an_empty_account_has_no_uses(account: Account) -> None:
    reading = account.read()
    assert (reading.uses, reading.snapshots, reading.groups, reading.warnings) == ({}, frozenset(), {}, ())


def test_credentials_that_cannot_be_renewed_are_no_missing_call() -> None:
    """An endpoint may lack an optional source's call; an account that cannot be asked is an error."""

    def read() -> UsageReport:
        raise UnsupportedCallError("sts:AssumeRole", "InvalidAction", "no such action")

    (source,) = (source for source in usage.SOURCES if source.name == "spot-fleets")
    with pytest.raises(UnsupportedCallError, match="sts:AssumeRole"):
        guarded(source, read)


@pytest.mark.parametrize("source", usage.SOURCES, ids=lambda source: source.name)
def test_a_response_without_its_first_member_stops_the_run(account: Account, source: usage.UsageSource) -> None:
    """A response that cannot be read is an error that names the call, never a crash."""
    account.api.pages = lambda action, **_: [{}]  # type: ignore[assignment, method-assign]
    with pytest.raises(AwsError, match=r"Describe\w+ .*: MalformedResponse: .* has no \w+"):
        source.read(account.api)
