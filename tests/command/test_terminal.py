"""The command at a pseudo-terminal: styles where they can be, plain text elsewhere, and always the question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from amicleaner.demo import IMAGES

from .accounts import FOUR, QUESTION, Account, article_account, snapshot_of
from .process import ESCAPE, Finished
from .terminal import Terminal, plain

BOLD, GREEN = "\x1b[1m", "\x1b[32m"
DEFAULT_LINES = [
    "Default values : ==>",
    "mapping_key : tags",
    "mapping_values : ['environment', 'role']",
    "keep_previous : 4",
]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """The article's account; the tests here say no, or end what they began with a copy of their own."""
    with article_account() as account:
        yield account


@pytest.fixture
def own_account() -> Iterator[Account]:
    with article_account() as account:
        yield account


def answered(
    account: Account, answer: str, *args: str, env: Mapping[str, str | None] | None = None, columns: int = 80
) -> Finished:
    with Terminal(*args, env={**account.environment, **(env or {})}, columns=columns) as terminal:
        terminal.read_until("[y/N] ? : ")
        terminal.type(answer + "\n")
        return terminal.finish()


def shown_lines(finished: Finished) -> list[str]:
    """What is to be seen once it is over: progress is gone by then."""
    return [re.sub(r".*\r", "", line.rstrip("\r")).rstrip() for line in plain(finished.out).split("\n")]


def test_styles_and_a_yes(own_account: Account) -> None:
    finished = answered(own_account, "y")
    assert finished.status == 0
    assert f"{BOLD}Default values : ==>\x1b" in finished.out
    assert f"{GREEN}keep_previous : 4\x1b" in finished.out
    assert f"{BOLD}AMIs to be removed:\x1b" in finished.out
    lines = shown_lines(finished)
    assert lines[:4] == DEFAULT_LINES
    after = lines.index(QUESTION.format(4) + "y") + 1
    expected = [line for ami in FOUR for line in (f"{ami} deregistered", f"{snapshot_of(ami)} deleted")]
    assert lines[after:] == ["Cleaning 4 AMIs ...", *expected, ""]
    assert len(own_account.images) == len(own_account.snapshots) == 17


PLAIN: dict[str, dict[str, str | None]] = {
    "TERM empty": {"TERM": ""},
    "TERM unset": {"TERM": None},
    "TERM unknown": {"TERM": "unknown"},
    "TERM nobody knows": {"TERM": "no-such-terminal"},
    "TERM dumb": {"TERM": "dumb"},
    "NO_COLOR": {"NO_COLOR": "1"},
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_text(account: Account, name: str) -> None:
    finished = answered(account, "n", env=PLAIN[name])
    assert finished.status == 0
    assert "\x1b" not in finished.out
    assert finished.untroubled
    lines = shown_lines(finished)
    assert lines[:4] == DEFAULT_LINES
    assert lines[-2:] == [QUESTION.format(4) + "n", ""]


def test_an_empty_no_color_is_none(account: Account) -> None:
    assert BOLD in answered(account, "n", env={"NO_COLOR": ""}).out


@pytest.mark.parametrize("kind, drawn", [("xterm-256color", True), ("dumb", False)])
def test_progress_is_drawn_and_gone_where_a_line_can_be_drawn_over(own_account: Account, kind: str, drawn: bool) -> None:
    own_account.fake_aws.latency = 0.6
    finished = answered(own_account, "n", env={"TERM": kind})
    assert ("Reading: " in finished.out) is drawn
    assert bool(re.search(r"\r(?!\r?\n)", finished.out)) is drawn
    lines = shown_lines(finished)
    assert not any("Reading: " in line for line in lines)
    assert lines[lines.index("Retrieving AMIs to clean ...") + 1 :][:2] == ["", "AMIs to be removed:"]


@pytest.mark.parametrize("kind", [None, "", "no-such-terminal", "xterm-256color"])
def test_help_at_a_terminal(kind: str | None) -> None:
    with Terminal("--help", env={"TERM": kind}) as terminal:
        finished = terminal.finish()
    assert finished.status == 0
    assert finished.untroubled
    assert "\r\nUsage: amicleaner" in "\r\n" + finished.out
    assert max(map(len, finished.out.splitlines())) <= 80


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_tables_fit_and_the_question_is_to_be_seen(account: Account, columns: int) -> None:
    finished = answered(account, "n", "--full-report", "--explain", "--keep-previous", "3", columns=columns)
    assert finished.status == 0
    lines = shown_lines(finished)
    assert lines[-2] == QUESTION.format(8) + "n"
    table: list[str] = []
    tables = []
    for line in lines:
        if line.startswith(("+", "|")):
            table.append(line)
        elif table:
            tables.append(table)
            table = []
    assert len(tables) == 7
    for table in tables:
        assert len(set(map(len, table))) == 1
        assert len(table[0]) <= columns
        assert table[0][0] == table[0][-1] == table[-1][-1] == "+"
    # What was to fit is all there: an id is never cut.
    text = "\n".join(lines)
    assert all(image.id in text for image in IMAGES)


def test_a_pipe_for_the_output_is_plain_and_the_answer_comes_from_the_terminal(own_account: Account) -> None:
    with Terminal(env=own_account.environment, piped=("stdout",)) as terminal:
        terminal.type("y\n")
        finished = terminal.finish()
    assert finished.status == 0
    assert not ESCAPE.search(finished.out)
    assert finished.out.startswith("\n".join(DEFAULT_LINES))
    assert f"\n{QUESTION.format(4)}\nCleaning 4 AMIs ...\n" in finished.out
    assert len(own_account.images) == 17


def test_a_machine_format_in_a_pipe_talks_to_the_terminal(account: Account) -> None:
    with Terminal("--output", "json", env=account.environment, piped=("stdout",)) as terminal:
        terminal.read_until("[y/N] ? : ")
        terminal.type("n\n")
        finished = terminal.finish()
    assert finished.status == 0
    assert finished.out.startswith('{\n"version": 1')
    assert f"{BOLD}AMIs to be removed:" in finished.err
    assert '"version"' not in finished.err


def test_only_the_errors_at_a_terminal(account: Account) -> None:
    with Terminal("--dry-run", env=account.environment, piped=("stdout", "stdin")) as terminal:
        finished = terminal.finish()
    assert finished.status == 0
    assert not ESCAPE.search(finished.out)
    assert plain(re.sub(r"[^\n]*\r", "", finished.err)) == ""


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_letters_that_the_terminal_s_encoding_lacks(own_account: Account, locale: dict[str, str]) -> None:
    own_account.region.images["ami-50504e36"].name = "frönt-日本"
    own_account.region.images["ami-50504e36"].tags["role"] = "frönt"
    finished = answered(own_account, "y", "--full-report", "--keep-previous", "0", env=locale)
    assert finished.status == 0
    assert finished.untroubled
    assert "ami-50504e36 deregistered" in finished.out
