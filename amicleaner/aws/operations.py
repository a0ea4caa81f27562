"""The calls that the tool makes, as data: service, list, page size, and the names of the members that page.

The sources of references bring their own (`sources.py`).  `tests/aws/test_operations.py` holds every operation against
botocore's service models.  The limits on pages are in the API references of each call: 1,000 for images, instances and
snapshots, 200 for launch templates and fast launch, 100 for Auto Scaling and most other services.
"""

from ..sources import SOURCES, Operation

_OWN = (
    Operation("ec2:DescribeImages", "Images", 1000),
    Operation("ec2:DescribeSnapshots", "Snapshots", 1000),
    Operation("ec2:DescribeImageAttribute", many=True),
    Operation("ec2:DescribeRegions", "Regions", next_page=""),
    Operation("ec2:ListImagesInRecycleBin", "Images", 1000),
    Operation("ec2:ListSnapshotsInRecycleBin", "Snapshots", 1000),
    Operation("ec2:DeregisterImage", changes=True),
    Operation("ec2:DeleteSnapshot", changes=True),
    Operation("ec2:DisableImage", changes=True),
    Operation("ec2:EnableImage", changes=True),
    Operation("ec2:CreateTags", changes=True),
    Operation("ec2:DeleteTags", changes=True),
    Operation("ec2:RestoreImageFromRecycleBin", changes=True),
    Operation("ec2:RestoreSnapshotFromRecycleBin", changes=True),
    Operation("rbin:ListRules", "Rules", 100),
    Operation("rbin:GetRule"),
    Operation("sts:GetCallerIdentity"),
    Operation("organizations:ListAccounts", "Accounts", 20),
)

OPERATIONS: dict[str, Operation] = {
    operation.action.removeprefix("ec2:"): operation
    for operation in (*_OWN, *(call for source in SOURCES for call in source.calls))
}
"""By IAM action; EC2's calls are named without the service: `DescribeImages`, `rbin:ListRules`."""

EVERYWHERE = frozenset({"autoscaling", "ec2", "organizations", "rbin", "ssm", "sts"})
"""Services that every Region has: a host that is not found is a failure of the network.  Of a service that the Region is not
known to have it says that the Region lacks it."""
