"""The simulated account: what stands in it, and that nothing leads out of it."""

from __future__ import annotations

import gc
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.handlers import BUILTIN_HANDLERS

from amicleaner.demo import IMAGES, REGION, DemoImage, demo_session
from amicleaner.errors import AmicleanerError, UsageError


@pytest.fixture
def account() -> Iterator[boto3.Session]:
    with demo_session() as session:
        yield session


def client(session: boto3.Session, service: str = "ec2", region: str = REGION, **options: Any) -> Any:
    return session.client(service, region_name=region, **options)


def image_ids(session: boto3.Session) -> set[str]:
    return {image["ImageId"] for image in client(session).describe_images(Owners=["self"])["Images"]}


# What stands in it


def test_five_images_of_each_role_in_each_environment(account: boto3.Session) -> None:
    images = client(account).describe_images(Owners=["self"])["Images"]
    tags = [{tag["Key"]: tag["Value"] for tag in image["Tags"]} for image in images]
    assert len(images) == 21
    for environment in ("dev", "prod"):
        for role in ("front", "back"):
            assert tags.count({"environment": environment, "role": role}) == 5
    assert tags.count({}) == 1
    assert {image["State"] for image in images} == {"available"}


ARTICLE = """
ami-50504e36 front-a3c56c4 2017-06-15T09:55:42.000Z
ami-52504e34 front-ff5eac7 2017-06-15T09:56:43.000Z
ami-a74856c1 back-285244c 2017-06-15T11:47:57.000Z
ami-954658f3 back-d358afc 2017-06-15T11:46:56.000Z
ami-55495733 back-579c0f6 2017-06-15T11:53:07.000Z
ami-9d4759fb back-c58de50 2017-06-15T11:52:05.000Z
ami-fd4c529b front-31d05d8 2017-06-15T10:05:39.000Z
ami-50514f36 front-a4b33c9 2017-06-15T10:06:42.000Z
ami-2bf48158 test-delete 2016-08-16T17:40:15.000Z
"""


@pytest.mark.parametrize("line", ARTICLE.split("\n")[1:-1])
def test_what_the_article_shows(account: boto3.Session, line: str) -> None:
    id, name, created = line.split()
    image = client(account).describe_images(ImageIds=[id])["Images"][0]
    assert (image["Name"], image["CreationDate"]) == (name, created)


def beyond(keep: int, group: Callable[[DemoImage], str]) -> dict[str, set[str]]:
    """The ids that stand behind the newest `keep` of each group."""
    found = {}
    for name, members in groupby(sorted(IMAGES, key=lambda image: (group(image), image.day, image.created)), key=group):
        if name:
            ids = [image.id for image in members]
            found[name] = set(ids[: len(ids) - keep])
    return found


def test_the_sessions_of_the_article_by_tags() -> None:
    def by_tags(image: DemoImage) -> str:
        return ".".join(sorted(image.tags.values()))

    assert {name: len(ids) for name, ids in beyond(4, by_tags).items()} == {
        "back.dev": 1, "back.prod": 1, "dev.front": 1, "front.prod": 1,
    }  # fmt: skip
    assert {len(ids) for ids in beyond(2, by_tags).values()} == {3}
    assert beyond(3, by_tags) == {
        "back.dev": {"ami-a74856c1", "ami-954658f3"},
        "back.prod": {"ami-55495733", "ami-9d4759fb"},
        "front.prod": {"ami-fd4c529b", "ami-50514f36"},
        "dev.front": {"ami-50504e36", "ami-52504e34"},
    }


def test_the_session_of_the_article_by_name() -> None:
    found = beyond(8, lambda image: "front" if "front" in image.name else "")
    assert found == {"front": {"ami-50504e36", "ami-52504e34"}}


def test_names_and_ids_are_unique() -> None:
    assert len({image.id for image in IMAGES}) == len({image.name for image in IMAGES}) == len(IMAGES)


def test_each_image_holds_a_snapshot_of_8_gib_of_its_day(account: boto3.Session) -> None:
    ec2 = client(account)
    snapshots = {snapshot["SnapshotId"]: snapshot for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    assert len(snapshots) == 21
    for image in ec2.describe_images(Owners=["self"])["Images"]:
        (mapping,) = image["BlockDeviceMappings"]
        snapshot = snapshots.pop(mapping["Ebs"]["SnapshotId"])
        assert mapping["Ebs"]["VolumeSize"] == snapshot["VolumeSize"] == 8
        assert snapshot["State"] == "completed"
        assert f"{snapshot['StartTime']:%Y-%m-%dT%H:%M:%S}.000Z" == image["CreationDate"]
        made = rf"Created by CreateImage\(i-0[0-9a-f]{{16}}\) for {image['ImageId']} from {snapshot['VolumeId']}"
        assert re.fullmatch(made, snapshot["Description"])


def test_nothing_uses_an_image(account: boto3.Session) -> None:
    ec2, autoscaling = client(account), client(account, "autoscaling")
    assert ec2.describe_instances(IncludeManagedResources=True)["Reservations"] == []
    assert ec2.describe_launch_template_versions(Versions=["$Latest"])["LaunchTemplateVersions"] == []
    assert ec2.describe_spot_fleet_requests()["SpotFleetRequestConfigs"] == []
    assert ec2.describe_spot_instance_requests()["SpotInstanceRequests"] == []
    assert ec2.describe_fleets()["Fleets"] == []
    assert autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert autoscaling.describe_launch_configurations()["LaunchConfigurations"] == []
    permissions = ec2.describe_image_attribute(ImageId="ami-2bf48158", Attribute="launchPermission")
    assert permissions["LaunchPermissions"] == []


def test_what_moto_does_not_have_is_answered_as_empty(account: boto3.Session) -> None:
    ec2 = client(account)
    assert ec2.describe_image_references(ImageIds=["ami-2bf48158"], IncludeAllResourceTypes=True)["ImageReferences"] == []
    assert ec2.list_images_in_recycle_bin()["Images"] == []


def test_other_regions_and_accounts_are_simulated_too(account: boto3.Session) -> None:
    assert client(account, region="us-east-1").describe_images(Owners=["self"])["Images"] == []
    sts = client(account, "sts")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    role = sts.assume_role(RoleArn="arn:aws:iam::210987654321:role/cleaner", RoleSessionName="demo")["Credentials"]
    other = boto3.Session(role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"])
    assert client(other, "sts").get_caller_identity()["Account"] == "210987654321"
    assert image_ids(other) == set()


def test_images_hold_their_snapshots_and_every_account_is_new() -> None:
    with demo_session() as session:
        ec2 = client(session)
        snapshot = IMAGES[0].made("snap")
        with pytest.raises(ClientError, match=r"InvalidSnapshot\.InUse"):
            ec2.delete_snapshot(SnapshotId=snapshot)
        ec2.deregister_image(ImageId=IMAGES[0].id, DeleteAssociatedSnapshots=True)
        ec2.delete_snapshot(SnapshotId=snapshot)
        assert IMAGES[0].id not in image_ids(session)
        ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)
        assert len(ec2.describe_volumes()["Volumes"]) == 1, "each call is carried out once"
    with demo_session() as session:
        assert image_ids(session) == {image.id for image in IMAGES}


# Nothing leads out of it


class Listener:
    """Something on this machine that a request could be led to; it counts who came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def visits(self) -> int:
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


LEADING_OUT = {
    "endpoint": {"AWS_ENDPOINT_URL": "URL"},
    "endpoint of EC2": {"AWS_ENDPOINT_URL_EC2": "URL"},
    "proxy": {"HTTPS_PROXY": "URL", "https_proxy": "URL", "ALL_PROXY": "URL", "HTTP_PROXY": "URL"},
    "unknown profile": {"AWS_PROFILE": "nobody"},
    "old name of it": {"AWS_DEFAULT_PROFILE": "nobody"},
    "profile with an endpoint": {"AWS_CONFIG_FILE": "FILE", "AWS_PROFILE": "elsewhere"},
    "broken config": {"AWS_CONFIG_FILE": "BROKEN", "AWS_SHARED_CREDENTIALS_FILE": "BROKEN"},
    "default profile with an endpoint": {"HOME": "HOME"},
    "broken credentials": {"HOME": "BROKEN_HOME"},
    "container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "URL", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "URL"},
    "certificates": {"AWS_CA_BUNDLE": "/nowhere.pem"},
    "another partition": {"AWS_DEFAULT_REGION": "cn-north-1", "AWS_REGION": "cn-north-1"},
    "AWS's other names": {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
    "moto's own images": {"MOTO_EC2_LOAD_DEFAULT_AMIS": "true"},
    "moto's images from a file": {"MOTO_AMIS_PATH": "/nowhere.json"},
    "moto as a server": {"TEST_SERVER_MODE": "true", "TEST_SERVER_MODE_ENDPOINT": "URL"},
    "moto as a proxy": {"TEST_PROXY_MODE": "true", "TEST_PROXY_MODE_ENDPOINT": "URL"},
    "moto's authentication": {"INITIAL_NO_AUTH_ACTION_COUNT": "0"},
}


@pytest.mark.parametrize("names", LEADING_OUT)
def test_no_setting_breaks_it_or_leads_out(
    names: str, listener: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(
        f"[profile elsewhere]\nendpoint_url = {listener.url}\naws_access_key_id = real\naws_secret_access_key = real\n"
    )
    (tmp_path / "broken").write_text("[[[ no configuration\n\0")
    for home, file, text in (
        ("home", "config", f"[default]\nendpoint_url = {listener.url}\n"),
        ("broken_home", "credentials", "[[[ no configuration"),
    ):
        (tmp_path / home / ".aws").mkdir(parents=True)
        (tmp_path / home / ".aws" / file).write_text(text)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    values = {"HOME": str(tmp_path / "home"), "BROKEN_HOME": str(tmp_path / "broken_home")}
    values |= {"URL": listener.url, "FILE": str(tmp_path / "config"), "BROKEN": str(tmp_path / "broken")}
    for name, value in LEADING_OUT[names].items():
        monkeypatch.setenv(name, values.get(value, value))
    expected = {image.id for image in IMAGES}
    with demo_session() as session:
        # The session that is handed out, and one that a part of the run makes for itself.
        assert image_ids(session) == image_ids(boto3.Session()) == expected
        assert session.region_name == boto3.Session().region_name == REGION
    if "moto" in names:
        in_a_new_process()
    assert listener.visits == 0


def in_a_new_process() -> None:
    """Some settings are read when moto is loaded, which it is not yet there."""
    program = (
        "from amicleaner.demo import demo_session\n"
        "with demo_session() as session:\n"
        "    print(len(session.client('ec2').describe_images(Owners=['self'])['Images']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("21\n", "", 0)


def test_a_request_that_nothing_simulates_is_refused(listener: Listener) -> None:
    with demo_session() as session, pytest.raises(AmicleanerError, match="reaches no network"):
        client(session, endpoint_url=listener.url).describe_images()
    assert listener.visits == 0


def test_sessions_that_outlive_it_are_refused_everything() -> None:
    with demo_session() as session:
        kept, own = client(session), boto3.Session("real", "real", region_name=REGION)
    for ec2 in (kept, client(session), client(own)):
        with pytest.raises(AmicleanerError, match=r"nothing simulates POST https://ec2\.eu-west-1"):
            ec2.describe_images()


def test_no_connection_is_opened(listener: Listener) -> None:
    program = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append((event, arguments)) if event.startswith("socket.") else None)
from amicleaner.demo import demo_session
with demo_session() as session:
    session.client("ec2").describe_images(Owners=["self"])
    session.client("autoscaling").describe_auto_scaling_groups()
    session.client("sts").get_caller_identity()
    session.client("ssm").get_parameters(Names=["/ami"])
print([event for event, _ in opened if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


# Nothing of it stays behind


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_as_before_afterwards(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.invalid")
    before = dict(os.environ)
    handlers = list(BUILTIN_HANDLERS)
    try:
        with demo_session():
            assert "AWS_PROFILE" not in os.environ
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    assert dict(os.environ) == before
    assert handlers == BUILTIN_HANDLERS
    assert gc.isenabled()


def test_without_moto_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    monkeypatch.setitem(sys.modules, "moto", None)
    with pytest.raises(UsageError, match=r"extra `demo`.*pip install '\.\[demo\]'"), demo_session():
        pytest.fail("there is no moto")
    assert dict(os.environ) == before
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has no TZ")
def test_dates_are_utc_wherever_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        with demo_session() as session:
            snapshot = client(session).describe_snapshots(SnapshotIds=[IMAGES[0].made("snap")])["Snapshots"][0]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert snapshot["StartTime"].timestamp() == 1497520542  # 2017-06-15T09:55:42Z
