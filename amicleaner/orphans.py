"""Orphaned snapshots: those that were made for an AMI that no longer exists.  Pure."""

import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from .models import Snapshot

# What CreateImage and CopyImage write into `Description`; older ones of CreateImage end in ` from vol-…`.
_MADE_FOR = re.compile(
    r"Created by CreateImage\(i-[0-9a-f]+\) for (ami-[0-9a-f]+)(?: from vol-[0-9a-f]+)?$"
    r"|Copied for DestinationAmi (ami-[0-9a-f]+) from SourceAmi ami-[0-9a-f]+ for SourceSnapshot snap-[0-9a-f]+\."
)

MIN_AGE = timedelta(days=1)
"""A younger snapshot may belong to an AMI that is still being created."""

COPIED_VOLUME = "vol-ffffffff"
"""The volume id that EC2 shows for every snapshot that is a copy."""


def made_for(description: str) -> str | None:
    """The id of the AMI for which the snapshot was made, or None where its description does not say so."""
    match = _MADE_FOR.match(description)
    return (match[1] or match[2]) if match else None


def origin_of(snapshot: Snapshot) -> str | None:
    """The id of the AMI for which CreateImage or CopyImage made this snapshot; None: not known.

    A copied snapshot may repeat the description of the one that CreateImage made, and one without a volume id may be a copy.
    """
    copied = snapshot.volume in ("", COPIED_VOLUME)
    return None if copied and snapshot.description.startswith("Created by") else made_for(snapshot.description)


def manager_of(tags: Iterable[tuple[str, str]]) -> str | None:
    """The AWS service that created what has these tags, and that deletes it itself; None if there is none."""
    for key, _ in tags:
        if key.startswith("aws:backup:"):
            return "AWS Backup"
        if key.startswith("aws:dlm:") or key == "dlm:managed":
            return "Data Lifecycle Manager"
    return None


def find_orphans(
    snapshots: Iterable[Snapshot], existing: Collection[str], used: Collection[str], now: datetime
) -> list[Snapshot]:
    """The orphans of one account's Region, sorted by id.

    `existing` are the ids of the AMIs of every account and Region of the run (read-only accounts, disabled AMIs and those
    in the Recycle Bin included), `used` the snapshots that AMIs, launch templates, launch configurations and fleets
    name.  More in either never finds more.
    """
    orphans = []
    for snapshot in snapshots:
        ami = origin_of(snapshot)
        if (
            ami is not None
            and ami not in existing
            and snapshot.id not in used
            and snapshot.state == "completed"
            and snapshot.started is not None
            and now - snapshot.started > MIN_AGE
            and manager_of(snapshot.tags) is None
        ):
            orphans.append(snapshot)
    return sorted(orphans, key=lambda snapshot: snapshot.id)
