"""The catalogue of references: every way in which something in an account can name an AMI or a snapshot.

Tests about references iterate over it, so a new kind of reference needs one entry here and no further list. The entries of a
source stand together, and the first of them is its plainest: no template version or parameter in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from amicleaner.sources import FURTHER_CHECKS, SOURCES, UsageSource
from tests.fake_aws import RegionState

Add = Callable[[RegionState, str], object]
"""Adds a reference to an AMI (or a snapshot), given by its id."""

VERSIONS = "DescribeLaunchTemplateVersions"

UNOWNED = tuple(f"ami-{number:08x}" for number in range(3))
"""AMIs that nobody owns. References to them, added first, push a reference that matters to the last page."""


@dataclass(frozen=True)
class Source:
    """A usage source: the start of its referrers' labels, and the calls that lead to a reference, its own first. A
    reference is found only if AWS answers each call truthfully. With references to `UNOWNED` before it and one item per
    page, it is at least on page `pages` of the first call.
    """

    label: str
    calls: tuple[str, ...]
    pages: int = 3
    through: str = ""
    """The module that follows it: `template_versions` or `ssm_parameters`."""
    also_reported: bool = False
    """DescribeImageReferences reports it too, so that check is skipped where the source is tested alone."""

    @property
    def call(self) -> str:
        return self.calls[0]

    @property
    def registered(self) -> UsageSource:
        """Its entry in the registry."""
        return next(source for source in SOURCES if any(self.call in (known.name, known.action) for known in source.calls))

    @property
    def check(self) -> str:
        return self.registered.check

    def labelled(self, label: str) -> Source:
        return replace(self, label=label)

    def through_version(self) -> Source:
        """The same source, where it names a template's version."""
        return replace(self, calls=(*self.calls, VERSIONS), through="template_versions")

    def through_parameter(self) -> Source:
        """The same source, where it names an SSM parameter."""
        return replace(self, calls=(*self.calls, "GetParameters"), through="ssm_parameters", also_reported=True)


@dataclass(frozen=True)
class ReferenceKind:
    """One way to name an AMI. `config` holds the options without which it is no reference."""

    name: str
    source: Source
    add: Add
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """The options of a run in which this kind, and no other check, finds its reference."""
        options = dict(self.config)
        if self.source.also_reported:
            options["skip_check"] = ("image-references",)
        if self.source.check in FURTHER_CHECKS:
            options["also_check"] = (self.source.check,)
        return options


# --- what references are made of ------------------------------------------------------------------------------


def configs(override: Mapping[str, Any] | None = None, **specification: str) -> list[dict[str, Any]]:
    """A fleet's launch template configurations: a template's version, an override."""
    return [{"LaunchTemplateSpecification": specification or None, "Overrides": [override] if override else None}]


def mixed(override: Mapping[str, Any] | None = None, **specification: str) -> dict[str, Any]:
    """A mixed instances policy."""
    return {"LaunchTemplate": configs(override, **specification)[0]}


def add_template(region: RegionState, *images: str | None, **members: Any) -> None:
    """A launch template whose versions name these AMIs."""
    region.add_launch_template(versions=[{"ImageId": image} if image else {} for image in images], **members)


def pinned(region: RegionState, image: str) -> dict[str, Any]:
    """Version 2 of 3 of a new template, so neither the default nor the latest one."""
    template = region.add_launch_template(versions=[{}, {"ImageId": image}, {}])
    return {"LaunchTemplateId": template.template_id, "Version": "2"}


def pinned_by_name(region: RegionState, image: str) -> dict[str, Any]:
    template = region.add_launch_template(versions=[{}, {"ImageId": image}, {}])
    return {"LaunchTemplateName": template.name, "Version": "2"}


def alias(region: RegionState, image: str, form: str = "{name}", **members: Any) -> str:
    """`resolve:ssm:` with a new parameter that holds the AMI; `form` has its `{name}`, its `{plain}` name or its `{arn}`."""
    name = f"/golden/{len(region.parameters):03}"
    plain = name.rpartition("/")[2]
    parameter = region.add_parameter(plain if "{plain}" in form else name, image, **members)
    return "resolve:ssm:" + form.format(name=name, arn=parameter.arn, plain=plain)


def aliased(form: str, **members: Any) -> Add:
    return lambda region, image: add_template(region, alias(region, image, form, **members))


def add_refresh(region: RegionState, configuration: Mapping[str, Any], status: str = "InProgress") -> None:
    """A refresh of the one group that has them all, so that its calls have pages."""
    if "group" not in region.groups:
        region.add_group("group")
    region.add_refresh("group", dict(configuration), status)


def spot_fleet(state: str = "active") -> Add:
    return lambda region, image: region.add_spot_fleet(state, launch_specifications=[{"ImageId": image}])


def spot_request(state: str = "open") -> Add:
    return lambda region, image: region.add_spot_request(image, state)


def fleet(state: str = "active") -> Add:
    return lambda region, image: region.add_fleet(state, launch_template_configs=configs({"ImageId": image}))


def batch(image: str, **resources: Any) -> dict[str, Any]:
    """A managed compute environment of Batch."""
    return {"computeEnvironmentName": f"jobs-{image}", "computeResources": {"type": "EC2", **resources}}


def batch_template(specification: Mapping[str, Any]) -> dict[str, Any]:
    """A launch template by Batch's names of its members."""
    return {name[0].lower() + name[1:]: value for name, value in specification.items()}


def built_image(region: RegionState, image: str, version: str = "1.0.0", **members: Any) -> str:
    """The ARN of an image that Image Builder built, with this AMI as its output."""
    count = len(region.entries.get("built-image", ()))
    arn = region.arn("imagebuilder", f"image/base{count}/{version}/1")
    shape = {
        "arn": arn,
        "state": {"status": "AVAILABLE"},
        "dateCreated": f"2026-01-01T00:00:{count:02}.000Z",
        "outputResources": {
            "amis": [
                {"region": "us-gov-west-1", "image": "ami-99999999"},
                {"region": region.name, "image": image, "accountId": region.account_id},
            ]
        },
    }
    region.add_entry("built-image", shape | members)
    return arn


def add_recipe_on_image(region: RegionState, image: str, *, container: bool = False, wildcard: str = "1.x.x") -> None:
    arn = built_image(region, image).replace("1.0.0/1", wildcard)
    region.add_recipe(arn, container=container)


def add_pipeline(region: RegionState, image: str) -> None:
    """A pipeline that has built two images, the AMI last."""
    arn = region.arn("imagebuilder", f"image-pipeline/p{len(region.entries.get('pipeline', ()))}")
    region.add_entry("pipeline", {"arn": arn})
    built_image(region, "ami-99999998", sourcePipelineArn=arn)
    built_image(region, image, sourcePipelineArn=arn)


def add_pcs_group(region: RegionState, group: Mapping[str, Any]) -> None:
    cluster = f"pcs_{len(region.entries.get('pcs-cluster', ()))}"
    region.add_entry("pcs-cluster", {"id": cluster, "name": cluster})
    region.add_entry("pcs-group", {"id": "pcs_g1", "name": "compute", "clusterId": cluster, **group})


def add_emr(region: RegionState, *, cluster: str = "", group: str = "", fleet: str = "") -> None:
    id = f"j-{len(region.entries.get('emr-cluster', ()))}"
    kind = "INSTANCE_FLEET" if fleet else "INSTANCE_GROUP"
    shape = {"Id": id, "Name": "etl", "Status": {"State": "WAITING"}, "InstanceCollectionType": kind}
    region.add_entry("emr-cluster", shape | ({"CustomAmiId": cluster} if cluster else {}))
    if group:
        region.add_entry("emr-group", {"ClusterId": id, "CustomAmiId": group})
    if fleet:
        region.add_entry("emr-fleet", {"ClusterId": id, "InstanceTypeSpecifications": [{"CustomAmiId": fleet}]})


def add_hyperpod(region: RegionState, group: Mapping[str, str]) -> None:
    name = f"train-{len(region.entries.get('hyperpod', ()))}"
    shape = {"ClusterArn": region.arn("sagemaker", f"cluster/{name}"), "ClusterName": name}
    region.add_entry("hyperpod", shape | {"InstanceGroups": [{"InstanceGroupName": "workers", **group}]})


def add_configuration(region: RegionState, image: str) -> None:
    application = f"shop-{len(region.entries.get('application', ()))}"
    region.add_entry("application", {"ApplicationName": application, "ConfigurationTemplates": ["saved"]})
    options = [{"OptionName": "InstanceType", "Value": "t3.micro"}, {"OptionName": "ImageId", "Value": image}]
    names = {"ApplicationName": application, "TemplateName": "saved"}
    region.add_entry("configuration", names | {"OptionSettings": options})


def add_platform(region: RegionState, image: str) -> None:
    arn = region.arn("elasticbeanstalk", f"platform/own/1.0.{len(region.entries.get('platform', ()))}")
    shape = {"PlatformArn": arn, "PlatformName": "own", "PlatformVersion": "1.0.0"}
    region.add_entry("platform", shape | {"CustomAmiList": [{"VirtualizationType": "hvm", "ImageId": image}]})


def add_stack(region: RegionState, **parameter: str) -> None:
    name = f"stack-{len(region.entries.get('stack', ()))}"
    region.add_entry("stack", {"StackName": name, "Parameters": [{"ParameterKey": "Image", **parameter}]})


def engine_version(image: str, engine: str = "custom-oracle-ee") -> dict[str, Any]:
    return {"Engine": engine, "EngineVersion": f"19.{image}", "Status": "inactive", "Image": {"ImageId": image}}


def devices(snapshot: str) -> list[dict[str, Any]]:
    """Block devices, the second of which is made from the snapshot."""
    return [{"DeviceName": "/dev/xvda"}, {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": snapshot}}]


# --- the catalogue --------------------------------------------------------------------------------------------

INSTANCES = Source("instance i-", ("DescribeInstances",), also_reported=True)
CONFIGURATIONS = Source("launch configuration ", ("DescribeLaunchConfigurations",))
TEMPLATES = Source("launch template lt-", (VERSIONS,))
GROUPS = Source("Auto Scaling group ", ("DescribeAutoScalingGroups",))
REFRESHES = Source("instance refresh ", ("DescribeInstanceRefreshes", "DescribeAutoScalingGroups"))
SPOT_FLEETS = Source("Spot Fleet sfr-", ("DescribeSpotFleetRequests",))
SPOT_REQUESTS = Source("Spot request sir-", ("DescribeSpotInstanceRequests",))
FLEETS = Source("EC2 Fleet fleet-", ("DescribeFleets",))
BATCH = Source("Batch compute environment ", ("DescribeComputeEnvironments",))
FAST_LAUNCH = Source("Windows fast launch of ami-", ("DescribeFastLaunchImages",))
IMAGE_RECIPES = Source("Image Builder image recipe ", ("ListImageRecipes",), also_reported=True)
CONTAINER_RECIPES = replace(IMAGE_RECIPES, label="Image Builder container recipe ", calls=("ListContainerRecipes",))
PIPELINES = replace(
    IMAGE_RECIPES, label="latest image of Image Builder pipeline ", calls=("ListImagePipelines", "ListImagePipelineImages")
)
HYPERPOD = Source("SageMaker HyperPod cluster ", ("sagemaker:ListClusters", "sagemaker:DescribeCluster"))
PCS = Source("PCS compute node group ", ("pcs:ListClusters", "ListComputeNodeGroups", "GetComputeNodeGroup"))
RDS_CUSTOM = Source("RDS Custom engine version ", ("DescribeDBEngineVersions",))
EMR = Source("EMR cluster ", ("elasticmapreduce:ListClusters", "elasticmapreduce:DescribeCluster"))
BEANSTALK = Source(
    "Elastic Beanstalk saved configuration ", ("DescribeApplications", "DescribeConfigurationSettings"), pages=1
)
PLATFORMS = replace(
    BEANSTALK, label="Elastic Beanstalk platform ", calls=("ListPlatformVersions", "DescribePlatformVersion"), pages=3
)
CLOUDFORMATION = Source("CloudFormation stack ", ("DescribeStacks",))
REPORTED = Source("", ("DescribeImageReferences",), pages=1)

KINDS = (
    ReferenceKind("instance", INSTANCES, lambda r, i: r.add_instance(i)),
    ReferenceKind("stopped instance", INSTANCES, lambda r, i: r.add_instance(i, "stopped")),
    ReferenceKind("managed instance", INSTANCES, lambda r, i: r.add_instance(i, managed=True)),
    ReferenceKind("launch configuration", CONFIGURATIONS, lambda r, i: r.add_launch_configuration(i)),
    ReferenceKind("launch template", TEMPLATES, lambda r, i: add_template(r, i)),
    ReferenceKind("default version", TEMPLATES, lambda r, i: add_template(r, i, None)),
    ReferenceKind("latest version", TEMPLATES, lambda r, i: add_template(r, None, i)),
    ReferenceKind("managed launch template", TEMPLATES, lambda r, i: add_template(r, i, managed=True)),
    ReferenceKind(
        "every version",
        TEMPLATES,
        lambda r, i: add_template(r, None, i, None),
        config={"all_launch_template_versions": True},
    ),
    ReferenceKind("parameter", TEMPLATES.through_parameter(), aliased("{name}")),
    ReferenceKind("parameter without a slash", TEMPLATES.through_parameter(), aliased("{plain}")),
    ReferenceKind("parameter's version", TEMPLATES.through_parameter(), aliased("{name}:1")),
    ReferenceKind("parameter's label", TEMPLATES.through_parameter(), aliased("{name}:stable", labels={"stable": 1})),
    ReferenceKind("parameter by ARN", TEMPLATES.through_parameter(), aliased("{arn}")),
    ReferenceKind("parameter's version by ARN", TEMPLATES.through_parameter(), aliased("{arn}:1")),
    ReferenceKind(
        "group's override",
        GROUPS,
        lambda r, i: r.add_group(mixed_instances_policy=mixed({"ImageId": i})),
    ),
    ReferenceKind(
        "replaced root volume",
        GROUPS,
        lambda r, i: r.add_group(instances=[{"InstanceId": "i-1", "LifecycleState": "InService", "ImageId": i}]),
    ),
    ReferenceKind("group's template", GROUPS.through_version(), lambda r, i: r.add_group(launch_template=pinned(r, i))),
    ReferenceKind(
        "group's template by name",
        GROUPS.through_version(),
        lambda r, i: r.add_group(launch_template=pinned_by_name(r, i)),
    ),
    ReferenceKind(
        "group's mixed instances policy",
        GROUPS.through_version(),
        lambda r, i: r.add_group(mixed_instances_policy=mixed(**pinned(r, i))),
    ),
    ReferenceKind(
        "group's override's template",
        GROUPS.through_version(),
        lambda r, i: r.add_group(mixed_instances_policy=mixed({"LaunchTemplateSpecification": pinned(r, i)})),
    ),
    ReferenceKind(
        "refresh's override",
        REFRESHES,
        lambda r, i: add_refresh(r, {"MixedInstancesPolicy": mixed({"ImageId": i})}),
    ),
    ReferenceKind(
        "cancelling refresh",
        REFRESHES,
        lambda r, i: add_refresh(r, {"MixedInstancesPolicy": mixed({"ImageId": i})}, "Cancelling"),
    ),
    ReferenceKind(
        "refresh's template",
        REFRESHES.through_version(),
        lambda r, i: add_refresh(r, {"LaunchTemplate": pinned(r, i)}),
    ),
    ReferenceKind("Spot Fleet", SPOT_FLEETS, spot_fleet()),
    ReferenceKind(
        "Spot Fleet's template",
        SPOT_FLEETS.through_version(),
        lambda r, i: r.add_spot_fleet(launch_template_configs=configs(**pinned(r, i))),
    ),
    ReferenceKind("Spot request", SPOT_REQUESTS, spot_request()),
    ReferenceKind("fleet's override", FLEETS, fleet()),
    ReferenceKind(
        "fleet's template",
        FLEETS.through_version(),
        lambda r, i: r.add_fleet(launch_template_configs=configs(**pinned(r, i))),
    ),
    ReferenceKind(
        "fleet's parameter",
        FLEETS.through_parameter(),
        lambda r, i: r.add_fleet(launch_template_configs=configs({"ImageId": alias(r, i)})),
    ),
    ReferenceKind("SSM parameter", REPORTED.labelled("SSM parameter "), lambda r, i: r.add_parameter(f"/last/{i}", i)),
    ReferenceKind(
        "image recipe",
        REPORTED.labelled("Image Builder image recipe "),
        lambda r, i: r.add_recipe(i),
        config={"skip_check": ("image-builder",)},
    ),
    ReferenceKind(
        "container recipe",
        REPORTED.labelled("Image Builder container recipe "),
        lambda r, i: r.add_recipe(i, container=True),
        config={"skip_check": ("image-builder",)},
    ),
    ReferenceKind("Batch image", BATCH, lambda r, i: r.add_entry("compute-environment", batch(i, imageId=i))),
    ReferenceKind(
        "Batch image per type",
        BATCH,
        lambda r, i: r.add_entry(
            "compute-environment",
            batch(i, ec2Configuration=[{"imageType": "ECS_AL2"}, {"imageType": "ECS_AL2023", "imageIdOverride": i}]),
        ),
    ),
    ReferenceKind(
        "Batch template",
        BATCH.through_version(),
        lambda r, i: r.add_entry("compute-environment", batch(i, launchTemplate=batch_template(pinned(r, i)))),
    ),
    ReferenceKind(
        "Batch override's template",
        BATCH.through_version(),
        lambda r, i: r.add_entry(
            "compute-environment",
            batch(
                i,
                launchTemplate={
                    "launchTemplateName": r.add_launch_template().name,
                    "overrides": [batch_template(pinned_by_name(r, i))],
                },
            ),
        ),
    ),
    ReferenceKind("fast launch", FAST_LAUNCH, lambda r, i: r.add_entry("fast-launch", {"ImageId": i, "State": "enabled"})),
    ReferenceKind(
        "fast launch template",
        FAST_LAUNCH.through_version(),
        lambda r, i: r.add_entry(
            "fast-launch", {"ImageId": "ami-99999999", "State": "enabled", "LaunchTemplate": pinned(r, i)}
        ),
    ),
    ReferenceKind("recipe's AMI", IMAGE_RECIPES, lambda r, i: r.add_recipe(i)),
    ReferenceKind(
        "recipe's parameter",
        replace(IMAGE_RECIPES, calls=("ListImageRecipes", "GetParameters"), through="ssm_parameters"),
        lambda r, i: r.add_recipe(alias(r, i).removeprefix("resolve:")),
    ),
    ReferenceKind(
        "recipe on a recipe",
        replace(IMAGE_RECIPES, calls=("ListImageRecipes", "GetImage")),
        lambda r, i: add_recipe_on_image(r, i),
    ),
    ReferenceKind(
        "recipe on a build",
        replace(IMAGE_RECIPES, calls=("ListImageRecipes", "GetImage")),
        lambda r, i: add_recipe_on_image(r, i, wildcard="1.0.0/1"),
    ),
    ReferenceKind("container recipe's AMI", CONTAINER_RECIPES, lambda r, i: r.add_recipe(i, container=True)),
    ReferenceKind(
        "container recipe on a recipe",
        replace(CONTAINER_RECIPES, calls=("ListContainerRecipes", "GetImage")),
        lambda r, i: add_recipe_on_image(r, i, container=True, wildcard="x.x.x"),
    ),
    ReferenceKind("pipeline's latest image", PIPELINES, add_pipeline),
    ReferenceKind("HyperPod's current image", HYPERPOD, lambda r, i: add_hyperpod(r, {"CurrentImageId": i})),
    ReferenceKind("HyperPod's desired image", HYPERPOD, lambda r, i: add_hyperpod(r, {"DesiredImageId": i})),
    ReferenceKind("PCS image", PCS, lambda r, i: add_pcs_group(r, {"amiId": i})),
    ReferenceKind(
        "PCS template",
        PCS.through_version(),
        lambda r, i: add_pcs_group(r, {"customLaunchTemplate": {"id": pinned(r, i)["LaunchTemplateId"], "version": "2"}}),
    ),
    ReferenceKind("RDS Custom", RDS_CUSTOM, lambda r, i: r.add_entry("engine-version", engine_version(i))),
    ReferenceKind("EMR cluster", EMR, lambda r, i: add_emr(r, cluster=i)),
    ReferenceKind(
        "EMR instance group", replace(EMR, calls=(*EMR.calls, "ListInstanceGroups")), lambda r, i: add_emr(r, group=i)
    ),
    ReferenceKind(
        "EMR instance fleet", replace(EMR, calls=(*EMR.calls, "ListInstanceFleets")), lambda r, i: add_emr(r, fleet=i)
    ),
    ReferenceKind("Beanstalk configuration", BEANSTALK, add_configuration),
    ReferenceKind("Beanstalk platform", PLATFORMS, add_platform),
    ReferenceKind("stack's parameter", CLOUDFORMATION, lambda r, i: add_stack(r, ParameterValue=i)),
    ReferenceKind(
        "stack's SSM parameter",
        CLOUDFORMATION,
        lambda r, i: add_stack(r, ParameterValue="/golden/web", ResolvedValue=i),
    ),
    ReferenceKind("stack's list", CLOUDFORMATION, lambda r, i: add_stack(r, ParameterValue=f"ami-99999999,{i}")),
)

SNAPSHOT_KINDS = (
    ReferenceKind(
        "launch configuration's block device",
        CONFIGURATIONS,
        lambda r, s: r.add_launch_configuration("ami-22222222", block_devices=devices(s)),
    ),
    ReferenceKind(
        "launch template's block device",
        TEMPLATES,
        lambda r, s: r.add_launch_template(versions=[{"BlockDeviceMappings": devices(s)}]),
    ),
    ReferenceKind(
        "Spot Fleet's block device",
        SPOT_FLEETS,
        lambda r, s: r.add_spot_fleet(
            launch_specifications=[{"ImageId": "ami-22222222", "BlockDeviceMappings": devices(s)}]
        ),
    ),
    ReferenceKind(
        "Spot request's block device",
        SPOT_REQUESTS,
        lambda r, s: r.add_spot_request("ami-22222222", block_devices=devices(s)),
    ),
    ReferenceKind(
        "fleet's block device",
        FLEETS,
        lambda r, s: r.add_fleet(launch_template_configs=configs({"BlockDeviceMappings": devices(s)})),
    ),
)
"""What names a snapshot in a block device: `add` takes the snapshot's id."""

ENDED: Mapping[str, Add] = {
    "terminated instance": lambda r, i: r.add_instance(i, "terminated"),
    "template's version that nothing names": lambda r, i: add_template(r, None, i, None),
    "completed refresh": lambda r, i: add_refresh(r, {"MixedInstancesPolicy": mixed({"ImageId": i})}, "Successful"),
    **{
        f"{state} Spot Fleet": spot_fleet(state)
        for state in ("cancelled", "failed", "cancelled_running", "cancelled_terminating")
    },
    **{f"{state} fleet": fleet(state) for state in ("deleted", "failed", "deleted_running", "deleted_terminating")},
    **{f"{state} Spot request": spot_request(state) for state in ("cancelled", "failed", "closed")},
}
"""What names an AMI and will never launch it again: no reference."""


@dataclass(frozen=True)
class Dangling:
    """A reference that leads nowhere. `warning` is a part of the warning about it."""

    name: str
    add: Callable[[RegionState], object]
    warning: str


DANGLING = (
    Dangling(
        "deleted template version",
        lambda r: r.add_group(launch_template={"LaunchTemplateId": r.add_launch_template().template_id, "Version": "7"}),
        "version 7",
    ),
    Dangling(
        "deleted template",
        lambda r: r.add_group(launch_template={"LaunchTemplateId": "lt-00000000000000000", "Version": "1"}),
        "lt-00000000000000000",
    ),
    Dangling("deleted parameter", lambda r: add_template(r, "resolve:ssm:/lost"), "/lost"),
    Dangling(
        "parameter's version that does not exist",
        lambda r: add_template(r, alias(r, "ami-00000001", "{name}:9")),
        ":9",
    ),
)


def plainest(kinds: Iterable[ReferenceKind] = KINDS) -> dict[str, ReferenceKind]:
    """The first entry of each source, by the source's first IAM action."""
    found: dict[str, ReferenceKind] = {}
    for kind in kinds:
        found.setdefault(kind.source.registered.actions[0], kind)
    return found


def add_all(region: RegionState, image: str) -> None:
    """Name the AMI in as many ways as every call about references takes to find something, none of which needs an option."""
    found: set[str] = set()
    for kind in KINDS:
        needed = {*kind.source.calls, kind.source.through}
        if not (kind.config or needed <= found):
            kind.add(region, image)
            found |= needed
