"""Whole runs in random accounts: the plan is the one that the oracle, an independent reading of the documentation, expects.

With the hypothesis profile `ci` 200 accounts; 10,000 with `HYPOTHESIS_PROFILE=long python -m pytest tests/oracle`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import get_args
from unittest import mock

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amicleaner import planning
from amicleaner.config import Config
from amicleaner.models import Reason
from amicleaner.plan import Plan
from amicleaner.result import Result
from amicleaner.run import clean
from amicleaner.sources import IMAGE_REFERENCES, SOURCES
from amicleaner.view import View
from tests.fake_aws import FakeAws, RegionState, World
from tests.flows.flow import reused
from tests.oracle.accounts import (
    AWAY,
    HOME,
    MAIN,
    NOW,
    SECOND,
    Account,
    Builder,
    choose_mark,
    remark,
    wholes,
)
from tests.oracle.oracle import Expected, Verdict, expect
from tests.virtual_time import Time

ONCE = ("instance", "launch-configuration", "spot-request", "ssm-parameter", "image-recipe", "container-recipe")
MANY = {"dev": 100, "ci": 200, "long": 10_000}.get(os.environ.get("HYPOTHESIS_PROFILE", "dev"), 50)
large = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example])
pytestmark = [pytest.mark.accounts, pytest.mark.timeout(7200)]

STANDIN = FakeAws(World())


def session_of(account: str, region: str) -> boto3.Session:
    session = reused(((account, region),))
    session._session.set_credentials(*World().credentials(account).values())
    session._session.set_config_variable("region", region)
    session.take(STANDIN)
    return session


def run(account: Account, config: Config | None = None, view: View | None = None) -> Result:
    def session(profile: str | None) -> boto3.Session:
        return session_of(SECOND, account.second_home) if profile == "second" else session_of(MAIN, HOME)

    STANDIN.reset(account.world)
    STANDIN.pager.cap, STANDIN.pager.blank_pages = account.cap, account.blank_pages
    account.world.credentials(MAIN)
    account.world.credentials(SECOND)
    return clean(config or account.config, view=view, sessions=session, clock=Time(NOW).clock)


def removed(result: Result) -> set[str]:
    """What is deleted or quarantined."""
    assert result.plan is not None
    return {decision.ami.id for decision in result.plan.candidates}


def told(verdict: Verdict) -> str:
    return f"{verdict.action} ({' or '.join(sorted(verdict.reasons))})"


def differences(account: Account, result: Result, expected: Expected) -> list[str]:
    """Everything in which the plan is not what the documentation asks for."""
    plan = result.plan
    assert plan is not None
    found: list[str] = []
    decisions = {decision.ami.id: decision for decision in plan.decisions}
    if len(decisions) != len(plan.decisions) or decisions.keys() != expected.verdicts.keys():
        found.append(f"looked at: {sorted(decision.ami.id for decision in plan.decisions)}, not {sorted(expected.verdicts)}")
    labels: dict[object, set[object]] = {}
    for id in sorted(decisions.keys() & expected.verdicts.keys()):
        decision, verdict = decisions[id], expected.verdicts[id]
        if decision.action.name != verdict.action or decision.reason not in verdict.reasons:
            found.append(f"{id}: {decision.action.name} ({decision.reason}), not {told(verdict)}")
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
        if decision.reason in ("old", "kept-previous") and not account.config.rules:
            key = (decision.target, frozenset(decision.groups))
            labels.setdefault(key, set()).add(verdict.groups)
            labels.setdefault(verdict.groups, set()).add(key)
    found += [f"groups: {key} is {others}" for key, others in labels.items() if len(others) > 1]
    if set(plan.missing) != expected.absent:
        found.append(f"absent: {plan.missing}, not {sorted(expected.absent)}")
    lost = [warning for warning in result.warnings if "matches no AMI" not in warning]
    if bool(lost) != bool(expected.lost):
        found.append(f"warnings: {result.warnings}, lost: {sorted(expected.lost)}")
    return found


def test_the_plan_is_the_one_that_the_documentation_asks_for() -> None:
    seen: set[str] = set()

    @settings(large, max_examples=MANY)
    @given(wholes)
    def check(account: Account) -> None:
        expected = expect(account.world, account.config, NOW, account.targets, account.readers)
        result = run(account)
        found = differences(account, result, expected)
        assert not found, "\n".join([*found, repr(account)])
        for decision in result.plan.decisions if result.plan else ():
            seen.update([decision.reason, *(use.kind for use in decision.used_by)])

    check()
    if MANY >= 10_000:
        drawn = {kind for source in SOURCES if source.when == "always" for kind in source.kinds}
        assert {*get_args(Reason), *drawn, *IMAGE_REFERENCES.kinds} == seen, "what is never seen is not tested"


@settings(large, max_examples=MANY // 5)
@given(wholes)
def test_one_more_reference_never_deletes_more(account: Account) -> None:
    account = replace(account, config=replace(account.config, limit=None))  # what a limit leaves, moves up
    before = removed(run(account))
    Builder(account, account.world.region(HOME, account.choices.one((MAIN, SECOND)))).use()
    assert removed(run(account)) <= before, account


class Changing(View):
    """Says yes, after the account has changed."""

    def __init__(self, change: Callable[[], object]) -> None:
        self.change = change

    def confirm(self, plan: Plan) -> bool:
        self.change()
        return True


@settings(large, max_examples=MANY // 2)
@given(wholes, st.sampled_from([0, planning.ASK_ACCOUNTS_FIRST]))
def test_no_run_deletes_what_a_fresh_plan_would_keep(account: Account, first: int) -> None:
    """The account changes while the prompt is open, at which not every account was asked about all AMIs if `first` is 0."""
    config = replace(account.config, dry_run=False)
    builder = Builder(account, account.world.region(HOME, MAIN))
    images = builder.region.images
    fresh: list[Expected] = []
    there: set[str] = set()

    def change() -> None:
        builder.several(builder.use, 3)
        for _ in range(account.choices.one(range(5))):
            if image := images.get(builder.some_ami()):
                remark(image, choose_mark(account.choices))
        images.pop(builder.some_ami(), None)
        there.update(id for where in regions(account) for id in where.images)
        fresh.append(expect(account.world, replace(config, limit=None), NOW, account.targets, account.readers))

    if account.config.from_ids:
        change()  # there is no prompt
    with mock.patch.object(planning, "ASK_ACCOUNTS_FIRST", first):
        result = run(account, config, Changing(change))
    if not fresh:
        return
    left = {id for where in regions(account) for id in where.images}
    allowed = {id: verdict.action for id, verdict in fresh[0].verdicts.items()}
    for id in there - left:
        assert allowed[id] == "remove", (id, allowed[id], account)
    for (_, id), end in result.amis.items():
        if end.outcome in ("quarantined", "released"):
            assert allowed[id] == {"quarantined": "quarantine", "released": "release"}[end.outcome], (id, account)


def regions(account: Account) -> list[RegionState]:
    return [account.world.region(name, owner) for name in (HOME, AWAY) for owner in (MAIN, SECOND)]
