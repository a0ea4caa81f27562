"""The document of a run, version 1, and its forms: the JSON output, a saved plan, CSV.

`docs/make_schema.py` states its shape.  `sha256` is the hexadecimal SHA-256 of the UTF-8 text of all other members in
canonical form: `json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)`.

JSON is exact.  In CSV the text from AWS is made visible first (`sanitize.py`), so that a row is a line and nothing reaches a
terminal as a control character.  Rows end with a line feed, which every reader of RFC 4180 takes.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..config import OPTIONS, Config
from ..decisions import Decision
from ..models import AmiResult, Failure, Target, Use
from ..plan import Plan
from ..quarantine import format_time
from ..result import Orphan, Result
from ..version import __version__
from .result_sentences import kept_because, restore_line
from .sanitize import escape_control
from .sentences import age_days, cautions, gib, monthly_usd

VERSION = 1

PLAN_OPTIONS = tuple(sorted(option.name for option in OPTIONS if option.in_plan))
"""The options that a plan brings along: whatever chose the AMIs, and whatever protects them.  All are in the document,
so that a default that changes later does not change a plan.  Credentials and outputs are not."""


COLUMNS = (
    "account", "region", "group", "id", "name", "created", "decision", "reason", "used_by", "snapshots", "size_gib",
    "outcome", "error", "age_days", "rule", "explanation", "restorable_until",
)  # fmt: skip
"""Of CSV: one row per AMI.  New columns are added at the end."""

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), full-width signs too.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r]")


def document(result: Result, config: Config, created: datetime) -> dict[str, Any]:
    """The document, its members in the order in which people read them.  `config` is the run's own; the options are those
    of the plan where there is one, which is another's when a plan is applied."""
    plan = result.plan
    options = plan.config if plan else config
    snapshots = list(plan.snapshots.values()) if plan else []
    failed = [restore_line(restored) for restored in result.restored if restored.outcome == "failed"]
    made: dict[str, Any] = {
        "version": VERSION,
        "amicleaner": __version__,
        "created": format_time(created),
        "dry_run": not config.deletes,
        "status": result.status,
        "exit_status": result.exit_status,
        "options": _options(options),
        "sha256": "",  # near the top, where a reader of a long plan sees it
        "targets": list(map(_target, plan.targets if plan else _targets(result))),
        "warnings": list(dict.fromkeys((*result.warnings, *(cautions(plan) if plan else ())))),
        "problems": [*result.problems, *failed],
        "amis": [_ami(decision, plan, result) for decision in plan.decisions] if plan else [],
        "orphan_snapshots": [
            _orphan(orphan, created)
            for orphan in sorted(result.orphans, key=lambda orphan: (orphan.target, orphan.snapshot.id))
        ],
        "dangling_references": [{"ami": reference.ami} | _use(reference.use) for reference in sorted(result.dangling)],
        "restored": [
            _target(restored.target) | {"id": restored.id, "outcome": restored.outcome, "reason": restored.reason}
            for restored in sorted(result.restored, key=lambda restored: (restored.target, restored.id))
        ],
        "totals": {
            "amis": len(plan.removals) if plan else 0,
            "snapshots": len(snapshots),
            "size_gib": sum(snapshot.size_gib for snapshot in snapshots),
            "monthly_usd": monthly_usd(snapshots, options.price_per_gib),
            "kept": dict(plan.kept_by_reason) if plan else {},
        },
    }
    return made | {"sha256": digest(made)}


def digest(document: Mapping[str, Any]) -> str:
    """The `sha256` of a document, whatever its own member says."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _options(config: Config) -> dict[str, Any]:
    values = {name: _plain(getattr(config, name)) for name in PLAN_OPTIONS}
    if not (config.rules or config.from_ids):
        # The number in force: a default that changes later does not change a plan.
        values["keep_previous"] = config.newest_kept
    values["rules"] = [{"name": rule.name} | {name: _plain(value) for name, value in rule.options} for rule in config.rules]
    return values


def _ami(decision: Decision, plan: Plan, run: Result) -> dict[str, Any]:
    ami = decision.ami
    result = run.amis.get((decision.target, ami.id))
    why = kept_because(result) if result and result.outcome == "kept" else ""
    used_by = sorted({*decision.used_by, *(result.used_by if result else ())})
    return {
        **_target(decision.target),
        "id": ami.id,
        "name": ami.name,
        "created": ami.created_text,
        "age_days": age_days(ami.created, plan.created),
        "size_gib": gib(plan, decision),
        "tags": dict(ami.tags),
        "rule": decision.rule,
        "groups": list(decision.groups),
        "decision": decision.action.name,
        "reason": decision.reason,
        "explanation": f"Kept meanwhile: {why}" if why else decision.explanation,
        "used_by": [_use(use) for use in used_by],
        "snapshots": [
            {"id": snapshot.id, "size_gib": plan.size_of(decision.target, snapshot)} for snapshot in ami.snapshots
        ],
        "restorable_until": format_time(decision.restorable_until) if decision.restorable_until else None,
        "outcome": result.outcome if result else None,
        "error": _ami_error(result) if result else None,
    }


def _ami_error(result: AmiResult) -> dict[str, str] | None:
    """Its own error, or those of its snapshots: an AMI can be deleted while one of its snapshots is not."""
    if result.error:
        return _error(result.error)
    errors = [
        (snapshot.id, snapshot.error) for snapshot in result.snapshots if snapshot.outcome == "failed" and snapshot.error
    ]
    if not errors:
        return None
    return {"code": errors[0][1].code, "message": "; ".join(f"{id}: {error.message}" for id, error in errors)}


def _orphan(orphan: Orphan, now: datetime) -> dict[str, Any]:
    result = orphan.result
    return {
        **_target(orphan.target),
        "id": orphan.snapshot.id,
        "size_gib": orphan.snapshot.block().size_gib,
        "age_days": age_days(orphan.snapshot.started, now),
        "ami": orphan.ami,
        "outcome": result.outcome if result else None,
        "error": _error(result.error) if result and result.error else None,
    }


def _targets(result: Result) -> list[Target]:
    """Where a run without a plan found something."""
    orphans = {orphan.target for orphan in result.orphans}
    return sorted(orphans | {restored.target for restored in result.restored})


def _target(target: Target) -> dict[str, str]:
    return {"account": target.account, "region": target.region}


def _use(use: Use) -> dict[str, str]:
    return {"kind": use.kind, "id": use.id, "account": use.account, "region": use.region}


def _error(failure: Failure) -> dict[str, str]:
    return {"code": failure.code, "message": failure.message}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def to_json(document: Mapping[str, Any]) -> str:
    """JSON in ASCII, an AMI a line: short enough to be read, searched and compared."""
    members = []
    for name, value in document.items():
        text = _json(value)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join(map(_json, value)) + "\n]"
        members.append(f"{_json(name)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def to_csv(document: Mapping[str, Any]) -> str:
    """CSV with a header; a cell that a spreadsheet would run begins with an apostrophe."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_harmless(cell) for cell in _row(ami)] for ami in document["amis"])
    return lines.getvalue()


def _row(ami: Mapping[str, Any]) -> list[str]:
    error = ami["error"]
    cells = {
        **ami,
        "group": "; ".join(ami["groups"]),
        "used_by": "; ".join(f"{use['kind']} {use['id']}" for use in ami["used_by"]),
        "snapshots": "; ".join(snapshot["id"] for snapshot in ami["snapshots"]),
        "error": f"{error['code']}: {error['message']}" if error else None,
    }
    return ["" if cells[name] is None else str(cells[name]) for name in COLUMNS]


def _harmless(cell: str) -> str:
    return ("'" if _FORMULA.match(cell) else "") + escape_control(cell)


def _json(value: Any) -> str:
    # DEL is the one control character that `ensure_ascii` lets pass; it occurs only in strings.
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")
