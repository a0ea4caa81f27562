"""Launch configurations, all of them: whether a group uses one today does not matter."""

from __future__ import annotations

from ..api import Api
from .findings import Findings, User, snapshots_of
from .place import Place, filled

CALL = "DescribeLaunchConfigurations"


def read(api: Api) -> Findings:
    """Every launch configuration's AMI (a member that the service model requires) and its block devices' snapshots."""
    found = Findings()
    for configuration in api.pages(CALL):
        name = str(filled(api, CALL, configuration, "LaunchConfigurationName", "a launch configuration"))
        image = filled(api, CALL, configuration, "ImageId", f"launch configuration {name}")
        found.mention(image, User("launch-configuration", name, f'launch configuration "{name}"'))
        found.snapshots |= snapshots_of(configuration.get("BlockDeviceMappings"))
    return found


PLACE = Place(
    name="launch-configurations",
    check="launch-configurations",
    actions=("autoscaling:DescribeLaunchConfigurations",),
    things="launch configurations",
    words="launch configurations",
    required=True,
    read=read,
)
