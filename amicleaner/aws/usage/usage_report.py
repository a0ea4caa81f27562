"""What a source reports: which resource names which image, which launch template version, which snapshot; and what readers
share: listings whose things take a call each, and the two shapes in which groups, refreshes and fleets name images.

The shapes are a launch template specification, and a configuration (`LaunchTemplateSpecification` with `Overrides`), which a
mixed instances policy and both kinds of fleet have.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, Self

from ...errors import AwsError
from ...models import Use
from ..api import Api

GONE = frozenset({"ResourceNotFound", "ResourceNotFoundException"})


@dataclass(frozen=True, slots=True)
class TemplateVersionRef:
    """A launch template version that something names: `template` by id (or by name), `version` `$Latest`, `$Default` or a
    number."""

    template: str
    version: str
    use: Use
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A launch template version as `DescribeLaunchTemplateVersions` describes it.

    `image` is empty if the version names no image; `marks` are `default` and `latest`, as far as they are known.
    """

    template: str
    name: str
    number: int
    image: str
    snapshots: frozenset[str]
    marks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """For people: `launch template lt-… "web" version 3 (latest)`."""
        marks = f" ({', '.join(self.marks)})" if self.marks else ""
        return f'launch template {self.template} "{self.name}" version {self.number}{marks}'


@dataclass(slots=True)
class UsageReport:
    """What one source reports, or several added up.

    `images` are as AWS gave them: an AMI's id, or `resolve:ssm:…`, which is looked up later; `snapshots` are those in block
    devices.  `groups` are the names of the Auto Scaling groups, whose instance refreshes are read one by one.  `versions`
    are the launch template versions that were read; template version references are looked up among them.  `next_reads` are
    reads that this one found to be needed, such as those of the node groups of a cluster: they run side by side, after it.
    """

    images: list[tuple[str, Use]] = field(default_factory=list)
    snapshots: list[tuple[str, Use]] = field(default_factory=list)
    template_refs: list[TemplateVersionRef] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    versions: list[TemplateVersion] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    next_reads: list[Callable[[], "UsageReport"]] = field(default_factory=list)

    def add(self, other: Self) -> None:
        """Adds the report of another source."""
        self.images += other.images
        self.snapshots += other.snapshots
        self.template_refs += other.template_refs
        self.groups += other.groups
        self.versions += other.versions
        self.warnings += other.warnings

    def add_image(self, image: object, use: Use) -> None:
        """Notes that a resource names `image`; None and the empty string are ignored."""
        if image:
            self.images.append((str(image), use))

    def add_block_devices(self, devices: Iterable[dict[str, Any]] | None, use: Use) -> None:
        """Notes that a resource names the snapshots in its `BlockDeviceMappings`."""
        self.snapshots += [(snapshot, use) for snapshot in snapshots_of(devices)]

    def add_version(self, version: TemplateVersion, use: Use) -> None:
        """Notes that a resource names the image and the snapshots of a launch template version."""
        self.add_image(version.image, use)
        self.snapshots += [(snapshot, use) for snapshot in version.snapshots]


def snapshots_of(block_devices: Iterable[dict[str, Any]] | None) -> set[str]:
    """The snapshot ids in `BlockDeviceMappings` of a launch template, launch configuration or fleet."""
    found = set()
    for device in block_devices or ():
        ebs = device.get("Ebs")
        if isinstance(ebs, dict) and ebs.get("SnapshotId"):
            found.add(str(ebs["SnapshotId"]))
    return found


def use_of(api: Api, kind: str, id: str, label: str) -> Use:
    """A reference from a resource of the Region that is read."""
    return Use(kind, id, api.target.account, api.target.region, label)


def first_then_others(reads: list[Callable[[], UsageReport]]) -> UsageReport:
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
    ids = [str(api.filled(call, thing, name, what)) for thing in api.pages(call, **parameters)]
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
        raise api.malformed(action, f"{use.label} names a launch template without an id or a name")
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
        raise api.malformed(action, f"{use.label} has overrides but no launch template")
    add_specification(api, action, report, specification, use)
    for override in configuration.get("Overrides") or ():
        if not override:  # it would override nothing: at the least it names an instance type
            raise api.malformed(action, f"{use.label} has an empty override")
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
        raise api.malformed(action, f"{use.label} does not say what it launches from")
    add_specification(api, action, report, specification, use)
    if configuration is not None:
        add_configuration(api, action, report, configuration, use, whole=whole)
