"""One reading of accounts and Regions: what is there, and what refers to it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ..config import Config
from ..errors import AwsError, DeniedError, UnsupportedCallError
from ..models import Ami, Inventory, Snapshot, Target
from ..recycle_bin import BinRules
from ..uses import Uses
from . import usage
from .concurrency import run_concurrently
from .fetcher import (
    fetch_amis,
    fetch_bin,
    fetch_bin_rules,
    fetch_shared_with,
    fetch_snapshots,
    fetch_snapshots_by_id,
    fetch_visible_amis,
)
from .targets import Location
from .usage import UsageReading

T = TypeVar("T")

CALLS_AT_ONCE = 64
"""Calls in flight in the whole run, at most; as many connections."""

LOCATIONS_AT_ONCE = 32
"""Regions (of all accounts) that are read together, at most; if there are more, each is connected only while it is read."""

CLIENTS_KEPT = 256
"""Regions (of all accounts) that keep their clients, about 0.5 MiB each, at most; to make them takes longer than to use
them."""

PENDING = [{"Name": "state", "Values": ["pending"]}]
"""The filter of DescribeImages for AMIs that are being created or copied."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What was read of one location.  `inventory` holds the AMIs of a target; of a read-only account those that are being
    created, which may be copies, and all only where orphaned snapshots are looked for.  `started` is when the reading began,
    by the monotonic clock."""

    location: Location
    inventory: Inventory
    reading: UsageReading
    started: float
    snapshots: tuple[Snapshot, ...] = ()
    recycle_bin: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        """Account and Region."""
        return self.inventory.target


@dataclass(eq=False)
class Scanner:
    """Reads locations concurrently.  Every method raises the `AwsError` of the first location that has one, in their order.
    `scanned` is called with each location and its number of AMIs, from any thread."""

    config: Config
    scanned: Callable[[Target, int], None]

    def __post_init__(self) -> None:
        self._most = 0
        self._read: set[Location] = set()
        self._calls = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="call")
        self._locations = ThreadPoolExecutor(LOCATIONS_AT_ONCE, thread_name_prefix="location")

    def close(self) -> None:
        """Starts nothing new, and waits for nothing."""
        self._locations.shutdown(wait=False, cancel_futures=True)
        self._calls.shutdown(wait=False, cancel_futures=True)

    def scan(self, locations: Sequence[Location]) -> list[Scan]:
        """A scan of each location.  Where the account is not known, the AMIs that it owns at the first scan tell it; later
        ones change nothing, for results are kept by target."""
        # What is open at once must not grow with the organization.
        self._most = max(self._most, len(locations))
        return list(self._each(locations, self._scan).values())

    def read_on_demand(
        self, scans: Sequence[Scan], asked: Mapping[Target, Sequence[str]], *, again: bool = False
    ) -> list[tuple[Scan, UsageReading]]:
        """The references that are read only once something would be deleted: `asked` are the AMIs, of any account,
        about which each location is asked.  `again`: only the references to these AMIs, for all else has been read."""

        def read(scan: Scan) -> UsageReading:
            ids = asked[scan.target]
            found = usage.read_on_demand(scan.location.api, scan.reading, ids, self.config, self._calls, again=again)
            return _with_account(found, scan.target.account)

        return self._each_again([scan for scan in scans if scan.target in asked], read)

    def pending(self, locations: Sequence[Location]) -> list[Inventory]:
        """The AMIs of each location that are being created or copied, perhaps from an AMI of another Region."""
        found = self._each(locations, lambda location: fetch_amis(location.api, Filters=PENDING))
        return [Inventory(location.api.target, amis) for location, amis in found.items()]

    def visible(self, asked: Mapping[Location, Collection[str]]) -> dict[Target, frozenset[str]]:
        """Those of these AMIs that each location can see, whoever owns them."""
        found = self._each(asked, lambda location: fetch_visible_amis(location.api, asked[location]))
        return {location.api.target: ids for location, ids in found.items()}

    def shared_with(
        self, asked: Iterable[tuple[Location, str]], inside: frozenset[str]
    ) -> dict[tuple[Target, str], tuple[str, ...]]:
        """Who outside the run may launch each of these AMIs."""

        def read(location: Location, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
            calls = [partial(fetch_shared_with, location.api, id, inside) for id in ids]
            return dict(zip(ids, run_concurrently(self._calls, calls), strict=True))

        return self._by_target(asked, read)

    def snapshots(
        self, asked: Iterable[tuple[Location, str]]
    ) -> tuple[dict[tuple[Target, str], Snapshot], list[tuple[Target, str]]]:
        """Those of these snapshots that exist, as they are now, and warnings."""
        warnings: list[tuple[Target, str]] = []

        def read(location: Location, ids: Sequence[str]) -> dict[str, Snapshot]:
            found, told = fetch_snapshots_by_id(location.api, ids)
            warnings.extend((location.api.target, text) for text in told)
            return {snapshot.id: snapshot for snapshot in found}

        return self._by_target(asked, read), sorted(warnings)

    def bin_rules(self, locations: Sequence[Location]) -> tuple[dict[Target, BinRules | None], list[tuple[Target, str]]]:
        """The Recycle Bin's rules of each location.  Where they may not be read, or the endpoint lacks the call, there are
        none and a warning, unless the run requires them."""

        def read(location: Location) -> BinRules | AwsError:
            kinds = [partial(fetch_bin_rules, location.api, kind) for kind in ("EC2_IMAGE", "EBS_SNAPSHOT")]
            try:
                return BinRules(*run_concurrently(self._calls, kinds))
            except (DeniedError, UnsupportedCallError) as error:
                return error

        rules: dict[Target, BinRules | None] = {}
        warnings = []
        for location, found in self._each(locations, read).items():
            if isinstance(found, BinRules):
                rules[location.api.target] = found
                continue
            if self.config.require_recycle_bin is not None:
                raise found
            rules[location.api.target] = None
            text = f"{found.action} failed ({found.code}), so it is not known whether the deletion can be undone."
            warnings.append((location.api.target, text))
        return rules, warnings

    def template_versions(self, scans: Sequence[Scan]) -> list[tuple[Scan, UsageReading]]:
        """What any version of a launch template names."""
        return self._each_again(
            scans, lambda scan: usage.read_template_versions(scan.location.api, scan.reading, self.config, self._calls)
        )

    def _each_again(self, scans: Sequence[Scan], read: Callable[[Scan], T]) -> list[tuple[Scan, T]]:
        of_location = {scan.location: scan for scan in scans}
        found = self._each(of_location, lambda location: read(of_location[location]))
        return [(of_location[location], value) for location, value in found.items()]

    def _by_target(
        self, asked: Iterable[tuple[Location, str]], read: Callable[[Location, Sequence[str]], Mapping[str, T]]
    ) -> dict[tuple[Target, str], T]:
        ids: dict[Location, list[str]] = {}
        for location, id in asked:
            ids.setdefault(location, []).append(id)
        found = self._each(ids, lambda location: read(location, ids[location]))
        return {(location.api.target, id): value for location, values in found.items() for id, value in values.items()}

    def _each(self, locations: Iterable[Location], read: Callable[[Location], T]) -> dict[Location, T]:
        """What `read` returns for each location, whose connections are let go where there are many."""

        def closing(location: Location) -> T:
            try:
                return read(location)
            finally:
                if self._most > CLIENTS_KEPT:
                    location.clients.drop()
                elif self._most > LOCATIONS_AT_ONCE:
                    location.clients.disconnect()

        wanted = list(locations)
        return dict(zip(wanted, run_concurrently(self._locations, [partial(closing, each) for each in wanted]), strict=True))

    def _scan(self, location: Location) -> Scan:
        api = location.api
        started = api.clock.monotonic()
        owns = not location.read_only
        filters = {} if owns or self.config.check_orphans else {"Filters": PENDING}
        amis = self._calls.submit(fetch_amis, api, **filters)
        snapshots = self._calls.submit(fetch_snapshots, api) if owns and self.config.check_orphans else None
        bin = self._calls.submit(fetch_bin, api) if self.config.check_orphans else None
        try:
            reading = usage.read_usage(api, self.config, self._calls)
            found, first = snapshots.result() if snapshots else ((), ())
            recycled, second = bin.result() if bin else ({}, ())
        except AwsError as error:
            # The AMIs are what a person expects to hear of first, so their error comes first.
            error.account = error.account or _owner(amis.result())
            raise
        inventory = amis.result()
        if location not in self._read and inventory and not api.target.account:
            api.target = Target(_owner(inventory), api.target.region)
        self._read.add(location)
        if owns:
            self.scanned(api.target, len(inventory))
        reading = _with_account(reading, api.target.account)
        warnings = (*reading.warnings, *first, *second)
        return Scan(location, Inventory(api.target, inventory), reading, started, found, frozenset(recycled), warnings)


def _owner(amis: Sequence[Ami]) -> str:
    """The account, if an AMI says which it is."""
    return amis[0].owner if amis else ""


def _with_account(reading: UsageReading, account: str) -> UsageReading:
    """The same references, with the account's id where it was not known while they were read."""

    def named(uses: Uses) -> Uses:
        return {
            id: tuple(use if use.account else replace(use, account=account) for use in found) for id, found in uses.items()
        }

    return replace(reading, uses=named(reading.uses), snapshots=named(reading.snapshots))
