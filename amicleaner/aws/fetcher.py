"""Reads what an account owns: AMIs, snapshots, the Recycle Bin, and whom an AMI is shared with.

Who uses an AMI is read by `usage/`.  Every function reads all pages, and raises an `AwsError` rather than answer in part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from ..errors import AwsError, UnsupportedCallError
from ..models import Ami, Snapshot
from .api import Api
from .error_mapping import AMI_GONE

T = TypeVar("T", Ami, Snapshot)

FILTER_VALUES = 200
"""Values that one filter takes (EC2 guide, "List and filter your resources")."""


def fetch_amis(api: Api) -> tuple[Ami, ...]:
    """All AMIs that the account owns in this Region, sorted by id.

    Disabled ones are hidden unless asked for, and still hold their snapshots; deprecated ones are always shown to their
    owner (EC2's `DescribeImages`).
    """
    amis: dict[str, Ami] = {}
    owner = api.target.account
    for image in api.pages("DescribeImages", Owners=["self"], IncludeDisabled=True):
        ami = _made(api, "DescribeImages", "ImageId", Ami.from_aws, image, amis)
        owner = owner or ami.owner
        # An emulator may not say whose they are; own ones were asked for.
        if ami.owner and ami.owner != owner:
            message = f"own AMIs were asked for, and {ami.id} belongs to {ami.owner}"
            raise api.error("DescribeImages", "MalformedResponse", message)
    return tuple(amis[id] for id in sorted(amis))


def fetch_visible_amis(api: Api, ids: Collection[str]) -> frozenset[str]:
    """Those of these AMIs that exist and that the account may use, whoever owns them: one call per 200.

    A filter leaves out what does not exist, where `ImageIds` would be an error.  Deprecated and disabled AMIs are hidden
    unless asked for.
    """
    wanted = sorted(set(ids))
    found: set[str] = set()
    for start in range(0, len(wanted), FILTER_VALUES):
        filters = [{"Name": "image-id", "Values": wanted[start : start + FILTER_VALUES]}]
        for image in api.pages("DescribeImages", Filters=filters, IncludeDeprecated=True, IncludeDisabled=True):
            found.add(str(image.get("ImageId")))
    return frozenset(found.intersection(wanted))


def fetch_snapshots(api: Api) -> tuple[tuple[Snapshot, ...], tuple[str, ...]]:
    """(all completed snapshots that the account owns in this Region, warnings)."""
    snapshots: dict[str, Snapshot] = {}
    filters = [{"Name": "status", "Values": ["completed"]}]
    try:
        for snapshot in api.pages("DescribeSnapshots", OwnerIds=["self"], Filters=filters):
            _made(api, "DescribeSnapshots", "SnapshotId", Snapshot.from_aws, snapshot, snapshots)
    except UnsupportedCallError as error:
        return (), (f"{error.action} is not offered by this endpoint: no orphan snapshots are looked for.",)
    return tuple(snapshots.values()), ()


def _made(
    api: Api, action: str, id: str, make: Callable[[Mapping[str, Any]], T], item: Mapping[str, Any], known: dict[str, T]
) -> T:
    """Puts what `item` tells among what is known.  Of two answers on the same thing nobody knows which one is true."""
    if not item.get(id):
        raise api.error(action, "MalformedResponse", f"one of its things has no {id}")
    try:
        made = make(item)
    except ValueError as error:
        raise api.error(action, "MalformedResponse", f"{item[id]}: {error}") from error
    if known.setdefault(made.id, made) != made:
        raise api.error(action, "MalformedResponse", f"{made.id} comes twice, and not the same")
    return made


def fetch_recycle_bin(api: Api) -> tuple[frozenset[str], tuple[str, ...]]:
    """(ids of the AMIs in the Recycle Bin, warnings).  One of them can come back, and then needs its snapshots."""
    try:
        images = list(api.pages("ListImagesInRecycleBin"))
    except UnsupportedCallError as error:
        return frozenset(), (f"{error.action} is not offered by this endpoint: the Recycle Bin is not looked at.",)
    if not all(image.get("ImageId") for image in images):
        raise api.error("ListImagesInRecycleBin", "MalformedResponse", "an image has no ImageId")
    return frozenset(image["ImageId"] for image in images), ()


def fetch_shared_with(api: Api, ami: str, inside: Collection[str]) -> tuple[str, ...]:
    """To whom the AMI's launch permissions are given, besides the accounts `inside` the run: for people, sorted.

    An AMI that is already gone is shared with nobody.  Raises an `AwsError` where the permissions can't be read.
    """
    try:
        answer = api.call("DescribeImageAttribute", ImageId=ami, Attribute="launchPermission")
    except AwsError as error:
        if error.code in AMI_GONE:
            return ()
        raise
    permissions = answer.get("LaunchPermissions")
    if not isinstance(permissions, list):
        raise api.error("DescribeImageAttribute", "MalformedResponse", "the answer has no LaunchPermissions")
    if answer.get("ImageId", ami) != ami:
        raise api.error("DescribeImageAttribute", "MalformedResponse", f"the answer is on another AMI than {ami}")
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
