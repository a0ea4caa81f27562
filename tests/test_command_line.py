"""From the words of a command line to a `Config`, and the messages about wrong ones.  Nothing here reaches AWS."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from amicleaner import __version__, cli
from amicleaner.cli import _status, silence_broken_pipe
from amicleaner.config import OPTIONS, SECTIONS, Config
from amicleaner.errors import AmicleanerError, AwsError, UsageError
from amicleaner.result import Result

ID, OTHER_ID = "ami-12345678", "ami-0123456789abcdef0"
DEMO = "Demo: a simulated account in memory. Nothing real is touched.\n"
Parse = Callable[..., Config]
Refuse = Callable[..., str]


@pytest.fixture
def parse(runs: list[Config], capsys: pytest.CaptureFixture[str]) -> Parse:
    def parse(*words: str) -> Config:
        status = _status(words)
        config = runs.pop()
        assert (status, capsys.readouterr().err) == (0, "" if config.demo is None else DEMO)
        return config

    return parse


@pytest.fixture
def refuse(runs: list[Config], capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Checks that wrong words end the command before anything runs; returns the message."""

    def refuse(*words: str) -> str:
        assert _status(words) == 2
        assert not runs
        out, err = capsys.readouterr()
        assert out == ""
        error, *hint = err.splitlines()
        assert error.startswith("Error: ")
        assert error.endswith(".")
        assert len(hint) <= 1
        assert all(line.startswith("Hint: ") for line in hint)
        assert "Traceback" not in err
        return err

    return refuse


# Words that people have in their scripts


def test_empty_command_line_gives_the_defaults(parse: Parse) -> None:
    assert parse() == Config()


@pytest.mark.parametrize(
    "line, expected",
    [
        ("--keep-previous=0", {"keep_previous": 0}),
        ("--ami-min-days -1", {"ami_min_days": -1}),
        (
            "--mapping-key name --mapping-values front --full-report --keep-previous 8",
            {"mapping_key": "name", "mapping_values": ("front",), "full_report": True, "keep_previous": 8},
        ),
        (
            "--mapping-values a b --keep-previous 1 --mapping-values c",
            {"mapping_values": ("a", "b", "c"), "keep_previous": 1},
        ),
        ("--mapping-values=a --mapping-values b", {"mapping_values": ("a", "b")}),
        (f"--from-ids {ID} {OTHER_ID}", {"from_ids": (ID, OTHER_ID)}),
        (f"-f --from-ids {ID} --ignore-in-use --from-ids {OTHER_ID}", {"from_ids": (ID, OTHER_ID)}),
        ("--region eu-west-1 us-* --dry-run", {"region": ("eu-west-1", "us-*"), "dry_run": True}),
        ("--skip-check spot fleets --debug", {"skip_check": ("spot", "fleets"), "debug": True}),
        ("--keep-tag keep a=b=c --only-tag=-key=v", {"keep_tag": ("keep", "a=b=c"), "only_tag": ("-key=v",)}),
        ("--full-report --", {"full_report": True}),
        *((word, {"force_delete": True, "dry_run": False}) for word in ("-f", "-y", "--yes", "--force-delete")),
        ("-fq --dry-run", {"force_delete": True, "quiet": True, "dry_run": True}),
        ("--explain", {"explain": ()}),
        (f"--explain {ID} {OTHER_ID} --dry-run", {"explain": (ID, OTHER_ID), "dry_run": True}),
        (f"--explain --dry-run --explain {ID}", {"explain": (ID,)}),
        ("--dry-run", {"explain": None, "demo": None, "keep_previous": None}),
        ("--demo --dry-run", {"demo": "article", "dry_run": True}),
        ("--demo=tour", {"demo": "tour"}),
        ("--quarantine 14 --limit 5 --max-percent 12.5", {"quarantine": 14, "limit": 5, "max_percent": 12.5}),
        ("--used-by-files infra - -f", {"used_by_files": ("infra", "-")}),
        ("--audit-log - --dry-run", {"audit_log": "-"}),
        (f"--restore {ID} audit.jsonl", {"restore": (ID, "audit.jsonl")}),
    ],
)
def test_words_become_a_config(parse: Parse, line: str, expected: dict[str, Any]) -> None:
    config = parse(*line.split())
    assert {name: getattr(config, name) for name in expected} == expected
    assert config.mapping_values == expected.get("mapping_values", ("environment", "role"))


def test_value_may_contain_anything_else(parse: Parse) -> None:
    assert parse("--mapping-values", "two words", "=x", "ünï").mapping_values == ("two words", "=x", "ünï")


# Wrong words


@pytest.mark.parametrize(
    "option, next_word",
    [
        (option.flag, word)
        for option in OPTIONS
        if option.kind in ("string", "strings") and option.bare is None
        for word in ("--dry-run", "-f", "-", "--", "--keep-previous=0")
        if not (word == "-" and option.dash)
    ],
)
def test_no_option_takes_another_as_its_value(refuse: Refuse, option: str, next_word: str) -> None:
    """A swallowed --dry-run deletes AMIs."""
    assert f"{option} requires a value." in refuse(option, next_word)
    assert f"{option} requires a value." in refuse("--full-report", option)


@pytest.mark.parametrize("option", [option.flag for option in OPTIONS if option.bare is not None])
def test_optional_value_is_no_other_option(parse: Parse, option: str) -> None:
    assert parse(option, "--dry-run").dry_run
    assert parse(option, "-q").quiet


@pytest.mark.parametrize("option", [option.flag for option in OPTIONS if option.kind in ("integer", "number")])
def test_number_is_no_other_option(refuse: Refuse, option: str) -> None:
    for words in (["--dry-run"], ["-f"], ["-"], []):
        assert f"{option} requires a number." in refuse(option, *words)


@pytest.mark.parametrize("option", [option.flag for option in OPTIONS if option.kind in ("string", "strings")])
def test_empty_value_is_refused(refuse: Refuse, option: str) -> None:
    """`--config "$FILE"` with nothing in FILE is a mistake in a script, not the wish for no file."""
    values = () if option != "--mapping-key" else ("--mapping-values", "a")
    assert f"{option}: empty value; omit the option or set a value." in refuse(option, "", *values)


@pytest.mark.parametrize("flag", [flag for option in OPTIONS if option.kind == "flag" for flag in option.flags])
def test_flag_takes_no_value(refuse: Refuse, flag: str) -> None:
    assert f"{flag} takes no value." in refuse(f"{flag}=1")
    assert f"{flag} takes no value." in refuse(flag, "everything")


SEE_HELP = "Hint: Run 'amicleaner --help' for all options."
DRY_RUN = "Hint: To see what would be deleted: amicleaner --dry-run"


@pytest.mark.parametrize(
    "line, error, hint",
    [
        ("--keep-previous many", "--keep-previous: 'many' is not a whole number.", ""),
        ("--keep 3", "Unknown option '--keep'.", "Did you mean --keep-previous?"),
        ("--keep=3", "Unknown option '--keep'.", "Did you mean --keep-previous?"),
        ("--drry-run", "Unknown option '--drry-run'.", "Did you mean --dry-run?"),
        ("--delete", "Unknown option '--delete'.", SEE_HELP),
        ("-x", "Unknown option '-x'.", SEE_HELP),
        ("-fx", "Unknown option '-fx'.", SEE_HELP),
        ("-dry-run", "Unknown option '-dry-run'.", "Did you mean --dry-run?"),
        ("--help=1", "--help takes no value.", ""),
        ("delete", "amicleaner has no subcommands: 'delete'.", DRY_RUN),
        ("restore ami-12345678", "amicleaner has no subcommands: 'restore'.", "Did you mean --restore?"),
        ("help", "amicleaner has no subcommands: 'help'.", "Did you mean --help?"),
        (ID, f"Unexpected argument '{ID}'.", f"--explain {ID}"),
        ("--keep-previous 3 4", "Unexpected argument '4'.", "--keep-previous takes one value."),
        ("--demo tour b", "Unexpected argument 'b'.", "--demo takes one value."),
        ("-- --dry-run", "Unexpected argument '--dry-run'.", SEE_HELP),
        ("--mapping-values -x", "--mapping-values requires a value.", "write --mapping-values=-x"),
        ("--mapping-key famly", "--mapping-key: 'famly' is not one of name, tags, family, pattern.", "Did you mean family?"),
        ("--mapping-key name", "--mapping-key also requires --mapping-values (tag keys, or substrings of names).", ""),
        ("--mapping-key tags", "--mapping-key also requires --mapping-values (tag keys, or substrings of names).", ""),
        ("--mapping-key pattern", "--mapping-key also requires --mapping-values (tag keys, or substrings of names).", ""),
        (f"--from-ids {ID} --ami-min-days -1", "--ami-min-days cannot be combined with --from-ids, which", ""),
        ("--ignore-in-use", "--ignore-in-use requires --from-ids.", ""),
        ("--config missing.toml", "Can't read the configuration file missing.toml: No such file or directory.", ""),
    ],
)
def test_wrong_words_are_named_with_a_hint(refuse: Refuse, line: str, error: str, hint: str) -> None:
    first, *rest = refuse(*line.split()).splitlines()
    assert error in first
    assert (hint in rest[0]) if hint else not rest


def test_number_may_have_any_length(parse: Parse, refuse: Refuse) -> None:
    assert parse("--keep-previous", "9" * 400).keep_previous == int("9" * 400)
    assert "--keep-previous" in refuse("--keep-previous", "9" * 5000)[:80]


# File and environment


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "c.toml"
        path.write_text(text)
        return str(path)

    return write


def test_the_command_line_wins_then_the_environment_then_the_file_that_either_names(
    parse: Parse, file: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AMICLEANER_CONFIG", file("keep_previous = 1\nunused_days = 1\nami_min_days = 1\ndry_run = true"))
    monkeypatch.setenv("AMICLEANER_UNUSED_DAYS", "2")
    monkeypatch.setenv("AMICLEANER_DRY_RUN", "0")
    config = parse("--keep-previous", "3")
    assert (config.keep_previous, config.unused_days, config.ami_min_days, config.dry_run) == (3, 2, 1, False)
    other = tmp_path / "other.toml"
    other.write_text("keep_previous = 9")
    assert parse("--config", str(other)).keep_previous == 9


def test_wrong_file_and_wrong_variable_are_refused(
    refuse: Refuse, file: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file("[[rule]]\nname = 'prod'\nkeep = 1")
    assert "c.toml: rule 'prod': unknown key 'keep'.\nHint: Did you mean keep_previous?" in refuse("--config", path)
    monkeypatch.setenv("AMICLEANER_FORCE_DELETE", "1")
    assert "AMICLEANER_FORCE_DELETE is not allowed" in refuse()


def test_unknown_variable_warns_and_the_run_goes_on(
    runs: list[Config], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AMICLEANER_VERSION", "1.2.3")
    monkeypatch.setenv("AMICLEANER_KEPT", "\x1b[2J")
    assert _status(["--dry-run", "--keep-tag", "a,b"]) == 0
    assert runs == [Config(dry_run=True, keep_tag=("a,b",))]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "Warning: Unknown environment variable AMICLEANER_KEPT.",
        "Warning: Unknown environment variable AMICLEANER_VERSION.",
        "Warning: --keep-tag: 'a,b' contains a comma; separate values with spaces.",
    ]


# The end of a run


def stop_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def carry_out(config: Config) -> int:
        raise error

    monkeypatch.setattr(cli, "_carry_out", carry_out)


BUG = "Hint: This is a bug in amicleaner. Run again with --debug for a traceback and report it. See CONTRIBUTING.md.\n"


@pytest.mark.parametrize(
    "error, status, words",
    [
        (AmicleanerError("It is shut.", hint="Open it."), 1, "Error: It is shut.\nHint: Open it.\n"),
        (UsageError("No Region."), 2, "Error: No Region.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (ZeroDivisionError("x"), 1, f"Error: ZeroDivisionError: x\n{BUG}"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "Error: Can't write the output: No space left on device.\n"),
        (BrokenPipeError(), 1, "Error: Standard output was closed.\n"),
        # Text from the network can't move the cursor.
        (AwsError("ssm:GetParameters", "Denied", "no\x1b[2J\u202e"), 1, "Denied: no\\x1b[2J\\u202e\n"),
    ],
)
def test_error_ends_the_run_with_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, words: str
) -> None:
    stop_with(monkeypatch, error)
    assert _status([]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(words)
    assert "Traceback" not in err


def test_debug_shows_the_traceback_of_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_with(monkeypatch, ZeroDivisionError("x"))
    with pytest.raises(ZeroDivisionError):
        _status(["--debug"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_message_that_cannot_be_written_changes_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert _status(["--drry-run"]) == 2
        silence_broken_pipe(full)


@pytest.mark.parametrize("result, status", [(Result(), 0), (Result(problems=("no",)), 1), (Result(interrupted=143), 143)])
def test_exit_status_is_that_of_the_result(monkeypatch: pytest.MonkeyPatch, result: Result, status: int) -> None:
    def carry_out(config: Config, *, view: object, interrupts: object) -> Result:
        return result

    monkeypatch.setitem(sys.modules, "amicleaner.report.console", SimpleNamespace(Console=lambda *_, **__: None))
    monkeypatch.setitem(sys.modules, "amicleaner.run", SimpleNamespace(clean=carry_out))
    assert _status([]) == status


def test_iam_policy_is_printed_and_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], runs: list[Config]
) -> None:
    monkeypatch.setattr("amicleaner.aws.iam.policy", lambda config: {"Statement": [config.check_orphans]})
    assert _status(["--iam-policy", "--check-orphans"]) == 0
    assert capsys.readouterr().out == '{\n  "Statement": [\n    true\n  ]\n}\n'
    assert not runs


# Help and version


def child(*words: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    program = [sys.executable, "-W", "error", *(["-c", code] if code else ["-m", "amicleaner"]), *words]
    environ = {name: text for name, text in os.environ.items() if name not in ("TERM", "COLUMNS")}
    return subprocess.run(program, capture_output=True, text=True, timeout=60, env=environ, check=False)


def test_version_is_bare(capsys: pytest.CaptureFixture[str]) -> None:
    done = child("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")
    assert _status(["-v"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize("columns", ["80", "40", "200"])
def test_help_fits_80_columns_and_shows_every_option(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert _status(["--help"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert max(map(len, lines)) <= 80
    text = "".join(out.split())
    for option in OPTIONS:
        assert all(flag in text for flag in option.flags)
        assert option.help.replace(" ", "") in text
        assert (f"[default:{option.shown}]".replace(" ", "") in text) == bool(option.shown)
    assert text.count("[default:") == sum(bool(option.shown) for option in OPTIONS)
    assert [line for line in lines if line[:1].strip()][1:] == [
        *(f"{section}:" for section in SECTIONS),
        "Examples:",
        "Documentation:",
    ]


def test_examples_of_the_help_are_understood(parse: Parse) -> None:
    for line, _ in cli.EXAMPLES:
        parse(*line.split()[1:])


def test_help_points_to_files_of_the_repository() -> None:
    root = Path(__file__).parent.parent
    named = re.findall(r"[\w./-]+\.md", cli.DOCUMENTATION)
    assert named
    assert all((root / name).is_file() for name in [*named, "CONTRIBUTING.md"])
    assert "://" not in cli.DOCUMENTATION + cli.INTRODUCTION


def test_help_version_and_mistakes_load_nothing_heavy_and_need_no_terminal() -> None:
    """0.2.2 crashed without TERM, and where curses was missing."""
    code = """
import os, sys
from amicleaner.cli import main
heavy = {"boto3", "botocore", "blessings", "prettytable", "moto", "jmespath", "urllib3"}
sys.modules["curses"] = sys.modules["_curses"] = None
for term in (None, "", "no-such-terminal"):
    os.environ |= {"TERM": term} if term is not None else {}
    for line, status in {"--help": 0, "--version": 0, "--drry-run": 2, "--keep-previous -1": 2, "--from-ids x": 2}.items():
        try:
            main(line.split())
        except SystemExit as end:
            assert end.code == status, line
        assert not heavy & {*sys.modules}, line
"""
    done = child(code=code)
    assert done.returncode == 0, done.stderr
