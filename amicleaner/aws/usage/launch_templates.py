"""Launch templates: the default and the latest version of each, on request every version, and those that groups, fleets and
others name.

CloudFormation makes new versions without ever moving the default, so both count.  Without a template in the request,
`Versions=["$Latest", "$Default"]` answers for all templates in one paged call (service model of
DescribeLaunchTemplateVersions); everything else needs one call per template.  Nothing can be launched from a version that
was deleted, so it protects no AMI and gives a warning.
"""

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any

from ...errors import AwsError
from ..api import Api
from ..concurrency import run_concurrently
from .usage_report import Template, TemplateVersion, TemplateVersionRef, UsageReport, snapshots_of

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

AT_ONCE = 200
"""Version numbers in one call: as many as fit on one page of its response."""

MARKS = {"$Default": "default", "$Latest": "latest"}


def read(report: UsageReport) -> None:
    """The default and latest versions of all templates, hidden managed ones included."""
    _add_versions(report, Versions=["$Latest", "$Default"])


def read_all_versions(template: str, report: UsageReport) -> None:
    """Every version of one template; a template that was deleted meanwhile gives a warning."""
    try:
        _add_versions(report, LaunchTemplateId=template)
    except AwsError as error:
        if error.code not in TEMPLATE_GONE:
            raise
        report.warnings.append(f"Launch template {template} was deleted during the scan; it protects no AMI.")


def _add_versions(report: UsageReport, **parameters: Any) -> None:
    """The versions in a listing that has at least the default and the latest of each template in it, once each."""
    versions = {}
    default: dict[str, int] = {}
    latest: dict[str, int] = defaultdict(int)
    for item in report.api.pages(CALL, **parameters, IncludeManagedResources=True):
        version = _version(report.api, item)
        versions[version.template, version.number] = version
        latest[version.template] = max(latest[version.template], version.number)
        if item.get("DefaultVersion"):
            default[version.template] = version.number
    for version in versions.values():
        marks = (("default", default), ("latest", latest))
        told = tuple(word for word, numbers in marks if numbers.get(version.template) == version.number)
        marked = replace(version, marks=told)
        report.versions.append(marked)
        report.add_version(marked, report.use("launch-template", marked.template, marked.label))


def _version(api: Api, item: dict[str, Any]) -> TemplateVersion:
    """Takes one of `LaunchTemplateVersions`.  A version may name no image; without its data it is a malformed response."""
    id = str(api.member(CALL, item, "LaunchTemplateId", "a launch template version"))
    number = int(api.member(CALL, item, "VersionNumber", f"a version of launch template {id}"))
    data = api.member(CALL, item, "LaunchTemplateData", f"launch template {id} version {number}")
    snapshots = frozenset(snapshots_of(data.get("BlockDeviceMappings")))
    return TemplateVersion(id, str(item.get("LaunchTemplateName") or ""), number, str(data.get("ImageId") or ""), snapshots)


def resolve(
    refs: Iterable[TemplateVersionRef], versions: Iterable[TemplateVersion], pool: Executor, report: UsageReport
) -> None:
    """The images and snapshots of the versions that `refs` name; also the versions that had to be read, because they are not
    among `versions`."""
    ids: dict[str, str] = {}
    known: dict[tuple[Template, str], TemplateVersion] = {}
    for version in versions:
        ids.setdefault(version.name, version.template)
        for spelling in (str(version.number), *(sign for sign, mark in MARKS.items() if mark in version.marks)):
            known.setdefault((Template(version.template), spelling), version)
    named: dict[tuple[Template, str], list[TemplateVersionRef]] = defaultdict(list)
    for ref in refs:
        template = Template(ids[ref.template.key]) if ref.template.by_name and ref.template.key in ids else ref.template
        asked = (ref.version.lstrip("0") or "0") if ref.version.isdecimal() else ref.version
        named[template, asked].append(ref)
    wanted: dict[Template, set[str]] = defaultdict(set)
    for template, asked in named.keys() - known.keys():
        wanted[template].add(asked)
    templates = sorted(wanted)
    reads = [partial(_read, report.api, template, sorted(wanted[template])) for template in templates]
    answers = run_concurrently(pool, reads)
    for template, answer in zip(templates, answers, strict=True):
        known |= {(template, asked): version for asked, version in answer.items()}
        report.versions += answer.values()
    for (template, asked), asking in named.items():
        if found := known.get((template, asked)):
            for ref in asking:
                report.add_version(found, ref.use.through(found.label))
        else:
            first = min(ref.use.label for ref in asking)
            report.warnings.append(
                f"Launch template {template.key} version {asked} does not exist (named by {first}); it protects no AMI."
            )


def _read(api: Api, template: Template, asked: list[str]) -> dict[str, TemplateVersion]:
    """The versions of one template that exist, by the spelling asked for."""
    numbers = [version for version in asked if version.isdecimal()]
    found: dict[str, TemplateVersion] = {}
    for start in range(0, len(numbers), AT_ONCE):
        for version in _numbered(api, template, numbers[start : start + AT_ONCE]):
            found[str(version.number)] = version
    for sign in asked:
        # `$Latest` and `$Default` of a template that the reading of all templates did not have: the response does not say
        # which of several versions is meant, so each is a call of its own.
        if not sign.isdecimal():
            marks = (MARKS[sign],) if sign in MARKS else ()
            for version in _request(api, template, [sign]):
                found[sign] = replace(version, marks=marks)
    return found


def _numbered(api: Api, template: Template, numbers: list[str]) -> list[TemplateVersion]:
    try:
        return _request(api, template, numbers)
    except AwsError as error:
        if error.code != VERSION_GONE:
            raise
    # One that is gone fails the call for all of them.
    return [version for number in numbers for version in _request(api, template, [number])]


def _request(api: Api, template: Template, versions: list[str]) -> list[TemplateVersion]:
    """The versions in AWS's response, none if the template (or the only requested version) is gone.  A response with other
    versions is malformed: it does not say that the requested ones are gone."""
    parameter = {"LaunchTemplateName" if template.by_name else "LaunchTemplateId": template.key}
    try:
        items = api.pages(CALL, **parameter, Versions=versions, IncludeManagedResources=True)
        found = [_version(api, item) for item in items]
    except AwsError as error:
        if error.code in TEMPLATE_GONE or (error.code == VERSION_GONE and len(versions) == 1):
            return []
        raise
    numbers = {str(version.number) for version in found}
    # A template always has one latest and one default version.
    asked_for = numbers.issubset(versions) if versions[0].isdecimal() else len(numbers) == 1
    if not asked_for or any((version.name if template.by_name else version.template) != template.key for version in found):
        raise api.malformed(CALL, f"the response lacks requested versions of {template.key}")
    return found
