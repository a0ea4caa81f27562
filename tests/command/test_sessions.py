"""The article's sessions, line by line, at the simulated account."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

import amicleaner

from .process import MODULE, Finished, run
from .sessions import ARTICLE, in_order, lines_of

ADDED_LINE = (
    "4 AMIs and 4 snapshots go, at most 32 GiB, about $1.60 a month (at $0.05 a GiB); "
    "17 AMIs stay: 16 kept-previous, 1 no-tags"
)


@pytest.fixture(scope="module", params=ARTICLE)
def session(request: pytest.FixtureRequest) -> tuple[str, Finished]:
    """A session's arguments, and what the command does with them and a no."""
    arguments = str(request.param)
    return arguments, run("--demo", *arguments.split(), answer="n\n")


def test_the_session_is_the_article_s_line_by_line(session: tuple[str, Finished]) -> None:
    arguments, finished = session
    assert lines_of(finished.out) == in_order(ARTICLE[arguments])


def test_a_no_ends_it_well_and_nothing_else_is_said(session: tuple[str, Finished]) -> None:
    _, finished = session
    assert (finished.status, finished.err) == (0, "")
    assert finished.out.endswith(" [y/N] ? : \n")


def test_one_line_is_added_right_before_the_question(session: tuple[str, Finished]) -> None:
    _, finished = session
    *before, added, question = finished.lines
    count = re.findall(r"remove (\d+) AMIs", question)[0]
    assert re.fullmatch(rf"{count} AMIs and {count} snapshots go, at most .* GiB, .*; \d+ AMIs stay: .*", added)
    assert not any(" AMIs and " in line for line in before)


def test_blank_lines_stand_where_they_did() -> None:
    finished = run("--demo")
    assert [number for number, line in enumerate(finished.lines) if not line] == [4, 6]
    assert finished.lines[:8:4] == ["Default values : ==>", ""]
    assert finished.lines[-2] == ADDED_LINE
    assert finished.out.endswith("Do you want to continue and remove 4 AMIs [y/N] ? : \n")
    # The input ended there, which is no answer.
    assert finished.status == 1


@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_the_version_is_bare(flag: str) -> None:
    finished = run(flag)
    assert (finished.status, finished.out, finished.err) == (0, f"{version('amicleaner')}\n", "")
    assert finished.out.strip() == amicleaner.__version__


def test_the_module_is_the_command(tmp_path: Path) -> None:
    for arguments in (("--version",), ("--help",), ("--keep-previous", "-1"), ("--nonsense",)):
        assert run(*arguments, words=MODULE, cwd=tmp_path) == run(*arguments, cwd=tmp_path)
    finished = run("--demo", "--keep-previous", "2", words=MODULE, cwd=tmp_path, answer="n\n")
    assert lines_of(finished.out) == in_order(ARTICLE["--keep-previous 2"])


@pytest.mark.parametrize("answer", ["y\n"])
def test_a_yes_cleans_the_simulated_account(answer: str) -> None:
    finished = run("--demo", answer=answer)
    assert (finished.status, finished.err) == (0, "")
    after = finished.lines[finished.lines.index("Cleaning 4 AMIs ...") + 1 :]
    amis = [line.removesuffix(" deregistered") for line in after if line.startswith("ami-")]
    snapshots = [line for line in after if re.fullmatch("snap-[0-9a-f]{17} deleted", line)]
    assert amis == ["ami-50504e36", "ami-954658f3", "ami-9d4759fb", "ami-fd4c529b"]
    assert len(set(snapshots)) == 4
    assert len(after) == 8
