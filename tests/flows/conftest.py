"""A fresh simulated account for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.flow import Flow, new_flow


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flow]:
    with new_flow(monkeypatch, tmp_path) as flow:
        yield flow
