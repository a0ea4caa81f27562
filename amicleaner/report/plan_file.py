"""Saved plans: written whole or not at all, and read with suspicion, for what they say is deleted.

Only the members that are used are looked at, once the checksum and the version are right: whatever version of amicleaner
wrote the plan, of one version of the document all can be read.
"""

import json
import os
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from ..actions import ACTIONS, KEEP
from ..config import BY_NAME, Config, Rule
from ..errors import UsageError
from ..models import Target
from ..result import Result
from ..settings import RULE_KEYS, converted
from .document import PLAN_OPTIONS, VERSION, digest, document, to_json
from .sanitize import cut, escape_control
from .sentences import listing

_MAX_BYTES = 1 << 29
"""Far beyond the plan of the largest account, and short of a device without an end."""

WHERE = ("account", "region")

_AGAIN = "Save the plan again with --save-plan."


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a plan says: where it was made, with which options (by their long names), and what it changes: (target, AMI id)
    to the name of an action."""

    path: str
    targets: tuple[Target, ...]
    options: Mapping[str, Any]
    changes: Mapping[tuple[Target, str], str]

    def config(self, given: Config) -> Config:
        """The plan's own options and Regions together with what was `given` with --apply-plan.  Limits that were given win.
        Raises UsageError where they are not valid together."""
        options = dict(self.options)
        for option in BY_NAME.values():
            if option.in_plan and option.with_apply_plan and getattr(given, option.name) != option.default:
                options[option.name] = getattr(given, option.name)
        options |= {"region": tuple(sorted({target.region for target in self.targets})), "exclude_region": ()}
        if given.organization_role is None:
            # Without an organization no account is looked for, and the plan's targets are checked in any case.
            options["exclude_account"] = ()
        try:
            return replace(given, **options, apply_plan=None)
        except UsageError as error:
            raise UsageError(f"{escape_control(self.path)}: its options are not valid: {error}") from error

    def check_accounts(self, accounts: Iterable[str]) -> None:
        """Raises UsageError unless the run works in every account of the plan: known before any Region is."""
        today = set(accounts)
        if missing := {target.account for target in self.targets} - today:
            raise self._elsewhere(_accounts(missing), f"these credentials are for {_accounts(today)}")

    def check_targets(self, targets: Iterable[Target]) -> None:
        """Raises UsageError unless the run works in every account and Region of the plan.  That it works in more changes
        nothing: there the plan changes nothing."""
        today = set(targets)
        if missing := set(self.targets) - today:
            created, covered = (listing(list(map(str, sorted(found)))) for found in (missing, today))
            raise self._elsewhere(created, f"this run covers {covered or 'no Region'}")

    def _elsewhere(self, created: str, run: str) -> UsageError:
        return UsageError(f"{escape_control(self.path)} was created for {created}; {run}.")


def read_plan(path: str) -> SavedPlan:
    """The plan in a file.  Raises UsageError for a file that was modified or truncated, or is not a plan."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise UsageError(f"--apply-plan: {escape_control(path)} is too large for a plan.")
        # Windows's editors put a mark before the text, which changes nothing in it.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"--apply-plan: {escape_control(path)} is not a plan: it is not UTF-8 text.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"--apply-plan: can't read {escape_control(path)}: {_reason(error)}.") from error
    try:
        return _saved(path, parse(text))
    except UsageError as error:
        raise UsageError(f"--apply-plan: {escape_control(path)}: {error}") from error


def parse(text: str) -> dict[str, Any]:
    """The document in `text`, whole and of this version.  Raises UsageError for anything else."""
    try:
        found = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"not valid JSON (line {error.lineno}, column {error.colno}): not a plan, or truncated. {_AGAIN}"
        ) from error
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"not a plan: {why}. {_AGAIN}") from error
    if not isinstance(found, dict) or "version" not in found or "sha256" not in found:
        raise UsageError(f"valid JSON, but not a plan of amicleaner. {_AGAIN}")
    if type(found["version"]) is not int or found["version"] != VERSION:
        version, writer = cut(repr(found["version"]), 40), cut(repr(found.get("amicleaner")), 40)
        raise UsageError(
            f"a plan of version {version}, saved by amicleaner {writer}; this amicleaner reads version {VERSION}. {_AGAIN}"
        )
    if digest(found) != found["sha256"]:
        raise UsageError(f"checksum mismatch. The plan was modified or truncated. {_AGAIN}")
    return found


def _saved(path: str, plan: Mapping[str, Any]) -> SavedPlan:
    """What a plan is used for.  Raises UsageError where a member that is used is missing or of another kind."""
    places = _list(plan.get("targets"), "targets")
    targets = tuple(Target(*_strings(place, WHERE, f"targets[{index}]")) for index, place in enumerate(places))
    keys = []
    changes = {}
    for index, ami in enumerate(_list(plan.get("amis"), "amis")):
        account, region, id, decision = _strings(ami, (*WHERE, "id", "decision"), f"amis[{index}]")
        if decision not in ACTIONS:
            raise _no_plan(f"amis[{index}].decision")
        key = (Target(account, region), id)
        keys.append(key)
        if decision != KEEP.name:
            changes[key] = decision
    twice = sorted({id for (_, id), count in Counter(keys).items() if count > 1})
    if twice:
        raise UsageError(f"lists {listing(twice)} more than once. {_AGAIN}")
    outside = sorted({id for target, id in keys if target not in targets})
    if outside:
        raise UsageError(f"lists AMIs outside its targets: {listing(outside)}. {_AGAIN}")
    return SavedPlan(path, targets, _options(plan.get("options")), changes)


def _options(options: Any) -> dict[str, Any]:
    """A plan's own options, as `Config` takes them; what an older version did not write has its default."""
    if not isinstance(options, dict):
        raise _no_plan("options")
    own = {name: value for name, value in options.items() if name != "rules"}
    rules = []
    for index, rule in enumerate(_list(options.get("rules", []), "options.rules")):
        where = f"options.rules[{index}]"
        (name,) = _strings(rule, ("name",), where)
        values = _values({key: value for key, value in rule.items() if key != "name"}, RULE_KEYS, where)
        rules.append(Rule(name, tuple(values.items())))
    return _values(own, PLAN_OPTIONS, "options") | {"rules": tuple(rules)}


def _values(options: Mapping[str, Any], known: Collection[str], where: str) -> dict[str, Any]:
    values = {}
    for name, value in options.items():
        if name not in known:
            raise _no_plan(f"{where}.{name}")
        try:
            unset = value is None and BY_NAME[name].default is None
            values[name] = None if unset else converted(BY_NAME[name], value, name)
        except UsageError as error:
            raise _no_plan(f"{where}.{name}") from error
    return values


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _no_plan(where)
    return value


def _strings(part: Any, names: Iterable[str], where: str) -> list[str]:
    """The members with these names, all of which are strings."""
    for name in names:
        if not isinstance(part, dict) or not isinstance(part.get(name), str):
            raise _no_plan(f"{where}.{name}")
    return [part[name] for name in names]


def _no_plan(where: str) -> UsageError:
    return UsageError(
        f"not a plan that this amicleaner can apply: {escape_control(cut(where, 60))} is missing or unknown. {_AGAIN}"
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Of two members with one name each reader takes another: what was reviewed might not be what is done.
        raise ValueError("a member appears twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def check_writable(path: str) -> None:
    """Raises UsageError where a plan can't be written to `path`: found out before AWS is called."""
    write_text(path, None)


def write_plan(path: str, result: Result, created: datetime) -> None:
    """Writes the plan of a result as JSON.  Raises UsageError where that fails."""
    if result.plan is None:
        raise ValueError("the run has no plan yet")
    write_text(path, to_json(document(result, result.plan.config, created)))


def write_text(path: str, text: str | None) -> None:
    """Replaces the file at `path` by one with `text`, readable by its owner only: it holds account ids and names.  Never
    through a symbolic link, which somebody else may have put there, and never a part of the text.  None: only finds out
    whether that is possible."""
    if not os.path.basename(path):
        raise UsageError(f"--save-plan: {escape_control(path)} is a folder. Pass the path of a file.")
    try:
        with suppress(FileNotFoundError):
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                raise UsageError(
                    f"--save-plan: {escape_control(path)} is a symbolic link. Pass the path of the file itself."
                )
            if not stat.S_ISREG(mode):
                other = "For a plan on standard output: --dry-run --output json."
                raise UsageError(f"--save-plan: {escape_control(path)} is not a regular file. {other}")
        descriptor, name = mkstemp(prefix=".amicleaner-", dir=Path(path).parent)  # in the same folder, to be renamed
        try:
            with open(descriptor, "w", encoding="ascii", newline="\n") as file:
                file.write(text or "")
                file.flush()
                os.fsync(file.fileno())
            if text is not None:
                os.replace(name, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
    except (OSError, ValueError) as error:
        raise UsageError(f"--save-plan: can't write {escape_control(path)}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _accounts(accounts: Collection[str]) -> str:
    if not accounts:
        return "no account"
    return f"account{'s' if len(accounts) > 1 else ''} {listing([account or 'unknown' for account in sorted(accounts)])}"
