"""How sources are read: side by side, round after round, and then what they name is followed to its AMIs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial

from ...models import Target, Use
from ...uses import Uses, merge_uses
from ..api import Api
from ..concurrency import run_concurrently
from . import launch_templates, ssm_parameters, template_versions
from .source import UsageSource, guarded
from .usage_report import Referrer, TemplateVersion, UsageReport

SourceRead = tuple[UsageSource, Callable[[], UsageReport]]
"""A source, and one of its reads."""


def read_sources(pool: Executor, reads: Iterable[SourceRead]) -> UsageReport:
    """What all reads report, and all further reads that they ask for.

    Raises `AwsError`: the error of the first source, in the order of `reads`, that has one.
    """
    report = UsageReport()
    waiting = list(reads)
    while waiting:
        parts = run_concurrently(pool, [partial(guarded, source, read) for source, read in waiting])
        for part in parts:
            report.add(part)
        waiting = [(source, read) for (source, _), part in zip(waiting, parts, strict=True) for read in part.next_reads]
    return report


def read_all_versions(api: Api, versions: Iterable[TemplateVersion], pool: Executor) -> UsageReport:
    """Every version of each of these versions' templates: one call per template."""
    templates = sorted({version.template for version in versions})
    source = launch_templates.SOURCE
    return read_sources(pool, [(source, partial(launch_templates.read_all_versions, api, id)) for id in templates])


def follow(api: Api, report: UsageReport, versions: Sequence[TemplateVersion], pool: Executor, *, templates: bool) -> None:
    """Replaces, in `report`, launch template versions and SSM parameters by the images that they resolve to.

    `versions` are those that are known already.  `templates` is false where the check of launch templates is skipped: then
    no version is looked up.  An SSM parameter always is.
    """
    if templates:
        source = launch_templates.SOURCE
        report.add(guarded(source, partial(template_versions.resolve, api, report.template_refs, versions, pool)))
    report.template_refs = []
    named = [reference for reference in report.references if ssm_parameters.is_parameter(reference)]
    report.references = [reference for reference in report.references if not ssm_parameters.is_parameter(reference)]
    report.add(guarded(ssm_parameters.SOURCE, partial(ssm_parameters.resolve, api, named, pool)))


def uses_in(target: Target, report: UsageReport) -> tuple[Uses, Uses]:
    """The references by AMI and by snapshot."""
    images = ({reference.image: [_use(target, reference.referrer)]} for reference in report.references)
    snapshots = ({reference.snapshot: [_use(target, reference.referrer)]} for reference in report.snapshots)
    return merge_uses(images), merge_uses(snapshots)


def _use(target: Target, referrer: Referrer) -> Use:
    return Use(referrer.kind, referrer.id, target.account, target.region, referrer.label)
