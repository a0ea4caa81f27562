"""Clusters that hold AMI ids of their own: SageMaker HyperPod, Parallel Computing Service (PCS), EMR.

Each is a listing of clusters and further calls for each cluster.  They are read on request.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...errors import AwsError
from ..api import Api
from .source import ListedSource, filled, member
from .specifications import add_specification
from .usage_report import Referrer, UsageReport

GONE = frozenset({"ResourceNotFound", "ResourceNotFoundException"})
"""What PCS and SageMaker say of a cluster, or a node group, that was deleted since it was listed: it launches nothing."""

EMR_LIVE = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
"""Terminated clusters are listed for months.  One that terminates launches nothing any more."""


def _unless_gone(read: Callable[[], UsageReport]) -> UsageReport:
    try:
        return read()
    except AwsError as error:
        if error.code not in GONE:
            raise
        return UsageReport()


def read_hyperpod(api: Api) -> UsageReport:
    """The current and the desired image of each instance group of each HyperPod cluster."""
    call = "sagemaker:ListClusters"
    arns = [str(filled(api, call, cluster, "ClusterArn", "a cluster")) for cluster in api.pages(call)]
    return UsageReport(next_reads=[partial(_unless_gone, partial(_hyperpod_cluster, api, arn)) for arn in arns])


def _hyperpod_cluster(api: Api, arn: str) -> UsageReport:
    call = "sagemaker:DescribeCluster"
    report = UsageReport()
    cluster = api.call(call, ClusterName=arn)
    name = str(cluster.get("ClusterName") or arn)
    for group in member(api, call, cluster, "InstanceGroups", f"cluster {name}"):
        label = f'SageMaker HyperPod cluster "{name}", instance group {group.get("InstanceGroupName")}'
        for image in (group.get("CurrentImageId"), group.get("DesiredImageId")):
            report.add_image(image, Referrer("sagemaker-cluster", name, label))
    return report


def read_pcs(api: Api) -> UsageReport:
    """The image and the launch template of each compute node group of each PCS cluster."""
    call = "pcs:ListClusters"
    ids = [str(filled(api, call, cluster, "id", "a cluster")) for cluster in api.pages(call)]
    return UsageReport(next_reads=[partial(_unless_gone, partial(_pcs_cluster, api, id)) for id in ids])


def _pcs_cluster(api: Api, cluster: str) -> UsageReport:
    call = "ListComputeNodeGroups"
    groups = api.pages(call, clusterIdentifier=cluster)
    ids = [str(filled(api, call, group, "id", f"a node group of {cluster}")) for group in groups]
    return UsageReport(next_reads=[partial(_unless_gone, partial(_pcs_group, api, cluster, id)) for id in ids])


def _pcs_group(api: Api, cluster: str, id: str) -> UsageReport:
    call = "GetComputeNodeGroup"
    report = UsageReport()
    answer = api.call(call, clusterIdentifier=cluster, computeNodeGroupIdentifier=id)
    group = filled(api, call, answer, "computeNodeGroup", f"node group {id}")
    referrer = Referrer("pcs-node-group", id, f'PCS compute node group "{group.get("name")}" of cluster {cluster}')
    report.add_image(group.get("amiId"), referrer)
    template = group.get("customLaunchTemplate")
    if template is not None:
        specification = {"LaunchTemplateId": template.get("id"), "Version": template.get("version")}
        add_specification(api, call, report, specification, referrer)
    return report


def read_emr(api: Api) -> UsageReport:
    """The custom AMI of each live EMR cluster and of its instance groups or instance fleets."""
    call = "emr:ListClusters"
    ids = [str(filled(api, call, cluster, "Id", "a cluster")) for cluster in api.pages(call, ClusterStates=EMR_LIVE)]
    return UsageReport(next_reads=[partial(_emr_cluster, api, id) for id in ids])


def _emr_cluster(api: Api, id: str) -> UsageReport:
    call = "emr:DescribeCluster"
    cluster = filled(api, call, api.call(call, ClusterId=id), "Cluster", f"cluster {id}")
    referrer = Referrer("emr-cluster", id, f'EMR cluster {id} "{cluster.get("Name")}"')
    read = _emr_fleets if cluster.get("InstanceCollectionType") == "INSTANCE_FLEET" else _emr_groups
    report = UsageReport(next_reads=[partial(read, api, id, referrer)])
    report.add_image(cluster.get("CustomAmiId"), referrer)
    return report


def _emr_groups(api: Api, cluster: str, referrer: Referrer) -> UsageReport:
    report = UsageReport()
    for group in api.pages("ListInstanceGroups", ClusterId=cluster):
        report.add_image(group.get("CustomAmiId"), referrer)
    return report


def _emr_fleets(api: Api, cluster: str, referrer: Referrer) -> UsageReport:
    report = UsageReport()
    for fleet in api.pages("ListInstanceFleets", ClusterId=cluster):
        for type in fleet.get("InstanceTypeSpecifications") or ():
            report.add_image(type.get("CustomAmiId"), referrer)
    return report


HYPERPOD = ListedSource(
    name="sagemaker-hyperpod",
    check="sagemaker-hyperpod",
    actions=("sagemaker:ListClusters", "sagemaker:DescribeCluster"),
    things="SageMaker HyperPod clusters",
    words="SageMaker HyperPod clusters: the current and the desired image of each instance group",
    cost="1 call, and 1 per cluster",
    required=True,
    read=read_hyperpod,
)
PCS = ListedSource(
    name="pcs",
    check="pcs",
    actions=("pcs:ListClusters", "pcs:ListComputeNodeGroups", "pcs:GetComputeNodeGroup"),
    things="PCS compute node groups",
    words="AWS Parallel Computing Service: the image and the launch template version of each compute node group",
    cost="1 call, and 1 per cluster and per node group",
    required=True,
    read=read_pcs,
)
EMR = ListedSource(
    name="emr",
    check="emr",
    actions=(
        "elasticmapreduce:ListClusters",
        "elasticmapreduce:DescribeCluster",
        "elasticmapreduce:ListInstanceGroups",
        "elasticmapreduce:ListInstanceFleets",
    ),
    things="EMR clusters",
    words="EMR clusters that are not terminated: the custom AMI of the cluster, its instance groups and instance fleets",
    cost="1 call per 50, and 2 per cluster",
    required=True,
    read=read_emr,
)
