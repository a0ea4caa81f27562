"""What was read of the accounts, and what is decided about one AMI: the values that `plan.py` and `deciding.py`
share.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from .actions import DELETE, KEEP, QUARANTINE, Action
from .models import Ami, Reason, Snapshot, Target, Use
from .recycle_bin import BinRules

Usage = Mapping[tuple[str, str], tuple[Use, ...]]
"""(Region, AMI id) to the references to it, in whichever account of the run."""

Shared = Mapping[tuple[Target, str], tuple[str, ...]]
"""(Target, AMI id) to whom outside the run it is shared with, as far as that was read."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read besides the AMIs.  More `usage`, more `shared` or more tags of `snapshots` never delete more.

    `snapshots` are those of the AMIs, by target and id, as far as they were looked up.  `bins` are the rules of the Recycle
    Bin, None where they may not be read; a target without them was not asked.  With --require-recycle-bin the plan is
    complete only with `Plan.bins_read`: until then it holds what is to be asked about.
    """

    usage: Usage = field(default_factory=dict)
    shared: Shared = field(default_factory=dict)
    snapshots: Mapping[tuple[Target, str], Snapshot] = field(default_factory=dict)
    bins: Mapping[Target, BinRules | None] = field(default_factory=dict)

    def snapshots_of(self, target: Target, ami: Ami) -> tuple[Snapshot, ...]:
        """Those of an AMI's snapshots that were looked up."""
        if not self.snapshots:
            return ()
        found = (self.snapshots.get((target, snapshot.id)) for snapshot in ami.snapshots)
        return tuple(snapshot for snapshot in found if snapshot is not None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one AMI and why.

    `explanation` is one sentence, `rule` the name of the configuration file's rule that decided, `groups` are labels,
    sorted. `until` is the end of its quarantine, of one that would begin now too; `restorable_until` until when a deletion
    could be undone, as far as the Recycle Bin's rules tell.
    """

    target: Target
    ami: Ami
    action: Action
    reason: Reason
    explanation: str
    rule: str = ""
    groups: tuple[str, ...] = ()
    used_by: tuple[Use, ...] = ()
    until: datetime | None = None
    restorable_until: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Account, Region, id: the order of everything that is printed."""
        return (self.target.account, self.target.region, self.ami.id)

    @property
    def candidate(self) -> bool:
        """Whether it is on its way out: to be deleted, or quarantined first."""
        return self.action in (DELETE, QUARANTINE)

    def keep(self, reason: Reason, explanation: str) -> Decision:
        """The same AMI, kept as it is: a quarantine goes on, and none begins."""
        until = None if self.action is QUARANTINE else self.until
        return replace(self, action=KEEP, reason=reason, explanation=explanation, until=until, restorable_until=None)
