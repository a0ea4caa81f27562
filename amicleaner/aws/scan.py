"""One reading of accounts and Regions: what is there, and what refers to it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ..config import Config
from ..errors import AwsError, DeniedError, UnsupportedCallError
from ..models import Ami, Inventory, Snapshot, Target, Use
from ..recycle_bin import BinRules
from . import usage
from .concurrency import run_concurrently
from .fetcher import (
    fetch_amis,
    fetch_bin,
    fetch_bin_rules,
    fetch_pending_amis,
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


@dataclass(frozen=True, slots=True)
class Scan:
    """What was read of one location.  `inventory` holds the AMIs of a target, and of a read-only account only where orphaned
    snapshots are looked for.  `started` is when the reading began, by the monotonic clock."""

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


class Scanner:
    """Reads locations concurrently.  Every method raises the `AwsError` of the first location that has one, in their
    order."""

    def __init__(
        self, config: Config, *, orphans: bool, scanned: Callable[[Target, int], None] = lambda target, amis: None
    ) -> None:
        """`orphans`: also read what is needed to find orphaned snapshots.  `scanned` is called with each location and its
        number of AMIs, from any thread."""
        self._config = config
        self._orphans = orphans
        self._scanned = scanned
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
        return self._each(locations, self._scan)

    def read_on_demand(
        self, scans: Sequence[Scan], asked: Mapping[Target, Sequence[str]], *, again: bool = False
    ) -> list[tuple[Scan, UsageReading]]:
        """The references that are read only once something would be deleted: `asked` are the AMIs, of any account,
        about which each location is asked.  `again`: only the references to these AMIs, for all else has been read."""
        concerned = [scan for scan in scans if scan.target in asked]

        def read(scan: Scan) -> UsageReading:
            api, ids = scan.location.api, asked[scan.target]
            found = usage.read_on_demand(api, scan.reading, ids, self._config, self._calls, again=again)
            account = scan.target.account
            return replace(found, uses=with_account(found.uses, account), snapshots=with_account(found.snapshots, account))

        return list(zip(concerned, self._each([scan.location for scan in concerned], read, concerned), strict=True))

    def pending(self, locations: Sequence[Location]) -> list[Inventory]:
        """The AMIs of each location that are being created or copied, perhaps from an AMI of another Region."""
        found = self._each(locations, lambda location: fetch_pending_amis(location.api))
        return [Inventory(location.api.target, amis) for location, amis in zip(locations, found, strict=True)]

    def visible(self, asked: Mapping[Location, Collection[str]]) -> dict[Target, frozenset[str]]:
        """Those of these AMIs that each location can see, whoever owns them."""
        found = self._each(list(asked), lambda item: fetch_visible_amis(item[0].api, item[1]), list(asked.items()))
        return {location.api.target: ids for location, ids in zip(asked, found, strict=True)}

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

    def bin_rules(self, locations: Sequence[Location]) -> dict[Target, BinRules | AwsError]:
        """The rules of the Recycle Bin of each location; where they may not be read, or the endpoint lacks the call, that
        error."""

        def read(location: Location) -> BinRules | AwsError:
            kinds = [partial(fetch_bin_rules, location.api, kind) for kind in ("EC2_IMAGE", "EBS_SNAPSHOT")]
            try:
                return BinRules(*run_concurrently(self._calls, kinds))
            except (DeniedError, UnsupportedCallError) as error:
                return error

        found = self._each(locations, read)
        return {location.api.target: rules for location, rules in zip(locations, found, strict=True)}

    def template_snapshots(self, scans: Sequence[Scan]) -> list[tuple[Scan, tuple[frozenset[str], tuple[str, ...]]]]:
        """The snapshots that any version of a launch template names, and warnings."""

        def read(scan: Scan) -> tuple[frozenset[str], tuple[str, ...]]:
            return usage.read_template_snapshots(scan.location.api, scan.reading, self._config, self._calls)

        return list(zip(scans, self._each([scan.location for scan in scans], read, scans), strict=True))

    def _by_target(
        self, asked: Iterable[tuple[Location, str]], read: Callable[[Location, Sequence[str]], Mapping[str, T]]
    ) -> dict[tuple[Target, str], T]:
        ids: dict[Location, list[str]] = {}
        for location, id in asked:
            ids.setdefault(location, []).append(id)
        found = self._each(list(ids), lambda item: read(*item), list(ids.items()))
        return {
            (location.api.target, id): value
            for location, values in zip(ids, found, strict=True)
            for id, value in values.items()
        }

    def _each(
        self, locations: Sequence[Location], read: Callable[..., T], arguments: Sequence[object] | None = None
    ) -> list[T]:
        """Calls `read` for each location (with its argument), and lets go of its connections where there are many."""

        def closing(location: Location, argument: object) -> T:
            try:
                return read(argument)
            finally:
                if self._most > CLIENTS_KEPT:
                    location.clients.drop()
                elif self._most > LOCATIONS_AT_ONCE:
                    location.clients.disconnect()

        pairs = zip(locations, locations if arguments is None else arguments, strict=True)
        return run_concurrently(self._locations, [partial(closing, *pair) for pair in pairs])

    def _scan(self, location: Location) -> Scan:
        api = location.api
        started = api.clock.monotonic()
        owns = not location.read_only
        amis = self._calls.submit(fetch_amis, api) if owns or self._orphans else None
        snapshots = self._calls.submit(fetch_snapshots, api) if owns and self._orphans else None
        bin = self._calls.submit(fetch_bin, api) if self._orphans else None
        try:
            reading = usage.read_usage(api, self._config, self._calls)
            found, first = snapshots.result() if snapshots else ((), ())
            recycled, second = bin.result() if bin else ({}, ())
        except AwsError as error:
            # The AMIs are what a person expects to hear of first, so their error comes first.
            owned = amis.result() if amis else ()
            error.account = error.account or _owner(owned)
            raise
        inventory = amis.result() if amis else ()
        if location not in self._read and inventory and not api.target.account:
            api.target = Target(_owner(inventory), api.target.region)
        self._read.add(location)
        if owns:
            self._scanned(api.target, len(inventory))
        account = api.target.account
        reading = replace(
            reading,
            uses=with_account(reading.uses, account),
            snapshots=with_account(reading.snapshots, account),
        )
        warnings = (*reading.warnings, *first, *second)
        return Scan(location, Inventory(api.target, inventory), reading, started, found, frozenset(recycled), warnings)


def _owner(amis: Sequence[Ami]) -> str:
    """The account, if an AMI says which it is."""
    return amis[0].owner if amis else ""


def with_account(uses: Mapping[str, tuple[Use, ...]], account: str) -> dict[str, tuple[Use, ...]]:
    """The same references, with the account's id where it was not known while they were read."""
    return {id: tuple(use if use.account else replace(use, account=account) for use in found) for id, found in uses.items()}
