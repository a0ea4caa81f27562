"""What CI installs: pinned, and held against known holes.  The pins here are made up, except in the last test."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.once

CI = Path(__file__).parents[1] / ".ci"


def hole(id: str, *ranges: dict[str, Any], package: str = "Left_Pad", **members: Any) -> dict[str, Any]:
    """A record of OSV's."""
    affected = {"package": {"ecosystem": "PyPI", "name": package}, "ranges": list(ranges)}
    return {"id": id, "affected": [affected | members.pop("affected", {})], **members}


def events(*events: tuple[str, str], type: str = "ECOSYSTEM") -> dict[str, Any]:
    return {"type": type, "events": [dict([event]) for event in events]}


class Pins:
    """The script in a folder of its own, with other pins."""

    def __init__(self, folder: Path, constraints: str, **known: Any) -> None:
        self.folder = folder
        (folder / "pins.py").write_bytes((CI / "pins.py").read_bytes())
        (folder / "constraints.txt").write_text(constraints, "utf-8")
        (folder / "advisories.json").write_text(
            json.dumps({"read": "2026-01-01", "accepted": {}, "advisories": {}} | known), "utf-8"
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", str(self.folder / "pins.py"), *arguments], capture_output=True, text=True
        )

    def complaints(self, *arguments: str) -> list[str]:
        ended = self.run(*arguments)
        assert ended.returncode == bool(ended.stderr)
        return ended.stderr.splitlines()

    @property
    def advisories(self) -> Any:
        return json.loads((self.folder / "advisories.json").read_text("utf-8"))


def of(*affected: str) -> list[dict[str, str]]:
    return [{"id": f"X-{number}", "affected": each} for number, each in enumerate(affected, 1)]


def test_pins_without_a_hole_pass(tmp_path: Path) -> None:
    pins = Pins(
        tmp_path, "# all\nleft-pad==1.10  # with a word\n\nright==2\n", advisories={"left-pad": of("<1.9"), "right": []}
    )
    assert pins.run().stdout == "2 pins, held against the advisories of 2026-01-01\n"
    assert pins.complaints() == []


@pytest.mark.parametrize("affected", ["<1.11", "<=1.10", "<2,>=1", "==1.10", ">=1.2", ""])
def test_a_pin_with_a_known_hole_is_told(tmp_path: Path, affected: str) -> None:
    pins = Pins(tmp_path, "Left_Pad==1.10\n", advisories={"left-pad": of("<1", affected)})
    assert pins.complaints() == [f"left-pad 1.10: X-2 affects {affected or 'every version'}"]


def test_a_trial_release_has_holes_too(tmp_path: Path) -> None:
    assert len(Pins(tmp_path, "a==1.0rc1\n", advisories={"a": of("<2")}).complaints()) == 1


def test_an_accepted_hole_is_none_and_an_accepted_nothing_is_told(tmp_path: Path) -> None:
    advisories = {"a": of("<2", "<3")}
    assert Pins(tmp_path, "a==1\n", advisories=advisories, accepted={"X-1": "…", "X-2": "…"}).complaints() == []
    told = Pins(tmp_path, "a==2\n", advisories=advisories, accepted={"X-2": "…", "X-3": "…"}).complaints()
    assert told == ["X-3 is accepted, and no advisory"]


def test_a_pin_that_nobody_looked_up_is_told(tmp_path: Path) -> None:
    assert Pins(tmp_path, "a==1\nb==1\n", advisories={"a": []}).complaints() == ["b: nobody looked for advisories of it"]


@pytest.mark.parametrize("open", ["a", "a>=1", "a @ file:///a.whl"])
def test_an_open_version_is_no_pin(tmp_path: Path, open: str) -> None:
    assert "is not pinned" in Pins(tmp_path, f"{open}\n").complaints()[-1]


def test_what_is_installed_and_not_pinned_is_told(tmp_path: Path) -> None:
    told = Pins(tmp_path, "packaging==0.1\n", advisories={"packaging": []}).complaints("--installed")
    assert any(line.startswith("packaging ") and line.endswith(" is installed, and 0.1 is pinned") for line in told)
    assert any(line.startswith("pytest ") and line.endswith(" is installed, and no version is pinned") for line in told)
    assert not any(line.split()[0] in {"pip", "amicleaner"} for line in told)


def test_advisories_are_read_from_osvs_export(tmp_path: Path) -> None:
    pins = Pins(tmp_path, "left-pad==9\nright==1\n", accepted={"A": "still there", "Z": "gone"})
    records = [
        hole("A", events(("introduced", "0"), ("fixed", "2")), events(("introduced", "0"), ("fixed", "abc"), type="GIT")),
        hole("B", events(("introduced", "3"), ("fixed", "4"), ("introduced", "5"), ("last_affected", "6"))),
        hole("C", events(("introduced", "7"))),
        hole("D", affected={"versions": ["1.0", "1.1"]}),
        hole("E", events(("introduced", "0"), ("fixed", "2")), withdrawn="2025-01-01T00:00:00Z"),
        hole("F", events(("introduced", "0")), package="another"),
        {"id": "G"},
    ]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("README", "")
        for record in records:
            archive.writestr(f"{record['id']}.json", json.dumps(record))
    assert pins.complaints("--read", str(tmp_path / "all.zip")) == ["left-pad 9: C affects >=7"]
    assert pins.advisories["accepted"] == {"A": "still there"}
    assert pins.advisories["advisories"] == {
        "left-pad": [
            {"id": "A", "affected": "<2"},
            {"id": "B", "affected": ">=3,<4"},
            {"id": "B", "affected": ">=5,<=6"},
            {"id": "C", "affected": ">=7"},
            {"id": "D", "affected": "==1.0"},
            {"id": "D", "affected": "==1.1"},
        ],
        "right": [],
    }


def test_the_pins_of_this_project_pass() -> None:
    ended = subprocess.run([sys.executable, "-I", str(CI / "pins.py")], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
