"""The document of a run, version 1: what the JSON output, a saved plan, CSV and Markdown are made from.

`docs/schema.json` tells its form.  `sha256` is the hexadecimal SHA-256 of the UTF-8 text of all other members in canonical
form: `json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..config import Config
from ..models import AmiResult, Failure, SnapshotResult
from ..plan import Decision
from ..result import Orphan, Result
from .summary_line import monthly_usd

VERSION = 1

PLAN_OPTIONS = (
    "all_launch_template_versions", "ami_min_days", "exclude_account", "exclude_region", "excluded_mapping_values",
    "from_ids", "ignore_in_use", "include_shared", "include_untagged", "keep_previous", "keep_tag", "mapping_key",
    "mapping_values", "max_deletions", "only_name", "only_tag", "price_per_gib", "region", "skip_check", "unused_days",
    "used_by_profile", "used_by_role_arn",
)  # fmt: skip
"""The options that a plan brings when it is applied: whatever chose the AMIs, and the accounts that protect them.  All of
them stand in the document, so that a default that changes later does not change a plan.  Credentials and outputs do not."""


def document(result: Result, config: Config, *, version: str, created: datetime) -> dict[str, Any]:
    """The document, its members in the order in which people read them.  `config` is the run's own; the options are those
    of the plan where there is one, which is another's when a plan is applied."""
    plan = result.plan
    options = plan.config if plan else config
    targets = plan.targets if plan else sorted({orphan.target for orphan in result.orphans})
    decisions = plan.decisions if plan else ()
    totals = plan.totals if plan else None
    size = totals.size_gib if totals else 0
    rest: dict[str, Any] = {
        "version": VERSION,
        "amicleaner": version,
        "created": f"{created.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "dry_run": not config.deletes,
        "options": {name: _plain(getattr(options, name)) for name in PLAN_OPTIONS},
        "targets": [{"account": target.account, "region": target.region} for target in targets],
        "amis": [_ami(decision, result.amis.get((decision.target, decision.ami.id))) for decision in decisions],
        "orphan_snapshots": [
            _orphan(orphan) for orphan in sorted(result.orphans, key=lambda orphan: (orphan.target, orphan.snapshot.id))
        ],
        "totals": {
            "amis": totals.amis if totals else 0,
            "snapshots": totals.snapshots if totals else 0,
            "size_gib": size,
            "monthly_usd": monthly_usd(size, options.price_per_gib),
        },
    }
    members = list(rest.items())
    # Near the top, where a reader of a long plan sees it.
    return dict([*members[:5], ("sha256", digest(rest)), *members[5:]])


def digest(document: Mapping[str, Any]) -> str:
    """The `sha256` of a document, whichever it says itself."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def why_kept(result: AmiResult) -> str:
    """Why an AMI that was to go stays after all, or nothing where it is not known."""
    if result.used_by:
        users = ", ".join(use.label for use in result.used_by)
        return f"{users} {'uses' if len(result.used_by) == 1 else 'use'} it by now"
    if result.shared_with:
        return f"it is shared with {', '.join(result.shared_with)}"
    return ""


def _ami(decision: Decision, result: AmiResult | None) -> dict[str, Any]:
    ami = decision.ami
    why = why_kept(result) if result and result.outcome == "kept" else ""
    used_by = sorted({*decision.used_by, *(result.used_by if result else ())})
    return {
        "account": decision.target.account,
        "region": decision.target.region,
        "id": ami.id,
        "name": ami.name,
        "created": ami.created_text,
        "tags": dict(ami.tags),
        "groups": list(decision.groups),
        "decision": "remove" if decision.remove else "keep",
        "reason": decision.reason,
        "explanation": f"It stays: {why}." if why else decision.explanation,
        "used_by": [{"kind": use.kind, "id": use.id, "account": use.account, "region": use.region} for use in used_by],
        "snapshots": [{"id": snapshot.id, "size_gib": snapshot.size_gib} for snapshot in ami.snapshots],
        "outcome": result.outcome if result else None,
        "error": _ami_error(result) if result else None,
    }


def _ami_error(result: AmiResult) -> dict[str, str] | None:
    """Its own error, or those of its snapshots: an AMI can be gone while a snapshot of it is not."""
    if result.error:
        return _error(result.error)
    failed = [(snapshot.id, snapshot.error) for snapshot in result.snapshots if snapshot.outcome == "failed"]
    errors = [(id, error) for id, error in failed if error]
    if not errors:
        return None
    return {"code": errors[0][1].code, "message": "; ".join(f"{id}: {error.message}" for id, error in errors)}


def _orphan(orphan: Orphan) -> dict[str, Any]:
    result: SnapshotResult | None = orphan.result
    return {
        "account": orphan.target.account,
        "region": orphan.target.region,
        "id": orphan.snapshot.id,
        "size_gib": orphan.snapshot.size_gib,
        "outcome": result.outcome if result else None,
        "error": _error(result.error) if result and result.error else None,
    }


def _error(failure: Failure) -> dict[str, str]:
    return {"code": failure.code, "message": failure.message}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
