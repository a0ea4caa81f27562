"""One Region of a simulated account, and the readers of usage that look at it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3

from amicleaner.aws import usage
from amicleaner.aws.api import Api
from amicleaner.aws.session import Clients
from amicleaner.aws.usage import UsageReading
from amicleaner.clock import Clock
from amicleaner.config import Config
from amicleaner.models import Target, Use
from amicleaner.uses import merge_uses
from tests.fake_aws import DEFAULT_ACCOUNT, FakeAws, Fault, RegionState, World, attach

REGION = "eu-west-1"


class Switch:
    """Clients take much longer to make than to use: all tests share them, and each plugs in its own fake AWS."""

    def __init__(self) -> None:
        self.fake_aws = FakeAws()
        session = boto3.Session(
            aws_access_key_id=self.fake_aws.world.access_key(), aws_secret_access_key="secret", region_name=REGION
        )
        attach(self, session)  # type: ignore[arg-type]  # it only asks for `handle`
        self.clients = Clients(session, REGION)

    def handle(self, *request: Any, **more: Any) -> Any:
        return self.fake_aws.handle(*request, **more)


_switch = cache(Switch)


@dataclass
class Account:
    """`slept` has the pauses that the calls would have made; no time passes."""

    world: World = field(default_factory=World)
    fake_aws: FakeAws = field(init=False)
    api: Api = field(init=False)
    pool: Executor = field(default_factory=lambda: ThreadPoolExecutor(4))
    slept: list[float] = field(default_factory=list)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.fake_aws = _switch().fake_aws = FakeAws(self.world)
        self.world.account()
        ticks = iter(range(10**9))
        clock = Clock(
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC), monotonic=lambda: float(next(ticks)), sleep=self.slept.append
        )
        self.api = Api(Target(DEFAULT_ACCOUNT, REGION), _switch().clients, clock=clock)

    @property
    def region(self) -> RegionState:
        return self.world.region(REGION)

    def image(self) -> str:
        return self.region.add_image().image_id

    def fault(self, action: str, kind: str = "refuse", **members: object) -> None:
        self.fake_aws.faults.append(Fault(action, kind, **members))  # type: ignore[arg-type]

    def read(self, **options: Any) -> UsageReading:
        """A reading of the Region, by the options of a run."""
        reading = usage.read_usage(self.api, Config(**options), self.pool)
        self.warnings = reading.warnings
        return reading

    def users(self, image: str, **options: Any) -> list[str]:
        """The labels of the references to an AMI, by a reading."""
        return labels(self.read(**options).uses.get(image, ()))

    def on_demand(self, images: Sequence[str] = (), **options: Any) -> UsageReading:
        """A reading of the Region, and what is read only once these AMIs would be deleted."""
        reading = self.read(**options)
        found = usage.read_on_demand(self.api, reading, images, Config(**options), self.pool)
        self.warnings = tuple(dict.fromkeys(reading.warnings + found.warnings))
        uses, snapshots = (reading.uses, found.uses), (reading.snapshots, found.snapshots)
        return UsageReading(merge_uses(uses), merge_uses(snapshots), self.warnings)

    def references(self, images: Sequence[str]) -> dict[str, list[str]]:
        """The labels of what AWS itself reports as references."""
        found = usage.read_on_demand(self.api, UsageReading({}, {}), images, Config(), self.pool, again=True)
        self.warnings = found.warnings
        return {image: labels(uses) for image, uses in found.uses.items()}


def labels(uses: Sequence[Use]) -> list[str]:
    return [use.label for use in uses]
