"""Saved plans: written whole or not at all, and read with suspicion, for what they say is deleted."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..config import Config
from ..errors import UsageError
from ..models import Target
from ..result import Result
from .document import PLAN_OPTIONS, document
from .formats import to_json
from .reader import read_document
from .sanitize import escape_control

_MAX_BYTES = 1 << 29
"""Far beyond the plan of the largest account, and short of a device without an end."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a plan says: where it was made, with which options (by their long names), and which AMIs are to go."""

    path: str
    targets: tuple[Target, ...]
    options: dict[str, Any]
    removals: frozenset[tuple[Target, str]]

    def config(self, beside: Config) -> Config:
        """The plan's own options with what stands beside `--apply-plan`; a `--max-deletions` there wins."""
        options = dict(self.options)
        if beside.max_deletions is not None:
            options["max_deletions"] = beside.max_deletions
        if beside.organization_role is None:
            # Without an organization no account is looked for, and the plan's targets are checked in any case.
            options["exclude_account"] = ()
        try:
            return replace(beside, **options, apply_plan=None)
        except UsageError as error:
            raise UsageError(f"{_shown(self.path)}: its options are not valid together: {error}") from error

    def check_accounts(self, accounts: Iterable[str]) -> None:
        """Raises UsageError unless the run works in every account of the plan: known before any Region is."""
        today = sorted(accounts)
        missing = [target for target in self.targets if target.account not in today]
        if missing:
            raise self._elsewhere(missing, ", ".join(f"account {account}" for account in today))

    def check_targets(self, targets: Iterable[Target]) -> None:
        """Raises UsageError unless the run works in every account and Region of the plan.  That it works in more changes
        nothing: there the plan removes nothing."""
        today = set(targets)
        missing = [target for target in self.targets if target not in today]
        if missing:
            raise self._elsewhere(missing, _places(sorted(today)))

    def _elsewhere(self, missing: Sequence[Target], today: str) -> UsageError:
        return UsageError(
            f"{_shown(self.path)} is the plan of {_places(missing)}, and this run works in {today}: "
            "apply it with the credentials and the Region with which it was saved."
        )


def read_plan(path: str, *, version: str = __version__) -> SavedPlan:
    """The plan in a file.  Raises UsageError for one that is changed, cut, of another version, or none."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise UsageError(f"--apply-plan: {_shown(path)} is too large for a plan.")
        # Windows's editors put a mark before the text, which changes nothing in it.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"--apply-plan: {_shown(path)} is not a plan: it is not a text in UTF-8.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"--apply-plan: can't read {_shown(path)}: {_reason(error)}.") from error
    try:
        plan = read_document(text, version=version)
    except UsageError as error:
        raise UsageError(f"--apply-plan: {_shown(path)}: {error}") from error
    return SavedPlan(path, plan_targets(plan), plan_options(plan), plan_removals(plan))


def plan_options(document: dict[str, Any]) -> dict[str, Any]:
    """A plan's own options, as `Config` takes them."""
    options = document["options"]
    return {name: tuple(options[name]) if isinstance(options[name], list) else options[name] for name in PLAN_OPTIONS}


def plan_targets(document: dict[str, Any]) -> tuple[Target, ...]:
    """The accounts and Regions that a plan was made in."""
    return tuple(Target(target["account"], target["region"]) for target in document["targets"])


def plan_removals(document: dict[str, Any]) -> frozenset[tuple[Target, str]]:
    """The AMIs that a plan removes."""
    return frozenset(
        (Target(ami["account"], ami["region"]), ami["id"]) for ami in document["amis"] if ami["decision"] == "remove"
    )


def check_writable(path: str) -> None:
    """Raises UsageError where a plan can't be written to `path`: asked before AWS is, for reading an account takes long."""
    _check_place(path)
    try:
        descriptor, name = _temporary(path)
        os.close(descriptor)
        os.unlink(name)
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error


def write_plan(path: str, result: Result, created: datetime) -> None:
    """Writes the plan of a result as JSON.  Raises UsageError where that fails."""
    if result.plan is None:
        raise ValueError("the run has no plan yet")
    write_text(path, to_json(document(result, result.plan.config, version=__version__, created=created)))


def write_text(path: str, text: str) -> None:
    """Puts a file with `text` into the place of `path`, for its owner alone: account ids and names stand in it.  Never
    through a symbolic link, which somebody else may have laid, and never a part of it."""
    _check_place(path)
    name = None
    try:
        descriptor, name = _temporary(path)
        with open(descriptor, "w", encoding="ascii", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
        name = None
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error
    finally:
        if name is not None:
            with suppress(OSError):
                os.unlink(name)


def _temporary(path: str) -> tuple[int, str]:
    """A new file beside `path`, so that the one can be renamed to the other: (descriptor, name), readable by its owner."""
    return tempfile.mkstemp(prefix=".amicleaner-", dir=Path(path).parent)


def _check_place(path: str) -> None:
    if not os.path.basename(path):
        raise UsageError(f"--save-plan: {_shown(path)} is a folder's name: name a file.")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error
    if stat.S_ISLNK(mode):
        raise UsageError(f"--save-plan: {_shown(path)} is a symbolic link: name the file itself.")
    if not stat.S_ISREG(mode):
        raise UsageError(
            f"--save-plan: {_shown(path)} is not a file (for a plan on standard output: --dry-run --output json)."
        )


def _cannot(path: str, error: Exception) -> UsageError:
    return UsageError(f"--save-plan: can't write {_shown(path)}: {_reason(error)}.")


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _shown(path: str) -> str:
    return escape_control(path)


def _places(targets: Iterable[Target]) -> str:
    return ", ".join(f"account {target.account or 'unknown'} Region {target.region}" for target in targets) or "none"
