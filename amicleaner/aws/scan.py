"""One look at every account and Region of a run: what is there, and what is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ..errors import AwsError
from ..models import Ami, Snapshot, Target, Use
from ..plan import Inventory
from . import usage
from .concurrency import run_concurrently
from .fetcher import fetch_amis, fetch_recycle_bin, fetch_shared_with, fetch_snapshots
from .targets import Location
from .usage import UsageOptions, UsageReading

T = TypeVar("T")

Answer = tuple[Mapping[str, tuple[Use, ...]], tuple[str, ...]]
"""AMI id to its users, and warnings."""

CALLS_AT_ONCE = 64
"""Calls under way at once in the whole run, at most; so many connections, too."""

LOCATIONS_AT_ONCE = 32
"""Regions (of all accounts) that are read at once, at most; each holds its clients only while it is read."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What was read of one location.  `inventory` is empty, and nothing of an orphan is known, where it is only read."""

    location: Location
    inventory: Inventory
    reading: UsageReading
    snapshots: tuple[Snapshot, ...] = ()
    recycle_bin: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


class Scanner:
    """Reads locations side by side.  Every method raises the `AwsError` of the first location, in their order, that has one."""

    def __init__(self, options: UsageOptions, *, orphans: bool) -> None:
        """`orphans`: read too what tells orphan snapshots."""
        self._options = options
        self._orphans = orphans
        self._drops = False
        self._calls = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="call")
        self._places = ThreadPoolExecutor(LOCATIONS_AT_ONCE, thread_name_prefix="location")

    def close(self) -> None:
        """Lets nothing new begin, and waits for nothing."""
        self._places.shutdown(wait=False, cancel_futures=True)
        self._calls.shutdown(wait=False, cancel_futures=True)

    def scan(self, locations: Sequence[Location]) -> list[Scan]:
        """A scan of each location.  Where the account was not known, what it owns says who it is."""
        # What is open at once must not grow with the organization; few locations keep their connections for the deletion.
        self._drops = len(locations) > LOCATIONS_AT_ONCE
        return run_concurrently(
            self._places, [partial(self._leaving, location, partial(self._scan, location)) for location in locations]
        )

    def read(self, location: Location) -> UsageReading:
        """What is in use in one location."""
        reading = usage.read_usage(location.api, self._options, self._calls)
        return replace(reading, uses=with_account(reading.uses, location.api.target.account))

    def references(self, location: Location, ids: Sequence[str]) -> Answer:
        """What AWS says refers to these AMIs."""
        uses, warnings = usage.read_references(location.api, ids, self._options, self._calls)
        return with_account(uses, location.api.target.account), warnings

    def refreshes(self, location: Location, reading: UsageReading, groups: Iterable[str]) -> Answer:
        """What the instance refreshes of these groups are on their way to."""
        uses, warnings = usage.read_refreshes(location.api, reading, groups, self._options, self._calls)
        return with_account(uses, location.api.target.account), warnings

    def template_snapshots(self, scans: Sequence[Scan]) -> list[tuple[Scan, tuple[frozenset[str], tuple[str, ...]]]]:
        """The snapshots that any version of a launch template names, and warnings."""
        reads = [
            partial(
                self._leaving,
                scan.location,
                partial(usage.read_template_snapshots, scan.location.api, scan.reading, self._options, self._calls),
            )
            for scan in scans
        ]
        return list(zip(scans, run_concurrently(self._places, reads), strict=True))

    def late(self, scans: Sequence[Scan], asked: Mapping[str, Sequence[str]]) -> list[tuple[Scan, Answer]]:
        """What is asked only once something would go: `asked` are AMIs by Region, whichever account they are in."""
        concerned = [scan for scan in scans if asked.get(scan.location.api.target.region)]
        reads = [partial(self._leaving, scan.location, partial(self._late, scan, asked)) for scan in concerned]
        answers = run_concurrently(self._places, reads)
        return list(zip(concerned, answers, strict=True))

    def shared(
        self, asked: Sequence[tuple[Location, str]], inside: frozenset[str]
    ) -> dict[tuple[Target, str], tuple[str, ...]]:
        """To whom outside the run each of these AMIs is shared."""
        locations: dict[Target, Location] = {}
        ids: dict[Target, list[str]] = {}
        for location, id in asked:
            locations[location.api.target] = location
            ids.setdefault(location.api.target, []).append(id)
        reads = [
            partial(self._leaving, location, partial(self._shared, location, ids[t], inside))
            for t, location in locations.items()
        ]
        answers = run_concurrently(self._places, reads)
        return {
            (target, id): found for target, answer in zip(locations, answers, strict=True) for id, found in answer.items()
        }

    def _leaving(self, location: Location, read: Callable[[], T]) -> T:
        """Reads, and drops the location's clients where there are many locations."""
        try:
            return read()
        finally:
            if self._drops:
                location.clients.drop()

    def _scan(self, location: Location) -> Scan:
        api = location.api
        if location.read_only:
            reading = self.read(location)
            return Scan(location, Inventory(api.target, ()), reading, warnings=reading.warnings)
        amis = self._calls.submit(fetch_amis, api)
        snapshots = self._calls.submit(fetch_snapshots, api) if self._orphans else None
        bin = self._calls.submit(fetch_recycle_bin, api) if self._orphans else None
        try:
            reading = self.read(location)
            owned, first = snapshots.result() if snapshots else ((), ())
            recycled, second = bin.result() if bin else (frozenset(), ())
        except AwsError as error:
            # The AMIs are the first thing that a person expects to be told about: their error comes first.
            error.account = error.account or _owner(amis.result())
            raise
        inventory = amis.result()
        if not api.target.account and inventory:
            api.target = Target(_owner(inventory), api.target.region)
        return Scan(
            location,
            Inventory(api.target, inventory),
            replace(reading, uses=with_account(reading.uses, api.target.account)),
            owned,
            recycled,
            (*reading.warnings, *first, *second),
        )

    def _shared(self, location: Location, ids: Sequence[str], inside: frozenset[str]) -> dict[str, tuple[str, ...]]:
        answers = run_concurrently(self._calls, [partial(fetch_shared_with, location.api, id, inside) for id in ids])
        return dict(zip(ids, answers, strict=True))

    def _late(self, scan: Scan, asked: Mapping[str, Sequence[str]]) -> Answer:
        refreshes, first = self.refreshes(scan.location, scan.reading, scan.reading.groups)
        references, second = self.references(scan.location, asked[scan.location.api.target.region])
        return usage.merge_uses([refreshes, references]), (*first, *second)


def _owner(amis: Sequence[Ami]) -> str:
    """The account, where there is an AMI that tells it."""
    return amis[0].owner if amis else ""


def with_account(uses: Mapping[str, tuple[Use, ...]], account: str) -> dict[str, tuple[Use, ...]]:
    """The same uses, with the account's id where it was not known while they were read."""
    return {id: tuple(use if use.account else replace(use, account=account) for use in found) for id, found in uses.items()}
