"""What a shell offers at the tab key: as a function, by the protocol of the shells, and in the installed shells."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import boto3
import click
import pytest

from amicleaner import cli
from amicleaner.completion import suggest
from amicleaner.config import OPTIONS
from amicleaner.options import OWN, Option
from amicleaner.sources import CHECKS
from tests.command.process import by_starter, environment, run


def texts(*words: str) -> list[str]:
    """What the last of `words` may become."""
    return [suggestion.value for suggestion in suggest(words[:-1], words[-1])]


# Suggestions


def test_dashes_offer_every_option_with_its_aliases() -> None:
    long = [flag for option in OPTIONS for flag in option.flags if flag.startswith("--")]
    assert texts("--") == [*long, "--version", "--help"]
    assert {"--force-delete", "--yes"} <= {*long}
    assert texts("") == texts("--")


def test_dash_offers_short_options_too() -> None:
    assert {*texts("-")} - {*texts("--")} == {"-f", "-y", "-q", "-v", "-h"}


def test_command_has_the_options_of_click() -> None:
    ctx = click.Context(cli.command, **cli.command.context_settings)
    own = [parameter for parameter in cli.command.get_params(ctx) if parameter.name not in {o.name for o in OPTIONS}]
    assert {flag: getattr(parameter, "help", None) for parameter in own for flag in parameter.opts} == OWN


@pytest.mark.parametrize(
    "line, expected",
    [
        # An option on the line is not offered again unless it takes several values.
        ("--dry-run --dr", ""),
        ("-f --force", ""),
        ("-y --force", ""),
        ("-f --yes", ""),
        ("--keep-previous 2 --keep-p", ""),
        ("--keep-tag golden --keep-t", "--keep-tag"),
        # The beginning narrows the choices, and a list offers further ones.
        ("--output m", "markdown"),
        ("--mapping-key x", ""),
        ("--skip-check spot fl", "fleets"),
        ("--also-check emr rd", "rds-custom"),
        ("--dry-run --skip-check spot --explain --skip-check fl", "fleets"),
        # After an option whose value may be missing, options are offered, too.
        ("--demo ", "article tour"),
        ("--demo t", "tour"),
        ("--demo --dr", "--dry-run"),
        ("--demo tour --dr", "--dry-run"),
        ("--explain --dr", "--dry-run"),
        ("--explain ami-12345678 --dr", "--dry-run"),
        # An option with one value takes no second.
        ("--output json c", ""),
        ("--output json --save", "--save-plan"),
        # A value is never a flag, and a flag never a value.
        ("--skip-check --dry", ""),
        ("--skip-check spot --dry", "--dry-run"),
        ("--keep-previous ", ""),
        ("--ami-min-days -1 --dry", "--dry-run"),
        ("--dry-run --out", "--output"),
        # Unknown values are not invented.
        ("--keep-tag x", ""),
        ("--role-arn arn:", ""),
        ("--nothing x", ""),
        ("-- --dr", ""),
        # An equals sign is understood in one word, and split by bash.
        ("--output=js", "--output=json"),
        ("--output = js", "json"),
        ("--output =", "table json csv markdown"),
        ("--output = json --expl", "--explain"),
        ("--demo=t", "--demo=tour"),
        ("--skip-check=spot fl", ""),
        ("--only-tag stage= --dr", "--dry-run"),
        ("--only-tag stage = prod --dr", "--dry-run"),
    ],
)
def test_last_word_may_become(line: str, expected: str) -> None:
    assert texts(*line.split(" ")) == expected.split()


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.choices], ids=lambda option: option.name)
def test_option_offers_its_choices(option: Option) -> None:
    assert texts(option.flag, "") == list(option.choices)


def test_option_offers_the_values_that_it_has_not() -> None:
    assert texts("--skip-check", "spot", "fleets", "") == [check for check in CHECKS if check not in ("spot", "fleets")]
    assert "--dry-run" in texts("--explain", "")


def test_files_are_left_to_the_shell() -> None:
    for flag in ("--config", "--save-plan", "--apply-plan", "--audit-log", "--restore", "--used-by-files"):
        (found,) = suggest([flag], "pl")
        assert (found.type, found.value) == ("file", "pl")


@pytest.mark.parametrize("flag", ["--region", "--exclude-region"])
def test_regions_come_from_the_data_of_botocore(flag: str) -> None:
    known = boto3.Session().get_available_regions("ec2")
    assert {*known} <= {*texts(flag, "")}
    assert texts(flag, "eu-west-1", "eu-west-") == ["eu-west-2", "eu-west-3"]
    assert texts(flag, "cn-") == ["cn-north-1", "cn-northwest-1"]
    assert texts(flag, "us-iso") == []


@pytest.fixture
def aws_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    path.write_text("[default]\n[profile prod]\n[profile build account]\n[profile staging]\n[profile -f]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    return path


@pytest.mark.parametrize("flag", ["--profile", "--used-by-profile"])
def test_profiles_come_from_the_aws_configuration(flag: str, aws_configuration: Path) -> None:
    assert texts(flag, "") == ["default", "prod", "staging"]
    assert texts(flag, "prod", "s") == ["staging"]


def test_broken_configuration_offers_nothing(aws_configuration: Path) -> None:
    aws_configuration.write_text("[profile")
    assert texts("--profile", "") == []


def test_only_regions_and_profiles_load_botocore() -> None:
    program = (
        "import sys\nfrom amicleaner.completion import suggest\n"
        "suggest([], '--re'), suggest(['--output'], ''), suggest(['--config'], '')\n"
        "assert 'botocore' not in sys.modules\n"
        "assert suggest(['--region'], 'eu-') and 'botocore' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# The shells' protocol


@pytest.mark.parametrize(
    "shell, words, position, out",
    [
        ("bash", "amicleaner --skip-check spot fl", "3", "plain,fleets\n"),
        ("bash", "amicleaner --skip-check", "2", "".join(f"plain,{check}\n" for check in CHECKS)),
        ("bash", "amicleaner --output = js", "3", "plain,json\n"),
        ("bash", "amicleaner --config ", "2", "file,\n"),
        ("bash", "amicleaner --region eu-west-1 eu-west-3", "3", "plain,eu-west-3\n"),
        ("zsh", "amicleaner --skip-check spot fl", "3", "plain\nfleets\n_\n"),
        ("zsh", "amicleaner --dry-r", "1", "plain\n--dry-run\nShow the plan and exit; delete nothing.\n"),
        ("zsh", "amicleaner --save-plan p", "2", "file\np\n_\n"),
        ("fish", "amicleaner --skip-check spot fl", "fl", "plain,fleets\n"),
        ("fish", "amicleaner --demo t", "t", "plain,tour\n"),
        ("fish", "amicleaner --ye", "--ye", "plain,--yes\tDon't prompt for confirmation.\n"),
        ("fish", "amicleaner --mapping-key ", "", "plain,name\nplain,tags\nplain,family\nplain,pattern\n"),
        ("fish", "amicleaner --dr", "--dr", "plain,--dry-run\tShow the plan and exit; delete nothing.\n"),
    ],
)  # fmt: skip
def test_shell_gets_its_answer(shell: str, words: str, position: str, out: str) -> None:
    answer = run(env={"_AMICLEANER_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": position})
    assert (answer.status, answer.out, answer.err) == (0, out, "")


def test_shell_without_completion_is_an_error() -> None:
    assert run(env={"_AMICLEANER_COMPLETE": "tcsh_complete"}).status == 1


# In the shells


@pytest.fixture
def on_the_path(tmp_path: Path) -> dict[str, str]:
    """An environment in which `amicleaner` is a command, in a folder with three files."""
    script = tmp_path / "bin" / "amicleaner"
    script.parent.mkdir()
    # The terminal belongs to the shell: a process of the starter takes what it gets for its own.
    script.write_text(f'#!/bin/sh\nexec {" ".join(by_starter())} "$@" </dev/null 2>/dev/null\n')
    script.chmod(0o755)
    for name in ("plan-monday.json", "other", "settings.toml"):
        (tmp_path / name).touch()
    here = environment({"HOME": str(tmp_path), "TERM": "xterm", "ZDOTDIR": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)})
    return {**here, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"}


def typed(shell: list[str], setup: str, keys: dict[str, str], env: dict[str, str]) -> str:
    """What an interactive shell shows after keys, or after 30 seconds without what it should show for each of them."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        shell, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=env["HOME"], start_new_session=True
    )
    os.close(slave)
    shown = ""
    try:
        for text, wanted in {f"{setup}; echo re''ady\n": "ready", **keys}.items():
            os.write(master, text.encode())
            end = time.monotonic() + 30
            while wanted not in shown and select.select([master], [], [], max(0.0, end - time.monotonic()))[0]:
                try:
                    shown += os.read(master, 65536).decode(errors="replace")
                except OSError:
                    break
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return shown


LINES = {
    "--dry-r": "--dry-run",
    "--skip-check spot fl": "--skip-check spot fleets",
    "--output=mark": "--output=markdown",
    "--save-plan plan-m": "--save-plan plan-monday.json",
    "--region eu-nor": "--region eu-north-1",
    "--demo to": "--demo tour",
    "--explain --dry-r": "--explain --dry-run",
    "--ye": "--yes",
}
NEW_LINE = "\x15\n"
"""Clears what was typed; on the line after it nothing is left to be updated in place."""


@pytest.mark.parametrize(
    "shell, setup",
    [
        (["bash", "--norc", "--noprofile", "-i"], 'eval "$(_AMICLEANER_COMPLETE=bash_source amicleaner)"'),
        (
            ["zsh", "-f", "-i"],
            'autoload -Uz compinit && compinit -u -D && eval "$(_AMICLEANER_COMPLETE=zsh_source amicleaner)"',
        ),
    ],
    ids=["bash", "zsh"],
)
def test_tab_key_completes(shell: list[str], setup: str, on_the_path: dict[str, str]) -> None:
    if not shutil.which(shell[0]):
        pytest.skip(f"{shell[0]} is not installed")
    shown = typed(shell, setup, {f"{NEW_LINE}amicleaner {line}\t": LINES[line] for line in LINES}, on_the_path)
    assert [line for line in LINES if LINES[line] not in shown] == []


def test_fish_completes(on_the_path: dict[str, str]) -> None:
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    asked = "; ".join(f"complete --do-complete 'amicleaner {line}'" for line in LINES)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"_AMICLEANER_COMPLETE=fish_source amicleaner | source; {asked}"],
        env=on_the_path,
        cwd=on_the_path["HOME"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert [found.split("\t")[0] for found in done.stdout.splitlines()] == [LINES[line].split(" ")[-1] for line in LINES]
