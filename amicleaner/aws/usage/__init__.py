"""How the sources of references (`sources.py`) are read.

`read_usage` reads what can be listed for a whole Region.  `read_on_demand` reads the rest, once something would be deleted:
what takes a call per group or per ten AMIs, and services that few accounts use.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Self

from ...config import Config
from ...sources import IMAGE_REFERENCES, INSTANCE_REFRESHES, LAUNCH_TEMPLATES, SOURCES, UsageSource
from ...uses import Uses
from ..api import Api
from . import auto_scaling, image_references
from .reading import SourceRead, follow, read_all_versions, read_sources, uses_in
from .usage_report import TemplateVersion, UsageReport

Reader = Callable[[Api], UsageReport]


def _reader(name: str) -> Reader:
    module, _, function = name.partition(".")
    found: Reader = getattr(import_module(f".{module}", __package__), function)
    return found


READERS = {source: _reader(source.reader) for source in SOURCES if source.reader}
"""The functions that read the sources for a whole Region."""


@dataclass(frozen=True, slots=True)
class UsageOptions:
    """`skip` are the checks to leave out, `also` those to read on request."""

    skip: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    all_template_versions: bool = False

    @classmethod
    def of(cls, config: Config) -> Self:
        """Those of a run."""
        return cls(frozenset(config.skip_check), frozenset(config.also_check), config.all_launch_template_versions)

    @property
    def templates(self) -> bool:
        """Whether launch templates are read, and versions that others name are followed."""
        return LAUNCH_TEMPLATES.check not in self.skip


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


def sources(options: UsageOptions) -> list[UsageSource]:
    """The sources that a run with these options may read."""
    return [
        source
        for source in SOURCES
        if (source.check in options.also if source.on_request else source.check not in options.skip)
    ]


def read_usage(api: Api, options: UsageOptions, pool: Executor) -> UsageReading:
    """Reads every source of a whole Region that is not skipped, side by side in `pool`, in which the caller itself must not
    run.

    Raises `AwsError`: the error of the first source in the registry that has one.
    """
    report = read_sources(pool, _listed(api, options, "always"))
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
    reads = _references(api, ami_ids, options) + _listed(api, options, "late", "on request")
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


def _listed(api: Api, options: UsageOptions, *when: str) -> list[SourceRead]:
    chosen = [source for source in sources(options) if source in READERS and source.when in when]
    return [(source, partial(READERS[source], api)) for source in chosen]


def _refreshes(api: Api, reading: UsageReading, options: UsageOptions) -> list[SourceRead]:
    if INSTANCE_REFRESHES.check in options.skip:
        return []
    return [(INSTANCE_REFRESHES, partial(auto_scaling.read_refreshes, api, reading.groups))]


def _references(api: Api, ami_ids: Iterable[str], options: UsageOptions) -> list[SourceRead]:
    if IMAGE_REFERENCES.check in options.skip:
        return []
    return [(IMAGE_REFERENCES, partial(image_references.read, api, tuple(ami_ids)))]


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
