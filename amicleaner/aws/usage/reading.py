"""How sources are read: side by side, round after round, and then what they name is followed to its AMIs.

**It fails closed**: every error of AWS leaves here as an `AwsError` that says how to go on.  There are two exceptions.  A
Region that does not have the service holds no reference.  A call that the endpoint does not support (an emulator, mostly) is
a warning, unless the source is required or was asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial

from ...errors import AwsError, CredentialsError, UnsupportedCallError
from ...models import Target, Use
from ...sources import LAUNCH_TEMPLATES, SSM_PARAMETERS, UsageSource
from ...uses import Uses, merge_uses
from ..api import Api
from ..concurrency import run_concurrently
from ..error_mapping import DENIED, NO_SUCH_HOST
from . import launch_templates, ssm_parameters, template_versions
from .usage_report import Referrer, TemplateVersion, UsageReport

NEVER_SKIPPED = frozenset({"instances"})
"""Checks that no message advises to skip."""

NO_SERVICE = frozenset({NO_SUCH_HOST, "OptInRequired", "SubscriptionRequiredException", "UnsupportedOperation"})
"""What is answered for a service that the Region does not have, or that the account never signed up for (common errors in
the API references of EC2 and others)."""

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
    reads = [(LAUNCH_TEMPLATES, partial(launch_templates.read_all_versions, api, id)) for id in templates]
    return read_sources(pool, reads)


def follow(api: Api, report: UsageReport, versions: Sequence[TemplateVersion], pool: Executor, *, templates: bool) -> None:
    """Replaces, in `report`, launch template versions and SSM parameters by the images that they resolve to.

    `versions` are those that are known already.  `templates` is false where the check of launch templates is skipped: then
    no version is looked up.  An SSM parameter always is.
    """
    if templates:
        report.add(guarded(LAUNCH_TEMPLATES, partial(template_versions.resolve, api, report.template_refs, versions, pool)))
    report.template_refs = []
    named = [reference for reference in report.references if ssm_parameters.is_parameter(reference)]
    report.references = [reference for reference in report.references if not ssm_parameters.is_parameter(reference)]
    report.add(guarded(SSM_PARAMETERS, partial(ssm_parameters.resolve, api, named, pool)))


def guarded(source: UsageSource, read: Callable[[], UsageReport]) -> UsageReport:
    """What `read` reports.  Raises `AwsError`, with what helps in its hint."""
    try:
        return read()
    except AwsError as error:
        # A role's credentials are renewed inside whichever call comes first; skipping a check is no help there.
        if isinstance(error, CredentialsError) or error.action.startswith("sts:"):
            raise
        no_service = error.code in NO_SERVICE and not error.exists and not source.required
        if no_service and source.reader:
            return UsageReport()
        # The resources behind any other source may exist without this call: SSM parameters, Auto Scaling groups.
        unsupported = no_service or isinstance(error, UnsupportedCallError)
        if unsupported and not (source.required or source.on_request):
            return UsageReport(
                warnings=[f"This endpoint doesn't support {error.action}; references from {source.things} were not checked."]
            )
        if unsupported or error.code in DENIED:
            error.hint = _hint(source, error)
        if unsupported:
            message = error.message or "the endpoint does not support this call"
            raise AwsError(
                error.action, error.code, message, account=error.account, region=error.region, hint=error.hint
            ) from error
        raise


def _hint(source: UsageSource, error: AwsError) -> str:
    """What helps where a call is denied or not supported."""
    hint = error.hint
    if hint.startswith("Grant ") and source.via:
        hint = f"{hint.rstrip('.')} and the actions behind it (see --iam-policy)."
    if not source.check or source.check in NEVER_SKIPPED:
        return hint
    way = f"remove {source.check} from --also-check" if source.on_request else f"pass --skip-check {source.check}"
    skip = f"To proceed without it, {way}. AMIs used only by {source.things} will then NOT be protected."
    return f"{hint} {skip}".strip()


def uses_in(target: Target, report: UsageReport) -> tuple[Uses, Uses]:
    """The references by AMI and by snapshot."""
    images = ({reference.image: [_use(target, reference.referrer)]} for reference in report.references)
    snapshots = ({reference.snapshot: [_use(target, reference.referrer)]} for reference in report.snapshots)
    return merge_uses(images), merge_uses(snapshots)


def _use(target: Target, referrer: Referrer) -> Use:
    return Use(referrer.kind, referrer.id, target.account, target.region, referrer.label)
