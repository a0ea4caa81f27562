"""A `Config` that exists is valid."""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.config import Config
from amicleaner.errors import UsageError

IDS = ("ami-12345678",)
ROLE = "arn:aws:iam::111111111111:role/cleaner"


def refusal(**options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        Config(**options)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert caught.value.exit_status == 2
    return message


def test_the_least_values_are_allowed() -> None:
    config = Config(keep_previous=0, ami_min_days=-1, unused_days=0, max_deletions=0, price_per_gib=0)
    assert (config.keep_previous, config.ami_min_days, config.unused_days, config.max_deletions) == (0, -1, 0, 0)


def test_a_files_name_may_be_of_any_bytes() -> None:
    config = Config(save_plan="\udcff", config="\udcff")
    assert (config.save_plan, config.config) == ("\udcff", "\udcff")
    assert Config(audit_log="\udcff").audit_log == Config(apply_plan="\udcff").apply_plan == "\udcff"


@pytest.mark.parametrize(
    "options, words",
    [
        ({"keep_previous": -1}, "--keep-previous: -1 is too small: the minimum is 0."),
        ({"ami_min_days": -2}, "--ami-min-days: -2 is too small: the minimum is -1."),
        ({"unused_days": -1}, "--unused-days"),
        ({"max_deletions": -1}, "--max-deletions"),
        ({"price_per_gib": -0.01}, "--price-per-gib"),
        ({"price_per_gib": float("nan")}, "--price-per-gib"),
        ({"price_per_gib": float("inf")}, "--price-per-gib"),
        ({"max_attempts": 0}, "--max-attempts"),
        ({"connect_timeout": 0}, "--connect-timeout"),
        ({"connect_timeout": 1e10}, "--connect-timeout: 10000000000.0 is too large: the maximum is 86400."),
        ({"read_timeout": 86_401}, "--read-timeout: 86401 is too large"),
        ({"keep_previous": "4"}, "--keep-previous: '4' is not a whole number."),
        ({"keep_previous": 4.0}, "--keep-previous"),
        ({"keep_previous": True}, "--keep-previous"),
        ({"force_delete": "no"}, "--force-delete: 'no' is neither True nor False."),
        ({"dry_run": 0}, "--dry-run"),
        ({"mapping_key": "tag"}, "--mapping-key: 'tag' is not one of name, tags."),
        ({"mapping_values": ()}, "--mapping-values needs at least one value."),
        ({"mapping_values": ("a", "")}, "--mapping-values: an empty value"),
        ({"excluded_mapping_values": ""}, "--excluded-mapping-values: an empty value"),
        ({"keep_tag": ("",)}, "--keep-tag: an empty value"),
        ({"region": ("",)}, "--region: an empty value"),
        ({"save_plan": ""}, "--save-plan: an empty value"),
        ({"organization_role": ""}, "--organization-role: an empty value"),
        ({"output": "yaml"}, "--output: 'yaml' is not one of table, json, csv, markdown."),
        ({"skip_check": "instance"}, "--skip-check: 'instance' is not one of auto-scaling-groups,"),
        ({"only_tag": "role"}, "--only-tag: 'role' needs a key and a value: KEY=VALUE."),
        ({"only_tag": "=front"}, "--only-tag"),
        ({"from_ids": IDS, "only_name": "a*"}, "--only-name can't stand beside --from-ids"),
        ({"exclude_account": "123"}, "--exclude-account: '123' is not an account id"),
        ({"role_arn": "cleaner"}, "--role-arn: 'cleaner' is not a role's ARN"),
        ({"role_arn": "arn:aws:iam::111111111111:user/me"}, "--role-arn"),
        ({"used_by_role_arn": "arn:aws:iam::1111:role/r"}, "--used-by-role-arn"),
        ({"organization_role": ROLE}, "--organization-role takes the role's name"),
        # Bytes that are no letters match nothing: what they were to protect would go.
        ({"keep_tag": "gr\udcf6sse"}, "--keep-tag: 'gr\\udcf6sse' holds bytes that are no letters"),
        ({"excluded_mapping_values": ("a", "\udcf6")}, "--excluded-mapping-values: '\\udcf6' holds bytes"),
        ({"mapping_values": "\ud83d"}, "--mapping-values: '\\ud83d' holds bytes"),
        ({"external_id": "\udcff"}, "--external-id: '\\udcff' holds bytes"),
    ],
)
def test_values_that_are_none(options: dict[str, Any], words: str) -> None:
    assert words in refusal(**options)


@pytest.mark.parametrize(
    "id",
    [
        *("ami-1234567", "ami-123456789", "ami-0123456789abcdeg0", "AMI-12345678", "ami-1234567G", "snap-12345678"),
        *("12345678", "ami-12345678\n", " ami-12345678", "ami-12345678,ami-23456789"),
    ],
)
def test_ids_that_are_none(id: str) -> None:
    assert repr(id) in refusal(from_ids=("ami-0123456789abcdef0", id))


@pytest.mark.parametrize(
    "options, words",
    [
        *(
            ({"from_ids": IDS, **more}, f"--{next(iter(more)).replace('_', '-')} can't stand beside --from-ids")
            for more in (
                {"mapping_key": "name"},
                {"mapping_values": "a"},
                {"excluded_mapping_values": "a"},
                {"include_untagged": True},
                {"only_tag": "a=b"},
                {"only_name": "a"},
                {"keep_previous": 0},
                {"ami_min_days": 1},
                {"unused_days": 1},
            )
        ),
        ({"ignore_in_use": True}, "--ignore-in-use is allowed only with --from-ids"),
        *(({other: "p", "audit_log": "p"}, "--audit-log needs a file") for other in ("apply_plan", "save_plan", "config")),
        *(
            ({"apply_plan": "p", **more}, f"--{next(iter(more)).replace('_', '-')} can't stand beside --apply-plan")
            for more in (
                {"from_ids": IDS},
                {"keep_previous": 1},
                {"keep_tag": "a"},
                {"region": "eu-*"},
                {"exclude_region": "eu-*"},
                {"include_shared": True},
                {"skip_check": "spot"},
                {"check_orphans": True},
                {"save_plan": "q"},
                {"full_report": True},
                {"price_per_gib": 1.0},
                {"used_by_profile": "p"},
                {"iam_policy": True},
                {"config": "c.toml"},
            )
        ),
        ({"save_plan": "p", "check_orphans": True}, "--save-plan can't stand beside --check-orphans"),
        ({"exit_code": True}, "add --dry-run"),
        ({"role_arn": ROLE, "profile": ("a", "b")}, "one --profile"),
        ({"organization_role": "r", "profile": ("a", "b")}, "one --profile"),
        ({"role_arn": ROLE, "organization_role": "r"}, "not both"),
        ({"exclude_account": "1" * 12}, "--exclude-account needs --organization-role"),
        ({"external_id": "x"}, "--external-id needs"),
    ],
)
def test_options_that_can_not_stand_together(options: dict[str, Any], words: str) -> None:
    assert words in refusal(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"from_ids": IDS, "ignore_in_use": True, "keep_tag": "a", "include_shared": True, "check_orphans": True},
        {"from_ids": IDS, "dry_run": True, "region": "eu-*", "save_plan": "p"},
        {"apply_plan": "p", "force_delete": True, "dry_run": True, "output": "json", "explain": True},
        {"apply_plan": "p", "audit_log": "a", "debug": True, "max_deletions": 0, "profile": "p", "external_id": "x"}
        | {"role_arn": ROLE},
        {"role_arn": (ROLE, "arn:aws-cn:iam::222222222222:role/path/r"), "profile": "p", "external_id": "x"},
        {"organization_role": "r", "exclude_account": ("1" * 12, "2" * 12)},
        {"used_by_role_arn": ROLE, "external_id": "x"},
        {"keep_previous": 10**400, "ami_min_days": 10**400},
    ],
)
def test_options_that_can(options: dict[str, Any]) -> None:
    Config(**options)


def test_a_value_said_twice_is_one_in_the_order_of_the_person() -> None:
    assert Config(mapping_values=["role", "env", "role"]).mapping_values == ("role", "env")  # type: ignore[arg-type]
    assert Config(mapping_values="role").mapping_values == ("role",)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options, deletes",
    [({}, True), ({"dry_run": True}, False), ({"save_plan": "p"}, False), ({"iam_policy": True}, False)],
)
def test_what_deletes(options: dict[str, Any], deletes: bool) -> None:
    assert Config(**options).deletes is deletes
