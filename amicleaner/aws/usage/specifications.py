"""The two shapes in which groups, refreshes and fleets name images: a launch template specification, and a configuration
(`LaunchTemplateSpecification` with `Overrides`), which a mixed instances policy and both kinds of fleet share."""

from __future__ import annotations

from typing import Any

from ..api import Api
from .findings import Findings, Pin, User, snapshots_of


def follow_specification(api: Api, action: str, found: Findings, specification: dict[str, Any] | None, user: User) -> None:
    """Notes the launch template version; without a version it is the default one (API reference of Auto Scaling's
    `LaunchTemplateSpecification`).  One that names no template is a malformed answer."""
    if not specification:
        return
    id, name = specification.get("LaunchTemplateId"), specification.get("LaunchTemplateName")
    if not id and not name:
        raise api.error(action, "MalformedResponse", f"{user.label} names a launch template without id and name")
    found.pins.append(Pin(str(id or name), str(specification.get("Version") or "$Default"), user, by_name=not id))


def follow_configuration(api: Api, action: str, found: Findings, configuration: dict[str, Any] | None, user: User) -> None:
    """Notes the launch template, and in each override a launch template, an image or snapshots of its own."""
    if not configuration:
        return
    follow_specification(api, action, found, configuration.get("LaunchTemplateSpecification"), user)
    for override in configuration.get("Overrides") or ():
        follow_specification(api, action, found, override.get("LaunchTemplateSpecification"), user)
        found.mention(override.get("ImageId"), user.through("override"))
        found.snapshots |= snapshots_of(override.get("BlockDeviceMappings"))


def follow_group(api: Api, action: str, found: Findings, description: dict[str, Any], user: User) -> None:
    """Notes what a group launches from, or will after an instance refresh: a template or a mixed instances policy."""
    follow_specification(api, action, found, description.get("LaunchTemplate"), user)
    policy = description.get("MixedInstancesPolicy") or {}
    follow_configuration(api, action, found, policy.get("LaunchTemplate"), user)
