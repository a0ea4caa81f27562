"""One Region of one account, with a builder per kind of resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from .resources import (
    AutoScalingGroup,
    BlockDevice,
    Entry,
    Fleet,
    Image,
    Instance,
    InstanceRefresh,
    LaunchConfiguration,
    LaunchTemplate,
    Parameter,
    ParameterVersion,
    Recipe,
    Recycled,
    Resource,
    RetentionRule,
    RuleTags,
    Shape,
    Snapshot,
    SpotFleet,
    SpotRequest,
    TemplateVersion,
)

if TYPE_CHECKING:
    from .world import World

R = TypeVar("R", bound=Resource)

PLAIN = "plain"
"""The name of a launch template or configuration that exists only because AWS requires one."""

DEVICES = ("/dev/xvda", *(f"/dev/sd{letter}" for letter in "fghijklmnop"))


class RegionState:
    def __init__(self, world: World, account_id: str, name: str) -> None:
        self.world = world
        self.account_id = account_id
        self.name = name
        self.images: dict[str, Image] = {}
        self.deregistered: set[str] = set()
        self.snapshots: dict[str, Snapshot] = {}
        self.instances: dict[str, Instance] = {}
        self.launch_templates: dict[str, LaunchTemplate] = {}
        self.launch_configurations: dict[str, LaunchConfiguration] = {}
        self.groups: dict[str, AutoScalingGroup] = {}
        self.refreshes: dict[str, InstanceRefresh] = {}
        self.spot_fleets: dict[str, SpotFleet] = {}
        self.spot_requests: dict[str, SpotRequest] = {}
        self.fleets: dict[str, Fleet] = {}
        self.parameters: dict[str, Parameter] = {}
        self.recipes: list[Recipe] = []
        self.entries: dict[str, list[Entry]] = {}  # of other services, by the kinds of `services.py`
        self.recycled_images: dict[str, Recycled] = {}
        self.recycled_snapshots: dict[str, Recycled] = {}
        self.retention_rules: dict[str, RetentionRule] = {}
        self.recovering: dict[str, datetime] = {}  # restored snapshots, and when they will be completed
        self._users: dict[str, list[Image]] = {}
        self._indexed = -1
        self._index_size = 0

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.name}:{self.account_id}:{resource}"

    def add_image(
        self,
        name: str | None = None,
        *,
        image_id: str | None = None,
        created: datetime | None = None,
        snapshots: Sequence[int | str] = (8,),
        tags: Mapping[str, str] | None = None,
        **members: Any,
    ) -> Image:
        """Add an AMI of this account; `snapshots` are sizes of new snapshots in GiB, or ids of existing ones."""
        with self.world.lock:
            image_id = image_id or self.world.new_id("ami")
            created = created or self.world.clock()
            devices = []
            for device, entry in zip(DEVICES, snapshots, strict=False):
                known = self.snapshots.get(str(entry))
                if isinstance(entry, int):
                    description = f"Created by CreateImage(i-00000000000000000) for {image_id}"
                    known = self.add_snapshot(description, size=entry, started=created)
                snapshot_id = known.snapshot_id if known else str(entry)
                devices.append(BlockDevice(snapshot_id, known.size if known else 8, device))
            members.setdefault("owner_id", self.account_id)
            members.setdefault("block_devices", tuple(devices))
            image = Image(
                image_id=image_id,
                name=name if name is not None else f"image-{image_id[-6:]}",
                created=created,
                tags=dict(tags or {}),
                **members,
            )
            self.images[image_id] = image
            return image

    def add_snapshot(
        self,
        description: str = "",
        *,
        snapshot_id: str | None = None,
        size: int = 8,
        started: datetime | None = None,
        state: str = "completed",
        tags: Mapping[str, str] | None = None,
        **members: Any,
    ) -> Snapshot:
        with self.world.lock:
            snapshot_id = snapshot_id or self.world.new_id("snap")
            copied = description.startswith("Copied for ")
            members.setdefault("owner_id", self.account_id)
            members.setdefault("volume_id", "vol-ffffffff" if copied else snapshot_id.replace("snap-", "vol-"))
            snapshot = Snapshot(
                snapshot_id=snapshot_id,
                description=description,
                size=size,
                started=started or self.world.clock(),
                state=state,
                tags=dict(tags or {}),
                **members,
            )
            self.snapshots[snapshot.snapshot_id] = snapshot
            return snapshot

    def _add(self, known: dict[str, R], make: Callable[..., R], key: str, prefix: str, **members: Any) -> R:
        """Add a resource under its `key`, a new id unless it is given."""
        with self.world.lock:
            members[key] = members.get(key) or self.world.new_id(prefix)
            known[members[key]] = made = make(**{"created": self.world.clock(), **members})
            return made

    def add_instance(self, image_id: str, state: str = "running", **members: Any) -> Instance:
        members.setdefault("reservation_id", self.world.new_id("r"))
        return self._add(self.instances, Instance, "instance_id", "i", image_id=image_id, state=state, **members)

    def add_launch_template(
        self, name: str | None = None, versions: Sequence[Shape] = (), default: int = 1, **members: Any
    ) -> LaunchTemplate:
        """`versions` are the data of version 1, 2, … by boto3's names: `[{"ImageId": "ami-…"}]`."""
        members["versions"] = {
            number: TemplateVersion(number=number, data=dict(data), created=self.world.clock())
            for number, data in enumerate(versions or [{}], 1)
        }
        template = self._add(
            self.launch_templates, LaunchTemplate, "template_id", "lt", name=name or "", default=default, **members
        )
        template.name = name or f"template-{template.template_id[-6:]}"
        return template

    def add_launch_configuration(self, image_id: str, name: str | None = None, **members: Any) -> LaunchConfiguration:
        known = self.launch_configurations
        return self._add(known, LaunchConfiguration, "name", "lc", name=name, image_id=image_id, **members)

    def add_group(self, name: str | None = None, **members: Any) -> AutoScalingGroup:
        """Give `launch_configuration="name"`, `launch_template={…}` or `mixed_instances_policy={…}`."""
        policy = members.get("mixed_instances_policy")
        if policy:
            whole = {"LaunchTemplate": self._whole(policy.get("LaunchTemplate", {}))}
            members["mixed_instances_policy"] = policy | whole
        elif not members.get("launch_template"):
            members["launch_configuration"] = members.get("launch_configuration") or PLAIN
        return self._add(self.groups, AutoScalingGroup, "name", "asg", name=name, **members)

    def add_refresh(
        self, group: str, desired_configuration: Shape | None = None, status: str = "InProgress", **members: Any
    ) -> InstanceRefresh:
        members |= {"group": group, "status": status, "desired_configuration": desired_configuration}
        return self._add(self.refreshes, InstanceRefresh, "refresh_id", "refresh", **members)

    def _whole(self, configuration: Shape) -> Shape:
        """With a launch template, which AWS requires of a policy or a fleet: one that names no image."""
        if configuration.get("LaunchTemplateSpecification") is not None:
            return configuration
        known = [template for template in self.launch_templates.values() if template.name == PLAIN]
        template = known[0] if known else self.add_launch_template(PLAIN)
        return configuration | {"LaunchTemplateSpecification": {"LaunchTemplateId": template.template_id}}

    def _complete(self, members: Shape, *, needs: bool) -> None:
        configs = members.get("launch_template_configs") or ([{}] if needs else [])
        members["launch_template_configs"] = [self._whole(config) for config in configs]

    def add_spot_fleet(self, state: str = "active", **members: Any) -> SpotFleet:
        """Give `launch_specifications=[{"ImageId": …}]` or `launch_template_configs=[…]`."""
        self._complete(members, needs=not members.get("launch_specifications"))
        return self._add(self.spot_fleets, SpotFleet, "fleet_id", "sfr", state=state, **members)

    def add_spot_request(self, image_id: str, state: str = "open", **members: Any) -> SpotRequest:
        return self._add(self.spot_requests, SpotRequest, "request_id", "sir", image_id=image_id, state=state, **members)

    def add_fleet(self, state: str = "active", **members: Any) -> Fleet:
        """Give `launch_template_configs`, a list of `LaunchTemplateSpecification` and `Overrides`."""
        self._complete(members, needs=True)
        return self._add(self.fleets, Fleet, "fleet_id", "fleet", state=state, **members)

    def add_parameter(
        self,
        name: str,
        value: str,
        *,
        history: Sequence[str] = (),
        labels: Mapping[str, int] | None = None,
        **members: Any,
    ) -> Parameter:
        """`history` holds the values of earlier versions, `labels` the version of each label."""
        with self.world.lock:
            versions = {number: ParameterVersion(value=entry) for number, entry in enumerate((*history, value), 1)}
            for label, number in (labels or {}).items():
                versions[number].labels.add(label)
            members.setdefault("created", self.world.clock())
            parameter = Parameter(
                name=name,
                arn=self.arn("ssm", "parameter/" + name.removeprefix("/")),
                versions=versions,
                **members,
            )
            self.parameters[name] = parameter
            return parameter

    def add_recipe(self, image_id: str, name: str = "recipe", *, container: bool = False) -> Recipe:
        kind, path = ("ContainerRecipe", "container-recipe") if container else ("ImageRecipe", "image-recipe")
        recipe = Recipe(
            resource_type=f"imagebuilder:{kind}",
            arn=self.arn("imagebuilder", f"{path}/{name}/1.0.0"),
            image_id=image_id,
        )
        self.recipes.append(recipe)
        return recipe

    def add_entry(self, kind: str, shape: Shape, **members: Any) -> Entry:
        """Add a resource of a service in `services.py`, as boto3 shows it."""
        with self.world.lock:
            entry = Entry(shape=shape, **members)
            self.entries.setdefault(kind, []).append(entry)
            return entry

    def add_retention_rule(
        self,
        resource_type: str = "EC2_IMAGE",
        days: int = 7,
        *,
        match: RuleTags | None = None,
        exclude: RuleTags | None = None,
        **members: Any,
    ) -> RetentionRule:
        """Add a Recycle Bin rule for AMIs, or with `EBS_SNAPSHOT` for snapshots."""
        with self.world.lock:
            rule = RetentionRule(
                rule_id=f"rule{len(self.retention_rules) + 1:07}",
                resource_type=resource_type,
                days=days,
                match=match or {},
                exclude=exclude or {},
                **members,
            )
            self.retention_rules[rule.rule_id] = rule
            return rule

    def retain(self, resource: Image | Snapshot) -> None:
        """Move a deleted resource into the Recycle Bin if a rule matches; the longest one counts."""
        kind = "EC2_IMAGE" if isinstance(resource, Image) else "EBS_SNAPSHOT"
        rules = self.retention_rules.values()
        days = [rule.days for rule in rules if rule.resource_type == kind and rule.retains(resource.tags)]
        if days:
            self.recycle(resource, max(days))

    def recycle(self, resource: Image | Snapshot | str, days: int = 7) -> Recycled:
        """Put an AMI or a snapshot into the Recycle Bin; an id is enough."""
        with self.world.lock:
            now = self.world.clock()
            if isinstance(resource, str) and resource.startswith("ami-"):
                resource = Image(image_id=resource, name=None, owner_id=self.account_id, created=now)
            elif isinstance(resource, str):
                resource = Snapshot(snapshot_id=resource, owner_id=self.account_id, volume_id="vol-ffffffff", started=now)
            entry = Recycled(resource=resource, entered=now, exits=now + timedelta(days=days))
            if isinstance(resource, Image):
                self.recycled_images[resource.image_id] = entry
            else:
                self.recycled_snapshots[resource.snapshot_id] = entry
            return entry

    def pass_time(self) -> None:
        """Remove expired entries from the Recycle Bin, and complete restored snapshots."""
        now = self.world.clock()
        for recycled in (self.recycled_images, self.recycled_snapshots):
            for resource_id in [key for key, entry in recycled.items() if entry.exits <= now]:
                del recycled[resource_id]
        for snapshot_id in [key for key, at in self.recovering.items() if at <= now]:
            del self.recovering[snapshot_id]
            if snapshot_id in self.snapshots:
                self.snapshots[snapshot_id].state = "completed"

    def users_of(self, snapshot_id: str) -> list[Image]:
        """The AMIs, disabled ones included, that use a snapshot.

        They come from an index, which is rebuilt once any AMI was added or changed; deleted AMIs are filtered out here. So
        a benchmark that deletes thousands of AMIs does not search all of them for each one.
        """
        if self._indexed != Image.changes or len(self.images) > self._index_size:
            self._indexed = Image.changes
            self._users = {}
            for image in self.images.values():
                for held in image.snapshot_ids:
                    self._users.setdefault(held, []).append(image)
        self._index_size = len(self.images)
        return [
            image
            for image in self._users.get(snapshot_id, ())
            if self.images.get(image.image_id) is image and snapshot_id in image.snapshot_ids
        ]
