"""The prompts, answered by a pipe, by the end of the input, or not asked at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from .accounts import FOUR, ORPHAN_QUESTION, QUESTION, Account, article_account, snapshot_of
from .process import INSTALLED, Finished, by_starter, run

ORPHANS = ("snap-0badcafe", "snap-0badcaff")


@pytest.fixture
def account() -> Iterator[Account]:
    with article_account() as account:
        yield account


def removed(account: Account, *amis: str) -> bool:
    """Whether these AMIs and their snapshots are gone, and no others, each by one call."""
    assert sorted(account.deletions()) == [("DeregisterImage", ami) for ami in sorted(amis)]
    return not account.images.intersection(amis) and len(account.images) == 21 - len(amis)


def through_a_pipe(shell: str, account: Account, *args: str) -> Finished:
    """A line of a shell, in which `"$@"` is the command: a new Python where it closes a stream."""
    command = INSTALLED if "&-" in shell else by_starter()
    return run(*args, words=["bash", "-o", "pipefail", "-c", shell, "bash", *command], env=account.environment)


# tests/report/test_prompt.py has every other answer.


def test_yes_deletes_what_the_plan_says(account: Account) -> None:
    finished = run(answer="y\n", env=account.environment)
    assert (finished.status, finished.errors) == (0, [])
    question, *after = finished.out[finished.out.index("Do you want") :].splitlines()
    assert question == QUESTION.format(4)
    assert after[0] == "Cleaning 4 AMIs ..."
    done = [line for ami in FOUR for line in (f"{ami} deregistered", f"{snapshot_of(ami)} deleted")]
    assert sorted(after[1:9]) == sorted(done)
    assert after[9].startswith("Deleted 4 AMIs and 4 snapshots ")
    assert removed(account, *FOUR)
    assert not account.snapshots.intersection(map(snapshot_of, FOUR))
    assert len(account.snapshots) == 17


def test_any_other_answer_deletes_nothing(account: Account) -> None:
    finished = run(answer="\ny\n", env=account.environment)
    assert (finished.status, finished.errors) == (0, [])
    assert finished.out.endswith(f"\n{QUESTION.format(4)}\nNothing was deleted.\n")
    assert finished.out.count("[y/N]") == 1
    assert removed(account)


def test_the_program_yes_answers(account: Account) -> None:
    finished = through_a_pipe('yes y | "$@"; exit "${PIPESTATUS[1]}"', account)
    assert (finished.status, finished.errors) == (0, [])
    assert finished.out.count("[y/N]") == 1
    assert removed(account, *FOUR)


@pytest.mark.parametrize("shell", ['"$@" </dev/null', '"$@" <&-'])
def test_end_of_input_is_an_error(account: Account, shell: str) -> None:
    finished = through_a_pipe(shell, account)
    assert finished.status == 1
    assert finished.out.endswith(f"\n{QUESTION.format(4)}\n")
    [error] = finished.errors
    assert error.startswith(
        "Error: No confirmation given (standard input is closed or not a terminal). Nothing was deleted. "
    )
    assert removed(account)


def test_each_prompt_reads_its_own_answer(account: Account) -> None:
    text, started = "Created by CreateImage(i-0) for ami-654b5503 from vol-0", datetime(2017, 6, 15, tzinfo=UTC)
    for id in ORPHANS:
        account.region.add_snapshot(text, snapshot_id=id, started=started)
    finished = run("--check-orphans", answer="y\nn\n", env=account.environment)
    assert (finished.status, finished.errors) == (0, [])
    lines = finished.lines
    asked = lines.index(ORPHAN_QUESTION.format(2))
    assert any("Orphan Snapshots" in line for line in lines[:asked])
    assert all(any(id in line for line in lines[:asked]) for id in ORPHANS)
    assert lines[asked + 1] == "Removing orphan snapshots..."
    assert sorted(lines[asked + 2 : asked + 4]) == [f"{id} deleted" for id in ORPHANS]
    assert lines[asked + 4 : asked + 6] == ["2 orphan snapshots successfully removed !", "Default values : ==>"]
    assert lines[-2] == QUESTION.format(4)
    assert not account.snapshots.intersection(ORPHANS)
    assert len(account.images) == len(account.snapshots) == 21


def test_closed_streams_stop_nothing(account: Account) -> None:
    assert through_a_pipe('echo y | "$@" >&- 2>&-', account).status == 0
    assert removed(account, *FOUR)
