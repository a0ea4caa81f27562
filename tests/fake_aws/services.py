"""Services that hold AMI ids of their own: Batch, Image Builder, Windows fast launch, HyperPod, PCS, EMR, RDS Custom,
Elastic Beanstalk, CloudFormation.

Their resources are kept as boto3 shows them in detail (`RegionState.add_entry`), in one list per kind. Each action responds
with the entries that its parameters name; a listing leaves out members that only the detail has, or that only link entries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

from .action import Actions, Context
from .ec2_images import listing
from .errors import ApiError
from .resources import Entry, Recipe, Shape
from .wire import ec2, query

SERVICES: dict[str, Actions] = defaultdict(Actions)
"""The actions by service, as requests are signed for it."""

PAGE = 100


def entries(ctx: Context, kind: str, **wanted: object) -> list[Entry]:
    """The entries of a kind that have these members."""
    known = ctx.region.entries.get(kind, [])
    return [entry for entry in known if all(entry.shape.get(name) == value for name, value in wanted.items())]


def page(ctx: Context, found: list[Entry], hidden: Collection[str] = ()) -> tuple[list[Shape], str | None]:
    shown, token = ctx.page(found, PAGE)
    shapes = [entry.finish(entry.shape) for entry in shown]
    return [{name: value for name, value in shape.items() if name not in hidden} for shape in shapes], token


def json_page(ctx: Context, items: str, token_name: str, found: list[Entry], hidden: Collection[str] = ()) -> Shape:
    shapes, token = page(ctx, found, hidden)
    return {items: shapes} | ({token_name: token} if token else {})


def query_page(ctx: Context, items: str, found: list[Entry], hidden: Collection[str] = ()) -> str:
    shapes, token = page(ctx, found, hidden)
    return query({items: shapes, "NextToken": token})


def one(ctx: Context, kind: str, code: str = "ResourceNotFoundException", **wanted: object) -> Shape:
    found = entries(ctx, kind, **wanted)
    if not found:
        raise ApiError(code, f"{wanted} does not exist.", 404)
    return found[0].finish(found[0].shape)


@SERVICES["ec2"]()
def describe_fast_launch_images(ctx: Context) -> str:
    shapes, token = page(ctx, entries(ctx, "fast-launch"))
    return listing("fastLaunchImageSet", [f"<item>{ec2(shape)}</item>" for shape in shapes], token)


@SERVICES["batch"]()
def describe_compute_environments(ctx: Context) -> Shape:
    return json_page(ctx, "computeEnvironments", "nextToken", entries(ctx, "compute-environment"))


def list_recipes(items: str, resource_type: str, show: Callable[[Recipe], Shape]) -> Callable[[Context], Shape]:
    def handle(ctx: Context) -> Shape:
        if ctx.required("owner") != "Self":
            raise ApiError("UnsupportedByFakeAws", "recipes of others")
        known = [recipe for recipe in enumerate(ctx.region.recipes) if recipe[1].resource_type == resource_type]
        shown, token = ctx.page_by(known, PAGE, lambda entry: entry[0])
        shapes = [{"arn": recipe.arn, "owner": recipe.arn.split(":")[4]} | show(recipe) for _, recipe in shown]
        return {items: shapes} | ({"nextToken": token} if token else {})

    return handle


def show_image_recipe(recipe: Recipe) -> Shape:
    return {"parentImage": recipe.image_id}


def show_container_recipe(recipe: Recipe) -> Shape:
    """A container recipe builds on an image of Image Builder or a registry, on an instance launched from an AMI."""
    member = "parentImage" if recipe.image_id.startswith("arn:") else "instanceImage"
    return {"parentImage": "amazonlinux:latest", member: recipe.image_id}


SERVICES["imagebuilder"]("owner", name="ListImageRecipes")(
    list_recipes("imageRecipeSummaryList", "imagebuilder:ImageRecipe", show_image_recipe)
)
SERVICES["imagebuilder"]("owner", name="ListContainerRecipes")(
    list_recipes("containerRecipeSummaryList", "imagebuilder:ContainerRecipe", show_container_recipe)
)


@SERVICES["imagebuilder"]()
def list_image_pipelines(ctx: Context) -> Shape:
    return json_page(ctx, "imagePipelineList", "nextToken", entries(ctx, "pipeline"))


@SERVICES["imagebuilder"]("imagePipelineArn")
def list_image_pipeline_images(ctx: Context) -> Shape:
    pipeline = ctx.required("imagePipelineArn")
    one(ctx, "pipeline", arn=pipeline)
    built = entries(ctx, "built-image", sourcePipelineArn=pipeline)
    return json_page(ctx, "imageSummaryList", "nextToken", built, {"sourcePipelineArn"})


@SERVICES["imagebuilder"]("imageBuildVersionArn")
def get_image(ctx: Context) -> Shape:
    """The newest available build that matches; `x` in a version matches every number."""
    arn = ctx.required("imageBuildVersionArn")
    matching = [
        entry.finish(entry.shape)
        for entry in entries(ctx, "built-image")
        if entry.shape["arn"] == arn or (matches(arn, entry.shape["arn"]) and entry.shape["state"]["status"] == "AVAILABLE")
    ]
    if not matching:
        raise ApiError("ResourceNotFoundException", f"The resource {arn} does not exist.", 404)
    return {"image": max(matching, key=lambda image: [int(part) for part in version_of(image["arn"])])}


def version_of(arn: str) -> list[str]:
    """`…:image/web/1.2.3/4` has the version 1, 2, 3, 4."""
    version, _, build = arn.partition("image/")[2].partition("/")[2].partition("/")
    return [*version.split("."), build]


def matches(wanted: str, arn: str) -> bool:
    if wanted.partition("/")[2].partition("/")[0] != arn.partition("/")[2].partition("/")[0]:
        return False
    return all(asked in ("x", "", part) for asked, part in zip(version_of(wanted), version_of(arn), strict=True))


@SERVICES["sagemaker"](name="ListClusters")
def list_hyperpod_clusters(ctx: Context) -> Shape:
    return json_page(ctx, "ClusterSummaries", "NextToken", entries(ctx, "hyperpod"), {"InstanceGroups"})


@SERVICES["sagemaker"]("ClusterName", name="DescribeCluster")
def describe_hyperpod_cluster(ctx: Context) -> Shape:
    return one(ctx, "hyperpod", "ResourceNotFound", ClusterArn=ctx.required("ClusterName"))


@SERVICES["pcs"](name="ListClusters")
def list_pcs_clusters(ctx: Context) -> Shape:
    return json_page(ctx, "clusters", "nextToken", entries(ctx, "pcs-cluster"))


@SERVICES["pcs"]("clusterIdentifier")
def list_compute_node_groups(ctx: Context) -> Shape:
    cluster = ctx.required("clusterIdentifier")
    one(ctx, "pcs-cluster", id=cluster)
    shapes, token = page(ctx, entries(ctx, "pcs-group", clusterId=cluster))
    return {"computeNodeGroups": [{"id": shape["id"]} for shape in shapes]} | ({"nextToken": token} if token else {})


@SERVICES["pcs"]("clusterIdentifier", "computeNodeGroupIdentifier")
def get_compute_node_group(ctx: Context) -> Shape:
    wanted = {"clusterId": ctx.required("clusterIdentifier"), "id": ctx.required("computeNodeGroupIdentifier")}
    return {"computeNodeGroup": one(ctx, "pcs-group", **wanted)}


@SERVICES["elasticmapreduce"]("ClusterStates", name="ListClusters")
def list_emr_clusters(ctx: Context) -> Shape:
    states = ctx.strings("ClusterStates")
    found = [entry for entry in entries(ctx, "emr-cluster") if entry.shape["Status"]["State"] in states]
    return json_page(ctx, "Clusters", "Marker", found, {"InstanceCollectionType", "CustomAmiId"})


@SERVICES["elasticmapreduce"]("ClusterId", name="DescribeCluster")
def describe_emr_cluster(ctx: Context) -> Shape:
    return {"Cluster": one(ctx, "emr-cluster", "InvalidRequestException", Id=ctx.required("ClusterId"))}


@SERVICES["elasticmapreduce"]("ClusterId")
def list_instance_groups(ctx: Context) -> Shape:
    groups = entries(ctx, "emr-group", ClusterId=ctx.required("ClusterId"))
    return json_page(ctx, "InstanceGroups", "Marker", groups, {"ClusterId"})


@SERVICES["elasticmapreduce"]("ClusterId")
def list_instance_fleets(ctx: Context) -> Shape:
    fleets = entries(ctx, "emr-fleet", ClusterId=ctx.required("ClusterId"))
    return json_page(ctx, "InstanceFleets", "Marker", fleets, {"ClusterId"})


@SERVICES["rds"]("Engine", "IncludeAll", name="DescribeDBEngineVersions")
def describe_engine_versions(ctx: Context) -> str:
    found = entries(ctx, "engine-version", Engine=ctx.required("Engine"))
    if not ctx.flag("IncludeAll"):
        found = [entry for entry in found if entry.shape.get("Status", "available") == "available"]
    shapes, token = page(ctx, found)
    items = "".join(f"<DBEngineVersion>{query(shape)}</DBEngineVersion>" for shape in shapes)
    return f"<DBEngineVersions>{items}</DBEngineVersions>{query({'Marker': token})}"


@SERVICES["elasticbeanstalk"]()
def describe_applications(ctx: Context) -> str:
    shapes = [entry.finish(entry.shape) for entry in entries(ctx, "application")]
    return query({"Applications": shapes})


@SERVICES["elasticbeanstalk"]("ApplicationName", "TemplateName")
def describe_configuration_settings(ctx: Context) -> str:
    names = {name: ctx.required(name) for name in ("ApplicationName", "TemplateName")}
    found: list[Any] = [entry.finish(entry.shape) for entry in entries(ctx, "configuration", **names)]
    return query({"ConfigurationSettings": found})


@SERVICES["elasticbeanstalk"]("Filters")
def list_platform_versions(ctx: Context) -> str:
    if ctx.structures("Filters") != [{"Type": "PlatformOwner", "Operator": "=", "Values": ["self"]}]:
        raise ApiError("UnsupportedByFakeAws", "platforms of others")
    detail = {"PlatformName", "PlatformVersion", "CustomAmiList"}
    return query_page(ctx, "PlatformSummaryList", entries(ctx, "platform"), detail)


@SERVICES["elasticbeanstalk"]("PlatformArn")
def describe_platform_version(ctx: Context) -> str:
    return query({"PlatformDescription": one(ctx, "platform", PlatformArn=ctx.required("PlatformArn"))})


@SERVICES["cloudformation"]()
def describe_stacks(ctx: Context) -> str:
    return query_page(ctx, "Stacks", entries(ctx, "stack"))
