"""A document as JSON or CSV.

JSON is exact.  In CSV the text from AWS is made visible first (`sanitize.py`), so that a row is a line and nothing reaches a
terminal as a control character.  Rows end with a line feed: they go through text streams and Unix tools, and every reader of
RFC 4180 takes them.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from .sanitize import escape_control

COLUMNS = (
    "account", "region", "group", "id", "name", "created", "decision", "reason", "used_by", "snapshots", "size_gib",
    "outcome", "error", "age_days", "rule", "explanation", "restorable_until",
)  # fmt: skip
"""Of CSV: one row per AMI.  New columns are added at the end."""

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), full-width signs too.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r]")


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
    return [
        ami["account"],
        ami["region"],
        "; ".join(ami["groups"]),
        ami["id"],
        ami["name"],
        ami["created"],
        ami["decision"],
        ami["reason"],
        "; ".join(f"{use['kind']} {use['id']}" for use in ami["used_by"]),
        "; ".join(snapshot["id"] for snapshot in ami["snapshots"]),
        str(ami["size_gib"]),
        ami["outcome"] or "",
        f"{error['code']}: {error['message']}" if error else "",
        "" if ami["age_days"] is None else str(ami["age_days"]),
        ami["rule"],
        ami["explanation"],
        ami["restorable_until"] or "",
    ]


def _harmless(cell: str) -> str:
    return ("'" if _FORMULA.match(cell) else "") + escape_control(cell)


def _json(value: Any) -> str:
    # DEL is the one control character that `ensure_ascii` lets pass; it occurs only in strings.
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")
