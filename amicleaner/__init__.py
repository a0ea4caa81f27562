"""Deletes old AMIs and their snapshots, and never one that is in use.

As a library: `clean(Config(...))` does a whole run and returns a `Result`.  Importing the package loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .config import Config
    from .result import Result
    from .run import clean

__all__ = ["Config", "Result", "__version__", "clean"]

_HOMES = {"Config": "config", "Result": "result", "clean": "run"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
