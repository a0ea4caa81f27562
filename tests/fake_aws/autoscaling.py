"""EC2 Auto Scaling (`query` protocol): groups, launch configurations, instance refreshes.

Pages of 50 unless `MaxRecords` says more, 100 at most. The refreshes of a group that does not exist are an
error. Groups that AWS services manage are shown.
"""

from __future__ import annotations

from .action import Actions, Context
from .errors import ApiError
from .resources import AutoScalingGroup, InstanceRefresh, LaunchConfiguration
from .wire import query

ACTIONS = Actions()


def records(ctx: Context) -> int:
    value = ctx.text("MaxRecords") or "50"
    if not value.isdigit() or not 1 <= int(value) <= 100:
        raise ApiError("ValidationError", "1 validation error detected: maxRecords must be between 1 and 100")
    return int(value)


def render_group(ctx: Context, group: AutoScalingGroup) -> str:
    arn = ctx.region.arn("autoscaling", f"autoScalingGroup:{group.seq}:autoScalingGroupName/{group.name}")
    shape = {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": arn,
        "LaunchConfigurationName": group.launch_configuration,
        "LaunchTemplate": group.launch_template,
        "MixedInstancesPolicy": group.mixed_instances_policy,
        "MinSize": group.size,
        "MaxSize": group.size,
        "DesiredCapacity": group.size,
        "DefaultCooldown": 300,
        "AvailabilityZones": [f"{ctx.region.name}a"],
        "HealthCheckType": "EC2",
        "Instances": group.instances,
        "CreatedTime": group.created,
        "Tags": [
            {
                "ResourceId": group.name,
                "ResourceType": "auto-scaling-group",
                "Key": key,
                "Value": value,
                "PropagateAtLaunch": True,
            }
            for key, value in group.tags.items()
        ],
    }
    return f"<member>{query(group.finish(shape))}</member>"


@ACTIONS()
def describe_auto_scaling_groups(ctx: Context) -> str:
    page, token = ctx.page(ctx.region.groups.values(), records(ctx))
    items = "".join(render_group(ctx, group) for group in page)
    return f"<AutoScalingGroups>{items}</AutoScalingGroups>{query({'NextToken': token})}"


def render_configuration(ctx: Context, configuration: LaunchConfiguration) -> str:
    path = f"launchConfiguration:{configuration.seq}:launchConfigurationName/{configuration.name}"
    shape = {
        "LaunchConfigurationName": configuration.name,
        "LaunchConfigurationARN": ctx.region.arn("autoscaling", path),
        "ImageId": configuration.image_id,
        "InstanceType": "t3.micro",
        "BlockDeviceMappings": configuration.block_devices,
        "CreatedTime": configuration.created,
    }
    return f"<member>{query(configuration.finish(shape))}</member>"


@ACTIONS("LaunchConfigurationNames")  # aws-amicleaner 0.2.2 sends them, with which `bench` compares
def describe_launch_configurations(ctx: Context) -> str:
    wanted = ctx.strings("LaunchConfigurationNames")
    known = ctx.region.launch_configurations
    chosen = [known[name] for name in wanted if name in known] if wanted else known.values()
    page, token = ctx.page(chosen, records(ctx))
    items = "".join(render_configuration(ctx, configuration) for configuration in page)
    return f"<LaunchConfigurations>{items}</LaunchConfigurations>{query({'NextToken': token})}"


def render_refresh(refresh: InstanceRefresh) -> str:
    shape = {
        "InstanceRefreshId": refresh.refresh_id,
        "AutoScalingGroupName": refresh.group,
        "Status": refresh.status,
        "StartTime": refresh.created,
        "PercentageComplete": 0,
        "DesiredConfiguration": refresh.desired_configuration,
    }
    return f"<member>{query(refresh.finish(shape))}</member>"


@ACTIONS("AutoScalingGroupName")
def describe_instance_refreshes(ctx: Context) -> str:
    group = ctx.text("AutoScalingGroupName")
    if group not in ctx.region.groups:
        raise ApiError("ValidationError", "AutoScalingGroup name not found - null")
    chosen = [refresh for refresh in ctx.region.refreshes.values() if refresh.group == group]
    page, token = ctx.page(chosen, records(ctx))
    items = "".join(render_refresh(refresh) for refresh in page)
    return f"<InstanceRefreshes>{items}</InstanceRefreshes>{query({'NextToken': token})}"
