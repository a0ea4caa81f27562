"""One scenario, served by a process of its own: prints its URL and an access key, ends with its standard input, and then
prints the summary of its log, with the seconds from the first to the last changing call.

python -m bench.serve large --latency 0.05
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.fake_aws import FakeAws, World, serve

from . import scenario


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.serve")
    parser.add_argument("scenario", choices=("large", "images", "burst", "regions", "organization", "accounts"))
    parser.add_argument("count", nargs="?", type=int, default=0, help="AMIs, or accounts")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds for each call")
    parser.add_argument("--rates", action="store_true", help="with AWS's token buckets")
    options = parser.parse_args()
    world = World()
    build = getattr(scenario, options.scenario)
    build(world, options.count) if options.count else build(world)
    account = min(world.accounts)
    fake_aws = FakeAws(world, latency=options.latency, rates=options.rates)
    fake_aws.warm()
    with serve(fake_aws) as served:
        print(served.url, world.access_key(account), flush=True)
        sys.stdin.read()
    changes = [call.time.timestamp() for call in fake_aws.calls.changing()]
    span = max(changes) - min(changes) if changes else 0.0
    json.dump({**fake_aws.calls.summary(), "changing_seconds": span}, sys.stdout)


if __name__ == "__main__":
    main()
