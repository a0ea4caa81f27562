"""What a source reports: which resource names which image, which launch template version, which snapshot.

Groups, refreshes and fleets name images in two shapes: a launch template specification, and a configuration
(`LaunchTemplateSpecification` with `Overrides`), which a mixed instances policy and both kinds of fleet have.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, NamedTuple, Self

from ...errors import AwsError
from ...models import Use
from ..api import Api

GONE = frozenset({"ResourceNotFound", "ResourceNotFoundException"})

Read = Callable[["UsageReport"], None]
"""One read of a source: makes its calls through a report, its last argument, and notes there what they tell."""


class Template(NamedTuple):
    """How a call names a launch template: by its id where that is known."""

    key: str
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class TemplateVersionRef:
    """A launch template version that something names; `version` is `$Latest`, `$Default` or a number."""

    template: Template
    version: str
    use: Use


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
    """What one source reports, or several added up, and the calls to the Region that is read (`api`).

    `images` are as AWS gave them: an AMI's id, or `resolve:ssm:…`, which is looked up later; `snapshots` are those in block
    devices.  `groups` are the names of the Auto Scaling groups, whose instance refreshes are read one by one.  `versions`
    are the launch template versions that were read; template version references are looked up among them.  `next_reads` are
    reads that this one found to be needed, such as those of the node groups of a cluster: they run side by side, after it.
    """

    api: Api
    images: list[tuple[str, Use]] = field(default_factory=list)
    snapshots: list[tuple[str, Use]] = field(default_factory=list)
    template_refs: list[TemplateVersionRef] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    versions: list[TemplateVersion] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    next_reads: list[Read] = field(default_factory=list)

    def add(self, other: Self) -> None:
        """Adds the report of another source."""
        self.images += other.images
        self.snapshots += other.snapshots
        self.template_refs += other.template_refs
        self.groups += other.groups
        self.versions += other.versions
        self.warnings += other.warnings

    def use(self, kind: str, id: str, label: str) -> Use:
        """A reference from a resource of the Region."""
        return Use(kind, id, self.api.target.account, self.api.target.region, label)

    def read_each(
        self, call: str, name: str, what: str, read: Callable[[str, "UsageReport"], None], **parameters: Any
    ) -> None:
        """A listing whose things take further calls: `read` gets the member `name` of each of them, side by side."""
        ids = [str(self.api.filled(call, thing, name, what)) for thing in self.api.pages(call, **parameters)]
        self.next_reads += [partial(read, id) for id in ids]

    def first_then_others(self, reads: list[Read]) -> None:
        """The first read is made alone: where it is denied or the call does not exist, hundreds more would only find out the
        same.  The others run side by side, after it."""
        for read in reads[:1]:
            read(self)
        self.next_reads += reads[1:]

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

    def add_specification(self, call: str, specification: dict[str, Any] | None, use: Use) -> None:
        """Notes the launch template version; without a version it is the default one (API references of Auto Scaling's and
        Batch's `LaunchTemplateSpecification`).  A specification that names no template is a malformed response."""
        if specification is None:
            return
        id, name = specification.get("LaunchTemplateId"), specification.get("LaunchTemplateName")
        if not id and not name:
            raise self.api.malformed(call, f"{use.label} names a launch template without an id or a name")
        version = str(specification.get("Version") or "$Default")
        self.template_refs.append(TemplateVersionRef(Template(str(id or name), not id), version, use))

    def add_configuration(self, call: str, configuration: dict[str, Any], use: Use, *, whole: bool = True) -> None:
        """Notes the launch template, and in each override a launch template, an image or snapshots of its own.

        `whole`: neither a fleet nor a policy can be made without a launch template (API references), so one without is a
        malformed response; a desired configuration may leave out what does not change.
        """
        specification = configuration.get("LaunchTemplateSpecification")
        if whole and specification is None:
            raise self.api.malformed(call, f"{use.label} has overrides but no launch template")
        self.add_specification(call, specification, use)
        for override in configuration.get("Overrides") or ():
            if not override:  # it would override nothing: at the least it names an instance type
                raise self.api.malformed(call, f"{use.label} has an empty override")
            self.add_specification(call, override.get("LaunchTemplateSpecification"), use)
            self.add_image(override.get("ImageId"), use.through("override"))
            self.add_block_devices(override.get("BlockDeviceMappings"), use.through("override"))

    def add_group(self, call: str, description: dict[str, Any], use: Use, *, whole: bool = True) -> None:
        """Notes a template or a mixed instances policy: what a group launches from (`whole`), or will after a refresh."""
        specification = description.get("LaunchTemplate")
        configuration = (description.get("MixedInstancesPolicy") or {}).get("LaunchTemplate")
        if whole and specification is None and configuration is None and not description.get("LaunchConfigurationName"):
            # No group can be made without one of the three.
            raise self.api.malformed(call, f"{use.label} does not say what it launches from")
        self.add_specification(call, specification, use)
        if configuration is not None:
            self.add_configuration(call, configuration, use, whole=whole)


def snapshots_of(block_devices: Iterable[dict[str, Any]] | None) -> set[str]:
    """The snapshot ids in `BlockDeviceMappings` of a launch template, launch configuration or fleet."""
    found = set()
    for device in block_devices or ():
        ebs = device.get("Ebs")
        if isinstance(ebs, dict) and ebs.get("SnapshotId"):
            found.add(str(ebs["SnapshotId"]))
    return found


def unless_gone(read: Callable[..., None]) -> Callable[..., None]:
    """A reader of one thing, which may have been deleted since it was listed: then it launches nothing."""

    @wraps(read)
    def read_if_there(*arguments: Any) -> None:
        try:
            read(*arguments)
        except AwsError as error:
            if error.code not in GONE:
                raise

    return read_if_there
