"""Writes docs/contributing/failures.md, with a process per processor."""

from __future__ import annotations

import sys
from multiprocessing import get_context

import tests.conftest  # noqa: F401 - an environment without the developer's settings

from .table import PAGE, ROWS, line_of, page


def main() -> None:
    lines = []
    with get_context("spawn").Pool(maxtasksperchild=7) as pool:
        for line in pool.imap(line_of, ROWS):
            print(line, file=sys.stderr)
            lines.append(line)
    PAGE.write_text(page(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
