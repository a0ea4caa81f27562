"""The documentation says what the program does: made parts, options, links, examples, the session, the picture."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args
from xml.etree import ElementTree

import click
import pytest

import amicleaner
from amicleaner import cli
from amicleaner.aws.usage import ALL
from amicleaner.checks import CHECKS, FURTHER_CHECKS
from amicleaner.config import BY_FLAG, BY_NAME, Config
from amicleaner.filters import RULES, Reason
from amicleaner.models import UseKind
from amicleaner.options import OWN
from amicleaner.result import Result
from amicleaner.settings import FILE_KEYS, combine, from_environment, from_file
from tests.command.process import run

pytestmark = pytest.mark.once
ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
ALL_PAGES = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def script(name: str) -> ModuleType:
    """One of the scripts in `docs/`, which is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# Made from the program


@pages
def test_the_made_parts_are_of_today(page: Path) -> None:
    text = page.read_text("utf-8")
    assert script("make_tables").filled(text) == text, "run: python docs/make_tables.py"


def test_each_part_that_can_be_made_stands_somewhere() -> None:
    named = {name for page in PAGES for name in re.findall("<!-- made: ([a-z-]+) -->", page.read_text("utf-8"))}
    assert named == script("make_tables").PARTS.keys()


def test_page_of_options_and_help_agree() -> None:
    rows = re.findall(
        r"^\| `(?:-\w, )*(--[a-z-]+)(?:, --yes)?(?: ([^`]*))?` \| (.*) \| (.*) \|$", text_of("docs/options.md"), re.M
    )
    ctx = click.Context(cli.command, **cli.command.context_settings)
    help = "".join(cli.command.get_help(ctx).split())
    parameters = {
        parameter.opts[0] if parameter.opts[0][:2] == "--" else parameter.opts[1]
        for parameter in cli.command.get_params(ctx)
    }
    assert {flag for flag, *_ in rows} == parameters
    for flag, value, default, meaning in rows:
        option = BY_NAME.get(flag[2:].replace("-", "_"))
        shown = f"{meaning.removesuffix(' *Command line only.*')}{f'[default: {default}]' if default else ''}"
        # In the help a word may be broken after its dash.
        assert shown.replace(" ", "") in help
        assert f"{flag}{value}".replace(r"\|", "|").replace(" ", "") in help
        assert meaning.endswith("*Command line only.*") == bool(option and option.command_line_only)


def test_page_of_the_configuration_and_settings_agree(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| `([A-Z_]+)` \| (.*) \|$", text_of("docs/configuration.md"), re.MULTILINE)
    assert {key for key, *_ in rows} == FILE_KEYS
    examples: dict[str, tuple[str, str, Any]] = {
        "`true`, `false`, `article`": ('"tour"', "tour", "tour"),
        "`true`, `false`, a list": ('["ami-12345678"]', "ami-12345678", ("ami-12345678",)),
        "`true`": ("true", "yes", True),
        "a whole": ("7", "7", 7),
        "a number": ("2.5", "2.5", 2.5),
        "a string": ('"a b"', "a b", "a b"),
    }
    lists = {"only_tag": "a=b", "also_check": "emr", "exclude_account": "1" * 12, "expect_account": "1" * 12}
    for key, variable, takes in rows:
        one = "arn:aws:iam::111111111111:role/r" if key.endswith("role_arn") else lists.get(key, "a")
        choice = re.match("`(name|table)`", takes)
        if choice:
            toml, text, value = f'"{choice[1]}"', choice[1], choice[1]
        elif takes == "a list of strings":
            toml, text, value = f'["{one}"]', one, (one,)
        else:
            toml, text, value = next(example for start, example in examples.items() if takes.startswith(start))
        path = tmp_path / "one.toml"
        path.write_text(f"{key} = {toml}\n")
        assert from_file(str(path)) == {key: value}
        assert from_environment({variable: text}) == ({key: value}, [])


def test_every_kind_of_reference_is_documented() -> None:
    page = text_of("docs/in-use.md")
    for source in ALL:
        assert f"| {source.words} | " in page
    assert {*re.findall(r"\| `([a-z-]+)` \| `", page)} == {*CHECKS, *FURTHER_CHECKS}


def test_every_reason_is_explained_in_its_order() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", text_of("docs/why-kept.md"), re.MULTILINE)
    reasons = [reason for reason in get_args(Reason) if reason not in ("old", "named")]
    assert rows == reasons
    assert [*dict.fromkeys(reason for reason, _ in RULES)] == [reason for reason in rows if reason not in ("kept-previous",)]


def test_the_json_example_has_the_members_of_the_schema() -> None:
    (example,) = map(json.loads, blocks(text_of("docs/json.md"), "json"))
    schema = json.loads(text_of("docs/schema.json"))
    assert [*example] == [*schema["properties"]]

    def resolved(part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in part:
            return part
        found = schema
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return dict(found)

    for list_name in ("amis", "targets"):
        item = resolved(schema["properties"][list_name]["items"])
        assert [*example[list_name][0]] == [*item["properties"]]
    assert [*example["totals"]] == [*resolved(schema["properties"]["totals"])["properties"]]


def test_the_page_of_json_names_each_member_and_kind() -> None:
    page = text_of("docs/json.md")
    (example,) = map(json.loads, blocks(page, "json"))
    for name in (*example, *example["amis"][0], *get_args(UseKind), "removed", "failed", "kept"):
        assert f"`{name}`" in page, name


# Options, links


FOREIGN = re.compile(
    r"(?:^ *|`|- |'|/bin/)(?:apt-get|aws|docker|gh|journalctl|pip|pipx|sam|sha256sum|systemctl|uv|uvx) [^`\n]*"
    r"|^python3 -m venv .*$|(?:pip install -q|python -m bench|`--build-arg)[^`\n]*",
    re.MULTILINE,
)
"""Commands of others, with options of their own."""


@pages
def test_every_option_that_a_page_names_exists(page: Path) -> None:
    known = {flag for flag in (*BY_FLAG, *OWN) if flag.startswith("--")}
    abbreviated = {"--mapping-v"} if page.name == "from-0.2.2.md" else set()
    named = {*re.findall(r"(?<![\w-])--[a-z][a-z-]*", FOREIGN.sub("", page.read_text("utf-8").replace("\\\n", " ")))}
    assert named - known == abbreviated


def anchors(page: Path) -> set[str]:
    """The names under which GitHub reaches a page's headings."""
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), link
        assert ROOT in target.parents
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_linked() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in ALL_PAGES
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
        if not link.startswith("https://")
    }
    assert {*DOCS.glob("*.md"), DOCS / "schema.json", DOCS / "session.svg"} <= linked


# Examples


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs with which a run would have begun."""
    configs: list[Config] = []

    def carry_out(config: Config) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(cli, "_carry_out", carry_out)
    return configs


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command line of amicleaner in a page's examples."""
    for block in (*blocks(text, "sh"), *blocks(text, "yaml"), *blocks(text, "console")):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.search(r"(?:^|\$ |- (?:run: )?|amicleaner )(amicleaner(?: .*)?)$", line.strip())
            if found and "_AMICLEANER_" not in line:
                words = shlex.split(re.split(r" \| | >> | > ", found[1])[0], comments=True)
                yield words[1:]


def examples() -> list[tuple[str, list[str]]]:
    return [(page.name, words) for page in PAGES for words in commands(page.read_text("utf-8"))]


def test_there_are_examples() -> None:
    assert len(examples()) > 30


@pytest.mark.parametrize("page, words", examples(), ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_every_command_is_understood(
    page: str, words: list[str], runs: list[Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = blocks(text_of("docs/configuration.md"), "toml")[0]
    (tmp_path / "cleaner.toml").write_text(toml)
    monkeypatch.chdir(tmp_path)
    words = ["cleaner.toml" if word == "/etc/amicleaner.toml" else word for word in words]
    assert cli._status(words) == 0
    assert len(runs) == (0 if "--iam-policy" in words else 1)


@pages
def test_every_configuration_is_accepted(page: Path, tmp_path: Path) -> None:
    for toml in blocks(page.read_text("utf-8"), "toml"):
        path = tmp_path / "cleaner.toml"
        path.write_text(toml)
        combine({}, {}, from_file(str(path)))


@pages
def test_every_variable_is_accepted(page: Path) -> None:
    exports = re.findall(r"^export (AMICLEANER_\w+)=(.*)$", page.read_text("utf-8"), re.MULTILINE)
    values, warnings = from_environment({name: shlex.split(value)[0] for name, value in exports})
    assert not warnings
    combine({}, values, {})


@pages
def test_every_yaml_is_yaml(page: Path) -> None:
    yaml: Any = pytest.importorskip("yaml")
    for block in blocks(page.read_text("utf-8"), "yaml"):
        assert isinstance(yaml.safe_load(block), dict)


@pages
def test_every_python_example_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = amicleaner.clean

    def clean(config: Config) -> Result:
        values = {name: getattr(config, name) for name in BY_NAME}
        return real(Config(**{**values, "demo": True}))

    monkeypatch.setattr(amicleaner, "clean", clean)
    for block in blocks(page.read_text("utf-8"), "python"):
        names: dict[str, Any] = {}
        exec(compile(block, page.name, "exec"), names)  # noqa: S102 - the documentation's own example
        if "handler" in names:
            assert len(names["handler"]({}, None)["removed"]) == 12


def test_the_completion_scripts_of_the_page_exist() -> None:
    for shell in re.findall(r"_AMICLEANER_COMPLETE=(\w+)_source", text_of("docs/options.md")):
        script = run(env={"_AMICLEANER_COMPLETE": f"{shell}_source"})
        assert (script.status, script.err) == (0, "")
        assert f"_AMICLEANER_COMPLETE={shell}_complete" in script.out


# The session and the picture


def test_the_session_of_the_readme_is_what_the_program_prints() -> None:
    (session,) = blocks(text_of("README.md"), "console")
    first, _, shown = session.partition("\n")
    assert first.startswith("$ amicleaner")
    finished = run("--demo", *shlex.split(first)[2:], answer="y\n")
    # A pipe shows no answer.
    assert finished.out == shown.replace(" ? : y\n", " ? : \n")


def test_the_picture_is_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    # A developer's settings change nothing.
    monkeypatch.setenv("AMICLEANER_KEEP_PREVIOUS", "0")
    monkeypatch.setenv("NO_COLOR", "1")
    assert script("make_picture").picture() == text_of("docs/session.svg"), "run: python docs/make_picture.py"


def test_the_picture_shows_what_the_program_prints() -> None:
    module = script("make_picture")
    rows: dict[str, str] = {}
    for text in ElementTree.parse(module.PICTURE).iter("{http://www.w3.org/2000/svg}text"):
        if text.get("class") != "note":
            column = round((float(text.get("x", "")) - module.PAD) / module.CELL)
            rows[text.get("y", "")] = rows.get(text.get("y", ""), "").ljust(column) + (text.text or "")
    command, *shown = rows.values()
    assert command == " ".join(["$ amicleaner", *module.ARGUMENTS])
    printed = run(*module.ARGUMENTS, answer="").out.splitlines()
    expected = [line for line in printed if line]
    wrapped = [part.rstrip() for line in expected for part in re.findall(f".{{1,{module.COLUMNS}}}", line)]
    assert shown == wrapped
