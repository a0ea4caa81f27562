"""Whatever AWS answers: no traceback, nothing goes that must stay, and what is reported is what happened.

An account (`account.py`) in which each AMI and each snapshot is kept for one known reason; a whole run in it, in each
way in which a run deletes; one to three changes of what AWS answers (`wire.py`), to any call and at any depth.  The rules:

1. The run ends in a `Result` with the exit status 0 or 1, or in an `AmicleanerError` with 1 or 2, and then nothing was
   touched.  What ended a deletion early is an error of that kind too, and nothing failed by a defect of the program: those
   are kept from being tracebacks, and would pass for AWS's.
2. `DeregisterImage` is called only on AMIs that the true account lets go, and `DeleteSnapshot` only on their snapshots and
   on true orphans.  A try counts as much as a success.
3. The one exception is an answer that nobody could know for a lie, because AWS itself might give it: `PLAUSIBLE` has them,
   by call and member.  Such a lie frees only what is known to stay by that call alone.  What is not there is a malformed
   answer, or a change for the safe side (an unknown state protects), and frees nothing; nor does what stands there twice.
4. What the report says is gone is gone, and what is gone is in the report; the JSON output says the same as the result.
   For the two exceptions see `check_report`.
5. No letter of AWS's that would move the cursor reaches a terminal.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.credentials import Credentials, DeferredRefreshableCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amicleaner import run
from amicleaner.aws import response_parser
from amicleaner.config import Config
from amicleaner.errors import AmicleanerError, describe
from amicleaner.report.console import Console
from amicleaner.result import Result
from tests.fake_aws import World
from tests.flows.flow import reused
from tests.hostile import moves_no_cursor
from tests.virtual_time import Time

from .account import (
    BATCH,
    FAST_LAUNCH,
    GROUPS,
    IMAGES,
    INSTANCES,
    NOW,
    OWN,
    PERMISSIONS,
    REFERENCES,
    REFRESHES,
    SNAPSHOTS,
    SPOT_FLEETS,
    VERSIONS,
    Chains,
    HostileAccount,
    make_account,
)
from .wire import CALLS, CHANGE, Change, Hostile

pytestmark = pytest.mark.timeout(7200)  # with more examples than usual

DEFECTS = {
    kind.__name__ for kind in (TypeError, KeyError, AttributeError, ValueError, IndexError, RuntimeError, OverflowError)
}

PLAUSIBLE: dict[str, dict[str, str]] = {
    # An AMI need have no tags, no protection, no snapshots; a listing may lack it, as one that just came.
    IMAGES: {
        "drop": "item tagSet name deregistrationProtection isPublic blockDeviceMapping",
        "empty": "imagesSet tagSet name value deregistrationProtection isPublic blockDeviceMapping",
        "text": "name key value isPublic imageId snapshotId",
        "date": "creationDate",
    },
    # The odd shape of a very old instance has an empty image.
    INSTANCES: {"drop": "item", "empty": "reservationSet instancesSet imageId", "text": "imageId"},
    "DescribeLaunchConfigurations": {"drop": "member", "empty": "LaunchConfigurations", "text": "ImageId"},
    # A template need not name an image.
    VERSIONS: {
        "drop": "item imageId ebs snapshotId blockDeviceMappingSet",
        "empty": "launchTemplateVersionSet launchTemplateData imageId ebs snapshotId blockDeviceMappingSet item",
        "text": "imageId snapshotId",
    },
    # Nor need an override name one; without a version it is the default one; a template that is gone protects nothing.
    GROUPS: {
        "drop": "member Overrides Version ImageId LaunchTemplateSpecification",
        "empty": "AutoScalingGroups Overrides Version ImageId",
        "text": "AutoScalingGroupName LaunchTemplateId Version ImageId",
    },
    REFRESHES: {
        "drop": "member DesiredConfiguration LaunchTemplate Version",
        "empty": "InstanceRefreshes DesiredConfiguration Version",
        "text": "LaunchTemplateId Version",
    },
    SPOT_FLEETS: {
        "drop": "item version",
        "empty": "spotFleetRequestConfigSet version",
        "text": "imageId launchTemplateId version",
    },
    "DescribeSpotInstanceRequests": {"drop": "item", "empty": "spotInstanceRequestSet", "text": "imageId"},
    "DescribeFleets": {
        "drop": "item overrides imageId version",
        "empty": "fleetSet overrides imageId version",
        "text": "imageId launchTemplateId version",
    },
    # A parameter that holds no AMI's id protects nothing.
    "GetParameters": {"empty": "Value", "text": "Value"},
    REFERENCES: {"drop": "item", "empty": "imageReferenceSet"},
    # A compute environment need name no image, a recipe need not build on one of the account's.
    BATCH: {
        "drop": "item computeResources imageId launchTemplate version",
        "empty": "computeEnvironments item computeResources imageId launchTemplate version",
        "text": "imageId launchTemplateId version",
    },
    FAST_LAUNCH: {"drop": "item", "empty": "fastLaunchImageSet", "text": "imageId"},
    "ListImageRecipes": {
        "drop": "item parentImage",
        "empty": "imageRecipeSummaryList parentImage",
        "text": "parentImage",
    },
    "ListContainerRecipes": {
        "drop": "item parentImage",
        "empty": "containerRecipeSummaryList parentImage",
        "text": "parentImage",
    },
    "ListImagePipelines": {"drop": "item", "empty": "imagePipelineList", "text": "arn"},
    # An image need not be finished, or have an AMI in this Region.  botocore drops members that it does not know, so an odd
    # structure comes out as an empty one.
    "ListImagePipelineImages": {
        "drop": "item state status outputResources amis image",
        "empty": "imageSummaryList item state status outputResources amis image",
        "odd": "item state outputResources",
        "text": "status region image dateCreated",
        "date": "dateCreated",
    },
    "GetImage": {
        "drop": "item outputResources amis image",
        "empty": "item outputResources amis image",
        "odd": "item outputResources",
        "text": "region image",
    },
    PERMISSIONS: {"drop": "item", "empty": "launchPermission"},
    SNAPSHOTS: {"drop": "item tagSet", "empty": "tagSet", "text": "description key snapshotId", "date": "startTime"},
    "ListImagesInRecycleBin": {"drop": "item", "empty": "imageSet", "text": "imageId"},
    "DescribeRegions": {"drop": "item", "empty": "regionInfo", "text": "regionName"},
    # An account in a state that is none may be closed.
    "ListAccounts": {"drop": "item", "empty": "Accounts", "text": "State Id"},
}
"""By call and by what becomes of them, the members of which no program could know that they were changed.

Any list may be empty or lack an item, and any id or name may be another's: only AWS knows.  What it always sends may not be
missing, or empty, or a word that is none.
"""
TOKENS = {"nextToken", "NextToken"}
"""Where a listing ends, AWS alone knows."""


ALWAYS = [
    Change(call, kind, 0, name, 0, value)
    for call, kind, name, value in (
        (IMAGES, "foreign", 0, 0),
        (IMAGES, "drop", "imageState", 0),
        (IMAGES, "empty", "key", 0),
        (IMAGES, "twice", "imageId", 0),
        (IMAGES, "number", "volumeSize", 5),
        (INSTANCES, "drop", "instanceState", 0),
        (INSTANCES, "twice", "imageId", 0),
        (GROUPS, "empty", "LaunchTemplateSpecification", 0),
        (REFERENCES, "other", "imageId", 1),
        ("GetParameters", "odd", "item", 0),
        ("ListImagesInRecycleBin", "drop", "imageId", 0),
        ("DescribeRegions", "empty", "item", 0),
        ("ListAccounts", "drop", "Id", 0),
        ("DeregisterImage", "other", "snapshotId", -1),
        ("DescribeSnapshots", "date", "startTime", 7),
    )
]
"""What once went wrong, or nearly."""


@dataclass(frozen=True)
class Case:
    """A run: of all AMIs of an account or of an organization's, of named ones, or with a question in between; whether
    orphans go too, whether the newest AMI stays, how many things there are on a page; and what is changed."""

    mode: str
    output: str
    orphans: bool
    keeps: bool
    cap: int | None
    changes: tuple[Change, ...]


CASE = st.builds(
    Case,
    mode=st.sampled_from(("plain", "plain", "organization", "named", "asks")),
    output=st.sampled_from(("table", "json", "csv", "markdown")),
    orphans=st.booleans(),
    keeps=st.booleans(),
    cap=st.sampled_from((None, None, None, 2)),
    changes=st.lists(CHANGE, min_size=1, max_size=3).map(tuple),
)


def plausible(call: str, kind: str, name: str) -> bool:
    """Whether AWS itself could have answered so."""
    if name in TOKENS:
        return kind != "twice"
    kind = {"number": "text", "other": "text"}.get(kind, kind)
    kinds = PLAUSIBLE.get(call, {})
    names = kinds.get(kind, "") + (" " + kinds.get("text", "") if kind == "date" else "")
    return name in names.split()


class Runs:
    """Whole runs with one session and its clients, whose making takes as long as a run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = Time(NOW)
        self.aws = Hostile()
        self.session = reused(())
        self.session.take(self.aws)
        keys = World().credentials(OWN)
        self.session._session._credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])  # type: ignore[attr-defined]
        monkeypatch.setattr(DeferredRefreshableCredentials.__init__, "__defaults__", (self.time.now,))
        self.stops: list[Exception] = []
        told = describe

        def listening(error: Exception) -> str:
            self.stops.append(error)
            return told(error)

        monkeypatch.setattr(run, "describe", listening)

    def __call__(self, case: Case, *, exact: bool = True, **more: Any) -> Result | None:
        """A run, and all that must hold after it; None where it was refused.  `more` are options, None takes one away;
        `exact`: whether the options are those by which the account knows what may be deleted."""
        self.time.seconds = 0.0
        self.stops.clear()
        self.session.take(self.aws)
        made = make_account(
            self.time.clock.now, organization=case.mode == "organization", keeps=case.keeps, named=case.mode == "named"
        )
        self.made = made
        self.aws.begin(made.world, case.changes, made.ids, (made.foreign, "999999999999"))
        self.aws.pager.cap = case.cap
        options: dict[str, Any] = {
            "output": case.output,
            "check_orphans": case.orphans,
            "keep_tag": ("keep",),
            "force_delete": case.mode != "asks",
            "max_attempts": 2,
        }
        if case.mode == "named":
            options["from_ids"] = (*made.amis, made.foreign)
        else:
            options["keep_previous"] = int(case.keeps)
        if case.mode == "organization":
            options |= {
                "organization_role": "cleaner",
                "region": ("eu-west-*",),
                "exclude_region": ("eu-west-2", "eu-west-3"),
            }
        options |= more
        config = Config(**{name: value for name, value in options.items() if value is not None})
        out, err = io.StringIO(), io.StringIO()
        answers = io.TextIOWrapper(io.BytesIO(b"y\n" * 2), encoding="utf-8")
        view = Console(config, stdout=out, stderr=err, stdin=answers, environ={}, clock=self.time.clock)
        snapshots = {id: image.snapshot_ids for id, image in made.home.images.items()}
        before = set(made.home.snapshots)
        refusal = None
        try:
            result = run.clean(config, view=view, sessions=lambda profile: self.session, clock=self.time.clock)
        except AmicleanerError as error:
            refusal = error
        if refusal:
            assert refusal.exit_status in (1, 2)
            assert not self.aws.calls.changing(), "what can't be read deletes nothing"
            return None
        assert result.exit_status in (0, 1)
        if exact:
            self.check_deletions(made, snapshots, before, case)
        self.check_report(made, result)
        self.ids = made.ids
        assert all(isinstance(stop, AmicleanerError) for stop in self.stops), self.stops
        for text in (out.getvalue(), err.getvalue()):
            assert moves_no_cursor(text)
        if case.output == "json":
            told = {ami["id"]: ami["outcome"] for ami in json.loads(out.getvalue())["amis"] if ami["outcome"]}
            assert told == {id: end.outcome for (_, id), end in result.amis.items()}
        return result

    def check_deletions(self, made: HostileAccount, snapshots: dict[str, list[str]], before: set[str], case: Case) -> None:
        """Nothing was even tried of what must stay."""
        lies = {call for call, kind, name in self.aws.made if plausible(call, kind, name)}

        def may_go(chains: Chains) -> bool:
            return all(chain & lies for chain in chains)

        calls = self.aws.calls.changing()
        touched = {str(call.params["ImageId"]) for call in calls if call.action == "DeregisterImage"}
        wrong = {made.names.get(id, id) for id in touched if not may_go(made.amis.get(id, (frozenset({IMAGES}),)))}
        assert not wrong, f"{wrong} {self.aws.made}"
        if IMAGES in lies:
            return  # it may have named other snapshots as an AMI's own
        orphans = {id for id, chains in made.snapshots.items() if case.orphans and may_go(chains)}
        allowed = orphans.union(*(snapshots[id] for id in touched))
        assert {str(call.params["SnapshotId"]) for call in calls if call.action == "DeleteSnapshot"} <= allowed
        assert before - set(made.home.snapshots) <= allowed

    def check_report(self, made: HostileAccount, result: Result) -> None:
        """What is said to be gone is gone, but for another snapshot that AWS itself says it deleted with an AMI.  What is
        gone is told, but where AWS acted and said that it refused: a stop may come before the next try finds out."""
        home = made.home
        removed = {id for (_, id), end in result.amis.items() if end.outcome == "removed"}
        assert removed.isdisjoint(home.images)
        if not any(call == "DeregisterImage" and kind == "acted" for call, kind, _ in self.aws.made):
            assert set(made.amis) - set(home.images) <= {id for _, id in result.amis}
        ends = [snapshot for end in result.amis.values() for snapshot in end.snapshots]
        ends += [orphan.result for orphan in result.orphans if orphan.result]
        errors = [*(end.error for end in result.amis.values()), *(end.error for end in ends)]
        if ("DeregisterImage", "other", "snapshotId") not in self.aws.made:
            assert {end.id for end in ends if end.outcome == "removed"}.isdisjoint(home.snapshots)
        assert not {error.code for error in errors if error} & DEFECTS, errors


def test_whatever_aws_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(monkeypatch)

    @settings(max_examples=max(1, settings().max_examples // 3), suppress_health_check=[HealthCheck.too_slow])
    @given(CASE)
    def check(case: Case) -> None:
        runs(case)

    for change in ALWAYS:
        mode = "organization" if change.call in ("DescribeRegions", "ListAccounts") else "plain"
        runs(Case(mode, "json", True, True, None, (change,)))
    check()


ORDINARY = ("drop", "empty", "text", "number", "date", "twice", "other", "wrap", "odd")


@pytest.mark.faults
@pytest.mark.parametrize("call", CALLS)
def test_each_member_of_each_answer(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Each change alone, in a run that makes every call."""
    runs = Runs(monkeypatch)
    for kind in ORDINARY:
        names: set[str] = set()
        for number in range(100):
            runs(Case("organization", "json", True, True, None, (Change(call, kind, 0, number, number, number),)))
            new = {name for _, _, name in runs.aws.made}
            if not new - names:
                break
            names |= new
    for number in range(16):
        runs(Case("organization", "json", True, True, None, (Change(call, "error", 0, 0, number, number),)))
    for kind in ("tags", "foreign"):
        runs(Case("organization", "json", True, True, None, (Change(call, kind, 0, 0, 0, 0),)))


@pytest.mark.parametrize("mode", ["plain", "organization", "named", "asks"])
def test_every_deletable_ami_is_deleted(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Without a change the rules of the property are exact."""
    runs = Runs(monkeypatch)
    runs(Case(mode, "json", True, True, None, ()))
    went = {str(call.params["ImageId"]) for call in runs.aws.calls.of("DeregisterImage")}
    assert went == {id for id, chains in runs.made.amis.items() if not chains}
    assert {call.action for call in runs.aws.calls.records} <= set(CALLS)
    assert {IMAGES, INSTANCES, VERSIONS, SNAPSHOTS} <= response_parser._READERS.keys(), "the tool's own parser reads lists"
