"""EC2: the calls that change AMIs, snapshots and their tags.

From the model of botocore 1.44, the guide and public threads: an AMI is deregistered whether or not its snapshots can be
deleted; a snapshot that another AMI uses is skipped, or refused as `InUse`; an AMI in the wrong state is `Unavailable`.
Undocumented: the error code for a protected AMI, and the response to disabling a disabled AMI or enabling an available one.
Both succeed here.
"""

from __future__ import annotations

from .action import Actions, Context
from .ec2_images import check_form, own_image
from .ec2_snapshots import SNAPSHOT_ID
from .errors import ApiError
from .resources import Image, Snapshot
from .wire import ec2

ACTIONS = Actions()


@ACTIONS("ImageId", "DeleteAssociatedSnapshots")
def deregister_image(ctx: Context) -> str:
    image = own_image(ctx, ctx.required("ImageId"))
    if image.deregistration_protection not in (None, "", "disabled"):
        message = f"The image '{image.image_id}' is protected from deregistration."
        raise ApiError("OperationNotPermitted", message)
    region = ctx.region
    del region.images[image.image_id]
    region.deregistered.add(image.image_id)
    region.retain(image)
    if not (ctx.flag("DeleteAssociatedSnapshots") and ctx.world.deletes_associated):
        return ec2({"Return": True})
    results = [
        {"SnapshotId": snapshot_id, "ReturnCode": delete_associated(ctx, snapshot_id)}
        for snapshot_id in dict.fromkeys(image.snapshot_ids)
    ]
    return ec2(
        {"Return": True, "DeleteSnapshotResults": results},
        {"DeleteSnapshotResults": "deleteSnapshotResultSet"},
    )


def delete_associated(ctx: Context, snapshot_id: str) -> str:
    if any(ctx.region.users_of(snapshot_id)):
        return "skipped"
    if not ctx.may("ec2:DeleteSnapshot", False):
        return "missing-permissions"
    snapshot = ctx.region.snapshots.get(snapshot_id)
    if snapshot is None or snapshot.refusal is not None:
        return "client-error"
    if snapshot.return_code not in (None, "success"):
        return snapshot.return_code
    remove_snapshot(ctx, snapshot)
    return "success"


def remove_snapshot(ctx: Context, snapshot: Snapshot) -> None:
    del ctx.region.snapshots[snapshot.snapshot_id]
    ctx.region.retain(snapshot)


def own_snapshot(ctx: Context, snapshot_id: str) -> Snapshot:
    check_form([snapshot_id], SNAPSHOT_ID, "InvalidSnapshotID.Malformed", "snap-...")
    snapshot = ctx.region.snapshots.get(snapshot_id)
    if snapshot is None:
        raise ApiError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    return snapshot


@ACTIONS("SnapshotId")
def delete_snapshot(ctx: Context) -> str:
    snapshot = own_snapshot(ctx, ctx.required("SnapshotId"))
    snapshot_id = snapshot.snapshot_id
    if snapshot.refusal is not None:
        raise ApiError(*snapshot.refusal)
    for image in ctx.region.users_of(snapshot_id):
        message = f"The snapshot {snapshot_id} is currently in use by {image.image_id}"
        raise ApiError("InvalidSnapshot.InUse", message)
    remove_snapshot(ctx, snapshot)
    return ec2({"Return": True})


def set_state(ctx: Context, state: str) -> Image:
    image = own_image(ctx, ctx.required("ImageId"))
    if image.state not in ("available", "disabled"):
        message = f"The AMI ID '{image.image_id}' is currently {image.state} and may not be used for this operation"
        raise ApiError("InvalidAMIID.Unavailable", message)
    image.state = state
    return image


@ACTIONS("ImageId")
def disable_image(ctx: Context) -> str:
    """Disable an AMI and remove all its launch permissions, which enabling does not bring back."""
    image = set_state(ctx, "disabled")
    image.public, image.shared_with, image.organizations = False, (), ()
    return ec2({"Return": True})


@ACTIONS("ImageId")
def enable_image(ctx: Context) -> str:
    set_state(ctx, "available")
    return ec2({"Return": True})


def tagged(ctx: Context) -> list[Image | Snapshot]:
    """The resources of the request. If one does not exist, nothing is changed."""
    ids = ctx.strings("ResourceId")
    return [own_snapshot(ctx, one) if one.startswith("snap-") else own_image(ctx, one) for one in ids]


@ACTIONS("ResourceId", "Tag")
def create_tags(ctx: Context) -> str:
    new = {tag["Key"]: tag.get("Value", "") for tag in ctx.structures("Tag")}
    for resource in tagged(ctx):
        resource.tags.update(new)
    return ec2({"Return": True})


@ACTIONS("ResourceId", "Tag")
def delete_tags(ctx: Context) -> str:
    for resource in tagged(ctx):
        for tag in ctx.structures("Tag"):
            resource.tags.pop(tag["Key"], None)
    return ec2({"Return": True})
