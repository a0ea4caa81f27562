"""Every reason to keep an AMI, from what AWS answers to what the run says.  The rules themselves:
`tests/test_filters.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from amicleaner import filters
from amicleaner.config import Rule
from amicleaner.models import Reason
from tests.flows.flow import OTHER, TAGS, Flow, decisions, reasons, removed
from tests.virtual_time import NOW

ORGANIZATION = "arn:aws:organizations::111111111111:organization/o-exampleorgid"
UNIT = "arn:aws:organizations::111111111111:ou/o-exampleorgid/ou-root-unit"
OPTIONS: dict[str, Any] = {
    "keep_tag": ("golden", "tier=gold"),
    "excluded_mapping_values": ("other", "legacy"),
    "unused_days": 30,
    "only_name": ("web*", "AwsBackup*"),
    "ami_min_days": 5,
}


@dataclass(frozen=True)
class Case:
    """An AMI by its members and the tags of its snapshot, the reason, and a part of the explanation.  `listed`: the reason
    also keeps an AMI that is listed with --from-ids."""

    name: str
    reason: Reason
    says: str
    members: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    snapshot_tags: dict[str, str] = field(default_factory=dict)
    listed: bool = True


CASES = (
    *(Case(state, "state", state, {"state": state}) for state in ("pending", "disabled", "transient", "hibernated")),
    Case("no date", "state", "date", {"omit": {"CreationDate"}}, listed=False),
    Case("unreadable date", "state", "date", {"extra": {"CreationDate": "yesterday"}}, listed=False),
    *(
        Case(f"protection {text}", "protected", "", {"deregistration_protection": text})
        for text in ("enabled-with-cooldown", "enabled-without-cooldown", "true", "something-new")
    ),
    Case("tag of AWS Backup", "managed", "AWS Backup", tags={"aws:backup:source-resource": "i-1"}),
    Case("name of AWS Backup", "managed", "AWS Backup", {"name": "AwsBackup_i-1"}),
    Case("vault of AWS Backup", "managed", "AWS Backup", {"owner_alias": "aws-backup-vault"}),
    Case("tag of Data Lifecycle Manager", "managed", "Data Lifecycle", tags={"aws:dlm:lifecycle-policy-id": "p"}),
    Case("dlm:managed", "managed", "Data Lifecycle", tags={"dlm:managed": "yes"}),
    Case("snapshot of Data Lifecycle Manager", "managed", "snap-", snapshot_tags={"dlm:managed": "yes"}),
    Case("public", "public", "every AWS account", {"public": True}),
    Case("shared with an account", "shared", OTHER, {"shared_with": (OTHER,)}),
    Case("shared with an organization", "shared", "the organization", {"organizations": (ORGANIZATION,)}),
    Case("shared with a unit", "shared", "the organizational unit", {"organizations": (UNIT,)}),
    Case("keep tag", "keep-tag", "golden", tags={"golden": ""}),
    Case("keep tag with a value", "keep-tag", "tier=gold", tags={"tier": "gold"}),
    Case("keep tag on its snapshot", "keep-tag", "snap-", snapshot_tags={"golden": "1"}),
    Case("keep-until", "keep-until", "2026-03-01", tags={"amicleaner:keep-until": "2026-03-01"}),
    Case("unreadable keep-until", "keep-until", "next", tags={"amicleaner:keep-until": "next week"}),
    Case("excluded", "excluded", "legacy", tags={"role": "web-legacy"}, listed=False),
    Case(
        "recently launched", "recently-launched", "30 days", {"last_launched": NOW - timedelta(days=29)}, listed=False
    ),
    Case("another name", "not-selected", "--only-name", {"name": "other"}, listed=False),
    Case("no tags", "no-tags", "environment, role", {"tags": {"Name": "x"}}, listed=False),
    Case("empty tags", "no-tags", "environment, role", {"tags": {"role": ""}}, listed=False),
    Case("too young", "too-young", "5", {"days": 4.99}, listed=False),
)  # fmt: skip


class Account:
    """One AMI for each case, and free ones that nothing keeps; pages of one item."""

    def __init__(self, flow: Flow) -> None:
        flow.fake_aws.pager.cap = 10
        self.free = {
            flow.add(name="web-free").image_id,
            flow.add(name="web-free", tags={"role": "web"}).image_id,
            flow.add(name="web-free", tags=TAGS | {"amicleaner:keep-until": "2026-02-28"}).image_id,
            flow.add(name="web-free", tags=TAGS | {"tier": "silver"}, deregistration_protection="disabled").image_id,
            flow.add(name="web-free", last_launched=NOW - timedelta(days=31)).image_id,
            flow.add(name="web-free", state="failed").image_id,
        }
        self.ids = {}
        for case in CASES:
            image = flow.add(**{"name": "web", "tags": TAGS | case.tags, **case.members})
            for snapshot in image.snapshot_ids:
                flow.home.snapshots[snapshot].tags.update(case.snapshot_tags)
            self.ids[case.name] = image.image_id


def test_each_reason_keeps_its_ami_and_is_explained(flow: Flow) -> None:
    account = Account(flow)
    result = flow.clean(**OPTIONS)
    assert removed(result) == account.free
    for case in CASES:
        decision = decisions(result)[account.ids[case.name]]
        assert (case.name, decision.reason) == (case.name, case.reason)
        assert case.says in decision.explanation
        assert decision.explanation.endswith(".")
    assert flow.home.images.keys() == set(account.ids.values())


def test_a_listed_ami_is_kept_for_its_own_sake_only(flow: Flow) -> None:
    account = Account(flow)
    ids = (*account.free, *account.ids.values())
    options = {"keep_tag": OPTIONS["keep_tag"]}
    result = flow.clean(from_ids=ids, **options)
    listed = {account.ids[case.name]: case.reason for case in CASES if case.listed}
    assert {id: reason for id, reason in reasons(result).items() if reason != "named"} == listed
    assert removed(result) == set(ids) - listed.keys()
    assert {problem.partition(" kept: ")[0] for problem in result.problems} == listed.keys()
    assert result.exit_status == 1


def test_the_newest_are_kept_after_everything_that_is_kept_for_itself(flow: Flow) -> None:
    first, second, third = flow.several(3)
    flow.home.images[second].shared_with = (OTHER,)
    assert reasons(flow.clean(keep_previous=1)) == {first: "kept-previous", second: "shared", third: "old"}
    assert {call.params["ImageId"] for call in flow.calls("DescribeImageAttribute")} == {second, third}


@pytest.mark.parametrize("members", [{"public": True}, {"shared_with": (OTHER,)}, {"organizations": (UNIT,)}])
def test_shared_amis_are_deleted_on_request(flow: Flow, members: dict[str, Any]) -> None:
    image = flow.add(**members).image_id
    assert removed(flow.clean(include_shared=True)) == {image}
    assert flow.calls("DescribeImageAttribute") == []


RULES = (
    Rule("production", (("only_tag", ("environment=prod",)), ("keep_previous", 1))),
    Rule("the rest", (("only_name", ("web-*",)), ("mapping_key", "family"), ("keep_previous", 0))),
    Rule("unmatched", (("only_name", ("never",)),)),
)


def test_the_first_rule_that_matches_decides(flow: Flow) -> None:
    ids = {
        "prod new": flow.add(days=1).image_id,
        "prod old": flow.add(days=2, name="web-2").image_id,
        "rest": flow.add(days=3, name="web-3", tags={}).image_id,
        "none": flow.add(days=4, name="db", tags={"environment": "dev"}).image_id,
    }
    result = flow.clean(keep_previous=None, rules=RULES)
    assert {name: reasons(result)[id] for name, id in ids.items()} == {
        "prod new": "kept-previous", "prod old": "old", "rest": "old", "none": "no-rule",
    }  # fmt: skip
    assert [warning for warning in result.warnings if "unmatched" in warning]


def test_every_rule_keeps_an_ami_in_a_run() -> None:
    elsewhere = {"in-use", "quarantined", "released", "no-match"}
    assert {case.reason for case in CASES} | elsewhere == {reason for reason, _ in filters.RULES}
