"""Who is told what a deletion does, while it does it."""

from __future__ import annotations

from typing import Protocol

from ...models import Ami, AmiResult, SnapshotResult, Target


class Listener(Protocol):
    """Told of each thing only once it is true, from the thread that called the deleter, one at a time, in the order of the
    plan, but for what would have to wait for long."""

    def deregistered(self, target: Target, ami: Ami) -> None:
        """The AMI is gone, now or already before."""

    def ami_kept(self, result: AmiResult) -> None:
        """It came into use, or turned out to be shared: `used_by`, `shared_with`."""

    def ami_failed(self, result: AmiResult) -> None:
        """AWS refused, or never answered: `error`."""

    def snapshot_deleted(self, target: Target, snapshot_id: str) -> None:
        """The snapshot is gone, now or already before."""

    def snapshot_kept(self, target: Target, snapshot_id: str, by: tuple[str, ...]) -> None:
        """Its AMI went, another one uses it: `by` are those that we know of, maybe none."""

    def snapshot_failed(self, result: SnapshotResult) -> None:
        """AWS did not delete it, or never answered: `error`."""


class NullListener:
    """Hears nothing; a base for a listener that wants some of the news only."""

    def deregistered(self, target: Target, ami: Ami) -> None:
        """Nothing."""

    def ami_kept(self, result: AmiResult) -> None:
        """Nothing."""

    def ami_failed(self, result: AmiResult) -> None:
        """Nothing."""

    def snapshot_deleted(self, target: Target, snapshot_id: str) -> None:
        """Nothing."""

    def snapshot_kept(self, target: Target, snapshot_id: str, by: tuple[str, ...]) -> None:
        """Nothing."""

    def snapshot_failed(self, result: SnapshotResult) -> None:
        """Nothing."""
