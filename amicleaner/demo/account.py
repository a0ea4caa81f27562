"""What a simulated account holds, as data, and how moto's backends are filled with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend

ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True)
class DemoImage:
    """One AMI.  `created` is naive UTC, `more` are members of DescribeImages that moto does not know, `instances` is how
    many use it; a launch `template` and an SSM `parameter` name it.  A `recycled` one is in the Recycle Bin."""

    name: str
    created: datetime
    id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    gib: int = 8
    full_gib: float = 0.0
    state: str = "available"
    shared_with: str = ""
    public: bool = False
    snapshot_tags: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    instances: int = 0
    template: str = ""
    parameter: str = ""
    recycled: bool = False

    @property
    def ami_id(self) -> str:
        """The same in every run."""
        return self.id or made_id("ami", self.name)

    def made(self, prefix: str) -> str:
        """The id of something that was made with this AMI (`snap`): the same in every run."""
        return made_id(prefix, self.ami_id)


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """The AMIs of each Region; orphaned snapshots (name, GiB, age in days) and launch templates that name an AMI which does
    not exist, in the first Region; and for how many days the Recycle Bin retains what has the tags."""

    images: Mapping[str, Sequence[DemoImage]]
    orphans: Sequence[tuple[str, int, int]] = ()
    dangling: Sequence[str] = ()
    retained_days: int = 0
    retained_tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def regions(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted(self.images))


def made_id(prefix: str, name: str) -> str:
    """A long id that is the same in every run."""
    return f"{prefix}-0{sha256(f'{prefix} {name}'.encode()).hexdigest()[:16]}"


def add_image(backend: "EC2Backend", image: DemoImage) -> None:
    """Puts an AMI with its snapshot into one of moto's backends."""
    from moto.ec2.models.amis import Ami

    backend.amis[image.ami_id] = ami = Ami(
        backend,
        image.ami_id,
        name=image.name,
        tags=dict(image.tags),
        state=image.state,
        public=image.public,
        creation_date=image.created,
        architecture="x86_64",
        virtualization_type="hvm",
        root_device_type="ebs",
        snapshot_description=f"Created by CreateImage({image.made('i')}) for {image.ami_id} from {image.made('vol')}",
    )
    if image.shared_with:
        ami.launch_permissions.append({"UserId": image.shared_with})
    _finish(backend, ami.ebs_snapshot, image.made("snap"), image.made("vol"), image.gib, image.created)
    if image.snapshot_tags:
        ami.ebs_snapshot.add_tags(dict(image.snapshot_tags))


def add_orphan(backend: "EC2Backend", name: str, gib: int, created: datetime) -> None:
    """Puts a snapshot of an AMI that no longer exists into one of moto's backends."""
    volume = backend.create_volume(size=gib, zone_name=f"{backend.region_name}a")
    text = f"Created by CreateImage({made_id('i', name)}) for {made_id('ami', name)} from {made_id('vol', name)}"
    snapshot = backend.create_snapshot(volume.id, text)
    backend.delete_volume(volume.id)
    _finish(backend, snapshot, made_id("snap", name), made_id("vol", name), gib, created)


def _finish(backend: "EC2Backend", snapshot: Any, id: str, volume_id: str, gib: int, created: datetime) -> None:
    """Gives a snapshot, which moto made with a random id, one that is the same in every run."""
    del backend.snapshots[snapshot.id]
    snapshot.id = id
    backend.snapshots[id] = snapshot
    snapshot.start_time = created
    snapshot.volume.id = volume_id
    snapshot.volume.size = gib
