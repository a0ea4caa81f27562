"""The screen at a pseudo-terminal: it fits every width, is in colour only where that matters, and always has the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import pytest

from amicleaner.demo.article import IMAGES

from .accounts import FOUR, QUESTION, Account, article_account, snapshot_of
from .process import ESCAPE, INSTALLED, LOAD_DEMO, Finished, socket_of_starter
from .sessions import ARTICLE, contains
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


# Widths


def unbroken(lines: list[str], columns: int) -> None:
    """No line is wider than the terminal, except a prompt, and the lines of a table are of one length."""
    for line in lines:
        assert len(line) <= columns or "[y/N]" in line, line
    for above, below in pairwise(lines):
        if above.startswith(("+", "|")) and below.startswith(("+", "|")):
            assert len(above) == len(below)


@pytest.mark.parametrize("columns", [60, 120])
def test_screen_of_one_target_fits(account: Account, columns: int) -> None:
    finished = answered(account, "n", "--full-report", "--explain", "--keep-previous", "3", columns=columns)
    assert finished.status == 0
    lines = shown_lines(finished)
    assert lines[-3:] == [QUESTION.format(8) + "n", "Nothing was deleted.", ""]
    unbroken(lines, columns)
    # What can't be narrower is whole: an id is never cut.
    text = "\n".join(lines)
    assert all(image.id in text for image in IMAGES)
    # A sentence that is joined again is the sentence.
    assert "freeing up to 64 GiB (up to $3.20/month). Keep 13:" in " ".join(text.split())


@pytest.mark.parametrize("columns, env", [(60, {}), (120, {"TERM": "dumb"})])
def test_screen_of_many_targets_fits(columns: int, env: dict[str, str]) -> None:
    with Terminal(
        "--demo", "tour", "--quarantine", "3", env=env, columns=columns, by=socket_of_starter(LOAD_DEMO)
    ) as terminal:
        terminal.read_until("[y/N] ? : ")
        terminal.type("n\n")
        finished = terminal.finish()
    assert finished.status == 0
    assert bool(ESCAPE.search(finished.out)) == (not env)
    lines = shown_lines(finished)
    assert lines[0].startswith("Demo: a simulated account in memory. Nothing real is")
    unbroken(lines, columns)
    text = "".join(lines)
    assert all(re.search(id, text) for id in ("eu-west-1", "us-east-1", "123456789012"))
    prompt = "Do you want to continue, remove 1 AMI and quarantine 13 AMIs [y/N] ? : "
    assert prompt in "\n".join(lines)


@pytest.mark.parametrize("arguments", ARTICLE)
def test_sessions_of_the_article_are_on_a_terminal_too(account: Account, arguments: str) -> None:
    shown = "\n".join(shown_lines(answered(account, "n", *arguments.split(), columns=120)))
    prompt = shown.index(" [y/N] ? : ")
    assert contains(shown[:prompt] + " [y/N] ? :", arguments)


# Styles


def test_only_deletions_warnings_errors_and_headings_are_styled(own_account: Account) -> None:
    own_account.region.snapshots[snapshot_of(FOUR[0])].return_code = "client-error"
    finished = answered(own_account, "y", columns=120)
    assert finished.status == 1
    lines = shown_lines(finished)
    assert lines[lines.index(QUESTION.format(4) + "y") + 1] == "Cleaning 4 AMIs ..."
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


PLAIN: dict[str, dict[str, str | None]] = {
    "TERM empty": {"TERM": ""},
    "TERM unset": {"TERM": None},
    "TERM unknown": {"TERM": "unknown"},
    "TERM that nobody knows": {"TERM": "no-such-terminal"},
    "TERM dumb": {"TERM": "dumb"},
    "NO_COLOR": {"NO_COLOR": "1"},
}


@pytest.mark.parametrize("name", PLAIN)
def test_terminal_without_styles_shows_plain_text(account: Account, name: str) -> None:
    finished = answered(account, "n", env=PLAIN[name])
    assert finished.status == 0
    assert "\x1b" not in finished.out
    assert finished.untroubled
    assert QUESTION.format(4) + "n" in shown_lines(finished)


@pytest.mark.parametrize("kind, drawn", [("xterm-256color", True), ("dumb", False)])
def test_progress_is_drawn_and_goes_away(own_account: Account, kind: str, drawn: bool) -> None:
    own_account.fake_aws.latency = 0.3
    finished = answered(own_account, "n", env={"TERM": kind})
    assert ("Scanning… 0/1 Region" in finished.out) is drawn
    assert not any("Scanning…" in line for line in shown_lines(finished))


@pytest.mark.parametrize("kind", [None, "no-such-terminal", "xterm-256color"])
def test_help_fits_a_terminal(kind: str | None) -> None:
    with Terminal("--help", env={"TERM": kind}) as terminal:
        finished = terminal.finish()
    assert finished.status == 0
    assert finished.untroubled
    assert "\r\nUsage: amicleaner" in "\r\n" + finished.out
    assert max(map(len, finished.out.splitlines())) <= 80


# Streams that are pipes


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


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_letters_that_the_terminal_lacks_stop_nothing(own_account: Account, locale: dict[str, str]) -> None:
    own_account.region.images["ami-50504e36"].name = "frönt-日本"
    own_account.region.images["ami-50504e36"].tags["role"] = "frönt"
    finished = answered(own_account, "y", "--full-report", "--keep-previous", "0", env=locale, words=INSTALLED)
    assert finished.status == 0
    assert finished.untroubled
    assert "ami-50504e36 deregistered" in finished.out
