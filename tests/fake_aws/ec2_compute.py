"""EC2: instances, Spot, fleets and Regions.

What AWS services manage is hidden unless `IncludeManagedResources` is true (model of botocore 1.44, as for
launch templates). A fleet of type `instant` shows only by its id; the filter on its state is written with
hyphens where the answer has underscores.
"""

from __future__ import annotations

from itertools import groupby

from .action import Actions, Context
from .ec2_images import listing, tag_shapes
from .errors import ApiError
from .filters import Getter, pattern
from .resources import INSTANCE_STATES, Fleet, Instance, Shape, SpotFleet, SpotRequest
from .wire import ec2

ACTIONS = Actions()

INSTANCE_NAMES = {"State": "instanceState", "Tags": "tagSet", "PublicDnsName": "dnsName"}
OPERATOR = {"Managed": True, "Principal": "service.amazonaws.com", "HiddenByDefault": True}

INSTANCE_FILTERS: dict[str, Getter[Instance]] = {
    "image-id": lambda instance: instance.image_id,
    "instance-id": lambda instance: instance.instance_id,
    "instance-lifecycle": lambda instance: instance.lifecycle,
    "instance-state-code": lambda instance: INSTANCE_STATES.get(instance.state),
    "instance-state-name": lambda instance: instance.state,
    "instance-type": lambda instance: instance.instance_type,
    "reservation-id": lambda instance: instance.reservation_id,
}
SPOT_REQUEST_FILTERS: dict[str, Getter[SpotRequest]] = {
    "launch.image-id": lambda request: request.image_id,
    "spot-instance-request-id": lambda request: request.request_id,
    "state": lambda request: request.state,
}
FLEET_FILTERS: dict[str, Getter[Fleet]] = {
    "fleet-state": lambda fleet: fleet.state.replace("_", "-"),
    "type": lambda fleet: fleet.type,
}


def render_instance(instance: Instance) -> str:
    shape = {
        "InstanceId": instance.instance_id,
        "ImageId": instance.image_id,
        "State": {"Code": INSTANCE_STATES.get(instance.state, 255), "Name": instance.state},
        "PrivateDnsName": "",
        "InstanceType": instance.instance_type,
        "LaunchTime": instance.launched,
        "AmiLaunchIndex": 0,
        "Architecture": "x86_64",
        "RootDeviceType": "ebs",
        "InstanceLifecycle": instance.lifecycle,
        "Tags": tag_shapes(instance.tags),
        "Operator": OPERATOR if instance.managed else {"Managed": False},
    }
    return f"<item>{ec2(instance.finish(shape), INSTANCE_NAMES)}</item>"


@ACTIONS("InstanceId", "Filter", "IncludeManagedResources")
def describe_instances(ctx: Context) -> str:
    ids, size = ctx.strings("InstanceId"), ctx.size(5, 1000)
    ctx.forbid_pages(ids, "instancesSet")
    shown = [i for i in ctx.region.instances.values() if not i.managed or ctx.flag("IncludeManagedResources")]
    if ids:
        wanted = set(ids)
        missing = wanted - {instance.instance_id for instance in shown}
        if missing:
            text = f"The instance ID '{min(missing)}' does not exist"
            raise ApiError("InvalidInstanceID.NotFound", text)
        shown = [instance for instance in shown if instance.instance_id in wanted]
    page, token = ctx.page(ctx.select(shown, INSTANCE_FILTERS), size)
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


@ACTIONS("SpotFleetRequestId")
def describe_spot_fleet_requests(ctx: Context) -> str:
    ids, known = ctx.strings("SpotFleetRequestId"), ctx.region.spot_fleets
    missing = [entry for entry in ids if entry not in known]
    if missing:
        text = f"The spot fleet request ID '{missing[0]}' does not exist"
        raise ApiError("InvalidSpotFleetRequestId.NotFound", text)
    page, token = ctx.page([known[entry] for entry in ids] or known.values(), ctx.size(1, 1000, 1000))
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


@ACTIONS("SpotInstanceRequestId", "Filter")
def describe_spot_instance_requests(ctx: Context) -> str:
    ids, known = ctx.strings("SpotInstanceRequestId"), ctx.region.spot_requests
    missing = [entry for entry in ids if entry not in known]
    if missing:
        text = f"The spot instance request ID '{missing[0]}' does not exist"
        raise ApiError("InvalidSpotInstanceRequestID.NotFound", text)
    chosen = ctx.select([known[entry] for entry in ids] or known.values(), SPOT_REQUEST_FILTERS)
    page, token = ctx.page(chosen, ctx.size(5, 1000))
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


@ACTIONS("FleetId", "Filter")
def describe_fleets(ctx: Context) -> str:
    ids, known = ctx.strings("FleetId"), ctx.region.fleets
    missing = [entry for entry in ids if entry not in known]
    if missing:
        raise ApiError("InvalidFleetId.NotFound", f"The fleet ID '{missing[0]}' does not exist")
    shown = [known[entry] for entry in ids] or [fleet for fleet in known.values() if fleet.type != "instant"]
    page, token = ctx.page(ctx.select(shown, FLEET_FILTERS), ctx.size(1, 1000, 1000))
    return listing("fleetSet", map(render_fleet, page), token)


@ACTIONS("RegionName", "AllRegions", "Filter")
def describe_regions(ctx: Context) -> str:
    shapes = {
        name: {"OptInStatus": status, "RegionName": name, "RegionEndpoint": f"ec2.{name}.amazonaws.com"}
        for name, status in ctx.account.opt_in.items()
        if ctx.flag("AllRegions") or ctx.account.enabled(name)
    }
    names = ctx.strings("RegionName")
    for name in names:
        if name not in ctx.account.opt_in:
            raise ApiError("InvalidParameterValue", f"Invalid region names provided: {name}")
        status = ctx.account.opt_in[name]
        shapes.setdefault(name, {"OptInStatus": status, "RegionName": name, "RegionEndpoint": f"ec2.{name}.amazonaws.com"})
    chosen = [shape for name, shape in shapes.items() if not names or name in names]
    members = {"opt-in-status": "OptInStatus", "region-name": "RegionName", "endpoint": "RegionEndpoint"}
    for entry in ctx.structures("Filter"):
        member = members.get(entry.get("Name", ""))
        if member is None:
            raise ApiError("InvalidParameterValue", f"The filter '{entry.get('Name')}' is invalid")
        values = [pattern(value) for value in entry.get("Value") or []]
        chosen = [shape for shape in chosen if any(value.fullmatch(shape[member]) for value in values)]
    return listing("regionInfo", [f"<item>{ec2(shape)}</item>" for shape in chosen])
