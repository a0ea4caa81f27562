"""Reads what an account owns: AMIs, snapshots, the Recycle Bin, and whom an AMI is shared with.

Who uses an AMI is read by `usage/`.  Every function reads all pages, and raises an `AwsError` rather than answer in part.
"""

from __future__ import annotations

from collections.abc import Collection

from ..errors import AwsError, NotOfferedError
from ..models import Ami, Snapshot
from .api import Api


def fetch_amis(api: Api) -> tuple[Ami, ...]:
    """All AMIs that the account owns in this Region, sorted by id.

    Disabled ones are hidden unless asked for, and still hold their snapshots; deprecated ones are always shown to their
    owner (EC2's `DescribeImages`).
    """
    amis = {}
    for image in api.pages("DescribeImages", Owners=["self"], IncludeDisabled=True):
        if not image.get("ImageId"):
            raise api.error("DescribeImages", "MalformedResponse", "an image has no ImageId")
        amis[image["ImageId"]] = Ami.from_aws(image)
    return tuple(amis[id] for id in sorted(amis))


def fetch_snapshots(api: Api) -> tuple[Snapshot, ...]:
    """All completed snapshots that the account owns in this Region."""
    snapshots = []
    for snapshot in api.pages("DescribeSnapshots", OwnerIds=["self"], Filters=[{"Name": "status", "Values": ["completed"]}]):
        if not snapshot.get("SnapshotId"):
            raise api.error("DescribeSnapshots", "MalformedResponse", "a snapshot has no SnapshotId")
        snapshots.append(Snapshot.from_aws(snapshot))
    return tuple(snapshots)


def fetch_recycle_bin(api: Api) -> tuple[frozenset[str], tuple[str, ...]]:
    """(ids of the AMIs in the Recycle Bin, warnings).  One of them can come back, and then needs its snapshots."""
    try:
        return frozenset(image["ImageId"] for image in api.pages("ListImagesInRecycleBin") if image.get("ImageId")), ()
    except NotOfferedError as error:
        return frozenset(), (f"{error.action} is not offered by this endpoint: the Recycle Bin is not looked at.",)


def fetch_shared_with(api: Api, ami: str, inside: Collection[str]) -> tuple[str, ...]:
    """To whom the AMI's launch permissions are given, besides the accounts `inside` the run: for people, sorted.

    An AMI that is already gone is shared with nobody.  Raises an `AwsError` where the permissions can't be read.
    """
    try:
        answer = api.call("DescribeImageAttribute", ImageId=ami, Attribute="launchPermission")
    except AwsError as error:
        if error.code in {"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"}:
            return ()
        raise
    permissions = answer.get("LaunchPermissions")
    if not isinstance(permissions, list):
        raise api.error("DescribeImageAttribute", "MalformedResponse", "the answer has no LaunchPermissions")
    found = set()
    for permission in permissions:
        if permission.get("UserId"):
            if permission["UserId"] not in inside:
                found.add(f"account {permission['UserId']}")
        elif permission.get("Group"):
            found.add("everybody" if permission["Group"] == "all" else f"the group {permission['Group']}")
        elif permission.get("OrganizationArn"):
            found.add(f"the organization {permission['OrganizationArn']}")
        elif permission.get("OrganizationalUnitArn"):
            found.add(f"the organizational unit {permission['OrganizationalUnitArn']}")
        else:
            found.add("somebody that AWS does not name")
    return tuple(sorted(found))
