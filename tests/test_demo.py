"""The simulated accounts: what is in them, what can be done in them, and that nothing leads out of them."""

from __future__ import annotations

import os
import re
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.handlers import BUILTIN_HANDLERS
from botocore.loaders import JSONFileLoader

from amicleaner.clock import SYSTEM_CLOCK
from amicleaner.config import Config
from amicleaner.demo import REGIONS, demo_session
from amicleaner.demo.account import made_id
from amicleaner.demo.article import IMAGES, REGION
from amicleaner.demo.tour import AWAY, HOME, PROD_RETAINED_DAYS
from amicleaner.errors import AmicleanerError, UsageError
from amicleaner.models import Reason
from amicleaner.plan import Plan
from amicleaner.result import Orphan, Result
from amicleaner.run import clean
from amicleaner.view import View
from tests.command.accounts import FOUR
from tests.command.process import INSTALLED, run
from tests.command.sessions import ARTICLE, contains
from tests.virtual_time import NOW, Time

DAY = 86400.0
EVERY = {image.id for image in IMAGES}
"""The ids of the article's account."""


def client(session: boto3.Session, service: str = "ec2", region: str = REGION, **options: Any) -> Any:
    return session.client(service, region_name=region, **options)


def image_ids(session: boto3.Session) -> set[str]:
    return {image["ImageId"] for image in client(session).describe_images(Owners=["self"])["Images"]}


# The account of the article


@pytest.fixture
def article() -> Iterator[boto3.Session]:
    with demo_session("article", SYSTEM_CLOCK) as session:
        yield session


PRINTED = """
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
"""Of the article's AMIs, those that it prints."""


def test_article_has_the_amis_that_it_prints_and_five_of_each_role_in_each_environment(article: boto3.Session) -> None:
    images = client(article).describe_images(Owners=["self"])["Images"]
    tags = [{tag["Key"]: tag["Value"] for tag in image["Tags"]} for image in images]
    assert len(images) == 21
    for environment in ("dev", "prod"):
        for role in ("front", "back"):
            assert tags.count({"environment": environment, "role": role}) == 5
    assert tags.count({}) == 1
    assert {image["State"] for image in images} == {"available"}
    lines = {f"{image['ImageId']} {image['Name']} {image['CreationDate']}" for image in images}
    assert {*PRINTED.split("\n")[1:-1]} <= lines


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has no TZ")
def test_each_ami_has_a_snapshot_of_8_gib_of_its_day_wherever_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        with demo_session("article", SYSTEM_CLOCK) as session:
            images = client(session).describe_images(Owners=["self"])["Images"]
            found = client(session).describe_snapshots(OwnerIds=["self"])["Snapshots"]
    finally:
        monkeypatch.undo()
        time.tzset()
    snapshots = {snapshot["SnapshotId"]: snapshot for snapshot in found}
    assert len(snapshots) == 21
    assert snapshots[IMAGES[0].made("snap")]["StartTime"].timestamp() == 1497520542  # 2017-06-15T09:55:42Z
    for image in images:
        (mapping,) = image["BlockDeviceMappings"]
        snapshot = snapshots.pop(mapping["Ebs"]["SnapshotId"])
        assert mapping["Ebs"]["VolumeSize"] == snapshot["VolumeSize"] == 8
        assert snapshot["State"] == "completed"
        assert f"{snapshot['StartTime']:%Y-%m-%dT%H:%M:%S}.000Z" == image["CreationDate"]
        made = rf"Created by CreateImage\(i-0[0-9a-f]{{16}}\) for {image['ImageId']} from {snapshot['VolumeId']}"
        assert re.fullmatch(made, snapshot["Description"])


def test_other_regions_and_accounts_are_simulated_too(article: boto3.Session) -> None:
    assert client(article, region="us-east-1").describe_images(Owners=["self"])["Images"] == []
    sts = client(article, "sts")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    role = sts.assume_role(RoleArn="arn:aws:iam::210987654321:role/cleaner", RoleSessionName="demo")["Credentials"]
    other = boto3.Session(role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"])
    assert client(other, "sts").get_caller_identity()["Account"] == "210987654321"
    assert image_ids(other) == set()


def test_calls_that_fail_at_aws_fail_too(article: boto3.Session) -> None:
    ec2 = client(article)
    with pytest.raises(ClientError, match=r"InvalidAMIID\.NotFound"):
        ec2.disable_image(ImageId="ami-00000000")
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.InUse"):
        ec2.delete_snapshot(SnapshotId=IMAGES[0].made("snap"))
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.NotFound"):
        ec2.delete_snapshot(SnapshotId="snap-00000000")
    assert image_ids(article) == EVERY


def test_every_account_is_new() -> None:
    with demo_session("article", SYSTEM_CLOCK) as session:
        ec2 = client(session)
        ec2.deregister_image(ImageId=IMAGES[0].id, DeleteAssociatedSnapshots=True)
        assert image_ids(session) == EVERY - {IMAGES[0].id}
        assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 20
        ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)
        assert len(ec2.describe_volumes()["Volumes"]) == 1, "each call is carried out once"
    with demo_session("article", SYSTEM_CLOCK) as session:
        assert image_ids(session) == EVERY


# The tour


class Confirming(View):
    """Says yes."""

    def confirm(self, plan: Plan) -> bool:
        return True

    def confirm_orphans(self, orphans: Sequence[Orphan]) -> bool:
        return True


class Tour:
    """Runs one after another in the same account of the tour."""

    def __init__(self, session: boto3.Session, time: Time) -> None:
        self.session = session
        self.time = time

    def clean(self, **options: Any) -> Result:
        options.setdefault("region", (HOME,))
        return self._checked(Config(**options))

    def restore(self, *ids: str) -> list[str]:
        return [restored.id for restored in self._checked(Config(restore=ids)).restored]

    def _checked(self, config: Config) -> Result:
        result = clean(config, view=Confirming(), sessions=lambda profile: self.session, clock=self.time.clock)
        assert result.exit_status == 0, result.problems
        return result

    def states(self, *ids: str) -> list[str]:
        """The states of those of these AMIs that exist."""
        images = client(self.session).describe_images(Owners=["self"], IncludeDisabled=True)["Images"]
        return [image["State"] for image in images if image["ImageId"] in ids]


@pytest.fixture
def tour() -> Iterator[Tour]:
    time = Time()
    with demo_session("tour", time.clock) as session:
        yield Tour(session, time)


def looked_at(time: Time) -> Result:
    """A dry run in the tour's account of a day."""
    with demo_session("tour", time.clock) as session:
        return Tour(session, time).clean(region=REGIONS["tour"], check_orphans=True, explain=(), dry_run=True)


@pytest.fixture(scope="module")
def dry_run() -> Result:
    return looked_at(Time())


@pytest.fixture(scope="module")
def plan(dry_run: Result) -> Plan:
    assert dry_run.plan
    return dry_run.plan


WITHOUT_OPTION: set[str] = {
    "in-use", "state", "quarantined", "released", "protected", "managed", "public", "shared", "keep-until", "no-tags",
    "kept-previous", "old",
}  # fmt: skip
"""The reasons that need no option."""


def test_tour_has_an_ami_for_each_reason_that_needs_no_option(plan: Plan) -> None:
    reasons = Counter(decision.reason for decision in plan.decisions)
    assert set(reasons) == WITHOUT_OPTION
    assert set(get_args(Reason)) > WITHOUT_OPTION
    assert {target.region for target in plan.targets} == {HOME, AWAY}
    assert {decision.target.region for decision in plan.removals} == {HOME, AWAY}
    kinds = {use.kind for decision in plan.decisions for use in decision.used_by}
    assert kinds == {"instance", "launch-template", "ssm-parameter"}


def test_tour_has_orphaned_snapshots_and_a_dangling_reference(dry_run: Result) -> None:
    assert sorted(orphan.snapshot.size_gib for orphan in dry_run.orphans) == [8, 16, 30]
    assert {reference.use.kind for reference in dry_run.dangling} == {"launch-template"}


def test_tour_has_the_same_ids_and_reasons_on_every_day(plan: Plan) -> None:
    later = looked_at(Time(NOW + timedelta(days=100))).plan
    assert later
    assert [(d.ami.id, d.reason) for d in later.decisions] == [(d.ami.id, d.reason) for d in plan.decisions]


def test_recycle_bin_covers_production_for_14_days(plan: Plan) -> None:
    until = NOW + timedelta(days=PROD_RETAINED_DAYS)
    covered = [dict(decision.ami.tags)["environment"] == "prod" for decision in plan.removals]
    assert {*covered} == {True, False}
    assert [decision.restorable_until for decision in plan.removals] == [until if prod else None for prod in covered]


def oldest(plan: Plan | None) -> list[str]:
    """The AMIs of production that a plan changes, the oldest first."""
    assert plan
    named = {decision.ami.name: decision.ami.id for decision in plan.changes}
    return [named[name] for name in sorted(named) if name.startswith("web-2")]


def removed(result: Result) -> set[str]:
    return {id for (_, id), changed in result.amis.items() if changed.outcome == "removed"}


def test_quarantined_amis_are_restored_released_or_deleted_once_their_days_have_passed(tour: Tour) -> None:
    first = tour.clean(quarantine=14, force_delete=True)
    assert {result.outcome for result in first.amis.values()} == {"quarantined"}
    quarantined = {id for _, id in first.amis}
    kept, restored, *others = oldest(first.plan)
    assert tour.states(kept, restored, *others) == ["disabled"] * (2 + len(others))
    assert tour.restore(restored) == [restored]
    assert tour.states(restored) == ["available"]
    client(tour.session, region=HOME).create_tags(Resources=[kept], Tags=[{"Key": "keep", "Value": ""}])
    tour.time.sleep(13.9 * DAY)
    second = tour.clean(quarantine=14, force_delete=True, keep_tag=("keep",))
    assert [id for (_, id), changed in second.amis.items() if changed.outcome == "released"] == [kept]
    assert tour.states(kept) == ["available"]
    assert removed(second).isdisjoint(quarantined)
    tour.time.sleep(0.2 * DAY)
    last = tour.clean(quarantine=14, force_delete=True, keep_tag=("keep",))
    assert removed(last) == quarantined - {kept, restored}
    assert len(removed(last)) > 5


def test_deleted_amis_are_restored_from_the_recycle_bin_and_orphaned_snapshots_are_gone(tour: Tour) -> None:
    first = tour.clean(check_orphans=True, force_delete=True)
    assert {orphan.result.outcome for orphan in first.orphans if orphan.result} == {"removed"}
    assert len(first.orphans) == 3
    deleted, yesterday = oldest(first.plan)[0], made_id("ami", "web-deleted-yesterday")
    assert tour.states(deleted, yesterday) == []
    restored = tour.restore(deleted, yesterday)
    assert {deleted, yesterday} < set(restored), "their snapshots too"
    assert tour.states(deleted, yesterday) == ["available"] * 2
    # What was restored is an AMI like any other.
    again = tour.clean(check_orphans=True, force_delete=True)
    assert {deleted, yesterday} <= {id for _, id in again.amis}
    assert again.orphans == ()


# Nothing leads out of it


class Listener:
    """Something on this machine that a request could be led to."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{server.getsockname()[1]}"

    @property
    def visited(self) -> bool:
        return bool(select.select([self._server], [], [], 0)[0])


@pytest.fixture
def listener() -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Listener(server)


SETTINGS: dict[str, dict[str, str]] = {
    "variables": {
        "AWS_ENDPOINT_URL": "URL", "AWS_ENDPOINT_URL_EC2": "URL",
        "HTTPS_PROXY": "URL", "https_proxy": "URL", "ALL_PROXY": "URL", "HTTP_PROXY": "URL",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "URL", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "URL",
        "AWS_PROFILE": "nobody", "AWS_DEFAULT_PROFILE": "nobody",
        "AWS_DEFAULT_REGION": "cn-north-1", "AWS_REGION": "cn-north-1",
        "AWS_CA_BUNDLE": "/nowhere.pem", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "true",
    },
    "profile with an endpoint": {"AWS_CONFIG_FILE": "FILE", "AWS_PROFILE": "elsewhere"},
    "broken config": {"AWS_CONFIG_FILE": "BROKEN", "AWS_SHARED_CREDENTIALS_FILE": "BROKEN"},
    "default profile with an endpoint": {"HOME": "HOME"},
    "broken credentials": {"HOME": "BROKEN_HOME"},
}  # fmt: skip


@pytest.mark.parametrize("names", SETTINGS)
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
    for name, value in SETTINGS[names].items():
        monkeypatch.setenv(name, values.get(value, value))
    with demo_session("article", SYSTEM_CLOCK) as session:
        # The session that is handed out, and one that a part of the run makes for itself.
        assert image_ids(session) == image_ids(boto3.Session()) == EVERY
        assert session.region_name == REGION
    assert not listener.visited


def test_command_runs_the_demo_in_whatever_environment(listener: Listener) -> None:
    """Some settings of moto's are read when it is loaded, which takes a new process.  A request that got out would come
    to the listener, which is the proxy."""
    hostile = {
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "true",
        "MOTO_AMIS_PATH": "/nowhere.json",
        "TEST_SERVER_MODE": "true",
        "TEST_SERVER_MODE_ENDPOINT": listener.url,
        "TEST_PROXY_MODE": "true",
        "TEST_PROXY_MODE_ENDPOINT": listener.url,
        "INITIAL_NO_AUTH_ACTION_COUNT": "0",
        "AWS_ENDPOINT_URL": listener.url,
        "https_proxy": listener.url,
    }
    finished = run("--demo", answer="y\n", env=hostile, words=INSTALLED)
    assert not listener.visited
    assert (finished.status, finished.errors) == (0, [])
    assert finished.err.splitlines()[0] == "Demo: a simulated account in memory. Nothing real is touched."
    shown, prompt, after = finished.out.partition(" [y/N] ? : \n")
    assert contains(shown + prompt, next(iter(ARTICLE)))
    plan = "Plan: delete 4 AMIs and 4 snapshots, freeing up to 32 GiB (up to $1.60/month). "
    assert f"\n{plan}Keep 17: 16 newest in group, 1 untagged.\n" in shown
    head, *lines = after.splitlines()
    assert head == "Cleaning 4 AMIs ..."
    assert {line.split()[0] for line in lines if line.endswith(" deregistered")} == {*FOUR}
    assert lines[8].startswith("Deleted 4 AMIs and 4 snapshots (up to 32 GiB, up to $1.60/month) in ")


def test_request_that_nothing_simulates_is_refused(listener: Listener) -> None:
    with demo_session("article", SYSTEM_CLOCK) as session, pytest.raises(AmicleanerError, match="reaches no network"):
        client(session, endpoint_url=listener.url).describe_images()
    assert not listener.visited


def test_sessions_that_outlive_it_are_refused_everything() -> None:
    with demo_session("article", SYSTEM_CLOCK) as session:
        kept, own = client(session), boto3.Session("real", "real", region_name=REGION)
    for ec2 in (kept, client(session), client(own)):
        with pytest.raises(AmicleanerError, match=r"nothing simulates POST https://ec2\.eu-west-1"):
            ec2.describe_images()


# Nothing stays behind


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_as_before_afterwards(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.invalid")
    before = dict(os.environ)
    handlers, load_file = list(BUILTIN_HANDLERS), JSONFileLoader.__dict__["load_file"]
    try:
        with demo_session("article", SYSTEM_CLOCK):
            assert "AWS_PROFILE" not in os.environ
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    assert dict(os.environ) == before
    assert handlers == BUILTIN_HANDLERS
    assert JSONFileLoader.__dict__["load_file"] is load_file


def test_without_moto_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    monkeypatch.setitem(sys.modules, "moto", None)
    with pytest.raises(UsageError, match="extra `demo`") as raised, demo_session("article", SYSTEM_CLOCK):
        pytest.fail("there is no moto")
    assert "pip install '.[demo]'" in str(raised.value.hint)
    assert dict(os.environ) == before
