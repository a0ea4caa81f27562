"""Whatever stands on the command line and in the environment: a message or a run, and the run is what the words say."""

from __future__ import annotations

import contextlib
import io
import os
import re
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amicleaner.cli import _status
from amicleaner.config import Config
from amicleaner.options import BY_NAME, OPTIONS
from amicleaner.result import Result
from tests.hostile import moves_no_cursor
from tests.report.accounts import hostile

ONLY_THERE = [option for option in OPTIONS if option.command_line_only]
FLAGS = [*(option.flag for option in OPTIONS), "-f", "-h", "-v", "--help", "--version"]
VALUES = (
    "", "-", "--", "0", "1", "-1", "4", "9" * 400, "9" * 5000, "1e400", "nan", "-0.0", "٣", "name", "tags", "json", "table",
    "environment", "role", "k=v", "=v", "ami-12345678", "ami-0123456789abcdef0", "ami-1", "eu-west-1", "eu-*", "[", "spot",
    "instances", "arn:aws:iam::111111111111:role/r", "111111111111", "plan.json", "a\0b", "\udcff", "true", "x" * 100_000,
)  # fmt: skip
TEXT = st.sampled_from(VALUES) | hostile
NOT_ALONE = st.sampled_from(FLAGS) | st.builds("{}={}".format, st.sampled_from(FLAGS), TEXT)
WORDS = st.lists(
    st.one_of(
        NOT_ALONE, NOT_ALONE, TEXT, st.sampled_from(FLAGS).map(lambda flag: flag[:-1]), st.sampled_from(("-ff", "-fh"))
    ),
    max_size=7,
)
NAMES = st.sampled_from([*(option.name.upper() for option in OPTIONS), "NO_SUCH", "", "keep_previous", "\udcff"])
ENVIRONMENT = st.dictionaries(
    NAMES, TEXT.map(lambda text: os.fsdecode(os.fsencode(text.encode("utf-8", "replace"))).replace("\0", "")), max_size=2
)


@dataclass
class Ended:
    """How the command ended; `config` is that of the run, if it came to one."""

    status: int
    out: str
    err: str
    configs: list[Config] = field(default_factory=list)


def end_of(words: list[str], environ: dict[str, str] | None = None) -> Ended:
    """The command in this process, up to the run."""
    configs: list[Config] = []

    def clean(config: Config, **_: Any) -> Result:
        configs.append(config)
        return Result()

    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch("amicleaner.run.clean", clean),
        mock.patch.dict(os.environ, {f"AMICLEANER_{name}": text for name, text in (environ or {}).items()}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        status = _status(words)
    return Ended(status, out.getvalue(), err.getvalue(), configs)


def check_message(ended: Ended) -> None:
    """A message of a few lines that moves no cursor; nothing ran."""
    assert ended.status == 2
    assert not ended.configs
    assert ended.out == ""
    assert ended.err.startswith("Error: ")
    assert "fault of amicleaner" not in ended.err
    assert moves_no_cursor(ended.err)


def said(words: list[str], option: str) -> bool:
    """Whether a flag stands there as a word of its own."""
    words = words[: words.index("--")] if "--" in words else words
    return option in words


@given(WORDS, ENVIRONMENT)
@example(["--mapping-values", "--dry-run"], {})
@example(["--keep-tag", "a", "-f", "--region=--dry-run"], {})
@example(["-ff", "--dry-run"], {})
def test_whatever_the_words(words: list[str], environ: dict[str, str]) -> None:
    ended = end_of(words, environ)
    if ended.status == 2:
        check_message(ended)
        return
    assert (ended.status, ended.err) == (0, "")
    if not ended.configs:
        assert any(word in words for word in ("-h", "--help", "-v", "--version", "-fh", "--iam-policy")) or environ
        return
    [config] = ended.configs
    # What was said to be careful is never lost, and what deletes stands on the command line, in so many words.
    assert config.dry_run or not said(words, "--dry-run")
    assert config.check_orphans == said(words, "--check-orphans") or "CHECK_ORPHANS" in environ
    assert config.force_delete == (said(words, "--force-delete") or any(re.fullmatch("-f+", word) for word in words))
    for option in ONLY_THERE:
        value = getattr(config, option.name)
        if option.kind == "flag":
            assert not value or said(words, option.flag) or option.short
        else:
            for text in value if option.kind == "texts" else [value] if value else []:
                assert text in words or f"{option.flag}={text}" in words
    for option in OPTIONS:
        value = getattr(config, option.name)
        if option.kind == "texts" and value != option.default and option.variable.removeprefix("AMICLEANER_") not in environ:
            assert all(text in words or f"{option.flag}={text}" in words for text in value)
        if option.kind == "integer" and value != option.default:
            assert value >= (option.minimum or 0)


@given(st.sampled_from([option.name.upper() for option in ONLY_THERE]), TEXT.filter(lambda text: text.strip()))
def test_what_deletes_is_never_taken_from_the_environment(name: str, text: str) -> None:
    text = text.encode("utf-8", "replace").decode().replace("\0", "0")
    ended = end_of([], {name: text})
    check_message(ended)
    assert f"AMICLEANER_{name} is not obeyed" in ended.err


@pytest.mark.parametrize("option", BY_NAME.values(), ids=lambda option: option.name)
def test_each_option_twice(option: Any) -> None:
    """No option makes another one's value of what stands behind it."""
    ended = end_of([option.flag, option.flag, "--dry-run"])
    assert ended.status in (0, 2)
    assert all(config.dry_run for config in ended.configs)
