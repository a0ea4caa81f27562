"""The catalogue of references: every way in which something in an account can name an AMI or a snapshot.

Tests about references iterate over it, so a new kind of reference needs one entry here and no further list. The entries of a
source stand together, and the first of them is its plainest: no template version or parameter in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from amicleaner.checks import FURTHER_CHECKS
from tests.fake_aws import RegionState

Add = Callable[[RegionState, str], object]
"""Adds a reference to an AMI (or a snapshot), given by its id."""

UNOWNED = tuple(f"ami-{number:08x}" for number in range(3))
"""AMIs that nobody owns. References to them, added first, push a reference that matters to the last page."""


@dataclass(frozen=True, kw_only=True)
class ReferenceKind:
    """One way to name an AMI.

    `source` is the usage source that finds it, `check` its name for `--skip-check` or `--also-check`, `label` the start of the
    referrer's label. `calls` lead to it, the source's own first: it is found only if AWS answers each truthfully. With
    references to `UNOWNED` before it and one item per page, it is on page `pages` of that first call or on a later one.
    """

    name: str
    source: str
    check: str
    label: str
    calls: tuple[str, ...]
    add: Add
    pages: int = 3
    through: str = ""
    """The module that follows it: `template_versions` or `ssm_parameters`."""
    also_reported: bool = False
    """DescribeImageReferences reports it too, so that check is skipped where the source is tested alone."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Options without which it is no reference."""

    @property
    def call(self) -> str:
        return self.calls[0]

    @property
    def options(self) -> dict[str, Any]:
        """The options of a run in which this kind, and no other check, finds its reference."""
        options = dict(self.config)
        if self.also_reported:
            options["skip_check"] = ("image-references",)
        if self.check in FURTHER_CHECKS:
            options["also_check"] = (self.check,)
        return options


# --- what references are made of ------------------------------------------------------------------------------


def configs(override: Mapping[str, Any] | None = None, **specification: str) -> list[dict[str, Any]]:
    """A fleet's launch template configurations: a template's version, an override."""
    return [{"LaunchTemplateSpecification": specification or None, "Overrides": [override] if override else None}]


def mixed(override: Mapping[str, Any] | None = None, **specification: str) -> dict[str, Any]:
    """A mixed instances policy."""
    return {"LaunchTemplate": configs(override, **specification)[0]}


def add_template(region: RegionState, *images: str | None, **members: Any) -> None:
    """A launch template whose versions name these AMIs."""
    region.add_launch_template(versions=[{"ImageId": image} if image else {} for image in images], **members)


def pinned(region: RegionState, image: str) -> dict[str, Any]:
    """Version 2 of 3 of a new template, so neither the default nor the latest one."""
    template = region.add_launch_template(versions=[{}, {"ImageId": image}, {}])
    return {"LaunchTemplateId": template.template_id, "Version": "2"}


def pinned_by_name(region: RegionState, image: str) -> dict[str, Any]:
    template = region.add_launch_template(versions=[{}, {"ImageId": image}, {}])
    return {"LaunchTemplateName": template.name, "Version": "2"}


def alias(region: RegionState, image: str, form: str = "{name}", **members: Any) -> str:
    """`resolve:ssm:` with a new parameter that holds the AMI; `form` has its `{name}`, its `{plain}` name or its `{arn}`."""
    name = f"/golden/{len(region.parameters):03}"
    plain = name.rpartition("/")[2]
    parameter = region.add_parameter(plain if "{plain}" in form else name, image, **members)
    return "resolve:ssm:" + form.format(name=name, arn=parameter.arn, plain=plain)


def aliased(form: str, **members: Any) -> Add:
    return lambda region, image: add_template(region, alias(region, image, form, **members))


def add_refresh(region: RegionState, configuration: Mapping[str, Any], status: str = "InProgress") -> None:
    """A refresh of the one group that has them all, so that its calls have pages."""
    if "group" not in region.groups:
        region.add_group("group")
    region.add_refresh("group", dict(configuration), status)


def spot_fleet(state: str = "active") -> Add:
    return lambda region, image: region.add_spot_fleet(state, launch_specifications=[{"ImageId": image}])


def spot_request(state: str = "open") -> Add:
    return lambda region, image: region.add_spot_request(image, state)


def fleet(state: str = "active") -> Add:
    return lambda region, image: region.add_fleet(state, launch_template_configs=configs({"ImageId": image}))


def devices(snapshot: str) -> list[dict[str, Any]]:
    """Block devices, the second of which is made from the snapshot."""
    return [{"DeviceName": "/dev/xvda"}, {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": snapshot}}]


# --- the catalogue --------------------------------------------------------------------------------------------

VERSIONS = "DescribeLaunchTemplateVersions"
INSTANCE: dict[str, Any] = {
    "source": "instances", "check": "instances", "label": "instance i-", "calls": ("DescribeInstances",),
    "also_reported": True,
}  # fmt: skip
CONFIGURATION: dict[str, Any] = {
    "source": "launch-configurations", "check": "launch-configurations", "label": "launch configuration ",
    "calls": ("DescribeLaunchConfigurations",),
}  # fmt: skip
TEMPLATE: dict[str, Any] = {
    "source": "launch-templates", "check": "launch-templates", "label": "launch template lt-", "calls": (VERSIONS,)
}  # fmt: skip
GROUP: dict[str, Any] = {
    "source": "auto-scaling-groups", "check": "auto-scaling-groups", "label": "Auto Scaling group ",
    "calls": ("DescribeAutoScalingGroups",),
}  # fmt: skip
REFRESH: dict[str, Any] = {
    "source": "instance-refreshes", "check": "auto-scaling-groups", "label": "instance refresh ",
    "calls": ("DescribeInstanceRefreshes", "DescribeAutoScalingGroups"),
}  # fmt: skip
SPOT_FLEET: dict[str, Any] = {
    "source": "spot-fleets", "check": "spot", "label": "Spot Fleet sfr-", "calls": ("DescribeSpotFleetRequests",)
}  # fmt: skip
SPOT_REQUEST: dict[str, Any] = {
    "source": "spot-requests", "check": "spot", "label": "Spot request sir-", "calls": ("DescribeSpotInstanceRequests",)
}  # fmt: skip
FLEET: dict[str, Any] = {
    "source": "fleets", "check": "fleets", "label": "EC2 Fleet fleet-", "calls": ("DescribeFleets",)
}  # fmt: skip
REPORTED: dict[str, Any] = {
    "source": "image-references", "check": "image-references", "calls": ("DescribeImageReferences",), "pages": 1
}  # fmt: skip


def through_version(kind: Mapping[str, Any]) -> dict[str, Any]:
    """The same source, which names a template's version."""
    return {**kind, "calls": (*kind["calls"], VERSIONS), "through": "template_versions"}


def through_parameter(kind: Mapping[str, Any]) -> dict[str, Any]:
    """The same source, which names an SSM parameter."""
    return {**kind, "calls": (*kind["calls"], "GetParameters"), "through": "ssm_parameters", "also_reported": True}


KINDS = (
    ReferenceKind(name="instance", **INSTANCE, add=lambda r, i: r.add_instance(i)),
    ReferenceKind(name="stopped instance", **INSTANCE, add=lambda r, i: r.add_instance(i, "stopped")),
    ReferenceKind(name="managed instance", **INSTANCE, add=lambda r, i: r.add_instance(i, managed=True)),
    ReferenceKind(name="launch configuration", **CONFIGURATION, add=lambda r, i: r.add_launch_configuration(i)),
    ReferenceKind(name="launch template", **TEMPLATE, add=lambda r, i: add_template(r, i)),
    ReferenceKind(name="default version", **TEMPLATE, add=lambda r, i: add_template(r, i, None)),
    ReferenceKind(name="latest version", **TEMPLATE, add=lambda r, i: add_template(r, None, i)),
    ReferenceKind(name="managed launch template", **TEMPLATE, add=lambda r, i: add_template(r, i, managed=True)),
    ReferenceKind(
        name="every version",
        **TEMPLATE,
        add=lambda r, i: add_template(r, None, i, None),
        config={"all_launch_template_versions": True},
    ),
    ReferenceKind(name="parameter", **through_parameter(TEMPLATE), add=aliased("{name}")),
    ReferenceKind(name="parameter without a slash", **through_parameter(TEMPLATE), add=aliased("{plain}")),
    ReferenceKind(name="parameter's version", **through_parameter(TEMPLATE), add=aliased("{name}:1")),
    ReferenceKind(
        name="parameter's label", **through_parameter(TEMPLATE), add=aliased("{name}:stable", labels={"stable": 1})
    ),
    ReferenceKind(name="parameter by ARN", **through_parameter(TEMPLATE), add=aliased("{arn}")),
    ReferenceKind(name="parameter's version by ARN", **through_parameter(TEMPLATE), add=aliased("{arn}:1")),
    ReferenceKind(
        name="group's override",
        **GROUP,
        add=lambda r, i: r.add_group(mixed_instances_policy=mixed({"ImageId": i})),
    ),
    ReferenceKind(
        name="replaced root volume",
        **GROUP,
        add=lambda r, i: r.add_group(instances=[{"InstanceId": "i-1", "LifecycleState": "InService", "ImageId": i}]),
    ),
    ReferenceKind(
        name="group's template", **through_version(GROUP), add=lambda r, i: r.add_group(launch_template=pinned(r, i))
    ),
    ReferenceKind(
        name="group's template by name",
        **through_version(GROUP),
        add=lambda r, i: r.add_group(launch_template=pinned_by_name(r, i)),
    ),
    ReferenceKind(
        name="group's mixed instances policy",
        **through_version(GROUP),
        add=lambda r, i: r.add_group(mixed_instances_policy=mixed(**pinned(r, i))),
    ),
    ReferenceKind(
        name="group's override's template",
        **through_version(GROUP),
        add=lambda r, i: r.add_group(mixed_instances_policy=mixed({"LaunchTemplateSpecification": pinned(r, i)})),
    ),
    ReferenceKind(
        name="refresh's override",
        **REFRESH,
        add=lambda r, i: add_refresh(r, {"MixedInstancesPolicy": mixed({"ImageId": i})}),
    ),
    ReferenceKind(
        name="cancelling refresh",
        **REFRESH,
        add=lambda r, i: add_refresh(r, {"MixedInstancesPolicy": mixed({"ImageId": i})}, "Cancelling"),
    ),
    ReferenceKind(
        name="refresh's template",
        **through_version(REFRESH),
        add=lambda r, i: add_refresh(r, {"LaunchTemplate": pinned(r, i)}),
    ),
    ReferenceKind(name="Spot Fleet", **SPOT_FLEET, add=spot_fleet()),
    ReferenceKind(
        name="Spot Fleet's template",
        **through_version(SPOT_FLEET),
        add=lambda r, i: r.add_spot_fleet(launch_template_configs=configs(**pinned(r, i))),
    ),
    ReferenceKind(name="Spot request", **SPOT_REQUEST, add=spot_request()),
    ReferenceKind(name="fleet's override", **FLEET, add=fleet()),
    ReferenceKind(
        name="fleet's template",
        **through_version(FLEET),
        add=lambda r, i: r.add_fleet(launch_template_configs=configs(**pinned(r, i))),
    ),
    ReferenceKind(
        name="fleet's parameter",
        **through_parameter(FLEET),
        add=lambda r, i: r.add_fleet(launch_template_configs=configs({"ImageId": alias(r, i)})),
    ),
    ReferenceKind(
        name="SSM parameter", **REPORTED, label="SSM parameter ", add=lambda r, i: r.add_parameter(f"/last/{i}", i)
    ),
    ReferenceKind(name="image recipe", **REPORTED, label="Image Builder image recipe ", add=lambda r, i: r.add_recipe(i)),
    ReferenceKind(
        name="container recipe",
        **REPORTED,
        label="Image Builder container recipe ",
        add=lambda r, i: r.add_recipe(i, container=True),
    ),
)

SNAPSHOT_KINDS = (
    ReferenceKind(
        name="launch configuration's block device",
        **CONFIGURATION,
        add=lambda r, s: r.add_launch_configuration("ami-22222222", block_devices=devices(s)),
    ),
    ReferenceKind(
        name="launch template's block device",
        **TEMPLATE,
        add=lambda r, s: r.add_launch_template(versions=[{"BlockDeviceMappings": devices(s)}]),
    ),
    ReferenceKind(
        name="Spot Fleet's block device",
        **SPOT_FLEET,
        add=lambda r, s: r.add_spot_fleet(
            launch_specifications=[{"ImageId": "ami-22222222", "BlockDeviceMappings": devices(s)}]
        ),
    ),
    ReferenceKind(
        name="Spot request's block device",
        **SPOT_REQUEST,
        add=lambda r, s: r.add_spot_request("ami-22222222", block_devices=devices(s)),
    ),
    ReferenceKind(
        name="fleet's block device",
        **FLEET,
        add=lambda r, s: r.add_fleet(launch_template_configs=configs({"BlockDeviceMappings": devices(s)})),
    ),
)
"""What names a snapshot in a block device: `add` takes the snapshot's id."""

ENDED: Mapping[str, Add] = {
    "terminated instance": lambda r, i: r.add_instance(i, "terminated"),
    "template's version that nothing names": lambda r, i: add_template(r, None, i, None),
    "completed refresh": lambda r, i: add_refresh(r, {"MixedInstancesPolicy": mixed({"ImageId": i})}, "Successful"),
    **{
        f"{state} Spot Fleet": spot_fleet(state)
        for state in ("cancelled", "failed", "cancelled_running", "cancelled_terminating")
    },
    **{f"{state} fleet": fleet(state) for state in ("deleted", "failed", "deleted_running", "deleted_terminating")},
    **{f"{state} Spot request": spot_request(state) for state in ("cancelled", "failed", "closed")},
}
"""What names an AMI and will never launch it again: no reference."""


@dataclass(frozen=True)
class Dangling:
    """A reference that leads nowhere. `warning` is a part of the warning about it."""

    name: str
    add: Callable[[RegionState], object]
    warning: str


DANGLING = (
    Dangling(
        "deleted template version",
        lambda r: r.add_group(launch_template={"LaunchTemplateId": r.add_launch_template().template_id, "Version": "7"}),
        "version 7",
    ),
    Dangling(
        "deleted template",
        lambda r: r.add_group(launch_template={"LaunchTemplateId": "lt-00000000000000000", "Version": "1"}),
        "lt-00000000000000000",
    ),
    Dangling("deleted parameter", lambda r: add_template(r, "resolve:ssm:/lost"), "/lost"),
    Dangling(
        "parameter's version that does not exist",
        lambda r: add_template(r, alias(r, "ami-00000001", "{name}:9")),
        ":9",
    ),
)


def plainest(kinds: Iterable[ReferenceKind] = KINDS) -> dict[str, ReferenceKind]:
    """The first entry of each source, by the source's name."""
    found: dict[str, ReferenceKind] = {}
    for kind in kinds:
        found.setdefault(kind.source, kind)
    return found


def add_all(region: RegionState, image: str, *, times: int = 1) -> None:
    """Name the AMI in every way that needs no option, so that every call about references finds something."""
    for kind in KINDS:
        if not kind.config:
            for _ in range(times):
                kind.add(region, image)
