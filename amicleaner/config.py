"""One frozen `Config` from the command line to the pipeline.  Every option is stated here, and only here."""

import re
import warnings
from collections.abc import Iterable, Mapping, Set
from dataclasses import Field, dataclass, fields, replace
from functools import lru_cache
from typing import Any

from .errors import UsageError
from .options import KINDS, Form, Option, option
from .sources import CHECKS, FURTHER_CHECKS

GROUPING = "Grouping"
FILTERS = "Filters"
RETENTION = "Retention"
IN_USE = "In-use checks"
PREVIEW = "Plan and preview"
DELETION = "Deletion"
UNDO = "Quarantine and restore"
ACCOUNTS = "Accounts and Regions"
OUTPUT = "Output"
SETTINGS = "Settings"

SECTIONS = (GROUPING, FILTERS, RETENTION, IN_USE, PREVIEW, DELETION, UNDO, ACCOUNTS, OUTPUT, SETTINGS)
"""In the order of the help."""

AMI_ID = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
ACCOUNT_ID = re.compile(r"[0-9]{12}")
ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::([0-9]{12}):role/\S+")

KEEP_PREVIOUS = 4
"""AMIs kept in each group where no option says anything else."""

_IDS = Form(AMI_ID, "an AMI id", "ami-0123456789abcdef0")
_ACCOUNT = Form(ACCOUNT_ID, "an account id, which has twelve digits", "123456789012")
_ROLE = Form(ROLE_ARN, "the ARN of a role", "arn:aws:iam::123456789012:role/cleaner")
_ROLE_NAME = Form(re.compile(r"[^:]+"), "the name of a role", "cleaner, which has the same name in every account")
_REGION = Form(re.compile(r"[^,]+"), "a Region or a pattern", "eu-west-1, or 'eu-*'")
_TAG = Form(re.compile(r".+=.*", re.DOTALL), "a tag with its value", "environment=dev")
_KEY = Form(re.compile(r"[^=].*", re.DOTALL), "a tag key or KEY=VALUE", "golden or hold=yes")

_CHOICE: Mapping[str, Any] = {"selects": True, "in_rule": True, "in_plan": True}
_LIMIT: Mapping[str, Any] = {"minimum": 0, "in_plan": True, "with_apply_plan": True}
_ACCESS: Mapping[str, Any] = {"with_apply_plan": True, "with_restore": True}
_DANGEROUS: Mapping[str, Any] = {"command_line_only": True, "in_file": False, "in_environment": False}
_EXITS: Mapping[str, Any] = {"in_file": False, "in_environment": False}


@dataclass(frozen=True, slots=True)
class Rule:
    """A `[[rule]]` table of the configuration file: a name, and the options that hold for the AMIs it selects."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        values = ((name, tuple(value) if isinstance(value, list) else value) for name, value in self.options)
        object.__setattr__(self, "options", tuple(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a run is asked to do; the fields are the options by their long names.

    A `Config` that exists is valid: making one raises UsageError where a value, or values together, make no sense.
    """

    # fmt: off
    mapping_key: str = option(
        "tags", GROUPING,
        "Group AMIs by tags, by substrings of their names (name), by their names without dates, versions and hashes "
        "(family) or by regular expressions (pattern). Also requires --mapping-values, except for family.",
        shown="tags", choices=("name", "tags", "family", "pattern"), **_CHOICE)
    mapping_values: tuple[str, ...] = option(
        ("environment", "role"), GROUPING, "Tag keys; substrings of names; regular expressions for pattern.",
        shown="environment role", metavar="V", **_CHOICE)
    excluded_mapping_values: tuple[str, ...] = option(
        (), GROUPING, "Keep AMIs whose grouped tag values (or, by name, whose name) contain one of these.", metavar="V",
        **_CHOICE)
    include_untagged: bool = option(
        False, GROUPING, "Clean up AMIs that have none of the grouping tags, as one group.", **_CHOICE)

    only_tag: tuple[str, ...] = option(
        (), FILTERS, "Only consider AMIs that have all of these tags.", metavar="KEY=VALUE", form=_TAG, **_CHOICE)
    only_name: tuple[str, ...] = option(
        (), FILTERS, "Only consider AMIs whose name matches one of these patterns.", metavar="GLOB", **_CHOICE)
    rule: tuple[str, ...] = option(
        (), FILTERS, "Run only these rules of the configuration file.", metavar="NAME", in_file=False, selects=True,
        in_plan=True)

    keep_previous: int | None = option(
        None, RETENTION, "Keep the N newest unused AMIs in each group.",
        shown=f"{KEEP_PREVIOUS}; 0 if days, weeks, months or years are kept", metavar="N", minimum=0, **_CHOICE)
    keep_daily: int = option(
        0, RETENTION, "Keep the newest AMI of each of the last N days that have one.", metavar="N", minimum=0, **_CHOICE)
    keep_weekly: int = option(
        0, RETENTION, "Keep the newest AMI of each of the last N weeks that have one.", metavar="N", minimum=0, **_CHOICE)
    keep_monthly: int = option(
        0, RETENTION, "Keep the newest AMI of each of the last N months that have one.", metavar="N", minimum=0, **_CHOICE)
    keep_yearly: int = option(
        0, RETENTION, "Keep the newest AMI of each of the last N years that have one.", metavar="N", minimum=0, **_CHOICE)
    ami_min_days: int = option(
        -1, RETENTION, "Keep AMIs created within the last N days.", metavar="N", minimum=-1, **_CHOICE)
    unused_days: int | None = option(
        None, RETENTION, "Keep AMIs launched within the last N days.", metavar="N", minimum=0, **_CHOICE)
    keep_tag: tuple[str, ...] = option(
        (), RETENTION, "Keep AMIs that have one of these tags, on the AMI or on one of its snapshots.",
        metavar="KEY[=VALUE]", form=_KEY, in_rule=True, in_plan=True)

    all_launch_template_versions: bool = option(
        False, IN_USE, "Check every version of every launch template, not only the default, latest and pinned ones.",
        in_plan=True)
    also_check: tuple[str, ...] = option(
        (), IN_USE, f"Also check these for references: {', '.join(FURTHER_CHECKS)}.", metavar="NAME",
        choices=FURTHER_CHECKS, in_plan=True)
    used_by_files: tuple[str, ...] = option(
        (), IN_USE, "Keep AMIs whose ids appear in these files and folders (- is standard input).", metavar="PATH",
        file=True, dash=True, in_plan=True)
    include_shared: bool = option(
        False, IN_USE, "Also delete public AMIs and AMIs shared with other accounts.", in_plan=True, **_DANGEROUS)
    skip_check: tuple[str, ...] = option(
        (), IN_USE, f"Skip these in-use checks (dangerous): {', '.join(CHECKS)}.", metavar="NAME", choices=CHECKS,
        in_plan=True, **_DANGEROUS)

    dry_run: bool = option(False, PREVIEW, "Show the plan and exit; delete nothing.", **_ACCESS)
    exit_code: bool = option(
        False, PREVIEW, "With --dry-run or --save-plan: exit with status 3 if anything would be deleted or quarantined.")
    explain: tuple[str, ...] | None = option(
        None, PREVIEW, "Show every AMI with the decision and the reason; with ids, everything known about those AMIs.",
        metavar="AMI", form=_IDS, bare=(), with_apply_plan=True)
    save_plan: str | None = option(
        None, PREVIEW, "Write the plan to a file and exit; delete nothing.", metavar="FILE", file=True)
    apply_plan: str | None = option(
        None, PREVIEW, "Apply a saved plan. AMIs that have come into use since are kept.", metavar="FILE", file=True,
        with_apply_plan=True, **_DANGEROUS)
    demo: str | None = option(
        None, PREVIEW, "Use a simulated account instead of AWS. --demo tour shows a larger one.",
        choices=("article", "tour"), bare="article", **_ACCESS)

    force_delete: bool = option(
        False, DELETION, "Don't prompt for confirmation.", aliases=("-f", "-y", "--yes"), with_apply_plan=True, **_DANGEROUS)
    from_ids: tuple[str, ...] = option(
        (), DELETION, "Delete these AMIs and their snapshots, without a prompt.", metavar="ID", form=_IDS, in_plan=True,
        **_DANGEROUS)
    ignore_in_use: bool = option(
        False, DELETION, "With --from-ids: delete the AMIs even if they are in use.", in_plan=True, **_DANGEROUS)
    check_orphans: bool = option(
        False, DELETION, "First find orphaned snapshots, show them, prompt, and delete them.")
    limit: int | None = option(
        None, DELETION, "Delete at most the N oldest AMIs; keep the rest for the next run.", metavar="N", **_LIMIT)
    max_deletions: int | None = option(
        None, DELETION, "Abort if the plan would delete more than N AMIs (or N orphaned snapshots).", metavar="N", **_LIMIT)
    max_percent: float | None = option(
        None, DELETION, "Abort if the plan would delete more than P percent of a target's AMIs.", metavar="P", maximum=100,
        **_LIMIT)
    expect_account: tuple[str, ...] = option(
        (), DELETION, "Abort unless every target is in one of these accounts.", metavar="ID", form=_ACCOUNT, **_ACCESS)
    audit_log: str | None = option(
        None, DELETION, "Append a JSON line before and after each call that changes something.", metavar="FILE", file=True,
        dash=True, **_ACCESS)

    quarantine: int | None = option(
        None, UNDO, "Disable AMIs first; delete them in a later run once this many days have passed.", metavar="DAYS",
        minimum=1, in_plan=True)
    require_recycle_bin: int | None = option(
        None, UNDO, "Keep AMIs that the Recycle Bin would not retain for at least this many days.", metavar="DAYS",
        minimum=1, maximum=365, in_plan=True)
    restore: tuple[str, ...] = option(
        (), UNDO, "Restore these AMIs, or everything in an audit log, and exit.", metavar="AMI|FILE", file=True,
        with_restore=True, **_DANGEROUS)

    region: tuple[str, ...] = option(
        (), ACCOUNTS, "Regions, or patterns that match enabled Regions.",
        shown="AWS_REGION, AWS_DEFAULT_REGION, or the profile's", metavar="R", form=_REGION, in_plan=True, with_restore=True)
    exclude_region: tuple[str, ...] = option(
        (), ACCOUNTS, "Regions, or patterns, to leave out.", metavar="R", form=_REGION, in_plan=True, with_restore=True)
    profile: tuple[str, ...] = option((), ACCOUNTS, "AWS profiles, one per account.", metavar="P", **_ACCESS)
    role_arn: tuple[str, ...] = option(
        (), ACCOUNTS, "Roles to assume, one per account.", metavar="ARN", form=_ROLE, **_ACCESS)
    organization_role: str | None = option(
        None, ACCOUNTS, "Assume this role in every account of the organization.", metavar="NAME", form=_ROLE_NAME, **_ACCESS)
    exclude_account: tuple[str, ...] = option(
        (), ACCOUNTS, "Accounts of the organization to leave out.", metavar="ID", form=_ACCOUNT, in_plan=True,
        with_restore=True)
    external_id: str | None = option(None, ACCOUNTS, "The external id that the roles require.", metavar="ID", **_ACCESS)
    used_by_profile: tuple[str, ...] = option(
        (), ACCOUNTS, "Profiles of accounts to check for references only; nothing is deleted there.", metavar="P",
        in_plan=True)
    used_by_role_arn: tuple[str, ...] = option(
        (), ACCOUNTS, "Roles in accounts to check for references only; nothing is deleted there.", metavar="ARN", form=_ROLE,
        in_plan=True)

    full_report: bool = option(False, OUTPUT, "Before the summary, list the AMIs to be deleted in each group.")
    output: str = option(
        "table", OUTPUT, "Output format. With json, csv and markdown, messages go to standard error.", shown="table",
        choices=("table", "json", "csv", "markdown"), **_ACCESS)
    quiet: bool = option(
        False, OUTPUT, "Print only warnings, errors, and the plan or the result in one sentence.", aliases=("-q",),
        **_ACCESS)
    price_per_gib: float = option(
        0.05, OUTPUT, "Snapshot price per GiB-month (USD) for the savings estimate.", shown="0.05", metavar="USD", minimum=0,
        in_plan=True)
    debug: bool = option(False, OUTPUT, "Print each AWS call with its duration, and full error messages.", **_ACCESS)

    config: str | None = option(
        None, SETTINGS, "Read options from a TOML file.", metavar="FILE", file=True, in_file=False)
    suggest_config: bool = option(
        False, SETTINGS, "Print a commented configuration file for this account and exit.", **_EXITS)
    iam_policy: bool = option(
        False, SETTINGS, "Print the least-privilege IAM policy for these options and exit.", with_restore=True, **_EXITS)
    connect_timeout: float = option(
        10.0, SETTINGS, "Seconds to wait for a connection.", shown="10", metavar="SECONDS", minimum=0.1, maximum=86_400,
        **_ACCESS)
    read_timeout: float = option(
        60.0, SETTINGS, "Seconds to wait for a response.", shown="60", metavar="SECONDS", minimum=0.1, maximum=86_400,
        **_ACCESS)
    max_attempts: int = option(
        8, SETTINGS, "Maximum attempts per API call.", shown="8", metavar="N", minimum=1, **_ACCESS)
    # fmt: on

    rules: tuple[Rule, ...] = ()
    """The `[[rule]]` tables of the configuration file, in their order."""

    def __post_init__(self) -> None:
        for known in OPTIONS:
            value = getattr(self, known.name)
            if known.kind == "strings" and value is not None:
                # A value given twice is one value; the order is the user's.
                value = tuple(dict.fromkeys([value] if isinstance(value, str) else value))
                object.__setattr__(self, known.name, value)
            known.check(value)
        _check_mapping(self)
        changed = {known.name for known in OPTIONS if getattr(self, known.name) != known.default}
        check_combination(self, changed)
        _check_rules(self)

    @property
    def deletes(self) -> bool:
        """Whether this run may change anything."""
        return not (self.dry_run or self.save_plan or self.iam_policy or self.suggest_config)

    @property
    def newest_kept(self) -> int:
        """How many AMIs of each group are kept as the newest: none if --keep-daily to --keep-yearly decide alone."""
        if self.keep_previous is not None:
            return self.keep_previous
        return 0 if any(self.periods.values()) else KEEP_PREVIOUS

    @property
    def periods(self) -> dict[str, int]:
        """How many days, weeks, months and years keep their newest AMI."""
        kept = (self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly)
        return dict(zip(("daily", "weekly", "monthly", "yearly"), kept, strict=True))

    @lru_cache(maxsize=1024)  # noqa: B019 - asked for in each of thousands of targets, and it takes 0.15 ms to check all options
    def for_rule(self, rule: Rule) -> "Config":
        """The configuration that holds for the AMIs of one rule; what the rule leaves out comes from here."""
        return replace(self, rules=(), rule=(), **dict(rule.options))


def _option(field: Field[Any]) -> Option:
    return Option(name=field.name, kind=KINDS[field.type], default=field.default, **field.metadata["option"])


OPTIONS: tuple[Option, ...] = tuple(_option(field) for field in fields(Config) if "option" in field.metadata)
"""Every option, in the order of the help."""

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}

BY_FLAG: Mapping[str, Option] = {flag: option for option in OPTIONS for flag in option.flags}

EXCLUDED: Mapping[str, tuple[Set[str], str]] = {
    "from_ids": ({known.name for known in OPTIONS if known.selects}, "which deletes the listed AMIs regardless of group"),
    "apply_plan": (
        {known.name for known in OPTIONS if not known.with_apply_plan},
        "which takes these options from the plan",
    ),
    "restore": ({known.name for known in OPTIONS if not known.with_restore}, "which deletes nothing"),
    "suggest_config": ({"from_ids", "save_plan", "check_orphans"}, "which deletes nothing"),
}
"""An option to those that cannot be combined with it, and the reason."""


def check_combination(config: Config, given: Iterable[str]) -> None:
    """Raises UsageError for options that cannot be combined.  `given` are the names of the options that were set, including
    those that were set to their default value."""
    given = set(given)
    for name, (excluded, reason) in EXCLUDED.items():
        flags = ", ".join(sorted(BY_NAME[other].flag for other in excluded & given))
        if flags and getattr(config, name):
            raise UsageError(f"{flags} cannot be combined with {BY_NAME[name].flag}, {reason}.")
    if config.ignore_in_use and not config.from_ids:
        raise UsageError("--ignore-in-use requires --from-ids.")
    if config.quarantine is not None and config.include_shared:
        raise UsageError(
            "--quarantine cannot be combined with --include-shared: disabling an AMI removes its launch permissions, and "
            "nothing restores them."
        )
    if config.audit_log is not None and config.audit_log in (config.apply_plan, config.save_plan, config.config):
        raise UsageError(f"--audit-log: {config.audit_log} is the file of another option.")
    if config.save_plan is not None and config.check_orphans:
        raise UsageError("--save-plan cannot be combined with --check-orphans: a plan contains AMIs only.")
    if config.exit_code and not (config.dry_run or config.save_plan):
        raise UsageError("--exit-code requires --dry-run.")
    # Listing ids confirms the AMIs, not the orphaned snapshots.
    unattended = config.force_delete or (config.from_ids and not config.check_orphans)
    if "-" in config.used_by_files and config.deletes and not unattended:
        raise UsageError(
            "--used-by-files: - reads standard input, which then cannot answer the prompt.",
            hint="Add --force-delete or --dry-run.",
        )
    roles = bool(config.role_arn or config.organization_role)
    if roles and len(config.profile) > 1:
        raise UsageError("Roles are assumed from one profile: pass only one --profile.")
    if config.role_arn and config.organization_role:
        raise UsageError("--role-arn cannot be combined with --organization-role.")
    if config.exclude_account and not config.organization_role:
        raise UsageError("--exclude-account requires --organization-role.")
    if config.external_id is not None and not (roles or config.used_by_role_arn):
        raise UsageError("--external-id requires --role-arn, --organization-role or --used-by-role-arn.")


def _check_mapping(config: Config) -> None:
    if not config.mapping_values:
        raise UsageError("--mapping-values requires at least one value.")
    for pattern in config.mapping_values if config.mapping_key == "pattern" else ():
        try:
            with warnings.catch_warnings(action="ignore", category=FutureWarning):
                re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise UsageError(f"--mapping-values: {pattern!r} is not a regular expression: {error}.") from error


def _check_rules(config: Config) -> None:
    """Each rule has a name of its own, and what it says is valid together with the options outside of it."""
    names = [rule.name for rule in config.rules]
    for rule in config.rules:
        if not rule.name:
            raise UsageError("Every [[rule]] requires a name.")
        if names.count(rule.name) > 1:
            raise UsageError(f"rule {rule.name!r}: another rule has the same name.")
        for name, value in rule.options:
            if name not in BY_NAME or not BY_NAME[name].in_rule:
                raise UsageError(f"rule {rule.name!r}: {name} cannot be set in a rule.")
            BY_NAME[name].check(value, f"rule {rule.name!r}: {name}")
        try:
            config.for_rule(rule)
        except UsageError as error:
            raise UsageError(f"rule {rule.name!r}: {error}", hint=error.hint) from error
    if config.rule and not config.rules and config.apply_plan is None:
        raise UsageError("--rule requires a configuration file with [[rule]] tables.", hint="Pass it with --config.")
    for name in config.rule if config.rules else ():
        if name not in names:
            raise UsageError(f"--rule: the configuration file has no rule {name!r}.", hint=f"Its rules: {', '.join(names)}.")
