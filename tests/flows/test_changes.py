"""What can change between the plan and the deletion × when it changes: every AMI that must be kept by then is kept and
named.

Each row makes one change to one AMI.  All rows of a column happen in the same run, so a column costs one run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from amicleaner import planning
from amicleaner.models import Reason
from amicleaner.result import Result
from amicleaner.sources import FURTHER_CHECKS
from tests.catalogue import KINDS, SNAPSHOT_KINDS, ReferenceKind, mixed
from tests.fake_aws.resources import Image
from tests.flows.flow import HOME, OTHER, THIRD, Flow, decisions

OPTIONS: dict[str, Any] = {
    "keep_previous": 1,
    "keep_tag": ("golden",),
    "excluded_mapping_values": ("legacy",),
    "unused_days": 30,
    "only_tag": ("team=blue",),
    "mapping_values": ("role",),
    "all_launch_template_versions": True,
    "also_check": FURTHER_CHECKS,
}


@dataclass(frozen=True)
class Change:
    """What somebody does to the second newest AMI of a group, and for which reason it is then kept.  The explanation
    contains `says`; one of the references is by `user`."""

    name: str
    reason: Reason
    do: Callable[[Flow, Image], object]
    says: str = ""
    user: str = ""


def set_on(**members: Any) -> Callable[[Flow, Image], None]:
    """Changes attributes of the AMI."""

    def do(flow: Flow, image: Image) -> None:
        for name, value in members.items():
            setattr(image, name, value)

    return do


def tag(key: str, value: str) -> Callable[[Flow, Image], None]:
    return lambda flow, image: image.tags.update({key: value})


def tag_snapshot(key: str, value: str) -> Callable[[Flow, Image], None]:
    return lambda flow, image: flow.home.snapshots[image.snapshot_ids[-1]].tags.update({key: value})


def newest_of(flow: Flow, image: Image) -> Image:
    group = [other for other in flow.home.images.values() if other.tags.get("role") == image.tags["role"]]
    return max(group, key=lambda other: other.created.isoformat() if other.created else "")


def delete_newest(flow: Flow, image: Image) -> None:
    """Somebody else deletes the newest of the group."""
    del flow.home.images[newest_of(flow, image).image_id]


def break_newest(flow: Flow, image: Image) -> None:
    """An AMI whose creation failed takes no place."""
    newest_of(flow, image).state = "failed"


def use_newest(flow: Flow, image: Image) -> None:
    """An AMI in use takes no place."""
    flow.home.add_instance(newest_of(flow, image).image_id)


def refresh_known_group(flow: Flow, image: Image) -> None:
    """A refresh of a group that the plan's reading knows, and that does not change itself."""
    flow.home.add_refresh("known", {"MixedInstancesPolicy": mixed({"ImageId": image.image_id})})


def move_to_full_group(flow: Flow, image: Image) -> None:
    """To a group in which it would be deleted too: the prompt did not show that."""
    image.tags["role"] = "full"


def by(kind: ReferenceKind, *, snapshot: bool = False) -> Change:
    def do(flow: Flow, image: Image) -> None:
        kind.add(flow.home, image.snapshot_ids[-1] if snapshot else image.image_id)

    return Change(f"in use by: {kind.name}", "in-use", do, user=kind.source.label)


CHANGES = (
    *(by(kind) for kind in KINDS),
    *(by(kind, snapshot=True) for kind in SNAPSHOT_KINDS),
    Change("in use by: refresh of a known group", "in-use", refresh_known_group, user="instance refresh "),
    Change(
        "in use by: instance of another account", "in-use",
        lambda flow, image: flow.region(OTHER).add_instance(image.image_id), user="instance i-",
    ),
    Change(
        "in use by: copy under way", "in-use",
        lambda flow, image: flow.add(state="pending", source_image=(image.image_id, HOME)), "being copied",
    ),
    Change("disabled", "state", set_on(state="disabled"), "disabled"),
    Change("protected", "protected", set_on(deregistration_protection="enabled-without-cooldown")),
    Change("taken by AWS Backup", "managed", tag("aws:backup:source-resource", "i-1"), "AWS Backup"),
    Change("taken by Data Lifecycle Manager", "managed", tag("dlm:managed", "true"), "Data Lifecycle Manager"),
    Change("snapshot taken by Data Lifecycle Manager", "managed", tag_snapshot("aws:dlm:lifecycle-policy-id", "p"), "snap-"),
    Change("snapshot taken by AWS Backup", "managed", tag_snapshot("aws:backup:source-resource", "i-1"), "snap-"),
    Change("made public", "public", set_on(public=True)),
    Change("shared with an account", "shared", set_on(shared_with=(THIRD,)), THIRD),
    Change("shared with an organization", "shared", set_on(organizations=("arn:aws:organizations::1:organization/o-1",))),
    Change("keep tag", "keep-tag", tag("golden", "1"), "golden"),
    Change("keep tag on a snapshot", "keep-tag", tag_snapshot("golden", "1"), "snap-"),
    Change("keep-until", "keep-until", tag("amicleaner:keep-until", "2026-03-01"), "2026-03-01"),
    Change("unreadable keep-until", "keep-until", tag("amicleaner:keep-until", "soon"), "soon"),
    Change("excluded value", "excluded", tag("role", "web-legacy"), "legacy"),
    Change("launched", "recently-launched", lambda flow, image: setattr(image, "last_launched", flow.time.now())),
    Change("no longer selected", "not-selected", tag("team", "red")),
    Change("no longer grouped", "no-tags", lambda flow, image: image.tags.pop("role")),
    Change("moved to an empty group", "kept-previous", tag("role", "empty")),
    Change("moved to a full group", "not-selected", move_to_full_group, "full"),
    Change("newest of its group deleted by somebody else", "kept-previous", delete_newest),
    Change("newest of its group unusable", "kept-previous", break_newest),
    Change("newest of its group in use", "kept-previous", use_newest),
)  # fmt: skip


class Column:
    """One run in which every change of the table happens; `at` is when."""

    def __init__(self, flow: Flow, at: str) -> None:
        self.flow = flow
        self.at = at
        if at != SAVED:  # whom AMIs are shared with is asked before each change, and by the plan too only where they are few
            flow.patch.setattr(planning, "ASK_SHARED_FIRST", 0)
        # A saved plan does not say out of which group it deletes an AMI.
        self.changes = [change for change in CHANGES if at != SAVED or change.do is not move_to_full_group]
        # The oldest go first; they are more than the workers have in hand when the account changes.
        days = (10, *range(60, 68))
        _, *self.free = [flow.add(tags={"role": "first", "team": "blue"}, days=day).image_id for day in days]
        self.images = {change.name: self._group(str(number)) for number, change in enumerate(self.changes)}
        flow.add(tags={"role": "full", "team": "blue"}, days=1)
        flow.home.add_group("known")
        options = {**OPTIONS, "used_by_role_arn": (flow.role(OTHER),)}
        self.result = self._run(options)
        self.decided = decisions(self.result)

    def _group(self, role: str) -> Image:
        tags = {"role": f"group-{role}", "team": "blue"}
        self.flow.add(tags=dict(tags), days=5)
        return self.flow.add(tags=dict(tags), days=50, snapshots=[8, 8])

    def change(self) -> None:
        for change in self.changes:
            change.do(self.flow, self.images[change.name])

    def _run(self, options: dict[str, Any]) -> Result:
        flow = self.flow
        match self.at:
            case "at the prompt":
                return flow.asks(self.change, **options)
            case "while deleting with --force-delete":
                flow.midway(self.change)
                return flow.clean(**options)
            case "while quarantining with --force-delete":
                flow.midway(self.change)
                return flow.clean(quarantine=14, **options)
        path = flow.path("plan.json")
        assert flow.clean(save_plan=path, **options).exit_status == 0
        self.change()
        return flow.clean(apply_plan=path)


SAVED = "before a saved plan is applied"
COLUMNS = ("at the prompt", "while deleting with --force-delete", "while quarantining with --force-delete", SAVED)


@pytest.fixture(scope="module", params=COLUMNS)
def column(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Column]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", HOME)
        folder: Path = tmp_path_factory.mktemp("column")
        yield Column(Flow(patch, folder), request.param)


def test_the_free_amis_are_changed_and_nothing_else(column: Column) -> None:
    assert sorted(set(column.flow.changes())) == sorted(column.free)


def test_each_ami_is_kept_and_named(column: Column) -> None:
    for change in column.changes:
        check(column, change)


def check(column: Column, change: Change) -> None:
    """The AMI is kept for the reason of its change."""
    image = column.images[change.name]
    flow, result = column.flow, column.result
    assert image.image_id in flow.home.images
    assert set(image.snapshot_ids) <= flow.home.snapshots.keys()
    if column.at == SAVED:
        decision = column.decided[image.image_id]
        assert (decision.action.name, decision.reason) == ("keep", change.reason)
        users = decision.used_by
        [told] = [problem for problem in result.problems if problem.startswith(f"{image.image_id} kept: ")]
    else:
        assert column.decided[image.image_id].candidate
        [kept] = [kept for kept in flow.view.of("kept") if kept.id == image.image_id]
        assert (kept.outcome, kept.reason) == ("kept", change.reason)
        assert (result.exit_status, result.problems) == (0, ())
        told, users = kept.explanation, kept.used_by
    assert change.says in told
    assert told.endswith(".")
    assert not change.user or any(use.label.startswith(change.user) for use in users)
