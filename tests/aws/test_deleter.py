"""The deleter changes what it is told and nothing else, and reports what is true."""

from __future__ import annotations

import pytest

from tests.aws.simulation import *  # noqa: F403
