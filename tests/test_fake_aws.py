"""The fake AWS: what the other tests rely on, asked by real boto3 clients over a socket and in process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any
from xml.etree import ElementTree

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from amicleaner.sources import BOTO3_NAMES
from tests.catalogue import KINDS, SNAPSHOT_KINDS
from tests.fake_aws import DEFAULT_ACCOUNT, FakeAws, Fault, World, attach, serve
from tests.fake_aws.core import SERVICES
from tests.fake_aws.wire import NAMESPACES
from tests.virtual_time import Time

pytestmark = pytest.mark.once
OTHER = "210987654321"
ABSENT = "ami-0123456789abcdef0"
ONCE = Config(retries={"total_max_attempts": 1})
IMPATIENT = ONCE.merge(Config(read_timeout=0.1))
UNCHECKED = ONCE.merge(Config(parameter_validation=False))
LOADER = botocore.session.Session().get_component("data_loader")

Client = Any
Clients = Callable[..., Client]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def world(time: Time) -> World:
    return World(time.now)


FAKE_AWS = FakeAws()
"""One for all tests, so that a client without a socket is made once: to make one takes longer than most tests."""


@pytest.fixture
def fake_aws(world: World) -> FakeAws:
    FAKE_AWS.reset(world)
    return FAKE_AWS


def session_of(**arguments: str) -> Any:
    """A session that shares its loaded service models with the others."""
    core = botocore.session.Session()
    core.register_component("data_loader", LOADER)
    return boto3.Session(botocore_session=core, **arguments)


@cache
def attached_client(service: str, config: Config, **arguments: str) -> Client:
    session = session_of(**arguments)
    attach(FAKE_AWS, session)
    return session.client(service, config=config)


@pytest.fixture
def attached(fake_aws: FakeAws) -> Clients:
    """Clients without sockets."""

    def make(service: str = "ec2", account: str = DEFAULT_ACCOUNT, config: Config = ONCE, **given: str) -> Client:
        arguments = {"region_name": "eu-west-1"} | fake_aws.world.credentials(account) | given
        return attached_client(service, config, **arguments)

    return make


@pytest.fixture
def served(fake_aws: FakeAws) -> Iterator[Clients]:
    """Clients that call the URL."""
    made: list[Client] = []

    def make(service: str = "ec2", config: Config = ONCE) -> Client:
        session = session_of(region_name="eu-west-1", **fake_aws.world.credentials())
        made.append(session.client(service, config=config, endpoint_url=server.url))
        return made[-1]

    with serve(fake_aws) as server:
        yield make
        for client in made:
            client.close()


@pytest.fixture(params=["attached", "served"])
def clients(request: pytest.FixtureRequest) -> Clients:
    made: Clients = request.getfixturevalue(request.param)
    return made


def code_of(call: Callable[..., object], **parameters: Any) -> str:
    """The error code of a call that AWS refuses."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


# --- reading --------------------------------------------------------------------------------------------------


def test_an_image_is_shown_as_by_boto3(world: World, clients: Clients) -> None:
    created = datetime(2024, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
    image = world.region().add_image("web <1> & ä", created=created, tags={"role": "web"}, snapshots=[8, 100])
    ec2 = clients()
    [shown] = ec2.describe_images(Owners=["self"])["Images"]
    assert (shown["Name"], shown["CreationDate"]) == ("web <1> & ä", "2024-02-03T04:05:06.789Z")
    sizes = [(device["Ebs"]["SnapshotId"], device["Ebs"]["VolumeSize"]) for device in shown["BlockDeviceMappings"]]
    assert sizes == list(zip(image.snapshot_ids, [8, 100], strict=True))
    image.name, image.tags["role"] = "new", "db"
    image.extra, image.omit = {"BootMode": "uefi"}, {"CreationDate"}
    [changed] = ec2.describe_images(Owners=["self"])["Images"]
    assert (changed["Name"], changed["Tags"], changed["BootMode"]) == ("new", [{"Key": "role", "Value": "db"}], "uefi")
    assert "CreationDate" not in changed


def test_images_are_chosen_by_id_owner_state_and_filter(world: World, attached: Clients) -> None:
    region, other, ec2 = world.region(), world.region(account_id=OTHER), attached()
    web = region.add_image("web-1", tags={"role": "web"}).image_id
    disabled = region.add_image("db-1", state="disabled").image_id
    shared = other.add_image(shared_with=(DEFAULT_ACCOUNT,)).image_id
    public = other.add_image(public=True).image_id
    private = other.add_image().image_id
    old = other.add_image(deprecated=world.clock(), public=True).image_id

    def ids(**question: Any) -> set[str]:
        return {image["ImageId"] for image in ec2.describe_images(**question)["Images"]}

    assert ids() == {web, shared, public}
    assert ids(Owners=["self"]) == ids(ImageIds=[web]) == {web}
    assert ids(Owners=["self"], IncludeDisabled=True) == {web, disabled}
    assert ids(Owners=[OTHER], IncludeDeprecated=True) == {shared, public, old}
    for name, value in {"state": "available", "image-id": web}.items():
        assert ids(Owners=["self"], Filters=[{"Name": name, "Values": ["x", value]}]) == {web}
    for wrong in ({"Name": "colour", "Values": ["red"]}, {"Name": "image-id", "Values": ["x"] * 201}):
        with pytest.raises(ClientError, match=r"InvalidParameterValue|FilterLimitExceeded"):
            ids(Filters=[wrong])
    assert code_of(ids, ImageIds=["ami-xyz"]) == "InvalidAMIID.Malformed"
    with pytest.raises(ClientError, match=rf"\[{private}, {ABSENT}\]' do not exist") as caught:
        ids(ImageIds=[web, private, ABSENT])
    assert caught.value.response["Error"]["Code"] == "InvalidAMIID.NotFound"


def test_a_deregistered_image_is_left_out_while_an_instance_of_it_exists(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    image = region.add_image()
    instance = region.add_instance(image.image_id)
    ec2.deregister_image(ImageId=image.image_id)
    assert ec2.describe_images(ImageIds=[image.image_id])["Images"] == []
    instance.state = "terminated"
    assert code_of(ec2.describe_images, ImageIds=[image.image_id]) == "InvalidAMIID.NotFound"


def test_launch_permissions(world: World, attached: Clients) -> None:
    organization, unit = (f"arn:aws:organizations::{OTHER}:{path}" for path in ("organization/o-1", "ou/o-1/ou-1"))
    ask = partial(attached().describe_image_attribute, Attribute="launchPermission")
    image = world.region().add_image(public=True, shared_with=(OTHER,), organizations=(organization, unit))
    permissions = [{"Group": "all"}, {"UserId": OTHER}, {"OrganizationArn": organization}, {"OrganizationalUnitArn": unit}]
    assert ask(ImageId=image.image_id)["LaunchPermissions"] == permissions
    theirs = world.region(account_id=OTHER).add_image(public=True).image_id
    assert code_of(ask, ImageId=theirs) == "AuthFailure"


def test_snapshots(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    made = region.add_snapshot("Created by CreateImage(i-1) for ami-00000001", size=20).snapshot_id
    copy = region.add_snapshot("Copied for DestinationAmi ami-1", state="pending", full_size=0).snapshot_id

    def shown(**question: Any) -> dict[str, Any]:
        found = ec2.describe_snapshots(OwnerIds=["self"], **question)["Snapshots"]
        return {snapshot["SnapshotId"]: snapshot for snapshot in found}

    everything = shown()
    assert [everything[id]["FullSnapshotSizeInBytes"] for id in (made, copy)] == [20 << 30, 0]
    assert [everything[id]["VolumeId"] == "vol-ffffffff" for id in (made, copy)] == [False, True]
    for name, value in {"status": "completed", "snapshot-id": made}.items():
        assert shown(Filters=[{"Name": name, "Values": [value]}]).keys() == {made}


def test_managed_resources_are_hidden_by_default(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    for managed in (False, True):
        region.add_instance(ABSENT, "stopped", managed=managed)
        region.add_launch_template("hidden" if managed else "shown", managed=managed)
    both = {"IncludeManagedResources": True}
    versions = partial(ec2.describe_launch_template_versions, Versions=["$Default"])
    assert [len(ec2.describe_instances(**more)["Reservations"]) for more in ({}, both)] == [1, 2]
    assert [len(versions(**more)["LaunchTemplateVersions"]) for more in ({}, both)] == [1, 2]
    hidden = code_of(ec2.describe_launch_template_versions, LaunchTemplateName="hidden")
    assert hidden == "InvalidLaunchTemplateName.NotFoundException"
    region.add_fleet(type="instant")
    assert ec2.describe_fleets()["Fleets"] == []


def test_launch_template_versions(world: World, attached: Clients) -> None:
    images = [{"ImageId": f"ami-0000000{number}"} for number in range(1, 4)]
    world.region().add_launch_template("web", images, default=2)
    world.region().add_launch_template("alias", [{"ImageId": "resolve:ssm:/web/ami:7"}])

    def versions(**question: Any) -> list[tuple[int, str]]:
        shown = attached().describe_launch_template_versions(**question)["LaunchTemplateVersions"]
        return [(version["VersionNumber"], version["LaunchTemplateData"]["ImageId"]) for version in shown]

    first, second, third = ((number, f"ami-0000000{number}") for number in range(1, 4))
    assert versions(Versions=["$Latest", "$Default"]) == [second, third, (1, "resolve:ssm:/web/ami:7")]
    assert versions(LaunchTemplateName="web") == [first, second, third]
    assert versions(LaunchTemplateName="web", Versions=["1", "$Latest"]) == [first, third]
    assert code_of(versions, Versions=["1"]) == "InvalidParameterCombination"


def test_a_region_must_be_enabled(world: World, attached: Clients) -> None:
    opt_in = {"eu-west-1": "opt-in-not-required", "ap-east-1": "not-opted-in", "eu-south-1": "opted-in"}
    world.account().opt_in = opt_in
    shown = [region["RegionName"] for region in attached().describe_regions()["Regions"]]
    assert shown == ["eu-west-1", "eu-south-1"]
    assert code_of(attached(region_name="ap-east-1").describe_images) == "AuthFailure"


def test_parameters(world: World, clients: Clients) -> None:
    region, client = world.region(), clients("ssm")
    web = region.add_parameter("/web/ami", "ami-3", history=["ami-1", "ami-2"], labels={"stable": 2})
    region.add_parameter("plain", "ami-9")
    shared = world.region(account_id=OTHER).add_parameter("/theirs", "ami-8")

    def values(*names: str) -> tuple[list[str], list[str]]:
        response = client.get_parameters(Names=list(names))
        return [entry["Value"] for entry in response["Parameters"]], response["InvalidParameters"]

    assert values("plain", "/web/ami") == (["ami-3", "ami-9"], [])
    assert values("/web/ami:1", "/web/ami:stable", "/web/ami:9", "no") == (["ami-1", "ami-2"], ["/web/ami:9", "no"])
    assert values(web.arn, f"{web.arn}:1") == (["ami-3", "ami-1"], [])
    assert values(shared.arn) == ([], [shared.arn])
    shared.shared_with.add(DEFAULT_ACCOUNT)
    assert values(shared.arn) == (["ami-8"], [])
    assert code_of(client.get_parameters, Names=[str(number) for number in range(11)]) == "ValidationException"


def test_image_references(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    ids = [f"ami-0000000{number}" for number in range(5)]
    region.add_instance(ids[0], state="terminated")
    parameter = region.add_parameter("/web/ami", ids[1])
    region.add_recipe(ids[2])
    region.add_recipe(ids[3], container=True)
    world.region(account_id=OTHER).add_instance(ids[4])

    def found(*types: str) -> dict[str, str]:
        wanted = [{"ResourceType": name} for name in types]
        pages = ec2.get_paginator("describe_image_references").paginate(ImageIds=ids, ResourceTypes=wanted)
        return {entry["ResourceType"]: entry["Arn"] for page in pages for entry in page["ImageReferences"]}

    builder = ["imagebuilder:ImageRecipe", "imagebuilder:ContainerRecipe"]
    everything = found("ec2:Instance", "ssm:Parameter", *builder)
    assert everything.keys() == {"ec2:Instance", "ssm:Parameter", *builder}
    assert everything["ssm:Parameter"] == parameter.arn
    assert found(*builder).keys() == {*builder}
    fake_aws.pager.cap = 1
    assert found("ec2:Instance", "ssm:Parameter", *builder) == everything
    option = {"OptionName": "state-name", "OptionValues": ["running", "stopped"]}
    types = [{"ResourceType": "ec2:Instance", "ResourceTypeOptions": [option]}]
    assert ec2.describe_image_references(ImageIds=ids, ResourceTypes=types)["ImageReferences"] == []
    unchecked = attached(config=UNCHECKED).describe_image_references
    for wrong in ([], [ids[0]] * 11):
        assert code_of(unchecked, ImageIds=wrong, ResourceTypes=types) == "InvalidParameterValue"


def test_image_references_need_the_callers_own_permissions(fake_aws: FakeAws, attached: Clients) -> None:
    ask = partial(attached().describe_image_references, ImageIds=[ABSENT], ResourceTypes=[{"ResourceType": "ssm:Parameter"}])
    fake_aws.allow = {"ec2:DescribeImageReferences", "ssm:DescribeParameters"}
    with pytest.raises(ClientError, match=r"UnauthorizedOperation.*ssm:GetParameters"):
        ask()
    fake_aws.allow_via = {"ssm:*"}
    assert ask()["ImageReferences"] == []
    assert code_of(attached("ssm").get_parameters, Names=["a"]) == "AccessDeniedException"


# --- pages ----------------------------------------------------------------------------------------------------


def test_pages_and_their_bounds(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    ec2 = attached()
    for _ in range(12):
        image_id = world.region().add_image(snapshots=[]).image_id
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 12
    pages = list(ec2.get_paginator("describe_images").paginate(Owners=["self"], PaginationConfig={"PageSize": 5}))
    assert [len(page["Images"]) for page in pages] == [5, 5, 2]
    assert [call.page for call in fake_aws.calls.of("DescribeImages")] == [1, 1, 2, 3]
    token = pages[0]["NextToken"]
    unchecked = attached(config=UNCHECKED)
    for wrong in (4, 1001):
        assert code_of(unchecked.describe_instances, MaxResults=wrong) == "InvalidParameterValue"
    for wrong in (0, 201):
        ask = partial(unchecked.describe_launch_template_versions, Versions=["$Latest"])
        assert code_of(ask, MaxResults=wrong) == "InvalidParameterValue"
    # Ids and pages cannot be combined, and a token is valid for its own parameters only.
    assert code_of(ec2.describe_images, ImageIds=[image_id], MaxResults=5) == "InvalidParameterCombination"
    assert code_of(ec2.describe_images, NextToken=token) == "InvalidParameterValue"
    assert len(ec2.describe_images(Owners=["self"], NextToken=token)["Images"]) == 7


def test_auto_scaling_pages_by_default(world: World, attached: Clients) -> None:
    for number in range(120):
        world.region().add_launch_configuration("ami-00000001", f"lc-{number}")
    client = attached("autoscaling")
    paginator = client.get_paginator("describe_launch_configurations")
    for config, sizes in (({}, [50, 50, 20]), ({"PageSize": 100}, [100, 20])):
        pages = paginator.paginate(PaginationConfig=config)
        assert [len(page["LaunchConfigurations"]) for page in pages] == sizes
    assert code_of(client.describe_launch_configurations, MaxRecords=101) == "ValidationError"
    assert code_of(client.describe_launch_configurations, NextToken="x") == "InvalidNextToken"


def test_short_and_blank_pages(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    made = [world.region().add_image().image_id for _ in range(5)]
    fake_aws.pager.cap, fake_aws.pager.blank_pages = 2, True
    pages = list(attached().get_paginator("describe_images").paginate(Owners=["self"]))
    assert [len(page["Images"]) for page in pages] == [0, 2, 0, 2, 0, 1]
    assert [image["ImageId"] for page in pages for image in page["Images"]] == made


def test_a_deletion_between_two_pages_moves_no_item(world: World, attached: Clients) -> None:
    ec2 = attached()
    made = [world.region().add_image().image_id for _ in range(10)]
    first = ec2.describe_images(Owners=["self"], MaxResults=5)
    for image_id in made[:5]:
        ec2.deregister_image(ImageId=image_id)
    second = ec2.describe_images(Owners=["self"], MaxResults=5, NextToken=first["NextToken"])
    assert [image["ImageId"] for image in second["Images"]] == made[5:]
    assert "NextToken" not in second


# --- changing -------------------------------------------------------------------------------------------------


def test_an_image_is_deregistered_with_its_snapshots(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    image = region.add_image(snapshots=[8, 9, 10])
    ours, both, stuck = image.snapshot_ids
    region.add_image(snapshots=[both], state="disabled")
    region.snapshots[stuck].return_code = "internal-error"
    response = ec2.deregister_image(ImageId=image.image_id, DeleteAssociatedSnapshots=True)
    assert response["Return"] is True
    codes = {result["SnapshotId"]: result["ReturnCode"] for result in response["DeleteSnapshotResults"]}
    assert codes == {ours: "success", both: "skipped", stuck: "internal-error"}
    assert region.snapshots.keys() == {both, stuck}
    assert code_of(ec2.deregister_image, ImageId=image.image_id) == "InvalidAMIID.Unavailable"


def test_deregistering_is_refused(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    protected = region.add_image(deregistration_protection="enabled-without-cooldown").image_id
    theirs = world.region(account_id=OTHER).add_image(public=True).image_id
    expected = {
        protected: "OperationNotPermitted",
        theirs: "AuthFailure",
        ABSENT: "InvalidAMIID.NotFound",
        "ami-9": "InvalidAMIID.Malformed",
    }
    assert {image_id: code_of(ec2.deregister_image, ImageId=image_id) for image_id in expected} == expected
    fake_aws.allow = {"ec2:Deregister*"}
    response = ec2.deregister_image(ImageId=region.add_image().image_id, DeleteAssociatedSnapshots=True)
    assert [result["ReturnCode"] for result in response["DeleteSnapshotResults"]] == ["missing-permissions"]
    world.deletes_associated = False
    response = ec2.deregister_image(ImageId=region.add_image().image_id, DeleteAssociatedSnapshots=True)
    assert "DeleteSnapshotResults" not in response


def test_a_snapshot_is_deleted_once_no_image_uses_it(world: World, attached: Clients) -> None:
    ec2, image = attached(), world.region().add_image()
    delete = partial(ec2.delete_snapshot, SnapshotId=image.snapshot_ids[0])
    assert code_of(delete) == "InvalidSnapshot.InUse"
    ec2.deregister_image(ImageId=image.image_id)
    delete()
    assert code_of(delete) == "InvalidSnapshot.NotFound"


def test_an_image_is_disabled_and_enabled(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    image = region.add_image(public=True, shared_with=(OTHER,), organizations=("arn:aws:organizations::1:ou/o-1/ou-1",))
    for _ in range(2):
        assert ec2.disable_image(ImageId=image.image_id)["Return"] is True
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    [shown] = ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"]
    assert (shown["State"], shown["Public"]) == ("disabled", False)
    assert code_of(ec2.delete_snapshot, SnapshotId=image.snapshot_ids[0]) == "InvalidSnapshot.InUse"
    for _ in range(2):
        assert ec2.enable_image(ImageId=image.image_id)["Return"] is True
    assert ec2.describe_images(Owners=["self"])["Images"][0]["State"] == "available"
    response = ec2.describe_image_attribute(ImageId=image.image_id, Attribute="launchPermission")
    assert response["LaunchPermissions"] == []
    failed = region.add_image(state="failed").image_id
    theirs = world.region(account_id=OTHER).add_image(public=True).image_id
    for change in (ec2.disable_image, ec2.enable_image):
        assert code_of(change, ImageId=failed) == "InvalidAMIID.Unavailable"
        assert code_of(change, ImageId=theirs) == "AuthFailure"


def test_tags(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    image = region.add_image(tags={"aws:dlm:managed": "yes", "old": "1"})
    ids = [image.image_id, *image.snapshot_ids]
    ec2.create_tags(Resources=ids, Tags=[{"Key": "old", "Value": "2"}, {"Key": "new", "Value": ""}])
    assert image.tags == {"aws:dlm:managed": "yes", "old": "2", "new": ""}
    assert region.snapshots[ids[1]].tags == {"old": "2", "new": ""}
    ec2.delete_tags(Resources=[ids[0]], Tags=[{"Key": "old", "Value": "1"}, {"Key": "new"}, {"Key": "none"}])
    assert image.tags == {"aws:dlm:managed": "yes", "old": "2"}
    assert code_of(ec2.create_tags, Resources=[ids[0], "snap-00000009"], Tags=[{"Key": "a"}]) == "InvalidSnapshot.NotFound"


# --- the Recycle Bin ------------------------------------------------------------------------------------------


def test_retention_rules(world: World, clients: Clients) -> None:
    region, rbin = world.region(), clients("rbin")
    first = region.add_retention_rule("EC2_IMAGE", 30, match={"role": "web", "team": None})
    for days in (1, 2):
        region.add_retention_rule("EC2_IMAGE", days, exclude={"keep": "no"}, status="pending")
    region.add_retention_rule("EBS_SNAPSHOT")
    pages = list(rbin.get_paginator("list_rules").paginate(ResourceType="EC2_IMAGE", PaginationConfig={"PageSize": 2}))
    assert [[rule["RetentionPeriod"]["RetentionPeriodValue"] for rule in page["Rules"]] for page in pages] == [[30, 1], [2]]
    shown = rbin.get_rule(Identifier=first.rule_id)
    assert (shown["Status"], shown["ResourceType"], shown["ExcludeResourceTags"]) == ("available", "EC2_IMAGE", [])
    assert shown["ResourceTags"] == [{"ResourceTagKey": "role", "ResourceTagValue": "web"}, {"ResourceTagKey": "team"}]
    assert code_of(rbin.get_rule, Identifier="none") == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ([], 0),
        ([{"days": 3}, {"days": 5}, {"days": 4}], 5),
        ([{"match": {"role": "web", "a": "b"}}], 7),
        ([{"match": {"role": None}}], 7),
        ([{"match": {"role": "db"}}], 0),
        ([{"exclude": {"a": "b"}}], 7),
        ([{"exclude": {"a": "b", "role": "web"}}], 0),
        ([{"status": "pending"}], 0),
        ([{"resource_type": "EBS_SNAPSHOT"}], 0),
    ],
)
def test_a_matching_rule_retains_an_image(
    world: World, time: Time, attached: Clients, rules: list[dict[str, Any]], days: int
) -> None:
    region, ec2 = world.region(), attached()
    for rule in rules:
        region.add_retention_rule(**rule)
    ec2.deregister_image(ImageId=region.add_image(tags={"role": "web"}).image_id)
    ec2.deregister_image(ImageId=region.add_image(tags={"role": "web"}, snapshots=[]).image_id)
    shown = ec2.list_images_in_recycle_bin()["Images"]
    assert [entry["RecycleBinExitTime"] - entry["RecycleBinEnterTime"] for entry in shown] == (
        [timedelta(days=days)] if days else []
    )
    time.sleep(days * 86400)
    assert ec2.list_images_in_recycle_bin()["Images"] == []


def test_an_image_is_restored_after_its_snapshots(world: World, time: Time, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    region.add_retention_rule("EC2_IMAGE", 7)
    region.add_retention_rule("EBS_SNAPSHOT", 14)
    image = region.add_image("web", tags={"role": "web"}, shared_with=(OTHER,), snapshots=[8, 9])
    ec2.deregister_image(ImageId=image.image_id, DeleteAssociatedSnapshots=True)
    [shown] = ec2.list_images_in_recycle_bin()["Images"]
    assert (shown["ImageId"], shown["Name"]) == (image.image_id, "web")
    world.recovery = timedelta(seconds=30)
    first, second = image.snapshot_ids
    restore = partial(ec2.restore_image_from_recycle_bin, ImageId=image.image_id)
    assert ec2.restore_snapshot_from_recycle_bin(SnapshotId=first)["State"] == "recovering"
    assert code_of(restore) == "IncorrectState"
    time.sleep(30)
    assert code_of(restore) == "InvalidSnapshot.NotFound"
    world.recovery = timedelta(0)
    assert ec2.restore_snapshot_from_recycle_bin(SnapshotId=second)["State"] == "completed"
    assert restore()["Return"] is True
    assert ec2.describe_images(ImageIds=[image.image_id])["Images"][0]["Tags"] == [{"Key": "role", "Value": "web"}]
    assert ec2.list_images_in_recycle_bin()["Images"] == ec2.list_snapshots_in_recycle_bin()["Snapshots"] == []
    assert code_of(restore) == "InvalidAMIID.NotFound"
    assert code_of(ec2.restore_snapshot_from_recycle_bin, SnapshotId=first) == "InvalidSnapshot.NotFound"


# --- callers --------------------------------------------------------------------------------------------------


def test_a_role_is_assumed_until_its_credentials_expire(world: World, time: Time, attached: Clients) -> None:
    role = world.add_role(OTHER, trusted=[DEFAULT_ACCOUNT], external_id="secret")
    theirs = world.region(account_id=OTHER).add_image()
    assume = partial(attached("sts").assume_role, RoleArn=role.arn, RoleSessionName="test")
    assert code_of(assume) == "AccessDenied"
    answered = assume(ExternalId="secret")["Credentials"]
    assert answered["Expiration"] == time.now() + timedelta(hours=1)
    credentials = {
        "aws_access_key_id": answered["AccessKeyId"],
        "aws_secret_access_key": answered["SecretAccessKey"],
        "aws_session_token": answered["SessionToken"],
    }
    arn = attached("sts", **credentials).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{OTHER}:assumed-role/cleaner/test"
    ec2 = attached(**credentials)
    assert ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"] == theirs.image_id
    time.sleep(3600)
    assert code_of(ec2.describe_instances) == "RequestExpired"
    assert code_of(attached("autoscaling", **credentials).describe_auto_scaling_groups) == "ExpiredToken"
    assert code_of(attached("ssm", **credentials).get_parameters, Names=["a"]) == "ExpiredTokenException"
    assert code_of(attached(aws_access_key_id="AKIANOBODY").describe_images) == "AuthFailure"


def test_permissions(fake_aws: FakeAws, attached: Clients) -> None:
    fake_aws.allow = {"ec2:DescribeImages"}
    fake_aws.allow_in[OTHER] = set()
    attached().describe_images(Owners=["self"])
    with pytest.raises(ClientError, match=r"UnauthorizedOperation.*perform: ec2:DescribeInstances"):
        attached().describe_instances()
    assert code_of(attached("autoscaling").describe_auto_scaling_groups) == "AccessDenied"
    assert code_of(attached("organizations").list_accounts) == "AccessDeniedException"
    assert code_of(attached(account=OTHER).describe_images) == "UnauthorizedOperation"
    assert attached("sts").get_caller_identity()["Account"] == DEFAULT_ACCOUNT


# --- failures -------------------------------------------------------------------------------------------------


def test_actions_that_the_endpoint_lacks(fake_aws: FakeAws, attached: Clients) -> None:
    fake_aws.missing_actions = {"DescribeFleets", "ssm:*"}
    assert code_of(attached().describe_fleets) == "InvalidAction"
    assert code_of(attached("ssm").get_parameters, Names=["a"]) == "UnknownOperationException"
    assert attached().describe_images(Owners=["self"])["Images"] == []


def test_an_unsupported_parameter_is_an_error(attached: Clients) -> None:
    ask = partial(attached().describe_launch_template_versions, Versions=["$Latest"])
    assert code_of(ask, ResolveAlias=True) == "UnsupportedByFakeAws"


@pytest.mark.parametrize(
    ("kind", "expected", "acted"),
    [
        ("refuse", "RequestExpired", False),
        ("deny", "UnauthorizedOperation", False),
        ("throttle", "RequestLimitExceeded", False),
        ("http500", ResponseParserError, False),
        ("html", ResponseParserError, False),
        ("empty", ResponseParserError, False),
        ("truncated", ResponseParserError, True),
        ("cut", ConnectionClosedError, False),
        ("lost", ConnectionClosedError, True),
        ("cut-after", ResponseParserError, True),
        ("hang", ReadTimeoutError, False),
        ("hang-after", ReadTimeoutError, True),
        ("unreachable", (EndpointConnectionError, ConnectionClosedError), False),
    ],
)
def test_faults(world: World, fake_aws: FakeAws, clients: Clients, kind: Any, expected: Any, acted: bool) -> None:
    region, ec2 = world.region(), clients()
    image_id = region.add_image().image_id
    fake_aws.faults.append(Fault("Deregister*", kind, code="RequestExpired", status=400))
    failing = clients(config=IMPATIENT) if kind.startswith("hang") else ec2
    if isinstance(expected, str):
        assert code_of(failing.deregister_image, ImageId=image_id) == expected
    else:
        with pytest.raises(expected):
            failing.deregister_image(ImageId=image_id)
    assert (image_id not in region.images) is acted
    # The fault occurs once.
    if acted:
        assert code_of(ec2.deregister_image, ImageId=image_id) == "InvalidAMIID.Unavailable"
    else:
        assert ec2.deregister_image(ImageId=image_id)["Return"] is True
    assert [call.ids for call in fake_aws.calls.changing()] == [[image_id], [image_id]]


def test_a_fault_chooses_its_calls(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    for name in ("eu-west-1", "us-east-1"):
        for _ in range(12):
            world.region(name).add_image()
    fake_aws.faults.append(Fault("DescribeImages", "refuse", page=2, when=lambda call: call.region == "us-east-1"))

    def pages(region: str) -> list[Any]:
        paginator = attached(region_name=region).get_paginator("describe_images")
        return list(paginator.paginate(Owners=["self"], PaginationConfig={"PageSize": 5}))

    assert len(pages("eu-west-1")) == 3
    assert code_of(partial(pages, "us-east-1")) == "UnauthorizedOperation"
    assert len(pages("us-east-1")) == 3
    fake_aws.faults.append(Fault("autoscaling:*", "throttle", nth=2, times=None))
    ask = attached("autoscaling").describe_auto_scaling_groups
    ask()
    assert [code_of(ask) for _ in range(3)] == ["Throttling"] * 3


def test_faults_and_hooks_change_the_world(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    fake_aws.faults.append(Fault("DescribeImages", "do", do=lambda *_: region.add_image()))
    fake_aws.before("DescribeInstances", lambda world, call: region.add_instance(ABSENT))
    fake_aws.after("DescribeInstances", lambda world, call: region.instances.clear())
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
    assert len(ec2.describe_instances()["Reservations"]) == 1
    assert region.instances == {}


# --- time and concurrency -------------------------------------------------------------------------------------


def burst(ask: Callable[[], object]) -> int:
    """How many calls succeed at this moment."""
    for number in range(200):
        with suppress(ClientError):
            ask()
            continue
        assert code_of(ask) == "RequestLimitExceeded"
        return number
    return -1


def test_rates(world: World, fake_aws: FakeAws, time: Time, attached: Clients) -> None:
    fake_aws.rates.enabled = True
    ec2, image_id = attached(), world.region().add_image().image_id
    expected = {
        partial(ec2.describe_images, Owners=["self"]): (100, 20),
        partial(ec2.describe_instances): (50, 10),
        partial(ec2.describe_instances, MaxResults=1000): (100, 20),
        partial(ec2.describe_spot_fleet_requests): (50, 3),
        partial(ec2.disable_image, ImageId=image_id): (50, 5),
        partial(ec2.create_tags, Resources=[image_id], Tags=[{"Key": "a", "Value": "b"}]): (100, 10),
    }
    for ask, (capacity, refill) in expected.items():
        assert burst(ask) == capacity
        time.sleep(1)
        assert burst(ask) == refill
    # Each Region and account has its own buckets, which other clients use too.
    elsewhere = attached(region_name="us-east-1")
    fake_aws.rates.drain("DescribeImages", DEFAULT_ACCOUNT, "us-east-1", leave=2)
    assert burst(partial(elsewhere.describe_images, Owners=["self"])) == 2
    fake_aws.rates.storm(60)
    assert burst(elsewhere.describe_fleets) == 0


def test_the_log_counts_concurrent_calls_and_connections(fake_aws: FakeAws, served: Clients) -> None:
    # Every call waits for all four, so the peak does not depend on timing.
    together = threading.Barrier(4, timeout=10)
    fake_aws.latency, fake_aws.sleep = 1.0, lambda _: together.wait()
    ec2 = served(config=ONCE.merge(Config(max_pool_connections=4)))
    filters = [{"Name": "state", "Values": ["b", "c"]}]
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(ec2.describe_images, Filters=filters) for _ in range(8)]:
            future.result()
    assert (fake_aws.calls.peak_running, fake_aws.calls.running, fake_aws.calls.peak_connections) == (4, 0, 4)
    assert fake_aws.calls.count("DescribeImages", region="eu-west-1") == 8
    assert fake_aws.calls.count("DescribeImages", region="us-east-1") == 0
    assert fake_aws.calls.records[0].params == {"Filter": [{"Name": "state", "Value": ["b", "c"]}]}


# --- against the service models -------------------------------------------------------------------------------


def populated() -> World:
    """A world in which every kind of member is set."""
    world = World(Time().now)
    region = world.region()
    image = region.add_image(
        "full",
        image_id="ami-00000001",
        tags={"a": "b"},
        deregistration_protection="enabled",
        last_launched=world.clock(),
        deprecated=world.clock(),
        description="text",
        owner_alias="aws-backup-vault",
        source_image=("ami-00000002", "eu-west-1"),
        shared_with=(OTHER,),
    )
    for kind in KINDS:
        kind.add(region, image.image_id)
    for kind in SNAPSHOT_KINDS:
        kind.add(region, image.snapshot_ids[0])
    for resource in (*region.instances.values(), *region.spot_fleets.values(), *region.fleets.values()):
        resource.tags["a"] = "b"
    region.add_group("full", tags={"a": "b"})
    region.add_parameter("full", image.image_id)
    region.recycle(replace(image, image_id="ami-00000009", block_devices=()))
    region.recycle(region.snapshots.pop(region.add_snapshot("text", snapshot_id="snap-00000009").snapshot_id))
    region.add_snapshot(snapshot_id="snap-00000008")
    region.add_retention_rule("EC2_IMAGE", match={"a": "b"}, exclude={"c": None})
    region.add_image(image_id="ami-00000003")
    world.add_organization(DEFAULT_ACCOUNT)
    world.add_role(OTHER)
    return world


IMAGE = {"ImageId": "ami-00000001"}
TAGS = {"Resources": ["ami-00000001"], "Tags": [{"Key": "a", "Value": "b"}]}
HOME = f"eu-west-1:{DEFAULT_ACCOUNT}"
BUILDER = f"arn:aws:imagebuilder:{HOME}"
# The parameters with which each action's response is not empty.
QUESTIONS: dict[str, dict[str, Any]] = {
    "DescribeImageAttribute": {**IMAGE, "Attribute": "launchPermission"},
    "DescribeInstances": {"IncludeManagedResources": True},
    "DescribeLaunchTemplateVersions": {"Versions": ["$Latest"]},
    "DescribeImageReferences": {"ImageIds": ["ami-00000001"], "ResourceTypes": [{"ResourceType": "ec2:Instance"}]},
    "DeregisterImage": {"ImageId": "ami-00000003", "DeleteAssociatedSnapshots": True},
    "DeleteSnapshot": {"SnapshotId": "snap-00000008"},
    "DisableImage": IMAGE,
    "EnableImage": IMAGE,
    "CreateTags": TAGS,
    "DeleteTags": TAGS,
    "RestoreImageFromRecycleBin": {"ImageId": "ami-00000009"},
    "RestoreSnapshotFromRecycleBin": {"SnapshotId": "snap-00000009"},
    "ListRules": {"ResourceType": "EC2_IMAGE"},
    "GetRule": {"Identifier": "rule0000001"},
    "ListImageRecipes": {"owner": "Self"},
    "ListContainerRecipes": {"owner": "Self"},
    "ListImagePipelineImages": {"imagePipelineArn": f"{BUILDER}:image-pipeline/p0"},
    "GetImage": {"imageBuildVersionArn": f"{BUILDER}:image/base0/1.x.x"},
    "sagemaker:DescribeCluster": {"ClusterName": f"arn:aws:sagemaker:{HOME}:cluster/train-0"},
    "ListComputeNodeGroups": {"clusterIdentifier": "pcs_0"},
    "GetComputeNodeGroup": {"clusterIdentifier": "pcs_0", "computeNodeGroupIdentifier": "pcs_g1"},
    "elasticmapreduce:ListClusters": {"ClusterStates": ["WAITING"]},
    "elasticmapreduce:DescribeCluster": {"ClusterId": "j-0"},
    "ListInstanceGroups": {"ClusterId": "j-1"},
    "ListInstanceFleets": {"ClusterId": "j-2"},
    "DescribeDBEngineVersions": {"Engine": "custom-oracle-ee", "IncludeAll": True},
    "DescribeConfigurationSettings": {"ApplicationName": "shop-0", "TemplateName": "saved"},
    "ListPlatformVersions": {"Filters": [{"Type": "PlatformOwner", "Operator": "=", "Values": ["self"]}]},
    "DescribePlatformVersion": {"PlatformArn": f"arn:aws:elasticbeanstalk:{HOME}:platform/own/1.0.0"},
    "DescribeInstanceRefreshes": {"AutoScalingGroupName": "group"},
    "GetParameters": {"Names": ["full"]},
    "AssumeRole": {"RoleArn": f"arn:aws:iam::{OTHER}:role/cleaner", "RoleSessionName": "test"},
}


def unknown_in_xml(element: ElementTree.Element, shape: Any, path: str) -> Iterator[str]:
    """The parts of an XML response that botocore's model does not have, and values that it does not list."""
    children = [(child.tag.rpartition("}")[2], child) for child in element]
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for tag, child in children:
            if tag in members:
                yield from unknown_in_xml(child, members[tag], f"{path}.{tag}")
            elif tag != "requestId":
                yield f"{path}.{tag}"
    elif shape.type_name == "list":
        for tag, child in children:
            if tag == shape.member.serialization.get("name", "member"):
                yield from unknown_in_xml(child, shape.member, f"{path}[]")
            else:
                yield f"{path}.{tag}"
    elif children or (getattr(shape, "enum", None) and element.text not in shape.enum):
        yield f"{path} = {element.text}"


def unknown_in_json(value: Any, shape: Any, path: str) -> Iterator[str]:
    """The same for a JSON response."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            if name in shape.members:
                yield from unknown_in_json(inner, shape.members[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif shape.type_name == "list":
        for inner in value:
            yield from unknown_in_json(inner, shape.member, f"{path}[]")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path} = {value}"


@pytest.mark.parametrize(
    ("service", "action"), [(service, action) for service, actions in SERVICES.items() for action in actions]
)
def test_the_service_model_has_every_member_of_a_response(service: str, action: str) -> None:
    FAKE_AWS.reset(populated())
    client = attached_client(
        BOTO3_NAMES.get(service, service), ONCE, region_name="eu-west-1", **FAKE_AWS.world.credentials()
    )
    bodies: list[bytes] = []
    client.meta.events.register("before-parse", keep := lambda response_dict, **_: bodies.append(response_dict["body"]))
    method = next(name for name, known in client.meta.method_to_api_mapping.items() if known == action)
    parsed = getattr(client, method)(**QUESTIONS.get(f"{service}:{action}", QUESTIONS.get(action, {})))
    client.meta.events.unregister("before-parse", keep)
    shape = client.meta.service_model.operation_model(action).output_shape
    if shape is None:
        return
    parsed.pop("ResponseMetadata")
    assert parsed
    assert any(parsed.values()), "an empty response proves nothing"
    if service not in NAMESPACES:
        assert list(unknown_in_json(json.loads(bodies[0]), shape, action)) == []
    else:
        root = ElementTree.fromstring(bodies[0])
        assert list(unknown_in_xml(root if service == "ec2" else root[0], shape, action)) == []
