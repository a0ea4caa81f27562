"""A fresh pair of accounts for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fault_injection.scene import Scene
from tests.flows.flow import Flow


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    return Scene(Flow(monkeypatch, tmp_path))
