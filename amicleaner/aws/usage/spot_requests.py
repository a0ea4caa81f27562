"""Spot Instance requests that may still launch."""

from __future__ import annotations

from ..api import Api
from .source import UsageSource, filled, member
from .usage_report import Referrer, UsageReport, snapshots_of

CALL = "DescribeSpotInstanceRequests"
OVER = frozenset({"cancelled", "closed", "failed"})
"""Of the states in the service model `open`, `active` and `disabled` remain: a disabled request can become active again."""


def read(api: Api) -> UsageReport:
    """The image and snapshots of each request's launch specification."""
    found = UsageReport()
    for request in api.pages(CALL):
        state = request.get("State") or "unknown"
        if state in OVER:
            continue
        id = str(member(api, CALL, request, "SpotInstanceRequestId", "a Spot request"))
        user = Referrer("spot-request", id, f"Spot request {id} ({state})")
        specification = member(api, CALL, request, "LaunchSpecification", f"Spot request {id}")
        found.reference(filled(api, CALL, specification, "ImageId", f"Spot request {id}"), user)
        found.snapshots |= snapshots_of(specification.get("BlockDeviceMappings"))
    return found


SOURCE = UsageSource(
    name="spot-requests",
    check="spot",
    actions=("ec2:DescribeSpotInstanceRequests",),
    things="Spot requests",
    words="Spot requests that are neither cancelled nor closed nor failed",
    read=read,
)
