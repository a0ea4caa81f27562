"""Figures: the file that holds them, and the two pages that show them.

`python -m bench` measures and writes everything; `python -m bench --pages` writes only the pages and the plot again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILE = Path(__file__).with_name("figures.json")
USER_PAGE = ROOT / "docs" / "figures.md"
CONTRIBUTOR_PAGE = ROOT / "docs" / "contributing" / "measurements.md"
PLOT = ROOT / "docs" / "figures.svg"

DELETE = "Delete 250 AMIs"
PLAN = "Plan for 10,000 AMIs"
MEMORY = "Peak memory for 50,000 AMIs"
PAIRS = (DELETE, PLAN, MEMORY)
"""The figures that users see, beside those of aws-amicleaner 0.2.2."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A row: what was measured, ours, what it is compared with, and the greatest ratio of the two that is accepted."""

    name: str
    unit: str
    ours: float
    other: float | None
    against: str
    goal: float | None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours, as a share of the other."""
        return self.ours / self.other if self.other else None


@dataclass(frozen=True, slots=True)
class Measurements:
    """All figures of one run of the benchmark: on which day, with which Python, and how many runs each."""

    day: str
    python: str
    runs: int
    figures: tuple[Figure, ...]

    @property
    def pairs(self) -> tuple[Figure, ...]:
        """Those of `PAIRS`, in this order."""
        by_name: Mapping[str, Figure] = {figure.name: figure for figure in self.figures}
        return tuple(by_name[name] for name in PAIRS)


def read() -> Measurements:
    """The measurements of the last run."""
    data = json.loads(FILE.read_text("utf-8"))
    return Measurements(**{**data, "figures": tuple(Figure(**figure) for figure in data["figures"])})


def write(measurements: Measurements) -> None:
    """Keeps them as those of the last run."""
    FILE.write_text(json.dumps(asdict(measurements), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def amount(value: float, unit: str) -> str:
    """`37 s`, `2.9 s`, `147 MiB`."""
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"


def user_page(measurements: Measurements) -> str:
    """`docs/figures.md`: three comparisons in absolute units."""
    rows = [
        (figure.name, amount(figure.ours, figure.unit), amount(figure.other or 0, figure.unit))
        for figure in measurements.pairs
    ]
    description = "Bars: " + "; ".join(f"{name}, {old} with 0.2.2 and {new} with amicleaner" for name, new, old in rows)
    return f"""# How fast is it?

![{description}](figures.svg)

{_table(("", "amicleaner", "aws-amicleaner 0.2.2"), rows)}
- **{DELETE}** with 500 snapshots: AWS accepts a burst of 100 deregistrations and then five per second. amicleaner leaves
  a part of that rate to others, deletes the snapshots in the same call, and checks again while it deletes.
- **{PLAN}**, with 3,000 instances, 400 launch templates and 300 Auto Scaling groups, at 50 ms per call.
  amicleaner reads every page of everything that may use an AMI; 0.2.2 reads fewer kinds, and only the first page of each.
- **{MEMORY}**: grows by about 3 KiB per AMI.

Measured on {measurements.day} with Python {measurements.python} against a simulated AWS on the same machine.
Each figure is the median of {measurements.runs} runs, alternating with the old tool.
[All measurements](contributing/measurements.md) are for contributors.
"""


def contributor_page(measurements: Measurements) -> str:
    """`docs/contributing/measurements.md`: every figure with its limit."""
    return f"""# What is measured, and what are the limits?

`tox -e bench` measured this on {measurements.day} with Python {measurements.python}: whole processes, the median of
{measurements.runs} runs, alternating with aws-amicleaner 0.2.2, against the fake AWS of the tests. The numbers are in
`bench/figures.json`. A ratio above its limit is a regression, except against AWS's rate: the row below that one says why.

{_table(("what", "amicleaner", "compared with", "ratio", "limit"), map(_row, measurements.figures))}"""


def _row(figure: Figure) -> Sequence[str]:
    other = f"{figure.other:.3g} ({figure.against})" if figure.other is not None else ""
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
    limit = f"{figure.goal:.2f}" if figure.goal is not None else figure.note
    return figure.name, f"{figure.ours:.3g} {figure.unit}", other, ratio, limit


def row(figure: Figure) -> str:
    """A row of the table for contributors."""
    return f"| {' | '.join(_row(figure))} |"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *rows))
