"""What every usage source does alike: pages, denials, calls that the endpoint lacks, `--skip-check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from amicleaner.aws.usage import READERS, UsageReading, guarded
from amicleaner.aws.usage.usage_report import UsageReport
from amicleaner.errors import AwsError, CredentialsError, UnsupportedCallError
from amicleaner.sources import FURTHER_CHECKS, SOURCES, SSM_PARAMETERS, USE_KINDS, UsageSource
from amicleaner.uses import Uses
from tests.aws.usage.account import Account
from tests.catalogue import KINDS, SNAPSHOT_KINDS, UNOWNED, ReferenceKind, by_action, configs, devices, plainest
from tests.fake_aws import denial
from tests.fake_aws.calls import Call

LISTED = [*READERS]
OFTEN = [source for source in LISTED if source.when == "always"]
"""Those that are read at each reading; the others are read on demand."""

ON_REQUEST = [source for source in SOURCES if source.on_request]

PLAINEST = [kind for kind in plainest().values() if kind.source.registered in OFTEN]
EACH = pytest.mark.parametrize("kind", plainest().values(), ids=plainest())
EVERY = {"also_check": FURTHER_CHECKS}


def reading(account: Account, kind: ReferenceKind, images: Sequence[str], **options: Any) -> UsageReading:
    """All that a run finds that looks for this kind, with what is read on demand where it needs that."""
    options = {**kind.options, **options}
    return account.read(**options) if kind.source.registered.when == "always" else account.on_demand(images, **options)


def read(account: Account, kind: ReferenceKind, images: Sequence[str], **options: Any) -> Uses:
    return reading(account, kind, images, **options).uses


def test_every_source_is_in_the_catalogue() -> None:
    assert {source.actions[0] for source in SOURCES} == {*plainest(), "ssm:GetParameters"}
    through = {"launch_templates", "ssm_parameters"}
    assert through <= {kind.source.through for kind in KINDS}


def test_no_check_is_both_by_default_and_on_request() -> None:
    assert not {source.check for source in SOURCES if not source.on_request} & set(FURTHER_CHECKS)


def test_together_they_report_every_kind_of_reference_and_make_each_of_their_calls(account: Account) -> None:
    image = account.image()
    for kind in KINDS:
        kind.add(account.region, image)
    uses = account.on_demand([image], **EVERY).uses[image]
    assert {use.kind for use in uses} == set(USE_KINDS) - {"file", "image-copy"}
    assert {call.name for call in account.fake_aws.calls.records} == by_action().keys()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_of_reference_counts(account: Account, kind: ReferenceKind) -> None:
    used, free = account.image(), account.image()
    kind.add(account.region, used)
    uses = read(account, kind, [used, free])
    [use] = uses[used]
    assert use.kind in kind.source.registered.kinds
    assert use.label.startswith(kind.source.label)
    assert (use.account, use.region) == (account.api.target.account, account.api.target.region)
    assert free not in uses


@pytest.mark.parametrize("kind", {kind.source.call: kind for kind in KINDS}.values(), ids=lambda kind: kind.source.call)
def test_a_reference_on_the_last_page_counts(account: Account, kind: ReferenceKind) -> None:
    account.fake_aws.pager.cap = 1
    account.fake_aws.pager.blank_pages = True
    for image in UNOWNED:
        kind.add(account.region, image)
    used = account.image()
    kind.add(account.region, used)
    assert len(read(account, kind, [used])[used]) == 1
    assert max(call.page for call in calls(account, kind.source.call)) >= kind.source.pages


def calls(account: Account, name: str) -> list[Call]:
    """The calls of a name, which may have the service before it."""
    return [call for call in account.fake_aws.calls.records if name in (call.action, call.name)]


@pytest.mark.parametrize("kind", SNAPSHOT_KINDS, ids=lambda kind: kind.name)
def test_a_snapshot_in_a_block_device_counts(account: Account, kind: ReferenceKind) -> None:
    account.fake_aws.pager.cap = 1
    for snapshot in ("snap-00000001", "snap-00000002", "snap-00000003"):
        kind.add(account.region, snapshot)
    snapshots = account.read().snapshots
    assert {"snap-00000001", "snap-00000003"} <= snapshots.keys()
    [use] = snapshots["snap-00000003"]
    assert use.label.startswith(kind.source.label)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.source.through == "launch_templates"], ids=lambda kind: kind.name
)
def test_the_snapshots_of_a_version_that_something_names_count(account: Account, kind: ReferenceKind) -> None:
    image = account.image()
    kind.add(account.region, image)
    for template in account.region.launch_templates.values():
        for version in template.versions.values():
            if version.data.get("ImageId") == image:
                version.data["BlockDeviceMappings"] = devices("snap-00000001")
    [use] = reading(account, kind, [image]).snapshots["snap-00000001"]
    assert use.label.startswith(kind.source.label)


@EACH
def test_a_skipped_check_finds_nothing_and_makes_no_call(account: Account, kind: ReferenceKind) -> None:
    image = account.image()
    kind.add(account.region, image)
    if kind.source.registered.on_request:
        uses = read(account, kind, [image], also_check=())
    else:
        uses = read(account, kind, [image], skip_check=(*kind.options.get("skip_check", ()), kind.source.check))
    assert image not in uses
    if kind.source.check != "image-builder":  # image references are asked on its calls, too, by AWS itself
        assert calls(account, kind.source.call) == []


@pytest.mark.parametrize(
    ("action", "page"),
    [
        *((action, 1) for action in by_action()),
        *((action, 3) for action, kind in plainest().items() if kind.source.pages == 3),
    ],
)
def test_a_denied_call_names_the_action_to_grant(account: Account, action: str, page: int) -> None:
    account.fake_aws.pager.cap = 1
    images = [account.image() for _ in range(page)]
    for image in images:
        by_action()[action].add(account.region, image)
    account.fault(action, "deny", page=page, times=None)
    with pytest.raises(AwsError) as caught:
        read(account, by_action()[action], images)
    assert caught.value.action == action
    assert caught.value.hint.startswith(f"Grant the IAM action {action}")
    assert caught.value.hint.endswith(skipping(source_of(action)) or f"{action}.")
    assert f"in account {account.api.target.account} Region {account.api.target.region}: " in str(caught.value)
    assert caught.value.code == denial(action.partition(":")[0])


def source_of(action: str) -> UsageSource:
    return next(source for source in SOURCES if action in source.actions)


def skipping(source: UsageSource) -> str:
    """How the hint ends where one of the source's calls is denied or not there."""
    if source is SSM_PARAMETERS or source.check == "instances":
        return ""
    way = f"remove {source.check} from --also-check" if source.on_request else f"pass --skip-check {source.check}"
    return f"To proceed without it, {way}. AMIs used only by {source.things} will then NOT be protected."


FLEET = plainest()["ec2:DescribeFleets"]


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *((kind, "truncated") for kind in plainest().values() if kind.source.pages > 1),
        *((FLEET, fault) for fault in ("http500", "html", "empty", "cut", "throttle")),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_later_page_that_breaks_stops_the_run(account: Account, kind: ReferenceKind, fault: str) -> None:
    account.fake_aws.pager.cap = 1
    images = [account.image() for _ in range(3)]
    for image in images:
        kind.add(account.region, image)
    account.fault(kind.source.call, fault, page=2, times=None)
    with pytest.raises(AwsError) as caught:
        read(account, kind, images)
    assert caught.value.action == kind.source.registered.actions[0]
    assert not isinstance(caught.value, UnsupportedCallError)
    assert "--skip-check" not in caught.value.hint


@pytest.mark.parametrize("action", by_action())
def test_a_call_that_the_endpoint_lacks(account: Account, action: str) -> None:
    """An error for what nearly every account uses and for what was asked for, a warning for the rest."""
    account.fake_aws.missing_actions.add(action)
    kind, image = by_action()[action], account.image()
    for found in (plainest()["ec2:DescribeInstances"], kind):
        found.add(account.region, image)
    source = source_of(action)
    if source.required or source.on_request:
        with pytest.raises(AwsError, match=r"InvalidAction|UnknownOperationException") as caught:
            read(account, kind, [image])
        assert caught.value.hint.endswith(skipping(source))
        assert not isinstance(caught.value, UnsupportedCallError)
    else:
        assert image in read(account, kind, [image])
        assert account.warnings == (
            f"This endpoint doesn't support {action}; references from {source.things} were not checked.",
        )


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *((kind, "UnsupportedOperation") for kind in plainest().values()),
        *((FLEET, code) for code in ("OptInRequired", "SubscriptionRequiredException")),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_region_without_the_service_costs_one_call(account: Account, kind: ReferenceKind, code: str) -> None:
    account.fault(kind.source.call, code=code, times=None)
    account.region.add_group("front")
    source = kind.source.registered
    if source.required:
        with pytest.raises(AwsError, match=code):
            read(account, kind, ["ami-00000001"])
    else:
        assert read(account, kind, ["ami-00000001"]) == {}
        assert len(calls(account, kind.source.call)) == 1
        # The service of the resources may well be there where only the call that tells of them is not.
        assert len(account.warnings) == (not source.reader)


@pytest.mark.parametrize("action", ["GetImage", "ListImagePipelineImages"])
def test_a_service_that_answered_another_call_is_there(account: Account, action: str) -> None:
    image = account.image()
    for known in KINDS:
        if known.source.check == "image-builder":
            known.add(account.region, image)
    account.fault(action, code="UnsupportedOperation", times=None)
    with pytest.raises(AwsError, match="UnsupportedOperation"):
        account.on_demand([image])


def test_the_required_sources() -> None:
    assert {source.things for source in SOURCES if source.required} == {
        "instances", "launch configurations", "launch templates", "Auto Scaling groups", "SSM parameters",
    }  # fmt: skip


def test_services_on_request_are_not_called_unasked(account: Account) -> None:
    image = account.image()
    for kind in KINDS:
        kind.add(account.region, image)
    account.on_demand([image])
    called = {call.service for call in account.fake_aws.calls.records}
    assert called.isdisjoint(action.partition(":")[0] for source in ON_REQUEST for action in source.actions)


def test_services_that_an_account_never_used_cost_one_call_per_listing(account: Account) -> None:
    account.region.add_group("front")
    account.on_demand([account.image()])
    names = [call.name for call in account.fake_aws.calls.records[len(OFTEN) :]]
    assert len(names) == len(set(names)) <= sum(len(source.actions) for source in LISTED if source.when == "late") + 2


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
    for kind in reversed(PLAINEST):
        kind.add(account.region, image)
    uses = account.read().uses[image]
    assert list(uses) == sorted(set(uses))
    assert len(uses) == len(PLAINEST) + 1


def test_an_empty_account_has_no_uses(account: Account) -> None:
    reading = account.read()
    assert (reading.uses, reading.snapshots, reading.warnings) == ({}, {}, ())
    found = account.on_demand(**EVERY)
    assert (found.uses, found.snapshots, found.warnings) == ({}, {}, ())


def test_credentials_that_cannot_be_renewed_are_no_missing_call(account: Account) -> None:
    """An endpoint may lack an optional source's call; an account that cannot be asked is an error."""

    def read(report: UsageReport) -> None:
        raise UnsupportedCallError("sts:AssumeRole", "InvalidAction", "no such action")

    (source,) = (source for source in SOURCES if source.things == "Spot Fleets")
    with pytest.raises(UnsupportedCallError, match="sts:AssumeRole"):
        guarded(source, account.api, read)


@pytest.mark.parametrize("source", LISTED, ids=lambda source: source.things)
def test_a_response_without_its_first_member_stops_the_run(account: Account, source: UsageSource) -> None:
    """A response that cannot be read is an error that names the call, never a crash."""
    account.api.pages = lambda action, **_: [{}]  # type: ignore[assignment, method-assign]
    with pytest.raises(AwsError, match=r"\w+ .*: MalformedResponse: .* has no \w+"):
        READERS[source](UsageReport(account.api))
