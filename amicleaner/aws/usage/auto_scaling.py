"""Auto Scaling groups at any capacity, and what their unfinished instance refreshes lead to.

A group with a launch configuration is covered by the launch configurations.
"""

from collections.abc import Iterable
from functools import partial

from ...errors import AwsError
from .usage_report import UsageReport

GROUPS_CALL = "autoscaling:DescribeAutoScalingGroups"
REFRESHES_CALL = "autoscaling:DescribeInstanceRefreshes"
OVER = frozenset({"Successful", "Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"})
"""Of the ten statuses in the service model; `Cancelling` is not over, nor is one that AWS adds later."""


def read_groups(report: UsageReport) -> None:
    """Every group's templates and images, and the names of all groups."""
    for group in report.api.pages(GROUPS_CALL):
        name = str(report.api.member(GROUPS_CALL, group, "AutoScalingGroupName", "a group"))
        use = report.use("auto-scaling-group", name, f'Auto Scaling group "{name}"')
        report.add_group(GROUPS_CALL, group, use)
        for instance in group.get("Instances") or ():
            # The AMI of an instance whose root volume was replaced; DescribeInstances shows the one it was launched from.
            if instance.get("LifecycleState") != "Terminated":
                report.add_image(instance.get("ImageId"), use.through(f"instance {instance.get('InstanceId')}"))
        report.groups.append(name)


def read_refreshes(groups: Iterable[str], report: UsageReport) -> None:
    """The desired configurations of the refreshes of `groups`: one group a call, for AWS takes no list of them."""
    report.first_then_others([partial(_read_group, group) for group in sorted(set(groups))])


def _read_group(group: str, report: UsageReport) -> None:
    try:
        refreshes = list(report.api.pages(REFRESHES_CALL, AutoScalingGroupName=group))
    except AwsError as error:
        # Auto Scaling has one code for everything that is wrong with a request; only the text tells a lost group.
        if error.code != "ValidationError" or "not found" not in error.message.lower():
            raise
        report.warnings.append(f'Auto Scaling group "{group}" was deleted during the scan; its refreshes protect no AMI.')
        return
    for refresh in refreshes:
        status = refresh.get("Status") or "unknown"
        if status not in OVER:
            what = f'a refresh of Auto Scaling group "{group}"'
            id = str(report.api.filled(REFRESHES_CALL, refresh, "InstanceRefreshId", what))
            label = f'instance refresh {id} of Auto Scaling group "{group}" ({status})'
            desired = refresh.get("DesiredConfiguration") or {}
            report.add_group(REFRESHES_CALL, desired, report.use("instance-refresh", id, label), whole=False)
