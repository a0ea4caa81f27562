"""The article's sessions, line by line, at the simulated account."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

import amicleaner

from .process import MODULE, Finished, run
from .sessions import ARTICLE, contains

DEFAULT, KEEP_2, BY_NAME, BY_TAGS = ARTICLE


def session(arguments: str, answer: str, words: Sequence[str] = ()) -> tuple[Finished, str]:
    """Runs one; its text up to the prompt has all of the article's.  Returns what it left behind, and the text that came
    later."""
    finished = run("--demo", *arguments.split(), answer=answer, words=words)
    asked, end, later = finished.out.partition(" [y/N] ? : \n")
    assert contains(asked + end, arguments), asked
    return finished, later


def test_the_default_and_a_yes() -> None:
    finished, later = session(DEFAULT, "y\n")
    assert (finished.status, finished.errors) == (0, [])
    assert (
        "\nPlan: delete 4 AMIs and 4 snapshots, freeing up to 32 GiB (up to $1.60/month). "
        "Keep 17: 16 newest in group, 1 untagged.\n"
    ) in finished.out
    head, *after = later.splitlines()
    assert head == "Cleaning 4 AMIs ..."
    deregistered = [line for line in after if line.endswith(" deregistered")]
    assert sorted(deregistered) == [f"ami-{end} deregistered" for end in ("50504e36", "954658f3", "9d4759fb", "fd4c529b")]
    assert len({line for line in after if re.fullmatch("snap-[0-9a-f]{17} deleted", line)}) == 4
    assert after[8].startswith("Deleted 4 AMIs and 4 snapshots (up to 32 GiB, up to $1.60/month) in ")


def test_another_number_to_keep_and_no_answer_by_the_module() -> None:
    finished, later = session(KEEP_2, "", MODULE)
    assert (finished.status, later) == (1, "")
    assert finished.errors[0].startswith("Error: No confirmation given")


@pytest.mark.parametrize("arguments", [BY_NAME, BY_TAGS])
def test_a_full_report_and_a_no(arguments: str) -> None:
    finished, later = session(arguments, "n\n")
    assert (finished.status, later, finished.errors) == (0, "Nothing was deleted.\n", [])


@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_the_version_is_bare(flag: str) -> None:
    finished = run(flag)
    assert (finished.status, finished.out, finished.err) == (0, f"{version('amicleaner')}\n", "")
    assert finished.out.strip() == amicleaner.__version__


@pytest.mark.parametrize("arguments", ["--version", "--help", "--keep-previous -1", "--nonsense"])
def test_the_module_is_the_command(arguments: str, tmp_path: Path) -> None:
    assert run(*arguments.split(), words=MODULE, cwd=tmp_path) == run(*arguments.split(), cwd=tmp_path)
