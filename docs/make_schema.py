"""Writes `docs/schema.json` from the shape that `amicleaner/report/shape.py` states:  python docs/make_schema.py"""

from __future__ import annotations

import json
from pathlib import Path

from amicleaner.report.shape import schema

if __name__ == "__main__":
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    Path(__file__).with_name("schema.json").write_text(text, encoding="utf-8")
