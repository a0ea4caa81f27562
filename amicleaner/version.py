"""The version of this package; only here."""

from __future__ import annotations

__version__ = "1.0.0"
