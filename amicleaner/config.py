"""One frozen `Config` from the command line to the pipeline.  A `Config` that exists is valid."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from .errors import UsageError
from .options import BY_NAME, OPTIONS, Option

AMI_ID = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
ACCOUNT_ID = re.compile(r"[0-9]{12}")
ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::([0-9]{12}):role/\S+")

NOT_WITH_FROM_IDS = (
    "mapping_key", "mapping_values", "excluded_mapping_values", "include_untagged", "only_tag", "only_name",
    "keep_previous", "ami_min_days", "unused_days",
)  # fmt: skip
"""A person who names AMIs chooses them by nothing else: an option that would choose too is a misunderstanding."""

WITH_APPLY_PLAN = frozenset(
    "apply_plan force_delete dry_run output explain audit_log debug max_deletions "
    "profile role_arn organization_role external_id connect_timeout read_timeout max_attempts demo".split()
)
"""What may stand beside `--apply-plan`: the plan brings the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a run is asked to do; the fields are the options by their long names (`options.py` tells each).

    Raises UsageError where a value, or values together, make no sense.
    """

    mapping_key: str = "tags"
    mapping_values: tuple[str, ...] = ("environment", "role")
    excluded_mapping_values: tuple[str, ...] = ()
    include_untagged: bool = False
    only_tag: tuple[str, ...] = ()
    only_name: tuple[str, ...] = ()
    keep_previous: int = 4
    ami_min_days: int = -1
    keep_tag: tuple[str, ...] = ()
    unused_days: int | None = None
    all_launch_template_versions: bool = False
    include_shared: bool = False
    skip_check: tuple[str, ...] = ()
    force_delete: bool = False
    from_ids: tuple[str, ...] = ()
    ignore_in_use: bool = False
    check_orphans: bool = False
    max_deletions: int | None = None
    audit_log: str | None = None
    dry_run: bool = False
    exit_code: bool = False
    save_plan: str | None = None
    apply_plan: str | None = None
    explain: bool = False
    iam_policy: bool = False
    region: tuple[str, ...] = ()
    exclude_region: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    role_arn: tuple[str, ...] = ()
    organization_role: str | None = None
    exclude_account: tuple[str, ...] = ()
    external_id: str | None = None
    used_by_profile: tuple[str, ...] = ()
    used_by_role_arn: tuple[str, ...] = ()
    full_report: bool = False
    output: str = "table"
    price_per_gib: float = 0.05
    debug: bool = False
    config: str | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    max_attempts: int = 8
    demo: bool = False

    def __post_init__(self) -> None:
        for option in OPTIONS:
            value = getattr(self, option.name)
            if option.kind == "texts":
                # A value said twice is one value; the order is the person's.
                value = tuple(dict.fromkeys([value] if isinstance(value, str) else value))
                object.__setattr__(self, option.name, value)
            _check_value(option, value)
        _check_texts(self)
        changed = {field.name for field in fields(self) if getattr(self, field.name) != field.default}
        check_together(self, changed)

    @property
    def deletes(self) -> bool:
        """Whether this run may change anything at all."""
        return not (self.dry_run or self.save_plan or self.iam_policy)


def check_together(config: Config, given: Iterable[str]) -> None:
    """Refuses options that can't stand together.  `given` are the names that were said, also with their default value."""
    given = set(given)
    if config.from_ids:
        _refuse(
            given.intersection(NOT_WITH_FROM_IDS), "--from-ids", "it removes the AMIs that it names, whatever their group"
        )
    if config.ignore_in_use and not config.from_ids:
        raise UsageError("--ignore-in-use is allowed only with --from-ids: it is meant for AMIs that you name.")
    if config.apply_plan is not None:
        _refuse(given - WITH_APPLY_PLAN, "--apply-plan", "the plan brings its own options")
    if config.audit_log is not None and config.audit_log in (config.apply_plan, config.save_plan, config.config):
        raise UsageError("--audit-log needs a file of its own: its lines would spoil the other one.")
    if config.save_plan is not None and config.check_orphans:
        raise UsageError("--save-plan can't stand beside --check-orphans: a plan holds AMIs alone.")
    if config.exit_code and not (config.dry_run or config.save_plan):
        raise UsageError("--exit-code belongs to --dry-run: add --dry-run.")
    roles = bool(config.role_arn or config.organization_role)
    if roles and len(config.profile) > 1:
        raise UsageError("Roles are assumed from one profile: give one --profile, not several.")
    if config.role_arn and config.organization_role:
        raise UsageError("Give --role-arn or --organization-role, not both.")
    if config.exclude_account and not config.organization_role:
        raise UsageError("--exclude-account needs --organization-role: only an organization is searched for accounts.")
    if config.external_id is not None and not (roles or config.used_by_role_arn):
        raise UsageError("--external-id needs --role-arn, --organization-role or --used-by-role-arn.")


def _refuse(names: Iterable[str], beside: str, why: str) -> None:
    flags = ", ".join(sorted(BY_NAME[name].flag for name in names))
    if flags:
        raise UsageError(f"{flags} can't stand beside {beside}: {why}.")


def _check_value(option: Option, value: Any) -> None:
    """Refuses a value that is none for this option."""
    if option.kind == "flag" and not isinstance(value, bool):
        raise UsageError(f"{option.flag}: {value!r} is neither True nor False.")
    if option.kind in ("integer", "number") and value is not None:
        if isinstance(value, bool) or not isinstance(value, int if option.kind == "integer" else int | float):
            raise UsageError(f"{option.flag}: {value!r} is not a {'whole ' if option.kind == 'integer' else ''}number.")
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{option.flag}: {value} is not a number to count with.")
        if option.minimum is not None and value < option.minimum:
            raise UsageError(f"{option.flag}: {value} is too small: the minimum is {option.minimum:g}.")
        if option.maximum is not None and value > option.maximum:
            raise UsageError(f"{option.flag}: {value} is too large: the maximum is {option.maximum:.0f}.")
    for text in value if option.kind == "texts" else (value,) if option.kind == "text" and value is not None else ():
        if not isinstance(text, str) or not text:
            raise UsageError(f"{option.flag}: an empty value is none: leave the option out, or give it a value.")
        if option.metavar != "FILE" and not _is_text(text):
            # A tag or a name can't hold it, so it would choose, or protect, nothing.
            raise UsageError(f"{option.flag}: {text!r} holds bytes that are no letters in this locale.")
        if option.choices and text not in option.choices:
            raise UsageError(f"{option.flag}: {text!r} is not one of {', '.join(option.choices)}.")


def _is_text(text: str) -> bool:
    """Python keeps bytes of the command line and of variables that it can't decode as halves of surrogate pairs."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _check_texts(config: Config) -> None:
    if not config.mapping_values:
        raise UsageError("--mapping-values needs at least one value.")
    for id in config.from_ids:
        if not AMI_ID.fullmatch(id):
            raise UsageError(f"--from-ids: {id!r} is not an AMI id: one looks like ami-0123456789abcdef0.")
    for account in config.exclude_account:
        if not ACCOUNT_ID.fullmatch(account):
            raise UsageError(f"--exclude-account: {account!r} is not an account id: one has twelve digits.")
    for flag, arns in (("--role-arn", config.role_arn), ("--used-by-role-arn", config.used_by_role_arn)):
        for arn in arns:
            if not ROLE_ARN.fullmatch(arn):
                raise UsageError(f"{flag}: {arn!r} is not a role's ARN: one looks like arn:aws:iam::123456789012:role/name.")
    if config.organization_role is not None and ":" in config.organization_role:
        raise UsageError("--organization-role takes the role's name, which is the same in every account, not an ARN.")
    for tag in config.only_tag:
        if "=" not in tag[1:]:
            raise UsageError(f"--only-tag: {tag!r} needs a key and a value: KEY=VALUE.")
