"""The article's account behind a URL, filled by other means than the demo's: the same tables, and the right things gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from amicleaner.demo import IMAGES, REGION
from tests.fake_aws import Fault

from .accounts import FOUR, Account, article_account, snapshot_of
from .process import Finished, run
from .sessions import ARTICLE, in_order, lines_of

TWELVE = {
    "front-a3c56c4", "front-ff5eac7", "front-0b9d2e6", "front-31d05d8", "front-a4b33c9", "front-5d8ea07",
    "back-d358afc", "back-285244c", "back-f07c6d2", "back-c58de50", "back-579c0f6", "back-8e2b7a4",
}  # fmt: skip
"""The names of what goes with `--keep-previous 2`."""


@dataclass
class Moto:
    """moto as a server, in this process, asked by a client like any other."""

    url: str
    ids: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
        }

    def images(self) -> dict[str, tuple[str, str]]:
        """Name to id and snapshot, as the server tells it."""
        with client(self.url) as ec2:
            found = ec2.describe_images(Owners=["self"])["Images"]
        return {image["Name"]: (image["ImageId"], image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]) for image in found}

    def snapshots(self) -> set[str]:
        with client(self.url) as ec2:
            return {snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}

    def as_in_the_article(self, text: str) -> str:
        """A text with the article's ids in the place of those that the server made up."""
        for image in IMAGES:
            text = text.replace(self.ids[image.name], image.id)
        return text


@contextmanager
def client(url: str) -> Iterator[Any]:
    made = boto3.client("ec2", region_name=REGION, endpoint_url=url)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto(server: str) -> Iterator[Moto]:
    from moto.ec2.models import ec2_backends

    yield Moto(server, fill(server, ec2_backends["123456789012"][REGION]))
    ec2_backends.reset()


def fill(url: str, backend: Any) -> dict[str, str]:
    """The article's images, made as a person makes them, of an instance that is terminated then.  Name to id.

    The dates alone can't be had through the API.
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
            backend.amis[made].creation_date = datetime.fromisoformat(f"{image.day}T{image.created}")
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    return ids


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
def test_the_sessions_at_an_endpoint(untouched: Account, arguments: str) -> None:
    finished = run(*arguments.split(), answer="n\n", env=untouched.environment)
    assert (finished.status, finished.err) == (0, "")
    assert lines_of(finished.out) == in_order(ARTICLE[arguments])


def test_a_yes_removes_the_right_ones(account: Account) -> None:
    finished = run("--keep-previous", "2", answer="yes\n", env=account.environment)
    assert (finished.status, finished.err) == (0, "")
    gone = {image.id for image in IMAGES if image.name in TWELVE}
    left = {image.id for image in IMAGES} - gone
    assert account.images == left
    assert account.snapshots == set(map(snapshot_of, left))
    assert said_to_be_gone(finished) == gone | set(map(snapshot_of, gone))
    again = run("--keep-previous", "2", env=account.environment)
    assert (again.status, again.err) == (0, "")
    assert "[y/N]" not in again.out


def said_to_be_gone(finished: Finished) -> set[str]:
    return {line.split()[0] for line in finished.lines if line.endswith((" deregistered", " deleted"))}


def test_what_came_into_use_between_the_question_and_the_yes_stays(account: Account) -> None:
    def configure(*_: object) -> None:
        if account.fake_aws.calls.count("DescribeImageAttribute") == 4:
            account.region.add_launch_configuration(FOUR[1], "new-one")

    account.fake_aws.after("DescribeImageAttribute", configure)
    finished = run(answer="y\n", env=account.environment)
    assert (finished.status, finished.err) == (0, "")
    assert [line for line in finished.lines if line.startswith(f"{FOUR[1]} stays: ") and "new-one" in line]
    assert said_to_be_gone(finished) == {id for ami in (FOUR[0], *FOUR[2:]) for id in (ami, snapshot_of(ami))}
    assert FOUR[1] in account.images
    assert snapshot_of(FOUR[1]) in account.snapshots


def test_behind_a_proxy_that_was_cut_off_nobody_knows_what_aws_did(account: Account, tmp_path: Path) -> None:
    """urllib3 tells it like a proxy that can't be reached, and AWS has acted."""
    account.fake_aws.faults.append(Fault("DeregisterImage", "lost"))
    proxy = {"AWS_ENDPOINT_URL": "http://ec2.example", "http_proxy": account.environment["AWS_ENDPOINT_URL"]}
    log = tmp_path / "audit.jsonl"
    finished = run("-f", "--max-attempts", "1", "--audit-log", str(log), env={**account.environment, **proxy})
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (lost,) = [line for line in lines if line.get("code") == "ProxyConnectionError"]
    assert lost["outcome"] == "unknown"
    assert lost["id"] not in account.images
    assert f"{lost['id']} deregistered" not in finished.lines
    assert (finished.status, finished.untroubled) == (1, True)
    assert "1 failed AMIs" in finished.out
    assert "the AMI may be gone all the same" in finished.out


def test_what_aws_refuses_is_told_and_the_others_go(account: Account) -> None:
    protected, refused, kept, easy = FOUR
    account.region.images[protected].deregistration_protection = "enabled"
    account.region.snapshots[snapshot_of(kept)].refusal = ("UnauthorizedOperation", "You may not.")
    account.fake_aws.faults.append(
        Fault("DeregisterImage", "refuse", when=lambda call: call.params["ImageId"] == refused, message="Not that one.")
    )
    finished = run(answer="y\n", env=account.environment)
    # A protected one is not tried at all.
    assert finished.status == 1
    assert "remove 3 AMIs [y/N]" in finished.out
    assert said_to_be_gone(finished) == {kept, easy, snapshot_of(easy)}
    assert "1 failed AMIs" in finished.lines
    assert f"{refused} | UnauthorizedOperation | Not that one." in lines_of(finished.out)
    assert "1 failed snapshots" in finished.lines
    assert any(line.startswith(f"{snapshot_of(kept)} | client-error | ") for line in lines_of(finished.out))
    assert account.images == {image.id for image in IMAGES} - {kept, easy}
    assert account.snapshots == {snapshot_of(image.id) for image in IMAGES if image.id != easy}


# moto


@pytest.mark.parametrize("arguments", [arguments for arguments in ARTICLE if arguments])
def test_the_sessions_at_moto_s_server(moto: Moto, arguments: str) -> None:
    finished = run(*arguments.split(), answer="n\n", env=moto.environment)
    assert finished.status == 0
    assert lines_of(moto.as_in_the_article(finished.out)) == in_order(ARTICLE[arguments])
    assert len(moto.images()) == len(moto.snapshots()) == 21


def test_a_yes_at_moto_s_server_and_what_moto_lacks(moto: Moto) -> None:
    before = moto.images()
    # One of those that would go is in use.
    with client(moto.url) as ec2:
        ec2.run_instances(ImageId=moto.ids["front-a3c56c4"], MinCount=1, MaxCount=1)
    finished = run("--keep-previous", "2", answer="y\n", env=moto.environment)
    assert finished.status == 0
    # One line says it, and it goes on.
    assert finished.err.startswith("Warning: ")
    assert "DescribeImageReferences" in finished.err
    assert finished.err.count("\n") == 1
    gone = {id for name in TWELVE - {"front-a3c56c4"} for id in before[name]}
    assert said_to_be_gone(finished) == gone
    assert {id for ids in moto.images().values() for id in ids} == {id for ids in before.values() for id in ids} - gone
    assert moto.snapshots() == {snapshot for _, snapshot in before.values()} - gone
