"""The calls that the tool makes, as data: service, page size, where the answer's list stands.

Page sizes and member names are those of the service models (botocore); the limits on pages are in the API references
of each call: 1,000 for images, instances and snapshots, 200 for launch templates, 100 for Auto Scaling.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """`items` is the member that holds the answer's list, `size` goes into `size_member`; size 0: the call is not paged.
    `many`: it is made for an AMI or a few at a time, thousands of times in a large account."""

    service: str
    method: str
    items: str = ""
    size: int = 0
    size_member: str = "MaxResults"
    changes: bool = False
    many: bool = False


OPERATIONS: dict[str, Operation] = {
    "DescribeImages": Operation("ec2", "describe_images", "Images", 1000),
    "DescribeSnapshots": Operation("ec2", "describe_snapshots", "Snapshots", 1000),
    "DescribeInstances": Operation("ec2", "describe_instances", "Reservations", 1000),
    "DescribeLaunchTemplateVersions": Operation("ec2", "describe_launch_template_versions", "LaunchTemplateVersions", 200),
    "DescribeSpotFleetRequests": Operation("ec2", "describe_spot_fleet_requests", "SpotFleetRequestConfigs", 1000),
    "DescribeSpotInstanceRequests": Operation("ec2", "describe_spot_instance_requests", "SpotInstanceRequests", 1000),
    "DescribeFleets": Operation("ec2", "describe_fleets", "Fleets", 100),
    "DescribeImageReferences": Operation("ec2", "describe_image_references", "ImageReferences", 1000, many=True),
    "DescribeImageAttribute": Operation("ec2", "describe_image_attribute", many=True),
    "DescribeRegions": Operation("ec2", "describe_regions", "Regions"),
    "ListImagesInRecycleBin": Operation("ec2", "list_images_in_recycle_bin", "Images", 1000),
    "ListSnapshotsInRecycleBin": Operation("ec2", "list_snapshots_in_recycle_bin", "Snapshots", 1000),
    "DeregisterImage": Operation("ec2", "deregister_image", changes=True),
    "DeleteSnapshot": Operation("ec2", "delete_snapshot", changes=True),
    "DisableImage": Operation("ec2", "disable_image", changes=True),
    "EnableImage": Operation("ec2", "enable_image", changes=True),
    "CreateTags": Operation("ec2", "create_tags", changes=True),
    "DeleteTags": Operation("ec2", "delete_tags", changes=True),
    "RestoreImageFromRecycleBin": Operation("ec2", "restore_image_from_recycle_bin", changes=True),
    "RestoreSnapshotFromRecycleBin": Operation("ec2", "restore_snapshot_from_recycle_bin", changes=True),
    "ListRules": Operation("rbin", "list_rules", "Rules", 100),
    "GetRule": Operation("rbin", "get_rule"),
    "DescribeAutoScalingGroups": Operation(
        "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", 100, "MaxRecords"
    ),
    "DescribeLaunchConfigurations": Operation(
        "autoscaling", "describe_launch_configurations", "LaunchConfigurations", 100, "MaxRecords"
    ),
    "DescribeInstanceRefreshes": Operation(
        "autoscaling", "describe_instance_refreshes", "InstanceRefreshes", 100, "MaxRecords"
    ),
    "GetParameters": Operation("ssm", "get_parameters", "Parameters"),
    "GetCallerIdentity": Operation("sts", "get_caller_identity"),
    "ListAccounts": Operation("organizations", "list_accounts", "Accounts", 20),
}
