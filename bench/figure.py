"""What a measurement says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A row: what was measured, ours, the other's (the old tool's, or what it is held against), and the figure to reach."""

    name: str
    unit: str
    ours: float
    other: float | None
    against: str
    goal: float | None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.other if self.other else None
