"""Launch template versions that groups, fleets and others name.

The default and latest versions have been read already; any other number takes one call per template.  Nothing can be
launched from a version that was deleted, so it protects no AMI and gives a warning.
"""

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from ...errors import AwsError
from ..api import Api
from ..concurrency import run_concurrently
from .launch_templates import CALL, TEMPLATE_GONE, VERSION_GONE, from_aws
from .usage_report import TemplateVersion, TemplateVersionRef, UsageReport

AT_ONCE = 200
"""Version numbers in one call: as many as fit on one page of its response."""

MARKS = {"$Default": "default", "$Latest": "latest"}


@dataclass(frozen=True, slots=True, order=True)
class Template:
    """How a call names a template: by its id where that is known."""

    key: str
    by_name: bool

    def parameter(self) -> dict[str, str]:
        return {"LaunchTemplateName" if self.by_name else "LaunchTemplateId": self.key}


@dataclass(slots=True)
class Index:
    """The versions that are known, by template and by version as it was asked for (a number, `$Latest`, `$Default`)."""

    versions: dict[tuple[Template, str], TemplateVersion] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, versions: Iterable[TemplateVersion]) -> Self:
        index = cls()
        for version in versions:
            template = Template(version.template, by_name=False)
            index.ids.setdefault(version.name, version.template)
            for spelling in (str(version.number), *(sign for sign, mark in MARKS.items() if mark in version.marks)):
                index.versions.setdefault((template, spelling), version)
        return index

    def key(self, ref: TemplateVersionRef) -> tuple[Template, str]:
        """The key of the version that is meant, whether it was read or not."""
        version = (ref.version.lstrip("0") or "0") if ref.version.isdecimal() else ref.version
        if ref.by_name and ref.template in self.ids:
            return Template(self.ids[ref.template], by_name=False), version
        return Template(ref.template, ref.by_name), version


def resolve(
    api: Api, refs: Iterable[TemplateVersionRef], versions: Iterable[TemplateVersion], pool: Executor
) -> UsageReport:
    """The images and snapshots of the versions that `refs` name, with the same referrers; also the versions that had to be
    read."""
    index = Index.of(versions)
    wanted: dict[Template, set[str]] = defaultdict(set)
    refs_by_key: dict[tuple[Template, str], list[TemplateVersionRef]] = defaultdict(list)
    for ref in refs:
        key = index.key(ref)
        refs_by_key[key].append(ref)
        if key not in index.versions:
            wanted[key[0]].add(key[1])
    report = UsageReport()
    templates = sorted(wanted)
    answers = run_concurrently(pool, [partial(_read, api, template, sorted(wanted[template])) for template in templates])
    for template, answer in zip(templates, answers, strict=True):
        index.versions.update({(template, asked): version for asked, version in answer.items()})
        report.versions += answer.values()
    for (template, asked), named in refs_by_key.items():
        version = index.versions.get((template, asked))
        if version is None:
            first = min(ref.referrer.label for ref in named)
            report.warnings.append(
                f"Launch template {template.key} version {asked} does not exist (named by {first}); it protects no AMI."
            )
            continue
        for ref in named:
            referrer = ref.referrer.through(version.label)
            report.add_image(version.image, referrer)
            report.add_snapshots(version.snapshots, referrer)
    return report


def _read(api: Api, template: Template, asked: list[str]) -> dict[str, TemplateVersion]:
    """The versions of one template that exist, by the spelling asked for."""
    numbers = [version for version in asked if version.isdecimal()]
    found: dict[str, TemplateVersion] = {}
    for start in range(0, len(numbers), AT_ONCE):
        found |= _read_numbers(api, template, numbers[start : start + AT_ONCE])
    for sign in asked:
        # `$Latest` and `$Default` of a template that the reading of all templates did not have: the response does not say
        # which of several versions is meant, so each is a call of its own.
        if not sign.isdecimal():
            marks = (MARKS[sign],) if sign in MARKS else ()
            for version in _request(api, template, [sign]):
                found[sign] = replace(version, marks=marks)
    return found


def _read_numbers(api: Api, template: Template, numbers: list[str]) -> dict[str, TemplateVersion]:
    try:
        return {str(version.number): version for version in _request(api, template, numbers)}
    except AwsError as error:
        if error.code != VERSION_GONE:
            raise
    # One that is gone fails the call for all of them.
    found: dict[str, TemplateVersion] = {}
    for number in numbers:
        found |= {str(version.number): version for version in _request(api, template, [number])}
    return found


def _request(api: Api, template: Template, versions: list[str]) -> list[TemplateVersion]:
    """The versions in AWS's response, none if the template (or the only requested version) is gone.  A response with other
    versions is malformed: it does not say that the requested ones are gone."""
    try:
        items = api.pages(CALL, **template.parameter(), Versions=versions, IncludeManagedResources=True)
        found = [from_aws(api, item) for item in items]
    except AwsError as error:
        if error.code in TEMPLATE_GONE or (error.code == VERSION_GONE and len(versions) == 1):
            return []
        raise
    numbers = {str(version.number) for version in found}
    # A template always has one latest and one default version.
    asked_for = numbers.issubset(versions) if versions[0].isdecimal() else len(numbers) == 1
    if not asked_for or any((version.name if template.by_name else version.template) != template.key for version in found):
        raise api.error(CALL, "MalformedResponse", f"the response lacks requested versions of {template.key}")
    return found
