"""Orphan snapshots: those that making an AMI left behind after the AMI was gone.  Pure."""

from __future__ import annotations

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
"""A younger snapshot may belong to an AMI that is still in the making."""


def made_for(description: str) -> str | None:
    """The id of the AMI for which the snapshot was made, or None where its description does not say so."""
    match = _MADE_FOR.match(description)
    return (match[1] or match[2]) if match else None


def is_managed(snapshot: Snapshot) -> bool:
    """Whether AWS Backup or Data Lifecycle Manager looks after it."""
    return any(key.startswith(("aws:backup:", "aws:dlm:")) or key == "dlm:managed" for key, _ in snapshot.tags)


def find_orphans(
    snapshots: Iterable[Snapshot], existing: Collection[str], used: Collection[str], now: datetime
) -> list[Snapshot]:
    """The orphans of one account's Region, sorted by id.

    `existing` are the ids of all AMIs that are there (disabled ones and those in the Recycle Bin included), `used` the
    snapshots that AMIs, launch templates and launch configurations name.  More in either never finds more.
    """
    orphans = []
    for snapshot in snapshots:
        ami = made_for(snapshot.description)
        if (
            ami is not None
            and ami not in existing
            and snapshot.id not in used
            and snapshot.state == "completed"
            and snapshot.started is not None
            and now - snapshot.started > MIN_AGE
            and not is_managed(snapshot)
        ):
            orphans.append(snapshot)
    return sorted(orphans, key=lambda snapshot: snapshot.id)
