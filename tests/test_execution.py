"""A plan is carried out in order, on what is read beside it, and ends as it should."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from amicleaner import execution
from amicleaner.actions import DELETE, KEEP, QUARANTINE, QUARANTINE_TAG, RELEASE, Action
from amicleaner.audit import AuditLog, Subject
from amicleaner.config import Config
from amicleaner.decisions import Decision
from amicleaner.errors import AwsError
from amicleaner.execution import Execution, start_threads
from amicleaner.interrupts import Interrupts
from amicleaner.models import AmiResult, Inventory, Snapshot, SnapshotResult, Target
from amicleaner.plan import Plan
from amicleaner.planning import PlanningResult, References
from amicleaner.result import Orphan
from amicleaner.view import View

from .aws.simulation import HOME, FakeAws, Fault, Image, SimulatedTime, denied, make_ami
from .virtual_time import Time

KNOWN = 600.0
"""When the planning was finished, where nobody was asked."""


class Threads(SimulatedTime):
    """The time of calls in real threads, which a simulation's calls ask for too."""

    def sleep(self, seconds: float) -> None:
        Time.sleep(self, seconds)

    run = Time.run


class Told(View):
    """What the view was told, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def ami_done(self, result: AmiResult) -> None:
        self.lines.append(f"{result.id} {result.outcome}")

    def snapshot_done(self, result: SnapshotResult) -> None:
        self.lines.append(f"{result.id} {result.outcome}")


class Log(AuditLog):
    """The subjects of a log."""

    def __init__(self) -> None:
        super().__init__(None)
        self.subjects: list[Subject] = []

    def before(self, action: str, subject: Subject) -> str:
        self.subjects.append(subject)
        return ""


class Run:
    """An account, a plan for it, and an execution.  `today` is what a re-check decides instead, by AMI."""

    def __init__(self, **options: Any) -> None:
        self.time = Threads()
        self.time.seconds = KNOWN
        self.aws = FakeAws(self.time, emulator=False)
        self.config = Config(**options)
        self.view = Told()
        self.log = Log()
        self.interrupts = Interrupts()
        self.warned: list[tuple[Target | None, str]] = []
        self.decisions: list[Decision] = []
        self.today: dict[str, Decision | None] = {}
        self.decided: list[dict[tuple[Target, str], str]] = []
        self.scanned: list[str] = []
        self.snapshots: tuple[Snapshot, ...] = ()

    def add(self, id: str, action: Action = DELETE, *, groups: tuple[str, ...] = ("web",)) -> Decision:
        disabled = action is RELEASE
        tags = {QUARANTINE_TAG: "2026-02-01T00:00:00Z"} if disabled else {}
        ami = self.aws.add(id, f"snap-{id[4:]}", state="disabled" if disabled else "available", tags=tags)
        self.decisions.append(Decision(HOME, ami, action, "old", "Old.", groups=groups))
        return self.decisions[-1]

    def scan(self, started: float) -> Any:
        location = SimpleNamespace(api=self.aws, read_only=False)
        inventory = Inventory(HOME, tuple(make_ami(id, *image.snapshots) for id, image in self.aws.images.items()))
        return SimpleNamespace(
            target=HOME,
            location=location,
            inventory=inventory,
            started=started,
            warnings=("A check is missing.",),
            snapshots=self.snapshots,
        )

    def plan(self, decisions: Sequence[Decision]) -> Plan:
        return Plan(self.config, self.time.now(), {HOME: len(decisions)}, tuple(decisions), {})

    def _scan(self, locations: Sequence[Any]) -> list[Any]:
        self.scanned.append("again")
        return [self.scan(self.time.seconds)]

    def _decide(self, scans: Any, allowed: dict[tuple[Target, str], str], **_: Any) -> PlanningResult:
        self.decided.append(allowed)
        decisions = [self.today.get(decision.ami.id, decision) for decision in self.decisions]
        return self.known([decision for decision in decisions if decision], (HOME, "The bin could not be read."))

    def known(self, decisions: Sequence[Decision], *warnings: tuple[Target, str]) -> PlanningResult:
        return PlanningResult(self.plan(decisions), References((), {}), warnings, KNOWN)

    @property
    def execution(self) -> Execution:
        scanner = SimpleNamespace(scan=self._scan, pending=lambda locations: [])
        planner: Any = SimpleNamespace(decide=self._decide, scanner=scanner)
        shared: Any = SimpleNamespace(
            config=self.config,
            clock=self.time.clock,
            interrupts=self.interrupts,
            view=self.view,
            warn=self.warned.extend,
        )
        return Execution(shared, planner, [self.scan(KNOWN - 1.0)], self.log)

    def amis(self, *, confirmed: bool = True) -> dict[str, str]:
        known = None if confirmed else self.known(self.decisions)
        self.executed = self.execution
        results = self.executed.amis(self.plan(self.decisions), known)
        return {id: result.outcome for (_, id), result in results.items()}


def test_actions_are_carried_out_in_their_order_and_results_are_in_the_plans() -> None:
    run = Run(quarantine=14)
    for id, action in (("ami-1", DELETE), ("ami-2", QUARANTINE), ("ami-3", RELEASE), ("ami-4", KEEP)):
        run.add(id, action)
    assert list(run.amis().items()) == [("ami-1", "removed"), ("ami-2", "quarantined"), ("ami-3", "released")]
    assert run.view.lines == ["ami-3 released", "ami-2 quarantined", "ami-1 removed", "snap-1 removed"]
    assert run.aws.images["ami-4"] == Image(("snap-4",))


def test_the_oldest_goes_first() -> None:
    run = Run()
    for number, day in enumerate((3, 1, 2)):
        decision = run.add(f"ami-{number}")
        run.decisions[-1] = replace(decision, ami=replace(decision.ami, created=datetime(2026, 1, day, tzinfo=UTC)))
    assert list(run.amis()) == ["ami-0", "ami-1", "ami-2"]
    assert run.aws.calls("DeregisterImage")[0] == "ami-1"


def test_without_a_prompt_what_the_plan_read_counts() -> None:
    run = Run()
    run.add("ami-1")
    assert run.amis(confirmed=False) == {"ami-1": "removed"}
    assert run.decided == []


def test_after_a_prompt_everything_is_read_and_decided_again() -> None:
    run = Run()
    run.add("ami-1")
    run.add("ami-2", KEEP)
    run.amis()
    assert run.decided == [{(HOME, "ami-1"): "remove"}]
    assert run.warned == [(None, "A check is missing."), (None, "The bin could not be read.")]


def test_what_a_re_check_no_longer_allows_is_kept_with_its_reason() -> None:
    run = Run()
    for number in range(4):
        run.add(f"ami-{number}")
    run.today["ami-1"] = Decision(HOME, make_ami("ami-1"), KEEP, "keep-tag", "It has the tag keep.", groups=("web",))
    run.today["ami-2"] = Decision(HOME, make_ami("ami-2"), DELETE, "old", "Old.", groups=("db",))
    run.today["ami-3"] = None
    executed = run.execution
    results = executed.amis(run.plan(run.decisions), None)
    found = [(result.outcome, result.reason, result.explanation) for result in results.values()]
    assert found == [
        ("removed", None, ""),
        ("kept", "keep-tag", "It has the tag keep."),
        ("kept", "not-selected", "Its group changed from web to db."),
        ("removed", None, "ami-3 was deregistered by somebody else."),
    ]
    assert set(run.aws.images) == {"ami-1", "ami-2", "ami-3"}
    assert (executed.problems, executed.stopped_by) == ([], None)


def test_the_log_has_what_somebody_needs_who_wants_an_ami_back() -> None:
    run = Run()
    run.add("ami-1")
    run.amis()
    assert run.log.subjects == [Subject(HOME, "ami-1", name="ami-1", groups=("web",), reason="old", snapshots=("snap-1",))]


def test_whom_an_ami_is_shared_with_outside_the_run_is_asked_unless_it_does_not_matter() -> None:
    for include_shared, outcome in ((False, "kept"), (True, "removed")):
        run = Run(include_shared=include_shared)
        run.add("ami-1")
        run.add("ami-2")
        run.aws.shared_with = {"ami-1": ("999999999999",), "ami-2": (HOME.account,)}
        assert run.amis() == {"ami-1": outcome, "ami-2": "removed"}


def test_a_missing_permission_is_a_problem_of_the_execution() -> None:
    run = Run()
    run.add("ami-1")
    run.aws.faults["ami-1"] = [Fault(denied())]
    assert run.amis() == {"ami-1": "failed"}
    assert [problem.hint for problem in run.executed.problems] == [
        "Grant the IAM actions ec2:DeleteSnapshot, ec2:DeregisterImage."
    ]
    assert run.executed.stopped_by is None


def test_a_re_check_that_fails_stops_the_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    run.add("ami-1")
    error = AwsError("ec2:DescribeInstances", "InternalError", "")

    def fail(scans: Any, allowed: Any, **_: Any) -> PlanningResult:
        raise error

    monkeypatch.setattr(run, "_decide", fail)
    assert run.amis() == {}
    assert run.executed.stopped_by is error
    assert run.aws.made == []


def test_an_interruption_starts_nothing_new_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    for number in range(50):
        run.add(f"ami-{number}")
    monkeypatch.setattr(run.view, "snapshot_done", lambda result: run.interrupts.interrupt(130))
    outcomes = run.amis()
    assert set(outcomes) == {f"ami-{number}" for number in range(50)} - set(run.aws.images)
    assert 1 <= len(outcomes) <= 5
    assert (run.interrupts.status, run.executed.stopped_by) == (130, None)


def test_an_interruption_before_the_first_call_makes_none() -> None:
    run = Run()
    run.add("ami-1")
    run.interrupts.stop.set()
    assert run.amis() == {}
    assert run.aws.made == []


@pytest.mark.parametrize("started", [0, 1, 3])
def test_a_system_without_threads_says_so_before_anything_is_changed(started: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    run.add("ami-1")
    begin, left = threading.Thread.start, iter(range(started))

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("change") and next(left, None) is None:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run.amis()
    assert run.aws.made == []


def test_the_threads_of_a_pool_exist_when_it_is_made() -> None:
    pool = ThreadPoolExecutor(5, thread_name_prefix="early")
    start_threads(pool, 5)
    assert len([thread for thread in threading.enumerate() if thread.name.startswith("early")]) == 5
    pool.shutdown()


# Orphaned snapshots


def orphans(run: Run, *ids: str) -> list[Orphan]:
    run.snapshots = tuple(Snapshot(id, "", None, "completed", 8) for id in ids)
    run.aws.snapshots = set(ids)
    return [Orphan(HOME, snapshot, "ami-gone") for snapshot in run.snapshots]


def test_orphaned_snapshots_without_a_prompt_are_not_read_again() -> None:
    run = Run()
    found = orphans(run, "snap-1", "snap-2")
    results = run.execution.orphans(found, run.time.monotonic())
    assert [result.outcome for result in results.values()] == ["removed", "removed"]
    assert run.scanned == []
    assert run.log.subjects[0].ami == "ami-gone"


def test_a_problem_with_orphaned_snapshots_is_not_one_with_amis_too() -> None:
    run = Run()
    found = orphans(run, "snap-0")
    run.aws.faults["snap-0"] = [Fault(denied())]
    run.add("ami-1")
    executed = run.execution
    executed.orphans(found, run.time.monotonic())
    assert [problem.hint for problem in executed.problems] == ["Grant the IAM actions ec2:DeleteSnapshot."]
    executed.amis(run.plan(run.decisions), run.known(run.decisions))
    assert executed.problems == []


def test_orphaned_snapshots_are_checked_again_after_their_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    found = orphans(run, "snap-1", "snap-2", "snap-3")
    run.snapshots = run.snapshots[:2]
    monkeypatch.setattr(execution, "find_all_orphans", lambda *_: (tuple(found[:1]), ((HOME, "Old versions are missing."),)))
    results = run.execution.orphans(found, None)
    assert [result.outcome for result in results.values()] == ["removed", "kept", "removed"]
    assert results[HOME, "snap-2"].explanation == "no longer orphaned"
    assert run.aws.calls("DeleteSnapshot") == ["snap-1"]
    assert run.warned[-1] == (None, "Old versions are missing.")
