"""Spot Fleets that may still launch."""

from __future__ import annotations

from ..api import Api
from .findings import Findings, User, snapshots_of
from .place import Place, filled, member
from .specifications import follow_configuration

CALL = "DescribeSpotFleetRequests"
OVER = frozenset({"cancelled", "cancelled_running", "cancelled_terminating", "failed"})
"""A fleet on its way to the end launches nothing any more; instances that it leaves running protect on their own."""


def read(api: Api) -> Findings:
    """Launch specifications (image and snapshots), or launch templates with overrides."""
    found = Findings()
    for fleet in api.pages(CALL):
        state = fleet.get("SpotFleetRequestState") or "unknown"
        if state in OVER:
            continue
        id = str(member(api, CALL, fleet, "SpotFleetRequestId", "a Spot Fleet"))
        user = User("spot-fleet", id, f"Spot Fleet {id} ({state})")
        config = member(api, CALL, fleet, "SpotFleetRequestConfig", f"Spot Fleet {id}")
        if not config.get("LaunchSpecifications"):
            filled(api, CALL, config, "LaunchTemplateConfigs", f"Spot Fleet {id}")  # it has the one or the other
        for specification in config.get("LaunchSpecifications") or ():
            found.mention(filled(api, CALL, specification, "ImageId", f"Spot Fleet {id}"), user)
            found.snapshots |= snapshots_of(specification.get("BlockDeviceMappings"))
        for configuration in config.get("LaunchTemplateConfigs") or ():
            follow_configuration(api, CALL, found, configuration, user)
    return found


PLACE = Place(
    name="spot-fleets",
    check="spot",
    actions=("ec2:DescribeSpotFleetRequests",),
    things="Spot Fleets",
    words="Spot Fleets that are neither cancelled nor failed nor on the way there",
    read=read,
)
