"""Everything about the package is in pyproject.toml; this is for tools that still look here."""

from setuptools import setup

setup()
