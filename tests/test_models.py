"""What is read out of AWS's answers, and what is made of what is missing there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from amicleaner.models import UNREADABLE, Ami, BlockSnapshot, Snapshot, parse_time, tags_from_aws

EVENING = datetime(2017, 6, 15, 21, 55, 42, tzinfo=UTC)


@pytest.fixture(params=["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_zone")
@pytest.mark.parametrize(
    "value",
    [
        "2017-06-15T21:55:42.000Z",
        "2017-06-15T21:55:42Z",
        "2017-06-15T23:55:42+02:00",
        "2017-06-15T21:55:42",
        EVENING,
        EVENING.replace(tzinfo=None),
        EVENING.astimezone(timezone(timedelta(hours=-7))),
    ],
)
def test_times_are_utc_wherever_the_tool_runs(value: Any) -> None:
    parsed = parse_time(value)
    assert parsed == EVENING
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize("value", [None, "", "lately", "2017-13-45", 1497563742, "0001-01-01T00:00:00+14:00"])
def test_an_invalid_time_is_none(value: Any) -> None:
    assert parse_time(value) is None


def test_an_ami_from_aws() -> None:
    ami = Ami.from_aws(
        {
            "ImageId": "ami-1",
            "Name": "front",
            "CreationDate": "2017-06-15T21:55:42.000Z",
            "State": "available",
            "Public": True,
            "DeregistrationProtection": "enabled",
            "LastLaunchedTime": "2017-06-16T21:55:42Z",
            "OwnerId": "111111111111",
            "Tags": [{"Key": "role", "Value": "front"}, {"Key": "environment", "Value": "dev"}],
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/sda", "Ebs": {"SnapshotId": "snap-1", "VolumeSize": 8}},
                {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
                {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 100}},
                {"DeviceName": "/dev/sdd", "Ebs": {"SnapshotId": "snap-1", "VolumeSize": 20}},
                {"DeviceName": "/dev/sde", "Ebs": {"SnapshotId": "snap-2"}},
            ],
        }
    )
    assert ami == Ami(
        id="ami-1",
        name="front",
        created=EVENING,
        created_text="2017-06-15T21:55:42.000Z",
        state="available",
        tags=(("environment", "dev"), ("role", "front")),
        snapshots=(BlockSnapshot("snap-1", 20), BlockSnapshot("snap-2", 0)),
        public=True,
        protection="enabled",
        last_launched=EVENING + timedelta(days=1),
        owner="111111111111",
    )


def test_what_aws_leaves_out_is_empty() -> None:
    assert Ami.from_aws({"ImageId": "ami-1"}) == Ami("ami-1", "", None, "", "")
    assert Snapshot.from_aws({"SnapshotId": "snap-1"}) == Snapshot("snap-1", "", None, "", 0)


def test_an_unreadable_date_of_the_last_launch_is_the_latest() -> None:
    assert Ami.from_aws({"ImageId": "ami-1", "LastLaunchedTime": "?"}).last_launched == UNREADABLE


def test_a_snapshot_from_aws() -> None:
    answer = {"SnapshotId": "snap-1", "Description": "d", "StartTime": EVENING, "State": "completed", "VolumeSize": 8}
    assert Snapshot.from_aws({**answer, "Tags": [{"Key": "a", "Value": ""}]}) == Snapshot(
        "snap-1", "d", EVENING, "completed", 8, (("a", ""),)
    )


@pytest.mark.parametrize("maker", [Ami.from_aws, Snapshot.from_aws])
def test_without_an_id_it_is_nothing(maker: Any) -> None:
    with pytest.raises(KeyError):
        maker({})


def test_tags() -> None:
    assert tags_from_aws([{"Key": "b", "Value": "2"}, {"Key": "a", "Value": ""}]) == (("a", ""), ("b", "2"))
    assert tags_from_aws(None) == ()


@pytest.mark.parametrize("half", [{"Value": "3"}, {"Key": "", "Value": "3"}, {"Key": "a"}, {"Key": "a", "Value": None}, {}])
def test_half_a_tag_is_none(half: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a tag has no key or no value"):
        tags_from_aws([{"Key": "b", "Value": "2"}, half])


def test_two_tags_of_one_key_are_none() -> None:
    with pytest.raises(ValueError, match="two tags have the same key"):
        tags_from_aws([{"Key": "keep", "Value": "2020-01-01"}, {"Key": "b", "Value": ""}, {"Key": "keep", "Value": "soon"}])


@pytest.mark.parametrize("size", [-1, 1 << 31, 1 << 80])
def test_a_size_that_no_volume_has(size: int) -> None:
    device = {"Ebs": {"SnapshotId": "snap-1", "VolumeSize": size}}
    for make in (
        lambda: Ami.from_aws({"ImageId": "ami-1", "BlockDeviceMappings": [device]}),
        lambda: Snapshot.from_aws({"SnapshotId": "snap-1", "VolumeSize": size}),
    ):
        with pytest.raises(ValueError, match="a volume's size is invalid"):
            make()
