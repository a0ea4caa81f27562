"""The sources whose things take further calls each: clusters that hold AMI ids of their own (SageMaker HyperPod, Parallel
Computing Service, EMR), and Elastic Beanstalk.  They are read on request."""

from functools import partial

from ...models import Use
from .usage_report import UsageReport, unless_gone

EMR_LIVE = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
"""Terminated clusters are listed for months.  One that terminates launches nothing any more."""

OWN_PLATFORMS = [{"Type": "PlatformOwner", "Operator": "=", "Values": ["self"]}]


def read_hyperpod(report: UsageReport) -> None:
    """The current and the desired image of each instance group of each HyperPod cluster."""
    report.read_each("sagemaker:ListClusters", "ClusterArn", "a cluster", _hyperpod_cluster)


@unless_gone
def _hyperpod_cluster(arn: str, report: UsageReport) -> None:
    call = "sagemaker:DescribeCluster"
    cluster = report.api.call(call, ClusterName=arn)
    name = str(cluster.get("ClusterName") or arn)
    for group in report.api.member(call, cluster, "InstanceGroups", f"cluster {name}"):
        label = f'SageMaker HyperPod cluster "{name}", instance group {group.get("InstanceGroupName")}'
        for image in (group.get("CurrentImageId"), group.get("DesiredImageId")):
            report.add_image(image, report.use("sagemaker-cluster", name, label))


def read_pcs(report: UsageReport) -> None:
    """The image and the launch template of each compute node group of each PCS cluster."""
    report.read_each("pcs:ListClusters", "id", "a cluster", _pcs_cluster)


@unless_gone
def _pcs_cluster(cluster: str, report: UsageReport) -> None:
    read = partial(_pcs_group, cluster)
    what = f"a node group of {cluster}"
    report.read_each("pcs:ListComputeNodeGroups", "id", what, read, clusterIdentifier=cluster)


@unless_gone
def _pcs_group(cluster: str, id: str, report: UsageReport) -> None:
    call = "pcs:GetComputeNodeGroup"
    answer = report.api.call(call, clusterIdentifier=cluster, computeNodeGroupIdentifier=id)
    group = report.api.filled(call, answer, "computeNodeGroup", f"node group {id}")
    use = report.use("pcs-node-group", id, f'PCS compute node group "{group.get("name")}" of cluster {cluster}')
    report.add_image(group.get("amiId"), use)
    template = group.get("customLaunchTemplate")
    if template is not None:
        specification = {"LaunchTemplateId": template.get("id"), "Version": template.get("version")}
        report.add_specification(call, specification, use)


def read_emr(report: UsageReport) -> None:
    """The custom AMI of each live EMR cluster and of its instance groups or instance fleets."""
    report.read_each("elasticmapreduce:ListClusters", "Id", "a cluster", _emr_cluster, ClusterStates=EMR_LIVE)


def _emr_cluster(id: str, report: UsageReport) -> None:
    call = "elasticmapreduce:DescribeCluster"
    cluster = report.api.filled(call, report.api.call(call, ClusterId=id), "Cluster", f"cluster {id}")
    use = report.use("emr-cluster", id, f'EMR cluster {id} "{cluster.get("Name")}"')
    of_fleets = cluster.get("InstanceCollectionType") == "INSTANCE_FLEET"
    listing = "elasticmapreduce:ListInstanceFleets" if of_fleets else "elasticmapreduce:ListInstanceGroups"
    report.next_reads.append(partial(_emr_members, listing, id, use))
    report.add_image(cluster.get("CustomAmiId"), use)


def _emr_members(listing: str, cluster: str, use: Use, report: UsageReport) -> None:
    """The images of instance groups, or those of the instance types of instance fleets."""
    for thing in report.api.pages(listing, ClusterId=cluster):
        for named in (thing, *(thing.get("InstanceTypeSpecifications") or ())):
            report.add_image(named.get("CustomAmiId"), use)


def read_beanstalk(report: UsageReport) -> None:
    """The image of each saved configuration, and those of each platform version of this account.  Environments run through
    templates and groups of the account, which are read anyway.

    These calls leave out, without an error, what the caller may not see (API references), so the permissions must cover all
    applications and platforms.
    """
    call = "elasticbeanstalk:DescribeApplications"
    report.next_reads.append(_platforms)
    for application in report.api.pages(call):
        name = str(report.api.filled(call, application, "ApplicationName", "an application"))
        for template in application.get("ConfigurationTemplates") or ():
            report.next_reads.append(partial(_configuration, name, template))


def _configuration(application: str, template: str, report: UsageReport) -> None:
    call = "elasticbeanstalk:DescribeConfigurationSettings"
    label = f'Elastic Beanstalk saved configuration "{template}" of application "{application}"'
    use = report.use("beanstalk-configuration", f"{application}/{template}", label)
    for settings in report.api.pages(call, ApplicationName=application, TemplateName=template):
        for option in report.api.member(call, settings, "OptionSettings", f"saved configuration {template}"):
            if option.get("OptionName") == "ImageId":
                report.add_image(option.get("Value"), use)


def _platforms(report: UsageReport) -> None:
    call = "elasticbeanstalk:ListPlatformVersions"
    report.read_each(call, "PlatformArn", "a platform version", _platform, Filters=OWN_PLATFORMS)


def _platform(arn: str, report: UsageReport) -> None:
    call = "elasticbeanstalk:DescribePlatformVersion"
    platform = report.api.filled(call, report.api.call(call, PlatformArn=arn), "PlatformDescription", arn)
    name = f"{platform.get('PlatformName')} {platform.get('PlatformVersion')}"
    for ami in platform.get("CustomAmiList") or ():
        report.add_image(ami.get("ImageId"), report.use("beanstalk-platform", arn, f"Elastic Beanstalk platform {name}"))
