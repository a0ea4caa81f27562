"""Worlds for a fake AWS that runs as a process of its own: from a JSON file, or of a given size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .region import RegionState
from .resources import Shape
from .world import World

DATES = {"created", "started", "launched", "last_launched", "deprecated", "modified"}


def from_json(document: Mapping[str, Any], world: World) -> World:
    """`{"accounts": {ID: {REGION: {"image": [{arguments of add_image}], "snapshot": […], …}}}}`.

    A list under `x` is given entry by entry to the builder `add_x`, in the order of the document.
    """
    for account_id, regions in document.get("accounts", {}).items():
        for name, kinds in regions.items():
            region = world.region(name, account_id)
            for kind, entries in kinds.items():
                build = getattr(region, f"add_{kind}")
                for entry in entries:
                    build(**{key: _value(key, value) for key, value in entry.items()})
    return world


def _value(key: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if key in DATES and isinstance(value, str) else value


@dataclass(frozen=True)
class Size:
    images: int = 1000
    snapshots_each: int = 2
    instances: int = 300
    templates: int = 40
    launch_configurations: int = 20
    groups: int = 30
    roles: int = 25  # groups of AMIs, by the tag "role"


def fill(region: RegionState, size: Size) -> None:
    """AMIs a day apart in a few roles and two environments, the newest of each in use all over the place."""
    now = region.world.clock()
    newest: list[str] = []
    for number in range(size.images):
        tags = {
            "environment": "prod" if number % 2 else "dev",
            "role": f"role-{number // 2 % size.roles:03d}",
        }
        image = region.add_image(
            f"{tags['role']}-{tags['environment']}-{number:06d}",
            created=now - timedelta(days=number + 1),
            tags=tags,
            snapshots=[8 + number % 92] * size.snapshots_each,
        )
        if number < 2 * size.roles:
            newest.append(image.image_id)
    if not newest:
        return
    for number in range(size.instances):
        region.add_instance(newest[number % len(newest)], tags={"Name": f"instance-{number}"})
    templates = [
        region.add_launch_template(
            f"template-{number}",
            [_template(newest[number % len(newest)]), _template(newest[(number + 1) % len(newest)])],
            default=2,
        )
        for number in range(size.templates)
    ]
    configurations = [
        region.add_launch_configuration(newest[number % len(newest)], f"configuration-{number}")
        for number in range(size.launch_configurations)
    ]
    for number in range(size.groups):
        if templates and (number % 2 or not configurations):
            template = templates[number % len(templates)]
            specification = {
                "LaunchTemplateId": template.template_id,
                "Version": "1" if number % 4 else "$Latest",
            }
            region.add_group(f"group-{number}", launch_template=specification)
        elif configurations:
            name = configurations[number % len(configurations)].name
            region.add_group(f"group-{number}", launch_configuration=name)


def _template(image_id: str) -> Shape:
    return {"ImageId": image_id, "InstanceType": "t3.micro"}
