"""A fresh simulated account for each test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.aws.usage.account import Account


@pytest.fixture
def account(threads: ThreadPoolExecutor) -> Account:
    return Account(pool=threads)
