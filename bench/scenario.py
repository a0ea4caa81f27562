"""The accounts that are measured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.fake_aws import World
from tests.fake_aws.region import RegionState

NEWEST = datetime(2026, 1, 1, tzinfo=UTC)

REGIONS = (
    "ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1 "
    "eu-north-1 eu-west-1 eu-west-2 eu-west-3 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2"
).split()

HOME = "eu-west-1"


def fill(region: RegionState, images: int, *, going: int, instances: int = 0, snapshots: int = 2) -> list[str]:
    """Groups of five AMIs, the newest of each in use and four kept; in `going` of the groups one more, the oldest, goes.
    Returns the ids of those in use."""
    used = []
    groups = (images - going) // 5
    for number in range(images):
        group, place = divmod(number, 5) if number < 5 * groups else (number - 5 * groups, 5)
        image = region.add_image(
            f"app-{group:05d}-{place}",
            created=NEWEST - timedelta(days=place, minutes=group),
            tags={"environment": ("dev", "prod")[group % 2], "role": f"role-{group:05d}"},
            snapshots=[8] * snapshots,
        )
        if place == 0:
            used.append(image.image_id)
    for number in range(max(instances, groups)):
        region.add_instance(used[number % groups])
    return used


def large(world: World) -> None:
    """An account of some years: 10,000 AMIs, 3,000 instances, 400 templates, 200 launch configurations, 300 groups."""
    region = world.region(HOME)
    used = fill(region, 10_000, going=20, instances=3_000)
    configurations = [region.add_launch_configuration(used[n], f"configuration-{n}").name for n in range(200)]
    templates = [
        region.add_launch_template(f"template-{n}", [{"ImageId": used[n]}, {"ImageId": used[n + 1]}], default=2).template_id
        for n in range(400)
    ]
    for n in range(300):
        if n < len(configurations):
            region.add_group(f"group-{n}", launch_configuration=configurations[n], size=1)
        else:
            specification = {"LaunchTemplateId": templates[n], "Version": "$Latest"}
            region.add_group(f"group-{n}", launch_template=specification, size=1)


def images(world: World, count: int) -> None:
    """AMIs and little else: what grows with them."""
    fill(world.region(HOME), count, going=20)


def burst(world: World) -> None:
    """250 AMIs of two snapshots that all go with --keep-previous 0, and nothing in use."""
    region = world.region(HOME)
    for number in range(250):
        tags = {"environment": "dev", "role": "worker"}
        region.add_image(f"worker-{number:03d}", created=NEWEST - timedelta(days=number), tags=tags, snapshots=[8, 100])


def regions(world: World) -> None:
    """Seventeen Regions of 300 AMIs, of which four go in each."""
    for name in REGIONS:
        fill(world.region(name), 300, going=5)


def organization(world: World, accounts: int) -> None:
    """Accounts of seventeen Regions with five AMIs each; in ten of the accounts there is a sixth, which goes."""
    ids = [f"{100_000_000_000 + number}" for number in range(accounts)]
    world.add_organization(ids[0], ids[1:])
    for number, id in enumerate(ids):
        for name in REGIONS:
            fill(world.region(name, id), 5 + (number < 10), going=number < 10, snapshots=1)
        if id != ids[0]:
            world.add_role(id, "cleaner", trusted=[ids[0]])


def accounts(world: World, count: int) -> None:
    """Accounts of one organization with three AMIs each in one Region, all of which go with --keep-previous 0."""
    ids = [f"{100_000_000_000 + number}" for number in range(count)]
    world.add_organization(ids[0], ids[1:])
    for id in ids:
        for number in range(3):
            tags = {"environment": "dev", "role": "worker"}
            created = NEWEST - timedelta(days=number)
            world.region(HOME, id).add_image(f"worker-{id}-{number}", created=created, tags=tags, snapshots=[8])
        if id != ids[0]:
            world.add_role(id, "cleaner", trusted=[ids[0]])
