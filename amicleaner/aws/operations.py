"""The calls that the tool makes, as data: service, list, page size, and the names of the members that page.

Names are those of the service models (botocore); `tests/aws/test_operations.py` holds every operation against them.  The
limits on pages are in the API references of each call: 1,000 for images, instances and snapshots, 200 for launch templates
and fast launch, 100 for Auto Scaling and most other services.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of one service, by boto3's names of both.

    `items` is the member that holds the response's list.  `size` goes into `size_member`; 0 leaves the size of a page to
    AWS.  `next_page` is the member with the token of the next page, in request and response alike; empty where AWS answers
    on one page.  `many`: it is made for an AMI or a few at a time, thousands of times in a large account.
    """

    service: str
    method: str
    items: str = ""
    size: int = 0
    size_member: str = "MaxResults"
    next_page: str = "NextToken"
    changes: bool = False
    many: bool = False


def _records(method: str, items: str) -> Operation:
    """A listing of Auto Scaling."""
    return Operation("autoscaling", method, items, 100, "MaxRecords")


def _small_letter(service: str, method: str, items: str) -> Operation:
    """A listing of a service whose members begin with a small letter."""
    return Operation(service, method, items, 100, "maxResults", "nextToken")


OPERATIONS: dict[str, Operation] = {
    "DescribeImages": Operation("ec2", "describe_images", "Images", 1000),
    "DescribeSnapshots": Operation("ec2", "describe_snapshots", "Snapshots", 1000),
    "DescribeInstances": Operation("ec2", "describe_instances", "Reservations", 1000),
    "DescribeLaunchTemplateVersions": Operation("ec2", "describe_launch_template_versions", "LaunchTemplateVersions", 200),
    "DescribeSpotFleetRequests": Operation("ec2", "describe_spot_fleet_requests", "SpotFleetRequestConfigs", 1000),
    "DescribeSpotInstanceRequests": Operation("ec2", "describe_spot_instance_requests", "SpotInstanceRequests", 1000),
    "DescribeFleets": Operation("ec2", "describe_fleets", "Fleets", 100),
    "DescribeFastLaunchImages": Operation("ec2", "describe_fast_launch_images", "FastLaunchImages", 200),
    "DescribeImageReferences": Operation("ec2", "describe_image_references", "ImageReferences", 1000, many=True),
    "DescribeImageAttribute": Operation("ec2", "describe_image_attribute", many=True),
    "DescribeRegions": Operation("ec2", "describe_regions", "Regions", next_page=""),
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
    "DescribeAutoScalingGroups": _records("describe_auto_scaling_groups", "AutoScalingGroups"),
    "DescribeLaunchConfigurations": _records("describe_launch_configurations", "LaunchConfigurations"),
    "DescribeInstanceRefreshes": _records("describe_instance_refreshes", "InstanceRefreshes"),
    "GetParameters": Operation("ssm", "get_parameters", "Parameters", next_page=""),
    "GetCallerIdentity": Operation("sts", "get_caller_identity"),
    "ListAccounts": Operation("organizations", "list_accounts", "Accounts", 20),
    "DescribeComputeEnvironments": _small_letter("batch", "describe_compute_environments", "computeEnvironments"),
    "ListImageRecipes": _small_letter("imagebuilder", "list_image_recipes", "imageRecipeSummaryList"),
    "ListContainerRecipes": _small_letter("imagebuilder", "list_container_recipes", "containerRecipeSummaryList"),
    "ListImagePipelines": _small_letter("imagebuilder", "list_image_pipelines", "imagePipelineList"),
    "ListImagePipelineImages": _small_letter("imagebuilder", "list_image_pipeline_images", "imageSummaryList"),
    "GetImage": Operation("imagebuilder", "get_image"),
    "pcs:ListClusters": _small_letter("pcs", "list_clusters", "clusters"),
    "ListComputeNodeGroups": _small_letter("pcs", "list_compute_node_groups", "computeNodeGroups"),
    "GetComputeNodeGroup": Operation("pcs", "get_compute_node_group"),
    "sagemaker:ListClusters": Operation("sagemaker", "list_clusters", "ClusterSummaries", 100),
    "sagemaker:DescribeCluster": Operation("sagemaker", "describe_cluster"),
    "DescribeDBEngineVersions": Operation(
        "rds", "describe_db_engine_versions", "DBEngineVersions", 100, "MaxRecords", "Marker"
    ),
    "emr:ListClusters": Operation("emr", "list_clusters", "Clusters", next_page="Marker"),
    "emr:DescribeCluster": Operation("emr", "describe_cluster"),
    "ListInstanceGroups": Operation("emr", "list_instance_groups", "InstanceGroups", next_page="Marker"),
    "ListInstanceFleets": Operation("emr", "list_instance_fleets", "InstanceFleets", next_page="Marker"),
    "DescribeApplications": Operation("elasticbeanstalk", "describe_applications", "Applications", next_page=""),
    "DescribeConfigurationSettings": Operation(
        "elasticbeanstalk", "describe_configuration_settings", "ConfigurationSettings", next_page=""
    ),
    "ListPlatformVersions": Operation("elasticbeanstalk", "list_platform_versions", "PlatformSummaryList"),
    "DescribePlatformVersion": Operation("elasticbeanstalk", "describe_platform_version"),
    "DescribeStacks": Operation("cloudformation", "describe_stacks", "Stacks"),
}
"""By the name of the call, with the service before it where two services have a call of that name."""

IAM_PREFIXES = {"emr": "elasticmapreduce"}
"""IAM's name of a service where boto3 has another one."""

EVERYWHERE = frozenset({"autoscaling", "ec2", "organizations", "rbin", "ssm", "sts"})
"""Services that every Region has: a host that is not found is a failure of the network.  Of a service that the Region is not
known to have it says that the Region lacks it."""


def iam_action(action: str) -> str:
    """The IAM action of a call: `ec2:DescribeImages`."""
    service = OPERATIONS[action].service
    return f"{IAM_PREFIXES.get(service, service)}:{action.rpartition(':')[2]}"
