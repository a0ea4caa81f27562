"""The least IAM policy for a run (`--iam-policy`), made from the registry of sources, so that the two can't drift apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import usage

VIA = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["ec2-images.amazonaws.com"]}}
"""Only where DescribeImageReferences asks on the caller's behalf (AWS's managed policy
AmazonEC2ImageReferencesAccessPolicy, version 3, and the EC2 guide, "Identify your resources referencing specified AMIs")."""

RESOURCES = {
    "ec2:DeleteSnapshot": ("arn:*:ec2:*::snapshot/*",),
    "ec2:DeregisterImage": ("arn:*:ec2:*::image/*",),
    "ssm:GetParameters": ("arn:*:ssm:*:*:parameter/*",),
}
"""What single resources can be granted for (Service Authorization Reference); describe calls of EC2 and Auto Scaling know
no narrower resource than `*`."""


def policy(
    *,
    skip: Iterable[str] = (),
    deletes: bool = True,
    include_shared: bool = False,
    check_orphans: bool = False,
    regions: bool = False,
    roles: Iterable[str] = (),
    organization_role: str = "",
) -> dict[str, Any]:
    """The policy as a JSON document: `{"Version": "2012-10-17", "Statement": […]}`, everything in it sorted.

    `skip` are checks that are left out, `deletes` is false for runs that only show or save a plan, `regions` says that
    Regions are given (their patterns and names are compared with the account's).  With `roles` (ARNs) or
    `organization_role` the statements `AssumeRoles` and `ListAccounts` belong to the credentials that the command starts
    with, the others to each role.  `sts:GetCallerIdentity` needs no permission (STS API reference), so it is not here.
    """
    skipped = frozenset(skip)
    sources = [source for source in (*usage.SOURCES, *usage.FOLLOWED, *usage.ON_DEMAND) if source.check not in skipped]
    reads = {"ec2:DescribeImages"}.union(*(source.actions for source in sources))
    if not include_shared:
        reads.add("ec2:DescribeImageAttribute")
    if check_orphans:
        reads |= {"ec2:DescribeSnapshots", "ec2:ListImagesInRecycleBin"}
    if regions:
        reads.add("ec2:DescribeRegions")
    narrow = reads & RESOURCES.keys()
    behind = set().union(*(source.via for source in sources)) - reads
    assumed = {*roles, *([f"arn:*:iam::*:role/{organization_role}"] if organization_role else ())}

    statements = [_statement("Read", reads - narrow)]
    if narrow:
        statements.append(_statement("ReadParameters", narrow, _resources(narrow)))
    if behind:
        statements.append(_statement("ReadReferences", behind) | {"Condition": VIA})
    if deletes:
        removals = {"ec2:DeregisterImage", "ec2:DeleteSnapshot"}
        statements.append(_statement("Delete", removals, _resources(removals)))
    if organization_role:
        statements.append(_statement("ListAccounts", {"organizations:ListAccounts"}))
    if assumed:
        statements.append(_statement("AssumeRoles", {"sts:AssumeRole"}, assumed))
    return {"Version": "2012-10-17", "Statement": sorted(statements, key=lambda statement: str(statement["Sid"]))}


def _resources(actions: Iterable[str]) -> set[str]:
    return {resource for action in actions for resource in RESOURCES[action]}


def _statement(sid: str, actions: Iterable[str], resources: Iterable[str] = ("*",)) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": sorted(resources)}
