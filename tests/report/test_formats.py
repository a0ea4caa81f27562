from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from amicleaner.config import Config
from amicleaner.filters import Reason
from amicleaner.models import AmiResult, Failure, Outcome, Snapshot, SnapshotResult, Target, Use
from amicleaner.plan import Plan
from amicleaner.report.document import PLAN_OPTIONS, digest, document
from amicleaner.report.formats import COLUMNS, render
from amicleaner.report.sanitize import escape_control
from amicleaner.result import Orphan, Result

from .accounts import HERE, NOW, THERE, VERSION, ami, article, hostile_plans, instance, plan_of

SCHEMA = json.loads(Path(__file__).parents[2].joinpath("docs", "schema.json").read_text("utf-8"))


def made(result: Result, config: Config | None = None) -> dict[str, Any]:
    return document(result, config or Config(), version=VERSION, created=NOW)


def of_one(name: str) -> dict[str, Any]:
    return made(Result(plan_of([ami(1, name, "2017-06-15T09:55:42.000Z")])))


def csv_rows(document: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(document, "csv"), newline="")))


def markdown_rows(document: dict[str, Any]) -> list[dict[str, str]]:
    """What a reader of GitHub's Markdown finds in the cells: text, and nothing but text."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(render(document, "markdown"))
    assert [token.type for token in tokens if token.level == 0] == ["table_open", "table_close"]
    cells = []
    for token in tokens:
        if token.type == "inline":
            assert {child.type for child in token.children or ()} <= {"text", "text_special"}, token.content
            cells.append("".join(child.content for child in token.children or ()))
    rows = [cells[start : start + len(COLUMNS)] for start in range(0, len(cells), len(COLUMNS))]
    assert rows[0] == list(COLUMNS)
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]


def test_the_members_and_their_order() -> None:
    orphan = Orphan(HERE, Snapshot("snap-9", "", None, "completed", 3))
    whole = made(Result(plan_of(article()), orphans=(orphan,)))
    assert list(whole) == [
        "version", "amicleaner", "created", "dry_run", "options", "sha256", "targets", "amis", "orphan_snapshots", "totals",
    ]  # fmt: skip
    assert list(whole["amis"][0]) == [
        "account", "region", "id", "name", "created", "tags", "groups", "decision", "reason", "explanation", "used_by",
        "snapshots", "outcome", "error",
    ]  # fmt: skip
    assert whole["version"] == 1
    assert whole["amicleaner"] == VERSION
    assert whole["created"] == "2017-06-20T00:00:00Z"
    assert whole["targets"] == [{"account": "123456789012", "region": "eu-west-1"}]
    assert whole["totals"] == {"amis": 4, "snapshots": 4, "size_gib": 32, "monthly_usd": 1.6}
    assert whole["orphan_snapshots"] == [
        {"account": "123456789012", "region": "eu-west-1", "id": "snap-9", "size_gib": 3, "outcome": None, "error": None}
    ]
    assert json.loads(render(whole, "json")) == whole


def test_an_image_in_full() -> None:
    image = article()[0]
    [told] = made(Result(plan_of([image], uses=[(image.id, instance())])))["amis"]
    assert told == {
        "account": "123456789012",
        "region": "eu-west-1",
        "id": image.id,
        "name": image.name,
        "created": "2017-06-15T11:50:57.000Z",
        "tags": {"environment": "dev", "role": "front"},
        "groups": ["dev.front"],
        "decision": "keep",
        "reason": "in-use",
        "explanation": "It is used by instance i-0123456789abcdef0 (running).",
        "used_by": [{"kind": "instance", "id": "i-0123456789abcdef0", "account": "123456789012", "region": "eu-west-1"}],
        "snapshots": [{"id": "snap-00000000000000001", "size_gib": 8}],
        "outcome": None,
        "error": None,
    }


def test_outcomes() -> None:
    plan = plan_of(article(), Config(keep_previous=3))
    ids = [decision.ami.id for decision in plan.removals]
    refused = Failure("UnauthorizedOperation", "You are not\nauthorized.")
    outcomes: dict[str, AmiResult] = {
        ids[0]: AmiResult(HERE, ids[0], "removed"),
        ids[1]: AmiResult(HERE, ids[1], "failed", refused),
        ids[2]: AmiResult(HERE, ids[2], "kept", used_by=(instance(),)),
        ids[3]: AmiResult(HERE, ids[3], "kept", shared_with=("999999999999",)),
        ids[4]: AmiResult(HERE, ids[4], "removed", snapshots=(SnapshotResult(HERE, "snap-1", "failed", refused),)),
    }
    whole = made(Result(plan, {(HERE, id): result for id, result in outcomes.items()}))
    told = {image["id"]: image for image in whole["amis"]}
    assert [told[id]["outcome"] for id in ids[:6]] == ["removed", "failed", "kept", "kept", "removed", None]
    assert told[ids[0]]["error"] is None
    assert told[ids[1]]["error"] == {"code": "UnauthorizedOperation", "message": "You are not\nauthorized."}
    assert told[ids[2]]["used_by"][0]["id"] == "i-0123456789abcdef0"
    assert told[ids[2]]["explanation"] == "It stays: instance i-0123456789abcdef0 (running) uses it by now."
    assert told[ids[3]]["explanation"] == "It stays: it is shared with 999999999999."
    assert told[ids[4]]["error"] == {"code": "UnauthorizedOperation", "message": "snap-1: You are not\nauthorized."}
    errors = {row["id"]: row["error"] for row in csv_rows(whole)}
    assert errors[ids[1]] == "UnauthorizedOperation: You are not\\nauthorized."
    Draft202012Validator(SCHEMA).validate(whole)


@pytest.mark.parametrize(
    "config, dry", [(Config(), False), (Config(dry_run=True), True), (Config(save_plan="plan.json"), True)]
)
def test_dry_run_says_whether_anything_could_change(config: Config, dry: bool) -> None:
    assert made(Result(plan_of(())), config)["dry_run"] is dry


def test_the_options_are_those_of_the_plan() -> None:
    options = made(Result(plan_of((), Config(keep_previous=2, only_name=("a*",)))))["options"]
    assert options["keep_previous"] == 2
    assert options["only_name"] == ["a*"]
    assert tuple(options) == PLAN_OPTIONS
    assert made(Result(), Config(keep_previous=7))["options"]["keep_previous"] == 7


def test_targets_and_images_are_sorted() -> None:
    whole = made(Result(plan_of(reversed(article()[:3]), targets=(THERE, HERE))))
    assert [(image["region"], image["id"]) for image in whole["amis"]] == [
        (target.region, image.id) for target in (HERE, THERE) for image in article()[:3]
    ]


def test_json_is_exact_and_escapes_even_the_one_control_character_that_ascii_has_beyond_space() -> None:
    whole = of_one("a\x7fé\ud800\n")
    assert r'"name": "a\u007f\u00e9\ud800\n"' in render(whole, "json")
    assert json.loads(render(whole, "json"))["amis"][0]["name"] == "a\x7fé\ud800\n"


def test_times_are_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    assert document(Result(), Config(), version=VERSION, created=there)["created"] == "2017-06-20T00:00:00Z"


def test_the_digest_is_the_documented_one() -> None:
    whole = of_one("é\ud800\x7f")
    rest = {name: value for name, value in json.loads(render(whole, "json")).items() if name != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("utf-8")
    assert whole["sha256"] == digest(whole) == hashlib.sha256(canonical).hexdigest()


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "\u3000@x", "＝1", "＋1", "－1", "＠x", "\tx"]
)
def test_a_spreadsheet_runs_no_name(name: str) -> None:
    assert csv_rows(of_one(name))[0]["name"] == "'" + escape_control(name)


@pytest.mark.parametrize("name", ["a=1", "front-1", "'x", "1-1", "", 'a,"b"'])
def test_harmless_cells_stay_as_they_are(name: str) -> None:
    assert csv_rows(of_one(name))[0]["name"] == name


def test_values_in_a_cell_are_separated() -> None:
    image = article()[0]
    uses = [
        (image.id, Use("instance", "i-1", "", "eu-west-1", "")),
        (image.id, Use("fleet", "fleet-1", "", "eu-west-1", "")),
    ]
    config = Config(mapping_key="name", mapping_values=("front", "0001"))
    [row] = csv_rows(made(Result(plan_of([image], config, uses=uses))))
    assert row["group"] == "0001; front"
    assert sorted(row["used_by"].split("; ")) == ["fleet fleet-1", "instance i-1"]
    assert row["snapshots"] == "snap-00000000000000001"
    assert row["size_gib"] == "8"


def test_rows_end_with_a_line_feed() -> None:
    assert render(of_one("x"), "csv").split("\n")[0] == ",".join(COLUMNS)
    assert "\r" not in render(of_one("x\r"), "csv")


@pytest.mark.parametrize(
    "name", ["a|b", "a\\|b", "a\\", "`a`", "**a**", "_a_", "<b>a</b>", "&lt;", "[a](b)", " a ", "  ", "~~a~~"]
)
def test_markdown_shows_the_name_as_it_is(name: str) -> None:
    assert markdown_rows(of_one(name))[0]["name"] == name


def test_markdown_makes_no_links_of_names() -> None:
    assert r"http\://x.de WWW\.x.de a\@b.de" in render(of_one("http://x.de WWW.x.de a@b.de"), "markdown")


@given(hostile_plans())
def test_all_formats_say_the_same(plan: Plan) -> None:
    whole = made(Result(plan))
    told = json.loads(render(whole, "json"))
    assert told == whole
    assert [image["name"] for image in told["amis"]] == [decision.ami.name for decision in plan.decisions]
    assert [image["tags"] for image in told["amis"]] == [dict(decision.ami.tags) for decision in plan.decisions]
    expected = [
        (image["account"], image["region"], image["id"], image["decision"], image["reason"]) for image in told["amis"]
    ]
    names = [escape_control(image["name"]) for image in told["amis"]]
    groups = [escape_control("; ".join(image["groups"])) for image in told["amis"]]
    users = [escape_control("; ".join(f"{use['kind']} {use['id']}" for use in image["used_by"])) for image in told["amis"]]
    for rows in (csv_rows(whole), markdown_rows(whole)):
        assert [(row["account"], row["region"], row["id"], row["decision"], row["reason"]) for row in rows] == expected
        assert [row["used_by"] for row in rows] == users
    assert [row["name"] for row in markdown_rows(whole)] == names
    assert [row["group"] for row in markdown_rows(whole)] == groups
    assert [row["name"].removeprefix("'") for row in csv_rows(whole)] == [name.removeprefix("'") for name in names]
    Draft202012Validator(SCHEMA).validate(told)


@given(hostile_plans())
def test_no_format_holds_a_control_character(plan: Plan) -> None:
    whole = made(Result(plan))
    for output in ("json", "csv", "markdown"):
        text = render(whole, output)
        assert text.endswith("\n")
        assert all(escape_control(line) == line for line in text.split("\n"))
    assert render(whole, "json").isascii()


def test_the_schema_is_strict_and_knows_all_options_and_reasons() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert tuple(SCHEMA["properties"]["options"]["properties"]) == PLAN_OPTIONS
    assert SCHEMA["$defs"]["ami"]["properties"]["reason"]["enum"] == list(get_args(Reason))
    assert SCHEMA["$defs"]["outcome"]["enum"] == [None, *get_args(Outcome)]
    valid = Draft202012Validator(SCHEMA)
    changes: list[dict[str, Any]] = [
        {"more": 1},
        {"version": 2},
        {"sha256": "x"},
        {"amis": [{}]},
        {"targets": [{"account": "1", "region": "x"}]},
    ]
    for change in changes:
        assert not valid.is_valid({**of_one("x"), **change})


def test_a_run_that_ended_before_its_plan_has_a_document_too() -> None:
    orphan = Orphan(Target("", "eu-west-1"), Snapshot("snap-9", "", None, "completed", 3))
    whole = made(Result(orphans=(orphan,), interrupted=130))
    Draft202012Validator(SCHEMA).validate(whole)
    assert whole["targets"] == [{"account": "", "region": "eu-west-1"}]
    assert render(whole, "csv") == ",".join(COLUMNS) + "\n"
