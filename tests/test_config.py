"""A `Config` that exists is valid."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.config import BY_NAME, OPTIONS, Config, Rule, check_combination
from amicleaner.errors import UsageError
from amicleaner.sources import CHECKS

IDS = ("ami-12345678",)
ROLE = "arn:aws:iam::111111111111:role/cleaner"
RULES = (Rule("prod", (("keep_previous", 2),)), Rule("rest"))
VALUES: dict[str, Any] = {"flag": True, "integer": 7, "number": 7.5, "string": "p", "strings": ("p",)}


def refusal(**options: Any) -> str:
    """The message and the hint."""
    with pytest.raises(UsageError) as caught:
        Config(**options)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert caught.value.exit_status == 2
    return f"{message} {caught.value.hint}".strip()


def some_value(name: str) -> Any:
    """A value that the option takes and that is not its default."""
    known = BY_NAME[name]
    special = {
        "mapping_key": "name",
        "only_tag": ("a=b",),
        "organization_role": "r",
        "demo": "tour",
        "output": "json",
        "config": "c.toml",
        "role_arn": (ROLE,),
        "used_by_role_arn": (ROLE,),
        "explain": IDS,
        "from_ids": IDS,
        "exclude_account": ("1" * 12,),
        "expect_account": ("1" * 12,),
    }
    return special.get(name, known.choices[:1] if known.choices else VALUES[known.kind])


def test_smallest_values_are_allowed() -> None:
    config = Config(
        keep_previous=0, ami_min_days=-1, unused_days=0, max_deletions=0, price_per_gib=0, limit=0, max_percent=0
    )
    assert (config.keep_previous, config.ami_min_days, config.unused_days, config.max_deletions) == (0, -1, 0, 0)


def test_path_may_contain_any_bytes() -> None:
    config = Config(save_plan="\udcff", config="\udcff", used_by_files=("\udcff",))
    assert (config.save_plan, config.config, config.used_by_files) == ("\udcff", "\udcff", ("\udcff",))
    assert Config(audit_log="\udcff").audit_log == Config(apply_plan="\udcff").apply_plan == "\udcff"


@pytest.mark.parametrize(
    "options, words",
    [
        ({"keep_previous": -1}, "--keep-previous: -1 is too small; the minimum is 0."),
        ({"ami_min_days": -2}, "--ami-min-days: -2 is too small; the minimum is -1."),
        ({"unused_days": -1}, "--unused-days"),
        ({"keep_daily": -1}, "--keep-daily"),
        ({"max_deletions": -1}, "--max-deletions"),
        ({"limit": -1}, "--limit"),
        ({"max_percent": -1}, "--max-percent"),
        ({"max_percent": 101.0}, "--max-percent: 101 is too large"),
        ({"max_percent": 100.5}, "--max-percent: 100.5 is too large; the maximum is 100."),
        ({"quarantine": 0}, "--quarantine: 0 is too small; the minimum is 1."),
        ({"require_recycle_bin": 0}, "--require-recycle-bin"),
        ({"require_recycle_bin": 366}, "--require-recycle-bin: 366 is too large; the maximum is 365."),
        ({"price_per_gib": -0.01}, "--price-per-gib"),
        ({"price_per_gib": float("nan")}, "--price-per-gib: nan is not a finite number."),
        ({"price_per_gib": float("inf")}, "--price-per-gib"),
        ({"max_attempts": 0}, "--max-attempts"),
        ({"connect_timeout": 0}, "--connect-timeout"),
        ({"connect_timeout": 1e10}, "--connect-timeout: 10000000000 is too large; the maximum is 86400."),
        ({"read_timeout": 86_401}, "--read-timeout: 86401 is too large"),
        ({"keep_previous": "4"}, "--keep-previous: '4' is not a whole number."),
        ({"keep_previous": True}, "--keep-previous"),
        ({"keep_daily": None}, "--keep-daily"),
        ({"force_delete": "no"}, "--force-delete: 'no' is not True or False."),
        ({"mapping_key": "tag"}, "--mapping-key: 'tag' is not one of name, tags, family, pattern. Did you mean tags?"),
        ({"mapping_values": ()}, "--mapping-values requires at least one value."),
        ({"mapping_values": ("a", "")}, "--mapping-values: empty value; omit the option or set a value."),
        ({"mapping_key": "pattern", "mapping_values": ("a(",)}, "--mapping-values: 'a(' is not a regular expression: "),
        ({"keep_tag": ("",)}, "--keep-tag: empty value"),
        ({"region": ("",)}, "--region: empty value"),
        ({"region": "a,b"}, "--region: 'a,b' is not a Region or a pattern. Separate values with spaces: --region a b"),
        ({"save_plan": ""}, "--save-plan: empty value"),
        ({"skip_check": "instance"}, f"--skip-check: 'instance' is not one of {CHECKS[0]},"),
        ({"only_tag": "role"}, "--only-tag: 'role' is not a tag with its value. Example: environment=dev"),
        ({"only_tag": "=front"}, "--only-tag"),
        ({"keep_tag": "=front"}, "--keep-tag: '=front' is not a tag key or KEY=VALUE."),
        ({"exclude_account": "123"}, "--exclude-account: '123' is not an account id, which has twelve digits."),
        ({"expect_account": "prod"}, "--expect-account: 'prod' is not an account id"),
        ({"role_arn": "cleaner"}, "--role-arn: 'cleaner' is not the ARN of a role. Example: arn:aws:iam::"),
        ({"used_by_role_arn": "arn:aws:iam::1111:role/r"}, "--used-by-role-arn"),
        ({"organization_role": ROLE}, "is not the name of a role"),
        ({"explain": ("web",)}, "--explain: 'web' is not an AMI id."),
        # A value that can match nothing protects nothing.
        ({"keep_tag": "gr\udcf6sse"}, "--keep-tag: 'gr\\udcf6sse' contains bytes that are invalid in this locale."),
        ({"excluded_mapping_values": ("a", "\udcf6")}, "--excluded-mapping-values: '\\udcf6' contains bytes"),
        ({"mapping_values": "\ud83d"}, "--mapping-values: '\\ud83d' contains bytes"),
        ({"external_id": "\udcff"}, "--external-id: '\\udcff' contains bytes"),
    ],
)
def test_config_refuses_value(options: dict[str, Any], words: str) -> None:
    assert words in refusal(**options)


@pytest.mark.parametrize(
    "id",
    [
        *("ami-1234567", "ami-123456789", "ami-0123456789abcdeg0", "AMI-12345678", "ami-1234567G", "snap-12345678"),
        *("12345678", "ami-12345678\n", " ami-12345678", "ami-12345678,ami-23456789"),
    ],
)
def test_config_refuses_id(id: str) -> None:
    assert repr(id) in refusal(from_ids=("ami-0123456789abcdef0", id))


@pytest.mark.parametrize("pattern", ["web-([a-z]+)", "[[a]", "(?i)x", "^$"])
def test_pattern_is_accepted(pattern: str) -> None:
    assert Config(mapping_key="pattern", mapping_values=(pattern,)).mapping_values == (pattern,)


# Combinations


@pytest.mark.parametrize(
    "base, excluded, words",
    [
        (
            {"from_ids": IDS},
            {known.name for known in OPTIONS if known.selects},
            "cannot be combined with --from-ids, which deletes the listed AMIs regardless of group.",
        ),
        (
            {"apply_plan": "plan"},
            {known.name for known in OPTIONS if not known.with_apply_plan},
            "cannot be combined with --apply-plan, which takes these options from the plan.",
        ),
        (
            {"restore": IDS},
            {known.name for known in OPTIONS if not known.with_restore},
            "cannot be combined with --restore, which deletes nothing.",
        ),
        ({"suggest_config": True}, {"from_ids", "save_plan", "check_orphans"}, "cannot be combined with --suggest-config"),
    ],
    ids=["from_ids", "apply_plan", "restore", "suggest_config"],
)
def test_exclusive_option_refuses_each_excluded_one(base: dict[str, Any], excluded: set[str], words: str) -> None:
    """Whether a file set it, or the command line set it to its default."""
    for name in excluded:
        options = {**base, name: some_value(name)}
        message = refusal(**options)
        assert BY_NAME[name].flag in message
        assert words in message or "cannot be combined with --apply-plan" in message
        with pytest.raises(UsageError, match=BY_NAME[name].flag):
            check_combination(Config(**base), {*base, name})


@pytest.mark.parametrize(
    "options, words",
    [
        ({"ignore_in_use": True}, "--ignore-in-use requires --from-ids."),
        *(({other: "p", "audit_log": "p"}, "p is the file of another option") for other in ("apply_plan", "save_plan")),
        ({"config": "p", "audit_log": "p"}, "--audit-log: p is the file of another option."),
        ({"save_plan": "p", "check_orphans": True}, "--save-plan cannot be combined with --check-orphans"),
        ({"exit_code": True}, "--exit-code requires --dry-run."),
        ({"role_arn": ROLE, "profile": ("a", "b")}, "one --profile"),
        ({"organization_role": "r", "profile": ("a", "b")}, "one --profile"),
        ({"role_arn": ROLE, "organization_role": "r"}, "--role-arn cannot be combined with --organization-role."),
        ({"exclude_account": "1" * 12}, "--exclude-account requires --organization-role."),
        ({"external_id": "x"}, "--external-id requires --role-arn"),
        ({"quarantine": 7, "include_shared": True}, "--quarantine cannot be combined with --include-shared"),
        ({"used_by_files": "-"}, "--used-by-files: - reads standard input"),
        ({"used_by_files": "-", "from_ids": IDS, "check_orphans": True}, "Add --force-delete or --dry-run."),
        ({"rule": "prod"}, "--rule requires a configuration file with [[rule]] tables. Pass it with --config."),
        ({"rule": ("prod", "x"), "rules": RULES}, "has no rule 'x'. Its rules: prod, rest"),
    ],
)
def test_config_refuses_combination(options: dict[str, Any], words: str) -> None:
    assert words in refusal(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"from_ids": IDS, "ignore_in_use": True, "keep_tag": "a", "include_shared": True, "check_orphans": True},
        {"from_ids": IDS, "dry_run": True, "region": "eu-*", "save_plan": "p", "quarantine": 7},
        {"apply_plan": "p", "force_delete": True, "dry_run": True, "output": "json", "explain": ()},
        {
            "apply_plan": "p",
            "audit_log": "a",
            "debug": True,
            "quiet": True,
            "max_deletions": 0,
            "limit": 1,
            "max_percent": 5.0,
        }
        | {"role_arn": ROLE, "profile": "p", "external_id": "x", "expect_account": "1" * 12},
        {"restore": ("ami-12345678", "audit.jsonl"), "dry_run": True, "region": "eu-*", "audit_log": "a", "output": "json"},
        {"restore": IDS, "organization_role": "r", "exclude_account": "1" * 12, "iam_policy": True, "quiet": True},
        {"role_arn": (ROLE, "arn:aws-cn:iam::222222222222:role/path/r"), "profile": "p", "external_id": "x"},
        {"organization_role": "r", "exclude_account": ("1" * 12, "2" * 12)},
        {"used_by_role_arn": ROLE, "external_id": "x"},
        {"keep_previous": 10**400, "ami_min_days": 10**400},
        {"used_by_files": ("-", "infra"), "force_delete": True},
        {"used_by_files": "-", "dry_run": True},
        {"used_by_files": "-", "from_ids": IDS},
        {"rule": "prod", "rules": RULES},
    ],
)
def test_config_accepts_combination(options: dict[str, Any]) -> None:
    Config(**options)


def test_repeated_value_counts_once_in_the_order_of_the_user() -> None:
    assert Config(mapping_values=["role", "env", "role"]).mapping_values == ("role", "env")  # type: ignore[arg-type]
    assert Config(mapping_values="role").mapping_values == ("role",)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options, deletes",
    [
        ({}, True),
        ({"dry_run": True}, False),
        ({"save_plan": "p"}, False),
        ({"iam_policy": True}, False),
        ({"suggest_config": True}, False),
    ],
)
def test_deletes_is_whether_anything_may_change(options: dict[str, Any], deletes: bool) -> None:
    assert Config(**options).deletes is deletes


# The N newest


@pytest.mark.parametrize("name", ["keep_daily", "keep_weekly", "keep_monthly", "keep_yearly"])
def test_period_option_replaces_the_default_of_keep_previous(name: str) -> None:
    one: dict[str, Any] = {name: 1}
    assert Config(**one).newest_kept == 0
    assert Config(keep_daily=0).newest_kept == 4
    assert Config(**one, keep_previous=4).newest_kept == 4


@given(
    st.none() | st.integers(0, 9),
    st.fixed_dictionaries({f"keep_{period}": st.integers(0, 3) for period in ("daily", "weekly", "monthly", "yearly")}),
)
def test_something_is_kept_unless_somebody_asks_for_nothing(previous: int | None, periods: dict[str, int]) -> None:
    config = Config(keep_previous=previous, **periods)  # type: ignore[arg-type]
    assert config.newest_kept or any(periods.values()) or previous == 0
    assert previous in (None, config.newest_kept)


# Rules


@pytest.mark.parametrize(
    "rules, words",
    [
        ((Rule(""),), "Every [[rule]] requires a name."),
        ((Rule("a"), Rule("b"), Rule("a")), "rule 'a': another rule has the same name."),
        ((Rule("a", (("keep_previous", -1),)),), "rule 'a': keep_previous: -1 is too small"),
        ((Rule("a", (("force_delete", True),)),), "rule 'a': force_delete cannot be set in a rule."),
        ((Rule("a", (("limit", 1),)),), "rule 'a': limit cannot be set in a rule."),
        ((Rule("a", (("keep", 1),)),), "rule 'a': keep cannot be set in a rule."),
        ((Rule("a", (("mapping_values", ()),)),), "rule 'a': --mapping-values requires at least one value."),
    ],
)
def test_config_refuses_rule(rules: tuple[Rule, ...], words: str) -> None:
    assert words in refusal(rules=rules)


def test_rule_accepts_lists() -> None:
    rule = Rule("a", (("mapping_values", ["team"]),))
    assert Config(rules=(rule,)).for_rule(rule).mapping_values == ("team",)


def test_rule_takes_what_it_leaves_out_from_the_top_level() -> None:
    config = Config(ami_min_days=7, keep_previous=9, rules=RULES, rule=("rest",), region=("eu-*",))
    prod, rest = map(config.for_rule, config.rules)
    assert (prod.keep_previous, prod.ami_min_days, prod.region) == (2, 7, ("eu-*",))
    assert (rest.keep_previous, rest.ami_min_days) == (9, 7)
    assert (prod.rules, rest.rules) == ((), ())
    assert prod.rule == ()
