"""Brings AMIs back: enables those in quarantine, and restores those in the Recycle Bin, their snapshots first."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..actions import ENABLE, QUARANTINE_TAG, RESTORE_IMAGE, RESTORE_SNAPSHOT, UNTAG
from ..audit import Subject
from ..models import Ami, RestoreResult, Target
from ..quarantine import DISABLED
from ..restore_steps import Holdings, Step, Wanted
from .api import Api
from .changes import WORKERS, Changed, Changer
from .fetcher import fetch_ami, fetch_amis, fetch_bin, fetch_bin_snapshots, fetch_snapshots_by_id

POLL = 2.0
"""Seconds between two looks whether restored snapshots are there."""

LOOKS = 5
"""How often a restored AMI is looked for, if it is not there at first."""

PATIENCE = 600.0
"""Seconds to wait for the snapshots of one AMI."""


def fetch_holdings(api: Api, wanted: Sequence[Wanted]) -> Holdings:
    """What a target holds of what is wanted.  Raises AwsError."""
    snapshots = sorted(set().union(*(entry.snapshots for entry in wanted)))
    bin_amis, _ = fetch_bin(api)
    existing, _ = fetch_snapshots_by_id(api, snapshots)
    return Holdings(
        {ami.id: ami for ami in fetch_amis(api)},
        frozenset(bin_amis),
        fetch_bin_snapshots(api),
        frozenset(snapshot.id for snapshot in existing),
    )


@dataclass(eq=False)
class Restorer:
    """Carries out steps; `results` are reported once they are true."""

    changer: Changer
    report: Callable[[RestoreResult], None]
    results: list[RestoreResult] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._workers: dict[Target, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(WORKERS))
        self._one_at_a_time: dict[tuple[Target, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._back: dict[tuple[Target, str], str] = {}

    async def run(self, steps: Sequence[Step]) -> None:
        """Carries out all steps, a few in each target together."""
        await self.changer.carry_out(self._carry_out(step) for step in steps)

    async def _carry_out(self, step: Step) -> None:
        async with self._workers[step.target]:
            if self.changer.stopping.is_set():
                return
            if step.settled:
                self._tell(step.settled)
            elif step.what == "enable":
                self._done(step, await self._enable(step))
            else:
                self._done(step, await self._restore(step))

    async def _enable(self, step: Step) -> str:
        """Enables an AMI and removes the tag; why that failed, or nothing."""
        subject = Subject(step.target, step.ami, reason="restore")
        changed = await self.changer.change(ENABLE, subject)
        if changed.lost and not changed.succeeded:
            ami = await self._ami(step)
            changed = Changed("done") if ami is not None and ami.state == "available" else changed
        if changed.succeeded:
            changed = await self.changer.change(UNTAG, subject, finishing=True)
        return _why(changed)

    async def _restore(self, step: Step) -> str:
        """Restores the snapshots, waits until they are there, then restores the AMI; why that failed, or nothing."""
        problems = {id: await self._snapshot(step, id) for id in step.snapshots}
        if not step.ami:
            return problems[step.id]
        failed = [f"{id}: {problem}" for id, problem in problems.items() if problem]
        if failed:
            return "; ".join(failed)
        waiting = await self._wait_for_snapshots(step)
        if waiting:
            return waiting
        subject = Subject(step.target, step.ami, reason="restore", snapshots=step.snapshots)
        changed = await self.changer.change(RESTORE_IMAGE, subject)
        ami = await self._ami(step)
        for _ in range(LOOKS):  # right after the call AWS may not find it yet
            if ami is None and changed.succeeded and await self.changer.sleep(POLL):
                ami = await self._ami(step)
        if ami is None and changed.succeeded:
            return "it was restored, but cannot be read, so that it may still be disabled"
        if ami is None or not (changed.succeeded or changed.lost):
            return _why(changed)
        if any(key == QUARANTINE_TAG for key, _ in ami.tags):
            # It was deleted out of its quarantine, and nobody who restores it wants it there.
            if ami.state == DISABLED:
                return await self._enable(step)
            return _why(await self.changer.change(UNTAG, subject, finishing=True))
        return ""

    async def _snapshot(self, step: Step, id: str) -> str:
        """Restores one snapshot, once for all AMIs that share it; why that failed, or nothing."""
        key = (step.target, id)
        async with self._one_at_a_time[key]:
            if key not in self._back:
                changed = await self.changer.change(
                    RESTORE_SNAPSHOT, Subject(step.target, id, reason="restore", ami=step.ami)
                )
                if changed.lost and not changed.succeeded and await self._states(step.target, [id]):
                    changed = Changed("done")
                self._back[key] = _why(changed)
                if changed.succeeded:
                    self._tell(RestoreResult(step.target, id, "restored"))
            return self._back[key]

    async def _wait_for_snapshots(self, step: Step) -> str:
        """Why an AMI cannot be restored yet, or nothing once all its snapshots are there."""
        give_up = self.changer.clock.monotonic() + PATIENCE
        while step.snapshots:
            states = await self._states(step.target, step.snapshots)
            missing = [id for id in step.snapshots if states.get(id) != "completed"]
            if not missing:
                break
            if self.changer.clock.monotonic() > give_up:
                return f"still waiting for {', '.join(missing)}; run the command again"
            if not await self.changer.sleep(POLL):
                return "the run was stopped first"
        return ""

    async def _states(self, target: Target, ids: Sequence[str]) -> dict[str, str]:
        """The states of snapshots; what cannot be read is left out."""
        found = await self.changer.look(fetch_snapshots_by_id, self.changer.apis[target], ids)
        snapshots, _ = found or ((), ())
        return {snapshot.id: snapshot.state for snapshot in snapshots}

    async def _ami(self, step: Step) -> Ami | None:
        """The AMI as it is now; None where there is none, or where it cannot be read."""
        return await self.changer.look(fetch_ami, self.changer.apis[step.target], step.ami)

    def _done(self, step: Step, reason: str) -> None:
        if step.ami or reason:  # a snapshot that came back was reported already
            self._tell(RestoreResult(step.target, step.id, "failed" if reason else "restored", reason))

    def _tell(self, result: RestoreResult) -> None:
        self.results.append(result)
        self.changer.tell(self.report, result)


def _why(changed: Changed) -> str:
    return "" if changed.succeeded else f"{changed.failure.code}: {changed.failure.message}"
