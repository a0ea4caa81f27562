"""Instance refreshes that are not over: the configuration that a group is on its way to."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import AwsError
from ..api import Api
from .source import OnDemandSource, filled
from .specifications import follow_group
from .usage_report import Referrer, UsageReport

CALL = "DescribeInstanceRefreshes"
OVER = frozenset({"Successful", "Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"})
"""Of the ten statuses in the service model; `Cancelling` is not over, nor is one that AWS adds later."""


def ask(api: Api, groups: Sequence[str]) -> UsageReport:
    """The desired configurations of the refreshes of `groups`: one group a call, for AWS takes no list of them."""
    found = UsageReport()
    for group in groups:
        try:
            refreshes = list(api.pages(CALL, AutoScalingGroupName=group))
        except AwsError as error:
            # Auto Scaling has one code for everything that is wrong with a request; only the text tells a lost group.
            if error.code != "ValidationError" or "not found" not in error.message.lower():
                raise
            found.warnings.append(f'Auto Scaling group "{group}" was deleted meanwhile: its refreshes protect nothing')
            continue
        for refresh in refreshes:
            status = refresh.get("Status") or "unknown"
            if status not in OVER:
                id = str(filled(api, CALL, refresh, "InstanceRefreshId", f'a refresh of Auto Scaling group "{group}"'))
                label = f'instance refresh {id} of Auto Scaling group "{group}" ({status})'
                desired = refresh.get("DesiredConfiguration") or {}
                follow_group(api, CALL, found, desired, Referrer("instance-refresh", id, label), whole=False)
    return found


SOURCE = OnDemandSource(
    name="instance-refreshes",
    check="auto-scaling-groups",
    actions=("autoscaling:DescribeInstanceRefreshes",),
    things="instance refreshes of Auto Scaling groups",
    words="the desired configuration of an instance refresh that is not over (asked only once something would go)",
    of="groups",
    at_once=1,
    ask=ask,
)
