"""EC2: the two calls that delete.

From the model of botocore 1.44 and public threads: the AMI goes whatever becomes of its snapshots; a snapshot
that another AMI uses is skipped, or refused as `InUse`. The code for a protected AMI is documented nowhere.
"""

from __future__ import annotations

from .action import Actions, Context
from .ec2_images import check_form, own_image
from .ec2_snapshots import SNAPSHOT_ID
from .errors import ApiError
from .resources import Snapshot
from .wire import ec2, text

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
    if region.recycles_images:
        region.recycle(image.image_id, name=image.name, description=image.description)
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
    if ctx.region.recycles_snapshots:
        ctx.region.recycle(snapshot.snapshot_id, description=snapshot.description)


@ACTIONS("SnapshotId")
def delete_snapshot(ctx: Context) -> str:
    snapshot_id = ctx.required("SnapshotId")
    check_form([snapshot_id], SNAPSHOT_ID, "InvalidSnapshotID.Malformed", "snap-...")
    snapshot = ctx.region.snapshots.get(snapshot_id)
    if snapshot is None:
        raise ApiError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    if snapshot.refusal is not None:
        raise ApiError(*snapshot.refusal)
    if "aws:backup:source-resource" in snapshot.tags:
        message = f"The snapshot {snapshot_id} is managed by the AWS Backup service and can't be deleted here"
        raise ApiError("InvalidParameterValue", message)
    for image in ctx.region.users_of(snapshot_id):
        message = f"The snapshot {snapshot_id} is currently in use by {image.image_id}"
        raise ApiError("InvalidSnapshot.InUse", message)
    remove_snapshot(ctx, snapshot)
    return f"<return>{text(True)}</return>"
