"""Clusters that hold AMI ids of their own: SageMaker HyperPod, Parallel Computing Service (PCS), EMR.

Each is a listing of clusters and further calls for each cluster.  They are read on request.
"""

from functools import partial

from ..api import Api
from .common import add_specification, filled, member, read_each, unless_gone
from .usage_report import Referrer, UsageReport

EMR_LIVE = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
"""Terminated clusters are listed for months.  One that terminates launches nothing any more."""


def read_hyperpod(api: Api) -> UsageReport:
    """The current and the desired image of each instance group of each HyperPod cluster."""
    return read_each(api, "sagemaker:ListClusters", "ClusterArn", "a cluster", partial(_hyperpod_cluster, api))


@unless_gone
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
    return read_each(api, "pcs:ListClusters", "id", "a cluster", partial(_pcs_cluster, api))


@unless_gone
def _pcs_cluster(api: Api, cluster: str) -> UsageReport:
    read = partial(_pcs_group, api, cluster)
    what = f"a node group of {cluster}"
    return read_each(api, "pcs:ListComputeNodeGroups", "id", what, read, clusterIdentifier=cluster)


@unless_gone
def _pcs_group(api: Api, cluster: str, id: str) -> UsageReport:
    call = "pcs:GetComputeNodeGroup"
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
    read = partial(_emr_cluster, api)
    return read_each(api, "elasticmapreduce:ListClusters", "Id", "a cluster", read, ClusterStates=EMR_LIVE)


def _emr_cluster(api: Api, id: str) -> UsageReport:
    call = "elasticmapreduce:DescribeCluster"
    cluster = filled(api, call, api.call(call, ClusterId=id), "Cluster", f"cluster {id}")
    referrer = Referrer("emr-cluster", id, f'EMR cluster {id} "{cluster.get("Name")}"')
    read = _emr_fleets if cluster.get("InstanceCollectionType") == "INSTANCE_FLEET" else _emr_groups
    report = UsageReport(next_reads=[partial(read, api, id, referrer)])
    report.add_image(cluster.get("CustomAmiId"), referrer)
    return report


def _emr_groups(api: Api, cluster: str, referrer: Referrer) -> UsageReport:
    report = UsageReport()
    for group in api.pages("elasticmapreduce:ListInstanceGroups", ClusterId=cluster):
        report.add_image(group.get("CustomAmiId"), referrer)
    return report


def _emr_fleets(api: Api, cluster: str, referrer: Referrer) -> UsageReport:
    report = UsageReport()
    for fleet in api.pages("elasticmapreduce:ListInstanceFleets", ClusterId=cluster):
        for type in fleet.get("InstanceTypeSpecifications") or ():
            report.add_image(type.get("CustomAmiId"), referrer)
    return report
