"""EC2: snapshots."""

from __future__ import annotations

import re

from .action import Actions, Context
from .ec2_images import check_form, listing, tag_shapes
from .errors import ApiError
from .filters import Getter
from .resources import Shape, Snapshot
from .wire import ec2

ACTIONS = Actions()

SNAPSHOT_NAMES = {"State": "status", "Tags": "tagSet"}
SNAPSHOT_ID = re.compile(r"snap-([0-9a-f]{8}|[0-9a-f]{17})")

SNAPSHOT_FILTERS: dict[str, Getter[Snapshot]] = {
    "description": lambda snapshot: snapshot.description,
    "snapshot-id": lambda snapshot: snapshot.snapshot_id,
    "status": lambda snapshot: snapshot.state,
}


def snapshot_shape(snapshot: Snapshot) -> Shape:
    return {
        "SnapshotId": snapshot.snapshot_id,
        "VolumeId": snapshot.volume_id,
        "State": snapshot.state,
        "StartTime": snapshot.started,
        "Progress": "100%" if snapshot.state == "completed" else "50%",
        "OwnerId": snapshot.owner_id,
        "VolumeSize": snapshot.size,
        "Description": snapshot.description,
        "Encrypted": False,
        "StorageTier": snapshot.storage_tier,
        "FullSnapshotSizeInBytes": snapshot.size << 30 if snapshot.full_size is None else snapshot.full_size,
        "Tags": tag_shapes(snapshot.tags),
    }


def render_snapshot(snapshot: Snapshot) -> str:
    shape = snapshot_shape(snapshot)
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
