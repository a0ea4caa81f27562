"""The fake AWS: what the other tests rely on, asked by real boto3 clients over a socket and in process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from typing import Any
from xml.etree import ElementTree

import boto3
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

SERVED, ATTACHED = boto3.Session(), boto3.Session()
attach(FAKE_AWS, ATTACHED)


@pytest.fixture
def fake_aws(world: World) -> FakeAws:
    FAKE_AWS.reset(world)
    return FAKE_AWS


@cache
def attached_client(service: str, config: Config, **arguments: Any) -> Client:
    return ATTACHED.client(service, config=config, **arguments)


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
        given: dict[str, Any] = {"endpoint_url": server.url, **fake_aws.world.credentials()}
        made.append(SERVED.client(service, "eu-west-1", config=config, **given))
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


def test_images_that_the_call_does_not_ask_for_are_hidden(world: World, attached: Clients) -> None:
    region, other, ec2 = world.region(), world.region(account_id=OTHER), attached()
    web = region.add_image().image_id
    disabled = region.add_image(state="disabled").image_id
    shared = other.add_image(shared_with=(DEFAULT_ACCOUNT,)).image_id
    private = other.add_image().image_id
    old = other.add_image(deprecated=world.clock(), public=True).image_id

    def ids(**question: Any) -> set[str]:
        return {image["ImageId"] for image in ec2.describe_images(**question)["Images"]}

    assert ids() == {web, shared}
    assert ids(Owners=["self"], IncludeDisabled=True) == {web, disabled}
    assert ids(Owners=[OTHER], IncludeDeprecated=True) == {shared, old}
    assert ids(Filters=[{"Name": "image-id", "Values": ["x", web]}]) == {web}
    for wrong in ({"Name": "colour", "Values": ["red"]}, {"Name": "image-id", "Values": ["x"] * 201}):
        with pytest.raises(ClientError, match=r"InvalidParameterValue|FilterLimitExceeded"):
            ids(Filters=[wrong])
    with pytest.raises(ClientError, match=rf"NotFound.*\[{private}, {ABSENT}\]' do not exist"):
        ids(ImageIds=[web, private, ABSENT])


def test_a_deregistered_image_is_left_out_while_an_instance_of_it_exists(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    image = region.add_image()
    instance = region.add_instance(image.image_id)
    ec2.deregister_image(ImageId=image.image_id)
    assert ec2.describe_images(ImageIds=[image.image_id])["Images"] == []
    instance.state = "terminated"
    assert code_of(ec2.describe_images, ImageIds=[image.image_id]) == "InvalidAMIID.NotFound"


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


def test_a_region_must_be_enabled(world: World, attached: Clients) -> None:
    opt_in = {"eu-west-1": "opt-in-not-required", "ap-east-1": "not-opted-in", "eu-south-1": "opted-in"}
    world.account().opt_in = opt_in
    shown = [region["RegionName"] for region in attached().describe_regions()["Regions"]]
    assert shown == ["eu-west-1", "eu-south-1"]
    assert code_of(attached(region_name="ap-east-1").describe_images) == "AuthFailure"


# --- pages ----------------------------------------------------------------------------------------------------


def test_pages_have_bounds_and_tokens_their_own_parameters(world: World, attached: Clients) -> None:
    ec2, unchecked, auto_scaling = attached(), attached(config=UNCHECKED), attached("autoscaling")
    made = [world.region().add_image().image_id for _ in range(6)]
    token = ec2.describe_images(Owners=["self"], MaxResults=5)["NextToken"]
    versions = partial(unchecked.describe_launch_template_versions, Versions=["$Latest"])
    for ask, wrong in ((unchecked.describe_instances, (4, 1001)), (versions, (0, 201))):
        assert {code_of(ask, MaxResults=size) for size in wrong} == {"InvalidParameterValue"}
    assert code_of(auto_scaling.describe_launch_configurations, MaxRecords=101) == "ValidationError"
    assert code_of(ec2.describe_images, ImageIds=made[:1], MaxResults=5) == "InvalidParameterCombination"
    assert code_of(ec2.describe_images, NextToken=token) == "InvalidParameterValue"
    assert len(ec2.describe_images(Owners=["self"], NextToken=token)["Images"]) == 1


def test_short_and_blank_pages(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    made = [world.region().add_image().image_id for _ in range(5)]
    fake_aws.pager.cap, fake_aws.pager.blank_pages = 2, True
    pages = list(attached().get_paginator("describe_images").paginate(Owners=["self"]))
    assert [len(page["Images"]) for page in pages] == [0, 2, 0, 2, 0, 1]
    assert [image["ImageId"] for page in pages for image in page["Images"]] == made


# --- changes --------------------------------------------------------------------------------------------------


def test_changes_that_aws_refuses(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    protected = region.add_image(deregistration_protection="enabled").image_id
    for change, image_id, code in (
        (ec2.deregister_image, protected, "OperationNotPermitted"),
        (ec2.deregister_image, "ami-9", "InvalidAMIID.Malformed"),
        (ec2.disable_image, region.add_image(state="failed").image_id, "InvalidAMIID.Unavailable"),
        (ec2.enable_image, ABSENT, "InvalidAMIID.NotFound"),
    ):
        assert code_of(change, ImageId=image_id) == code


def test_snapshots_go_after_their_image_and_come_back_before_it(world: World, time: Time, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    for kind in ("EC2_IMAGE", "EBS_SNAPSHOT"):
        region.add_retention_rule(kind)
    image = region.add_image()
    snapshot = {"SnapshotId": image.snapshot_ids[0]}
    restore = partial(ec2.restore_image_from_recycle_bin, ImageId=image.image_id)
    assert code_of(ec2.delete_snapshot, **snapshot) == "InvalidSnapshot.InUse"
    ec2.deregister_image(ImageId=image.image_id)
    ec2.delete_snapshot(**snapshot)
    assert code_of(ec2.delete_snapshot, **snapshot) == code_of(restore) == "InvalidSnapshot.NotFound"
    world.recovery = timedelta(seconds=30)
    ec2.restore_snapshot_from_recycle_bin(**snapshot)
    assert code_of(restore) == "IncorrectState"
    time.sleep(30)
    assert restore()["Return"] is True


def test_a_rule_of_the_recycle_bin_retains_what_it_matches(world: World, time: Time, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    region.add_retention_rule(days=3)
    region.add_retention_rule(days=5, match={"role": "web"})
    region.add_retention_rule(days=9, match={"role": "db"})
    region.add_retention_rule(days=9, exclude={"role": None})
    region.add_retention_rule(days=9, status="pending")
    ec2.deregister_image(ImageId=region.add_image(tags={"role": "web"}).image_id)
    [shown] = ec2.list_images_in_recycle_bin()["Images"]
    assert shown["RecycleBinExitTime"] - shown["RecycleBinEnterTime"] == timedelta(days=5)
    time.sleep(5 * 86400)
    assert ec2.list_images_in_recycle_bin()["Images"] == []


# --- permissions and failures ---------------------------------------------------------------------------------


def test_a_role_is_assumed_by_those_that_it_trusts_until_its_credentials_expire(
    world: World, time: Time, attached: Clients
) -> None:
    assume = {"RoleArn": world.add_role(OTHER, trusted=[DEFAULT_ACCOUNT]).arn, "RoleSessionName": "test"}
    assert code_of(attached("sts", account="333333333333").assume_role, **assume) == "AccessDenied"
    given = attached("sts").assume_role(**assume)["Credentials"]
    ec2 = attached(aws_access_key_id=given["AccessKeyId"], aws_session_token=given["SessionToken"])
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    time.sleep(3600)
    assert code_of(ec2.describe_images) == "RequestExpired"


def test_permissions(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    image_id = world.region().add_image().image_id
    fake_aws.allow = {"ec2:DescribeImages"}
    fake_aws.allow_in[OTHER] = set()
    attached().describe_images(Owners=["self"])
    with pytest.raises(ClientError, match=r"UnauthorizedOperation.*perform: ec2:DescribeInstances"):
        attached().describe_instances()
    assert code_of(attached("autoscaling").describe_auto_scaling_groups) == "AccessDenied"
    assert code_of(attached("organizations").list_accounts) == "AccessDeniedException"
    assert code_of(attached(account=OTHER).describe_images) == "UnauthorizedOperation"
    assert attached("sts").get_caller_identity()["Account"] == DEFAULT_ACCOUNT
    fake_aws.allow_via = {"ssm:*"}  # by AWS on the caller's behalf alone
    assert code_of(attached("ssm").get_parameters, Names=["a"]) == "AccessDeniedException"
    fake_aws.allow = {"ec2:Deregister*"}
    response = attached().deregister_image(ImageId=image_id, DeleteAssociatedSnapshots=True)
    assert [result["ReturnCode"] for result in response["DeleteSnapshotResults"]] == ["missing-permissions"]


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


def test_an_injected_failure_selects_its_calls(world: World, fake_aws: FakeAws, attached: Clients) -> None:
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


# --- rates ----------------------------------------------------------------------------------------------------


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
