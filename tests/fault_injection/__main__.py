"""Makes docs/contributing/failures.md."""

from __future__ import annotations

import sys

import tests.conftest  # noqa: F401 - an environment without the developer's settings

from .table import CELLS, PAGE, page, seen_of


def main() -> None:
    words = {}
    for number, cell in enumerate(CELLS, 1):
        print(f"{number}/{len(CELLS)} {cell}", file=sys.stderr)
        words[cell] = seen_of(cell)
    PAGE.write_text(page(words), encoding="utf-8")


if __name__ == "__main__":
    main()
