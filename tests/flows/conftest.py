"""A fresh simulated account for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.flow import Flow


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flow:
    return Flow(monkeypatch, tmp_path)
