"""The small sources: one listing whose items name their AMIs themselves."""

import re
from functools import partial
from typing import Any

from .usage_report import UsageReport

SPOT_FLEETS_OVER = frozenset({"cancelled", "cancelled_running", "cancelled_terminating", "failed"})
FLEETS_OVER = frozenset({"deleted", "deleted_running", "deleted_terminating", "failed"})
"""A fleet on its way to the end launches nothing any more; instances that it leaves running protect on their own."""

SPOT_REQUESTS_OVER = frozenset({"cancelled", "closed", "failed"})
"""Of the states in the service model `open`, `active` and `disabled` remain: a disabled request can become active again."""

ENVIRONMENTS_OVER = frozenset({"DELETED", "DELETING"})

CUSTOM_ENGINES = (
    "custom-oracle-ee",
    "custom-oracle-ee-cdb",
    "custom-oracle-se2",
    "custom-oracle-se2-cdb",
    "custom-sqlserver-dev",
    "custom-sqlserver-ee",
    "custom-sqlserver-se",
    "custom-sqlserver-web",
)
"""The engines of RDS Custom (API reference of CreateCustomDBEngineVersion)."""

AMI_ID = re.compile(r"\bami-[0-9a-f]+\b")


def read_instances(report: UsageReport) -> None:
    """Every instance that is not terminated, and the AMI it was launched from.

    No filter by state is sent: a list of the states that count would hide an instance in a state that AWS adds later.
    An instance without `ImageId` makes the response malformed; an empty one is the odd shape of a very old instance.
    """
    call = "DescribeInstances"
    for reservation in report.api.pages(call, IncludeManagedResources=True):
        for instance in report.api.member(call, reservation, "Instances", "a reservation"):
            state = (instance.get("State") or {}).get("Name") or "unknown"
            if state == "terminated":
                continue
            id = str(report.api.member(call, instance, "InstanceId", "an instance"))
            image = report.api.member(call, instance, "ImageId", f"instance {id}")
            report.add_image(image, report.use("instance", id, f"instance {id} ({state})"))


def read_launch_configurations(report: UsageReport) -> None:
    """Every launch configuration, whether a group uses it or not: its AMI (a member that the service model requires) and the
    snapshots of its block devices."""
    call = "autoscaling:DescribeLaunchConfigurations"
    for configuration in report.api.pages(call):
        name = str(report.api.filled(call, configuration, "LaunchConfigurationName", "a launch configuration"))
        use = report.use("launch-configuration", name, f'launch configuration "{name}"')
        report.add_image(report.api.filled(call, configuration, "ImageId", f"launch configuration {name}"), use)
        report.add_block_devices(configuration.get("BlockDeviceMappings"), use)


def read_spot_fleets(report: UsageReport) -> None:
    """Launch specifications (image and snapshots), or launch templates with overrides, of Spot Fleets that may launch."""
    call = "DescribeSpotFleetRequests"
    for fleet in report.api.pages(call):
        state = fleet.get("SpotFleetRequestState") or "unknown"
        if state in SPOT_FLEETS_OVER:
            continue
        id = str(report.api.member(call, fleet, "SpotFleetRequestId", "a Spot Fleet"))
        use = report.use("spot-fleet", id, f"Spot Fleet {id} ({state})")
        config = report.api.member(call, fleet, "SpotFleetRequestConfig", f"Spot Fleet {id}")
        if not config.get("LaunchSpecifications"):
            report.api.filled(call, config, "LaunchTemplateConfigs", f"Spot Fleet {id}")  # it has the one or the other
        for specification in config.get("LaunchSpecifications") or ():
            report.add_image(report.api.filled(call, specification, "ImageId", f"Spot Fleet {id}"), use)
            report.add_block_devices(specification.get("BlockDeviceMappings"), use)
        for configuration in config.get("LaunchTemplateConfigs") or ():
            report.add_configuration(call, configuration, use)


def read_spot_requests(report: UsageReport) -> None:
    """The image and snapshots of the launch specification of each Spot request that may launch."""
    call = "DescribeSpotInstanceRequests"
    for request in report.api.pages(call):
        state = request.get("State") or "unknown"
        if state in SPOT_REQUESTS_OVER:
            continue
        id = str(report.api.member(call, request, "SpotInstanceRequestId", "a Spot request"))
        use = report.use("spot-request", id, f"Spot request {id} ({state})")
        specification = report.api.member(call, request, "LaunchSpecification", f"Spot request {id}")
        report.add_image(report.api.filled(call, specification, "ImageId", f"Spot request {id}"), use)
        report.add_block_devices(specification.get("BlockDeviceMappings"), use)


def read_fleets(report: UsageReport) -> None:
    """The launch templates and, in their overrides, images and snapshots of each EC2 Fleet that may launch.

    AWS shows fleets of the type `instant` only to a caller that knows their id.  They launch once, when they are made.
    """
    call = "DescribeFleets"
    for fleet in report.api.pages(call):
        state = fleet.get("FleetState") or "unknown"
        if state in FLEETS_OVER:
            continue
        id = str(report.api.member(call, fleet, "FleetId", "a fleet"))
        use = report.use("fleet", id, f"EC2 Fleet {id} ({state})")
        for configuration in report.api.filled(call, fleet, "LaunchTemplateConfigs", f"fleet {id}"):
            report.add_configuration(call, configuration, use)


def read_fast_launch(report: UsageReport) -> None:
    """Each AMI with Windows fast launch in any state, and the launch template that prepares its snapshots."""
    call = "DescribeFastLaunchImages"
    for item in report.api.pages(call):
        image = str(report.api.filled(call, item, "ImageId", "an entry of Windows fast launch"))
        use = report.use("fast-launch", image, f"Windows fast launch of {image} ({item.get('State') or 'unknown'})")
        report.add_image(image, use)
        report.add_specification(call, item.get("LaunchTemplate"), use)


def read_batch(report: UsageReport) -> None:
    """The images and launch templates of Batch's compute environments; an unmanaged one has none."""
    call = "batch:DescribeComputeEnvironments"
    for environment in report.api.pages(call):
        name = str(report.api.filled(call, environment, "computeEnvironmentName", "a compute environment"))
        if environment.get("status") in ENVIRONMENTS_OVER:
            continue
        use = report.use("batch-compute-environment", name, f'Batch compute environment "{name}"')
        resources = environment.get("computeResources") or {}
        report.add_image(resources.get("imageId"), use)
        for configuration in resources.get("ec2Configuration") or ():
            report.add_image(configuration.get("imageIdOverride"), use)
        template = resources.get("launchTemplate")
        if template is not None:
            for specification in (template, *(template.get("overrides") or ())):
                report.add_specification(call, _ec2_names(specification), use)


def _ec2_names(specification: dict[str, Any]) -> dict[str, Any]:
    """Batch's `LaunchTemplateSpecification` by the names that EC2 has for its members."""
    names = ("LaunchTemplateId", "LaunchTemplateName", "Version")
    return {name: specification.get(name[0].lower() + name[1:]) for name in names}


def read_rds_custom(report: UsageReport) -> None:
    """The AMI of each custom engine version, those that are not available included: one listing per engine."""
    report.first_then_others([partial(_engine_versions, engine) for engine in CUSTOM_ENGINES])


def _engine_versions(engine: str, report: UsageReport) -> None:
    call = "rds:DescribeDBEngineVersions"
    for version in report.api.pages(call, Engine=engine, IncludeAll=True):
        id = f"{engine} {report.api.filled(call, version, 'EngineVersion', f'a version of {engine}')}"
        image = (version.get("Image") or {}).get("ImageId")
        report.add_image(image, report.use("rds-custom-engine-version", id, f"RDS Custom engine version {id}"))


def read_cloudformation(report: UsageReport) -> None:
    """The AMI ids among the parameters of each stack, those that an SSM parameter was resolved to included."""
    call = "cloudformation:DescribeStacks"
    for stack in report.api.pages(call):
        name = str(report.api.filled(call, stack, "StackName", "a stack"))
        for parameter in stack.get("Parameters") or ():
            label = f'CloudFormation stack "{name}", parameter {parameter.get("ParameterKey")}'
            for value in (parameter.get("ParameterValue"), parameter.get("ResolvedValue")):
                for image in AMI_ID.findall(value or ""):
                    report.add_image(image, report.use("cloudformation-stack", name, label))
