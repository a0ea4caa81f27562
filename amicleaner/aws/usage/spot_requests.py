"""Spot Instance requests that may still launch."""

from __future__ import annotations

from ..api import Api
from .findings import Findings, User, snapshots_of
from .place import Place, filled, member

CALL = "DescribeSpotInstanceRequests"
OVER = frozenset({"cancelled", "closed", "failed"})
"""Of the states in the service model `open`, `active` and `disabled` remain: a disabled request can become active again."""


def read(api: Api) -> Findings:
    """The image and snapshots of each request's launch specification."""
    found = Findings()
    for request in api.pages(CALL):
        state = request.get("State") or "unknown"
        if state in OVER:
            continue
        id = str(member(api, CALL, request, "SpotInstanceRequestId", "a Spot request"))
        user = User("spot-request", id, f"Spot request {id} ({state})")
        specification = member(api, CALL, request, "LaunchSpecification", f"Spot request {id}")
        found.mention(filled(api, CALL, specification, "ImageId", f"Spot request {id}"), user)
        found.snapshots |= snapshots_of(specification.get("BlockDeviceMappings"))
    return found


PLACE = Place(
    name="spot-requests",
    check="spot",
    actions=("ec2:DescribeSpotInstanceRequests",),
    things="Spot requests",
    words="Spot requests that are neither cancelled nor closed nor failed",
    read=read,
)
