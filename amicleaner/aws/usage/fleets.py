"""EC2 Fleets that may still launch.

Fleets of the type `instant` answer only to their id, so they are not seen; they launch once, when they are made.
"""

from __future__ import annotations

from ..api import Api
from .source import UsageSource, filled, member
from .specifications import follow_configuration
from .usage_report import Referrer, UsageReport

CALL = "DescribeFleets"
OVER = frozenset({"deleted", "deleted_running", "deleted_terminating", "failed"})
"""A fleet on its way to the end launches nothing any more; instances that it leaves running protect on their own."""


def read(api: Api) -> UsageReport:
    """Each fleet's launch templates and, in their overrides, images (an id or `resolve:ssm:`) and snapshots."""
    found = UsageReport()
    for fleet in api.pages(CALL):
        state = fleet.get("FleetState") or "unknown"
        if state in OVER:
            continue
        id = str(member(api, CALL, fleet, "FleetId", "a fleet"))
        user = Referrer("fleet", id, f"EC2 Fleet {id} ({state})")
        for configuration in filled(api, CALL, fleet, "LaunchTemplateConfigs", f"fleet {id}"):
            follow_configuration(api, CALL, found, configuration, user)
    return found


SOURCE = UsageSource(
    name="fleets",
    check="fleets",
    actions=("ec2:DescribeFleets",),
    things="EC2 Fleets",
    words="EC2 Fleets that are neither deleted nor failed nor on the way there",
    read=read,
)
