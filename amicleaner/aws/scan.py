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
from .fetcher import fetch_amis, fetch_recycle_bin, fetch_shared_with, fetch_snapshots
from .side_by_side import side_by_side
from .targets import Place
from .usage import UsageOptions, UsageReading

T = TypeVar("T")

Answer = tuple[Mapping[str, tuple[Use, ...]], tuple[str, ...]]
"""AMI id to its users, and warnings."""

CALLS_AT_ONCE = 64
"""Calls under way at once in the whole run, at most; so many connections, too."""

PLACES_AT_ONCE = 32
"""Regions (of all accounts) that are read at once, at most; each holds its clients only while it is read."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What was read of one place.  `inventory` is empty, and nothing of an orphan is known, where it is only read."""

    place: Place
    inventory: Inventory
    reading: UsageReading
    snapshots: tuple[Snapshot, ...] = ()
    recycle_bin: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


class Scanner:
    """Reads places side by side.  Every method raises the `AwsError` of the first place, in their order, that has one."""

    def __init__(self, options: UsageOptions, *, orphans: bool) -> None:
        """`orphans`: read too what tells orphan snapshots."""
        self._options = options
        self._orphans = orphans
        self._drops = False
        self._calls = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="call")
        self._places = ThreadPoolExecutor(PLACES_AT_ONCE, thread_name_prefix="place")

    def close(self) -> None:
        """Lets nothing new begin, and waits for nothing."""
        self._places.shutdown(wait=False, cancel_futures=True)
        self._calls.shutdown(wait=False, cancel_futures=True)

    def scan(self, places: Sequence[Place]) -> list[Scan]:
        """A scan of each place.  Where the account was not known, what it owns says who it is."""
        # What is open at once must not grow with the organization; few places keep their connections for the deletion.
        self._drops = len(places) > PLACES_AT_ONCE
        return side_by_side(self._places, [partial(self._leaving, place, partial(self._scan, place)) for place in places])

    def read(self, place: Place) -> UsageReading:
        """What is in use in one place."""
        reading = usage.read_usage(place.api, self._options, self._calls)
        return replace(reading, uses=with_account(reading.uses, place.api.target.account))

    def references(self, place: Place, ids: Sequence[str]) -> Answer:
        """What AWS says refers to these AMIs."""
        uses, warnings = usage.read_references(place.api, ids, self._options, self._calls)
        return with_account(uses, place.api.target.account), warnings

    def refreshes(self, place: Place, reading: UsageReading, groups: Iterable[str]) -> Answer:
        """What the instance refreshes of these groups are on their way to."""
        uses, warnings = usage.read_refreshes(place.api, reading, groups, self._options, self._calls)
        return with_account(uses, place.api.target.account), warnings

    def template_snapshots(self, scans: Sequence[Scan]) -> list[tuple[Scan, tuple[frozenset[str], tuple[str, ...]]]]:
        """The snapshots that any version of a launch template names, and warnings."""
        reads = [
            partial(
                self._leaving,
                scan.place,
                partial(usage.read_template_snapshots, scan.place.api, scan.reading, self._options, self._calls),
            )
            for scan in scans
        ]
        return list(zip(scans, side_by_side(self._places, reads), strict=True))

    def late(self, scans: Sequence[Scan], asked: Mapping[str, Sequence[str]]) -> list[tuple[Scan, Answer]]:
        """What is asked only once something would go: `asked` are AMIs by Region, whichever account they are in."""
        concerned = [scan for scan in scans if asked.get(scan.place.api.target.region)]
        reads = [partial(self._leaving, scan.place, partial(self._late, scan, asked)) for scan in concerned]
        answers = side_by_side(self._places, reads)
        return list(zip(concerned, answers, strict=True))

    def shared(
        self, asked: Sequence[tuple[Place, str]], inside: frozenset[str]
    ) -> dict[tuple[Target, str], tuple[str, ...]]:
        """To whom outside the run each of these AMIs is shared."""
        places: dict[Target, Place] = {}
        ids: dict[Target, list[str]] = {}
        for place, id in asked:
            places[place.api.target] = place
            ids.setdefault(place.api.target, []).append(id)
        reads = [partial(self._leaving, place, partial(self._shared, place, ids[t], inside)) for t, place in places.items()]
        answers = side_by_side(self._places, reads)
        return {(target, id): found for target, answer in zip(places, answers, strict=True) for id, found in answer.items()}

    def _leaving(self, place: Place, read: Callable[[], T]) -> T:
        """Reads, and drops the place's clients where there are many places."""
        try:
            return read()
        finally:
            if self._drops:
                place.clients.drop()

    def _scan(self, place: Place) -> Scan:
        api = place.api
        if place.read_only:
            reading = self.read(place)
            return Scan(place, Inventory(api.target, ()), reading, warnings=reading.warnings)
        amis = self._calls.submit(fetch_amis, api)
        snapshots = self._calls.submit(fetch_snapshots, api) if self._orphans else None
        bin = self._calls.submit(fetch_recycle_bin, api) if self._orphans else None
        try:
            reading = self.read(place)
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
            place,
            Inventory(api.target, inventory),
            replace(reading, uses=with_account(reading.uses, api.target.account)),
            owned,
            recycled,
            (*reading.warnings, *first, *second),
        )

    def _shared(self, place: Place, ids: Sequence[str], inside: frozenset[str]) -> dict[str, tuple[str, ...]]:
        answers = side_by_side(self._calls, [partial(fetch_shared_with, place.api, id, inside) for id in ids])
        return dict(zip(ids, answers, strict=True))

    def _late(self, scan: Scan, asked: Mapping[str, Sequence[str]]) -> Answer:
        refreshes, first = self.refreshes(scan.place, scan.reading, scan.reading.groups)
        references, second = self.references(scan.place, asked[scan.place.api.target.region])
        return usage.merge_uses([refreshes, references]), (*first, *second)


def _owner(amis: Sequence[Ami]) -> str:
    """The account, where there is an AMI that tells it."""
    return amis[0].owner if amis else ""


def with_account(uses: Mapping[str, tuple[Use, ...]], account: str) -> dict[str, tuple[Use, ...]]:
    """The same uses, with the account's id where it was not known while they were read."""
    return {id: tuple(use if use.account else replace(use, account=account) for use in found) for id, found in uses.items()}
