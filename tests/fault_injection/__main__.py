"""Writes docs/contributing/failures.md, with a process per processor."""

from __future__ import annotations

import sys
from multiprocessing import get_context

import tests.conftest  # noqa: F401 - an environment without the developer's settings

from .table import CELLS, PAGE, page, seen_of


def main() -> None:
    words = {}
    with get_context("spawn").Pool(maxtasksperchild=100) as pool:
        for number, (cell, word) in enumerate(zip(CELLS, pool.imap(seen_of, CELLS), strict=True), 1):
            print(f"{number}/{len(CELLS)} {cell}: {word}", file=sys.stderr)
            words[cell] = word
    PAGE.write_text(page(words), encoding="utf-8")


if __name__ == "__main__":
    main()
