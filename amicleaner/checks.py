"""The names that `--skip-check` takes, apart from the readers behind them: options are parsed without loading boto3."""

from __future__ import annotations

CHECKS = (
    "auto-scaling-groups",
    "fleets",
    "image-references",
    "instances",
    "launch-configurations",
    "launch-templates",
    "spot",
)
"""Sorted; the registry of places (`aws/usage`) has exactly these."""
