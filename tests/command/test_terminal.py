"""The screen at a pseudo-terminal: it fits, is in colour only where that matters, and always has the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import pytest

from amicleaner.demo.article import IMAGES

from .accounts import FOUR, QUESTION, Account, article_account, snapshot_of
from .process import ESCAPE, INSTALLED, Finished
from .sessions import contains
from .terminal import Terminal, plain

BOLD, RED, YELLOW = "\x1b[1m", "\x1b[31m", "\x1b[33m"
RESET = "\x1b(B\x1b[m"


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """The article's account, for tests that delete nothing."""
    with article_account() as account:
        yield account


@pytest.fixture
def own_account() -> Iterator[Account]:
    with article_account() as account:
        yield account


def answered(
    account: Account,
    answer: str,
    *args: str,
    env: Mapping[str, str | None] | None = None,
    columns: int = 80,
    words: Sequence[str] = (),
) -> Finished:
    with Terminal(*args, env={**account.environment, **(env or {})}, columns=columns, words=words) as terminal:
        terminal.read_until("[y/N] ? : ")
        terminal.type(answer + "\n")
        return terminal.finish()


def shown_lines(finished: Finished) -> list[str]:
    """What can be seen when it is over: progress is gone by then."""
    return [re.sub(r".*\r", "", line.rstrip("\r")).rstrip() for line in plain(finished.out).split("\n")]


def styled(text: str, style: str) -> list[str]:
    """The pieces of a screen that are in a style."""
    return re.findall(re.escape(style) + r"(.*?)" + re.escape(RESET), text.replace("\r\n", "\n"), re.DOTALL)


def test_screen_fits_the_terminal(account: Account) -> None:
    finished = answered(account, "n", "--full-report", "--explain", "--keep-previous", "3", columns=60)
    assert finished.status == 0
    lines = shown_lines(finished)
    assert lines[-3:] == [QUESTION.format(8) + "n", "Nothing was deleted.", ""]
    assert all(len(line) <= 60 or "[y/N]" in line for line in lines)
    for above, below in pairwise(lines):
        if above.startswith(("+", "|")) and below.startswith(("+", "|")):
            assert len(above) == len(below)
    # What can't be narrower is whole: an id is never cut.
    text = "\n".join(lines)
    assert all(image.id in text for image in IMAGES)
    # A sentence that is joined again is the sentence.
    assert "freeing up to 64 GiB (up to $3.20/month). Keep 13:" in " ".join(text.split())


def test_only_deletions_warnings_errors_and_headings_are_styled(own_account: Account) -> None:
    own_account.region.snapshots[snapshot_of(FOUR[0])].return_code = "client-error"
    finished = answered(own_account, "y", columns=120)
    assert finished.status == 1
    lines = shown_lines(finished)
    answer = lines.index(QUESTION.format(4) + "y")
    assert contains("\n".join([*lines[:answer], QUESTION.format(4)]), ""), "as in the article"
    assert lines[answer + 1] == "Cleaning 4 AMIs ..."
    red = styled(finished.out, RED)
    assert red[0] == "To be deleted, oldest first:"
    assert red[1].startswith("Plan: delete 4 AMIs and 4 snapshots")
    assert red[2] == "1 failed snapshots"
    assert all(text.startswith("Error: ") for text in red[3:])
    assert red[3:]
    assert all(text.startswith("Warning: ") for text in styled(finished.out, YELLOW))
    bold = styled(finished.out, BOLD)
    assert bold[:3] == ["Default values : ==>", "Retrieving AMIs to clean ...", "AMIs to be removed:"]
    assert bold[3:5] == [QUESTION.format(4), "Cleaning 4 AMIs ..."]
    assert {*re.findall(r"\x1b\[[0-9;]*m", finished.out)} == {BOLD, RED, YELLOW, "\x1b[m"}
    assert len(own_account.images) == 17


@pytest.mark.parametrize("env", [{"TERM": None}, {"NO_COLOR": "1"}])
def test_terminal_without_styles_shows_plain_text(account: Account, env: dict[str, str | None]) -> None:
    finished = answered(account, "n", env=env)
    assert finished.status == 0
    assert "\x1b" not in finished.out
    assert finished.untroubled
    assert QUESTION.format(4) + "n" in shown_lines(finished)


def test_progress_is_drawn_and_goes_away(own_account: Account) -> None:
    own_account.fake_aws.latency = 0.3
    finished = answered(own_account, "n")
    assert "Scanning… 0/1 Region" in finished.out
    assert not any("Scanning…" in line for line in shown_lines(finished))


def test_output_in_a_pipe_is_plain_and_the_answer_comes_from_the_terminal(own_account: Account) -> None:
    with Terminal(env=own_account.environment, piped=("stdout",)) as terminal:
        terminal.type("y\n")
        finished = terminal.finish()
    assert finished.status == 0
    assert not ESCAPE.search(finished.out)
    assert finished.out.startswith("Default values : ==>\n")
    assert f"\n{QUESTION.format(4)}\nCleaning 4 AMIs ...\n" in finished.out
    assert len(own_account.images) == 17


def test_messages_of_a_document_in_a_pipe_are_on_the_terminal(account: Account) -> None:
    with Terminal("--output", "json", env=account.environment, piped=("stdout",)) as terminal:
        terminal.read_until("[y/N] ? : ")
        terminal.type("n\n")
        finished = terminal.finish()
    assert finished.status == 0
    assert finished.out.startswith('{\n"version": 1')
    assert f"{BOLD}AMIs to be removed:" in finished.err
    assert '"version"' not in finished.err


def test_letters_that_the_terminal_lacks_stop_nothing(own_account: Account) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    own_account.region.images["ami-50504e36"].name = "frönt-日本"
    own_account.region.images["ami-50504e36"].tags["role"] = "frönt"
    finished = answered(own_account, "y", "--full-report", "--keep-previous", "0", env=locale, words=INSTALLED)
    assert finished.status == 0
    assert finished.untroubled
    assert "ami-50504e36 deregistered" in finished.out
