"""Launch configurations, all of them: whether a group uses one today does not matter."""

from __future__ import annotations

from ..api import Api
from .source import UsageSource, filled
from .usage_report import Referrer, UsageReport, snapshots_of

CALL = "DescribeLaunchConfigurations"


def read(api: Api) -> UsageReport:
    """Every launch configuration's AMI (a member that the service model requires) and its block devices' snapshots."""
    found = UsageReport()
    for configuration in api.pages(CALL):
        name = str(filled(api, CALL, configuration, "LaunchConfigurationName", "a launch configuration"))
        image = filled(api, CALL, configuration, "ImageId", f"launch configuration {name}")
        found.reference(image, Referrer("launch-configuration", name, f'launch configuration "{name}"'))
        found.snapshots |= snapshots_of(configuration.get("BlockDeviceMappings"))
    return found


SOURCE = UsageSource(
    name="launch-configurations",
    check="launch-configurations",
    actions=("autoscaling:DescribeLaunchConfigurations",),
    things="launch configurations",
    words="launch configurations",
    required=True,
    read=read,
)
