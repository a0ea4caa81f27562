"""Launch templates: the default and the latest version of each, and on request every version.

CloudFormation makes new versions without ever moving the default, so both count.  Without a template in the request,
`Versions=["$Latest", "$Default"]` answers for all templates in one paged call (service model of
DescribeLaunchTemplateVersions); everything else needs one call per template.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ...errors import AwsError
from ..api import Api
from .common import member
from .usage_report import Referrer, TemplateVersion, UsageReport, snapshots_of

CALL = "DescribeLaunchTemplateVersions"
VERSION_GONE = "InvalidLaunchTemplateId.VersionNotFound"
TEMPLATE_GONE = frozenset(
    {
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
        "InvalidLaunchTemplateName.NotFound",
        "InvalidLaunchTemplateName.NotFoundException",
    }
)
"""EC2's documented codes, and the same with the suffix that it uses for its sibling."""


def read(api: Api) -> UsageReport:
    """The default and latest versions of all templates, hidden managed ones included."""
    items = api.pages(CALL, Versions=["$Latest", "$Default"], IncludeManagedResources=True)
    return _report(marked(api, items))


def read_all_versions(api: Api, template: str) -> UsageReport:
    """Every version of one template; a template that was deleted meanwhile gives a warning."""
    try:
        return _report(marked(api, api.pages(CALL, LaunchTemplateId=template, IncludeManagedResources=True)))
    except AwsError as error:
        if error.code not in TEMPLATE_GONE:
            raise
        return UsageReport(warnings=[f"Launch template {template} was deleted during the scan; it protects no AMI."])


def marked(api: Api, items: Iterable[dict[str, Any]]) -> list[TemplateVersion]:
    """The versions in a listing that has at least the default and the latest of each template in it, once each."""
    versions = {}
    default: dict[str, int] = {}
    latest: dict[str, int] = defaultdict(int)
    for item in items:
        version = from_aws(api, item)
        versions[version.template, version.number] = version
        latest[version.template] = max(latest[version.template], version.number)
        if item.get("DefaultVersion"):
            default[version.template] = version.number
    marks = (("default", default), ("latest", latest))
    return [
        replace(version, marks=tuple(word for word, numbers in marks if numbers.get(version.template) == version.number))
        for version in versions.values()
    ]


def from_aws(api: Api, item: dict[str, Any]) -> TemplateVersion:
    """Takes one of `LaunchTemplateVersions`.  A version may name no image; without its data it is a malformed response."""
    id = str(member(api, CALL, item, "LaunchTemplateId", "a launch template version"))
    number = int(member(api, CALL, item, "VersionNumber", f"a version of launch template {id}"))
    data = member(api, CALL, item, "LaunchTemplateData", f"launch template {id} version {number}")
    return TemplateVersion(
        id,
        str(item.get("LaunchTemplateName") or ""),
        number,
        str(data.get("ImageId") or ""),
        frozenset(snapshots_of(data.get("BlockDeviceMappings"))),
    )


def _report(versions: list[TemplateVersion]) -> UsageReport:
    report = UsageReport(versions=versions)
    for version in versions:
        referrer = Referrer("launch-template", version.template, version.label)
        report.add_image(version.image, referrer)
        report.add_snapshots(version.snapshots, referrer)
    return report
