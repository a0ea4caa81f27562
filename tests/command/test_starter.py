"""A process that the starter forks does what the installed command does: the same bytes and the same status."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from .accounts import article_account
from .process import INSTALLED, Finished, Running, run, socket_of_starter
from .terminal import CTRL_C, Terminal

COMMANDS = {"--keep-previous -1": "", "--full-report --output json": "y\n"}
"""Arguments and input."""


def told(finished: Finished) -> tuple[int, str, str]:
    """Without what differs from run to run: times, a checksum with a time, progress, the order of concurrent calls."""
    texts = []
    for text in (finished.out, finished.err):
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\d+(\.\d+)? s\b|[0-9a-f]{64}", "…", text)
        lines = [re.sub(r".*\r", "", line) for line in text.replace("\r\n", "\n").split("\n")]
        done = [line for line in lines if line.endswith((" deregistered", " deleted"))]
        texts.append("\n".join([line for line in lines if line not in done] + sorted(done)))
    return finished.status, texts[0], texts[1]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_forked_process_does_what_the_installed_command_does(arguments: str) -> None:
    ends = []
    for words in ((), INSTALLED):
        with article_account() as account:
            finished = run(*arguments.split(), answer=COMMANDS[arguments], env=account.environment, words=words)
            ends.append((told(finished), account.images, account.snapshots))
    assert ends[0] == ends[1]


def test_forked_process_does_the_same_at_a_terminal() -> None:
    ends = []
    for words in ((), INSTALLED):
        with article_account() as account, Terminal(env=account.environment, words=words) as terminal:
            terminal.read_until("[y/N] ? : ")
            terminal.type(CTRL_C)
            ends.append((told(terminal.finish()), account.images))
    assert ends[0] == ends[1]


FACTS = """
import os, signal, sys, threading, warnings

def run(words):
    print(words, dict(os.environ), os.getcwd(), os.getsid(0) == os.getpid(), os.umask(0), threading.active_count())
    print(os.listdir("/dev/fd"), {number: signal.getsignal(number) for number in signal.valid_signals()})
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        print(stream is getattr(sys, f"__{name}__"), stream.fileno(), stream.isatty(), stream, stream.errors)
        print(stream.newlines, stream.line_buffering, stream.write_through, stream.buffer)
    print(sys.flags, sys.warnoptions, warnings.filters, sys.path, sys.stdin.read(), file=sys.stderr)
"""


def test_forked_process_has_what_a_new_one_has(tmp_path: Path) -> None:
    new = [sys.executable, "-P", "-c", f"{FACTS}\nimport sys\nrun(sys.argv[1:])"]
    ends = []
    for words, by in ((new, ""), ((), socket_of_starter(FACTS))):
        with Running("one", "two", env={"ONE": "1"}, cwd=tmp_path, words=words, by=by) as running:
            ends.append(running.finish("answer"))
    assert ends[0] == ends[1]
    assert "answer" in ends[0].err
