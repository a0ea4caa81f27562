"""What is installed: one version, the command, types, and nothing loaded that was not asked for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import distribution, distributions, files, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import amicleaner

ROOT = Path(__file__).parent.parent
TESTED_WHEEL = os.environ.get("TESTED_PACKAGE") == "wheel"
only_wheel = pytest.mark.skipif(not TESTED_WHEEL, reason="the package under test is not an installed wheel")


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.stdout


@only_wheel
def test_the_tests_import_the_wheel() -> None:
    assert ROOT not in Path(amicleaner.__file__).parents or ".tox" in amicleaner.__file__
    assert Path(run("import amicleaner; print(amicleaner.__file__)").strip()) == Path(amicleaner.__file__)


@only_wheel
def test_the_wheel_holds_the_package_its_types_and_its_license() -> None:
    held = {str(file) for file in files("amicleaner") or ()}
    sources = {str(file.relative_to(ROOT)) for file in (ROOT / "amicleaner").rglob("*.py")}
    assert sources <= held
    assert "amicleaner/py.typed" in held
    assert any(file.endswith("licenses/LICENSE") for file in held)
    assert not any(file.startswith(("tests", "bench")) for file in held)


@only_wheel
def test_the_wheel_has_the_command_and_the_version() -> None:
    installed = distribution("amicleaner")
    assert installed.version == amicleaner.__version__
    (command,) = installed.entry_points.select(group="console_scripts")
    assert (command.name, command.value) == ("amicleaner", "amicleaner.cli:main")
    assert command.load() is not None


@only_wheel
def test_the_wheel_needs_four_packages_to_run() -> None:
    needed = [re.match(r"[\w.-]+", line) for line in requires("amicleaner") or () if "extra" not in line]
    assert sorted(match[0] for match in needed if match) == ["blessings", "boto3", "click", "prettytable"]


def test_the_version_is_set_in_one_place() -> None:
    places = [
        str(path.relative_to(ROOT))
        for pattern in ("amicleaner/**/*.py", "*.toml", "*.py", "*.ini", "*.txt")
        for path in ROOT.glob(pattern)
        if re.search(rf"""["'= ]{re.escape(amicleaner.__version__)}["'\s]""", path.read_text("utf-8"))
    ]
    assert places == ["amicleaner/version.py"]


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"boto3", "botocore", "blessings", "curses", "click", "prettytable", "moto"}
    assert run(f"import sys, amicleaner; amicleaner.__version__; print({heavy} & {{*sys.modules}})") == "set()\n"


def test_the_library_can_be_imported_from_the_package() -> None:
    assert (
        run("from amicleaner import *; print(Config.__name__, Result.__name__, clean.__name__)") == "Config Result clean\n"
    )


def test_an_unknown_name_raises_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'amicleaner' has no attribute 'cleanup'"):
        amicleaner.cleanup  # noqa: B018
    assert not hasattr(amicleaner, "__path_to_nothing__")


def pins(name: str) -> dict[str, str]:
    """Name to version, in one of the files that uv makes."""
    text = (ROOT / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE))


def closure(name: str) -> set[str]:
    """The distributions that one needs, and those that these need, without extras."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for line in requires(waiting.pop()) or ():
            requirement = Requirement(line)
            needed = canonicalize_name(requirement.name)
            if needed not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                found.add(needed)
                waiting.append(needed)
    return found


@only_wheel
def test_the_requirements_are_everything_that_the_package_needs_to_run() -> None:
    assert pins("requirements.txt").keys() == closure("amicleaner")


def test_the_requirements_are_pinned_as_for_the_tests_and_have_hashes() -> None:
    constraints = pins(".ci/constraints.txt")
    for name, version in pins("requirements.txt").items():
        assert constraints[name] == version
    entries = re.split(r"\n(?=[a-z])", (ROOT / "requirements.txt").read_text("utf-8"))[1:]
    assert len(entries) == len(pins("requirements.txt"))
    assert all("--hash=sha256:" in entry for entry in entries)


@only_wheel
def test_everything_that_is_installed_is_pinned() -> None:
    installed = {canonicalize_name(each.name): each.version for each in distributions()}
    given = {"amicleaner", "pip", "setuptools"}  # a new environment brings along the last two
    pinned = pins(".ci/constraints.txt")
    assert {name: version for name, version in installed.items() if name not in given and pinned.get(name) != version} == {}


def test_ci_runs_the_commands_of_the_readme() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    commands = [line for line in lines if line.startswith("python3 -m venv .venv && ")]
    assert [command.split("/")[-1].split()[0] for command in commands] == ["amicleaner", "tox"]
