"""The registry of sources, each kind of resource that names AMIs, and of all calls to AWS, as data.  Pure.

Options, reading order, IAM policy, JSON Schema and documentation follow from it; `aws/usage/` has the readers.  Every start
of the command loads this module, so its rows are named tuples, which are faster to define than dataclasses.
`tests/aws/test_operations.py` holds every call against botocore's service models.  The limits on pages are in the API
references of each call: 1,000 for images, instances and snapshots, 200 for launch templates and fast launch, 100 for Auto
Scaling and most other services.
"""

from typing import Literal, NamedTuple

from .actions import CHANGES

BOTO3_NAMES = {"elasticmapreduce": "emr"}
"""boto3's name of a service where IAM has another one."""


class Operation(NamedTuple):
    """One call of one service.  `action` is its IAM action, `ec2:DescribeImages`.

    `items` is the member that holds the response's list.  `size` goes into `size_member`; 0 leaves the size of a page to
    AWS.  `next_page` is the member with the token of the next page, in request and response alike; empty where AWS answers
    on one page.  `many`: it is called for one AMI or a few at a time, thousands of times in a large account.
    """

    action: str
    items: str = ""
    size: int = 0
    size_member: str = "MaxResults"
    next_page: str = "NextToken"
    changes: bool = False
    many: bool = False

    @property
    def service(self) -> str:
        """boto3's name of the service: `ec2`."""
        prefix = self.action.partition(":")[0]
        return BOTO3_NAMES.get(prefix, prefix)

    @property
    def name(self) -> str:
        """The call's name in the service model: `DescribeImages`."""
        return self.action.partition(":")[2]


def _records(action: str, items: str) -> Operation:
    """A listing of Auto Scaling."""
    return Operation(action, items, 100, "MaxRecords")


def _small_letter(action: str, items: str) -> Operation:
    """A listing of a service whose members begin with a small letter."""
    return Operation(action, items, 100, "maxResults", "nextToken")


class UsageSource(NamedTuple):
    """One kind of resource that names AMIs.

    `check` is its name for `--skip-check`, or for `--also-check` where it is read on request; empty where it cannot be
    skipped.  `kinds` are the kinds of reference that it reports.  `calls` are those that its reader makes, in their
    order, `via` the IAM actions that AWS uses behind them on the caller's behalf.  `things` names it in a message, `words`
    and `cost` are for the documentation.  `when` is at each reading (`always`), once something would be deleted (`late`), or
    only then and if `--also-check` names it (`on request`).  `reader` names the module and the function in `aws/usage/`
    that read it for a whole Region; it is empty for a source that is read in a way of its own.  `required`: an endpoint
    without the call is an error, as it is for every source on request.
    """

    check: str
    kinds: tuple[str, ...]
    calls: tuple[Operation, ...]
    things: str
    words: str
    cost: str
    when: Literal["always", "late", "on request"] = "always"
    reader: str = ""
    via: tuple[str, ...] = ()
    required: bool = False

    @property
    def actions(self) -> tuple[str, ...]:
        """The IAM actions of its calls."""
        return tuple(call.action for call in self.calls)

    @property
    def on_request(self) -> bool:
        """Whether it is read only where --also-check names it."""
        return self.when == "on request"


# fmt: off
LAUNCH_TEMPLATES = UsageSource(
    check="launch-templates", kinds=("launch-template",), reader="launch_templates.read",
    calls=(Operation("ec2:DescribeLaunchTemplateVersions", "LaunchTemplateVersions", 200),),
    things="launch templates", cost="1 call per 200 versions, and 1 per template of which another version is named",
    required=True,
    words="Launch templates: the default and the latest version, and each version that something else here names; every "
    "version with `--all-launch-template-versions`",
)
SSM_PARAMETERS = UsageSource(
    check="", kinds=(),
    calls=(Operation("ssm:GetParameters", "Parameters", next_page=""),),
    things="SSM parameters", cost="1 call per 10 parameters", required=True,
    words="The AMI in an SSM parameter that a template, an override or a recipe names (`resolve:ssm:`, by name or ARN, "
    "with a version, a label or none)",
)
INSTANCE_REFRESHES = UsageSource(
    check="auto-scaling-groups", kinds=("instance-refresh",),
    calls=(_records("autoscaling:DescribeInstanceRefreshes", "InstanceRefreshes"),),
    things="instance refreshes of Auto Scaling groups", cost="1 call per Auto Scaling group",
    words="The desired configuration of each unfinished instance refresh",
)
IMAGE_REFERENCES = UsageSource(
    check="image-references", kinds=("instance", "ssm-parameter", "image-recipe", "container-recipe"), when="late",
    calls=(Operation("ec2:DescribeImageReferences", "ImageReferences", 1000, many=True),),
    via=(
        "ec2:DescribeInstances", "imagebuilder:GetContainerRecipe", "imagebuilder:ListContainerRecipes",
        "imagebuilder:ListImageRecipes", "ssm:DescribeParameters", "ssm:GetParameters",
    ),
    things="SSM parameters and Image Builder recipes", cost="1 call per 10 AMIs",
    words="SSM parameters and Image Builder recipes that hold the AMI's id (AWS's own DescribeImageReferences)",
)

SOURCES: tuple[UsageSource, ...] = (
    UsageSource(
        check="instances", kinds=("instance",), reader="listings.read_instances",
        calls=(Operation("ec2:DescribeInstances", "Reservations", 1000),),
        things="instances", cost="1 call per 1,000", required=True,
        words="Instances in any state but terminated, those that AWS services manage included",
    ),
    UsageSource(
        check="launch-configurations", kinds=("launch-configuration",), reader="listings.read_launch_configurations",
        calls=(_records("autoscaling:DescribeLaunchConfigurations", "LaunchConfigurations"),),
        things="launch configurations", cost="1 call per 100", required=True,
        words="Launch configurations, whether a group uses them or not",
    ),
    LAUNCH_TEMPLATES,
    UsageSource(
        check="auto-scaling-groups", kinds=("auto-scaling-group",), reader="auto_scaling.read_groups",
        calls=(_records("autoscaling:DescribeAutoScalingGroups", "AutoScalingGroups"),),
        things="Auto Scaling groups", cost="1 call per 100", required=True,
        words="Auto Scaling groups at any capacity: the launch template, or the mixed instances policy (base, an "
        "override's template, an override's own image)",
    ),
    UsageSource(
        check="spot", kinds=("spot-fleet",), reader="listings.read_spot_fleets",
        calls=(Operation("ec2:DescribeSpotFleetRequests", "SpotFleetRequestConfigs", 1000),),
        things="Spot Fleets", cost="1 call per 1,000",
        words="Spot Fleets, unless they are cancelled, failed or being cancelled",
    ),
    UsageSource(
        check="spot", kinds=("spot-request",), reader="listings.read_spot_requests",
        calls=(Operation("ec2:DescribeSpotInstanceRequests", "SpotInstanceRequests", 1000),),
        things="Spot requests", cost="1 call per 1,000",
        words="Spot requests, unless they are cancelled, closed or failed",
    ),
    UsageSource(
        check="fleets", kinds=("fleet",), reader="listings.read_fleets",
        calls=(Operation("ec2:DescribeFleets", "Fleets", 100),),
        things="EC2 Fleets", cost="1 call per 100",
        words="EC2 Fleets, unless they are deleted, failed or being deleted",
    ),
    SSM_PARAMETERS,
    INSTANCE_REFRESHES,
    IMAGE_REFERENCES,
    UsageSource(
        check="batch", kinds=("batch-compute-environment",), when="late", reader="listings.read_batch",
        calls=(_small_letter("batch:DescribeComputeEnvironments", "computeEnvironments"),),
        things="AWS Batch compute environments", cost="1 call per 100",
        words="AWS Batch compute environments: the image, the image per type, the launch template and its overrides",
    ),
    UsageSource(
        check="image-builder", kinds=("image-recipe", "container-recipe", "image-pipeline"), when="late",
        reader="image_builder.read",
        calls=(
            _small_letter("imagebuilder:ListImageRecipes", "imageRecipeSummaryList"),
            _small_letter("imagebuilder:ListContainerRecipes", "containerRecipeSummaryList"),
            Operation("imagebuilder:GetImage"),
            _small_letter("imagebuilder:ListImagePipelines", "imagePipelineList"),
            _small_letter("imagebuilder:ListImagePipelineImages", "imageSummaryList"),
        ),
        things="Image Builder recipes and pipelines", cost="3 calls, and 1 per parent image and per pipeline",
        words="EC2 Image Builder: the parent of each recipe (an AMI, an SSM parameter, or another image in its latest "
        "matching version), and the latest image of each pipeline",
    ),
    UsageSource(
        check="fast-launch", kinds=("fast-launch",), when="late", reader="listings.read_fast_launch",
        calls=(Operation("ec2:DescribeFastLaunchImages", "FastLaunchImages", 200),),
        things="Windows fast launch", cost="1 call per 200",
        words="Windows fast launch: the AMI, and the launch template version that prepares its snapshots",
    ),
    UsageSource(
        check="sagemaker-hyperpod", kinds=("sagemaker-cluster",), when="on request", reader="nested_listings.read_hyperpod",
        calls=(
            Operation("sagemaker:ListClusters", "ClusterSummaries", 100),
            Operation("sagemaker:DescribeCluster"),
        ),
        things="SageMaker HyperPod clusters", cost="1 call, and 1 per cluster",
        words="SageMaker HyperPod clusters: the current and the desired image of each instance group",
    ),
    UsageSource(
        check="pcs", kinds=("pcs-node-group",), when="on request", reader="nested_listings.read_pcs",
        calls=(
            _small_letter("pcs:ListClusters", "clusters"),
            _small_letter("pcs:ListComputeNodeGroups", "computeNodeGroups"),
            Operation("pcs:GetComputeNodeGroup"),
        ),
        things="PCS compute node groups", cost="1 call, and 1 per cluster and per node group",
        words="AWS Parallel Computing Service: the image and the launch template version of each compute node group",
    ),
    UsageSource(
        check="rds-custom", kinds=("rds-custom-engine-version",), when="on request", reader="listings.read_rds_custom",
        calls=(Operation("rds:DescribeDBEngineVersions", "DBEngineVersions", 100, "MaxRecords", "Marker"),),
        things="RDS Custom engine versions", cost="8 calls",
        words="RDS Custom engine versions",
    ),
    UsageSource(
        check="emr", kinds=("emr-cluster",), when="on request", reader="nested_listings.read_emr",
        calls=(
            Operation("elasticmapreduce:ListClusters", "Clusters", next_page="Marker"),
            Operation("elasticmapreduce:DescribeCluster"),
            Operation("elasticmapreduce:ListInstanceGroups", "InstanceGroups", next_page="Marker"),
            Operation("elasticmapreduce:ListInstanceFleets", "InstanceFleets", next_page="Marker"),
        ),
        things="EMR clusters", cost="1 call per 50, and 2 per cluster",
        words="EMR clusters that are not terminated: the custom AMI of the cluster, its instance groups and instance "
        "fleets",
    ),
    UsageSource(
        check="elastic-beanstalk", kinds=("beanstalk-configuration", "beanstalk-platform"), when="on request",
        reader="nested_listings.read_beanstalk",
        calls=(
            Operation("elasticbeanstalk:DescribeApplications", "Applications", next_page=""),
            Operation("elasticbeanstalk:DescribeConfigurationSettings", "ConfigurationSettings", next_page=""),
            Operation("elasticbeanstalk:ListPlatformVersions", "PlatformSummaryList"),
            Operation("elasticbeanstalk:DescribePlatformVersion"),
        ),
        things="Elastic Beanstalk saved configurations and platforms",
        cost="2 calls, and 1 per saved configuration and per custom platform version",
        words="Elastic Beanstalk: the image of each saved configuration, and those of each custom platform version",
    ),
    UsageSource(
        check="cloudformation", kinds=("cloudformation-stack",), when="on request", reader="listings.read_cloudformation",
        calls=(Operation("cloudformation:DescribeStacks", "Stacks"),),
        things="CloudFormation parameters", cost="1 call per page of stacks",
        words="CloudFormation stacks: AMI ids among the parameters, and those that an SSM parameter was resolved to",
    ),
)
# fmt: on
"""In the order in which their errors and warnings are reported."""

CHECKS = tuple(sorted({source.check for source in SOURCES if source.check and not source.on_request}))
"""What `--skip-check` takes."""

FURTHER_CHECKS = tuple(sorted({source.check for source in SOURCES if source.on_request}))
"""What `--also-check` takes."""

USE_KINDS = tuple(sorted({kind for source in SOURCES for kind in source.kinds} | {"file", "image-copy"}))
"""Every kind of reference: those of the sources, AMI ids in files (`used_by_files.py`), pending copies (`uses.py`)."""

_OWN = (
    Operation("ec2:DescribeImages", "Images", 1000),
    Operation("ec2:DescribeSnapshots", "Snapshots", 1000),
    Operation("ec2:DescribeImageAttribute", many=True),
    Operation("ec2:DescribeRegions", "Regions", next_page=""),
    Operation("ec2:ListImagesInRecycleBin", "Images", 1000),
    Operation("ec2:ListSnapshotsInRecycleBin", "Snapshots", 1000),
    Operation("rbin:ListRules", "Rules", 100),
    Operation("rbin:GetRule"),
    Operation("sts:GetCallerIdentity"),
    Operation("organizations:ListAccounts", "Accounts", 20),
    *(Operation(change.name, changes=True) for change in CHANGES),
)

OPERATIONS: dict[str, Operation] = {
    operation.action.removeprefix("ec2:"): operation
    for operation in (*_OWN, *(call for source in SOURCES for call in source.calls))
}
"""Every call, by IAM action; EC2's calls are named without the service: `DescribeImages`, `rbin:ListRules`."""
