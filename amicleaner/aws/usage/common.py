"""What readers share: members that AWS always sends, listings whose things take a call each, and the two shapes in which
groups, refreshes and fleets name images.

The shapes are a launch template specification, and a configuration (`LaunchTemplateSpecification` with `Overrides`), which a
mixed instances policy and both kinds of fleet have.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from ...errors import AwsError
from ...models import Use
from ..api import Api
from .usage_report import TemplateVersionRef, UsageReport

GONE = frozenset({"ResourceNotFound", "ResourceNotFoundException"})


def used_by(api: Api, kind: str, id: str, label: str) -> Use:
    """A resource of the Region that is read."""
    return Use(kind, id, api.target.account, api.target.region, label)


def filled(api: Api, action: str, thing: dict[str, Any], name: str, what: str) -> Any:
    """A member that AWS always sends, and never empty."""
    if not thing.get(name):
        raise api.error(action, "MalformedResponse", f"{what} has no {name}")
    return thing[name]


def member(api: Api, action: str, thing: dict[str, Any], name: str, what: str) -> Any:
    """A member that AWS always sends; the empty string is one.  A response without it is not trusted:
    `MalformedResponse`."""
    if thing.get(name) is None:
        raise api.error(action, "MalformedResponse", f"{what} has no {name}")
    return thing[name]


def one_after_the_first(reads: list[Callable[[], UsageReport]]) -> UsageReport:
    """The first read is made alone: where it is denied or the call does not exist, hundreds more would only find out the
    same.  The others run side by side, after it."""
    if not reads:
        return UsageReport()
    report = reads[0]()
    report.next_reads += reads[1:]
    return report


def read_each(
    api: Api, call: str, name: str, what: str, read: Callable[[str], UsageReport], **parameters: Any
) -> UsageReport:
    """A listing whose things take further calls: `read` gets the member `name` of each of them, side by side."""
    ids = [str(filled(api, call, thing, name, what)) for thing in api.pages(call, **parameters)]
    return UsageReport(next_reads=[partial(read, id) for id in ids])


def unless_gone(read: Callable[..., UsageReport]) -> Callable[..., UsageReport]:
    """A reader of one thing, which may have been deleted since it was listed: then it launches nothing."""

    @wraps(read)
    def read_if_there(*arguments: Any) -> UsageReport:
        try:
            return read(*arguments)
        except AwsError as error:
            if error.code not in GONE:
                raise
            return UsageReport()

    return read_if_there


def add_specification(api: Api, action: str, report: UsageReport, specification: dict[str, Any] | None, use: Use) -> None:
    """Notes the launch template version; without a version it is the default one (API references of Auto Scaling's and
    Batch's `LaunchTemplateSpecification`).  A specification that names no template is a malformed response."""
    if specification is None:
        return
    id, name = specification.get("LaunchTemplateId"), specification.get("LaunchTemplateName")
    if not id and not name:
        raise api.error(action, "MalformedResponse", f"{use.label} names a launch template without an id or a name")
    version = str(specification.get("Version") or "$Default")
    report.template_refs.append(TemplateVersionRef(str(id or name), version, use, by_name=not id))


def add_configuration(
    api: Api, action: str, report: UsageReport, configuration: dict[str, Any], use: Use, *, whole: bool = True
) -> None:
    """Notes the launch template, and in each override a launch template, an image or snapshots of its own.

    `whole`: neither a fleet nor a policy can be made without a launch template (API references), so one without is a
    malformed response; a desired configuration may leave out what does not change.
    """
    specification = configuration.get("LaunchTemplateSpecification")
    if whole and specification is None:
        raise api.error(action, "MalformedResponse", f"{use.label} has overrides but no launch template")
    add_specification(api, action, report, specification, use)
    for override in configuration.get("Overrides") or ():
        if not override:  # it would override nothing: at the least it names an instance type
            raise api.error(action, "MalformedResponse", f"{use.label} has an empty override")
        add_specification(api, action, report, override.get("LaunchTemplateSpecification"), use)
        report.add_image(override.get("ImageId"), use.through("override"))
        report.add_block_devices(override.get("BlockDeviceMappings"), use.through("override"))


def add_group(
    api: Api, action: str, report: UsageReport, description: dict[str, Any], use: Use, *, whole: bool = True
) -> None:
    """Notes a template or a mixed instances policy: what a group launches from (`whole`), or will after a refresh."""
    specification = description.get("LaunchTemplate")
    configuration = (description.get("MixedInstancesPolicy") or {}).get("LaunchTemplate")
    if whole and specification is None and configuration is None and not description.get("LaunchConfigurationName"):
        # No group can be made without one of the three.
        raise api.error(action, "MalformedResponse", f"{use.label} does not say what it launches from")
    add_specification(api, action, report, specification, use)
    if configuration is not None:
        add_configuration(api, action, report, configuration, use, whole=whole)
