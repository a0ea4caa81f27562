"""Every option, once: command line, configuration file, environment and documentation are made from this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .checks import CHECKS

Kind = Literal["flag", "integer", "number", "text", "texts"]

GROUPING = "Grouping"
SELECTION = "Selection"
KEEPING = "What stays"
IN_USE = "What counts as in use"
REMOVING = "Removing"
PLANS = "Looking first"
ACCOUNTS = "Accounts and Regions"
OUTPUT = "Output"
SETTINGS = "Settings"

SECTIONS = (GROUPING, SELECTION, KEEPING, IN_USE, REMOVING, PLANS, ACCOUNTS, OUTPUT, SETTINGS)


@dataclass(frozen=True, slots=True)
class Option:
    """`name` is the field of `Config`, the key in a configuration file and, in capitals, the environment variable's end.

    `default` is the value without the option; `shown` says it in words where the value says too little.  `command_line_only`
    marks what deletes or weakens a check: no file and no environment may say it.
    """

    name: str
    kind: Kind
    section: str
    help: str
    default: Any = None
    shown: str = ""
    metavar: str = ""
    short: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    command_line_only: bool = False

    @property
    def flag(self) -> str:
        """The long option: `--keep-previous`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable: `AMICLEANER_KEEP_PREVIOUS`."""
        return "AMICLEANER_" + self.name.upper()


OPTIONS: tuple[Option, ...] = (
    Option("mapping_key", "text", GROUPING, "Group AMIs by tags or by name; needs --mapping-values beside it.", "tags",
           choices=("name", "tags")),
    Option("mapping_values", "texts", GROUPING, "Tag keys, or parts of names.", ("environment", "role"),
           shown="environment role", metavar="V"),
    Option("excluded_mapping_values", "texts", GROUPING,
           "AMIs whose grouped tag values (or whose name) contain one of these stay.", (), shown="none", metavar="V"),
    Option("include_untagged", "flag", GROUPING, "Treat AMIs without any of the tag keys as a group like any other.", False),
    Option("only_tag", "texts", SELECTION, "Look only at AMIs with all of these tags.", (), shown="all AMIs",
           metavar="KEY=VALUE"),
    Option("only_name", "texts", SELECTION, "Look only at AMIs with one of these names.", (), shown="all AMIs",
           metavar="GLOB"),
    Option("keep_previous", "integer", KEEPING, "In each group the N newest unused AMIs stay.", 4, metavar="N", minimum=0),
    Option("ami_min_days", "integer", KEEPING, "AMIs younger than N whole days stay.", -1, shown="-1, off", metavar="N",
           minimum=-1),
    Option("keep_tag", "texts", KEEPING, "AMIs with one of these tags stay.", (), shown="none", metavar="KEY[=VALUE]"),
    Option("unused_days", "integer", KEEPING, "AMIs launched within N days stay.", None, shown="off", metavar="N",
           minimum=0),
    Option("all_launch_template_versions", "flag", IN_USE,
           "Every version of every launch template protects, not only the default, the latest and pinned ones.", False),
    Option("include_shared", "flag", IN_USE, "Public AMIs, and those shared with other accounts, may go too.", False,
           command_line_only=True),
    Option("skip_check", "texts", IN_USE, f"Leave reads out, on your own word: {', '.join(CHECKS)}.", (),
           shown="none", metavar="NAME", choices=CHECKS, command_line_only=True),
    Option("force_delete", "flag", REMOVING, "Ask no question, of orphan snapshots neither.", False, short="-f",
           command_line_only=True),
    Option("from_ids", "texts", REMOVING, "Remove these AMIs and their snapshots, without a question.", (), shown="none",
           metavar="ID", command_line_only=True),
    Option("ignore_in_use", "flag", REMOVING, "With --from-ids: remove them even if they are in use.", False,
           command_line_only=True),
    Option("check_orphans", "flag", REMOVING, "First look for orphan snapshots, show them, ask, remove them.", False),
    Option("max_deletions", "integer", REMOVING, "A plan with more AMIs (or more orphan snapshots) removes nothing.", None,
           shown="no limit", metavar="N", minimum=0),
    Option("audit_log", "text", REMOVING, "Append a JSON line before and after each call that changes something.", None,
           shown="none", metavar="FILE"),
    Option("dry_run", "flag", PLANS, "Everything up to the plan: nothing deleted, nothing asked.", False),
    Option("exit_code", "flag", PLANS, "With --dry-run: exit with 3 if something would go.", False),
    Option("save_plan", "text", PLANS, "Write the plan as JSON; nothing deleted, nothing asked.", None, shown="none",
           metavar="FILE"),
    Option("apply_plan", "text", PLANS, "Remove what this plan says and today's account still allows.", None, shown="none",
           metavar="FILE", command_line_only=True),
    Option("explain", "flag", PLANS, "Show every AMI looked at: decision, reason, what uses it.", False),
    Option("iam_policy", "flag", PLANS, "Print the least IAM policy for the given options, and exit.", False),
    Option("region", "texts", ACCOUNTS, "Regions, or patterns among the enabled ones.", (), shown="the profile's",
           metavar="R"),
    Option("exclude_region", "texts", ACCOUNTS, "Regions, or patterns, to leave out.", (), shown="none", metavar="R"),
    Option("profile", "texts", ACCOUNTS, "AWS profiles to use.", (), shown="the environment's", metavar="P"),
    Option("role_arn", "texts", ACCOUNTS, "Roles to assume: one account each.", (), shown="none", metavar="ARN"),
    Option("organization_role", "text", ACCOUNTS, "Assume this role in every account of the organization.", None,
           shown="none", metavar="NAME"),
    Option("exclude_account", "texts", ACCOUNTS, "Accounts of the organization to leave out.", (), shown="none",
           metavar="ID"),
    Option("external_id", "text", ACCOUNTS, "The external id that the roles ask for.", None, shown="none", metavar="ID"),
    Option("used_by_profile", "texts", ACCOUNTS, "Profiles of accounts that are only read: what they use stays.", (),
           shown="none", metavar="P"),
    Option("used_by_role_arn", "texts", ACCOUNTS, "Roles of accounts that are only read: what they use stays.", (),
           shown="none", metavar="ARN"),
    Option("full_report", "flag", OUTPUT, "A table of the AMIs of each group, before the summary.", False),
    Option("output", "text", OUTPUT, "Tables for people, or data alone on standard output and all talk on standard error.",
           "table", choices=("table", "json", "csv", "markdown")),
    Option("price_per_gib", "number", OUTPUT, "USD a GiB and month, for the line on cost: an assumption.", 0.05,
           metavar="USD", minimum=0),
    Option("debug", "flag", OUTPUT, "Each AWS call with its time, on standard error.", False),
    Option("config", "text", SETTINGS, "A TOML file with options by their long names.", None, shown="none", metavar="FILE"),
    Option("connect_timeout", "number", SETTINGS, "Seconds to wait for a connection.", 10.0, metavar="SECONDS", minimum=0.1,
           maximum=86_400),
    Option("read_timeout", "number", SETTINGS, "Seconds to wait for an answer.", 60.0, metavar="SECONDS", minimum=0.1,
           maximum=86_400),
    Option("max_attempts", "integer", SETTINGS, "Tries of a call that fails in a way that may pass.", 8, metavar="N",
           minimum=1),
    Option("demo", "flag", SETTINGS, "A simulated account in memory instead of AWS.", False),
)  # fmt: skip

BY_NAME: dict[str, Option] = {option.name: option for option in OPTIONS}
