"""A whole run in two accounts in which one call goes wrong, what must hold after it, and a second run without faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest

from amicleaner import planning
from amicleaner.config import Config
from amicleaner.errors import AwsError
from amicleaner.report.document import document
from amicleaner.result import Result
from amicleaner.sources import OPERATIONS
from tests.fake_aws import Call, RegionState, denial
from tests.flows.flow import OTHER, Flow, Listening, new_flow
from tests.virtual_time import NOW

When = Literal["reading", "page", "again", "deleting", "last", "orphans", "singly"]

TRIES = 4
THOUGHT = 55 * 60.0
"""Seconds between the question and the yes: long enough that a role's credentials are renewed after it."""

OPTIONS: dict[str, Any] = {
    "check_orphans": True,
    "region": ("eu-west-1*",),
    "organization_role": "cleaner",
    "all_launch_template_versions": True,
    "max_attempts": TRIES,
    "require_recycle_bin": 7,
}

UNSURE = "it may be done"


@dataclass
class Ids:
    """What is there, by hand: `amis` and `snapshots` go with the plan, `orphans` before it, and nothing else."""

    amis: set[str] = field(default_factory=set)
    snapshots: set[str] = field(default_factory=set)
    orphans: set[str] = field(default_factory=set)


@dataclass
class Seen:
    """What a run left behind: its result, or the error that ended it before anything was changed."""

    result: Result | None
    error: AwsError | None
    lines: list[dict[str, Any]]
    told: list[tuple[Any, ...]]

    @property
    def status(self) -> int:
        return self.result.exit_status if self.result else self.error.exit_status if self.error else 0


class Scene:
    """Two accounts of an organization with everything in them that a call can be made for."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.asked = False
        self.go = self._build()
        self.before = self.there()
        flow.fake_aws.pager.first_cap = 1

    def _build(self) -> Ids:
        flow = self.flow
        go = Ids()
        held = flow.fill()
        flow.organization()
        other = flow.region(OTHER)
        # Two that share a snapshot; one that shares one with what stays; one whose snapshot needs a call of its own.
        shared = self.home.add_snapshot("Created by CopyImage for ami-0", started=NOW).snapshot_id
        both = self.home.images[held].snapshot_ids[0]
        flow.add(days=40, snapshots=[8, shared])
        flow.add(days=50, snapshots=[shared])
        flow.add(days=60, snapshots=[8, both])
        alone = flow.add(days=70)
        self.home.snapshots[alone.snapshot_ids[0]].return_code = "internal-error"
        flow.add(days=30, region=other)
        for kind in ("EC2_IMAGE", "EBS_SNAPSHOT"):
            other.add_retention_rule(kind, days=7)
        stays = {
            held,
            flow.add(days=80, deregistration_protection="enabled").image_id,
            flow.add(days=90, shared_with=("999999999999",)).image_id,
            flow.add(days=90, tags={}).image_id,
            flow.add(days=40, region=other).image_id,
        }
        # What one account uses protects the other's.
        self.home.add_instance(list(other.images)[-1])
        self.home.add_snapshot("made by hand", started=NOW.replace(year=2020))
        for region in (self.home, other):
            for image in region.images.values():
                if image.image_id not in stays:
                    go.amis.add(image.image_id)
                    go.snapshots.update(image.snapshot_ids)
        go.snapshots.discard(both)
        created = [snapshot for snapshot in self.home.snapshots.values() if "CreateImage(i-0) " in snapshot.description]
        go.orphans = {snapshot.snapshot_id for snapshot in created}
        return go

    @property
    def home(self) -> RegionState:
        return self.flow.home

    @property
    def regions(self) -> list[RegionState]:
        return [self.home, self.flow.region(OTHER)]

    def there(self) -> set[str]:
        """Every AMI and snapshot of both accounts."""
        return {id for region in self.regions for things in (region.images, region.snapshots) for id in things}

    @property
    def gone(self) -> set[str]:
        return self.before - self.there()

    def fault(self, action: str, when: When, kind: str, **members: Any) -> None:
        """One rule: what goes wrong with which call."""
        if when == "again" and action == "DescribeImageAttribute":
            self.flow.patch.setattr(planning, "ASK_SHARED_FIRST", 0)
        if kind == "refuse" and "code" not in members:
            members["code"] = denial(next((known.service for known in OPERATIONS.values() if known.name == action), "sts"))
        self.flow.fault(action, kind, when=self._moment(when), page=2 if when == "page" else None, **members)

    def _moment(self, when: When) -> Callable[[Call], bool]:
        """Which of an action's calls are meant."""
        last: list[str] = []

        def oldest(call: Call) -> bool:
            """The deregistration that starts last, whichever it is, and its further tries."""
            id = str(call.params.get("ImageId"))
            begun = {str(other.params.get("ImageId")) for other in self.flow.fake_aws.calls.of("DeregisterImage")}
            if not last and len(begun) == len(self.go.amis):
                last.append(id)
            return id in last

        match when:
            case "reading":
                return lambda call: not self.asked
            case "again" | "deleting":
                return lambda call: self.asked
            case "last":
                return oldest
            case "orphans":
                return lambda call: call.params.get("SnapshotId") in self.go.orphans
            case "singly":
                return lambda call: call.params.get("SnapshotId") not in self.go.orphans
        return lambda call: True

    def _thinks(self) -> None:
        """Between the question and the yes: time passes, and a group is made whose refresh is asked for."""
        self.asked = True
        self.flow.time.seconds += THOUGHT
        for region in self.regions:
            template = next((found for found in region.launch_templates.values() if 2 in found.versions), None)
            if template:
                pinned = {"LaunchTemplateId": template.template_id, "Version": "2"}
                group = region.add_group(launch_template=pinned)
                region.add_refresh(group.name, {"LaunchTemplate": pinned})

    def run(self) -> Seen:
        """A run with a person who thinks for long and says yes."""
        path = Path(self.flow.path("audit.jsonl"))
        path.unlink(missing_ok=True)
        view = Listening()
        result = error = None
        try:
            # The orphans are asked about first; only what is read after the second question is read again.
            view.asked = lambda: self._thinks() if view.prompts[-1].endswith("AMIs") else None
            result = self.flow.clean(view, force_delete=False, audit_log=str(path), **OPTIONS)
        except AwsError as caught:
            error = caught
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return Seen(result, error, lines, view.told)

    def second(self) -> None:
        """Without faults, and once the Recycle Bin is empty, a second run finishes the work."""
        self.flow.fake_aws.faults.clear()
        self.flow.fake_aws.pager.first_cap = None
        self.flow.time.seconds += 8 * 86400
        self.asked = False
        seen = self.run()
        assert (seen.error, seen.status) == (None, 0)
        assert self.gone == self.go.amis | self.go.snapshots | self.go.orphans
        check(self, seen)


@contextmanager
def scene() -> Iterator[Scene]:
    """A fresh pair of accounts."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder, new_flow(patch, Path(folder)) as flow:
        yield Scene(flow)


def check(scene: Scene, seen: Seen) -> None:
    """What must hold after any run, whatever went wrong: the account, the result, the document, what was told and the audit
    log say the same."""
    gone, there = scene.gone, scene.there()
    assert gone <= scene.go.amis | scene.go.snapshots | scene.go.orphans, "something outside the plan is gone"
    if seen.result is None:
        assert seen.error
        assert str(seen.error)
        assert not seen.lines
        check_nothing_changed(scene, seen)
        return
    result = seen.result
    fates: dict[str, tuple[str, str]] = {}
    for (_, id), end in result.amis.items():
        fates[id] = (end.outcome, end.error.message if end.error else "")
        for part in end.snapshots:
            # A snapshot that several AMIs hold is named by each; what became of it says the last that went.
            if fates.get(part.id, ("kept",))[0] == "kept":
                fates[part.id] = (part.outcome, part.error.message if part.error else "")
    for orphan in result.orphans:
        if orphan.result:
            fates[orphan.snapshot.id] = (orphan.result.outcome, orphan.result.error.message if orphan.result.error else "")
    for id, (outcome, message) in fates.items():
        unsure = outcome == "failed" and UNSURE in message
        assert unsure or (outcome == "removed") == (id not in there), (id, outcome, message)
    untold = [id for id in gone_now(scene, seen) if id not in fates]
    assert not untold, f"gone, and the report does not know: {untold}"
    for kind, things in (("removed", scene.go.amis), ("snapshot removed", scene.go.snapshots | scene.go.orphans)):
        for id in told(seen, kind):
            assert id in things, (kind, id)
            assert id not in there, (kind, id)
    check_document(scene, seen)
    check_log(scene, seen)
    wanted = scene.go.amis | scene.go.snapshots | scene.go.orphans
    troubles = (*result.failed_amis, *result.failed_snapshots, *result.problems)
    if seen.status == 0:
        assert gone >= wanted, wanted - gone
        assert not troubles
    else:
        assert seen.status == 1
        assert troubles


def gone_now(scene: Scene, seen: Seen) -> Iterable[str]:
    """What this run asked to go and is gone."""
    asked = {line["id"] for line in seen.lines}
    return asked - scene.there()


def told(seen: Seen, kind: str) -> list[str]:
    return [str(entry[-1].id) for entry in seen.told if entry[0] == kind]


def check_nothing_changed(scene: Scene, seen: Seen) -> None:
    assert not told(seen, "removed")
    assert not told(seen, "snapshot removed")
    if not scene.asked:
        assert not scene.gone


def check_document(scene: Scene, seen: Seen) -> None:
    """The JSON output says of each AMI and orphan what is so."""
    assert seen.result
    there = scene.there()
    made = document(seen.result, Config(**OPTIONS), NOW)
    for entry in (*made["amis"], *made["orphan_snapshots"]):
        unsure = entry["outcome"] == "failed" and UNSURE in entry["error"]["message"]
        if entry["outcome"] in ("kept", "failed") and not unsure:
            assert entry["id"] in there, entry
        elif entry["outcome"] == "removed":
            assert entry["id"] not in there, entry
        assert (entry["error"] is not None) or entry["outcome"] != "failed"


def check_log(scene: Scene, seen: Seen) -> None:
    """With a fresh look at the account, the log tells everything: each try has its two lines, what is done is gone, what was
    only refused is there."""
    there = scene.there()
    before = {line["attempt"]: line for line in seen.lines if line["event"] == "before"}
    after = {line["attempt"]: line for line in seen.lines if line["event"] == "after"}
    assert before.keys() == after.keys()
    answers: dict[str, set[str]] = {}
    for attempt, line in after.items():
        assert {name: line[name] for name in ("action", "account", "region", "id")}.items() <= before[attempt].items()
        answers.setdefault(line["id"], set()).add(line["outcome"])
        for snapshot, code in line.get("snapshot_results", {}).items():
            if code == "success":
                assert snapshot not in there
    for id, outcomes in answers.items():
        assert id in scene.go.amis | scene.go.snapshots | scene.go.orphans, f"{id} was never to go"
        if "done" in outcomes:
            assert id not in there, (id, outcomes)
        elif outcomes == {"refused"}:
            gone_already = {line["code"] for line in after.values() if line["id"] == id} & {
                "InvalidAMIID.NotFound",
                "InvalidAMIID.Unavailable",
                "InvalidSnapshot.NotFound",
            }
            assert id in there or gone_already, (id, outcomes)
