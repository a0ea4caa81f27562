"""What a source reports: which resource names which image, which launch template version, which snapshot."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from ...models import Use


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
