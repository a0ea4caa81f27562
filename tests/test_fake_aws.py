"""The fake AWS, asked by real boto3 clients, over a socket and inside the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from tests.fake_aws import DEFAULT_ACCOUNT, BlockDevice, FakeAws, Fault, ManualClock, World, attach, serve
from tests.fake_aws.core import SERVICES
from tests.fake_aws.resources import Image
from tests.fake_aws.scenario import Size, fill, from_json

pytestmark = pytest.mark.once
OTHER = "210987654321"
ONCE = Config(retries={"total_max_attempts": 1})
IMPATIENT = Config(retries={"total_max_attempts": 1}, read_timeout=0.1)

LOADER = botocore.session.Session().get_component("data_loader")

Client = Any
Clients = Callable[..., Client]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def world(clock: ManualClock) -> World:
    return World(clock)


@pytest.fixture
def fake_aws(world: World, clock: ManualClock) -> FakeAws:
    return FakeAws(world, sleep=clock.sleep)


def session_of(world: World, account: str, given: dict[str, str]) -> boto3.Session:
    """A session whose service models were read before: reading them takes longer than any test."""
    core = botocore.session.Session()
    core.register_component("data_loader", LOADER)
    arguments: dict[str, Any] = {"region_name": "eu-west-1"} | world.credentials(account) | given
    return boto3.Session(botocore_session=core, **arguments)


@pytest.fixture
def attached(fake_aws: FakeAws) -> Clients:
    """Clients without sockets."""

    def make(service: str = "ec2", account: str = DEFAULT_ACCOUNT, config: Config = ONCE, **given: str) -> Client:
        session: Any = session_of(fake_aws.world, account, given)
        attach(fake_aws, session)
        return session.client(service, config=config)

    return make


@pytest.fixture
def served(fake_aws: FakeAws) -> Iterator[Clients]:
    """Clients that speak to the URL."""
    made: list[Client] = []

    def make(service: str = "ec2", account: str = DEFAULT_ACCOUNT, config: Config = ONCE, **given: str) -> Client:
        session: Any = session_of(fake_aws.world, account, given)
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


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


# --- reading ---------------------------------------------------------------------------------------------


def test_an_image_comes_as_boto3_shows_it(world: World, clients: Clients) -> None:
    image = world.region().add_image(
        "web <1> & ä",
        created=datetime(2024, 2, 3, 4, 5, 6, 789000, tzinfo=UTC),
        tags={"role": "web"},
        snapshots=[8, 100],
        last_launched=datetime(2024, 3, 1, tzinfo=UTC),
        deregistration_protection="enabled-with-cooldown",
    )
    [shown] = clients().describe_images(Owners=["self"])["Images"]
    assert shown["ImageId"] == image.image_id
    assert shown["Name"] == "web <1> & ä"
    assert shown["CreationDate"] == "2024-02-03T04:05:06.789Z"
    assert shown["State"] == "available"
    assert shown["OwnerId"] == DEFAULT_ACCOUNT
    assert shown["Public"] is False
    assert shown["Tags"] == [{"Key": "role", "Value": "web"}]
    assert shown["LastLaunchedTime"] == "2024-03-01T00:00:00.000Z"
    assert shown["DeregistrationProtection"] == "enabled-with-cooldown"
    sizes = [(device["Ebs"]["SnapshotId"], device["Ebs"]["VolumeSize"]) for device in shown["BlockDeviceMappings"]]
    assert sizes == list(zip(image.snapshot_ids, [8, 100], strict=True))


def test_a_change_shows_at_once(world: World, attached: Clients) -> None:
    image = world.region().add_image("old", tags={"a": "1"})
    ec2 = attached()
    ec2.describe_images(Owners=["self"])
    image.name = "new"
    image.tags["a"] = "2"
    image.block_devices = (BlockDevice(None, device="/dev/sdb", virtual_name="ephemeral0"),)
    [shown] = ec2.describe_images(Owners=["self"])["Images"]
    assert (shown["Name"], shown["Tags"]) == ("new", [{"Key": "a", "Value": "2"}])
    assert shown["BlockDeviceMappings"] == [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}]


def test_hostile_answers_can_be_given(world: World, attached: Clients) -> None:
    image = world.region().add_image(state="resting")
    image.omit = {"CreationDate", "Name"}
    image.extra = {"BootMode": "uefi"}
    [shown] = attached().describe_images(Owners=["self"])["Images"]
    assert shown["State"] == "resting"
    assert shown["BootMode"] == "uefi"
    assert not {"CreationDate", "Name"} & shown.keys()


def test_images_by_id_owner_state_and_filter(world: World, attached: Clients) -> None:
    region, other = world.region(), world.region(account_id=OTHER)
    web = region.add_image("web-1", tags={"role": "web"})
    disabled = region.add_image("db-1", state="disabled")
    shared = other.add_image("theirs", shared_with=(DEFAULT_ACCOUNT,))
    public = other.add_image("everyone's", public=True)
    private = other.add_image("secret")
    region.add_image("unused", deprecated=world.clock(), state="disabled")
    old = other.add_image("their old one", deprecated=world.clock(), public=True)
    ec2 = attached()

    def ids(**question: Any) -> set[str]:
        return {image["ImageId"] for image in ec2.describe_images(**question)["Images"]}

    assert ids(Owners=["self"]) == {web.image_id}
    assert {disabled.image_id, web.image_id} < ids(Owners=["self"], IncludeDisabled=True)
    assert old.image_id in ids(IncludeDeprecated=True)
    assert ids() == {web.image_id, shared.image_id, public.image_id}
    assert ids(Owners=[OTHER]) == {shared.image_id, public.image_id}
    assert ids(ImageIds=[web.image_id]) == {web.image_id}
    for name, value in {"name": "w?b-*", "tag:role": "web", "tag-key": "role", "state": "available"}.items():
        assert ids(Owners=["self"], Filters=[{"Name": name, "Values": [value]}]) == {web.image_id}
    assert ids(Owners=["self"], Filters=[{"Name": "name", "Values": [r"web-\*"]}]) == set()
    assert code_of(lambda: ids(Filters=[{"Name": "colour", "Values": ["red"]}])) == "InvalidParameterValue"
    assert code_of(lambda: ids(ImageIds=["ami-xyz"])) == "InvalidAMIID.Malformed"
    gone = "ami-0123456789abcdef0"
    with pytest.raises(ClientError, match=rf"\[{private.image_id}, {gone}\]' do not exist") as caught:
        ids(ImageIds=[web.image_id, private.image_id, gone])
    assert caught.value.response["Error"]["Code"] == "InvalidAMIID.NotFound"
    with pytest.raises(ClientError, match=rf"The image id '\[{gone}\]' does not exist"):
        ids(ImageIds=[gone])


def test_an_image_that_went_is_only_missing_while_an_instance_lives(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    image = region.add_image()
    instance = region.add_instance(image.image_id)
    ec2.deregister_image(ImageId=image.image_id)
    assert ec2.describe_images(ImageIds=[image.image_id])["Images"] == []
    instance.state = "terminated"
    assert code_of(lambda: ec2.describe_images(ImageIds=[image.image_id])) == "InvalidAMIID.NotFound"


def test_launch_permissions(world: World, attached: Clients) -> None:
    organization = f"arn:aws:organizations::{OTHER}:organization/o-1"
    unit = f"arn:aws:organizations::{OTHER}:ou/o-1/ou-1"
    region, ec2 = world.region(), attached()
    image = region.add_image(public=True, shared_with=(OTHER,), organizations=(organization, unit))
    answer = ec2.describe_image_attribute(ImageId=image.image_id, Attribute="launchPermission")
    assert answer["ImageId"] == image.image_id
    assert answer["LaunchPermissions"] == [
        {"Group": "all"},
        {"UserId": OTHER},
        {"OrganizationArn": organization},
        {"OrganizationalUnitArn": unit},
    ]
    answer = ec2.describe_image_attribute(ImageId=image.image_id, Attribute="deregistrationProtection")
    assert answer["DeregistrationProtection"] == {"Value": "disabled"}
    theirs = world.region(account_id=OTHER).add_image(public=True).image_id
    assert code_of(lambda: ec2.describe_image_attribute(ImageId=theirs, Attribute="launchPermission")) == "AuthFailure"


def test_instances(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    first = region.add_instance("ami-00000001", reservation_id="r-1")
    second = region.add_instance("ami-00000002", state="stopped", reservation_id="r-1")
    managed = region.add_instance("ami-00000003", managed=True)

    def ids(**question: Any) -> list[list[str]]:
        found = ec2.describe_instances(**question)["Reservations"]
        return [[instance["InstanceId"] for instance in entry["Instances"]] for entry in found]

    assert ids() == [[first.instance_id, second.instance_id]]
    assert ids(IncludeManagedResources=True)[1] == [managed.instance_id]
    assert ids(Filters=[{"Name": "instance-state-name", "Values": ["stopped", "running"]}]) == ids()
    assert ids(Filters=[{"Name": "instance-state-name", "Values": ["stopped"]}]) == [[second.instance_id]]
    assert ids(InstanceIds=[first.instance_id]) == [[first.instance_id]]
    assert code_of(lambda: ids(InstanceIds=["i-1"])) == "InvalidInstanceID.NotFound"


def test_snapshots(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    made = region.add_snapshot("Created by CreateImage(i-1) for ami-00000001", size=20)
    region.add_snapshot("daily", state="pending")

    def ids(**question: Any) -> list[str]:
        found = ec2.describe_snapshots(OwnerIds=["self"], **question)["Snapshots"]
        return [snapshot["SnapshotId"] for snapshot in found]

    assert len(ids()) == 2
    assert ids(Filters=[{"Name": "description", "Values": ["Created by CreateImage(*", "Copied for*"]}]) == [
        made.snapshot_id
    ]
    assert ids(Filters=[{"Name": "status", "Values": ["completed"]}]) == [made.snapshot_id]
    assert ids(SnapshotIds=[made.snapshot_id]) == [made.snapshot_id]
    assert code_of(lambda: ids(SnapshotIds=["snap-00000009"])) == "InvalidSnapshot.NotFound"
    assert ec2.describe_snapshots(SnapshotIds=[made.snapshot_id])["Snapshots"][0]["StartTime"] == world.clock()


def test_launch_templates(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    images: list[dict[str, str]] = [{"ImageId": f"ami-0000000{number}"} for number in range(1, 4)]
    template = region.add_launch_template("web", images, default=2)
    alias = region.add_launch_template("alias", [{"ImageId": "resolve:ssm:/web/ami:7"}])
    hidden = region.add_launch_template("hidden", [{}], managed=True)

    def versions(**question: Any) -> list[tuple[str, int, str | None]]:
        return [
            (entry["LaunchTemplateName"], entry["VersionNumber"], entry["LaunchTemplateData"].get("ImageId"))
            for entry in ec2.describe_launch_template_versions(**question)["LaunchTemplateVersions"]
        ]

    both = {"Versions": ["$Latest", "$Default"]}
    web = {"LaunchTemplateId": template.template_id}
    assert versions(**both) == [
        ("web", 2, "ami-00000002"),
        ("web", 3, "ami-00000003"),
        ("alias", 1, "resolve:ssm:/web/ami:7"),
    ]
    assert versions(**both, IncludeManagedResources=True)[-1] == ("hidden", 1, None)
    assert versions(LaunchTemplateName="web") == [("web", n, f"ami-0000000{n}") for n in (1, 2, 3)]
    assert versions(**web, Versions=["1", "$Latest"]) == [
        ("web", 1, "ami-00000001"),
        ("web", 3, "ami-00000003"),
    ]
    assert code_of(lambda: versions(**web, Versions=["9"])) == "InvalidLaunchTemplateId.VersionNotFound"
    assert code_of(lambda: versions(Versions=["1"])) == "InvalidParameterCombination"
    assert code_of(versions) == "MissingParameter"
    assert code_of(lambda: versions(LaunchTemplateId="lt-9")) == "InvalidLaunchTemplateId.NotFound"
    gone = "InvalidLaunchTemplateName.NotFoundException"
    assert code_of(lambda: versions(LaunchTemplateName="nope")) == gone
    assert code_of(lambda: ec2.describe_launch_templates(LaunchTemplateNames=["hidden"])) == gone
    shown = ec2.describe_launch_templates(LaunchTemplateIds=[template.template_id])["LaunchTemplates"][0]
    assert (shown["DefaultVersionNumber"], shown["LatestVersionNumber"]) == (2, 3)
    everything = ec2.describe_launch_templates(IncludeManagedResources=True)["LaunchTemplates"]
    assert [entry["LaunchTemplateId"] for entry in everything] == [
        template.template_id,
        alias.template_id,
        hidden.template_id,
    ]
    assert everything[2]["Operator"]["HiddenByDefault"] is True


def test_spot_and_fleets(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    specification = {"LaunchTemplateId": "lt-1", "Version": "2"}
    configs = [{"LaunchTemplateSpecification": specification, "Overrides": [{"ImageId": "ami-00000002"}]}]
    region.add_spot_fleet(launch_specifications=[{"ImageId": "ami-00000001"}])
    region.add_spot_fleet("cancelled_running", launch_template_configs=[{"LaunchTemplateSpecification": specification}])
    region.add_spot_request("ami-00000003", "active")
    region.add_fleet("deleted_running", launch_template_configs=configs)
    instant = region.add_fleet(type="instant")
    first, second = ec2.describe_spot_fleet_requests()["SpotFleetRequestConfigs"]
    assert first["SpotFleetRequestConfig"]["LaunchSpecifications"] == [{"ImageId": "ami-00000001"}]
    assert second["SpotFleetRequestState"] == "cancelled_running"
    template = second["SpotFleetRequestConfig"]["LaunchTemplateConfigs"][0]["LaunchTemplateSpecification"]
    assert template == specification
    [request] = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert (request["State"], request["LaunchSpecification"]["ImageId"]) == ("active", "ami-00000003")
    [fleet] = ec2.describe_fleets()["Fleets"]
    assert fleet["LaunchTemplateConfigs"] == configs
    question = [{"Name": "fleet-state", "Values": ["deleted-running"]}]
    assert ec2.describe_fleets(Filters=question)["Fleets"] == [fleet]
    assert ec2.describe_fleets(FleetIds=[instant.fleet_id])["Fleets"][0]["Type"] == "instant"


def test_regions(world: World, attached: Clients) -> None:
    world.account().opt_in = {
        "eu-west-1": "opt-in-not-required",
        "ap-east-1": "not-opted-in",
        "eu-south-1": "opted-in",
    }
    ec2 = attached()

    def names(**question: Any) -> list[str]:
        return [region["RegionName"] for region in ec2.describe_regions(**question)["Regions"]]

    assert names() == ["eu-west-1", "eu-south-1"]
    assert names(AllRegions=True) == ["eu-west-1", "ap-east-1", "eu-south-1"]
    assert names(AllRegions=True, Filters=[{"Name": "opt-in-status", "Values": ["not-*"]}]) == ["ap-east-1"]
    assert code_of(attached(region_name="ap-east-1").describe_images) == "AuthFailure"
    assert code_of(attached("sts", region_name="ap-east-1").get_caller_identity) == "InvalidClientTokenId"


def test_auto_scaling(world: World, clients: Clients) -> None:
    region, client = world.region(), clients("autoscaling")
    specification = {"LaunchTemplateName": "web", "Version": "$Latest"}
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": specification,
            "Overrides": [{"InstanceType": "t3.micro", "ImageId": "ami-00000002"}],
        }
    }
    region.add_launch_configuration("ami-00000001", "lc")
    region.add_group("plain", launch_configuration="lc", tags={"a": "b"})
    region.add_group("template", launch_template=specification)
    region.add_group("mixed", mixed_instances_policy=policy, managed=True)
    region.add_refresh("mixed", {"LaunchTemplate": specification}, status="Baking")
    groups = client.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert [group.get("LaunchConfigurationName") for group in groups] == ["lc", None, None]
    assert groups[1]["LaunchTemplate"] == specification
    assert groups[2]["MixedInstancesPolicy"] == policy
    assert len(client.describe_auto_scaling_groups(IncludeManagedResources=False)["AutoScalingGroups"]) == 2
    named = client.describe_auto_scaling_groups(AutoScalingGroupNames=["plain", "nope"])["AutoScalingGroups"]
    assert named == groups[:1]
    [configuration] = client.describe_launch_configurations(LaunchConfigurationNames=[])["LaunchConfigurations"]
    assert configuration["ImageId"] == "ami-00000001"
    [refresh] = client.describe_instance_refreshes(AutoScalingGroupName="mixed")["InstanceRefreshes"]
    assert (refresh["Status"], refresh["DesiredConfiguration"]) == (
        "Baking",
        {"LaunchTemplate": specification},
    )
    unknown = code_of(lambda: client.describe_instance_refreshes(AutoScalingGroupName="nope"))
    assert unknown == "ValidationError"
    unchecked = clients("autoscaling", config=ONCE.merge(Config(parameter_validation=False)))
    empty = code_of(lambda: unchecked.describe_launch_configurations(LaunchConfigurationNames=[""]))
    assert empty == "ValidationError"


def test_parameters(world: World, clients: Clients) -> None:
    region, client = world.region(), clients("ssm")
    web = region.add_parameter("/web/ami", "ami-3", history=["ami-1", "ami-2"], labels={"stable": 2})
    region.add_parameter("plain", "ami-9")
    shared = world.region(account_id=OTHER).add_parameter("/theirs", "ami-8")

    def values(*names: str) -> tuple[list[str], list[str]]:
        answer = client.get_parameters(Names=list(names))
        return [entry["Value"] for entry in answer["Parameters"]], answer["InvalidParameters"]

    assert values("plain", "/web/ami") == (["ami-3", "ami-9"], [])
    assert values("/web/ami:1", "/web/ami:stable", "/web/ami:9", "nope") == (
        ["ami-1", "ami-2"],
        ["/web/ami:9", "nope"],
    )
    assert values(web.arn, f"{web.arn}:1") == (["ami-3", "ami-1"], [])
    assert values(shared.arn) == ([], [shared.arn])
    shared.shared_with.add(DEFAULT_ACCOUNT)
    assert values(shared.arn) == (["ami-8"], [])
    found = client.get_parameter(Name="/web/ami:stable")["Parameter"]
    assert (found["Name"], found["Selector"], found["Version"]) == ("/web/ami", ":stable", 2)
    assert found["LastModifiedDate"] == world.clock()
    assert code_of(lambda: client.get_parameter(Name="nope")) == "ParameterNotFound"
    assert code_of(lambda: client.get_parameter(Name="plain:4")) == "ParameterVersionNotFound"
    assert code_of(lambda: values(*(str(number) for number in range(11)))) == "ValidationException"


# --- references ------------------------------------------------------------------------------------------


def test_references(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    ids = [f"ami-0000000{number}" for number in range(6)]
    instance = region.add_instance(ids[0], state="terminated")
    template = region.add_launch_template(versions=[{"ImageId": ids[1]}, *[{"ImageId": "ami-00000009"}] * 10])
    parameter = region.add_parameter("/web/ami", ids[2])
    region.add_recipe(ids[3])
    region.add_recipe(ids[4], container=True)
    world.region(account_id=OTHER).add_instance(ids[5])

    def found(**question: Any) -> dict[str, str]:
        pages = ec2.get_paginator("describe_image_references").paginate(ImageIds=ids, **question)
        return {entry["ResourceType"]: entry["Arn"] for page in pages for entry in page["ImageReferences"]}

    everything = found(IncludeAllResourceTypes=True)
    assert everything["ec2:Instance"].endswith(f":{DEFAULT_ACCOUNT}:instance/{instance.instance_id}")
    assert everything["ssm:Parameter"] == parameter.arn
    assert everything.keys() == {
        "ec2:Instance",
        "ssm:Parameter",
        "imagebuilder:ImageRecipe",
        "imagebuilder:ContainerRecipe",
    }
    live = {"OptionName": "state-name", "OptionValues": ["running", "stopped"]}
    deep = {"OptionName": "version-depth", "OptionValues": ["11"]}
    narrowed = found(
        ResourceTypes=[
            {"ResourceType": "ec2:Instance", "ResourceTypeOptions": [live]},
            {"ResourceType": "ec2:LaunchTemplate", "ResourceTypeOptions": [deep]},
        ]
    )
    assert list(narrowed) == ["ec2:LaunchTemplate"]
    assert narrowed["ec2:LaunchTemplate"].endswith(template.template_id)
    assert code_of(found) == "MissingParameter"
    unchecked = attached(config=ONCE.merge(Config(parameter_validation=False)))
    for wrong in ([], ["ami-00000001"] * 11):
        ask = {"ImageIds": wrong, "IncludeAllResourceTypes": True}
        assert code_of(partial(unchecked.describe_image_references, **ask)) == "InvalidParameterValue"
    fake_aws.pager.cap = 1
    assert found(IncludeAllResourceTypes=True) == everything


def test_references_need_the_callers_own_rights(fake_aws: FakeAws, attached: Clients) -> None:
    ec2 = attached()

    def ask() -> list[Any]:
        kinds = [{"ResourceType": "ssm:Parameter"}]
        found: list[Any] = ec2.describe_image_references(ImageIds=["ami-00000001"], ResourceTypes=kinds)["ImageReferences"]
        return found

    fake_aws.allow = {"ec2:DescribeImageReferences", "ssm:DescribeParameters"}
    with pytest.raises(ClientError, match="ssm:GetParameters") as caught:
        ask()
    assert caught.value.response["Error"]["Code"] == "UnauthorizedOperation"
    fake_aws.allow_via = {"ssm:*"}
    assert ask() == []
    assert code_of(lambda: attached("ssm").get_parameters(Names=["a"])) == "AccessDeniedException"


# --- pages -----------------------------------------------------------------------------------------------


def test_pages_and_their_bounds(world: World, fake_aws: FakeAws, clients: Clients) -> None:
    region, ec2 = world.region(), clients()
    for _ in range(12):
        image_id = region.add_image(snapshots=[]).image_id
        region.add_instance(image_id)
        region.add_launch_template(versions=[{"ImageId": image_id}])
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 12
    pages = list(ec2.get_paginator("describe_images").paginate(Owners=["self"], PaginationConfig={"PageSize": 5}))
    assert [len(page["Images"]) for page in pages] == [5, 5, 2]
    assert [call.page for call in fake_aws.calls.of("DescribeImages")] == [1, 1, 2, 3]
    token = pages[0]["NextToken"]
    for wrong in (4, 1001):
        assert code_of(partial(ec2.describe_instances, MaxResults=wrong)) == "InvalidParameterValue"
    unchecked = clients(config=ONCE.merge(Config(parameter_validation=False)))
    for wrong in (0, 201):
        question = {"Versions": ["$Latest"], "MaxResults": wrong}
        code = code_of(partial(unchecked.describe_launch_template_versions, **question))
        assert code == "InvalidParameterValue"
    # Ids and pages do not go together; a token holds for its own question only, and not for ever.
    both = {"ImageIds": [image_id], "MaxResults": 5}
    assert code_of(lambda: ec2.describe_images(**both)) == "InvalidParameterCombination"
    assert code_of(lambda: ec2.describe_images(NextToken="x")) == "InvalidParameterValue"
    assert code_of(lambda: ec2.describe_images(NextToken=token)) == "InvalidParameterValue"
    assert len(ec2.describe_images(Owners=["self"], NextToken=token)["Images"]) == 7
    fake_aws.pager.expire()
    assert code_of(lambda: ec2.describe_images(Owners=["self"], NextToken=token)) == "InvalidParameterValue"


def test_auto_scaling_pages_by_itself(world: World, attached: Clients) -> None:
    for number in range(120):
        world.region().add_launch_configuration("ami-00000001", f"lc-{number}")
    client = attached("autoscaling")
    paginator = client.get_paginator("describe_launch_configurations")

    def sizes(**config: int) -> list[int]:
        return [len(page["LaunchConfigurations"]) for page in paginator.paginate(PaginationConfig=config)]

    assert sizes() == [50, 50, 20]
    assert sizes(PageSize=100) == [100, 20]
    assert code_of(lambda: client.describe_launch_configurations(MaxRecords=101)) == "ValidationError"
    assert code_of(lambda: client.describe_launch_configurations(NextToken="x")) == "InvalidNextToken"


def test_short_and_blank_pages(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    made = [world.region().add_image().image_id for _ in range(5)]
    fake_aws.pager.cap, fake_aws.pager.blank_pages = 2, True
    pages = list(attached().get_paginator("describe_images").paginate(Owners=["self"]))
    assert [len(page["Images"]) for page in pages] == [0, 2, 0, 2, 0, 1]
    assert [image["ImageId"] for page in pages for image in page["Images"]] == made


def test_deletions_between_pages_move_nothing(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    made = [region.add_image().image_id for _ in range(10)]
    first = ec2.describe_images(Owners=["self"], MaxResults=5)
    for image_id in made[:5]:
        ec2.deregister_image(ImageId=image_id)
    second = ec2.describe_images(Owners=["self"], MaxResults=5, NextToken=first["NextToken"])
    assert [image["ImageId"] for image in second["Images"]] == made[5:]
    assert "NextToken" not in second


# --- deleting --------------------------------------------------------------------------------------------


def test_deregister_with_its_snapshots(world: World, clients: Clients) -> None:
    region, ec2 = world.region(), clients()
    image = region.add_image(snapshots=[8, 9, 10])
    ours, both, stuck = image.snapshot_ids
    region.add_image(snapshots=[both], state="disabled")
    region.snapshots[stuck].return_code = "internal-error"
    answer = ec2.deregister_image(ImageId=image.image_id, DeleteAssociatedSnapshots=True)
    assert answer["Return"] is True
    assert answer["DeleteSnapshotResults"] == [
        {"SnapshotId": ours, "ReturnCode": "success"},
        {"SnapshotId": both, "ReturnCode": "skipped"},
        {"SnapshotId": stuck, "ReturnCode": "internal-error"},
    ]
    assert region.snapshots.keys() == {both, stuck}
    again = code_of(lambda: ec2.deregister_image(ImageId=image.image_id))
    assert again == "InvalidAMIID.Unavailable"


def test_deregister_refusals(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    protected = region.add_image(deregistration_protection="enabled-without-cooldown").image_id
    theirs = world.region(account_id=OTHER).add_image(public=True).image_id
    expected = {
        protected: "OperationNotPermitted",
        theirs: "AuthFailure",
        "ami-00000009": "InvalidAMIID.NotFound",
        "ami-9": "InvalidAMIID.Malformed",
    }
    for image_id, code in expected.items():
        assert code_of(partial(ec2.deregister_image, ImageId=image_id)) == code
    assert code_of(lambda: ec2.deregister_image(ImageId=protected, DryRun=True)) == "DryRunOperation"
    assert protected in region.images


def test_deregister_of_an_emulator_gives_no_results(world: World, attached: Clients) -> None:
    world.deletes_associated = False
    image = world.region().add_image()
    answer = attached().deregister_image(ImageId=image.image_id, DeleteAssociatedSnapshots=True)
    assert "DeleteSnapshotResults" not in answer
    assert list(world.region().snapshots) == image.snapshot_ids


def test_deregister_without_the_right_to_delete_snapshots(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    image = world.region().add_image()
    fake_aws.allow = {"ec2:Deregister*"}
    answer = attached().deregister_image(ImageId=image.image_id, DeleteAssociatedSnapshots=True)
    assert [result["ReturnCode"] for result in answer["DeleteSnapshotResults"]] == ["missing-permissions"]


def test_delete_snapshot(world: World, clients: Clients) -> None:
    region, ec2 = world.region(), clients()
    image = region.add_image()
    [held] = image.snapshot_ids
    with pytest.raises(ClientError, match=f"{held} is currently in use by {image.image_id}") as caught:
        ec2.delete_snapshot(SnapshotId=held)
    assert caught.value.response["Error"]["Code"] == "InvalidSnapshot.InUse"
    ec2.deregister_image(ImageId=image.image_id)
    ec2.delete_snapshot(SnapshotId=held)
    assert code_of(lambda: ec2.delete_snapshot(SnapshotId=held)) == "InvalidSnapshot.NotFound"
    backup = region.add_snapshot(tags={"aws:backup:source-resource": "arn"}).snapshot_id
    assert code_of(lambda: ec2.delete_snapshot(SnapshotId=backup)) == "InvalidParameterValue"
    locked = region.add_snapshot(refusal=("OperationNotPermitted", "locked")).snapshot_id
    assert code_of(lambda: ec2.delete_snapshot(SnapshotId=locked)) == "OperationNotPermitted"


def test_recycle_bin(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    region.add_retention_rule("EC2_IMAGE")
    region.add_retention_rule("EBS_SNAPSHOT")
    image = region.add_image("web")
    ec2.deregister_image(ImageId=image.image_id, DeleteAssociatedSnapshots=True)
    [kept] = ec2.list_images_in_recycle_bin()["Images"]
    assert (kept["ImageId"], kept["Name"]) == (image.image_id, "web")
    assert kept["RecycleBinExitTime"] - kept["RecycleBinEnterTime"] == timedelta(days=7)
    [snapshot] = ec2.list_snapshots_in_recycle_bin()["Snapshots"]
    assert [snapshot["SnapshotId"]] == image.snapshot_ids


def test_an_image_is_disabled_and_enabled(world: World, clients: Clients) -> None:
    region, ec2 = world.region(), clients()
    image = region.add_image(public=True, shared_with=(OTHER,), organizations=("arn:aws:organizations::1:ou/o-1/ou-1",))
    for _ in range(2):
        assert ec2.disable_image(ImageId=image.image_id)["Return"] is True
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    [shown] = ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"]
    assert (shown["State"], shown["Public"]) == ("disabled", False)
    assert code_of(lambda: ec2.delete_snapshot(SnapshotId=image.snapshot_ids[0])) == "InvalidSnapshot.InUse"
    for _ in range(2):
        assert ec2.enable_image(ImageId=image.image_id)["Return"] is True
    assert ec2.describe_images(Owners=["self"])["Images"][0]["State"] == "available"
    answer = ec2.describe_image_attribute(ImageId=image.image_id, Attribute="launchPermission")
    assert answer["LaunchPermissions"] == []
    failed = region.add_image(state="failed").image_id
    theirs = world.region(account_id=OTHER).add_image(public=True).image_id
    for change in (ec2.disable_image, ec2.enable_image):
        assert code_of(partial(change, ImageId=failed)) == "InvalidAMIID.Unavailable"
        assert code_of(partial(change, ImageId=theirs)) == "AuthFailure"
        assert code_of(partial(change, ImageId="ami-00000009")) == "InvalidAMIID.NotFound"


def test_tags(world: World, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    image = region.add_image(tags={"aws:dlm:managed": "yes", "old": "1"})
    ids = [image.image_id, *image.snapshot_ids]
    ec2.create_tags(Resources=ids, Tags=[{"Key": "old", "Value": "2"}, {"Key": "new", "Value": ""}])
    assert image.tags == {"aws:dlm:managed": "yes", "old": "2", "new": ""}
    assert region.snapshots[ids[1]].tags == {"old": "2", "new": ""}
    ec2.delete_tags(Resources=[ids[0]], Tags=[{"Key": "old", "Value": "1"}, {"Key": "new"}, {"Key": "none"}])
    assert image.tags == {"aws:dlm:managed": "yes", "old": "2"}
    reserved = {"Resources": ids, "Tags": [{"Key": "aws:x", "Value": ""}]}
    assert code_of(lambda: ec2.create_tags(**reserved)) == "InvalidParameterValue"
    many = {"Resources": ids, "Tags": [{"Key": str(number), "Value": ""} for number in range(50)]}
    assert code_of(lambda: ec2.create_tags(**many)) == "TagLimitExceeded"
    absent = {"Resources": [ids[0], "snap-00000009"], "Tags": [{"Key": "a", "Value": "b"}]}
    assert code_of(lambda: ec2.create_tags(**absent)) == "InvalidSnapshot.NotFound"
    ec2.delete_tags(Resources=ids)
    assert (image.tags, region.snapshots[ids[1]].tags) == ({"aws:dlm:managed": "yes"}, {})


def test_retention_rules(world: World, fake_aws: FakeAws, clients: Clients) -> None:
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
    assert code_of(lambda: rbin.get_rule(Identifier="none")) == "ResourceNotFoundException"
    fake_aws.allow = {"rbin:ListRules"}
    assert code_of(lambda: rbin.get_rule(Identifier=first.rule_id)) == "AccessDeniedException"


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
        ([{"resource_type": "EBS_VOLUME"}], 0),
    ],
)
def test_a_rule_puts_an_image_into_the_bin(world: World, rules: list[dict[str, Any]], days: int) -> None:
    region = world.region()
    for rule in rules:
        region.add_retention_rule(**rule)
    image = region.add_image(tags={"role": "web"})
    region.retain(image)
    entry = region.recycled_images.get(image.image_id)
    assert (entry.exits - entry.entered if entry else timedelta(0)) == timedelta(days=days)


def test_restore(world: World, clock: ManualClock, clients: Clients) -> None:
    region, ec2 = world.region(), clients()
    region.add_retention_rule("EC2_IMAGE", 7)
    region.add_retention_rule("EBS_SNAPSHOT", 14)
    image = region.add_image("web", tags={"role": "web"}, shared_with=(OTHER,), snapshots=[8, 9])
    ec2.deregister_image(ImageId=image.image_id, DeleteAssociatedSnapshots=True)
    world.recovery = timedelta(seconds=30)
    first, second = image.snapshot_ids
    restore = partial(ec2.restore_image_from_recycle_bin, ImageId=image.image_id)
    assert ec2.restore_snapshot_from_recycle_bin(SnapshotId=first)["State"] == "recovering"
    assert code_of(restore) == "IncorrectState"
    clock.advance(30)
    assert code_of(restore) == "InvalidSnapshot.NotFound"
    world.recovery = timedelta(0)
    assert ec2.restore_snapshot_from_recycle_bin(SnapshotId=second)["State"] == "completed"
    assert restore()["Return"] is True
    assert ec2.describe_images(ImageIds=[image.image_id])["Images"][0]["Tags"] == [{"Key": "role", "Value": "web"}]
    assert ec2.list_images_in_recycle_bin()["Images"] == ec2.list_snapshots_in_recycle_bin()["Snapshots"] == []
    assert code_of(restore) == "InvalidAMIID.NotFound"
    assert code_of(lambda: ec2.restore_snapshot_from_recycle_bin(SnapshotId=first)) == "InvalidSnapshot.NotFound"


def test_the_bin_is_emptied_when_the_days_are_over(world: World, clock: ManualClock, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    region.recycle("ami-00000001", days=1)
    clock.advance(86400 - 1)
    assert len(ec2.list_images_in_recycle_bin()["Images"]) == 1
    clock.advance(1)
    assert ec2.list_images_in_recycle_bin()["Images"] == []


# --- who asks --------------------------------------------------------------------------------------------


def test_identity_and_roles(world: World, clock: ManualClock, clients: Clients) -> None:
    role = world.add_role(OTHER, trusted=[DEFAULT_ACCOUNT], external_id="secret")
    theirs = world.region(account_id=OTHER).add_image()
    sts = clients("sts")
    assert sts.get_caller_identity()["Account"] == DEFAULT_ACCOUNT

    def assume(**more: Any) -> dict[str, str]:
        answer = sts.assume_role(RoleArn=role.arn, RoleSessionName="test", **more)
        assert answer["Credentials"]["Expiration"] == clock() + timedelta(hours=1)
        return {
            "aws_access_key_id": answer["Credentials"]["AccessKeyId"],
            "aws_secret_access_key": answer["Credentials"]["SecretAccessKey"],
            "aws_session_token": answer["Credentials"]["SessionToken"],
        }

    assert code_of(assume) == "AccessDenied"
    assert code_of(lambda: assume(ExternalId="secret", DurationSeconds=43200)) == "ValidationError"
    credentials = assume(ExternalId="secret")
    arn = clients("sts", **credentials).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{OTHER}:assumed-role/cleaner/test"
    ec2 = clients(**credentials)
    assert ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"] == theirs.image_id
    clock.advance(3600)
    assert code_of(ec2.describe_instances) == "RequestExpired"
    assert code_of(clients("autoscaling", **credentials).describe_auto_scaling_groups) == "ExpiredToken"
    ssm = clients("ssm", **credentials)
    assert code_of(lambda: ssm.get_parameters(Names=["a"])) == "ExpiredTokenException"


def test_an_unknown_key(clients: Clients) -> None:
    assert code_of(clients(aws_access_key_id="AKIANOBODY").describe_images) == "AuthFailure"
    ssm = clients("ssm", aws_access_key_id="AKIANOBODY")
    assert code_of(lambda: ssm.get_parameter(Name="a")) == "UnrecognizedClientException"


def test_organization(world: World, attached: Clients) -> None:
    client = attached("organizations")
    assert code_of(client.list_accounts) == "AWSOrganizationsNotInUseException"
    members = [f"{number:012d}" for number in range(1, 31)]
    organization = world.add_organization(DEFAULT_ACCOUNT, members)
    organization.accounts[members[0]].state = "SUSPENDED"
    organization.accounts[members[1]].omit = {"Status"}
    pages = list(client.get_paginator("list_accounts").paginate())
    assert [len(page["Accounts"]) for page in pages] == [20, 11]
    states = [(account.get("Status"), account["State"]) for account in pages[0]["Accounts"][:3]]
    assert states == [("ACTIVE", "ACTIVE"), ("SUSPENDED", "SUSPENDED"), (None, "ACTIVE")]
    assert client.describe_organization()["Organization"]["MasterAccountId"] == DEFAULT_ACCOUNT
    member = attached("organizations", account=members[0])
    assert code_of(member.list_accounts) == "AccessDeniedException"
    organization.delegated.add(members[0])
    assert len(member.list_accounts()["Accounts"]) == 20
    assert code_of(lambda: member.list_accounts(NextToken="x")) == "InvalidInputException"


def test_allow(fake_aws: FakeAws, attached: Clients) -> None:
    fake_aws.allow = {"ec2:DescribeImages"}
    fake_aws.allow_in[OTHER] = set()
    attached().describe_images(Owners=["self"])
    with pytest.raises(ClientError, match="perform: ec2:DescribeInstances") as caught:
        attached().describe_instances()
    assert caught.value.response["Error"]["Code"] == "UnauthorizedOperation"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert code_of(attached("autoscaling").describe_auto_scaling_groups) == "AccessDenied"
    assert code_of(attached("organizations").list_accounts) == "AccessDeniedException"
    assert code_of(attached(account=OTHER).describe_images) == "UnauthorizedOperation"
    assert attached("sts").get_caller_identity()["Account"] == DEFAULT_ACCOUNT


# --- what goes wrong -------------------------------------------------------------------------------------


def test_missing_actions(fake_aws: FakeAws, clients: Clients) -> None:
    assert code_of(clients().describe_volumes) == "InvalidAction"
    assert code_of(clients("ssm").describe_parameters) == "UnknownOperationException"
    fake_aws.missing_actions = {"DescribeFleets", "ssm:*"}
    assert code_of(clients().describe_fleets) == "InvalidAction"
    assert code_of(lambda: clients("ssm").get_parameter(Name="a")) == "UnknownOperationException"
    fake_aws.missing_answer = "http500"
    with pytest.raises(ResponseParserError):
        clients().describe_fleets()
    assert clients().describe_images(Owners=["self"])["Images"] == []


def test_a_parameter_that_is_not_heeded_is_no_secret(attached: Clients) -> None:
    ec2 = attached()
    question = {"Versions": ["$Latest"], "ResolveAlias": True}
    assert code_of(lambda: ec2.describe_launch_template_versions(**question)) == "UnsupportedByFakeAws"


@pytest.mark.parametrize(
    ("fault", "expected", "acted"),
    [
        (Fault("DeregisterImage", "refuse", code="RequestExpired", status=400), "RequestExpired", False),
        (Fault("Deregister*", "throttle"), "RequestLimitExceeded", False),
        (Fault("ec2:*", "http500"), ResponseParserError, False),
        (Fault("DeregisterImage", "html"), ResponseParserError, False),
        (Fault("DeregisterImage", "http500", body=b"<html></html>"), "500", False),
        (Fault("DeregisterImage", "empty"), ResponseParserError, False),
        (Fault("DeregisterImage", "truncated"), ResponseParserError, True),
        (Fault("DeregisterImage", "cut"), ConnectionClosedError, False),
        (Fault("DeregisterImage", "lost"), ConnectionClosedError, True),
        (Fault("DeregisterImage", "cut-after"), ResponseParserError, True),
        (Fault("DeregisterImage", "hang"), ReadTimeoutError, False),
        (Fault("DeregisterImage", "hang-after"), ReadTimeoutError, True),
        (Fault("DeregisterImage", "hang", seconds=0.02), (ReadTimeoutError, ConnectionClosedError), False),
        (Fault("DeregisterImage", "unreachable"), (EndpointConnectionError, ConnectionClosedError), False),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_faults(world: World, fake_aws: FakeAws, clients: Clients, fault: Fault, expected: Any, acted: bool) -> None:
    region, ec2 = world.region(), clients()
    image_id = region.add_image().image_id
    fake_aws.faults.append(replace(fault, released=threading.Event()))
    failing = clients(config=IMPATIENT) if fault.kind.startswith("hang") else ec2
    if isinstance(expected, str):
        assert code_of(lambda: failing.deregister_image(ImageId=image_id)) == expected
    else:
        with pytest.raises(expected):
            failing.deregister_image(ImageId=image_id)
    assert (image_id not in region.images) is acted
    # Only once: the next call goes well, or finds that the first one has acted.
    if acted:
        assert code_of(lambda: ec2.deregister_image(ImageId=image_id)) == "InvalidAMIID.Unavailable"
    else:
        assert ec2.deregister_image(ImageId=image_id)["Return"] is True
    assert len(fake_aws.calls.changing()) == 2


def test_a_page_that_is_xml_too_reads_as_an_empty_answer(fake_aws: FakeAws, attached: Clients) -> None:
    fake_aws.faults.append(Fault("DescribeInstances", "xhtml"))
    ec2 = attached()
    assert ec2.describe_instances().keys() == {"ResponseMetadata"}
    assert ec2.describe_instances()["Reservations"] == []


def test_a_new_world_for_old_clients(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    world.region().add_image()
    ec2 = attached()
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
    fresh = World()
    fresh.account()
    fake_aws.reset(fresh)
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    assert fake_aws.calls.count() == 1


def test_faults_choose_their_call(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    for _ in range(12):
        world.region().add_image()
        world.region("us-east-1").add_image()
    fake_aws.faults.append(Fault("DescribeImages", "refuse", page=2, when=lambda call: call.region == "us-east-1"))

    def pages(region: str) -> list[Any]:
        paginator = attached(region_name=region).get_paginator("describe_images")
        return list(paginator.paginate(Owners=["self"], PaginationConfig={"PageSize": 5}))

    assert len(pages("eu-west-1")) == 3
    assert code_of(lambda: pages("us-east-1")) == "UnauthorizedOperation"
    assert len(pages("us-east-1")) == 3
    fake_aws.faults.append(Fault("DescribeInstances", "throttle", nth=2, times=None))
    ec2 = attached()
    ec2.describe_instances()
    for _ in range(3):
        assert code_of(ec2.describe_instances) == "RequestLimitExceeded"
    assert code_of(lambda: throttle(fake_aws, attached("autoscaling"))) == "Throttling"


def throttle(fake_aws: FakeAws, client: Client) -> None:
    fake_aws.faults.append(Fault("autoscaling:*", "throttle"))
    client.describe_auto_scaling_groups()


def test_faults_and_hooks_change_the_world(world: World, fake_aws: FakeAws, attached: Clients) -> None:
    region, ec2 = world.region(), attached()
    seen: list[int] = []
    fake_aws.faults.append(Fault("DescribeImages", "do", do=lambda *_: region.add_image("before")))
    fake_aws.faults.append(Fault("DescribeInstances", "do-after", do=lambda *_: region.add_image("after")))
    fake_aws.before("DescribeSnapshots", lambda world, call: seen.append(len(region.images)))
    fake_aws.after("DescribeSnapshots", lambda world, call: region.images.clear())
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
    ec2.describe_instances()
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 2
    ec2.describe_snapshots(OwnerIds=["self"])
    assert (seen, region.images) == ([2], {})


def test_a_client_that_retries_gets_through(world: World, fake_aws: FakeAws, served: Clients) -> None:
    world.region().add_image()
    # What does not parse is not tried again by botocore, so there is no http500 among these.
    fake_aws.faults += [
        Fault("DescribeImages", "refuse", code="InternalError", status=500),
        Fault("DescribeImages", "cut", nth=2),
    ]
    ec2 = served(config=Config(retries={"mode": "standard", "total_max_attempts": 4}))
    answer = ec2.describe_images(Owners=["self"])
    assert len(answer["Images"]) == 1
    assert [call.outcome for call in fake_aws.calls.of("DescribeImages")] == ["InternalError", "cut", "OK"]


# --- time ------------------------------------------------------------------------------------------------


def test_rates(fake_aws: FakeAws, clock: ManualClock, attached: Clients) -> None:
    fake_aws.rates.enabled = True
    ec2 = attached()

    def burst(ask: Callable[[], object]) -> int:
        """How many calls go well at this moment."""
        for number in range(200):
            try:
                ask()
            except ClientError as error:
                code, status = (
                    error.response["Error"]["Code"],
                    error.response["ResponseMetadata"]["HTTPStatusCode"],
                )
                return number if (code, status) == ("RequestLimitExceeded", 503) else -1
        return -1

    expected = {
        lambda: ec2.describe_images(Owners=["self"]): (100, 20),
        lambda: ec2.describe_instances(): (50, 10),
        lambda: ec2.describe_instances(MaxResults=1000): (100, 20),
        lambda: ec2.describe_spot_fleet_requests(): (50, 3),
    }
    for ask, (capacity, refill) in expected.items():
        assert burst(ask) == capacity
        clock.advance(1)
        assert burst(ask) == refill
    # Each Region and each account has its own buckets, and others draw on them.
    elsewhere = attached(region_name="us-east-1")
    elsewhere.describe_images(Owners=["self"])
    fake_aws.rates.drain("DescribeImages", DEFAULT_ACCOUNT, "us-east-1", leave=2)
    assert burst(lambda: elsewhere.describe_images(Owners=["self"])) == 2
    attached(account=OTHER).describe_images(Owners=["self"])
    assert fake_aws.rates.level("DescribeImages", OTHER, "eu-west-1") == 99


def test_deletions_have_their_own_rates(world: World, clock: ManualClock, attached: Clients, fake_aws: FakeAws) -> None:
    fake_aws.rates.enabled = True
    ec2, ids = attached(), [world.region().add_image(snapshots=[]).image_id for _ in range(106)]
    for image_id in ids[:100]:
        ec2.deregister_image(ImageId=image_id)
    assert code_of(lambda: ec2.deregister_image(ImageId=ids[100])) == "RequestLimitExceeded"
    clock.advance(1)
    for image_id in ids[100:105]:
        ec2.deregister_image(ImageId=image_id)
    assert code_of(lambda: ec2.deregister_image(ImageId=ids[105])) == "RequestLimitExceeded"


def test_latency_is_slept(fake_aws: FakeAws, clock: ManualClock, attached: Clients) -> None:
    started, fake_aws.latency = clock(), 0.25
    attached().describe_instances()
    assert clock() - started == timedelta(seconds=0.25)


# --- the log ---------------------------------------------------------------------------------------------


def test_the_log(world: World, fake_aws: FakeAws, clients: Clients) -> None:
    image_id = world.region().add_image().image_id
    ec2 = clients()
    ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["a", "b"]}])
    ec2.deregister_image(ImageId=image_id)
    code_of(lambda: ec2.deregister_image(ImageId=image_id))
    read, *changing = fake_aws.calls.records
    assert (read.name, read.account, read.region, read.outcome) == (
        "ec2:DescribeImages",
        DEFAULT_ACCOUNT,
        "eu-west-1",
        "OK",
    )
    assert read.params == {"Owner": ["self"], "Filter": [{"Name": "name", "Value": ["a", "b"]}]}
    assert fake_aws.calls.changing() == changing
    assert [call.outcome for call in changing] == ["OK", "InvalidAMIID.Unavailable"]
    assert fake_aws.calls.count("DescribeImages") == 1
    assert fake_aws.calls.count("DescribeImages", region="us-east-1") == 0
    assert fake_aws.calls.count() == 3


def test_concurrency_is_counted(fake_aws: FakeAws, served: Clients) -> None:
    # Every call waits until all four are there, so that the peak is no matter of luck.
    together = threading.Barrier(4, timeout=10)
    fake_aws.latency, fake_aws.sleep = 1.0, lambda _: together.wait()
    ec2 = served(config=Config(max_pool_connections=4, retries={"total_max_attempts": 1}))
    with ThreadPoolExecutor(4) as pool:
        for answer in [pool.submit(ec2.describe_instances) for _ in range(4)]:
            answer.result()
    assert (fake_aws.calls.peak_running, fake_aws.calls.running) == (4, 0)
    assert fake_aws.calls.peak_connections == 4
    assert len({call.connection for call in fake_aws.calls.records}) == 4


def test_many_threads_delete_each_image_once(world: World, fake_aws: FakeAws, clients: Clients) -> None:
    region, ec2 = world.region(), clients(config=Config(max_pool_connections=8))
    ids = [region.add_image().image_id for _ in range(40)]

    def remove(image_id: str) -> str:
        answer = ec2.deregister_image(ImageId=image_id, DeleteAssociatedSnapshots=True)
        ec2.describe_images(Owners=["self"])
        return str(answer["DeleteSnapshotResults"][0]["ReturnCode"])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(remove, ids)) == {"success"}
    assert (region.images, region.snapshots, len(fake_aws.calls.changing())) == ({}, {}, 40)


def test_connections_are_kept_alive(fake_aws: FakeAws, served: Clients) -> None:
    ec2 = served()
    for _ in range(3):
        ec2.describe_instances()
    assert {call.connection for call in fake_aws.calls.records} == {1}


# --- worlds ----------------------------------------------------------------------------------------------


def test_a_world_of_a_size(world: World, attached: Clients) -> None:
    fill(world.region(), Size(images=30, instances=20, templates=4, launch_configurations=3, groups=6, roles=5))
    images = attached().describe_images(Owners=["self"])["Images"]
    assert len({image["CreationDate"] for image in images}) == len(images) == 30
    assert all(len(image["BlockDeviceMappings"]) == 2 for image in images)
    assert len(attached("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]) == 6


def test_a_world_from_json(world: World, attached: Clients) -> None:
    document = {
        "accounts": {
            DEFAULT_ACCOUNT: {
                "eu-west-1": {
                    "image": [{"name": "a", "image_id": "ami-00000001", "created": "2024-01-02T00:00:00+00:00"}],
                    "instance": [{"image_id": "ami-00000001"}],
                }
            }
        }
    }
    from_json(document, world)
    [image] = attached().describe_images(Owners=["self"])["Images"]
    assert (image["ImageId"], image["CreationDate"]) == ("ami-00000001", "2024-01-02T00:00:00.000Z")
    assert len(attached().describe_instances()["Reservations"]) == 1


def test_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.fake_aws", "--images", "3", "--instances", "1"]
    root = Path(__file__).resolve().parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=environment) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            session: Any = session_of(World(), DEFAULT_ACCOUNT, {})
            with closing(session.client("ec2", endpoint_url=url, config=ONCE)) as ec2:
                assert len(ec2.describe_images(Owners=["self"])["Images"]) == 3
            with urllib.request.urlopen(f"{url}/_standin") as answer:
                assert json.load(answer)["calls"] == {"ec2:DescribeImages": 1}
        finally:
            process.terminate()
        log = json.loads(process.stdout.readline())
    assert log["calls"] == {"ec2:DescribeImages": 1}


# --- against the models ----------------------------------------------------------------------------------


def populated() -> World:
    """A world in which every kind of member is set."""
    world = World(ManualClock())
    region = world.region()
    image = region.add_image(
        "full",
        tags={"a": "b"},
        snapshots=[8],
        deregistration_protection="enabled",
        last_launched=world.clock(),
        deprecated=world.clock(),
        description="text",
        public=True,
        shared_with=(OTHER,),
    )
    data = {"ImageId": image.image_id, "InstanceType": "t3.micro", "SecurityGroupIds": ["sg-1"]}
    device = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": image.snapshot_ids[0], "VolumeSize": 8}}
    template = region.add_launch_template("full", [data | {"BlockDeviceMappings": [device]}], tags={"a": "b"})
    specification = {"LaunchTemplateId": template.template_id, "LaunchTemplateName": "full", "Version": "1"}
    configs = [{"LaunchTemplateSpecification": specification, "Overrides": [{"InstanceType": "t3.micro"}]}]
    region.add_instance(image.image_id, tags={"a": "b"}, lifecycle="spot", managed=True)
    region.add_launch_configuration(image.image_id, "full", block_devices=[device])
    policy = {"LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": [{"ImageId": "ami-1"}]}}
    member = {"InstanceId": "i-1", "AvailabilityZone": "eu-west-1a", "LifecycleState": "InService"}
    region.add_group("full", launch_configuration="full", tags={"a": "b"}, instances=[member], managed=True)
    region.add_group("mixed", mixed_instances_policy=policy, launch_template=specification)
    region.add_refresh("full", {"LaunchTemplate": specification, "MixedInstancesPolicy": policy})
    region.add_spot_fleet(launch_specifications=[{"ImageId": "ami-1"}], launch_template_configs=configs, tags={"a": "b"})
    region.add_spot_request(image.image_id, tags={"a": "b"})
    region.add_fleet(launch_template_configs=configs, tags={"a": "b"})
    region.add_parameter("full", image.image_id)
    region.recycle(Image(image_id="ami-00000009", name="gone", owner_id=DEFAULT_ACCOUNT, created=None, description="text"))
    snapshot = region.add_snapshot("text", snapshot_id="snap-00000009")
    region.recycle(region.snapshots.pop(snapshot.snapshot_id))
    region.add_retention_rule("EC2_IMAGE", match={"a": "b"}, exclude={"c": None})
    world.add_organization(DEFAULT_ACCOUNT)
    world.add_role(OTHER)
    return world


# What each action needs so that its answer is not empty.
QUESTIONS: dict[str, Callable[[World], dict[str, Any]]] = {
    "DescribeImageAttribute": lambda world: {
        "ImageId": next(iter(world.region().images)),
        "Attribute": "launchPermission",
    },
    "DescribeInstances": lambda _: {"IncludeManagedResources": True},
    "DescribeLaunchTemplateVersions": lambda _: {"Versions": ["$Latest"]},
    "DescribeImageReferences": lambda world: {
        "ImageIds": list(world.region().images),
        "IncludeAllResourceTypes": True,
    },
    "DeregisterImage": lambda world: {
        "ImageId": world.region().add_image().image_id,
        "DeleteAssociatedSnapshots": True,
    },
    "DeleteSnapshot": lambda world: {"SnapshotId": world.region().add_snapshot().snapshot_id},
    "DisableImage": lambda world: {"ImageId": next(iter(world.region().images))},
    "EnableImage": lambda world: {"ImageId": next(iter(world.region().images))},
    "CreateTags": lambda world: {"Resources": list(world.region().images), "Tags": [{"Key": "a", "Value": "b"}]},
    "DeleteTags": lambda world: {"Resources": list(world.region().images), "Tags": [{"Key": "a"}]},
    "RestoreImageFromRecycleBin": lambda _: {"ImageId": "ami-00000009"},
    "RestoreSnapshotFromRecycleBin": lambda _: {"SnapshotId": "snap-00000009"},
    "ListRules": lambda _: {"ResourceType": "EC2_IMAGE"},
    "GetRule": lambda world: {"Identifier": next(iter(world.region().retention_rules))},
    "DescribeInstanceRefreshes": lambda _: {"AutoScalingGroupName": "full"},
    "GetParameters": lambda _: {"Names": ["full"]},
    "GetParameter": lambda _: {"Name": "full"},
    "AssumeRole": lambda world: {"RoleArn": next(iter(world.roles)), "RoleSessionName": "test"},
}


def unknown_parts(element: ElementTree.Element, shape: Any, path: str) -> Iterator[str]:
    """The parts of an XML answer that botocore's model does not know, and values that it does not list."""
    children = [(child.tag.rpartition("}")[2], child) for child in element]
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for tag, child in children:
            if tag in members:
                yield from unknown_parts(child, members[tag], f"{path}.{tag}")
            else:
                yield f"{path}.{tag}"
    elif shape.type_name == "list":
        for tag, child in children:
            if tag == shape.member.serialization.get("name", "member"):
                yield from unknown_parts(child, shape.member, f"{path}[]")
            else:
                yield f"{path}.{tag}"
    elif children or (getattr(shape, "enum", None) and element.text not in shape.enum):
        yield f"{path} = {element.text}"


@pytest.mark.parametrize(
    ("service", "action"), [(service, action) for service, actions in SERVICES.items() for action in actions]
)
def test_every_member_stands_in_the_model(service: str, action: str) -> None:
    world = populated()
    fake_aws = FakeAws(world)
    session: Any = session_of(world, DEFAULT_ACCOUNT, {})
    attach(fake_aws, session)
    bodies: list[bytes] = []
    session.events.register("before-parse", lambda response_dict, **_: bodies.append(response_dict["body"]))
    client = session.client(service, config=ONCE)
    method = next(name for name, known in client.meta.method_to_api_mapping.items() if known == action)
    question = QUESTIONS[action](world) if action in QUESTIONS else {}
    parsed = getattr(client, method)(**question)
    shape = client.meta.service_model.operation_model(action).output_shape
    if shape is None:
        return
    parsed.pop("ResponseMetadata")
    assert parsed
    if bodies[0].startswith(b"{"):
        assert json.loads(bodies[0]).keys() == parsed.keys()
        return
    root = ElementTree.fromstring(bodies[0])
    if service != "ec2":
        root = root[0]
    unknown = [path for path in unknown_parts(root, shape, action) if path != f"{action}.requestId"]
    assert unknown == []
    assert all(value or value is False for value in parsed.values()), "an answer that is empty proves nothing"
