"""What names an AMI: the registry of sources, and how it is read.

`read_usage` reads what can be listed for a whole Region.  `read_on_demand` reads the rest, once something would be deleted:
what takes a call per group or per ten AMIs, and services that few accounts use.

A further source is a reader with its `ListedSource` (a small one in `listings.py`), a line in the registry, its calls in
`operations.py`, and an entry in the tests' catalogue.  `--iam-policy`, the checks and the documentation follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from ...config import Config
from ...uses import Uses
from ..api import Api
from . import (
    auto_scaling,
    clusters,
    elastic_beanstalk,
    image_builder,
    image_references,
    launch_templates,
    listings,
    ssm_parameters,
)
from .reading import SourceRead, follow, read_all_versions, read_sources, uses_in
from .source import ListedSource, UsageSource
from .usage_report import TemplateVersion, UsageReport

__all__ = [
    "ALL",
    "ON_DEMAND",
    "ON_REQUEST",
    "SOURCES",
    "ListedSource",
    "UsageOptions",
    "UsageReading",
    "UsageSource",
    "read_on_demand",
    "read_references",
    "read_refreshes",
    "read_template_snapshots",
    "read_usage",
    "sources",
]

SOURCES: tuple[ListedSource, ...] = (
    listings.INSTANCES,
    listings.LAUNCH_CONFIGURATIONS,
    launch_templates.SOURCE,
    auto_scaling.GROUPS,
    listings.SPOT_FLEETS,
    listings.SPOT_REQUESTS,
    listings.FLEETS,
)
"""Read at each reading, in the order in which their errors and warnings are reported."""

ON_DEMAND: tuple[ListedSource, ...] = (
    listings.BATCH,
    image_builder.SOURCE,
    listings.FAST_LAUNCH,
)
"""Read once something would be deleted."""

ON_REQUEST: tuple[ListedSource, ...] = (
    clusters.HYPERPOD,
    clusters.PCS,
    listings.RDS_CUSTOM,
    clusters.EMR,
    elastic_beanstalk.SOURCE,
    listings.CLOUDFORMATION,
)
"""Read like those on demand, where --also-check names them."""

REFRESHES = auto_scaling.REFRESHES
REFERENCES = image_references.SOURCE

ALL: tuple[UsageSource, ...] = (*SOURCES, ssm_parameters.SOURCE, REFRESHES, REFERENCES, *ON_DEMAND, *ON_REQUEST)


@dataclass(frozen=True, slots=True)
class UsageOptions:
    """`skip` are the checks to leave out, `also` those to read on request."""

    skip: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    all_template_versions: bool = False

    @classmethod
    def of(cls, config: Config) -> UsageOptions:
        """Those of a run."""
        return cls(frozenset(config.skip_check), frozenset(config.also_check), config.all_launch_template_versions)

    @property
    def templates(self) -> bool:
        """Whether launch templates are read, and versions that others name are followed."""
        return launch_templates.SOURCE.check not in self.skip


@dataclass(frozen=True, slots=True)
class UsageReading:
    """What was read of one account's Region.

    `uses` are the references by AMI id, `snapshots` those by the snapshot that a block device of a launch template, launch
    configuration, fleet or Spot request names; both sorted.  `groups` are the names of the Auto Scaling groups, `versions`
    the launch template versions that were read: what is read on demand begins with both.
    """

    uses: Uses
    snapshots: Uses
    warnings: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    versions: tuple[TemplateVersion, ...] = ()


def sources(options: UsageOptions) -> tuple[UsageSource, ...]:
    """The sources that a run with these options may read."""
    on_request = {source.check for source in ON_REQUEST}
    return tuple(
        source
        for source in ALL
        if (source.check in options.also if source.check in on_request else source.check not in options.skip)
    )


def read_usage(api: Api, options: UsageOptions, pool: Executor) -> UsageReading:
    """Reads every source of a whole Region that is not skipped, side by side in `pool`, in which the caller itself must not
    run.

    Raises `AwsError`: the error of the first source in the registry that has one.
    """
    report = read_sources(
        pool, [(source, partial(source.read, api)) for source in SOURCES if source.check not in options.skip]
    )
    if options.all_template_versions:
        report.add(read_all_versions(api, report.versions, pool))
    follow(api, report, tuple(report.versions), pool, templates=options.templates)
    return _reading(api, report)


def read_on_demand(
    api: Api, reading: UsageReading, ami_ids: Iterable[str], options: UsageOptions, pool: Executor
) -> UsageReading:
    """Reads, side by side, all that is read only once something would be deleted: the references to `ami_ids` that AWS
    reports, and the services on demand and on request.

    Raises `AwsError`.
    """
    chosen = sources(options)
    reads = _references(api, ami_ids, options)
    reads += [(source, partial(source.read, api)) for source in (*ON_DEMAND, *ON_REQUEST) if source in chosen]
    return _read(api, reading.versions, reads, options, pool)


def read_refreshes(api: Api, reading: UsageReading, options: UsageOptions, pool: Executor) -> UsageReading:
    """What the instance refreshes of all groups in `reading` lead to: one call per group.  Raises `AwsError`."""
    return _read(api, reading.versions, _refreshes(api, reading, options), options, pool)


def read_references(api: Api, ami_ids: Iterable[str], options: UsageOptions, pool: Executor) -> UsageReading:
    """What AWS itself reports as references to `ami_ids`: one call per 10.  Raises `AwsError`."""
    return _read(api, (), _references(api, ami_ids, options), options, pool)


def read_template_snapshots(
    api: Api, reading: UsageReading, options: UsageOptions, pool: Executor
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The snapshots that any version of the templates in `reading` names, and warnings: one call per template.  Raises
    `AwsError`."""
    if options.all_template_versions:  # then the reading has them
        return frozenset(), ()
    report = read_all_versions(api, reading.versions, pool)
    return frozenset(reference.snapshot for reference in report.snapshots), _once(report.warnings)


def _refreshes(api: Api, reading: UsageReading, options: UsageOptions) -> list[SourceRead]:
    if REFRESHES.check in options.skip:
        return []
    return [(REFRESHES, partial(auto_scaling.read_refreshes, api, reading.groups))]


def _references(api: Api, ami_ids: Iterable[str], options: UsageOptions) -> list[SourceRead]:
    if REFERENCES.check in options.skip:
        return []
    return [(REFERENCES, partial(image_references.read, api, tuple(ami_ids)))]


def _read(
    api: Api, versions: tuple[TemplateVersion, ...], reads: list[SourceRead], options: UsageOptions, pool: Executor
) -> UsageReading:
    report = read_sources(pool, reads)
    follow(api, report, versions, pool, templates=options.templates)
    return _reading(api, report)


def _reading(api: Api, report: UsageReport) -> UsageReading:
    uses, snapshots = uses_in(api.target, report)
    return UsageReading(uses, snapshots, _once(report.warnings), tuple(report.groups), tuple(report.versions))


def _once(warnings: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(warnings))
