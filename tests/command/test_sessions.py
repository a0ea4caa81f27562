"""The article's sessions, line by line, at the simulated account."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

import amicleaner

from .process import MODULE, Finished, run
from .sessions import ARTICLE, in_order, lines_of

DEFAULT, KEEP_2, BY_NAME, BY_TAGS = ARTICLE


def session(arguments: str, answer: str, words: Sequence[str] = ()) -> tuple[Finished, str]:
    """Runs one; its text up to the question is the article's.  Returns what it left behind, and the text that came later."""
    finished = run("--demo", *arguments.split(), answer=answer, words=words)
    asked, end, later = finished.out.partition(" [y/N] ? : \n")
    assert lines_of(asked + end) == in_order(ARTICLE[arguments])
    # One line is added, right before the question.
    *before, added, question = asked.splitlines()
    count = re.findall(r"remove (\d+) AMIs", question)[0]
    assert re.fullmatch(rf"{count} AMIs and {count} snapshots go, at most .* GiB, .*; \d+ AMIs stay: .*", added)
    assert not any(" AMIs and " in line for line in before)
    return finished, later


def test_the_default_and_a_yes() -> None:
    finished, later = session(DEFAULT, "y\n")
    assert (finished.status, finished.err) == (0, "")
    assert (
        "\n4 AMIs and 4 snapshots go, at most 32 GiB, about $1.60 a month (at $0.05 a GiB); "
        "17 AMIs stay: 16 kept-previous, 1 no-tags\n"
    ) in finished.out
    assert [number for number, line in enumerate(finished.lines) if not line] == [4, 6]
    head, *after = later.splitlines()
    assert head == "Cleaning 4 AMIs ..."
    assert after[::2] == [f"ami-{end} deregistered" for end in ("50504e36", "954658f3", "9d4759fb", "fd4c529b")]
    assert all(re.fullmatch("snap-[0-9a-f]{17} deleted", line) for line in after[1::2])
    assert len(set(after)) == 8


def test_another_number_to_keep_and_no_answer_by_the_module() -> None:
    finished, later = session(KEEP_2, "", MODULE)
    assert (finished.status, later) == (1, "")
    assert finished.err.startswith("Error: The input ended at the question")


@pytest.mark.parametrize("arguments", [BY_NAME, BY_TAGS])
def test_a_full_report_and_a_no(arguments: str) -> None:
    finished, later = session(arguments, "n\n")
    assert (finished.status, later, finished.err) == (0, "", "")


@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_the_version_is_bare(flag: str) -> None:
    finished = run(flag)
    assert (finished.status, finished.out, finished.err) == (0, f"{version('amicleaner')}\n", "")
    assert finished.out.strip() == amicleaner.__version__


@pytest.mark.parametrize("arguments", ["--version", "--help", "--keep-previous -1", "--nonsense"])
def test_the_module_is_the_command(arguments: str, tmp_path: Path) -> None:
    assert run(*arguments.split(), words=MODULE, cwd=tmp_path) == run(*arguments.split(), cwd=tmp_path)
