"""A fresh simulated account for each test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.flow import Flow


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flow]:
    """The account.  A run that failed leaves calls in flight: they end before the next test, which has the same clients."""
    before = set(threading.enumerate())
    yield Flow(monkeypatch, tmp_path)
    for thread in set(threading.enumerate()) - before:
        if not thread.daemon:
            thread.join(10.0)
            assert not thread.is_alive(), f"{thread.name} goes on"
