"""Writes `docs/schema.json`, the shape of the document (version 1) as JSON Schema:  python docs/make_schema.py"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from amicleaner.actions import ACTIONS
from amicleaner.config import BY_NAME, OPTIONS
from amicleaner.models import Outcome, Reason
from amicleaner.options import Option
from amicleaner.report.document import PLAN_OPTIONS, VERSION
from amicleaner.sources import USE_KINDS

Schema = Mapping[str, Any]


def _object(members: Mapping[str, Schema], about: str = "", required: Sequence[str] | None = None) -> Schema:
    needed = list(members) if required is None else list(required)
    schema: dict[str, Any] = {"type": "object", "additionalProperties": False, "required": needed, "properties": members}
    return _about(schema, about)


def _array(items: Schema, about: str = "", unique: bool = False) -> Schema:
    return _about({"type": "array", "items": items} | ({"uniqueItems": True} if unique else {}), about)


def _one_of(values: Sequence[Any], about: str = "") -> Schema:
    return _about({"enum": list(values)}, about)


def _about(schema: Schema, about: str) -> Schema:
    return {**schema, "description": about} if about else schema


def _type(name: str | list[str], about: str = "", **more: Any) -> Schema:
    return _about({"type": name, **more}, about)


def _option(option: Option) -> Schema:
    """The values that an option takes."""
    kinds = {"flag": "boolean", "integer": "integer", "number": "number", "string": "string"}
    limits = {"minimum": option.minimum, "maximum": option.maximum}
    more = {name: limit for name, limit in limits.items() if limit is not None}
    if option.kind == "strings":
        items = _one_of(option.choices) if option.choices else _type("string")
        return _array(items, option.help, unique=True)
    if option.choices:
        return _one_of([*option.choices, *([None] if option.default is None else [])], option.help)
    kind = kinds[option.kind]
    return _type([kind, "null"] if option.default is None else kind, option.help, **more)


_TIME = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_COUNT = _type("integer", minimum=0)
_ACCOUNT = _type("string", "Twelve digits, or empty where it is not known.", pattern="^([0-9]{12})?$")
_REGION = _type("string", minLength=1)
_WHERE = {"account": _ACCOUNT, "region": _REGION}
_AGE = _type(["integer", "null"], "Whole days; null where the creation date is not known.", minimum=0)
_SIZE = _type("integer", "An upper bound.", minimum=0)
_USE = {"kind": _one_of(USE_KINDS), "id": _type("string"), "account": _ACCOUNT, "region": _type("string")}
_OUTCOME = _one_of(
    (None, *get_args(Outcome)),
    "What became of it; null if nothing was tried. `removed` includes what was gone already; `kept`: it must be kept by "
    "now.",
)
_ERROR = _about(
    {"oneOf": [{"type": "null"}, _object({"code": _type("string"), "message": _type("string")})]},
    "AWS's own words; of an AMI that is deleted while one of its snapshots is not, the snapshot's.",
)

RULE = _object(
    {
        "name": _type("string", minLength=1),
        **{option.name: _option(option) for option in sorted(OPTIONS, key=lambda option: option.name) if option.in_rule},
    },
    "A rule of the configuration file.",
    required=["name"],
)

AMI = _object(
    {
        **_WHERE,
        "id": _type("string", pattern="^ami-"),
        "name": _type("string"),
        "created": _type("string", "AWS's CreationDate, unchanged; empty if there is none."),
        "age_days": _AGE,
        "size_gib": _SIZE,
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "rule": _type("string", "The rule of the configuration file that decided; empty without one."),
        "groups": _array(_type("string"), "The labels of its groups, sorted."),
        "decision": _one_of(list(ACTIONS)),
        "reason": _one_of(get_args(Reason)),
        "explanation": _type("string", "For people; its words may change."),
        "used_by": _array(_object(_USE)),
        "snapshots": _array(_object({"id": _type("string"), "size_gib": _SIZE})),
        "restorable_until": _type(
            ["string", "null"], "Until when its deletion can be undone by the Recycle Bin's rules.", pattern=_TIME
        ),
        "outcome": _OUTCOME,
        "error": _ERROR,
    }
)

DOCUMENT = _object(
    {
        "version": _about({"const": VERSION}, "The version of this shape."),
        "amicleaner": _type("string", "The version of the tool."),
        "created": _type("string", "When the document was made, in UTC.", pattern=_TIME),
        "dry_run": _type("boolean", "True where the run could change nothing: --dry-run and --save-plan."),
        "status": _one_of(("planned", "declined", "done", "failed", "interrupted")),
        "exit_status": _type("integer", "What the command exits with.", minimum=0),
        "options": _object(
            {name: _option(BY_NAME[name]) for name in PLAN_OPTIONS}
            | {"rules": _array(RULE, "The rules of the configuration file, in their order.")},
            "The options that chose the AMIs and protect them; a plan is applied with them.",
        ),
        "sha256": _type(
            "string",
            "Over all other members: the hexadecimal SHA-256 of the UTF-8 text of Python's "
            '`json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)`.',
            pattern="^[0-9a-f]{64}$",
        ),
        "targets": _array(_object(_WHERE), "The accounts and Regions whose AMIs were looked at, sorted."),
        "warnings": _array(_type("string")),
        "problems": _array(_type("string"), "What was requested and not done; each makes the exit status 1."),
        "amis": _array(AMI, "Every AMI that was looked at, sorted by account, Region and id."),
        "orphan_snapshots": _array(
            _object(
                {
                    **_WHERE,
                    "id": _type("string"),
                    "size_gib": _SIZE,
                    "age_days": _AGE,
                    "ami": _type("string", "The AMI that it was created for."),
                    "outcome": _OUTCOME,
                    "error": _ERROR,
                }
            ),
            "With --check-orphans, the orphaned snapshots, sorted likewise.",
        ),
        "dangling_references": _array(
            _object({"ami": _type("string"), **_USE}),
            "Resources that refer to a missing AMI and will fail at their next launch.",
        ),
        "restored": _array(
            _object(
                {
                    **_WHERE,
                    "id": _type("string"),
                    "outcome": _one_of(("restored", "already", "failed", "planned")),
                    "reason": _type("string", "Why it was not brought back; may be empty."),
                }
            ),
            "With --restore, the AMIs and snapshots, sorted likewise.",
        ),
        "totals": _object(
            {
                "amis": _COUNT,
                "snapshots": _about(_COUNT, "Snapshots that a kept AMI uses are not counted."),
                "size_gib": _SIZE,
                "monthly_usd": _type("number", "An upper bound, at --price-per-gib.", minimum=0),
                "kept": _about(
                    {"type": "object", "propertyNames": _one_of(get_args(Reason)), "additionalProperties": _COUNT},
                    "How many AMIs are kept for each reason.",
                ),
            },
            "What the plan deletes.",
        ),
    }
)


def schema() -> dict[str, Any]:
    """The whole JSON Schema, as `docs/schema.json` has it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A run or a saved plan of amicleaner, version 1",
        "description": "What `--output json` prints and `--save-plan` writes. All strings are exactly as AWS returns them.",
        **DOCUMENT,
    }


if __name__ == "__main__":
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    Path(__file__).with_name("schema.json").write_text(text, encoding="utf-8")
