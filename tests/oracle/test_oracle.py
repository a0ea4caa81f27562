"""The whole pipeline against random accounts: its plan is the one that the contract, read by another hand, asks for.

`HYPOTHESIS_PROFILE=long python -m pytest tests/oracle` looks at 10,000 accounts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, cast

import boto3
import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amicleaner.clock import Clock
from amicleaner.config import Config
from amicleaner.result import Result
from amicleaner.run import clean
from tests.oracle.accounts import ACCOUNTS, HOME, MAIN, NOW, SECOND, USE, Account, Builder
from tests.oracle.oracle import Expected, Verdict, expect
from tests.standin import Standin, World, attach

# By the profile's own number of examples: dev, ci, long.
MANY = {100: 100, 10_000: 500, 100_000: 10_000}.get(settings.default.max_examples if settings.default else 100, 100)
slow = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example])

LOADER = botocore.session.Session().get_component("data_loader")
STANDIN = Standin(World())
TICKS = itertools.count()
CLOCK = Clock(now=lambda: NOW, monotonic=lambda: float(next(TICKS)), sleep=lambda seconds: None)


class Remembering:
    """A session that makes each client once: to make one takes longer than a whole run."""

    def __init__(self, account: str) -> None:
        core = botocore.session.Session()
        core.register_component("data_loader", LOADER)
        credentials: Any = World().credentials(account)
        self._session = boto3.Session(botocore_session=core, region_name=HOME, **credentials)
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


SESSIONS = {"main": Remembering(MAIN), "second": Remembering(SECOND)}


def run(account: Account, config: Config | None = None) -> Result:
    STANDIN.reset(account.world)
    STANDIN.pager.cap, STANDIN.pager.blank_pages = account.cap, account.blank_pages
    account.world.credentials(MAIN)
    account.world.credentials(SECOND)
    return clean(
        config or account.config, sessions=lambda profile: cast("boto3.Session", SESSIONS[profile or "main"]), clock=CLOCK
    )


def removed(result: Result) -> set[str]:
    assert result.plan is not None
    return {decision.ami.id for decision in result.plan.decisions if decision.remove}


def told(verdict: Verdict) -> str:
    return f"{'remove' if verdict.remove else 'keep'} ({' or '.join(sorted(verdict.reasons))})"


def differences(account: Account, result: Result, expected: Expected) -> list[str]:
    """Everything in which the plan is not what the contract asks for."""
    plan = result.plan
    assert plan is not None
    found: list[str] = []
    decisions = {decision.ami.id: decision for decision in plan.decisions}
    if len(decisions) != len(plan.decisions) or decisions.keys() != expected.verdicts.keys():
        found.append(f"looked at: {sorted(d.ami.id for d in plan.decisions)}, not {sorted(expected.verdicts)}")
    labels: dict[object, set[object]] = {}
    for id in decisions.keys() & expected.verdicts.keys():
        decision, verdict = decisions[id], expected.verdicts[id]
        if decision.remove != verdict.remove or decision.reason not in verdict.reasons:
            found.append(f"{id}: {'remove' if decision.remove else 'keep'} ({decision.reason}), not {told(verdict)}")
        users = [(use.kind, use.id) for use in decision.used_by]
        # A template has several versions, which are told apart by their labels alone.
        single = [(use.kind, use.id, use.account) for use in decision.used_by if use.kind != "launch-template"]
        if decision.reason == "in-use":
            allowed = {by for naming in verdict.namings for by in naming.by}
            twice = len(set(decision.used_by)) < len(decision.used_by) or len(set(single)) < len(single)
            missing = [set(naming.by) for naming in verdict.namings if not naming.by & set(users)]
            if set(users) - allowed or missing or twice:
                found.append(f"{id}: used by {users}; not known: {sorted(set(users) - allowed)}; missing: {missing}")
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


@pytest.mark.accounts
@settings(slow, max_examples=MANY)
@given(account=ACCOUNTS)
def test_the_plan_is_the_one_that_the_contract_asks_for(account: Account) -> None:
    expected = expect(account.world, account.config, NOW, account.targets, account.readers, account.regions)
    found = differences(account, run(account), expected)
    assert not found, "\n".join([*found, repr(account)])
