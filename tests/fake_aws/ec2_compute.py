"""EC2: instances, Spot, fleets and Regions.

What AWS services manage is hidden unless `IncludeManagedResources` is true (model of botocore 1.44, as for launch
templates). A fleet of type `instant` is shown only by its id, which the program does not know.
"""

from __future__ import annotations

from itertools import groupby

from .action import Actions, Context
from .ec2_images import listing, tag_shapes
from .filters import Getter
from .resources import INSTANCE_STATES, Fleet, Instance, Shape, SpotFleet, SpotRequest
from .wire import ec2

ACTIONS = Actions()

INSTANCE_NAMES = {"State": "instanceState", "Tags": "tagSet", "PublicDnsName": "dnsName"}
INSTANCE_FILTERS: dict[str, Getter[Instance]] = {"instance-state-name": lambda instance: instance.state}
OPERATOR = {"Managed": True, "Principal": "service.amazonaws.com", "HiddenByDefault": True}


def render_instance(instance: Instance) -> str:
    shape = {
        "InstanceId": instance.instance_id,
        "ImageId": instance.image_id,
        "State": {"Code": INSTANCE_STATES.get(instance.state, 255), "Name": instance.state},
        "PrivateDnsName": "",
        "InstanceType": "t3.micro",
        "LaunchTime": instance.created,
        "AmiLaunchIndex": 0,
        "Architecture": "x86_64",
        "RootDeviceType": "ebs",
        "Tags": tag_shapes(instance.tags),
        "Operator": OPERATOR if instance.managed else {"Managed": False},
    }
    return f"<item>{ec2(instance.finish(shape), INSTANCE_NAMES)}</item>"


@ACTIONS("Filter", "IncludeManagedResources")  # the filter is aws-amicleaner 0.2.2's, with which `bench` compares
def describe_instances(ctx: Context) -> str:
    shown = [i for i in ctx.region.instances.values() if not i.managed or ctx.flag("IncludeManagedResources")]
    page, token = ctx.page(ctx.select(shown, INSTANCE_FILTERS), ctx.size(5, 1000))
    reservations = []
    for reservation_id, members in groupby(page, key=lambda instance: instance.reservation_id):
        items = [instance.rendered(render_instance) for instance in members]
        head = ec2({"ReservationId": reservation_id, "OwnerId": ctx.account.account_id})
        reservations.append(f"<item>{head}{listing('instancesSet', items)}</item>")
    return listing("reservationSet", reservations, token)


SPOT_NAMES = {"Tags": "tagSet", "BlockDeviceMappings": "blockDeviceMapping"}
FLEET_NAMES = {"Tags": "tagSet", "BlockDeviceMappings": "blockDeviceMappingSet"}


def render_spot_fleet(fleet: SpotFleet) -> str:
    config: Shape = {
        "IamFleetRole": "arn:aws:iam::123456789012:role/spot-fleet",
        "TargetCapacity": 1,
        "Type": "maintain",
        "LaunchSpecifications": fleet.launch_specifications or None,
        "LaunchTemplateConfigs": fleet.launch_template_configs or None,
    }
    shape = {
        "SpotFleetRequestId": fleet.fleet_id,
        "SpotFleetRequestState": fleet.state,
        "CreateTime": fleet.created,
        "SpotFleetRequestConfig": config,
        "Tags": tag_shapes(fleet.tags),
    }
    return f"<item>{ec2(fleet.finish(shape), SPOT_NAMES)}</item>"


@ACTIONS()
def describe_spot_fleet_requests(ctx: Context) -> str:
    page, token = ctx.page(ctx.region.spot_fleets.values(), ctx.size(1, 1000, 1000))
    return listing("spotFleetRequestConfigSet", map(render_spot_fleet, page), token)


def render_spot_request(request: SpotRequest) -> str:
    shape = {
        "SpotInstanceRequestId": request.request_id,
        "State": request.state,
        "Type": "one-time",
        "CreateTime": request.created,
        "LaunchSpecification": {
            "ImageId": request.image_id,
            "InstanceType": "t3.micro",
            "BlockDeviceMappings": request.block_devices or None,
        },
        "Tags": tag_shapes(request.tags),
    }
    return f"<item>{ec2(request.finish(shape), SPOT_NAMES)}</item>"


@ACTIONS()
def describe_spot_instance_requests(ctx: Context) -> str:
    page, token = ctx.page(ctx.region.spot_requests.values(), ctx.size(5, 1000))
    return listing("spotInstanceRequestSet", map(render_spot_request, page), token)


def render_fleet(fleet: Fleet) -> str:
    shape = {
        "FleetId": fleet.fleet_id,
        "FleetState": fleet.state,
        "Type": fleet.type,
        "CreateTime": fleet.created,
        "LaunchTemplateConfigs": fleet.launch_template_configs or None,
        "Tags": tag_shapes(fleet.tags),
    }
    return f"<item>{ec2(fleet.finish(shape), FLEET_NAMES)}</item>"


@ACTIONS()
def describe_fleets(ctx: Context) -> str:
    shown = [fleet for fleet in ctx.region.fleets.values() if fleet.type != "instant"]
    page, token = ctx.page(shown, ctx.size(1, 1000, 1000))
    return listing("fleetSet", map(render_fleet, page), token)


@ACTIONS()
def describe_regions(ctx: Context) -> str:
    """The Regions that are enabled for the account."""
    shapes = [
        {"OptInStatus": status, "RegionName": name, "RegionEndpoint": f"ec2.{name}.amazonaws.com"}
        for name, status in ctx.account.opt_in.items()
        if ctx.account.enabled(name)
    ]
    return listing("regionInfo", [f"<item>{ec2(shape)}</item>" for shape in shapes])
