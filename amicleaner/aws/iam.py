"""The least-privilege IAM policy of a run (`--iam-policy`), made from the registry of usage sources and from the actions, so
that they cannot drift apart."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .. import actions
from ..config import AMI_ID, Config
from . import usage

VIA = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["ec2-images.amazonaws.com"]}}
"""Only where DescribeImageReferences asks on the caller's behalf (AWS's managed policy
AmazonEC2ImageReferencesAccessPolicy, version 3, and the EC2 guide, "Identify your resources referencing specified AMIs")."""

PARAMETERS = ("arn:*:ssm:*:*:parameter/*",)
"""Describe calls know no narrower resource than `*` (Service Authorization Reference)."""


def policy(config: Config) -> dict[str, Any]:
    """The policy as a JSON document, `{"Version": "2012-10-17", "Statement": […]}`, everything in it sorted.

    With `role_arn`, `used_by_role_arn` or `organization_role` the statements `AssumeRoles` and `ListAccounts` belong to the
    credentials that the command starts with, the others to each role.  `sts:GetCallerIdentity` needs no permission (STS API
    reference), so it is not here.
    """
    config = replace(config, iam_policy=False)  # which is no part of the run that the policy is for
    statements = [*_restoring(config)] if config.restore else [*_cleaning(config)]
    if config.organization_role:
        statements.append(_statement("ListAccounts", {"organizations:ListAccounts"}))
    assumed = {*config.role_arn, *config.used_by_role_arn}
    if config.organization_role:
        assumed.add(f"arn:*:iam::*:role/{config.organization_role}")
    if assumed:
        statements.append(_statement("AssumeRoles", {"sts:AssumeRole"}, assumed))
    return {"Version": "2012-10-17", "Statement": sorted(statements, key=lambda statement: str(statement["Sid"]))}


def _cleaning(config: Config) -> Iterable[dict[str, Any]]:
    sources = usage.sources(config)
    reads = {"ec2:DescribeImages", "ec2:DescribeSnapshots", "rbin:GetRule", "rbin:ListRules"}
    reads.update(*(source.actions for source in sources))
    if not config.include_shared:
        reads.add("ec2:DescribeImageAttribute")
    if config.check_orphans or config.deletes:
        reads.add("ec2:ListImagesInRecycleBin")
    if _names_regions(config):
        reads.add("ec2:DescribeRegions")
    parameters = reads & {"ssm:GetParameters"}
    behind = set().union(*(source.via for source in sources)) - reads
    yield _statement("Read", reads - parameters)
    if parameters:
        yield _statement("ReadParameters", parameters, PARAMETERS)
    if behind:
        yield _statement("ReadReferences", behind) | {"Condition": VIA}
    if config.deletes:
        yield _changes("Delete", actions.DELETE.calls)
        if config.quarantine is not None:
            yield _changes("Quarantine", (*actions.QUARANTINE.calls, *actions.RELEASE.calls))


def _restoring(config: Config) -> Iterable[dict[str, Any]]:
    reads = {
        "ec2:DescribeImages", "ec2:DescribeSnapshots", "ec2:ListImagesInRecycleBin", "ec2:ListSnapshotsInRecycleBin",
    }  # fmt: skip
    # An audit log names its Regions, too.
    if _names_regions(config) or not all(map(AMI_ID.fullmatch, config.restore)):
        reads.add("ec2:DescribeRegions")
    yield _statement("Read", reads)
    if not config.dry_run:
        restored = (actions.RESTORE_SNAPSHOT, actions.RESTORE_IMAGE, actions.ENABLE, actions.UNTAG)
        yield _changes("Restore", restored)


def _names_regions(config: Config) -> bool:
    several = config.region or config.exclude_region or config.used_by_profile or config.used_by_role_arn
    return bool(several) or len(config.profile) > 1


def _changes(sid: str, calls: Iterable[actions.Change]) -> dict[str, Any]:
    calls = list(calls)
    permissions = {permission for call in calls for permission in call.permissions}
    return _statement(sid, permissions, {resource for call in calls for resource in call.resources})


def _statement(sid: str, names: Iterable[str], resources: Iterable[str] = ("*",)) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(names), "Resource": sorted(resources)}
