"""The fake AWS as a process of its own: prints its URL, serves until it is told to stop, then prints its log.

python -m tests.fake_aws --images 10000 --latency 0.05 --rates
python -m tests.fake_aws world.json
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from .core import FakeAws
from .ec2_compute import render_instance
from .ec2_images import render_image
from .ec2_snapshots import render_snapshot
from .scenario import Size, fill, from_json
from .server import serve
from .world import DEFAULT_ACCOUNT, World


def warm(world: World) -> None:
    """Render what is kept, so that the first question is not slower than the next."""
    for account in world.accounts.values():
        for region in account.regions.values():
            for image in region.images.values():
                image.rendered(render_image)
            for snapshot in region.snapshots.values():
                snapshot.rendered(render_snapshot)
            for instance in region.instances.values():
                instance.rendered(render_instance)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_aws", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("world", nargs="?", type=Path, metavar="WORLD.json")
    parser.add_argument("--account", action="append", help=f"repeatable; default {DEFAULT_ACCOUNT}")
    parser.add_argument("--region", action="append", help="repeatable; default eu-west-1")
    for name, default in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds for each call")
    parser.add_argument("--rates", action="store_true", help="with AWS's token buckets")
    parser.add_argument("--port", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    world = World()
    if options.world:
        from_json(json.loads(options.world.read_text(encoding="utf-8")), world)
    else:
        size = Size(**{name: getattr(options, name) for name in vars(Size())})
        for account_id in options.account or [DEFAULT_ACCOUNT]:
            for name in options.region or ["eu-west-1"]:
                fill(world.region(name, account_id), size)
    warm(world)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    fake_aws = FakeAws(world, latency=options.latency, rates=options.rates)
    with serve(fake_aws, options.port) as served:
        print(served.url, flush=True)
        stop.wait()
    json.dump(fake_aws.calls.summary(), sys.stdout)
    print(flush=True)


if __name__ == "__main__":
    main()
