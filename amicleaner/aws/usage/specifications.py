"""The two shapes in which groups, refreshes and fleets name images: a launch template specification, and a configuration
(`LaunchTemplateSpecification` with `Overrides`), which a mixed instances policy and both kinds of fleet share."""

from __future__ import annotations

from typing import Any

from ..api import Api
from .usage_report import Referrer, TemplateVersionRef, UsageReport, snapshots_of


def follow_specification(
    api: Api, action: str, found: UsageReport, specification: dict[str, Any] | None, user: Referrer
) -> None:
    """Notes the launch template version; without a version it is the default one (API reference of Auto Scaling's
    `LaunchTemplateSpecification`).  One that names no template is a malformed answer."""
    if specification is None:
        return
    id, name = specification.get("LaunchTemplateId"), specification.get("LaunchTemplateName")
    if not id and not name:
        raise api.error(action, "MalformedResponse", f"{user.label} names a launch template without id and name")
    found.pins.append(
        TemplateVersionRef(str(id or name), str(specification.get("Version") or "$Default"), user, by_name=not id)
    )


def follow_configuration(
    api: Api, action: str, found: UsageReport, configuration: dict[str, Any], user: Referrer, *, whole: bool = True
) -> None:
    """Notes the launch template, and in each override a launch template, an image or snapshots of its own.

    `whole`: neither a fleet nor a policy can be made without a launch template (API references), so one without is a
    malformed answer; a desired configuration may leave out what stays.
    """
    specification = configuration.get("LaunchTemplateSpecification")
    if whole and specification is None:
        raise api.error(action, "MalformedResponse", f"{user.label} has overrides of no launch template")
    follow_specification(api, action, found, specification, user)
    for override in configuration.get("Overrides") or ():
        if not override:  # it would override nothing: at the least it names an instance type
            raise api.error(action, "MalformedResponse", f"{user.label} has an empty override")
        follow_specification(api, action, found, override.get("LaunchTemplateSpecification"), user)
        found.reference(override.get("ImageId"), user.through("override"))
        found.snapshots |= snapshots_of(override.get("BlockDeviceMappings"))


def follow_group(
    api: Api, action: str, found: UsageReport, description: dict[str, Any], user: Referrer, *, whole: bool = True
) -> None:
    """Notes a template or a mixed instances policy: what a group launches from (`whole`), or will after a refresh."""
    specification = description.get("LaunchTemplate")
    configuration = (description.get("MixedInstancesPolicy") or {}).get("LaunchTemplate")
    if whole and specification is None and configuration is None and not description.get("LaunchConfigurationName"):
        # No group can be made without one of the three.
        raise api.error(action, "MalformedResponse", f"{user.label} does not say what it launches from")
    follow_specification(api, action, found, specification, user)
    if configuration is not None:
        follow_configuration(api, action, found, configuration, user, whole=whole)
