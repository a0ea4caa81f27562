"""The article's sessions through a pipe: against the fake AWS, and against moto's server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicleaner.demo.article import IMAGES, REGION
from tests.fake_aws import Fault

from .accounts import FOUR, Account, article_account
from .process import INSTALLED, MODULE, Finished, run
from .sessions import ARTICLE, contains

TWELVE = {
    "front-a3c56c4", "front-ff5eac7", "front-0b9d2e6", "front-31d05d8", "front-a4b33c9", "front-5d8ea07",
    "back-d358afc", "back-285244c", "back-f07c6d2", "back-c58de50", "back-579c0f6", "back-8e2b7a4",
}  # fmt: skip
"""The names of the AMIs that `--keep-previous 2` deletes."""


def before_the_answer(finished: Finished) -> str:
    shown, prompt, _ = finished.out.partition(" [y/N] ? : \n")
    return shown + prompt


def deleted(finished: Finished) -> set[str]:
    """The ids that the output calls deleted."""
    return {line.split()[0] for line in finished.lines if line.endswith((" deregistered", " deleted"))}


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
    assert contains(before_the_answer(finished), arguments)
    assert finished.out.endswith("[y/N] ? : \nNothing was deleted.\n")


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


@dataclass
class Moto:
    """moto as a server, whose ids are its own."""

    url: str
    ids: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        return {**credentials, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": self.url}

    def images(self) -> dict[str, tuple[str, str]]:
        """Name to id and snapshot, as the server tells it."""
        with client(self.url) as ec2:
            found = ec2.describe_images(Owners=["self"])["Images"]
        return {image["Name"]: (image["ImageId"], image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]) for image in found}

    def snapshots(self) -> set[str]:
        with client(self.url) as ec2:
            return {snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}


@contextmanager
def client(url: str) -> Iterator[Any]:
    made = boto3.client("ec2", region_name=REGION, endpoint_url=url)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def moto() -> Iterator[Moto]:
    from moto.ec2.models import ec2_backends
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    yield Moto(url, fill(url, ec2_backends["123456789012"][REGION]))
    ec2_backends.reset()
    server.stop()


def fill(url: str, backend: Any) -> dict[str, str]:
    """Makes the article's AMIs as a person does, from an instance that is terminated afterwards.  Name to id.

    Only the dates cannot be set through the API.
    """
    ids = {}
    with client(url) as ec2:
        (instance,) = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)["Instances"]
        for image in IMAGES:
            tags = [{"Key": key, "Value": value} for key, value in image.tags.items()]
            made = ec2.create_image(InstanceId=instance["InstanceId"], Name=image.name)["ImageId"]
            if tags:
                ec2.create_tags(Resources=[made], Tags=tags)
            ids[image.name] = made
            backend.amis[made].creation_date = image.created
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    return ids


def test_yes_at_an_independent_server_deletes_what_is_not_in_use(moto: Moto) -> None:
    before = moto.images()
    with client(moto.url) as ec2:
        ec2.run_instances(ImageId=moto.ids["front-a3c56c4"], MinCount=1, MaxCount=1)
    finished = run("--keep-previous", "2", "--max-attempts", "1", answer="y\n", env=moto.environment)
    assert (finished.status, finished.errors) == (0, [])
    # Each call that this endpoint lacks is a warning.
    assert "Warning: This endpoint doesn't support ec2:DescribeImageReferences" in finished.err
    gone = {id for name in TWELVE - {"front-a3c56c4"} for id in before[name]}
    assert deleted(finished) == gone
    assert {id for ids in moto.images().values() for id in ids} == {id for ids in before.values() for id in ids} - gone
    assert moto.snapshots() == {snapshot for _, snapshot in before.values()} - gone
