"""What has to be done to bring AMIs back: from an audit log or from ids, by what an account holds now.  Pure."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .actions import DELETE_SNAPSHOT, DEREGISTER, DISABLE, QUARANTINE_TAG
from .errors import UsageError
from .models import Ami, RestoreResult, Target
from .orphans import made_for
from .quarantine import DISABLED

LINE = '{"version": '
"""How each line of an audit log begins."""

STRINGS = ("account", "region", "id", "event", "attempt", "action")
"""Members of each line."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An AMI to restore, or one snapshot if `ami` is empty.  `target` is None if it is unknown, and has no account if a log
    has none; `snapshots` are those that the AMI had, as far as a log says."""

    ami: str
    target: Target | None = None
    snapshots: frozenset[str] = frozenset()

    def may_be_in(self, target: Target) -> bool:
        """Whether to look for it there."""
        return self.target is None or self.target in (target, Target("", target.region))


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a target holds: its AMIs, the ids in its Recycle Bin (snapshots with their descriptions), and which of the
    snapshots that matter exist."""

    amis: Mapping[str, Ami] = field(default_factory=dict)
    bin_amis: frozenset[str] = frozenset()
    bin_snapshots: Mapping[str, str] = field(default_factory=dict)
    snapshots: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about one AMI (or, without `ami`, about one snapshot).

    `enable`: it is in quarantine.  `restore`: it is in the Recycle Bin; `snapshots` come first.  `nothing`: it is available
    already.  `impossible`: `reason` says why.
    """

    target: Target
    ami: str
    what: Literal["enable", "restore", "nothing", "impossible"]
    snapshots: tuple[str, ...] = ()
    reason: str = ""

    @property
    def id(self) -> str:
        """The AMI, or the snapshot."""
        return self.ami or self.snapshots[0]

    @property
    def settled(self) -> RestoreResult | None:
        """The result, where there is nothing to do."""
        if self.what == "nothing":
            return RestoreResult(self.target, self.id, "already", self.reason)
        return RestoreResult(self.target, self.id, "failed", self.reason) if self.what == "impossible" else None


def read_log(text: str, path: str) -> tuple[Wanted, ...]:
    """Everything that an audit log says was, or may have been, deleted or disabled.

    A line without its end, as a killed run leaves it, is ignored: a call is made only once its line is whole.  Raises
    UsageError for anything else that is not a line of such a log.
    """
    began: dict[str, Mapping[str, Any]] = {}
    done: list[Mapping[str, Any]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        entry = _entry(line)
        if entry is None:
            raise UsageError(f"--restore: {path} is not an audit log: line {number} is malformed.")
        if entry.get("event") == "before":
            began[entry["attempt"]] = entry
        elif entry:
            began.pop(entry["attempt"], None)
            if entry.get("outcome") in ("done", "unknown"):
                done.append(entry)
    amis: dict[tuple[Target, str], set[str]] = defaultdict(set)
    singly: dict[tuple[Target, str], set[str]] = defaultdict(set)
    for record in (*done, *began.values()):  # killed before the outcome was written: it may have been done
        target, id, action = Target(record["account"], record["region"]), record["id"], record["action"]
        if action == DELETE_SNAPSHOT.name:
            singly[target, str(record.get("ami") or "")].add(id)
        elif action in (DEREGISTER.name, DISABLE.name):
            lost = record.get("snapshots") if action == DEREGISTER.name else None
            amis[target, id].update(map(str, lost or ()))
    alone: set[tuple[Target, str]] = set()
    for (target, ami), snapshots in singly.items():
        if (target, ami) in amis:
            amis[target, ami] |= snapshots
        else:
            alone |= {(target, id) for id in snapshots}
    wanted = [Wanted(ami, target, frozenset(snapshots)) for (target, ami), snapshots in sorted(amis.items())]
    return (*wanted, *(Wanted("", target, frozenset({id})) for target, id in sorted(alone)))


def _entry(line: str) -> dict[str, Any] | None:
    """A line of an audit log; nothing for one without its end, None for what is no line of such a log."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {} if line.startswith(LINE) or LINE.startswith(line) else None
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in STRINGS):
        return None
    return entry if isinstance(entry.get("snapshots", []), list) else None


def steps(wanted: Iterable[Wanted], holdings: Mapping[Target, Holdings]) -> tuple[Step, ...]:
    """What to do, in the order of account, Region and id.  `holdings` are the targets of the run; an AMI that nobody said
    where to look for is looked for in all of them."""
    found: dict[tuple[Target, str], Step] = {}
    for entry in wanted:
        targets = [target for target in sorted(holdings) if entry.may_be_in(target)]
        decided = [_step(target, entry, holdings[target]) for target in targets]
        if entry.target is not None and not targets:
            where = f"account {entry.target.account or 'unknown'}, Region {entry.target.region}"
            reason = f"it is in {where}, which is not a target of this run"
            decided = [Step(entry.target, entry.ami, "impossible", tuple(entry.snapshots), reason)]
        best = min(decided, key=lambda step: ("enable", "restore", "nothing", "impossible").index(step.what))
        key = (best.target, best.id)
        if key not in found or len(best.snapshots) > len(found[key].snapshots):
            found[key] = best
    return tuple(found[key] for key in sorted(found))


def _step(target: Target, wanted: Wanted, held: Holdings) -> Step:
    if not wanted.ami:
        (id,) = wanted.snapshots
        if id in held.bin_snapshots:
            return Step(target, "", "restore", (id,))
        if id in held.snapshots:
            return Step(target, "", "nothing", (id,))
        return Step(target, "", "impossible", (id,), "it is not in the Recycle Bin")
    ami = held.amis.get(wanted.ami)
    if ami is not None:
        return _registered(target, ami)
    if wanted.ami not in held.bin_amis:
        return Step(target, wanted.ami, "impossible", reason="it is neither registered nor in the Recycle Bin")
    described = {id for id, description in held.bin_snapshots.items() if made_for(description) == wanted.ami}
    lost = sorted(wanted.snapshots - held.bin_snapshots.keys() - held.snapshots)
    if lost:
        are = "is" if len(lost) == 1 else "are"
        reason = f"{', '.join(lost)} {are} not in the Recycle Bin, and the AMI needs all of its snapshots"
        return Step(target, wanted.ami, "impossible", reason=reason)
    return Step(target, wanted.ami, "restore", tuple(sorted((wanted.snapshots & held.bin_snapshots.keys()) | described)))


def _registered(target: Target, ami: Ami) -> Step:
    tagged = any(key == QUARANTINE_TAG for key, _ in ami.tags)
    if ami.state == "available":
        # It was enabled by hand, or by a run that was killed then: no run changes it before the tag is removed.
        return Step(target, ami.id, "nothing", reason=f"the tag {QUARANTINE_TAG} is still there" if tagged else "")
    if ami.state == DISABLED and tagged:
        return Step(target, ami.id, "enable")
    if ami.state == DISABLED:
        return Step(target, ami.id, "impossible", reason="it is disabled, but not by amicleaner")
    return Step(target, ami.id, "impossible", reason=f"its state is {ami.state}")
