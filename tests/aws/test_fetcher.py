"""What an account owns, as it is read."""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.aws.api import Api
from amicleaner.aws.fetcher import (
    fetch_amis,
    fetch_bin,
    fetch_bin_rules,
    fetch_bin_snapshots,
    fetch_shared_with,
    fetch_snapshots,
    fetch_snapshots_by_id,
)
from amicleaner.errors import AwsError, UnsupportedCallError
from amicleaner.models import Target


class FakeApi(Api):
    """Gives one answer, or raises it; notes what was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.target = Target("111111111111", "eu-west-1")

    def pages(self, action: str, **parameters: Any) -> Any:
        yield from self.call(action, **parameters)

    def call(self, action: str, **parameters: Any) -> Any:
        self.asked.append((action, parameters))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


OWNED = {"OwnerId": "111111111111"}


def api(answer: Any) -> Any:
    return FakeApi(answer)


def refused(code: str) -> AwsError:
    return AwsError("ec2:x", code, "no")


def test_own_amis_disabled_ones_included_sorted_and_once() -> None:
    two = {**OWNED, "ImageId": "ami-2", "Name": "two"}
    fake = api([two, {**OWNED, "ImageId": "ami-1", "State": "disabled"}, two])
    assert [(ami.id, ami.state, ami.name) for ami in fetch_amis(fake)] == [("ami-1", "disabled", ""), ("ami-2", "", "two")]
    assert fake.asked == [("DescribeImages", {"Owners": ["self"], "IncludeDisabled": True})]


def test_own_completed_snapshots() -> None:
    fake = api([{"SnapshotId": "snap-1"}, {"SnapshotId": "snap-1"}])
    assert [snapshot.id for snapshot in fetch_snapshots(fake)[0]] == ["snap-1"]
    filters = [{"Name": "status", "Values": ["completed"]}]
    assert fake.asked == [("DescribeSnapshots", {"OwnerIds": ["self"], "Filters": filters})]


def test_snapshots_by_id_those_asked_for_200_a_call() -> None:
    fake = api([{"SnapshotId": "snap-1"}, {"SnapshotId": "snap-other"}])
    ids = [f"snap-{number}" for number in range(201)]
    found, warnings = fetch_snapshots_by_id(fake, ids)
    assert ([snapshot.id for snapshot in found], warnings) == (["snap-1"], ())
    asked = [parameters["Filters"] for _, parameters in fake.asked]
    assert asked == [[{"Name": "snapshot-id", "Values": part}] for part in (ids[:200], ids[200:])]


def test_snapshots_by_id_give_a_warning_where_the_endpoint_lacks_the_call() -> None:
    fake = api(UnsupportedCallError("ec2:DescribeSnapshots", "InvalidAction", "no"))
    found, [warning] = fetch_snapshots_by_id(fake, ["snap-1"])
    assert found == ()
    assert "doesn't support ec2:DescribeSnapshots; tags of snapshots" in warning
    with pytest.raises(AwsError):
        fetch_snapshots_by_id(api(refused("UnauthorizedOperation")), ["snap-1"])


@pytest.mark.parametrize(
    "items, told",
    [
        ([{"ImageId": "ami-1", "OwnerId": "222222222222"}], "ami-1, which belongs to account 222222222222"),
        (
            [{**OWNED, "ImageId": "ami-1"}, {**OWNED, "ImageId": "ami-1", "State": "available"}],
            "ami-1 is listed twice, with",
        ),
        ([{**OWNED, "ImageId": "ami-1", "Tags": [{"Value": "x"}]}], "ami-1: a tag has no key or no value"),
    ],
)
@pytest.mark.parametrize("account", ["111111111111", ""])
def test_amis_that_make_no_sense_are_an_error(items: list[Any], told: str, account: str) -> None:
    fake = api(items if account or "belongs" not in told else [{**OWNED, "ImageId": "ami-0"}, *items])
    fake.target = Target(account, "eu-west-1")
    with pytest.raises(AwsError, match=f"MalformedResponse: .*{told}"):
        fetch_amis(fake)


@pytest.mark.parametrize(
    "items, told",
    [
        ([{"SnapshotId": "snap-1"}, {"SnapshotId": "snap-1", "State": "completed"}], "snap-1 is listed twice"),
        ([{"SnapshotId": "snap-1", "Tags": [{"Key": "dlm:managed"}]}], "snap-1: a tag has no key or no value"),
    ],
)
def test_snapshots_that_make_no_sense_are_an_error(items: list[Any], told: str) -> None:
    with pytest.raises(AwsError, match=f"MalformedResponse: {told}"):
        fetch_snapshots(api(items))


@pytest.mark.parametrize(
    "fetch", [fetch_amis, fetch_snapshots, fetch_bin_snapshots, lambda api: fetch_bin_rules(api, "EC2_IMAGE")]
)
@pytest.mark.parametrize("item", [{}, {"ImageId": "", "SnapshotId": None, "Identifier": ""}])
def test_a_thing_without_an_id_is_an_error(fetch: Any, item: dict[str, Any]) -> None:
    with pytest.raises(AwsError, match="MalformedResponse"):
        fetch(api([item]))


@pytest.mark.parametrize("answer", [{}, {"Status": "available"}, {"Identifier": "rule-2", "Status": "available"}])
def test_an_answer_about_no_rule_or_another_is_an_error(answer: dict[str, Any]) -> None:
    """A proxy's page parses as an empty answer: a rule that retains nothing, of which nobody would be told."""
    fake = api([{"Identifier": "rule-1"}])
    fake.call = lambda action, **_: answer if action == "rbin:GetRule" else fake.answer
    with pytest.raises(AwsError) as caught:
        fetch_bin_rules(fake, "EC2_IMAGE")
    assert caught.value.code == "MalformedResponse"


def test_the_recycle_bin() -> None:
    found, warnings = fetch_bin(api([{"ImageId": "ami-1"}, {"ImageId": "ami-2"}]))
    assert (sorted(found), warnings) == (["ami-1", "ami-2"], ())
    found, warnings = fetch_bin(api(UnsupportedCallError("ec2:ListImagesInRecycleBin", "InvalidAction", "no")))
    assert found == {}
    assert "doesn't support ec2:ListImagesInRecycleBin" in warnings[0]
    for broken in (refused("UnauthorizedOperation"), [{"ImageId": "ami-1"}, {}], [{"ImageId": ""}]):
        with pytest.raises(AwsError):
            fetch_bin(api(broken))


@pytest.mark.parametrize(
    "permissions, expected",
    [
        ([], ()),
        ([{"UserId": "111111111111"}], ()),
        ([{"UserId": "222222222222"}, {"UserId": "111111111111"}], ("account 222222222222",)),
        ([{"Group": "all"}], ("everybody",)),
        ([{"Group": "some"}], ("the group some",)),
        ([{"OrganizationArn": "arn:o"}, {"UserId": "2"}], ("account 2", "the organization arn:o")),
        ([{"OrganizationalUnitArn": "arn:ou"}], ("the organizational unit arn:ou",)),
        ([{"Something": "new"}], ("an account that AWS does not name",)),
    ],
)
def test_shared_with_whom(permissions: list[Any], expected: tuple[str, ...]) -> None:
    fake = api({"LaunchPermissions": permissions})
    assert fetch_shared_with(fake, "ami-1", {"111111111111", ""}) == expected
    assert fake.asked == [("DescribeImageAttribute", {"ImageId": "ami-1", "Attribute": "launchPermission"})]


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"])
def test_what_is_gone_is_shared_with_nobody(code: str) -> None:
    assert fetch_shared_with(api(refused(code)), "ami-1", ()) == ()


@pytest.mark.parametrize(
    "answer",
    [
        *(refused(code) for code in ("UnauthorizedOperation", "InvalidAMIID.Malformed")),
        {},
        {"ImageId": "ami-2", "LaunchPermissions": []},
    ],
)
def test_permissions_that_can_not_be_read_are_an_error(answer: Any) -> None:
    with pytest.raises(AwsError):
        fetch_shared_with(api(answer), "ami-1", ())
