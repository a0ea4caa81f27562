"""The whole pipeline against random accounts: its plan is the one that the contract, read by another hand, asks for.

With the hypothesis profile `ci` 500 accounts; 10,000 with `HYPOTHESIS_PROFILE=long python -m pytest tests/oracle`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast, get_args

import boto3
import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amicleaner.clock import Clock
from amicleaner.config import Config
from amicleaner.filters import Reason
from amicleaner.models import UseKind
from amicleaner.result import Result
from amicleaner.run import clean
from tests.fake_aws import FakeAws, World, attach
from tests.oracle.accounts import AWAY, HOME, MAIN, NOW, SECOND, USE, WHOLE, Account, Builder, Data, build
from tests.oracle.oracle import Expected, Verdict, expect

ONCE = ("instance", "launch-configuration", "spot-request", "ssm-parameter", "image-recipe", "container-recipe")
MANY = {"dev": 100, "ci": 500, "long": 10_000}[os.environ.get("HYPOTHESIS_PROFILE", "dev")]
large = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example])
pytestmark = [pytest.mark.accounts, pytest.mark.timeout(7200)]

LOADER = botocore.session.Session().get_component("data_loader")
STANDIN = FakeAws(World())
TICKS = itertools.count()
CLOCK = Clock(now=lambda: NOW, monotonic=lambda: float(next(TICKS)), sleep=lambda seconds: None)


class Remembering:
    """A session that makes each client once: to make one takes longer than a whole run."""

    def __init__(self, account: str, region: str) -> None:
        core = botocore.session.Session()
        core.register_component("data_loader", LOADER)
        credentials: Any = World().credentials(account)
        self._session = boto3.Session(botocore_session=core, region_name=region, **credentials)
        self._clients: dict[tuple[str, str | None], Any] = {}
        attach(STANDIN, self._session)

    def client(self, service: str, region_name: str | None = None, **arguments: Any) -> Any:
        made = self._clients.get((service, region_name))
        if made is None:
            make = cast("Callable[..., Any]", self._session.client)
            made = self._clients[service, region_name] = make(service, region_name=region_name, **arguments)
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


SESSIONS = {
    ("main", HOME): Remembering(MAIN, HOME),
    ("second", HOME): Remembering(SECOND, HOME),
    ("second", AWAY): Remembering(SECOND, AWAY),
}


def run(account: Account, config: Config | None = None) -> Result:
    def session_of(profile: str | None) -> boto3.Session:
        home = account.second_home if profile == "second" else HOME
        return cast("boto3.Session", SESSIONS[profile or "main", home])

    STANDIN.reset(account.world)
    STANDIN.pager.cap, STANDIN.pager.blank_pages = account.cap, account.blank_pages
    account.world.credentials(MAIN)
    account.world.credentials(SECOND)
    return clean(config or account.config, sessions=session_of, clock=CLOCK)


def removed(result: Result) -> set[str]:
    assert result.plan is not None
    return {decision.ami.id for decision in result.plan.removals}


def told(verdict: Verdict) -> str:
    return f"{'remove' if verdict.remove else 'keep'} ({' or '.join(sorted(verdict.reasons))})"


def differences(account: Account, result: Result, expected: Expected) -> list[str]:
    """Everything in which the plan is not what the contract asks for."""
    plan = result.plan
    assert plan is not None
    found: list[str] = []
    decisions = {decision.ami.id: decision for decision in plan.decisions}
    if len(decisions) != len(plan.decisions) or decisions.keys() != expected.verdicts.keys():
        found.append(f"looked at: {sorted(decision.ami.id for decision in plan.decisions)}, not {sorted(expected.verdicts)}")
    labels: dict[object, set[object]] = {}
    for id in sorted(decisions.keys() & expected.verdicts.keys()):
        decision, verdict = decisions[id], expected.verdicts[id]
        if decision.remove != verdict.remove or decision.reason not in verdict.reasons:
            found.append(f"{id}: {'remove' if decision.remove else 'keep'} ({decision.reason}), not {told(verdict)}")
        users = {(use.kind, use.id) for use in decision.used_by}
        if decision.reason == "in-use":
            unknown = users - {by for naming in verdict.namings for by in naming.by}
            missing = [set(naming.by) for naming in verdict.namings if not naming.by & users]
            # A template has several versions, and a group several templates: their labels tell them apart.
            things = [(use.kind, use.id, use.account) for use in decision.used_by if use.kind in ONCE]
            if unknown or missing or len(set(things)) < len(things) or len(set(decision.used_by)) < len(decision.used_by):
                found.append(f"{id}: used by {decision.used_by}; of nobody known: {unknown}; missing: {missing}")
        elif users and not account.config.ignore_in_use:
            found.append(f"{id}: {decision.reason}, and yet used by {users}")
        if decision.reason in ("old", "kept-previous"):
            key = (decision.target, frozenset(decision.groups))
            labels.setdefault(key, set()).add(verdict.groups)
            labels.setdefault(verdict.groups, set()).add(key)
    found += [f"groups: {key} is {others}" for key, others in labels.items() if len(others) > 1]
    if set(plan.missing) != expected.absent:
        found.append(f"absent: {plan.missing}, not {sorted(expected.absent)}")
    if bool(result.warnings) != bool(expected.lost):
        found.append(f"warnings: {result.warnings}, lost: {sorted(expected.lost)}")
    return found


def test_the_plan_is_the_one_that_the_contract_asks_for() -> None:
    seen: set[str] = set()

    @settings(large, max_examples=MANY)
    @given(data=WHOLE)
    def check(data: Data) -> None:
        account = build(data)
        expected = expect(account.world, account.config, NOW, account.targets, account.readers)
        result = run(account)
        found = differences(account, result, expected)
        assert not found, "\n".join([*found, repr(account)])
        for decision in result.plan.decisions if result.plan else ():
            seen.update([decision.reason, *(use.kind for use in decision.used_by)])

    check()
    if MANY >= 10_000:
        assert {*get_args(Reason), *get_args(UseKind)} == seen, "what is never seen is not tested"


@settings(large, max_examples=MANY // 5)
@given(data=WHOLE, use=USE, second=st.booleans(), more=st.integers(1, 3))
def test_one_more_use_or_a_larger_n_never_removes_more(data: Data, use: Data, second: bool, more: int) -> None:
    account = build(data)
    before = removed(run(account))
    if not account.config.from_ids:
        larger = replace(account.config, keep_previous=account.config.keep_previous + more)
        assert removed(run(account, larger)) <= before, account
    Builder(account, account.world.region(HOME, SECOND if second else MAIN), account.ids).use(use)
    assert removed(run(account)) <= before, account
