"""Spot Fleets that may still launch."""

from __future__ import annotations

from ..api import Api
from .source import UsageSource, filled, member
from .specifications import follow_configuration
from .usage_report import Referrer, UsageReport, snapshots_of

CALL = "DescribeSpotFleetRequests"
OVER = frozenset({"cancelled", "cancelled_running", "cancelled_terminating", "failed"})
"""A fleet on its way to the end launches nothing any more; instances that it leaves running protect on their own."""


def read(api: Api) -> UsageReport:
    """Launch specifications (image and snapshots), or launch templates with overrides."""
    found = UsageReport()
    for fleet in api.pages(CALL):
        state = fleet.get("SpotFleetRequestState") or "unknown"
        if state in OVER:
            continue
        id = str(member(api, CALL, fleet, "SpotFleetRequestId", "a Spot Fleet"))
        user = Referrer("spot-fleet", id, f"Spot Fleet {id} ({state})")
        config = member(api, CALL, fleet, "SpotFleetRequestConfig", f"Spot Fleet {id}")
        if not config.get("LaunchSpecifications"):
            filled(api, CALL, config, "LaunchTemplateConfigs", f"Spot Fleet {id}")  # it has the one or the other
        for specification in config.get("LaunchSpecifications") or ():
            found.reference(filled(api, CALL, specification, "ImageId", f"Spot Fleet {id}"), user)
            found.snapshots |= snapshots_of(specification.get("BlockDeviceMappings"))
        for configuration in config.get("LaunchTemplateConfigs") or ():
            follow_configuration(api, CALL, found, configuration, user)
    return found


SOURCE = UsageSource(
    name="spot-fleets",
    check="spot",
    actions=("ec2:DescribeSpotFleetRequests",),
    things="Spot Fleets",
    words="Spot Fleets that are neither cancelled nor failed nor on the way there",
    read=read,
)
