"""How the sources of references (`sources.py`) are read: side by side, round after round.  Then what they name is followed
to its AMIs.

`read_usage` reads what can be listed for a whole Region.  `read_on_demand` reads the rest, once something would be deleted:
what takes a call per ten AMIs, and services that few accounts use.

**It fails closed**: every error of AWS leaves here as an `AwsError` that says how to go on.  There are two exceptions.  A
Region that does not have the service holds no reference.  A call that the endpoint does not support (an emulator, mostly) is
a warning, unless the source is required or was asked for.
"""

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from ...config import Config
from ...errors import AwsError, CredentialsError, UnsupportedCallError
from ...models import Target
from ...sources import IMAGE_REFERENCES, INSTANCE_REFRESHES, LAUNCH_TEMPLATES, SOURCES, SSM_PARAMETERS, UsageSource
from ...uses import Uses, uses_of
from ..api import Api
from ..concurrency import run_concurrently
from ..error_mapping import DENIED, NO_SUCH_HOST
from . import auto_scaling, image_references, launch_templates, ssm_parameters
from .usage_report import Read, TemplateVersion, UsageReport

NO_SERVICE = frozenset({NO_SUCH_HOST, "OptInRequired", "SubscriptionRequiredException", "UnsupportedOperation"})
"""What is answered for a service that the Region does not have, or that the account never signed up for (common errors in
the API references of EC2 and others)."""

SourceRead = tuple[UsageSource, Read]
"""A source, and one of its reads."""


def _reader(name: str) -> Read:
    module, _, function = name.partition(".")
    found: Read = getattr(import_module(f".{module}", __package__), function)
    return found


READERS = {source: _reader(source.reader) for source in SOURCES if source.reader}
"""The functions that read the sources for a whole Region."""


@dataclass(frozen=True, slots=True)
class UsageReading:
    """What was read of one account's Region.

    `uses` are the references by AMI id, `snapshots` those by the snapshot that a block device of a launch template, launch
    configuration, fleet or Spot request names; both sorted.  `versions` are the launch template versions that were read:
    what is read on demand begins with them.
    """

    uses: Uses
    snapshots: Uses
    warnings: tuple[str, ...] = ()
    versions: tuple[TemplateVersion, ...] = ()


def sources(config: Config) -> list[UsageSource]:
    """The sources that a run may read."""
    return [
        source
        for source in SOURCES
        if (source.check in config.also_check if source.on_request else source.check not in config.skip_check)
    ]


def read_usage(api: Api, config: Config, pool: Executor) -> UsageReading:
    """Reads every source of a whole Region that is not skipped, side by side in `pool`, in which the caller itself must not
    run.  Then what the instance refreshes of its groups lead to: one call per group.

    Raises `AwsError`: the error of the first source in the registry that has one.
    """
    report = _read(api, pool, _listed(config, "always"))
    if config.all_launch_template_versions:
        report.add(_all_versions(api, report.versions, pool))
    _follow(report, report.versions, config, pool)
    refreshes = _read(api, pool, [(INSTANCE_REFRESHES, partial(auto_scaling.read_refreshes, report.groups))])
    _follow(refreshes, report.versions, config, pool)
    report.add(refreshes)
    return _reading(report)


def read_on_demand(
    api: Api, reading: UsageReading, ami_ids: Iterable[str], config: Config, pool: Executor, *, again: bool = False
) -> UsageReading:
    """Reads, side by side, all that is read only once something would be deleted: the references to `ami_ids` that AWS
    reports, and, unless that was done and it is only asked `again` about other AMIs, the services on demand and on request.

    Raises `AwsError`.
    """
    reads = [] if again else _listed(config, "late", "on request")
    if IMAGE_REFERENCES.check not in config.skip_check:
        reads.insert(0, (IMAGE_REFERENCES, partial(image_references.read, tuple(ami_ids))))
    report = _read(api, pool, reads)
    _follow(report, reading.versions, config, pool)
    return _reading(report)


def read_template_versions(api: Api, reading: UsageReading, config: Config, pool: Executor) -> UsageReading:
    """What any version of the templates in `reading` names: one call per template.  Raises `AwsError`."""
    known = config.all_launch_template_versions  # then the reading has them
    return _reading(UsageReport(api) if known else _all_versions(api, reading.versions, pool))


def _listed(config: Config, *when: str) -> list[SourceRead]:
    return [(source, READERS[source]) for source in sources(config) if source in READERS and source.when in when]


def _all_versions(api: Api, versions: Iterable[TemplateVersion], pool: Executor) -> UsageReport:
    """Every version of each of these versions' templates: one call per template."""
    templates = sorted({version.template for version in versions})
    return _read(api, pool, [(LAUNCH_TEMPLATES, partial(launch_templates.read_all_versions, id)) for id in templates])


def _read(api: Api, pool: Executor, reads: list[SourceRead]) -> UsageReport:
    """What all reads report, and all further reads that they ask for.

    Raises `AwsError`: the error of the first source, in the order of `reads`, that has one.
    """
    report = UsageReport(api)
    while reads:
        parts = run_concurrently(pool, [partial(guarded, source, api, read) for source, read in reads])
        for part in parts:
            report.add(part)
        reads = [(source, read) for (source, _), part in zip(reads, parts, strict=True) for read in part.next_reads]
    return report


def _follow(report: UsageReport, versions: Iterable[TemplateVersion], config: Config, pool: Executor) -> None:
    """Replaces, in `report`, launch template versions and SSM parameters by the images that they resolve to.

    `versions` are those that are known already.  Where the check of launch templates is skipped, no version is looked up.
    An SSM parameter always is.
    """
    if LAUNCH_TEMPLATES.check not in config.skip_check:
        resolve = partial(launch_templates.resolve, report.template_refs, versions, pool)
        report.add(guarded(LAUNCH_TEMPLATES, report.api, resolve))
    by_parameter = [named for named in report.images if named[0].startswith(ssm_parameters.SCHEME)]
    report.images = [named for named in report.images if not named[0].startswith(ssm_parameters.SCHEME)]
    report.add(guarded(SSM_PARAMETERS, report.api, partial(ssm_parameters.resolve, by_parameter, pool)))


def _reading(report: UsageReport) -> UsageReading:
    warnings = tuple(dict.fromkeys(report.warnings))
    return UsageReading(uses_of(report.images), uses_of(report.snapshots), warnings, tuple(report.versions))


def guarded(source: UsageSource, api: Api, read: Read) -> UsageReport:
    """What `read` reports.  Raises `AwsError`, with what helps in its hint."""
    report = UsageReport(api)
    try:
        read(report)
        return report
    except AwsError as error:
        # A role's credentials are renewed inside whichever call comes first; skipping a check is no help there.
        if isinstance(error, CredentialsError) or error.action.startswith("sts:"):
            raise
        no_service = error.code in NO_SERVICE and not error.exists and not source.required
        if no_service and source.reader:
            return UsageReport(api)
        # The resources behind any other source may exist without this call: SSM parameters, Auto Scaling groups.
        unsupported = no_service or isinstance(error, UnsupportedCallError)
        if unsupported and not (source.required or source.on_request):
            warning = f"This endpoint doesn't support {error.action}; references from {source.things} were not checked."
            return UsageReport(api, warnings=[warning])
        if unsupported or error.code in DENIED:
            error.hint = _hint(source, error)
        if unsupported:
            # Nobody else may take it for a call that can be left out.
            message = error.message or "the endpoint does not support this call"
            target = Target(error.account, error.region)
            raise AwsError(error.action, error.code, message, target, hint=error.hint) from error
        raise


def _hint(source: UsageSource, error: AwsError) -> str:
    """What helps where a call is denied or not supported."""
    hint = error.hint
    if hint.startswith("Grant ") and source.via:
        hint = f"{hint.rstrip('.')} and the actions behind it (see --iam-policy)."
    if source.check in ("", "instances"):  # which no message advises to skip
        return hint
    way = f"remove {source.check} from --also-check" if source.on_request else f"pass --skip-check {source.check}"
    skip = f"To proceed without it, {way}. AMIs used only by {source.things} will then NOT be protected."
    return f"{hint} {skip}".strip()
