"""A fake AWS for tests and benchmarks: the APIs that amicleaner uses, over their real wire protocols.

world = World()
region = world.region("eu-west-1")
image = region.add_image("web-1", snapshots=[8, 100])
with serve(FakeAws(world)) as served:
    ec2 = boto3.client("ec2", "eu-west-1", endpoint_url=served.url, **world.credentials())
    ec2.deregister_image(ImageId=image.image_id, DeleteAssociatedSnapshots=True)
"""

from .attach import attach
from .calls import Call, CallLog
from .core import FakeAws
from .errors import ApiError, Broken, denial
from .faults import Fault
from .region import RegionState
from .resources import BlockDevice
from .server import Served, serve
from .world import DEFAULT_ACCOUNT, World

__all__ = [
    "DEFAULT_ACCOUNT",
    "ApiError",
    "BlockDevice",
    "Broken",
    "Call",
    "CallLog",
    "FakeAws",
    "Fault",
    "RegionState",
    "Served",
    "World",
    "attach",
    "denial",
    "serve",
]
