"""Reads what an account owns: AMIs, snapshots, the Recycle Bin, and whom an AMI is shared with.

References to AMIs are read by `usage/`.  Every function reads all pages, and raises an `AwsError` rather than answer in
part.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from ..actions import AMI_GONE
from ..errors import AwsError, UnsupportedCallError
from ..models import Ami, Snapshot, parse_time
from ..recycle_bin import RetentionRule
from .api import Api

T = TypeVar("T", Ami, Snapshot)

FILTER_VALUES = 200
"""Values that one filter takes (EC2 guide, "List and filter your resources")."""


def fetch_amis(api: Api, **filters: Any) -> tuple[Ami, ...]:
    """All AMIs that the account owns in this Region, sorted by id.

    Disabled ones are hidden unless asked for, and still hold their snapshots; deprecated ones are always shown to their
    owner (EC2's `DescribeImages`).
    """
    amis: dict[str, Ami] = {}
    owner = api.target.account
    for image in api.pages("DescribeImages", Owners=["self"], IncludeDisabled=True, **filters):
        ami = _made(api, "DescribeImages", "ImageId", Ami.from_aws, image, amis)
        owner = owner or ami.owner
        # An emulator may not say whose they are; own ones were asked for.
        if ami.owner and ami.owner != owner:
            raise api.malformed("DescribeImages", f"it lists {ami.id}, which belongs to account {ami.owner}")
    return tuple(amis[id] for id in sorted(amis))


GONE = "gone"
"""The state of an AMI that does not exist."""


def fetch_ami(api: Api, id: str) -> Ami | None:
    """One own AMI as it is now, None if it does not exist.  Raises AwsError."""
    try:
        # Without a page size, which EC2 does not accept together with ids.
        answer = api.call("DescribeImages", ImageIds=[id], IncludeDisabled=True)
    except AwsError as error:
        if error.code in AMI_GONE:
            return None
        raise
    found: dict[str, Ami] = {}
    for image in answer.get("Images") or ():
        _made(api, "DescribeImages", "ImageId", Ami.from_aws, image, found)
    ami = found.get(id)
    return None if ami is None or ami.state == "deregistered" else ami


def fetch_state(api: Api, id: str) -> str:
    """The state of one own AMI now, `GONE` if it does not exist.  Raises AwsError."""
    ami = fetch_ami(api, id)
    return GONE if ami is None else ami.state


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
        return (), (f"This endpoint doesn't support {error.action}; orphaned snapshots were not looked for.",)
    return tuple(snapshots.values()), ()


def fetch_snapshots_by_id(api: Api, ids: Sequence[str]) -> tuple[tuple[Snapshot, ...], tuple[str, ...]]:
    """(those of these snapshots that exist, warnings): one call per 200."""
    snapshots: dict[str, Snapshot] = {}
    try:
        for start in range(0, len(ids), FILTER_VALUES):
            filters = [{"Name": "snapshot-id", "Values": list(ids[start : start + FILTER_VALUES])}]
            for snapshot in api.pages("DescribeSnapshots", Filters=filters):
                _made(api, "DescribeSnapshots", "SnapshotId", Snapshot.from_aws, snapshot, snapshots)
    except UnsupportedCallError as error:
        text = "tags of snapshots (keep tags, AWS Backup, Data Lifecycle Manager) were not checked"
        return (), (f"This endpoint doesn't support {error.action}; {text}.",)
    return tuple(snapshots[id] for id in sorted(snapshots.keys() & set(ids))), ()


def _made(
    api: Api, action: str, id: str, make: Callable[[Mapping[str, Any]], T], item: Mapping[str, Any], known: dict[str, T]
) -> T:
    """Adds what `item` describes.  Two different descriptions of one resource are an error: either may be wrong."""
    api.filled(action, item, id, "an item")
    try:
        made = make(item)
    except ValueError as error:
        raise api.malformed(action, f"{item[id]}: {error}") from error
    if known.setdefault(made.id, made) != made:
        raise api.malformed(action, f"{made.id} is listed twice, with different contents")
    return made


def fetch_bin(api: Api) -> tuple[dict[str, datetime | None], tuple[str, ...]]:
    """(ids of the AMIs in the Recycle Bin with the time when each leaves it, warnings).  One of them can come back, and then
    needs its snapshots."""
    call = "ListImagesInRecycleBin"
    try:
        images = list(api.pages(call))
    except UnsupportedCallError as error:
        return {}, (f"This endpoint doesn't support {error.action}; the Recycle Bin was not checked.",)
    exits = {api.filled(call, image, "ImageId", "an image"): image.get("RecycleBinExitTime") for image in images}
    return {id: parse_time(time) for id, time in exits.items()}, ()


def fetch_bin_snapshots(api: Api) -> dict[str, str]:
    """The ids of the snapshots in the Recycle Bin with their descriptions."""
    call = "ListSnapshotsInRecycleBin"
    return {
        api.filled(call, snapshot, "SnapshotId", "a snapshot"): str(snapshot.get("Description") or "")
        for snapshot in list(api.pages(call))
    }


def fetch_bin_rules(api: Api, resource_type: str) -> tuple[RetentionRule, ...]:
    """The retention rules of the Recycle Bin in this Region for `EC2_IMAGE` or `EBS_SNAPSHOT`."""
    call = "rbin:ListRules"
    rules = list(api.pages(call, ResourceType=resource_type))
    identifiers = [str(api.filled(call, rule, "Identifier", "a rule")) for rule in rules]
    return tuple(_fetch_rule(api, identifier) for identifier in identifiers)


def _fetch_rule(api: Api, identifier: str) -> RetentionRule:
    """A rule with another unit than days, or without a period, counts as retaining for 0 days."""
    answer = api.call("rbin:GetRule", Identifier=identifier)
    if answer.get("Identifier") != identifier:
        raise api.malformed("rbin:GetRule", f"the response is not about rule {identifier}")
    period = answer.get("RetentionPeriod") or {}
    days = int(period.get("RetentionPeriodValue") or 0) if period.get("RetentionPeriodUnit") == "DAYS" else 0
    return RetentionRule(
        days,
        answer.get("Status") == "available",
        _rule_tags(answer.get("ResourceTags")),
        _rule_tags(answer.get("ExcludeResourceTags")),
    )


def _rule_tags(tags: Any) -> tuple[tuple[str, str | None], ...]:
    """`[{"ResourceTagKey": …, "ResourceTagValue": …}]` as pairs; without a value every value matches."""
    return tuple((str(tag.get("ResourceTagKey") or ""), tag.get("ResourceTagValue")) for tag in tags or ())


def fetch_shared_with(api: Api, ami: str, inside: Collection[str]) -> tuple[str, ...]:
    """Who has launch permissions for the AMI, except the accounts `inside` the run: for people, sorted.

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
        raise api.malformed("DescribeImageAttribute", "the response has no LaunchPermissions")
    if answer.get("ImageId", ami) != ami:
        raise api.malformed("DescribeImageAttribute", f"the response is about another AMI, not {ami}")
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
            found.add("an account that AWS does not name")
    return tuple(sorted(found))
