"""The names that `--skip-check` and `--also-check` take, apart from the readers behind them: options are parsed without
loading boto3.  The registry of usage sources (`aws/usage`) has exactly these."""

from __future__ import annotations

CHECKS = (
    "auto-scaling-groups",
    "batch",
    "fast-launch",
    "fleets",
    "image-builder",
    "image-references",
    "instances",
    "launch-configurations",
    "launch-templates",
    "spot",
)
"""Read unless they are skipped; sorted."""

FURTHER_CHECKS = (
    "cloudformation",
    "elastic-beanstalk",
    "emr",
    "pcs",
    "rds-custom",
    "sagemaker-hyperpod",
)
"""Read on request; sorted."""
