"""The sources whose things take further calls each: clusters that hold AMI ids of their own (SageMaker HyperPod, Parallel
Computing Service, EMR), and Elastic Beanstalk.  They are read on request."""

from functools import partial

from ...models import Use
from ..api import Api
from .usage_report import UsageReport, add_specification, read_each, unless_gone, use_of

EMR_LIVE = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
"""Terminated clusters are listed for months.  One that terminates launches nothing any more."""

OWN_PLATFORMS = [{"Type": "PlatformOwner", "Operator": "=", "Values": ["self"]}]


def read_hyperpod(api: Api) -> UsageReport:
    """The current and the desired image of each instance group of each HyperPod cluster."""
    return read_each(api, "sagemaker:ListClusters", "ClusterArn", "a cluster", partial(_hyperpod_cluster, api))


@unless_gone
def _hyperpod_cluster(api: Api, arn: str) -> UsageReport:
    call = "sagemaker:DescribeCluster"
    report = UsageReport()
    cluster = api.call(call, ClusterName=arn)
    name = str(cluster.get("ClusterName") or arn)
    for group in api.member(call, cluster, "InstanceGroups", f"cluster {name}"):
        label = f'SageMaker HyperPod cluster "{name}", instance group {group.get("InstanceGroupName")}'
        for image in (group.get("CurrentImageId"), group.get("DesiredImageId")):
            report.add_image(image, use_of(api, "sagemaker-cluster", name, label))
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
    group = api.filled(call, answer, "computeNodeGroup", f"node group {id}")
    use = use_of(api, "pcs-node-group", id, f'PCS compute node group "{group.get("name")}" of cluster {cluster}')
    report.add_image(group.get("amiId"), use)
    template = group.get("customLaunchTemplate")
    if template is not None:
        specification = {"LaunchTemplateId": template.get("id"), "Version": template.get("version")}
        add_specification(api, call, report, specification, use)
    return report


def read_emr(api: Api) -> UsageReport:
    """The custom AMI of each live EMR cluster and of its instance groups or instance fleets."""
    read = partial(_emr_cluster, api)
    return read_each(api, "elasticmapreduce:ListClusters", "Id", "a cluster", read, ClusterStates=EMR_LIVE)


def _emr_cluster(api: Api, id: str) -> UsageReport:
    call = "elasticmapreduce:DescribeCluster"
    cluster = api.filled(call, api.call(call, ClusterId=id), "Cluster", f"cluster {id}")
    use = use_of(api, "emr-cluster", id, f'EMR cluster {id} "{cluster.get("Name")}"')
    of_fleets = cluster.get("InstanceCollectionType") == "INSTANCE_FLEET"
    listing = "elasticmapreduce:ListInstanceFleets" if of_fleets else "elasticmapreduce:ListInstanceGroups"
    report = UsageReport(next_reads=[partial(_emr_members, api, listing, id, use)])
    report.add_image(cluster.get("CustomAmiId"), use)
    return report


def _emr_members(api: Api, listing: str, cluster: str, use: Use) -> UsageReport:
    """The images of instance groups, or those of the instance types of instance fleets."""
    report = UsageReport()
    for thing in api.pages(listing, ClusterId=cluster):
        for named in (thing, *(thing.get("InstanceTypeSpecifications") or ())):
            report.add_image(named.get("CustomAmiId"), use)
    return report


def read_beanstalk(api: Api) -> UsageReport:
    """The image of each saved configuration, and those of each platform version of this account.  Environments run through
    templates and groups of the account, which are read anyway.

    These calls leave out, without an error, what the caller may not see (API references), so the permissions must cover all
    applications and platforms.
    """
    call = "elasticbeanstalk:DescribeApplications"
    report = UsageReport(next_reads=[partial(_platforms, api)])
    for application in api.pages(call):
        name = str(api.filled(call, application, "ApplicationName", "an application"))
        for template in application.get("ConfigurationTemplates") or ():
            report.next_reads.append(partial(_configuration, api, name, template))
    return report


def _configuration(api: Api, application: str, template: str) -> UsageReport:
    call = "elasticbeanstalk:DescribeConfigurationSettings"
    report = UsageReport()
    use = use_of(
        api,
        "beanstalk-configuration",
        f"{application}/{template}",
        f'Elastic Beanstalk saved configuration "{template}" of application "{application}"',
    )
    for settings in api.pages(call, ApplicationName=application, TemplateName=template):
        for option in api.member(call, settings, "OptionSettings", f"saved configuration {template}"):
            if option.get("OptionName") == "ImageId":
                report.add_image(option.get("Value"), use)
    return report


def _platforms(api: Api) -> UsageReport:
    call = "elasticbeanstalk:ListPlatformVersions"
    return read_each(api, call, "PlatformArn", "a platform version", partial(_platform, api), Filters=OWN_PLATFORMS)


def _platform(api: Api, arn: str) -> UsageReport:
    call = "elasticbeanstalk:DescribePlatformVersion"
    report = UsageReport()
    platform = api.filled(call, api.call(call, PlatformArn=arn), "PlatformDescription", arn)
    name = f"{platform.get('PlatformName')} {platform.get('PlatformVersion')}"
    for ami in platform.get("CustomAmiList") or ():
        report.add_image(ami.get("ImageId"), use_of(api, "beanstalk-platform", arn, f"Elastic Beanstalk platform {name}"))
    return report
