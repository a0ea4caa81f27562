"""The article's sessions through a pipe: against the fake AWS, and against moto's server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest

from amicleaner.demo.article import REGION
from tests.fake_aws import Fault

from .accounts import FOUR, Account, article_account
from .process import INSTALLED, MODULE, run
from .sessions import ARTICLE, contains


def test_module_is_the_command(tmp_path: Path) -> None:
    by_module = run("--keep-previous", "-1", words=MODULE, cwd=tmp_path)
    assert by_module == run("--keep-previous", "-1", words=INSTALLED, cwd=tmp_path)
    assert by_module.status == 2


# The fake AWS


@pytest.fixture(scope="module")
def untouched() -> Iterator[Account]:
    with article_account() as account:
        yield account


@pytest.fixture
def account() -> Iterator[Account]:
    with article_account() as account:
        yield account


@pytest.mark.parametrize("arguments", ARTICLE)
def test_session_has_what_the_article_prints(untouched: Account, arguments: str) -> None:
    finished = run(*arguments.split(), answer="n\n", env=untouched.environment)
    assert (finished.status, finished.errors) == (0, [])
    before, answered, after = finished.out.rpartition(" [y/N] ? : \n")
    assert contains(before + answered.rstrip("\n"), arguments)
    assert after == "Nothing was deleted.\n"


def test_after_a_response_that_a_proxy_lost_the_ami_is_looked_up(account: Account, tmp_path: Path) -> None:
    """urllib3 reports it like a proxy that cannot be reached, but AWS has acted."""
    account.fake_aws.faults.append(Fault("DeregisterImage", "lost"))
    proxy = {"AWS_ENDPOINT_URL": "http://ec2.example", "http_proxy": account.environment["AWS_ENDPOINT_URL"]}
    log = tmp_path / "audit.jsonl"
    finished = run("-f", "--max-attempts", "1", "--audit-log", str(log), env={**account.environment, **proxy})
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (lost,) = [line for line in lines if line.get("code") == "ProxyConnectionError"]
    assert lost["outcome"] == "unknown"
    assert [action for action, id in account.deletions() if id == lost["id"]] == ["DeregisterImage"]
    assert f"{lost['id']} deregistered" in finished.lines
    assert (finished.status, finished.errors) == (0, [])
    assert not account.images.intersection(FOUR)


# moto's server


@pytest.fixture
def moto() -> Iterator[str]:
    """The URL of moto as a server."""
    from moto.ec2.models import ec2_backends
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    ec2_backends.reset()
    server.stop()


def test_yes_at_an_independent_server_deletes_what_is_not_in_use(moto: str) -> None:
    """AMIs that are made as a person does, from an instance that is terminated afterwards."""
    with closing(boto3.client("ec2", region_name=REGION, endpoint_url=moto)) as ec2:
        (instance,) = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)["Instances"]
        id = instance["InstanceId"]
        used, *free = [ec2.create_image(InstanceId=id, Name=f"web-{number}")["ImageId"] for number in range(3)]
        ec2.create_tags(Resources=[used, *free], Tags=[{"Key": "role", "Value": "web"}])
        ec2.terminate_instances(InstanceIds=[id])
        ec2.run_instances(ImageId=used, MinCount=1, MaxCount=1)
        images = {image["ImageId"]: image for image in ec2.describe_images(Owners=["self"])["Images"]}
        snapshots = {id: image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] for id, image in images.items()}
        credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        env = {**credentials, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": moto}
        finished = run("--keep-previous", "0", "--max-attempts", "1", answer="y\n", env=env)
        assert (finished.status, finished.errors) == (0, [])
        # Each call that this endpoint lacks is a warning.
        assert "Warning: This endpoint doesn't support ec2:DescribeImageReferences" in finished.err
        told = {line.split()[0] for line in finished.lines if line.endswith((" deregistered", " deleted"))}
        assert told == {*free, *(snapshots[id] for id in free)}
        assert [image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]] == [used]
        assert [left["SnapshotId"] for left in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]] == [snapshots[used]]
