"""The Recycle Bin: its retention rules (service `rbin`), and what EC2 lists and restores.

From the guides: an AMI can be restored only after all its snapshots are restored and completed; its id, name, tags and
launch permissions come back. Undocumented: the error code where a snapshot is missing, and the state of a restored AMI that
was disabled. Here it is disabled again.
"""

from __future__ import annotations

from .action import Actions, Context
from .ec2_images import AMI_ID, check_form, listing
from .ec2_snapshots import SNAPSHOT_ID, SNAPSHOT_NAMES, snapshot_shape
from .errors import ApiError
from .resources import Image, Recycled, RetentionRule, RuleTags, Shape, Snapshot
from .wire import ec2

EC2 = Actions()
RBIN = Actions()

RESTORED = ("SnapshotId", "Description", "Encrypted", "OwnerId", "Progress", "StartTime", "State", "VolumeId", "VolumeSize")


def recycled(ctx: Context, entries: dict[str, Recycled], name: str, smallest: int) -> str:
    page, token = ctx.page(entries.values(), ctx.size(smallest, 1000, 1000))
    return listing(name, [f"<item>{ec2(entry.finish(recycled_shape(entry)))}</item>" for entry in page], token)


def recycled_shape(entry: Recycled) -> Shape:
    resource, shape = entry.resource, {"RecycleBinEnterTime": entry.entered, "RecycleBinExitTime": entry.exits}
    if isinstance(resource, Image):
        return {"ImageId": resource.image_id, "Name": resource.name, "Description": resource.description, **shape}
    return {
        "SnapshotId": resource.snapshot_id,
        "VolumeId": resource.volume_id,
        "Description": resource.description,
        **shape,
    }


@EC2()
def list_images_in_recycle_bin(ctx: Context) -> str:
    return recycled(ctx, ctx.region.recycled_images, "imageSet", 1)


@EC2()
def list_snapshots_in_recycle_bin(ctx: Context) -> str:
    return recycled(ctx, ctx.region.recycled_snapshots, "snapshotSet", 5)


@EC2("SnapshotId")
def restore_snapshot_from_recycle_bin(ctx: Context) -> str:
    snapshot_id, region = ctx.required("SnapshotId"), ctx.region
    check_form([snapshot_id], SNAPSHOT_ID, "InvalidSnapshotID.Malformed", "snap-...")
    entry = region.recycled_snapshots.pop(snapshot_id, None)
    if entry is None or not isinstance(entry.resource, Snapshot):
        raise ApiError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' is not in the Recycle Bin.")
    snapshot = region.snapshots[snapshot_id] = entry.resource
    if ctx.world.recovery:
        snapshot.state = "recovering"
        region.recovering[snapshot_id] = ctx.world.clock() + ctx.world.recovery
    shape = snapshot_shape(snapshot)
    return ec2({member: shape[member] for member in RESTORED}, SNAPSHOT_NAMES)


@EC2("ImageId")
def restore_image_from_recycle_bin(ctx: Context) -> str:
    image_id, region = ctx.required("ImageId"), ctx.region
    check_form([image_id], AMI_ID, "InvalidAMIID.Malformed", "ami-...")
    entry = region.recycled_images.get(image_id)
    if entry is None or not isinstance(entry.resource, Image):
        raise ApiError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' is not in the Recycle Bin")
    for snapshot_id in entry.resource.snapshot_ids:
        snapshot = region.snapshots.get(snapshot_id)
        if snapshot is None:
            raise ApiError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        if snapshot.state != "completed":
            raise ApiError("IncorrectState", f"The snapshot '{snapshot_id}' is {snapshot.state}.")
    del region.recycled_images[image_id]
    region.deregistered.discard(image_id)
    region.images[image_id] = entry.resource
    return ec2({"Return": True})


def rule_tags(tags: RuleTags) -> list[Shape]:
    return [{"ResourceTagKey": key, **({} if value is None else {"ResourceTagValue": value})} for key, value in tags.items()]


def rule_shape(ctx: Context, rule: RetentionRule) -> Shape:
    return {
        "Identifier": rule.rule_id,
        "Description": "",
        "RetentionPeriod": {"RetentionPeriodValue": rule.days, "RetentionPeriodUnit": "DAYS"},
        "LockState": "unlocked",
        "RuleArn": ctx.region.arn("rbin", f"rule/{rule.rule_id}"),
    }


@RBIN("ResourceType")
def list_rules(ctx: Context) -> Shape:
    kind = ctx.required("ResourceType")
    chosen = [rule for rule in ctx.region.retention_rules.values() if rule.resource_type == kind]
    page, token = ctx.page(chosen, int(ctx.text("MaxResults") or 1000))
    shapes = [rule.finish(rule_shape(ctx, rule)) for rule in page]
    return {"Rules": shapes, **({"NextToken": token} if token else {})}


@RBIN("Identifier")
def get_rule(ctx: Context) -> Shape:
    rule = ctx.region.retention_rules.get(ctx.required("Identifier"))
    if rule is None:
        raise ApiError("ResourceNotFoundException", "The rule does not exist.", 404)
    return rule.finish(
        rule_shape(ctx, rule)
        | {
            "ResourceType": rule.resource_type,
            "ResourceTags": rule_tags(rule.match),
            "ExcludeResourceTags": rule_tags(rule.exclude),
            "Status": rule.status,
        }
    )
