"""The documentation says what the program does: generated parts, links, examples, tables, the picture."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import jsonschema
import pytest
import yaml  # type: ignore[import-untyped]

import amicleaner
from amicleaner import cli
from amicleaner.audit import FORMAT
from amicleaner.clock import SYSTEM_CLOCK
from amicleaner.config import BY_FLAG, Config
from amicleaner.family import family_of
from amicleaner.models import Ami, Reason, Target
from amicleaner.options import OWN
from amicleaner.reducer import retained
from amicleaner.restore_steps import Holdings, Wanted, steps
from amicleaner.result import Result
from amicleaner.settings import combine, from_environment, from_file
from amicleaner.sources import USE_KINDS
from tests.command.process import run
from tests.pages import ALL_PAGES, DOCS, ROOT, USER_PAGES, Page, code_of, plain

pytestmark = pytest.mark.once
README = ROOT / "README.md"
INDEX = DOCS / "README.md"


def name_of(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else " ".join(value) if isinstance(value, list) else ""


all_pages = pytest.mark.parametrize("path", ALL_PAGES, ids=name_of)


def script(name: str, folder: Path = DOCS) -> ModuleType:
    """One of the scripts in `docs/` or `bench/`, which are not installed."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# Structure


def test_the_readme_has_at_most_120_lines() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 120


@pytest.mark.parametrize("path", [path for path in USER_PAGES if path != README], ids=name_of)
def test_the_title_of_a_page_is_one_question(path: Path) -> None:
    title, *others = [heading.text for heading in Page(path).headings if heading.level == 1]
    assert not others
    assert title.endswith("?")


def test_the_index_links_to_each_page_of_the_documentation() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in Page(INDEX).links}
    assert linked >= {*DOCS.rglob("*.md")} - {INDEX}


@pytest.mark.parametrize("path", [README, INDEX], ids=name_of)
def test_an_index_calls_a_page_by_its_question(path: Path) -> None:
    """A link whose text is a question leads to the page, or the section, with that title."""
    for text, link in re.findall(r"\[([^\]]+\?)\]\(([^)]+)\)", path.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        headings = Page((path.parent / name).resolve()).headings
        assert text in [heading.text for heading in headings if (heading.anchor == anchor if anchor else heading.level == 1)]


@all_pages
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in Page(path).links:
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.is_file(), link
        assert ROOT in target.parents
        assert not anchor or anchor in [heading.anchor for heading in Page(target).headings], link


# Generated parts


@all_pages
def test_the_generated_parts_are_up_to_date(path: Path) -> None:
    text = path.read_text("utf-8")
    assert script("make_tables").filled(text) == text, "run: python docs/make_tables.py"


def test_each_part_that_can_be_generated_is_on_a_page() -> None:
    named = {name for path in ALL_PAGES for name in re.findall("<!-- made: ([a-z-]+) -->", path.read_text("utf-8"))}
    assert named == script("make_tables").PARTS.keys()


def test_the_schema_is_up_to_date() -> None:
    schema = json.loads((DOCS / "schema.json").read_text("utf-8"))
    assert script("make_schema").schema() == schema, "run: python docs/make_schema.py"


def test_the_picture_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    # A developer's settings change nothing.
    monkeypatch.setenv("AMICLEANER_KEEP_PREVIOUS", "0")
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = script("make_picture").picture()
    assert drawn == (DOCS / "session.svg").read_text("utf-8"), "run: python docs/make_picture.py"


def test_the_figures_are_those_of_the_last_measurement() -> None:
    figures = script("figures", ROOT / "bench")
    last = figures.read()
    assert figures.USER_PAGE.read_text("utf-8") == figures.user_page(last), "run: python -m bench --pages"
    assert figures.CONTRIBUTOR_PAGE.read_text("utf-8") == figures.contributor_page(last), "run: python -m bench --pages"
    deletion = last.pairs[0]
    told = f"{figures.DELETE.replace('Delete', 'Deleting')} took {figures.amount(deletion.other, 's')} with 0.2.2"
    assert f"{told} and takes {figures.amount(deletion.ours, 's')} now" in README.read_text("utf-8")


# Options and commands


FOREIGN_OPTIONS = {"--build-arg", "--require-hashes", "--upgrade"}
"""Options of Docker, pip and uv that a page shows alone."""


@all_pages
def test_every_option_that_a_page_names_exists(path: Path) -> None:
    page = Page(path)
    words = [word.partition("=")[0] for code in page.code if code.startswith("--") for word in code.split()]
    named = {word for word in words if word.startswith("-") and word.strip("-")}
    # A changelog and a page on upgrading name old spellings, too.
    assert named - BY_FLAG.keys() - OWN.keys() - FOREIGN_OPTIONS - {"--mapping-v"} == set()


def commands() -> list[tuple[Path, list[str]]]:
    return [(path, words) for path in ALL_PAGES for words in Page(path).commands]


def test_there_are_many_commands_to_try() -> None:
    assert len(commands()) > 50


@pytest.mark.parametrize("path, words", commands(), ids=name_of)
def test_every_command_is_understood(
    path: Path, words: list[str], runs: list[Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cleaner.toml").write_text(Page(DOCS / "configuration.md").blocks("toml")[0])
    monkeypatch.chdir(tmp_path)
    words = ["cleaner.toml" if word == "/etc/amicleaner.toml" else word for word in words]
    assert cli._status(words) == 0
    assert len(runs) == (0 if {"--iam-policy", "--version", "--help"} & {*words} else 1)


@all_pages
def test_every_configuration_is_accepted(path: Path, tmp_path: Path) -> None:
    for toml in Page(path).blocks("toml"):
        file = tmp_path / "cleaner.toml"
        file.write_text(toml)
        combine({}, {}, from_file(str(file)))


@all_pages
def test_every_variable_is_accepted(path: Path) -> None:
    words = [word for block in Page(path).blocks("sh") for word in shlex.split(block, comments=True)]
    exports = dict(word.split("=", 1) for word in words if word.startswith("AMICLEANER_"))
    values, warnings = from_environment(exports)
    assert not warnings
    combine({}, values, {})


@all_pages
def test_every_yaml_is_yaml(path: Path) -> None:
    for block in Page(path).blocks("yaml"):
        assert isinstance(yaml.safe_load(block), dict)


def test_the_python_example_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = amicleaner.clean
    monkeypatch.setattr(amicleaner, "clean", lambda config: real(replace(config, demo="article")))
    (example,) = Page(README).blocks("python")
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - the documentation's own example
    status, _, ids = capsys.readouterr().out.partition(" ")
    assert status == "0"
    assert len(ast.literal_eval(ids)) == 12


# Pages about data


def test_every_reason_is_explained_in_its_order() -> None:
    (table,) = Page(DOCS / "why-kept.md").tables
    explained = [reason for head, *_ in table[1:] for reason in code_of(head)]
    assert explained == [reason for reason in get_args(Reason) if reason not in ("old", "named")]


def test_the_json_example_has_the_members_of_the_schema() -> None:
    (example,) = map(json.loads, Page(DOCS / "json.md").blocks("json"))
    schema = json.loads((DOCS / "schema.json").read_text("utf-8"))
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


def test_the_page_on_json_names_each_member_and_each_kind() -> None:
    page = Page(DOCS / "json.md")
    (example,) = map(json.loads, page.blocks("json"))
    for name in (*example, *example["amis"][0], *USE_KINDS, "removed", "failed", "kept"):
        assert name in page.code


AUDIT_SCHEMA = json.loads((DOCS / "audit-log.schema.json").read_text("utf-8"))


def audit_example() -> list[dict[str, Any]]:
    """The lines of the page's example, which are wrapped there."""
    (block,) = Page(DOCS / "audit-log.md").blocks("json")
    lines, rest = [], block.strip()
    while rest:
        line, end = json.JSONDecoder().raw_decode(rest)
        lines.append(line)
        rest = rest[end:].strip()
    return lines


def test_the_example_of_the_audit_log_has_its_schema_and_the_page_each_member() -> None:
    before, after = audit_example()
    for line in (before, after):
        jsonschema.validate(line, AUDIT_SCHEMA)
    (table,) = Page(DOCS / "audit-log.md").tables
    assert {name for head, _ in table[1:] for name in code_of(head)} == AUDIT_SCHEMA["properties"].keys()
    assert AUDIT_SCHEMA["properties"]["version"]["const"] == FORMAT


@pytest.mark.parametrize("options", [{"quarantine": 14}, {"check_orphans": True}], ids=str)
def test_the_lines_of_an_audit_log_have_its_schema(options: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    assert amicleaner.clean(Config(demo="tour", force_delete=True, audit_log=str(log), **options)).exit_status == 0
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    validator = jsonschema.Draft202012Validator(AUDIT_SCHEMA)
    for line in lines:
        validator.validate(line)
    known = {action for action in Page(DOCS / "audit-log.md").code if action.startswith("ec2:")}
    assert {line["action"] for line in lines} <= known


def test_the_families_of_the_page_are_those_of_the_program() -> None:
    table = next(table for table in Page(DOCS / "retention.md").tables if plain(table[0][1]) == "family")
    assert len(table) > 8
    for names, family in table[1:]:
        for name in code_of(names):
            if "{" not in name:  # Packer's templates are named beside what they make
                assert [family_of(name)] == code_of(family)


def test_the_worked_example_of_retention_is_what_the_program_decides(runs: list[Config]) -> None:
    table = next(table for table in Page(DOCS / "retention.md").tables if plain(table[0][0]) == "created")
    (options,) = code_of(table[0][1])
    assert cli._status(options.split()) == 0
    rows = {plain(created): plain(decision) for created, decision in table[1:]}
    amis = [
        Ami(created, "web", datetime.fromisoformat(created).replace(tzinfo=UTC), created, "available") for created in rows
    ]
    kept = retained(amis, runs[0], "web")
    for created, decision in rows.items():
        if created in kept:
            assert decision == f"kept: {kept[created][1]}"
        else:
            assert decision.startswith("deleted")


def test_the_annotated_group_of_the_readme_is_the_tour_s() -> None:
    (block,) = Page(README).blocks("")
    clock = replace(SYSTEM_CLOCK, now=lambda: script("make_picture").NOW)
    result: Result = amicleaner.clean(Config(demo="tour", region=("eu-west-1",), dry_run=True), clock=clock)
    assert result.plan
    tour = {decision.ami.name: decision for decision in result.plan.decisions}
    shown = [line for line in block.splitlines() if line.split()[0] in tour]
    assert len(shown) == 7
    for line in shown:
        decision = tour[line.split()[0]]
        assert f"{decision.ami.created:%Y-%m-%d}" in line.split()
        assert decision.action.verb in line.split()


def test_the_messages_on_restoring_are_those_of_the_program() -> None:
    home, away = Target("111111111111", "eu-west-1"), Target("222222222222", "eu-west-1")
    disabled = Ami("ami-1", "web", None, "", "disabled")
    wanted = [
        Wanted("ami-1"),
        Wanted("ami-2"),
        Wanted("ami-3", home, frozenset({"snap-3"})),
        Wanted("ami-4", away),
    ]
    holdings = {home: Holdings(amis={"ami-1": disabled}, bin_amis=frozenset({"ami-3"}))}
    reasons = [step.reason for step in steps(wanted, holdings)] + ["still waiting for snap-5"]
    (table,) = Page(DOCS / "undo.md").tables
    messages = [message for head, _ in table[1:] for message in code_of(head)]
    assert len(messages) == len(reasons)
    for message in messages:
        pattern = re.escape(message).replace("…", ".*")
        assert [reason for reason in reasons if re.match(pattern, reason)], message


def test_the_page_on_architecture_names_every_module() -> None:
    (table,) = Page(DOCS / "contributing" / "architecture.md").tables
    named = {name for head, _ in table[1:] for name in code_of(head)}
    package = ROOT / "amicleaner"
    assert [name for name in named if not (package / name).exists()] == []
    for path in package.rglob("[!_]*.py"):
        assert named & {str(path.relative_to(package)), f"{path.parent.relative_to(package)}/"}, path


def test_the_completion_scripts_of_the_page_exist() -> None:
    for shell in re.findall(r"_AMICLEANER_COMPLETE=(\w+)_source", (DOCS / "options.md").read_text("utf-8")):
        finished = run(env={"_AMICLEANER_COMPLETE": f"{shell}_source"})
        assert (finished.status, finished.err) == (0, "")
        assert f"_AMICLEANER_COMPLETE={shell}_complete" in finished.out
