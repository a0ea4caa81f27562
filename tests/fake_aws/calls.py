"""The log of calls, and how many ran at once."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from .resources import Shape

CHANGING = {
    "DeregisterImage", "DeleteSnapshot", "DisableImage", "EnableImage", "CreateTags", "DeleteTags",
    "RestoreImageFromRecycleBin", "RestoreSnapshotFromRecycleBin",
}  # fmt: skip


@dataclass
class Call:
    time: datetime
    account: str
    region: str
    service: str
    action: str
    params: Shape  # by their names on the wire: ImageId, Filter, …
    page: int = 1  # of a listing
    outcome: str = ""  # OK, AWS's error code, or the kind of a fault

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"

    @property
    def ids(self) -> list[str]:
        """The AMIs and snapshots that a changing call is about."""
        for member in ("ImageId", "SnapshotId", "ResourceId"):
            if ids := self.params.get(member):
                return [ids] if isinstance(ids, str) else list(ids)
        return []


@dataclass
class CallLog:
    records: list[Call] = field(default_factory=list)
    running: int = 0
    peak_running: int = 0
    connections: int = 0
    peak_connections: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, call: Call) -> None:
        with self._lock:
            self.records.append(call)
            self.running += 1
            self.peak_running = max(self.peak_running, self.running)

    def end(self) -> None:
        with self._lock:
            self.running -= 1

    def connected(self) -> None:
        with self._lock:
            self.connections += 1
            self.peak_connections = max(self.peak_connections, self.connections)

    def disconnected(self) -> None:
        with self._lock:
            self.connections -= 1

    def of(self, action: str, account: str | None = None, region: str | None = None) -> list[Call]:
        """The calls of one action, in order."""
        with self._lock:
            return [
                call
                for call in self.records
                if call.action == action and account in (None, call.account) and region in (None, call.region)
            ]

    def count(self, action: str | None = None, account: str | None = None, region: str | None = None) -> int:
        if action is None:
            return len(self.records)
        return len(self.of(action, account, region))

    def changing(self) -> list[Call]:
        """Every call of an action that changes something, refused calls included."""
        with self._lock:
            return [call for call in self.records if call.action in CHANGING]

    def summary(self) -> Shape:
        with self._lock:
            return {
                "calls": dict(Counter(call.name for call in self.records)),
                "outcomes": dict(Counter(call.outcome for call in self.records)),
                "peak_running": self.peak_running,
                "connections": self.connections,
                "peak_connections": self.peak_connections,
            }

    def clear(self) -> None:
        with self._lock:
            self.records.clear()
            self.peak_running = self.running
            self.peak_connections = self.connections
