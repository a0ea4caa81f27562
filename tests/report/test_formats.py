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

from amicleaner.config import OPTIONS, Config, Rule
from amicleaner.models import AmiResult, Failure, Reason, Reference, RestoreResult, Snapshot, SnapshotResult, Target, Use
from amicleaner.plan import Plan
from amicleaner.recycle_bin import BinRules, RetentionRule
from amicleaner.report.document import COLUMNS, PLAN_OPTIONS, digest, document, to_csv, to_json
from amicleaner.report.sanitize import escape_control
from amicleaner.result import Orphan, Result

from .accounts import HERE, NOW, THERE, VERSION, ami, article, hostile_plans, instance, plan_of, written

SCHEMA = json.loads(Path(__file__).parents[2].joinpath("docs", "schema.json").read_text("utf-8"))
VALID = Draft202012Validator(SCHEMA)


def made(result: Result, config: Config | None = None) -> dict[str, Any]:
    return document(result, config or Config(), NOW)


def of_one(name: str) -> dict[str, Any]:
    return made(Result(plan_of([ami(1, name, "2017-06-15T09:55:42.000Z")])))


def csv_rows(document: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(document), newline="")))


def test_members_and_their_order() -> None:
    orphan = Orphan(HERE, Snapshot("snap-9", "", NOW.replace(day=1), "completed", 3), "ami-00000001")
    dangling = Reference("ami-2", Use("launch-template", "lt-1", "", "eu-west-1", "launch template lt-1"))
    whole = made(Result(plan_of(article()), orphans=(orphan,), warnings=("careful",), dangling=(dangling,)))
    assert list(whole) == [
        "version", "amicleaner", "created", "dry_run", "status", "exit_status", "options", "sha256", "targets", "warnings",
        "problems", "amis", "orphan_snapshots", "dangling_references", "restored", "totals",
    ]  # fmt: skip
    assert list(whole) == list(SCHEMA["properties"])
    assert list(whole["amis"][0]) == list(SCHEMA["properties"]["amis"]["items"]["properties"])
    assert whole["version"] == 1
    assert whole["amicleaner"] == VERSION
    assert whole["created"] == "2017-06-20T00:00:00Z"
    assert (whole["status"], whole["exit_status"]) == ("done", 0)
    assert whole["targets"] == [{"account": "123456789012", "region": "eu-west-1"}]
    assert whole["warnings"][0] == "careful"
    assert whole["warnings"][1].startswith("No AMI is in use in account 123456789012")
    assert whole["totals"] == {
        "amis": 4, "snapshots": 4, "size_gib": 32, "monthly_usd": 1.6, "kept": {"kept-previous": 16, "no-tags": 1},
    }  # fmt: skip
    assert whole["orphan_snapshots"] == [
        {
            "account": "123456789012", "region": "eu-west-1", "id": "snap-9", "size_gib": 3, "age_days": 19,
            "ami": "ami-00000001", "outcome": None, "error": None,
        }
    ]  # fmt: skip
    assert whole["dangling_references"] == [
        {"ami": "ami-2", "kind": "launch-template", "id": "lt-1", "account": "", "region": "eu-west-1"}
    ]
    assert json.loads(to_json(whole)) == whole
    VALID.validate(whole)


def test_an_ami_in_full() -> None:
    image = article()[0]
    uses = [(image.id, instance())]
    [told] = made(Result(plan_of([image], uses=uses)))["amis"]
    assert told == {
        "account": "123456789012",
        "region": "eu-west-1",
        "id": image.id,
        "name": image.name,
        "created": "2017-06-15T11:50:57.000Z",
        "age_days": 4,
        "size_gib": 8,
        "tags": {"environment": "dev", "role": "front"},
        "rule": "",
        "groups": ["dev.front"],
        "decision": "keep",
        "reason": "in-use",
        "explanation": plan_of([image], uses=uses).decisions[0].explanation,
        "used_by": [{"kind": "instance", "id": "i-0123456789abcdef0", "account": "123456789012", "region": "eu-west-1"}],
        "snapshots": [{"id": "snap-00000000000000001", "size_gib": 8}],
        "restorable_until": None,
        "outcome": None,
        "error": None,
    }


def test_sizes_are_measured_and_dates_of_undoing_are_told() -> None:
    rules = BinRules((RetentionRule(14, True),), (RetentionRule(14, True),))
    config = Config(rules=(Rule("all", (("keep_previous", 0), ("only_tag", ("role=front",)))),))
    image = article()[0]
    whole = made(Result(plan_of([image], config, bins=rules, snapshots=written([image], 3))))
    [told] = whole["amis"]
    assert (told["size_gib"], told["snapshots"]) == (3, [{"id": image.snapshots[0].id, "size_gib": 3}])
    assert (told["rule"], told["decision"], told["restorable_until"]) == ("all", "remove", "2017-07-04T00:00:00Z")
    assert whole["options"]["rules"] == [{"name": "all", "keep_previous": 0, "only_tag": ["role=front"]}]
    VALID.validate(whole)


def test_unknown_ages_are_null() -> None:
    [told] = made(Result(plan_of([ami(1, "x", "lately")])))["amis"]
    assert (told["created"], told["age_days"]) == ("lately", None)


def test_outcomes() -> None:
    plan = plan_of(article(), Config(keep_previous=3))
    ids = [decision.ami.id for decision in plan.removals]
    refused = Failure("UnauthorizedOperation", "You are not\nauthorized.")
    outcomes: dict[str, AmiResult] = {
        ids[0]: AmiResult(HERE, ids[0], "removed"),
        ids[1]: AmiResult(HERE, ids[1], "failed", refused),
        ids[2]: AmiResult(HERE, ids[2], "kept", used_by=(instance(),)),
        ids[3]: AmiResult(HERE, ids[3], "kept", reason="shared", explanation="It is shared with 999999999999."),
        ids[4]: AmiResult(HERE, ids[4], "removed", snapshots=(SnapshotResult(HERE, "snap-1", "failed", refused),)),
        ids[5]: AmiResult(HERE, ids[5], "quarantined"),
        ids[6]: AmiResult(HERE, ids[6], "released"),
    }
    whole = made(Result(plan, {(HERE, id): result for id, result in outcomes.items()}))
    told = {image["id"]: image for image in whole["amis"]}
    assert [told[id]["outcome"] for id in ids] == [
        "removed", "failed", "kept", "kept", "removed", "quarantined", "released", None,
    ]  # fmt: skip
    assert told[ids[0]]["error"] is None
    assert told[ids[1]]["error"] == {"code": "UnauthorizedOperation", "message": "You are not\nauthorized."}
    assert told[ids[2]]["used_by"][0]["id"] == "i-0123456789abcdef0"
    assert told[ids[2]]["explanation"] == "Kept meanwhile: in use by instance i-0123456789abcdef0 (running)."
    assert told[ids[3]]["explanation"] == "Kept meanwhile: it is shared with 999999999999."
    assert told[ids[4]]["error"] == {"code": "UnauthorizedOperation", "message": "snap-1: You are not\nauthorized."}
    errors = {row["id"]: row["error"] for row in csv_rows(whole)}
    assert errors[ids[1]] == "UnauthorizedOperation: You are not\\nauthorized."
    assert (whole["status"], whole["exit_status"]) == ("failed", 1)
    VALID.validate(whole)


@pytest.mark.parametrize(
    "config, dry", [(Config(), False), (Config(dry_run=True), True), (Config(save_plan="plan.json"), True)]
)
def test_dry_run_says_whether_anything_could_change(config: Config, dry: bool) -> None:
    assert made(Result(plan_of(())), config)["dry_run"] is dry


def test_options_are_those_of_the_plan() -> None:
    options = made(Result(plan_of((), Config(keep_previous=2, only_name=("a*",)))))["options"]
    assert options["keep_previous"] == 2
    assert options["only_name"] == ["a*"]
    assert tuple(options) == (*PLAN_OPTIONS, "rules")
    assert made(Result(), Config(keep_previous=7))["options"]["keep_previous"] == 7


@pytest.mark.parametrize(
    "config, number",
    [
        (Config(), 4),
        (Config(keep_daily=1), 0),
        (Config(rules=(Rule("a"),)), None),
        (Config(from_ids=("ami-00000001",)), None),
    ],
)
def test_the_number_in_force_is_written(config: Config, number: int | None) -> None:
    """A default that changes later does not change a plan."""
    assert made(Result(), config)["options"]["keep_previous"] == number


def test_targets_and_images_are_sorted() -> None:
    whole = made(Result(plan_of(reversed(article()[:3]), targets=(THERE, HERE))))
    assert [(image["region"], image["id"]) for image in whole["amis"]] == [
        (target.region, image.id) for target in (HERE, THERE) for image in article()[:3]
    ]


def test_json_is_exact_and_escapes_even_the_one_control_character_that_ascii_has_beyond_space() -> None:
    whole = of_one("a\x7fé\ud800\n")
    assert r'"name": "a\u007f\u00e9\ud800\n"' in to_json(whole)
    assert json.loads(to_json(whole))["amis"][0]["name"] == "a\x7fé\ud800\n"


def test_times_are_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    assert document(Result(), Config(), there)["created"] == "2017-06-20T00:00:00Z"


def test_the_digest_is_the_documented_one() -> None:
    whole = of_one("é\ud800\x7f")
    rest = {name: value for name, value in json.loads(to_json(whole)).items() if name != "sha256"}
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
    assert to_csv(of_one("x")).split("\n")[0] == ",".join(COLUMNS)
    assert "\r" not in to_csv(of_one("x\r"))


@given(hostile_plans())
def test_json_and_csv_say_the_same_without_a_control_character(plan: Plan) -> None:
    whole = made(Result(plan))
    told = json.loads(to_json(whole))
    assert told == whole
    assert [image["name"] for image in told["amis"]] == [decision.ami.name for decision in plan.decisions]
    assert [image["tags"] for image in told["amis"]] == [dict(decision.ami.tags) for decision in plan.decisions]
    members = ("account", "region", "id", "decision", "reason")
    rows = csv_rows(whole)
    assert [[row[name] for name in members] for row in rows] == [[image[name] for name in members] for image in told["amis"]]
    names = [escape_control(image["name"]) for image in told["amis"]]
    users = [escape_control("; ".join(f"{use['kind']} {use['id']}" for use in image["used_by"])) for image in told["amis"]]
    assert [row["used_by"] for row in rows] == users
    assert [row["name"].removeprefix("'") for row in rows] == [name.removeprefix("'") for name in names]
    VALID.validate(told)
    for text in (to_json(whole), to_csv(whole)):
        assert text.endswith("\n")
        assert all(escape_control(line) == line for line in text.split("\n"))
    assert to_json(whole).isascii()


def test_the_schema_is_strict_and_knows_all_options_and_reasons() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert tuple(sorted(option.name for option in OPTIONS if option.in_plan)) == PLAN_OPTIONS
    reasons = SCHEMA["properties"]["amis"]["items"]["properties"]["reason"]["enum"]
    assert reasons == list(get_args(Reason))
    assert VALID.is_valid(of_one("x"))
    changes: list[dict[str, Any]] = [
        {"more": 1},
        {"version": 2},
        {"sha256": "x"},
        {"status": "over"},
        {"amis": [{}]},
        {"targets": [{"account": "1", "region": "x"}]},
    ]
    for change in changes:
        assert not VALID.is_valid({**of_one("x"), **change})


def test_a_run_that_ended_before_its_plan_has_a_document_too() -> None:
    orphan = Orphan(Target("", "eu-west-1"), Snapshot("snap-9", "", None, "completed", 3))
    restored = RestoreResult(HERE, "ami-1", "failed", "It is gone.")
    whole = made(Result(orphans=(orphan,), interrupted=130, problems=("no",), restored=(restored,)))
    VALID.validate(whole)
    assert whole["targets"] == [{"account": account, "region": "eu-west-1"} for account in ("", HERE.account)]
    assert (whole["status"], whole["exit_status"]) == ("interrupted", 130)
    assert whole["restored"] == [
        {"account": HERE.account, "region": HERE.region, "id": "ami-1", "outcome": "failed", "reason": "It is gone."}
    ]
    assert whole["problems"] == ["no", "ami-1 cannot be restored: It is gone."]
    assert to_csv(whole) == ",".join(COLUMNS) + "\n"
