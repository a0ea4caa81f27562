"""EC2: snapshots."""

from __future__ import annotations

import re

from .action import Actions, Context
from .ec2_images import listing, tag_shapes
from .filters import Getter
from .resources import Shape, Snapshot
from .wire import ec2

ACTIONS = Actions()

SNAPSHOT_NAMES = {"State": "status", "Tags": "tagSet"}
SNAPSHOT_ID = re.compile(r"snap-([0-9a-f]{8}|[0-9a-f]{17})")

SNAPSHOT_FILTERS: dict[str, Getter[Snapshot]] = {
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
        "StorageTier": "standard",
        "FullSnapshotSizeInBytes": snapshot.size << 30,
        "Tags": tag_shapes(snapshot.tags),
    }


def render_snapshot(snapshot: Snapshot) -> str:
    shape = snapshot_shape(snapshot)
    return f"<item>{ec2(snapshot.finish(shape), SNAPSHOT_NAMES)}</item>"


@ACTIONS("Owner", "Filter")
def describe_snapshots(ctx: Context) -> str:
    owners = {ctx.account.account_id if owner == "self" else owner for owner in ctx.strings("Owner")}
    known = ctx.region.snapshots.values()
    chosen = [snapshot for snapshot in known if not owners or snapshot.owner_id in owners]
    page, token = ctx.page(ctx.select(chosen, SNAPSHOT_FILTERS), ctx.size(5, 1000))
    return listing("snapshotSet", [snapshot.rendered(render_snapshot) for snapshot in page], token)
