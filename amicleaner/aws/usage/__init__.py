"""Where an AMI can be in use: the registry of sources, and the three ways in which it is asked.

`read_usage` reads everything that can be read as a whole.  Instance refreshes (one group a call) and AWS's own references
(10 AMIs a call) cost calls that grow with the account, so they are asked only about what it comes down to.

A further source is one module with its `SOURCE`, a line in the registry, and its test; `--iam-policy`, `--skip-check` and
the documentation follow from the registry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from ...models import Use
from ..api import Api
from ..concurrency import run_concurrently
from . import (
    auto_scaling_groups,
    fleets,
    image_references,
    instance_refreshes,
    instances,
    launch_configurations,
    launch_templates,
    spot_fleets,
    spot_requests,
    ssm_parameters,
    template_versions,
)
from .source import AnySource, OnDemandSource, UsageSource, guarded
from .usage_report import ImageReference, TemplateVersion, UsageReport

__all__ = [
    "FOLLOWED",
    "ON_DEMAND",
    "SOURCES",
    "AnySource",
    "OnDemandSource",
    "UsageOptions",
    "UsageReading",
    "UsageSource",
    "merge_uses",
    "read_references",
    "read_refreshes",
    "read_template_snapshots",
    "read_usage",
]

SOURCES: tuple[UsageSource, ...] = (
    instances.SOURCE,
    launch_configurations.SOURCE,
    launch_templates.SOURCE,
    auto_scaling_groups.SOURCE,
    spot_fleets.SOURCE,
    spot_requests.SOURCE,
    fleets.SOURCE,
)
"""Read at each reading, in the order in which their errors and warnings are reported."""

ON_DEMAND: tuple[OnDemandSource, ...] = (instance_refreshes.SOURCE, image_references.SOURCE)
"""Asked about given groups or AMIs."""

FOLLOWED: tuple[AnySource, ...] = (ssm_parameters.SOURCE,)
"""Read where another source leads there."""

TEMPLATES = launch_templates.SOURCE
"""Pins and aliases are read under its check; its required calls are theirs."""

Uses = dict[str, tuple[Use, ...]]


@dataclass(frozen=True, slots=True)
class UsageOptions:
    """`skip` holds names of checks that are left out on the user's own word."""

    skip: frozenset[str] = frozenset()
    all_template_versions: bool = False


@dataclass(slots=True)
class UsageReading:
    """One reading of one account's Region.

    `uses` has each AMI's users, sorted; `snapshots` those that block devices of templates, launch configurations and fleets
    name; `groups` each Auto Scaling group's digest; `versions` the launch template versions, for pins that come later;
    `started` and `finished` are the monotonic clock's seconds.
    """

    uses: Uses
    snapshots: frozenset[str]
    groups: dict[str, str]
    versions: tuple[TemplateVersion, ...]
    warnings: tuple[str, ...]
    started: float
    finished: float


def read_usage(api: Api, options: UsageOptions, pool: Executor) -> UsageReading:
    """Reads every source that is not skipped, side by side in `pool`, in which the caller itself must not run.

    Raises `AwsError`: the error of the first source in the registry that has one.
    """
    started = api.clock.monotonic()
    found = UsageReport()
    sources = [source for source in SOURCES if source.check not in options.skip]
    for part in run_concurrently(pool, [partial(guarded, source, partial(source.read, api)) for source in sources]):
        found.add(part)
    if options.all_template_versions:
        for part in _all_versions(api, found.versions, pool):
            found.add(part)
    followed = _follow(api, found, found.versions, options, pool)
    return UsageReading(
        uses=_uses(api, followed.references),
        snapshots=frozenset(found.snapshots | followed.snapshots),
        groups=found.groups,
        versions=(*found.versions, *followed.versions),
        warnings=_once(found.warnings + followed.warnings),
        started=started,
        finished=api.clock.monotonic(),
    )


def read_refreshes(
    api: Api, reading: UsageReading, groups: Iterable[str], options: UsageOptions, pool: Executor
) -> tuple[Uses, tuple[str, ...]]:
    """What the instance refreshes of `groups` are on their way to, and warnings: a call a group.  Raises `AwsError`."""
    return _ask("groups", api, sorted(set(groups)), reading.versions, options, pool)


def read_references(api: Api, ami_ids: Sequence[str], options: UsageOptions, pool: Executor) -> tuple[Uses, tuple[str, ...]]:
    """What AWS itself says refers to `ami_ids`, and warnings: a call for every 10.  Raises `AwsError`."""
    return _ask("images", api, sorted(set(ami_ids)), (), options, pool)


def read_template_snapshots(
    api: Api, reading: UsageReading, options: UsageOptions, pool: Executor
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The snapshots that any version of the templates in `reading` names, and warnings: a call a template.  Raises
    `AwsError`."""
    found = UsageReport()
    if not options.all_template_versions:  # then the reading has them
        for part in _all_versions(api, reading.versions, pool):
            found.add(part)
    return frozenset(found.snapshots), _once(found.warnings)


def merge_uses(parts: Iterable[Mapping[str, Iterable[Use]]]) -> Uses:
    """Several answers as one: each AMI's users once and sorted.  Of one thing that two answers name (an instance, also as
    AWS's reference) only the fuller label stays."""
    users: dict[str, set[Use]] = defaultdict(set)
    for part in parts:
        for image, uses in part.items():
            users[image].update(uses)
    return {image: _fullest(uses) for image, uses in sorted(users.items()) if uses}


def _fullest(uses: set[Use]) -> tuple[Use, ...]:
    """Of labels that go on where another one ends, the longest."""
    kept: list[Use] = []
    for use in sorted(uses):
        if kept and use.label.startswith((f"{kept[-1].label} ", f"{kept[-1].label}, ")) and _thing(kept[-1]) == _thing(use):
            kept.pop()
        kept.append(use)
    return tuple(kept)


def _thing(use: Use) -> tuple[str, str, str, str]:
    return use.kind, use.id, use.account, use.region


def _all_versions(api: Api, versions: Iterable[TemplateVersion], pool: Executor) -> list[UsageReport]:
    """Every version of each of these versions' templates."""
    templates = sorted({version.template for version in versions})
    reads = [partial(launch_templates.read_all_versions, api, template) for template in templates]
    return run_concurrently(pool, [partial(guarded, TEMPLATES, read) for read in reads])


def _ask(
    of: str,
    api: Api,
    subjects: list[str],
    versions: Sequence[TemplateVersion],
    options: UsageOptions,
    pool: Executor,
) -> tuple[Uses, tuple[str, ...]]:
    found = UsageReport()
    for source in ON_DEMAND:
        if source.of != of or source.check in options.skip:
            continue
        batches = [subjects[start : start + source.at_once] for start in range(0, len(subjects), source.at_once)]
        calls = [partial(guarded, source, partial(source.ask, api, batch)) for batch in batches]
        # The first one alone: where the call is denied or does not exist, hundreds more would only find out the same.
        first = run_concurrently(pool, calls[:1])
        asked = first if any(part.unsupported for part in first) else first + run_concurrently(pool, calls[1:])
        for part in asked:
            found.add(part)
    followed = _follow(api, found, versions, options, pool)
    return _uses(api, followed.references), _once(found.warnings + followed.warnings)


def _follow(
    api: Api, found: UsageReport, versions: Sequence[TemplateVersion], options: UsageOptions, pool: Executor
) -> UsageReport:
    """The references of `found` with those behind pins and ssm_parameters.  Both belong to the check of the launch
    templates."""
    if TEMPLATES.check in options.skip:
        return UsageReport(
            references=[reference for reference in found.references if not ssm_parameters.is_parameter(reference)]
        )
    pinned = guarded(TEMPLATES, partial(template_versions.resolve, api, found.pins, versions, pool))
    references = [*found.references, *pinned.references]
    named = [reference for reference in references if ssm_parameters.is_parameter(reference)]
    resolved = guarded(ssm_parameters.SOURCE, partial(ssm_parameters.resolve, api, named, pool))
    pinned.references = [reference for reference in references if not ssm_parameters.is_parameter(reference)]
    pinned.add(resolved)
    return pinned


def _uses(api: Api, references: Iterable[ImageReference]) -> Uses:
    target = api.target
    return merge_uses(
        {reference.image: [Use(reference.user.kind, reference.user.id, target.account, target.region, reference.user.label)]}
        for reference in references
    )


def _once(warnings: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(warnings))
