"""A document as JSON, CSV or Markdown.

JSON is exact.  In the other two the text from AWS is made visible first (`text.py`), so that a row is a line and nothing
reaches a terminal as a control character.  Rows end with a line feed, CSV's too: they go through text streams and Unix
tools, and every reader of RFC 4180 takes them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from .sanitize import escape_control

COLUMNS = (
    "account", "region", "group", "id", "name", "created", "decision", "reason", "used_by", "snapshots", "size_gib",
    "outcome", "error",
)  # fmt: skip
"""Of CSV and Markdown: one row an AMI."""

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), full-width signs too.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r]")

# What CommonMark and GitHub's extensions would read as markup: also `$` (mathematics), `~` (struck out) and bare addresses.
_MARKUP = re.compile(r"[\\`*_<>\[\]|&~$]|:(?=//)|(?<=www)\.|@", re.IGNORECASE)


def render(document: Mapping[str, Any], output: str) -> str:
    """The document in one of the machine formats, with a newline at its end."""
    return {"json": to_json, "csv": to_csv, "markdown": to_markdown}[output](document)


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


def to_markdown(document: Mapping[str, Any]) -> str:
    """A table of GitHub's Markdown."""
    rows = [COLUMNS, ["---"] * len(COLUMNS), *([_escaped(cell) for cell in _row(ami)] for ami in document["amis"])]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


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
        str(sum(snapshot["size_gib"] for snapshot in ami["snapshots"])),
        ami["outcome"] or "",
        f"{error['code']}: {error['message']}" if error else "",
    ]


def _harmless(cell: str) -> str:
    return ("'" if _FORMULA.match(cell) else "") + escape_control(cell)


def _escaped(cell: str) -> str:
    text = _MARKUP.sub(r"\\\g<0>", escape_control(cell))
    # Spaces at the ends of a cell would be taken for its padding.
    inner = text.strip(" ")
    if not inner:
        return "&#32;" * len(text)
    before, after = text[: text.index(inner[0])], text[len(text.rstrip(" ")) :]
    return "&#32;" * len(before) + inner + "&#32;" * len(after)


def _json(value: Any) -> str:
    # DEL is the one control character that `ensure_ascii` lets pass; it can stand in strings alone.
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")
