"""Whatever is on the command line and in the environment: a message or a run, and the run does what the words say."""

from __future__ import annotations

import contextlib
import io
import os
import re
from dataclasses import dataclass, field
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from amicleaner.cli import _status
from amicleaner.config import BY_FLAG, BY_NAME, OPTIONS, Config
from amicleaner.options import OWN, Option
from tests.hostile import moves_no_cursor
from tests.report.accounts import hostile

ONLY_THERE = [option for option in OPTIONS if option.command_line_only]
FLAGS = [*BY_FLAG, *OWN]
VALUES = (
    "", "-", "--", "0", "1", "-1", "4", "9" * 400, "9" * 5000, "1e400", "nan", "-0.0", "٣", "name", "tags", "json", "table",
    "environment", "role", "k=v", "=v", "ami-12345678", "ami-0123456789abcdef0", "ami-1", "eu-west-1", "eu-*", "[", "spot",
    "instances", "arn:aws:iam::111111111111:role/r", "111111111111", "plan.json", "a\0b", "\udcff", "true", "x" * 100_000,
    "family", "pattern", "tour", "a,b", "off",
)  # fmt: skip
TEXT = st.sampled_from(VALUES) | hostile
NOT_ALONE = st.sampled_from(FLAGS) | st.builds("{}={}".format, st.sampled_from(FLAGS), TEXT)
WORDS = st.lists(
    st.one_of(
        NOT_ALONE,
        NOT_ALONE,
        TEXT,
        st.sampled_from(FLAGS).map(lambda flag: flag[:-1]),
        st.sampled_from(("-ff", "-fh", "-qy")),
    ),
    max_size=7,
)
NAMES = st.sampled_from([*(option.name.upper() for option in OPTIONS), "NO_SUCH", "", "keep_previous", "\udcff"])
ENVIRONMENT = st.dictionaries(
    NAMES, TEXT.map(lambda text: os.fsdecode(os.fsencode(text.encode("utf-8", "replace"))).replace("\0", "")), max_size=2
)


@dataclass
class Ended:
    """How the command ended; `configs` has that of the run, if there was one."""

    status: int
    out: str
    err: str
    configs: list[Config] = field(default_factory=list)


def end_of(words: list[str], environ: dict[str, str] | None = None) -> Ended:
    """The command in this process, up to the run."""
    configs: list[Config] = []

    def carry_out(config: Config) -> int:
        configs.append(config)
        return 0

    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch("amicleaner.cli._carry_out", carry_out),
        mock.patch("amicleaner.aws.iam.policy", return_value={}),
        mock.patch.dict(os.environ, {f"AMICLEANER_{name}": text for name, text in (environ or {}).items()}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        status = _status(words)
    return Ended(status, out.getvalue(), err.getvalue(), configs)


def without_warnings(err: str) -> str:
    return "".join(line for line in err.splitlines(keepends=True) if not line.startswith(("Warning: ", "Demo: ")))


def check_message(ended: Ended) -> None:
    """An error, maybe with a hint, that moves no cursor; nothing ran."""
    assert ended.status == 2
    assert not ended.configs
    assert ended.out == ""
    assert without_warnings(ended.err).startswith("Error: ")
    assert "bug in amicleaner" not in ended.err
    assert moves_no_cursor(ended.err)


def contains(words: list[str], option: Option) -> bool:
    """Whether a flag is a word of its own, in one of its spellings, or joined with other short ones."""
    words = words[: words.index("--")] if "--" in words else words
    short = "".join(alias[1] for alias in option.aliases if not alias.startswith("--"))
    return any(word in option.flags or (short and re.fullmatch(f"-[a-z]*[{short}][a-z]*", word)) for word in words)


@given(WORDS, ENVIRONMENT)
@example(["--mapping-values", "--dry-run"], {})
@example(["--keep-tag", "a", "-f", "--region=--dry-run"], {})
@example(["-ff", "--dry-run"], {})
@example(["--demo", "--dry-run", "-y"], {})
@example(["--explain", "--yes", "--explain", "ami-12345678"], {})
def test_words_become_a_message_or_the_run_that_they_describe(words: list[str], environ: dict[str, str]) -> None:
    ended = end_of(words, environ)
    if ended.status == 2:
        check_message(ended)
        return
    assert (ended.status, without_warnings(ended.err)) == (0, "")
    assert moves_no_cursor(ended.err)
    if not ended.configs:
        assert any(word in words for word in ("-h", "--help", "-v", "--version", "-fh", "--iam-policy"))
        return
    [config] = ended.configs
    # A word of caution is never lost, and what is dangerous is on the command line.
    assert config.dry_run or not contains(words, BY_NAME["dry_run"])
    assert config.check_orphans == contains(words, BY_NAME["check_orphans"]) or "CHECK_ORPHANS" in environ
    for option in ONLY_THERE:
        value = getattr(config, option.name)
        if option.kind == "flag":
            assert value == contains(words, option)
        else:
            for text in value if option.kind == "strings" else [value] if value else []:
                assert text in words or f"{option.flag}={text}" in words
    for option in OPTIONS:
        value = getattr(config, option.name)
        if (
            option.kind == "strings"
            and value != option.default
            and option.variable.removeprefix("AMICLEANER_") not in environ
        ):
            assert all(text in words or f"{option.flag}={text}" in words for text in value)
        if option.kind == "integer" and value != option.default:
            assert value >= (option.minimum or 0)


@given(st.sampled_from([option.name.upper() for option in ONLY_THERE]), TEXT.filter(lambda text: text.strip()))
def test_dangerous_option_is_never_taken_from_the_environment(name: str, text: str) -> None:
    text = text.encode("utf-8", "replace").decode().replace("\0", "0")
    ended = end_of([], {name: text})
    check_message(ended)
    assert f"AMICLEANER_{name} is not allowed" in ended.err
