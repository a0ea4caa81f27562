"""Spot Instance requests that may still launch."""

from __future__ import annotations

from ..api import Api
from .findings import Findings, User, snapshots_of
from .place import Place, member

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
        specification = request.get("LaunchSpecification") or {}
        found.mention(specification.get("ImageId"), User("spot-request", id, f"Spot request {id} ({state})"))
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
