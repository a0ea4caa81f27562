"""What a source of use reports: who names which image, which launch template version, which snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ...models import UseKind


@dataclass(frozen=True, slots=True, order=True)
class Referrer:
    """The thing that uses something.  `label` is for people: `instance i-… (stopped)`."""

    kind: UseKind
    id: str
    label: str

    def through(self, step: str) -> Referrer:
        """The same user, with the step in between said: `Auto Scaling group "web", launch template lt-… version 3`."""
        return Referrer(self.kind, self.id, f"{self.label}, {step}")


@dataclass(frozen=True, slots=True)
class ImageReference:
    """`image` as AWS gave it: an AMI's id, or `resolve:ssm:…`, which is looked up later."""

    image: str
    user: Referrer


@dataclass(frozen=True, slots=True)
class TemplateVersionRef:
    """A launch template version that something names: `template` by id (or by name), `version` `$Latest`, `$Default` or a
    number."""

    template: str
    version: str
    user: Referrer
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A launch template version as `DescribeLaunchTemplateVersions` tells it.

    `image` is empty where the version names none; `marks` are `default` and `latest`, as far as they are known.
    """

    template: str
    name: str
    number: int
    image: str
    snapshots: frozenset[str]
    marks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        marks = f" ({', '.join(self.marks)})" if self.marks else ""
        return f'launch template {self.template} "{self.name}" version {self.number}{marks}'


@dataclass(slots=True)
class UsageReport:
    """The answer of one source, or of several added up.  `snapshots` are those that block devices of templates, launch
    configurations and fleets name (an orphan must not be one of them); `groups` are the Auto Scaling groups, name to a
    digest that changes when the group does (instance refreshes are asked of them); `versions` are the launch template
    versions that were read (pins are looked up among them).  `unsupported`: the endpoint does not have the call."""

    references: list[ImageReference] = field(default_factory=list)
    pins: list[TemplateVersionRef] = field(default_factory=list)
    snapshots: set[str] = field(default_factory=set)
    groups: dict[str, str] = field(default_factory=dict)
    versions: list[TemplateVersion] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unsupported: bool = False

    def add(self, other: UsageReport) -> None:
        """Adds another source's findings to these."""
        self.references += other.references
        self.pins += other.pins
        self.snapshots |= other.snapshots
        self.groups |= other.groups
        self.versions += other.versions
        self.warnings += other.warnings

    def reference(self, image: object, user: Referrer) -> None:
        """Notes that `user` names `image`; None and the empty text are no image."""
        if image:
            self.references.append(ImageReference(str(image), user))


def snapshots_of(block_devices: Iterable[dict[str, Any]] | None) -> set[str]:
    """The snapshot ids in `BlockDeviceMappings` of a launch template, launch configuration or fleet."""
    found = set()
    for device in block_devices or ():
        ebs = device.get("Ebs")
        if isinstance(ebs, dict) and ebs.get("SnapshotId"):
            found.add(str(ebs["SnapshotId"]))
    return found
