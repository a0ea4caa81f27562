"""Holds the versions that CI installs against known holes, without a network.

python .ci/pins.py                 every pin is exact, was looked up, and has no known hole
python .ci/pins.py --installed     the same, and all that is installed beside this Python is one of the pins
python .ci/pins.py --read all.zip  writes advisories.json anew, from OSV's export of the ecosystem PyPI (a zip of JSON files)
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).parent
SEEDED = frozenset({"pip", "setuptools"})
"""What a new environment brings along, in the version of whatever made it."""


def pins(text: str) -> dict[str, Version]:
    """Name -> version of a file of constraints.  Raises ValueError for a line that leaves a version open."""
    found: dict[str, Version] = {}
    for line in text.splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted:
            name, exact, version = wanted.partition("==")
            if not exact:
                raise ValueError(f"{wanted} is not pinned")
            found[canonicalize_name(name)] = Version(version)
    return found


def problems(pinned: Mapping[str, Version], known: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the pins, by the advisories: {name: [{"id", "affected": a PEP 440 specifier}]}."""
    for name, version in pinned.items():
        if name not in known["advisories"]:
            yield f"{name}: nobody looked for advisories of it"
        for advisory in known["advisories"].get(name, ()):
            affected = SpecifierSet(advisory["affected"])
            if affected.contains(version, prereleases=True) and advisory["id"] not in known["accepted"]:
                yield f"{name} {version}: {advisory['id']} affects {advisory['affected'] or 'every version'}"
    ids = {advisory["id"] for advisories in known["advisories"].values() for advisory in advisories}
    yield from (f"{id} is accepted, and no advisory" for id in sorted(known["accepted"].keys() - ids))


def unpinned(installed: Mapping[str, Version], pinned: Mapping[str, Version]) -> Iterator[str]:
    """What is installed and not one of the pins."""
    for name, version in sorted(installed.items()):
        if name not in SEEDED and pinned.get(name) != version:
            yield f"{name} {version} is installed, and {pinned.get(name, 'no version')} is pinned"


def advisories(records: Iterable[Mapping[str, Any]], names: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """The advisories of `names`, from records in OSV's format (the OpenSSF's schema, `affected`)."""
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in sorted(names)}
    for record in records:
        for affected in record.get("affected", ()) if "withdrawn" not in record else ():
            package = affected.get("package", {})
            name = canonicalize_name(package.get("name", ""))
            if package.get("ecosystem") == "PyPI" and name in found:
                found[name] |= {(record["id"], specifier) for specifier in specifiers(affected)}
    return {name: [{"id": id, "affected": affected} for id, affected in sorted(all)] for name, all in found.items()}


def specifiers(affected: Mapping[str, Any]) -> Iterator[str]:
    """The versions of one `affected` of a record: a specifier for each range, for each version where there is none."""
    ranges = [range for range in affected.get("ranges", ()) if range.get("type") == "ECOSYSTEM"]
    for range in ranges:
        since: str | None = None
        for event in range["events"]:
            if "introduced" in event:
                since = "" if event["introduced"] == "0" else f">={event['introduced']}"
            else:
                end = f"<{event['fixed']}" if "fixed" in event else f"<={event['last_affected']}"
                yield ",".join(filter(None, (since, end)))
                since = None
        if since is not None:
            yield since
    if not ranges:
        yield from (f"=={version}" for version in affected.get("versions", ()))


def read(export: Path) -> Iterator[dict[str, Any]]:
    """The records of OSV's export."""
    with zipfile.ZipFile(export) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def main() -> None:
    parser = argparse.ArgumentParser(prog="pins.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--installed", action="store_true")
    parser.add_argument("--read", type=Path, metavar="FILE")
    options = parser.parse_args()
    pinned = pins((HERE / "constraints.txt").read_text("utf-8"))
    file = HERE / "advisories.json"
    known = json.loads(file.read_text("utf-8"))
    if options.read:
        found = advisories(read(options.read), pinned)
        ids = {advisory["id"] for all in found.values() for advisory in all}
        accepted = {id: why for id, why in known["accepted"].items() if id in ids}
        known = {"read": f"{datetime.now(UTC):%Y-%m-%d}", "accepted": accepted, "advisories": found}
        file.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    wrong = list(problems(pinned, known))
    if options.installed:
        installed: dict[str, Version] = {canonicalize_name(each.name): Version(each.version) for each in distributions()}
        installed.pop("amicleaner", None)
        wrong += unpinned(installed, pinned)
    print(f"{len(pinned)} pins, held against the advisories of {known['read']}")
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
