"""Options from a file and from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amicleaner.errors import UsageError
from amicleaner.options import OPTIONS
from amicleaner.settings import FILE_KEYS, from_environment, from_file

ONLY_THERE = sorted(option.name for option in OPTIONS if option.command_line_only)


@pytest.fixture
def toml(tmp_path: Path) -> Any:
    def write(text: str | bytes) -> dict[str, Any]:
        path = tmp_path / "amicleaner.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return from_file(str(path))

    return write


# The environment


@pytest.mark.parametrize(
    "variable, text, value",
    [
        ("KEEP_PREVIOUS", "2", 2),
        ("AMI_MIN_DAYS", "-1", -1),
        ("PRICE_PER_GIB", "0.08", 0.08),
        ("DRY_RUN", "1", True),
        ("DRY_RUN", "0", False),
        ("OUTPUT", "json", "json"),
        ("MAPPING_VALUES", " environment \t role ", ("environment", "role")),
        ("REGION", "eu-*", ("eu-*",)),
        ("CONFIG", "a b.toml", "a b.toml"),
    ],
)
def test_a_variable_has_its_options_kind(variable: str, text: str, value: object) -> None:
    assert from_environment({f"AMICLEANER_{variable}": text, "HOME": "/", "KEEP_PREVIOUS": "9"}) == {variable.lower(): value}


@pytest.mark.parametrize("variable", ["KEEP_PREVIOUS", "REGION", "DRY_RUN", "FORCE_DELETE", "NO_SUCH"])
def test_an_empty_variable_says_nothing(variable: str) -> None:
    assert from_environment({f"AMICLEANER_{variable}": " "}) == {}


@pytest.mark.parametrize(
    "variable, text, words",
    [
        ("KEEP_PREVIOUS", "few", "is 'few': that is not a whole number."),
        ("KEEP_PREVIOUS", "2.0", "is '2.0'"),
        ("PRICE_PER_GIB", "cheap", "is 'cheap': that is not a number."),
        ("DRY_RUN", "true", "is 'true': a flag is 1 or 0."),
        ("KEEP_PREVIOS", "2", "is no option. Did you mean AMICLEANER_KEEP_PREVIOUS?"),
        ("DRYRUN", "1", "is no option. Did you mean AMICLEANER_DRY_RUN?"),
        ("keep_previous", "2", "is no option. Did you mean AMICLEANER_KEEP_PREVIOUS?"),
        ("FORCE", "1", "is no option. Did you mean AMICLEANER_"),
    ],
)
def test_a_variable_that_is_none(variable: str, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_environment({f"AMICLEANER_{variable}": text})
    assert f"AMICLEANER_{variable} {words}" in str(caught.value)


def test_what_only_prints_is_no_variable_and_is_not_proposed() -> None:
    with pytest.raises(UsageError) as caught:
        from_environment({"AMICLEANER_IAM_POLICY": "1"})
    assert str(caught.value).count("IAM_POLICY") == 1


# The file


def test_a_file(toml: Any) -> None:
    text = """
        keep_previous = 0
        mapping_values = ["environment", "a key with spaces"]
        price_per_gib = 1
        dry_run = false
        output = "csv"
    """
    assert toml(text) == {
        "keep_previous": 0,
        "mapping_values": ("environment", "a key with spaces"),
        "price_per_gib": 1.0,
        "dry_run": False,
        "output": "csv",
    }
    assert isinstance(toml("price_per_gib = 1")["price_per_gib"], float)
    assert toml("") == {}


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfkeep_previous = 2", b"# as on Windows\r\nkeep_previous = 2\r\n"])
def test_an_editor_of_windows_may_have_written_it(toml: Any, text: bytes) -> None:
    assert toml(text) == {"keep_previous": 2}


@pytest.mark.parametrize(
    "text, words",
    [
        ("keep_previos = 2", "'keep_previos' is no option. Did you mean keep_previous?"),
        ("keep-previous = 2", "'keep-previous' is no option. Did you mean keep_previous?"),
        ("[amicleaner]\nkeep_previous = 2", "'amicleaner' is no option."),
        ("config = 'other.toml'", "'config' is no option."),
        ("iam_policy = true", "'iam_policy' is no option."),
        ("keep_previous = '2'", "keep_previous is '2': it takes a whole number."),
        ("keep_previous = true", "keep_previous is True: it takes a whole number."),
        ("keep_previous = 2.5", "keep_previous is 2.5: it takes a whole number."),
        ("dry_run = 1", "dry_run is 1: it takes a true or false."),
        ("output = ['csv']", "it takes a text."),
        ("mapping_values = 'role'", "mapping_values is 'role': it takes a list of texts."),
        ("mapping_values = ['role', 1]", "it takes a list of texts."),
        ("price_per_gib = 'x'", "it takes a number."),
        ("price_per_gib = false", "it takes a number."),
        (f"price_per_gib = 1{'0' * 400}", "it takes a number."),
        ("keep_previous", "is not TOML"),
        ("a = 1\na = 2", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
    ],
)
def test_a_file_that_is_wrong(toml: Any, text: str | bytes, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        toml(text)
    assert words in str(caught.value)
    assert "amicleaner.toml" in str(caught.value)


@pytest.mark.parametrize("path", ["missing.toml", ".", "a\0b"])
def test_a_file_that_can_not_be_read(path: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The configuration file"):
        from_file(str(tmp_path / path))


def test_a_file_without_an_end_is_not_read_to_it(tmp_path: Path) -> None:
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(1 << 40)  # more than any memory; it takes no room on the disk
    with pytest.raises(UsageError, match=r"The configuration file .*large\.toml is too large"):
        from_file(str(tmp_path / "large.toml"))


# What neither may say


@pytest.mark.parametrize("name", ONLY_THERE)
def test_what_deletes_or_weakens_a_check_is_refused_and_never_proposed(name: str, toml: Any) -> None:
    flag = f"--{name.replace('_', '-')}"
    with pytest.raises(UsageError, match=rf"AMICLEANER_{name.upper()} is not obeyed.*command line alone \({flag}\)"):
        from_environment({f"AMICLEANER_{name.upper()}": "0"})
    with pytest.raises(UsageError, match=rf"{name} is not obeyed.*command line alone \({flag}\)"):
        toml(f"{name} = false")
    with pytest.raises(UsageError) as caught:
        toml(f"{name}x = false")
    assert f"mean {name}?" not in str(caught.value)
    assert name not in FILE_KEYS
