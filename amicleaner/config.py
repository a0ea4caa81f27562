"""One frozen `Config` from the command line to the pipeline.  Every option is stated here, and only here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, fields, replace
from typing import Any

from .checks import CHECKS, FURTHER_CHECKS
from .errors import UsageError
from .options import (
    ACCOUNTS,
    DELETION,
    FILTERS,
    GROUPING,
    IN_USE,
    OUTPUT,
    PREVIEW,
    RETENTION,
    SETTINGS,
    UNDO,
    Option,
    kind_of,
    option,
)

AMI_ID = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
ACCOUNT_ID = re.compile(r"[0-9]{12}")
ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::([0-9]{12}):role/\S+")

KEEP_PREVIOUS = 4
"""AMIs kept in each group where no option says anything else."""

_GROUP = {"selects": True, "in_rule": True, "in_plan": True}
_LIMIT = {"in_plan": True, "with_apply_plan": True}
_ACCESS = {"with_apply_plan": True, "with_restore": True}


@dataclass(frozen=True, slots=True)
class Rule:
    """A `[[rule]]` table of the configuration file: a name, and the options that hold for the AMIs it selects."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a run is asked to do; the fields are the options by their long names.

    A `Config` that exists is valid: making one raises UsageError where a value, or values together, make no sense.
    """

    # fmt: off
    mapping_key: str = option(
        "tags", GROUPING, "How AMIs are grouped. Also requires --mapping-values, except for family.",
        shown="tags", choices=("name", "tags", "family", "pattern"), **_GROUP)
    mapping_values: tuple[str, ...] = option(
        ("environment", "role"), GROUPING, "Tag keys, substrings of names, or regular expressions for pattern.",
        shown="environment role", metavar="V", **_GROUP)
    excluded_mapping_values: tuple[str, ...] = option(
        (), GROUPING, "Keep AMIs whose grouped tag values (or whose name) contain one of these.", metavar="V", **_GROUP)
    include_untagged: bool = option(
        False, GROUPING, "Clean up AMIs that have none of the grouping tags, as one group.", **_GROUP)

    only_tag: tuple[str, ...] = option(
        (), FILTERS, "Only consider AMIs that have all of these tags.", metavar="KEY=VALUE", **_GROUP)
    only_name: tuple[str, ...] = option(
        (), FILTERS, "Only consider AMIs whose name matches one of these patterns.", metavar="GLOB", **_GROUP)
    rule: tuple[str, ...] = option(
        (), FILTERS, "Run only these rules of the configuration file.", metavar="NAME", selects=True, in_plan=True)

    keep_previous: int | None = option(
        None, RETENTION, "Keep the N newest unused AMIs in each group.", shown=str(KEEP_PREVIOUS), metavar="N", minimum=0,
        **_GROUP)
    keep_daily: int = option(
        0, RETENTION, "Keep the newest AMI of each of the last N days that have one.", metavar="N", minimum=0, **_GROUP)
    keep_weekly: int = option(
        0, RETENTION, "Keep the newest AMI of each of the last N weeks that have one.", metavar="N", minimum=0, **_GROUP)
    keep_monthly: int = option(
        0, RETENTION, "Keep the newest AMI of each of the last N months that have one.", metavar="N", minimum=0, **_GROUP)
    keep_yearly: int = option(
        0, RETENTION, "Keep the newest AMI of each of the last N years that have one.", metavar="N", minimum=0, **_GROUP)
    ami_min_days: int = option(
        -1, RETENTION, "Keep AMIs created within the last N days.", metavar="N", minimum=-1, **_GROUP)
    keep_tag: tuple[str, ...] = option(
        (), RETENTION, "Keep AMIs that have one of these tags (or a snapshot that has).", metavar="KEY[=VALUE]",
        in_rule=True, in_plan=True)
    unused_days: int | None = option(
        None, RETENTION, "Keep AMIs launched within the last N days.", metavar="N", minimum=0, **_GROUP)

    all_launch_template_versions: bool = option(
        False, IN_USE, "Check every version of every launch template, not only default, latest and pinned ones.",
        in_plan=True)
    also_check: tuple[str, ...] = option(
        (), IN_USE, f"Also check these for references: {', '.join(FURTHER_CHECKS)}.", metavar="NAME",
        choices=FURTHER_CHECKS, in_plan=True)
    used_by_files: tuple[str, ...] = option(
        (), IN_USE, "Keep AMIs whose ids are written in these files and folders (- is standard input).", metavar="PATH",
        file=True, in_plan=True)
    include_shared: bool = option(
        False, IN_USE, "Also delete public AMIs and AMIs shared with other accounts.", command_line_only=True, in_plan=True)
    skip_check: tuple[str, ...] = option(
        (), IN_USE, f"Skip these in-use checks (dangerous): {', '.join(CHECKS)}.", metavar="NAME", choices=CHECKS,
        command_line_only=True, in_plan=True)

    dry_run: bool = option(False, PREVIEW, "Show the plan and exit; delete nothing.", **_ACCESS)
    exit_code: bool = option(False, PREVIEW, "With --dry-run: exit with status 3 if something would be deleted.")
    explain: tuple[str, ...] | None = option(
        None, PREVIEW, "Show every AMI with its decision and the reason; with ids, everything known about these.",
        metavar="AMI", bare=(), with_apply_plan=True)
    save_plan: str | None = option(None, PREVIEW, "Write the plan to a file and exit; delete nothing.", metavar="FILE", file=True)
    apply_plan: str | None = option(
        None, PREVIEW, "Apply a saved plan. AMIs that have come into use since are kept.", metavar="FILE", file=True,
        command_line_only=True, with_apply_plan=True)
    suggest_config: bool = option(False, PREVIEW, "Print a commented configuration file for this account and exit.")
    iam_policy: bool = option(
        False, PREVIEW, "Print the least-privilege IAM policy for these options and exit.", with_restore=True)

    force_delete: bool = option(
        False, DELETION, "Don't prompt for confirmation.", aliases=("-f", "-y", "--yes"), command_line_only=True,
        with_apply_plan=True)
    from_ids: tuple[str, ...] = option(
        (), DELETION, "Delete these AMIs and their snapshots, without a prompt.", metavar="ID", command_line_only=True,
        in_plan=True)
    ignore_in_use: bool = option(
        False, DELETION, "With --from-ids: delete them even if they are in use.", command_line_only=True, in_plan=True)
    check_orphans: bool = option(False, DELETION, "First find orphaned snapshots, show them, prompt, and delete them.")
    limit: int | None = option(
        None, DELETION, "Delete at most the N oldest AMIs and leave the rest for the next run.", metavar="N", minimum=0, **_LIMIT)
    max_deletions: int | None = option(
        None, DELETION, "Abort if the plan would delete more than N AMIs (or N orphaned snapshots).", metavar="N", minimum=0,
        **_LIMIT)
    max_percent: float | None = option(
        None, DELETION, "Abort if the plan would delete more than P percent of a target's AMIs.", metavar="P", minimum=0,
        maximum=100, **_LIMIT)
    expect_account: tuple[str, ...] = option(
        (), DELETION, "Abort unless every target is in one of these accounts.", metavar="ID", with_apply_plan=True)
    audit_log: str | None = option(
        None, DELETION, "Append a JSON line before and after each call that changes something.", metavar="FILE", file=True,
        **_ACCESS)

    quarantine: int | None = option(
        None, UNDO, "Disable AMIs first; delete them in a later run once N days have passed.", metavar="DAYS", minimum=1,
        in_plan=True)
    require_recycle_bin: int | None = option(
        None, UNDO, "Keep AMIs that a Recycle Bin rule would not hold for at least N days.", metavar="DAYS", minimum=1,
        maximum=365, in_plan=True)
    restore: tuple[str, ...] = option(
        (), UNDO, "Bring back these AMIs, or everything in an audit log, and exit.", metavar="AMI|FILE",
        command_line_only=True, with_restore=True)

    region: tuple[str, ...] = option(
        (), ACCOUNTS, "Regions, or patterns among the enabled ones.", shown="AWS_REGION, or the profile's", metavar="R",
        in_plan=True, with_restore=True)
    exclude_region: tuple[str, ...] = option(
        (), ACCOUNTS, "Regions, or patterns, to leave out.", metavar="R", in_plan=True, with_restore=True)
    profile: tuple[str, ...] = option((), ACCOUNTS, "AWS profiles to use.", metavar="P", **_ACCESS)
    role_arn: tuple[str, ...] = option((), ACCOUNTS, "Roles to assume, one account each.", metavar="ARN", **_ACCESS)
    organization_role: str | None = option(
        None, ACCOUNTS, "Assume this role in every account of the organization.", metavar="NAME", **_ACCESS)
    exclude_account: tuple[str, ...] = option(
        (), ACCOUNTS, "Accounts of the organization to leave out.", metavar="ID", in_plan=True, with_restore=True)
    external_id: str | None = option(None, ACCOUNTS, "The external id that the roles require.", metavar="ID", **_ACCESS)
    used_by_profile: tuple[str, ...] = option(
        (), ACCOUNTS, "Profiles of accounts to check for references only; nothing is deleted there.", metavar="P", in_plan=True)
    used_by_role_arn: tuple[str, ...] = option(
        (), ACCOUNTS, "Roles of accounts to check for references only; nothing is deleted there.", metavar="ARN", in_plan=True)

    full_report: bool = option(False, OUTPUT, "List the AMIs of each group before the summary.")
    output: str = option(
        "table", OUTPUT, "Output format. With json, csv and markdown, messages go to standard error.", shown="table",
        choices=("table", "json", "csv", "markdown"), **_ACCESS)
    quiet: bool = option(
        False, OUTPUT, "Print warnings, errors and the final sentence only.", aliases=("-q",), **_ACCESS)
    price_per_gib: float = option(
        0.05, OUTPUT, "Snapshot price per GiB-month (USD) for the savings estimate.", shown="0.05", metavar="USD", minimum=0,
        in_plan=True)
    debug: bool = option(False, OUTPUT, "Print each AWS call with its duration, and full error messages.", **_ACCESS)

    config: str | None = option(None, SETTINGS, "A TOML file with options by their long names.", metavar="FILE", file=True)
    connect_timeout: float = option(
        10.0, SETTINGS, "Seconds to wait for a connection.", shown="10", metavar="SECONDS", minimum=0.1, maximum=86_400,
        **_ACCESS)
    read_timeout: float = option(
        60.0, SETTINGS, "Seconds to wait for a response.", shown="60", metavar="SECONDS", minimum=0.1, maximum=86_400,
        **_ACCESS)
    max_attempts: int = option(
        8, SETTINGS, "Maximum attempts per API call.", shown="8", metavar="N", minimum=1, **_ACCESS)
    demo: str | None = option(
        None, SETTINGS, "Use a simulated account instead of AWS; tour is a larger one.", choices=("article", "tour"),
        bare="article", **_ACCESS)
    # fmt: on

    rules: tuple[Rule, ...] = ()
    """The `[[rule]]` tables of the configuration file, in their order."""

    def __post_init__(self) -> None:
        for option in OPTIONS:
            value = getattr(self, option.name)
            if option.kind == "strings" and value is not None:
                # A value given twice is one value; the order is the user's.
                value = tuple(dict.fromkeys([value] if isinstance(value, str) else value))
                object.__setattr__(self, option.name, value)
            check_value(option, value)
        _check_strings(self)
        changed = {option.name for option in OPTIONS if getattr(self, option.name) != option.default}
        check_combination(self, changed)

    @property
    def deletes(self) -> bool:
        """Whether this run may change anything."""
        return not (self.dry_run or self.save_plan or self.iam_policy or self.suggest_config)

    @property
    def newest_kept(self) -> int:
        """How many AMIs of each group are kept for being the newest: none where only days, weeks, months or years are
        kept."""
        if self.keep_previous is not None:
            return self.keep_previous
        return 0 if any((self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly)) else KEEP_PREVIOUS

    def for_rule(self, rule: Rule) -> Config:
        """The configuration that holds for the AMIs of one rule; what the rule leaves out comes from here."""
        return replace(self, rules=(), rule=(), **dict(rule.options))


def _option(field: Field[Any]) -> Option:
    return Option(name=field.name, kind=kind_of(str(field.type)), default=field.default, **field.metadata["option"])


OPTIONS: tuple[Option, ...] = tuple(_option(field) for field in fields(Config) if "option" in field.metadata)
"""Every option, in the order of the help."""

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}

BY_FLAG: Mapping[str, Option] = {flag: option for option in OPTIONS for flag in option.flags}


def check_combination(config: Config, given: Iterable[str]) -> None:
    """Raises UsageError for options that cannot be combined.  `given` are the names of the options that were set, those set
    to their default value included."""
    given = set(given)
    if config.from_ids:
        _refuse(
            [name for name in given if BY_NAME[name].selects],
            "--from-ids, which deletes the listed AMIs regardless of group",
        )
    if config.apply_plan is not None:
        _refuse([name for name in given if not BY_NAME[name].with_apply_plan], "--apply-plan, which brings its own options")
    if config.restore:
        _refuse([name for name in given if not BY_NAME[name].with_restore], "--restore")
    if config.ignore_in_use and not config.from_ids:
        raise UsageError("--ignore-in-use requires --from-ids: it applies only to AMIs listed by id.")
    if config.quarantine is not None and config.include_shared:
        raise UsageError(
            "--quarantine cannot be combined with --include-shared: disabling an AMI drops its launch permissions for good."
        )
    if config.audit_log is not None and config.audit_log in (config.apply_plan, config.save_plan, config.config):
        raise UsageError("--audit-log requires a file of its own.")
    if config.save_plan is not None and config.check_orphans:
        raise UsageError("--save-plan cannot be combined with --check-orphans: a plan holds AMIs only.")
    if config.exit_code and not (config.dry_run or config.save_plan):
        raise UsageError("--exit-code requires --dry-run.")
    if "-" in config.used_by_files and config.deletes and not (config.force_delete or config.from_ids):
        raise UsageError("--used-by-files - reads standard input, so the prompt can't. Add --force-delete or --dry-run.")
    if config.rule and not config.rules and config.apply_plan is None:
        raise UsageError("--rule requires [[rule]] tables in the configuration file (--config).")
    unknown = [name for name in config.rule if name not in {rule.name for rule in config.rules}]
    if unknown and config.rules:
        names = ", ".join(rule.name for rule in config.rules)
        raise UsageError(f"--rule: there is no rule {', '.join(map(repr, unknown))}. Rules: {names}.")
    _check_accounts(config)


def _check_accounts(config: Config) -> None:
    roles = bool(config.role_arn or config.organization_role)
    if roles and len(config.profile) > 1:
        raise UsageError("Roles are assumed from one profile: pass one --profile.")
    if config.role_arn and config.organization_role:
        raise UsageError("--role-arn cannot be combined with --organization-role.")
    if config.exclude_account and not config.organization_role:
        raise UsageError("--exclude-account requires --organization-role.")
    if config.external_id is not None and not (roles or config.used_by_role_arn):
        raise UsageError("--external-id requires --role-arn, --organization-role or --used-by-role-arn.")


def _refuse(names: Iterable[str], other: str) -> None:
    flags = ", ".join(sorted(BY_NAME[name].flag for name in names))
    if flags:
        raise UsageError(f"{flags} cannot be combined with {other}.")


def check_value(option: Option, value: Any) -> None:
    """Raises UsageError for a value that this option does not take."""
    if value is None and option.default is None:
        return
    if option.kind == "flag" and not isinstance(value, bool):
        raise UsageError(f"{option.flag}: {value!r} is neither True nor False.")
    if option.kind in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, int if option.kind == "integer" else int | float):
            raise UsageError(f"{option.flag}: {value!r} is not a {'whole ' if option.kind == 'integer' else ''}number.")
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{option.flag}: {value} is not a finite number.")
        if option.minimum is not None and value < option.minimum:
            raise UsageError(f"{option.flag}: {value} is too small; the minimum is {option.minimum:g}.")
        if option.maximum is not None and value > option.maximum:
            raise UsageError(f"{option.flag}: {value} is too large; the maximum is {option.maximum:.0f}.")
    for string in value if option.kind == "strings" else (value,) if option.kind == "string" else ():
        if not isinstance(string, str) or not string:
            raise UsageError(f"{option.flag}: empty value; omit the option or set a value.")
        if not option.file and _is_undecodable(string):
            # No tag or name can hold it, so it would select, or keep, nothing.
            raise UsageError(f"{option.flag}: {string!r} contains bytes that are invalid in this locale.")
        if option.choices and string not in option.choices:
            raise UsageError(f"{option.flag}: {string!r} is not one of {', '.join(option.choices)}.")


def _is_undecodable(string: str) -> bool:
    """Python keeps bytes of the command line and the environment that it can't decode as halves of surrogate pairs."""
    return any("\ud800" <= char <= "\udfff" for char in string)


def _check_strings(config: Config) -> None:
    if not config.mapping_values:
        raise UsageError("--mapping-values requires at least one value.")
    if config.mapping_key == "pattern":
        for pattern in config.mapping_values:
            try:
                re.compile(pattern)
            except re.error as error:
                raise UsageError(f"--mapping-values: {pattern!r} is not a regular expression: {error}.") from error
    for id in (*config.from_ids, *(config.explain or ())):
        if not AMI_ID.fullmatch(id):
            flag = "--from-ids" if id in config.from_ids else "--explain"
            raise UsageError(f"{flag}: {id!r} is not an AMI id. Example: ami-0123456789abcdef0.")
    for flag, accounts in (("--exclude-account", config.exclude_account), ("--expect-account", config.expect_account)):
        for account in accounts:
            if not ACCOUNT_ID.fullmatch(account):
                raise UsageError(f"{flag}: {account!r} is not an account id, which has twelve digits.")
    for flag, arns in (("--role-arn", config.role_arn), ("--used-by-role-arn", config.used_by_role_arn)):
        for arn in arns:
            if not ROLE_ARN.fullmatch(arn):
                raise UsageError(f"{flag}: {arn!r} is not the ARN of a role. Example: arn:aws:iam::123456789012:role/name.")
    if config.organization_role is not None and ":" in config.organization_role:
        raise UsageError("--organization-role takes the name of the role, which is the same in every account, not an ARN.")
    for region in (*config.region, *config.exclude_region):
        if "," in region:
            raise UsageError(f"--region: separate Regions by spaces: {' '.join(filter(None, region.split(',')))}.")
    for tag in config.only_tag:
        if "=" not in tag[1:]:
            raise UsageError(f"--only-tag: {tag!r} requires a key and a value: KEY=VALUE.")
