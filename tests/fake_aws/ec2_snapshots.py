"""EC2: snapshots, and the Recycle Bin."""

from __future__ import annotations

import re

from .action import Actions, Context
from .ec2_images import check_form, listing, tag_shapes
from .errors import ApiError
from .filters import Getter
from .resources import Recycled, Snapshot
from .wire import ec2

ACTIONS = Actions()

SNAPSHOT_NAMES = {"State": "status", "Tags": "tagSet"}
SNAPSHOT_ID = re.compile(r"snap-([0-9a-f]{8}|[0-9a-f]{17})")

SNAPSHOT_FILTERS: dict[str, Getter[Snapshot]] = {
    "description": lambda snapshot: snapshot.description,
    "owner-id": lambda snapshot: snapshot.owner_id,
    "snapshot-id": lambda snapshot: snapshot.snapshot_id,
    "start-time": lambda snapshot: snapshot.started,
    "status": lambda snapshot: snapshot.state,
    "volume-id": lambda snapshot: snapshot.volume_id,
    "volume-size": lambda snapshot: snapshot.size,
}


def render_snapshot(snapshot: Snapshot) -> str:
    shape = {
        "SnapshotId": snapshot.snapshot_id,
        "VolumeId": snapshot.volume_id,
        "State": snapshot.state,
        "StartTime": snapshot.started,
        "Progress": "100%" if snapshot.state == "completed" else "50%",
        "OwnerId": snapshot.owner_id,
        "VolumeSize": snapshot.size,
        "Description": snapshot.description,
        "Encrypted": False,
        "StorageTier": "standard",
        "Tags": tag_shapes(snapshot.tags),
    }
    return f"<item>{ec2(snapshot.finish(shape), SNAPSHOT_NAMES)}</item>"


@ACTIONS("Owner", "SnapshotId", "Filter")
def describe_snapshots(ctx: Context) -> str:
    ids = ctx.strings("SnapshotId")
    check_form(ids, SNAPSHOT_ID, "InvalidSnapshotID.Malformed", "snap-...")
    size = ctx.size(5, 1000)
    ctx.forbid_pages(ids, "snapshotSet")
    owners = {ctx.account.account_id if owner == "self" else owner for owner in ctx.strings("Owner")}
    chosen = list(ctx.region.snapshots.values())
    if ids:
        missing = [entry for entry in ids if entry not in ctx.region.snapshots]
        if missing:
            raise ApiError("InvalidSnapshot.NotFound", f"The snapshot '{missing[0]}' does not exist.")
        chosen = [ctx.region.snapshots[entry] for entry in dict.fromkeys(ids)]
    if owners:
        chosen = [snapshot for snapshot in chosen if snapshot.owner_id in owners]
    page, token = ctx.page(ctx.select(chosen, SNAPSHOT_FILTERS), size)
    return listing("snapshotSet", [snapshot.rendered(render_snapshot) for snapshot in page], token)


def recycled(ctx: Context, bin_: dict[str, Recycled], ids: list[str], member: str, smallest: int) -> str:
    if len(ids) > 20:
        raise ApiError("InvalidParameterValue", f"At most 20 {member}s can be given")
    chosen = [entry for entry in bin_.values() if not ids or entry.resource_id in ids]
    page, token = ctx.page(chosen, ctx.size(smallest, 1000, 1000))
    shapes = [
        {
            member: entry.resource_id,
            "Name": entry.name,
            "Description": entry.description,
            "RecycleBinEnterTime": entry.entered,
            "RecycleBinExitTime": entry.exits,
        }
        for entry in page
    ]
    name = "imageSet" if member == "ImageId" else "snapshotSet"
    items = [f"<item>{ec2(entry.finish(shape))}</item>" for entry, shape in zip(page, shapes, strict=True)]
    return listing(name, items, token)


@ACTIONS("ImageId")
def list_images_in_recycle_bin(ctx: Context) -> str:
    return recycled(ctx, ctx.region.recycled_images, ctx.strings("ImageId"), "ImageId", 1)


@ACTIONS("SnapshotId")
def list_snapshots_in_recycle_bin(ctx: Context) -> str:
    return recycled(ctx, ctx.region.recycled_snapshots, ctx.strings("SnapshotId"), "SnapshotId", 5)
