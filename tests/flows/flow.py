"""Whole runs in simulated accounts: real sessions and clients, the fake AWS in place of the network, and time that passes
only where the tool sleeps."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.credentials import DeferredRefreshableCredentials
from click.testing import CliRunner

from amicleaner.actions import DELETE
from amicleaner.aws import rate_limits, targets
from amicleaner.aws.session import new_session
from amicleaner.cli import command
from amicleaner.config import OPTIONS, Config
from amicleaner.decisions import Decision
from amicleaner.errors import AwsError
from amicleaner.models import AmiResult, CallRecord, SnapshotResult
from amicleaner.plan import Plan
from amicleaner.result import Orphan, Result
from amicleaner.run import clean
from amicleaner.view import View
from tests.catalogue import add_all
from tests.fake_aws import DEFAULT_ACCOUNT, Call, FakeAws, Fault, RegionState, World, attach
from tests.fake_aws.resources import Image
from tests.virtual_time import NOW, Time

HOME = "eu-west-1"
FAR = "us-east-1"
OWN = DEFAULT_ACCOUNT
OTHER = "210987654321"
THIRD = "333333333333"
TAGS = {"environment": "prod", "role": "web"}


class Listening(View):
    """Says yes, after `asked` was called, and keeps what it was told in the order it was told."""

    def __init__(self, *, yes: bool = True, asked: Callable[[], object] = lambda: None) -> None:
        self.yes = yes
        self.asked = asked
        self.told: list[tuple[Any, ...]] = []
        self.prompts: list[str] = []
        self.calls: list[CallRecord] = []

    def of(self, kind: str) -> list[Any]:
        """What was told of one kind, the last member of each."""
        return [entry[-1] for entry in self.told if entry[0] == kind]

    def called(self, record: CallRecord) -> None:
        self.calls.append(record)

    def warning(self, text: str) -> None:
        self.told.append(("warning", text))

    def problem(self, text: str) -> None:
        self.told.append(("problem", text))

    def plan(self, plan: Plan) -> None:
        self.told.append(("plan", len(plan.removals)))

    def confirm(self, plan: Plan) -> bool:
        self.prompts.append(f"{len(plan.changes)} AMIs")
        self.asked()
        return self.yes

    def confirm_orphans(self, orphans: Sequence[Orphan]) -> bool:
        self.prompts.append(f"{len(orphans)} orphaned snapshots")
        self.asked()
        return self.yes

    def removed_orphans(self, count: int) -> None:
        self.told.append(("removed orphans", count))

    def ami_done(self, result: AmiResult) -> None:
        self.told.append((result.outcome, result.target, result))

    def snapshot_done(self, result: SnapshotResult) -> None:
        self.told.append((f"snapshot {result.outcome}", result.target, result))


class Reused(boto3.Session):
    """A session of the environment for all tests of this process, with each client made once: to make one takes longer than
    several calls.  It reaches the fake AWS of the flow that took it last.  Copies of it are for roles: the first role of a
    flow has the clients of the first role of the one before, with its own credentials."""

    fake_aws: FakeAws
    sessions: list[Any]  # botocore's, each account's own; the first is the environment's
    clients: dict[tuple[Any, ...], Any]

    def client(self, service_name: str, region_name: str | None = None, config: Any = None, **more: Any) -> Any:  # type: ignore[override]
        if self._session not in self.sessions:
            self.sessions.append(self._session)
        key = (self.sessions.index(self._session), service_name, region_name, config, *sorted(more.items()))
        if key not in self.clients:
            self.clients[key] = super().client(service_name, region_name=region_name, config=config, **more)
        if not more:
            self.clients[key]._request_signer._credentials = self._session.get_credentials()
        return self.clients[key]

    def take(self, fake_aws: FakeAws) -> None:
        """From now on it reaches this one."""
        self.fake_aws = fake_aws
        del self.sessions[1:]

    def handle(self, *request: Any) -> Any:
        return self.fake_aws.handle(*request)


@cache
def reused(environment: tuple[tuple[str, str], ...]) -> Reused:
    session: Any = new_session()
    session.__class__ = Reused
    session.sessions, session.clients = [session._session], {}
    attach(cast("FakeAws", session), session)
    return cast("Reused", session)


class Flow:
    """The account `OWN` with its credentials in the environment, and the runs of a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.patch = monkeypatch
        self.time = Time()
        self.world = World(self.time.now)
        self.fake_aws = FakeAws(self.world)
        self.home = self.world.region(HOME)
        self.view = Listening()
        self._folder = folder
        monkeypatch.setattr(targets, "new_session", self._session)
        # botocore takes the time, by which it renews a role's credentials, from a default argument.
        monkeypatch.setattr(DeferredRefreshableCredentials.__init__, "__defaults__", (self.time.now,))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", self.world.access_key())
        monkeypatch.setenv("AWS_CONFIG_FILE", self.path("aws.ini"))

    def _session(self, *, profile: str | None = None) -> boto3.Session:
        settings = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        if profile is None and "AWS_ACCESS_KEY_ID" in settings and not os.path.exists(settings.pop("AWS_CONFIG_FILE", "")):
            shared = reused(tuple(sorted(settings.items())))
            shared.take(self.fake_aws)
            return shared
        session = new_session(profile=profile)
        attach(self.fake_aws, session)
        return session

    def path(self, name: str) -> str:
        return str(self._folder / name)

    def outside_aws(self) -> None:
        """From now on the endpoint is not one of AWS's own."""
        self.patch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")

    def direct(self, url: str) -> None:
        """From now on the fake AWS is reached over a socket."""
        self.patch.setattr(targets, "new_session", new_session)
        self.patch.setenv("AWS_ENDPOINT_URL", url)

    def region(self, account: str = OWN, name: str = HOME) -> RegionState:
        return self.world.region(name, account)

    def profile(self, name: str, account: str, *, region: str | None = HOME, **more: str) -> str:
        """A profile in the AWS configuration, with the account's own credentials."""
        settings = self.world.credentials(account) | ({"region": region} if region else {}) | more
        with open(self.path("aws.ini"), "a") as file:
            file.write(f"[profile {name}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
        return name

    def role(self, account: str, name: str = "cleaner", **members: Any) -> str:
        return self.world.add_role(account, name, **members).arn

    def fault(self, action: str, kind: Any = "refuse", **members: Any) -> Fault:
        members.setdefault("times", None)
        fault = Fault(action, kind, **members)
        self.fake_aws.faults.append(fault)
        return fault

    def add(self, *, days: float = 10, region: RegionState | None = None, **members: Any) -> Image:
        """An AMI of the one group, made so many days ago."""
        members.setdefault("tags", dict(TAGS))
        return (region or self.home).add_image(created=NOW - timedelta(days=days), **members)

    def several(self, number: int, **members: Any) -> list[str]:
        """As many AMIs, each a day older than the one before."""
        return [self.add(days=10 + day, **members).image_id for day in range(number)]

    def fill(self, account: str = OWN) -> str:
        """Adds something to an account for each call to find, on two pages where a call has pages: two AMIs to delete, two
        orphaned snapshots, and the newest AMI, which is in use everywhere.  Returns the id of the newest."""
        region = self.region(account)
        held = self.add(region=region).image_id
        for days in (20, 30):
            self.add(region=region, days=days)
        for _ in range(2):
            add_all(region, held)
        for kind in ("EC2_IMAGE", "EBS_SNAPSHOT") * 2:
            region.add_retention_rule(kind)
        for number in range(2):
            self.orphan(f"ami-0000000{number}", region=region)
            region.recycle(f"ami-1000000{number}")
        return held

    def orphan(self, ami: str = "ami-00000000", *, days: float = 3, region: RegionState | None = None, **more: Any) -> str:
        """A snapshot that CreateImage left behind."""
        text = more.pop("description", f"Created by CreateImage(i-0) for {ami}")
        return (region or self.home).add_snapshot(text, started=NOW - timedelta(days=days), **more).snapshot_id

    def organization(self) -> None:
        """`OWN` manages `OTHER`, which has a role, and an account that is closed."""
        organization = self.world.add_organization(OWN, [OTHER, THIRD])
        organization.accounts[THIRD].state = "CLOSED"
        self.role(OTHER)

    def clean(self, view: View | None = None, **options: Any) -> Result:
        """A run without questions, in which nothing is kept for being new, unless the options say otherwise."""
        if not (options.keys() & {"from_ids", "apply_plan"}):
            options = {"keep_previous": 0, **options}
        options.setdefault("force_delete", True)
        return clean(Config(**options), view=view or self.view, clock=self.time.clock)

    def asks(self, asked: Callable[[], object], **options: Any) -> Result:
        """A run that asks; `asked` is called between the question and the yes."""
        self.view.asked = asked
        return self.clean(force_delete=False, **options)

    def fails(self, **options: Any) -> AwsError:
        """The error of a run that can't be done, and that touches nothing."""
        options.setdefault("max_attempts", 2)
        with pytest.raises(AwsError) as caught:
            self.clean(**options)
        assert self.changes() == []
        return caught.value

    def midway(self, between: Callable[[], object], seconds: float = 61.0) -> None:
        """Lets the rate limit stop the run after two changing calls; then `between` is called, and `seconds` pass.

        Only while no call is under way, so that no call was allowed before the change and is made after it.
        """
        self.patch.setattr(rate_limits, "SHARE_OF_BUCKET", 0.02)

        def waiting(slept: float) -> None:
            in_loop = threading.current_thread() is threading.main_thread()
            if in_loop and len(self.fake_aws.calls.changing()) >= 2:
                self.time.waiting = lambda slept: None
                self.time.seconds += seconds
                between()

        self.time.waiting = waiting

    def changes(self) -> list[str]:
        """The ids in the changing calls, refused ones too."""
        return [id for call in self.fake_aws.calls.changing() for id in call.ids]

    def calls(self, action: str, **where: Any) -> list[Call]:
        return self.fake_aws.calls.of(action, **where)


@contextmanager
def new_flow(patch: pytest.MonkeyPatch, folder: Path) -> Iterator[Flow]:
    """An account.  A run that failed leaves calls in flight: they end before the next flow, which has the same clients."""
    before = set(threading.enumerate())
    try:
        yield Flow(patch, folder)
    finally:
        # One that is about to start has no id yet, and can't be joined before the one that starts it.
        for thread in sorted(set(threading.enumerate()) - before, key=lambda thread: thread.ident is None):
            if not thread.daemon:
                thread.join(10.0)
                assert not thread.is_alive(), f"{thread.name} goes on"


def decisions(result: Result) -> dict[str, Decision]:
    assert result.plan is not None
    return {decision.ami.id: decision for decision in result.plan.decisions}


def planned(result: Result) -> set[str]:
    return {id for id, decision in decisions(result).items() if decision.action is DELETE}


def reasons(result: Result) -> dict[str, str]:
    return {id: decision.reason for id, decision in decisions(result).items()}


def removed(result: Result) -> set[str]:
    return {id for (_, id), end in result.amis.items() if end.outcome == "removed"}


def kept(result: Result) -> set[str]:
    return {id for (_, id), end in result.amis.items() if end.outcome == "kept"}


def iam_policy(**options: Any) -> dict[str, set[str]]:
    """What `--iam-policy` prints for these options: the allowed actions of each statement."""
    words = ["--iam-policy"]
    for option in OPTIONS:
        if option.name in options:
            value = options[option.name]
            words += [option.flag, *([] if value is True else value if isinstance(value, tuple) else [str(value)])]
    printed = CliRunner().invoke(command, words, standalone_mode=False)
    if printed.exception:
        raise printed.exception
    return {entry["Sid"]: set(entry["Action"]) for entry in json.loads(printed.stdout)["Statement"]}
