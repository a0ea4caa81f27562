"""An account in which each AMI is kept for exactly one reason, so that whoever loses that reason is known by its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.catalogue import add_pipeline, add_recipe_on_image, batch, batch_template
from tests.fake_aws import DEFAULT_ACCOUNT, RegionState, World
from tests.fake_aws.world import Clock

HOME = "eu-west-1"
OWN, OTHER, STRANGER = DEFAULT_ACCOUNT, "210987654321", "999999999999"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TAGS = {"environment": "prod", "role": "web"}

IMAGES, INSTANCES, VERSIONS = "DescribeImages", "DescribeInstances", "DescribeLaunchTemplateVersions"
GROUPS, REFRESHES, REFERENCES = "DescribeAutoScalingGroups", "DescribeInstanceRefreshes", "DescribeImageReferences"
BATCH, FAST_LAUNCH = "DescribeComputeEnvironments", "DescribeFastLaunchImages"
SPOT_FLEETS, PERMISSIONS, SNAPSHOTS = "DescribeSpotFleetRequests", "DescribeImageAttribute", "DescribeSnapshots"

Chains = tuple[frozenset[str], ...]
"""Ways in which a thing is known to stay: each is the calls that all must tell the truth for it."""


def chain(*calls: str) -> frozenset[str]:
    return frozenset(calls)


@dataclass
class HostileAccount:
    """`amis` and `snapshots` are what stays, and why; an empty tuple: it may go."""

    world: World
    amis: dict[str, Chains] = field(default_factory=dict)
    snapshots: dict[str, Chains] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    foreign: str = ""

    @property
    def home(self) -> RegionState:
        return self.world.region(HOME, OWN)

    @property
    def ids(self) -> list[str]:
        """Ids of everything."""
        home = self.home
        things = (home.images, home.snapshots, home.instances, home.launch_templates, home.spot_fleets, home.groups)
        return [self.foreign, *(id for kind in things for id in kind), OTHER, STRANGER, "us-east-1", "ACTIVE"]

    def ami(self, what: str, *chains: frozenset[str], days: float = 20, **members: Any) -> str:
        members.setdefault("tags", dict(TAGS))
        image = self.home.add_image(members.pop("name", what), created=NOW - timedelta(days=days), **members)
        self.amis[image.image_id] = chains
        self.names[image.image_id] = what
        return image.image_id

    def template(self, *images: str, **members: Any) -> str:
        return self.home.add_launch_template(
            versions=[{"ImageId": id} if id else {} for id in images], **members
        ).template_id

    def pinned(self, id: str) -> dict[str, str]:
        """The specification of a version that is neither the default nor the latest."""
        return {"LaunchTemplateId": self.template("", id, ""), "Version": "2"}

    def orphan(self, *chains: frozenset[str], ami: str = "ami-0dead000", days: float = 9, **members: Any) -> str:
        text = members.pop("description", f"Created by CreateImage(i-0) for {ami}")
        id = self.home.add_snapshot(text, started=NOW - timedelta(days=days), **members).snapshot_id
        self.snapshots[id] = chains
        return id


def make_account(clock: Clock, *, organization: bool, keeps: bool, named: bool) -> HostileAccount:
    """`organization`: the accounts of one take part; `keeps`: the newest stays; `named`: the AMIs are named by id."""
    made = HostileAccount(World(clock))
    home = made.home
    by_image = chain(IMAGES)
    made.ami("newest", *([by_image] if keeps and not named else []), days=5)
    for number in range(2):
        made.ami("old", days=30 + number)
    two = made.ami("two snapshots", snapshots=(8, 9))
    first, _ = home.images[two].snapshot_ids
    home.snapshots[first].return_code = "internal-error"
    shared = made.ami("shares", snapshots=(8,))
    made.ami("shares a snapshot, protected", by_image, snapshots=(home.images[shared].snapshot_ids[0],), state="disabled")
    # By itself
    made.ami("pending", by_image, state="pending")
    made.ami("protected", by_image, deregistration_protection="enabled")
    made.ami("managed by tag", by_image, tags={**TAGS, "aws:backup:source-resource": "x"})
    made.ami("managed by name", by_image, name="AwsBackup_i-1")
    made.ami("keep", by_image, tags={**TAGS, "keep": "yes"})
    made.ami("undated", *([] if named else [by_image]), omit={"CreationDate"})
    made.ami("public", by_image, chain(PERMISSIONS), public=True)
    made.ami("shared", chain(PERMISSIONS), shared_with=(STRANGER,))
    # By its users
    home.add_instance(made.ami("instance", chain(INSTANCES), chain(REFERENCES)))
    home.add_launch_configuration(made.ami("configuration", chain("DescribeLaunchConfigurations")))
    made.template(made.ami("template", chain(VERSIONS)))
    made.template(made.ami("default", chain(VERSIONS)), "")
    plain = made.template("")
    home.add_group(launch_template=made.pinned(made.ami("group", chain(GROUPS, VERSIONS))))
    override = {"ImageId": made.ami("override", chain(GROUPS))}
    versions = {"LaunchTemplateSpecification": made.pinned(made.ami("override's template", chain(GROUPS, VERSIONS)))}
    base = {"LaunchTemplateSpecification": made.pinned(made.ami("base", chain(GROUPS, VERSIONS)))}
    home.add_group(mixed_instances_policy={"LaunchTemplate": {**base, "Overrides": [override, versions]}})
    refreshed = home.add_group(launch_template={"LaunchTemplateId": plain, "Version": "$Latest"}).name
    desired = {"LaunchTemplate": made.pinned(made.ami("refresh", chain(GROUPS, REFRESHES, VERSIONS)))}
    home.add_refresh(refreshed, desired)
    home.add_spot_fleet(launch_specifications=[{"ImageId": made.ami("spot fleet", chain(SPOT_FLEETS))}])
    specification = made.pinned(made.ami("spot fleet's template", chain(SPOT_FLEETS, VERSIONS)))
    home.add_spot_fleet(launch_template_configs=[{"LaunchTemplateSpecification": specification}])
    home.add_spot_request(made.ami("spot request", chain("DescribeSpotInstanceRequests")))
    specification = made.pinned(made.ami("fleet's template", chain("DescribeFleets", VERSIONS)))
    override = {"ImageId": made.ami("fleet", chain("DescribeFleets"))}
    home.add_fleet(launch_template_configs=[{"LaunchTemplateSpecification": specification, "Overrides": [override]}])
    home.add_parameter("/golden", made.ami("alias", chain(VERSIONS, "GetParameters"), chain(REFERENCES)))
    made.template("resolve:ssm:/golden")
    home.add_recipe(made.ami("recipe", chain("ListImageRecipes"), chain(REFERENCES)))
    container = made.ami("container recipe", chain("ListContainerRecipes"), chain(REFERENCES))
    home.add_recipe(container, container=True)
    add_recipe_on_image(home, made.ami("recipe on a recipe", chain("ListImageRecipes", "GetImage")))
    add_pipeline(home, made.ami("pipeline", chain("ListImagePipelines", "ListImagePipelineImages")))
    home.add_entry("compute-environment", batch("one", imageId=made.ami("batch", chain(BATCH))))
    specification = batch_template(made.pinned(made.ami("batch's template", chain(BATCH, VERSIONS))))
    home.add_entry("compute-environment", batch("two", launchTemplate=specification))
    fast = made.ami("fast launch", chain(FAST_LAUNCH))
    home.add_entry("fast-launch", {"ImageId": fast, "State": "enabled"})
    if organization:
        made.world.add_organization(OWN, [OTHER])
        made.world.add_role(OTHER)
        listed = ("ListAccounts", "DescribeRegions")
        abroad = made.ami("abroad", chain(INSTANCES, *listed), chain(REFERENCES, *listed))
        made.world.region(HOME, OTHER).add_instance(abroad)
    foreign = made.world.region(HOME, STRANGER).add_image("foreign", shared_with=(OWN,), tags=dict(TAGS))
    made.foreign = foreign.image_id
    # Snapshots
    made.orphan()
    made.orphan(ami="ami-0dead001")
    made.orphan(chain("ListImagesInRecycleBin"), ami="ami-0b100000")
    home.recycle("ami-0b100000")
    made.orphan(chain(SNAPSHOTS), days=0.5)
    made.orphan(chain(SNAPSHOTS), tags={"dlm:managed": "true"})
    made.orphan(chain(SNAPSHOTS), description="somebody's data")
    used = made.orphan(chain(VERSIONS))
    home.add_launch_template(versions=[{"BlockDeviceMappings": [{"Ebs": {"SnapshotId": used}}]}])
    return made
