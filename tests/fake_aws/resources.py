"""What an account holds, as plain dataclasses that a test may change at any time.

Every resource can have `extra` members, by boto3's names, which are added to its rendered form, and members to `omit`: tests
use them for responses that no documentation promises.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

Shape = dict[str, Any]

_order = itertools.count(1)

INSTANCE_STATES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}


@dataclass(kw_only=True)
class Resource:
    tags: dict[str, str] = field(default_factory=dict)
    created: datetime | None = None
    extra: Shape = field(default_factory=dict)
    omit: set[str] = field(default_factory=set)
    # Pages are ordered by this number, so a deletion between two pages moves no item.
    seq: int = field(default_factory=_order.__next__)

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        self.__dict__.pop("_rendered", None)

    def finish(self, shape: Shape) -> Shape:
        """The shape with the `extra` members and without the omitted ones."""
        return {key: value for key, value in (shape | self.extra).items() if key not in self.omit}

    def rendered(self, render: Callable[[Any], str]) -> str:
        """The XML of this resource, cached until an attribute or a tag changes.

        Other containers in cached resources are tuples of frozen parts, so only an assignment can change them.
        """
        if self.extra or self.omit:
            return render(self)
        tags = tuple(self.tags.items())
        kept: tuple[tuple[tuple[str, str], ...], str] | None = self.__dict__.get("_rendered")
        if kept is None or kept[0] != tags:
            kept = (tags, render(self))
            self.__dict__["_rendered"] = kept
        return kept[1]


@dataclass(frozen=True)
class BlockDevice:
    snapshot_id: str | None
    size: int | None = 8
    device: str = "/dev/xvda"


@dataclass(kw_only=True)
class Image(Resource):
    image_id: str
    name: str | None
    owner_id: str
    state: str = "available"
    block_devices: tuple[BlockDevice, ...] = ()
    public: bool = False
    shared_with: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()  # ARNs of organizations and organizational units
    deregistration_protection: str | None = None
    last_launched: datetime | None = None
    deprecated: datetime | None = None
    description: str | None = None
    owner_alias: str | None = None
    source_image: tuple[str, str] | None = None  # id and Region, of a copy
    changes: ClassVar[int] = 0  # of all AMIs, creation included

    def __setattr__(self, name: str, value: object) -> None:
        Image.changes += 1
        super().__setattr__(name, value)

    @property
    def snapshot_ids(self) -> list[str]:
        return [device.snapshot_id for device in self.block_devices if device.snapshot_id]


@dataclass(kw_only=True)
class Snapshot(Resource):
    snapshot_id: str
    owner_id: str
    description: str = ""
    size: int = 8
    started: datetime | None = None
    state: str = "completed"
    volume_id: str
    # The return code of a deletion together with the AMI, if not success: internal-error, client-error, …
    return_code: str | None = None
    # The error of DeleteSnapshot: (code, message).
    refusal: tuple[str, str] | None = None


@dataclass(kw_only=True)
class Instance(Resource):
    instance_id: str
    image_id: str
    state: str = "running"
    reservation_id: str
    managed: bool = False  # by an AWS service, and hidden by default


@dataclass(kw_only=True)
class TemplateVersion:
    number: int
    data: Shape
    created: datetime | None = None
    description: str | None = None


@dataclass(kw_only=True)
class LaunchTemplate(Resource):
    template_id: str
    name: str
    versions: dict[int, TemplateVersion]
    default: int = 1
    managed: bool = False

    @property
    def latest(self) -> int:
        return max(self.versions, default=0)


@dataclass(kw_only=True)
class LaunchConfiguration(Resource):
    name: str
    image_id: str
    block_devices: list[Shape] = field(default_factory=list)


@dataclass(kw_only=True)
class AutoScalingGroup(Resource):
    name: str
    launch_configuration: str | None = None
    launch_template: Shape | None = None
    mixed_instances_policy: Shape | None = None
    size: int = 0
    instances: list[Shape] = field(default_factory=list)


@dataclass(kw_only=True)
class InstanceRefresh(Resource):
    refresh_id: str
    group: str
    status: str = "InProgress"
    desired_configuration: Shape | None = None


@dataclass(kw_only=True)
class SpotFleet(Resource):
    fleet_id: str
    state: str = "active"
    launch_specifications: list[Shape] = field(default_factory=list)
    launch_template_configs: list[Shape] = field(default_factory=list)


@dataclass(kw_only=True)
class SpotRequest(Resource):
    request_id: str
    image_id: str
    state: str = "open"
    block_devices: list[Shape] = field(default_factory=list)


@dataclass(kw_only=True)
class Fleet(Resource):
    fleet_id: str
    state: str = "active"
    type: str = "maintain"
    launch_template_configs: list[Shape] = field(default_factory=list)


@dataclass(kw_only=True)
class ParameterVersion:
    value: str
    labels: set[str] = field(default_factory=set)


@dataclass(kw_only=True)
class Parameter(Resource):
    name: str
    arn: str
    versions: dict[int, ParameterVersion]
    shared_with: set[str] = field(default_factory=set)

    @property
    def latest(self) -> int:
        return max(self.versions)


@dataclass(kw_only=True)
class Recipe:
    """An Image Builder recipe."""

    resource_type: str  # imagebuilder:ImageRecipe or imagebuilder:ContainerRecipe
    arn: str
    image_id: str


@dataclass(kw_only=True)
class Entry(Resource):
    """A resource of a service in `services.py`, as boto3 shows it."""

    shape: Shape


@dataclass(kw_only=True)
class Recycled(Resource):
    """An AMI or a snapshot in the Recycle Bin."""

    resource: Image | Snapshot
    entered: datetime
    exits: datetime


RuleTags = dict[str, str | None]
"""Tag keys and values; None matches every value."""


@dataclass(kw_only=True)
class RetentionRule(Resource):
    """A Recycle Bin rule: tag-level with `match`, Region-level without."""

    rule_id: str
    resource_type: str  # EC2_IMAGE or EBS_SNAPSHOT
    days: int
    match: RuleTags = field(default_factory=dict)
    exclude: RuleTags = field(default_factory=dict)
    status: str = "available"

    def retains(self, tags: dict[str, str]) -> bool:
        """Whether a deleted resource with these tags is retained."""
        if self.status != "available" or has_any(tags, self.exclude):
            return False
        return not self.match or has_any(tags, self.match)


def has_any(tags: dict[str, str], wanted: RuleTags) -> bool:
    return any(key in tags and value in (None, tags[key]) for key, value in wanted.items())
