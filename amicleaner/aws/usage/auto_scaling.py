"""Auto Scaling groups at any capacity, and what their unfinished instance refreshes lead to.

A group with a launch configuration is covered by the launch configurations.
"""

from collections.abc import Iterable
from functools import partial

from ...errors import AwsError
from ..api import Api
from .usage_report import UsageReport, add_group, first_then_others, use_of

GROUPS_CALL = "autoscaling:DescribeAutoScalingGroups"
REFRESHES_CALL = "autoscaling:DescribeInstanceRefreshes"
OVER = frozenset({"Successful", "Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"})
"""Of the ten statuses in the service model; `Cancelling` is not over, nor is one that AWS adds later."""


def read_groups(api: Api) -> UsageReport:
    """Every group's templates and images, and the names of all groups."""
    report = UsageReport()
    for group in api.pages(GROUPS_CALL):
        name = str(api.member(GROUPS_CALL, group, "AutoScalingGroupName", "a group"))
        use = use_of(api, "auto-scaling-group", name, f'Auto Scaling group "{name}"')
        add_group(api, GROUPS_CALL, report, group, use)
        for instance in group.get("Instances") or ():
            # The AMI of an instance whose root volume was replaced; DescribeInstances shows the one it was launched from.
            if instance.get("LifecycleState") != "Terminated":
                report.add_image(instance.get("ImageId"), use.through(f"instance {instance.get('InstanceId')}"))
        report.groups.append(name)
    return report


def read_refreshes(api: Api, groups: Iterable[str]) -> UsageReport:
    """The desired configurations of the refreshes of `groups`: one group a call, for AWS takes no list of them."""
    return first_then_others([partial(_read_group, api, group) for group in sorted(set(groups))])


def _read_group(api: Api, group: str) -> UsageReport:
    report = UsageReport()
    try:
        refreshes = list(api.pages(REFRESHES_CALL, AutoScalingGroupName=group))
    except AwsError as error:
        # Auto Scaling has one code for everything that is wrong with a request; only the text tells a lost group.
        if error.code != "ValidationError" or "not found" not in error.message.lower():
            raise
        return UsageReport(
            warnings=[f'Auto Scaling group "{group}" was deleted during the scan; its refreshes protect no AMI.']
        )
    for refresh in refreshes:
        status = refresh.get("Status") or "unknown"
        if status not in OVER:
            what = f'a refresh of Auto Scaling group "{group}"'
            id = str(api.filled(REFRESHES_CALL, refresh, "InstanceRefreshId", what))
            label = f'instance refresh {id} of Auto Scaling group "{group}" ({status})'
            desired = refresh.get("DesiredConfiguration") or {}
            add_group(api, REFRESHES_CALL, report, desired, use_of(api, "instance-refresh", id, label), whole=False)
    return report
