"""Auto Scaling groups, at whatever capacity: launch template, mixed instances policy, instances with another root volume.

A group with a launch configuration is covered by the launch configurations.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..api import Api
from .source import UsageSource, member
from .specifications import follow_group
from .usage_report import Referrer, UsageReport

CALL = "DescribeAutoScalingGroups"


def read(api: Api) -> UsageReport:
    """Every group's templates and images, and a digest of each group."""
    found = UsageReport()
    for group in api.pages(CALL):
        name = str(member(api, CALL, group, "AutoScalingGroupName", "a group"))
        user = Referrer("auto-scaling-group", name, f'Auto Scaling group "{name}"')
        follow_group(api, CALL, found, group, user)
        for instance in group.get("Instances") or ():
            # The AMI of an instance whose root volume was replaced; DescribeInstances shows the one it was launched from.
            if instance.get("LifecycleState") != "Terminated":
                found.reference(instance.get("ImageId"), user.through(f"instance {instance.get('InstanceId')}"))
        found.groups[name] = digest(group)
    return found


def digest(group: dict[str, Any]) -> str:
    """Changes when anything about a group does, its instances included: a refresh that has begun shows there first.
    AWS does not promise an order of lists, so it does not count."""
    return hashlib.sha256(json.dumps(_ordered(group), sort_keys=True, default=str).encode()).hexdigest()


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return sorted((_ordered(entry) for entry in value), key=lambda entry: json.dumps(entry, sort_keys=True, default=str))
    return value


SOURCE = UsageSource(
    name="auto-scaling-groups",
    check="auto-scaling-groups",
    actions=("autoscaling:DescribeAutoScalingGroups",),
    things="Auto Scaling groups",
    words=(
        "Auto Scaling groups: the launch template, or the mixed instances policy (base, an override's template, an "
        "override's own image)"
    ),
    required=True,
    read=read,
)
