"""Instances in any state but terminated, those that AWS services manage included."""

from __future__ import annotations

from ..api import Api
from .source import UsageSource, member
from .usage_report import Referrer, UsageReport

CALL = "DescribeInstances"


def read(api: Api) -> UsageReport:
    """Every instance and the AMI it was launched from.

    No filter by state goes out: a list of the states that count would hide an instance in a state that AWS adds later.
    An instance without `ImageId` makes the answer malformed; an empty one is the odd shape of a very old instance.
    """
    found = UsageReport()
    for reservation in api.pages(CALL, IncludeManagedResources=True):
        for instance in member(api, CALL, reservation, "Instances", "a reservation"):
            state = (instance.get("State") or {}).get("Name") or "unknown"
            if state == "terminated":
                continue
            id = str(member(api, CALL, instance, "InstanceId", "an instance"))
            found.reference(
                member(api, CALL, instance, "ImageId", f"instance {id}"),
                Referrer("instance", id, f"instance {id} ({state})"),
            )
    return found


SOURCE = UsageSource(
    name="instances",
    check="instances",
    actions=("ec2:DescribeInstances",),
    things="instances",
    words="instances in any state but terminated, those that AWS services manage included",
    required=True,
    read=read,
)
