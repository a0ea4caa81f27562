"""Months of an account's life in which every run has --quarantine: nothing is deleted that did not wait for its whole
quarantine, or that came into use meanwhile."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from amicleaner.actions import QUARANTINE_TAG
from amicleaner.config import Config
from amicleaner.result import Result
from amicleaner.run import clean
from tests.fake_aws.resources import Image
from tests.flows.flow import Flow
from tests.flows.test_long_run import CHANGES, OPTIONS, Before, Life, live

pytestmark = pytest.mark.once
DAYS = 5


def waits(image: Image) -> bool:
    """Whether it is in quarantine."""
    return image.state == "disabled" and QUARANTINE_TAG in image.tags


def group_of(image: Image) -> tuple[str | None, str | None]:
    return image.tags.get("environment"), image.tags.get("role")


@dataclass
class LifeInQuarantine(Life):
    """`since` is when the run began that quarantined an AMI last; `copies` are the AMIs as they were before this run,
    `just_released` those that it released."""

    options: ClassVar[dict[str, Any]] = {**OPTIONS, "quarantine": DAYS}
    changes: ClassVar[tuple[str, ...]] = (*CHANGES, "CreateTags", "DisableImage", "EnableImage", "DeleteTags")

    since: dict[str, datetime] = field(default_factory=dict)
    copies: dict[str, Image] = field(default_factory=dict)
    just_released: set[str] = field(default_factory=set)
    began: datetime = datetime.min
    quarantined: int = 0
    released: int = 0
    restored: int = 0

    @property
    def waiting(self) -> dict[str, Image]:
        return {id: image for id, image in self.flow.home.images.items() if waits(image)}

    # What happens in an account

    def change(self, image: Image) -> None:
        """A person also enables AMIs, and writes nonsense into the tag.  AWS shares no disabled AMI."""
        if image.state == "available" and QUARANTINE_TAG in image.tags:
            return
        if waits(image) and self.dice.random() < 0.2:
            image.tags[QUARANTINE_TAG] = self.dice.choice(["", "tomorrow", "2099-01-01T00:00:00Z"])
            return
        super().change(image)
        if image.state == "disabled":
            image.shared_with, image.public = (), False

    def forgive(self) -> None:
        """A person removes the tag of an AMI that was enabled by hand."""
        super().forgive()
        for image in self.flow.home.images.values():
            if image.state == "available":
                image.tags.pop(QUARANTINE_TAG, None)

    # What must hold

    def free(self, image: Image) -> bool:
        """A released AMI may be newer than those that took the places of the newest until then: the next run sees to it."""
        here = image.state == "available" and QUARANTINE_TAG not in image.tags
        return here and image.image_id not in self.just_released and self.unmarked(image)

    def deletable(self, image: Image) -> bool:
        waited = self.now - self.since[image.image_id]
        return waits(image) and self.unmarked(image) and waited >= timedelta(days=DAYS)

    def run(self) -> None:
        self.copies = copy.deepcopy(self.flow.home.images)
        self.began = self.now
        self.just_released = set()
        super().run()

    def check(self, before: Before, result: Result | None) -> None:
        super().check(before, result)
        for id in set(self.since) - self.waiting.keys():
            del self.since[id]
        for id, image in self.waiting.items():
            old = self.copies[id]
            if waits(old) and old.tags[QUARANTINE_TAG] == image.tags[QUARANTINE_TAG]:
                continue
            assert result, "a run that was refused changed an AMI"
            self.since[id] = self.began
            self.quarantined += 1
            assert id not in before.used | self.used, f"{id} was in use"
            assert (old.shared_with, old.public) == ((), False), f"{id} was shared"
        ends = result.amis if result else {}
        self.just_released = {id for (_, id), end in ends.items() if end.outcome == "released"}
        self.released += len(self.just_released)

    def check_that_all_is_done(self) -> None:
        """Without a failure no old AMI is left outside quarantine, and none waits too long, or in use."""
        super().check_that_all_is_done()
        groups = {group_of(self.flow.home.images[id]) for id in self.meanwhile}
        for id, image in self.waiting.items():
            if group_of(image) in groups:
                continue  # what came into use at the prompt made room for it, or is it: the next run sees to it
            assert id not in self.used, f"{id} is in use and was not released"
            if self.unmarked(image):
                assert self.now - self.since[id] < timedelta(days=DAYS, minutes=30), f"{id} still waits"
        if self.dice.random() < 0.2:
            self.restore_some()

    def restore_some(self) -> None:
        """What was quarantined just now and is restored is as it was."""
        new = [id for id in self.waiting if not waits(self.copies[id])]
        old = [id for id in self.waiting if id not in new]
        chosen = [*new, *old[:1]]
        if not chosen:
            return
        expected = {id: copy.deepcopy(self.copies[id] if id in new else self.waiting[id]) for id in chosen}
        for id in chosen:
            expected[id].state = "available"
            expected[id].tags.pop(QUARANTINE_TAG, None)
        result = clean(Config(restore=tuple(chosen)), view=self.flow.view, clock=self.flow.time.clock)
        assert {one.id: one.outcome for one in result.restored} == dict.fromkeys(chosen, "restored")
        assert {id: self.flow.home.images[id] for id in chosen} == expected
        self.restored += len(chosen)
        for id in chosen:
            del self.since[id]


def check_that_everything_happened(life: LifeInQuarantine) -> None:
    assert life.quarantined > life.removed > 0
    assert life.released > 0
    assert life.restored > 0
    assert life.came_into_use > 0
    assert life.failed > 0


def test_months_in_quarantine(flow: Flow) -> None:
    life = live(LifeInQuarantine(flow, random.Random(24)), steps=45)
    check_that_everything_happened(life)


@pytest.mark.churn
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 7))
def test_years_in_quarantine(flow: Flow, seed: int) -> None:
    life = live(LifeInQuarantine(flow, random.Random(seed)), steps=300)
    assert flow.time.seconds > 400 * 86400
    assert life.removed > 100
    check_that_everything_happened(life)
