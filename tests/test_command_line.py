"""From words to a `Config`, and what is said of words that are none.  Nothing here gets as far as AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amicleaner import __version__
from amicleaner.cli import _status
from amicleaner.config import Config
from amicleaner.errors import AmicleanerError, AwsError
from amicleaner.options import OPTIONS
from amicleaner.result import Result

ID, OTHER_ID = "ami-12345678", "ami-0123456789abcdef0"
Parse = Callable[..., Config]
Refuse = Callable[..., str]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs with which a run would have begun."""
    configs: list[Config] = []

    def clean(config: Config, **_: Any) -> Result:
        configs.append(config)
        return Result()

    monkeypatch.setattr("amicleaner.run.clean", clean)
    return configs


@pytest.fixture
def parse(runs: list[Config], capsys: pytest.CaptureFixture[str]) -> Parse:
    def parse(*words: str) -> Config:
        status = _status(words)
        assert (status, capsys.readouterr().err) == (0, "")
        return runs.pop()

    return parse


@pytest.fixture
def refuse(runs: list[Config], capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Makes sure that wrong words end the command before anything runs; hands back the message."""

    def refuse(*words: str) -> str:
        assert _status(words) == 2
        assert not runs
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("Error: ")
        assert len(err.splitlines()) <= 2
        assert "Traceback" not in err
        return err

    return refuse


# What people have in their scripts


def test_nothing_said_is_the_defaults(parse: Parse) -> None:
    assert parse() == Config()


@pytest.mark.parametrize(
    "line, expected",
    [
        ("--keep-previous 2", {"keep_previous": 2}),
        ("--keep-previous=0", {"keep_previous": 0}),
        ("--ami-min-days -1", {"ami_min_days": -1}),
        ("--ami-min-days 10", {"ami_min_days": 10}),
        ("--mapping-values environment role", {}),
        ("--mapping-key tags --mapping-values group", {"mapping_values": ("group",)}),
        (
            "--mapping-key name --mapping-values front --full-report --keep-previous 8",
            {"mapping_key": "name", "mapping_values": ("front",), "full_report": True, "keep_previous": 8},
        ),
        (
            "--mapping-key name --mapping-values a b -f --excluded-mapping-values c d",
            {
                "mapping_key": "name",
                "mapping_values": ("a", "b"),
                "force_delete": True,
                "excluded_mapping_values": ("c", "d"),
            },
        ),
        (
            "--mapping-values a b --keep-previous 1 --mapping-values c",
            {"mapping_values": ("a", "b", "c"), "keep_previous": 1},
        ),
        ("--mapping-values=a --mapping-values b", {"mapping_values": ("a", "b")}),
        (f"--from-ids {ID} {OTHER_ID}", {"from_ids": (ID, OTHER_ID)}),
        (f"-f --from-ids {ID} --ignore-in-use --from-ids {OTHER_ID}", {"from_ids": (ID, OTHER_ID)}),
        ("--check-orphans -f", {"check_orphans": True, "force_delete": True}),
        ("--region eu-west-1 us-* --dry-run", {"region": ("eu-west-1", "us-*"), "dry_run": True}),
        ("--skip-check spot fleets --debug", {"skip_check": ("spot", "fleets"), "debug": True}),
        ("--keep-tag keep a=b=c --only-tag=-key=v", {"keep_tag": ("keep", "a=b=c"), "only_tag": ("-key=v",)}),
        ("--save-plan plan.json --dry-run", {"save_plan": "plan.json", "dry_run": True}),
        ("--price-per-gib 0 --max-deletions 5", {"price_per_gib": 0.0, "max_deletions": 5}),
        ("--output json --dry-run --exit-code", {"output": "json", "exit_code": True}),
        ("--full-report --", {"full_report": True}),
    ],
)
def test_words(parse: Parse, line: str, expected: dict[str, Any]) -> None:
    config = parse(*line.split())
    assert {name: getattr(config, name) for name in expected} == expected
    assert config.mapping_values == expected.get("mapping_values", ("environment", "role"))


def test_a_value_may_hold_anything_else(parse: Parse) -> None:
    assert parse("--mapping-values", "two words", "=x", "ünï").mapping_values == ("two words", "=x", "ünï")


# Words that are none


@pytest.mark.parametrize(
    "option, next_word",
    [
        (option.flag, word)
        for option in OPTIONS
        if option.kind in ("text", "texts")
        for word in ("--dry-run", "-f", "-", "--", "--keep-previous=0")
    ],
)
def test_no_option_takes_another_as_its_value(refuse: Refuse, option: str, next_word: str) -> None:
    """A swallowed --dry-run deletes things."""
    assert f"Option '{option}' needs a value" in refuse(option, next_word)
    assert f"Option '{option}' needs a value" in refuse("--full-report", option)


@pytest.mark.parametrize("option", [option.flag for option in OPTIONS if option.kind in ("integer", "number")])
def test_no_number_is_another_option(refuse: Refuse, option: str) -> None:
    assert f"Option '{option}' needs a number." in refuse(option, "--dry-run")
    assert f"Option '{option}' needs a number." in refuse(option)
    assert "is not a valid" in refuse(option, "-f")


@pytest.mark.parametrize("option", [option.flag for option in OPTIONS if option.kind in ("text", "texts")])
def test_an_empty_value_is_none(refuse: Refuse, option: str) -> None:
    """`--config "$FILE"` with nothing in FILE is a mistake in a script, not the wish for no file."""
    assert option in refuse(option, "")


@pytest.mark.parametrize(
    "line, words",
    [
        ("--keep-previous -1", "--keep-previous: -1 is too small: the minimum is 0."),
        ("--ami-min-days -2", "--ami-min-days: -2 is too small"),
        ("--keep-previous many", "'many' is not a valid integer"),
        ("--keep-previous 2.5", "'2.5' is not a valid integer"),
        ("--price-per-gib nan", "--price-per-gib"),
        ("--keep-previous 3 4", "unexpected extra argument (4)"),
        ("--drry-run", "No such option '--drry-run'. (Did you mean one of: '--dry-run'"),
        ("--keep-previos 3", "'--keep-previous'"),
        ("--keep-prev 3", "No such option '--keep-prev'"),
        ("--full", "No such option '--full'"),
        ("--map-key name", "No such option '--map-key'"),
        ("-x", "No such option '-x'"),
        ("-fx", "No such option '-x'"),
        ("--dry-run=1", "'--dry-run' does not take a value"),
        ("delete", "unexpected extra argument (delete)"),
        ("--full-report everything", "unexpected extra argument (everything)"),
        ("-- --dry-run", "unexpected extra argument (--dry-run)"),
        ("-- --region", "unexpected extra argument (--region)"),
        ("--save-plan a b", "unexpected extra argument (b)"),
        ("--mapping-key name", "--mapping-key needs --mapping-values beside it"),
        ("--mapping-key tags", "--mapping-key needs --mapping-values beside it"),
        ("--mapping-key nam --mapping-values a", "'nam' is not one of 'name', 'tags'"),
        ("--output xml", "'xml' is not one of"),
        ("--skip-check spots", "'spots' is not one of"),
        ("--from-ids ami-1", "'ami-1' is not an AMI id: one looks like ami-0123456789abcdef0."),
        (f"--from-ids {ID},{OTHER_ID}", "is not an AMI id"),
        (f"--from-ids {ID} --keep-previous 4", "--keep-previous can't stand beside --from-ids"),
        (f"--from-ids {ID} --mapping-values environment role", "--mapping-values can't stand beside --from-ids"),
        (f"--from-ids {ID} --ami-min-days -1", "--ami-min-days can't stand beside --from-ids"),
        ("--ignore-in-use", "--ignore-in-use is allowed only with --from-ids"),
        ("--apply-plan p.json --keep-previous 4", "--keep-previous can't stand beside --apply-plan"),
        ("--apply-plan p.json --region eu-west-1", "--region can't stand beside --apply-plan"),
        (f"--apply-plan p.json --from-ids {ID}", "--from-ids can't stand beside --apply-plan"),
        ("--apply-plan p.json --config c.toml", "c.toml"),
        ("--save-plan p.json --check-orphans", "--save-plan can't stand beside --check-orphans"),
        ("--exit-code", "add --dry-run"),
        ("--config missing.toml", "missing.toml can't be read: No such file or directory."),
        ("--role-arn me", "is not a role's ARN"),
    ],
)
def test_wrong_words(refuse: Refuse, line: str, words: str) -> None:
    assert words in refuse(*line.split())


def test_numbers_may_be_as_long_as_one_likes(parse: Parse, refuse: Refuse) -> None:
    assert parse("--keep-previous", "9" * 400).keep_previous == int("9" * 400)
    assert "--keep-previous" in refuse("--keep-previous", "9" * 5000)[:80]


def test_a_value_with_a_dash_is_told_how_to_be_one(refuse: Refuse) -> None:
    assert "for a value that starts with a dash write --mapping-values=-x" in refuse("--mapping-values", "-x")


# File and environment


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "c.toml"
        path.write_text(text)
        return str(path)

    return write


def test_the_command_line_wins_then_the_environment_then_the_file(
    parse: Parse, file: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file('keep_previous = 1\nunused_days = 1\nami_min_days = 1\nregion = ["a"]\ndry_run = true\noutput = "csv"')
    monkeypatch.setenv("AMICLEANER_KEEP_PREVIOUS", "2")
    monkeypatch.setenv("AMICLEANER_UNUSED_DAYS", "2")
    monkeypatch.setenv("AMICLEANER_REGION", "b c")
    monkeypatch.setenv("AMICLEANER_DRY_RUN", "0")
    config = parse("--config", path, "--keep-previous", "3", "--region", "d")
    assert (config.keep_previous, config.unused_days, config.ami_min_days) == (3, 2, 1)
    assert (config.region, config.dry_run, config.output) == (("d",), False, "csv")
    assert parse("--config", path).region == ("b", "c")


def test_the_file_may_be_named_by_the_environment(
    parse: Parse, file: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AMICLEANER_CONFIG", file("keep_previous = 0"))
    assert parse().keep_previous == 0
    other = tmp_path / "other.toml"
    other.write_text("keep_previous = 9")
    assert parse("--config", str(other)).keep_previous == 9


@pytest.mark.parametrize(
    "text, words",
    [
        ("keep_previos = 2", "Did you mean keep_previous?"),
        ("force_delete = true", "force_delete is not obeyed"),
        ("keep_previous = -1", "--keep-previous: -1 is too small"),
        ('output = "xml"', "'xml' is not one of"),
        ('mapping_key = "name"', "--mapping-key needs --mapping-values beside it"),
    ],
)
def test_a_wrong_file(refuse: Refuse, file: Callable[[str], str], text: str, words: str) -> None:
    assert words in refuse("--config", file(text))


@pytest.mark.parametrize(
    "variable, text, words",
    [
        ("FORCE_DELETE", "1", "AMICLEANER_FORCE_DELETE is not obeyed"),
        ("KEEP_PREVIOUS", "-1", "--keep-previous: -1 is too small"),
        ("KEP_PREVIOUS", "1", "Did you mean AMICLEANER_KEEP_PREVIOUS?"),
        ("MAPPING_KEY", "name", "--mapping-key needs --mapping-values beside it"),
    ],
)
def test_a_wrong_variable(refuse: Refuse, monkeypatch: pytest.MonkeyPatch, variable: str, text: str, words: str) -> None:
    monkeypatch.setenv(f"AMICLEANER_{variable}", text)
    assert words in refuse()


def test_tag_keys_of_a_file_are_no_parts_of_names(
    parse: Parse, refuse: Refuse, file: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file('mapping_values = ["e"]')
    assert parse("--config", path).mapping_values == ("e",)
    assert "needs --mapping-values beside it" in refuse("--config", path, "--mapping-key", "name")
    monkeypatch.setenv("AMICLEANER_MAPPING_KEY", "name")
    assert "needs --mapping-values beside it" in refuse("--config", path)
    assert parse("--config", path, "--mapping-values", "front").mapping_key == "name"
    monkeypatch.setenv("AMICLEANER_MAPPING_VALUES", "back")
    assert parse("--config", path).mapping_values == ("back",)


def test_ids_and_plans_bring_their_own_choice(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file or the environment chooses by is no misunderstanding beside them: it just does not count."""
    for name, text in [("KEEP_PREVIOUS", "1"), ("MAPPING_KEY", "name"), ("REGION", "eu-*"), ("DEBUG", "1")]:
        monkeypatch.setenv(f"AMICLEANER_{name}", text)
    by_id = parse("--from-ids", ID)
    assert (by_id.keep_previous, by_id.mapping_key, by_id.region, by_id.debug) == (4, "tags", ("eu-*",), True)
    by_plan = parse("--apply-plan", "p.json")
    assert (by_plan.keep_previous, by_plan.region, by_plan.debug) == (4, (), True)


# The end of a run


@pytest.mark.parametrize(
    "error, status, words",
    [
        (AmicleanerError("Nobody is there."), 1, "Error: Nobody is there.\n"),
        (AwsError("ec2:DescribeImages", "Denied", "no", region="eu-west-1"), 1, "Region eu-west-1: Denied: no\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (ZeroDivisionError("x"), 1, "Error: ZeroDivisionError: x\n"),
        # What a network says in the name of AWS may not move the cursor, nor hide anything.
        (AwsError("ssm:GetParameters", "Denied", "no\x1b[2J\u202e"), 1, "Denied: no\\x1b[2J\\u202e\n"),
    ],
)
def test_what_stops_a_run_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, words: str
) -> None:
    def clean(*_: Any, **__: Any) -> Result:
        raise error

    monkeypatch.setattr("amicleaner.run.clean", clean)
    assert _status([]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize("result, status", [(Result(), 0), (Result(problems=("no",)), 1), (Result(interrupted=143), 143)])
def test_the_status_is_the_results(monkeypatch: pytest.MonkeyPatch, result: Result, status: int) -> None:
    monkeypatch.setattr("amicleaner.run.clean", lambda *_, **__: result)
    assert _status([]) == status


# Help and version


def child(*words: str, code: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, with the words behind it."""
    program = ["-c", code] if code else ["-m", "amicleaner"]
    environ = {name: text for name, text in os.environ.items() if name not in ("TERM", "COLUMNS")} | environ
    return subprocess.run(
        [sys.executable, "-W", "error", *program, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=environ,
        check=False,
    )


@pytest.mark.parametrize("word", ["-v", "--version"])
def test_the_version_is_bare(word: str) -> None:
    done = child(word)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("columns", ["", "40", "200"])
def test_help_stands_in_80_columns_with_all_options_and_defaults(columns: str) -> None:
    done = child("--help", **({"COLUMNS": columns} if columns else {}))
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = " ".join(done.stdout.split())
    for option in OPTIONS:
        assert f"{option.flag} " in text
        if columns != "40":  # where words are broken
            assert text.count(option.section + ":") == 1
            shown = option.shown or str(option.default)
            assert option.kind == "flag" or f"[default: {shown}]" in text.split(f" {option.flag} ", 1)[1]


HEAVY = ("boto3", "botocore", "blessings", "curses", "_curses", "prettytable", "moto", "jmespath", "urllib3")


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["--drry-run"], ["--keep-previous", "-1"], ["--from-ids", "x"]]
)
def test_help_version_and_mistakes_load_nothing_heavy(words: list[str]) -> None:
    code = f"""
import sys
from amicleaner.cli import main
try:
    main()
finally:
    loaded = sorted(set(sys.modules).intersection({HEAVY}))
    assert not loaded, loaded
"""
    done = child(*words, code=code)
    assert done.returncode == (0 if words[0] in ("--help", "--version") else 2), done.stderr


@pytest.mark.parametrize("term", [{}, {"TERM": ""}, {"TERM": "no-such-terminal"}])
def test_help_needs_no_terminal(term: dict[str, str]) -> None:
    """0.2.2 crashed without TERM, and where curses was missing."""
    code = "import sys; sys.modules['curses'] = sys.modules['_curses'] = None; from amicleaner.cli import main; main()"
    assert child("--help", code=code, **term).returncode == 0


def test_importing_the_package_loads_next_to_nothing() -> None:
    code = f"import amicleaner, sys; assert not set(sys.modules).intersection({(*HEAVY, 'click')})"
    assert child(code=code).returncode == 0
