"""Every way to install from a clone, as its page says; pip, pipx and uv ask the registry that they are set up for."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

import amicleaner
from tests.runner import ROOT, Runner

pytestmark = [pytest.mark.install, pytest.mark.once, pytest.mark.timeout(300)]

PAGE = (ROOT / "docs" / "install.md").read_text("utf-8")
SOURCES = ("LICENSE", "README.md", "pyproject.toml", "requirements.txt", "setup.py")
VERSION = f"{amicleaner.__version__}\n"


def block(title: str, number: int = 0) -> str:
    """A script of a section of the page."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[number])


VENV = f"""#!/bin/sh
[ "$2" = venv ] || exec {sys.executable} "$@"
{sys.executable} "$@" --without-pip
printf '#!/bin/sh\nexec {sys.executable} -m pip --python %s "$@"\n' "$3/bin/python" > "$3/bin/pip"
chmod +x "$3/bin/pip"
"""
"""A python3 whose new environments have the pip of these tests: to install one takes longer than all the rest."""


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs that the scripts call: this Python, and beside it pipx and uv."""
    program = tmp_path / "programs" / "python3"
    program.parent.mkdir()
    program.write_text(VENV)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{Path(sys.executable).parent}:{tmp_path}/bin:{os.environ['PATH']}")
    # pip compiles nothing, which takes longer than installing.  In this variable 0 stands for --no-compile.
    monkeypatch.setenv("PIP_NO_COMPILE", "0")
    for name in ("PYTHONSAFEPATH", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What an installation needs of a clone."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "amicleaner", folder / "amicleaner", ignore=shutil.ignore_patterns("__pycache__"))
    for name in SOURCES:
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def run(script: str, clone: Path) -> str:
    """Runs a script of the page in a clone, and returns its standard output; `/opt` is a folder beside the clone."""
    done = subprocess.run(
        ["sh", "-e", "-c", script.replace("/opt/", f"{clone.parent}/opt/")],
        cwd=clone,
        env={
            **os.environ,
            "PIPX_HOME": f"{clone.parent}/pipx",
            "PIPX_BIN_DIR": f"{clone.parent}/bin",
            "UV_TOOL_DIR": f"{clone.parent}/uv",
            "UV_TOOL_BIN_DIR": f"{clone.parent}/bin",
            "UV_PYTHON": sys.executable,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pip_installs_the_pinned_requirements(clone: Path) -> None:
    out = run(block("pip"), clone)
    assert out.endswith(VERSION)
    packages = clone.parent.glob("opt/amicleaner/lib/*/site-packages")
    installed = {f"{found.name}=={found.version}".lower() for found in distributions(path=[*map(str, packages)])}
    pinned = re.findall(r"^([\w.-]+==[\w.]+)", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    assert installed == {*pinned, f"amicleaner=={amicleaner.__version__}"}


def test_pipx_installs_the_command(clone: Path) -> None:
    run(block("pipx and uv").splitlines()[0], clone)
    assert run(f"{clone.parent}/bin/amicleaner --version", clone) == VERSION


def test_uv_installs_and_runs_the_command(clone: Path) -> None:
    run(block("pipx and uv").splitlines()[1], clone)
    assert run(f"{clone.parent}/bin/amicleaner --version", clone) == VERSION
    assert run(block("pipx and uv", 1), clone) == VERSION


def leave_only_click(requirements: Path) -> None:
    """Leaves what `--version` loads.  That all of them can be installed is tested once, by pip."""
    (entry,) = re.findall(r"^click==.*(?:\n +.*)*", requirements.read_text("utf-8"), re.MULTILINE)
    requirements.write_text(entry)


def test_the_action_installs_what_it_runs(clone: Path, tmp_path: Path) -> None:
    leave_only_click(clone / "requirements.txt")
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    (step,) = [step for step in action["runs"]["steps"] if step["id"] == "install"]
    runner = Runner(tmp_path, dict(os.environ))
    outputs = runner.shell(step, {"github.action_path": str(clone)})
    assert runner.status == 0, runner.log
    command = [outputs["python"], "-m", "amicleaner", "--version"]
    done = subprocess.run(command, env={"PYTHONPATH": str(clone)}, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == VERSION


def test_the_zip_of_the_function_holds_what_any_installer_installs(tmp_path: Path) -> None:
    """Nothing that pip writes as it likes: with that the zip would differ from one machine to the next."""
    script, folder, file = ROOT / "deploy" / "lambda" / "build_zip.py", tmp_path / "packages", tmp_path / "requirements.txt"
    subprocess.run([sys.executable, script, tmp_path / "function.zip"], check=True, stdout=subprocess.DEVNULL)
    file.write_text(runpy.run_path(str(script))["requirements"]((ROOT / "requirements.txt").read_text("utf-8")), "utf-8")
    subprocess.run(["uv", "pip", "install", "--quiet", "--require-hashes", "--target", folder, "-r", file], check=True)
    with zipfile.ZipFile(tmp_path / "function.zip") as archive:
        for name in archive.namelist():
            assert archive.read(name) == (ROOT if name.startswith("amicleaner/") else folder).joinpath(name).read_bytes()
        assert {"amicleaner/aws_lambda.py", "botocore/client.py"} <= {*archive.namelist()}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the container file, one stage after the other."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def ignored(name: str) -> bool:
    """Whether .dockerignore keeps a file out of the build."""
    found = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if fnmatch(name, line.removeprefix("!").removeprefix("**/")):
            found = not line.startswith("!")
    return found


def test_the_commands_of_the_container_file_install_the_command(clone: Path, tmp_path: Path) -> None:
    leave_only_click(clone / "requirements.txt")
    # uv in place of the image's pip, which takes longer: `pip --python PYTHON install …`
    pip = tmp_path / "programs" / "pip"
    pip.write_text('#!/bin/sh\npython=$2 command=$3\nshift 3\nexec uv pip "$command" --python "$python" "$@"\n')
    pip.chmod(0o755)
    source = tmp_path / "src"
    source.mkdir()
    for word, rest in instructions()[: [word for word, _ in instructions()].index("FROM", 2)]:
        if word == "COPY":
            *names, target = shlex.split(rest)
            for name in names:
                assert not ignored(name)
                copy: Any = shutil.copytree if (clone / name).is_dir() else shutil.copyfile
                copy(clone / name, source / target / name if target.endswith("/") else source / target)
        elif word == "RUN":
            run(rest, source)
    assert run("/opt/amicleaner/bin/amicleaner --version", source) == VERSION
    assert not (tmp_path / "opt/amicleaner/bin/pip").exists()


def test_the_container_runs_the_command_without_rights() -> None:
    last = dict(instructions())
    assert last["ENTRYPOINT"] == '["amicleaner"]'
    assert int(last["USER"]) > 0
    assert last["HEALTHCHECK"] == "NONE"
    assert {name for name in os.listdir(ROOT) if not ignored(name)} == {*SOURCES, "amicleaner"}
