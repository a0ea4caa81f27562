"""All figures, in turn with aws-amicleaner 0.2.2 where it can do the same, into docs/figures.md and docs/figures.svg.

python -m bench [--runs 5] [--old PYTHON] [--only NAME ...] [--organization 500]

`tox -e bench` gives it the Python of an environment in which the old tool is installed.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from .capacity import served_a_second
from .figure import Figure
from .measure import ROOT, Run, Served, middle, run, serve

NEW = [sys.executable, "-m", "amicleaner"]


@dataclass(frozen=True, slots=True)
class Bench:
    old: list[str]
    runs: int

    def in_turn(self, served: Served | None, ours: Sequence[str], old: Sequence[str]) -> tuple[list[Run], list[Run]]:
        """Ours and the old tool's, A B A B, after one of each that is not counted."""
        environment = served.environment if served else {}
        a, b = [], []
        for turn in range(self.runs + 1):
            first = run([*NEW, *ours], environment, "n\n")
            second = run([*self.old, *old], environment, "n\n")
            if turn:
                a.append(first)
                b.append(second)
        return a, b

    def start(self) -> list[Figure]:
        """`--version` and `--help` beside the old `--version`."""
        version, old = self.in_turn(None, ["--version"], ["--version"])
        help, again = self.in_turn(None, ["--help"], ["--version"])
        return [
            Figure("--version", "s processor", middle(version, "cpu"), middle(old, "cpu"), "0.2.2 --version", 0.4),
            Figure("--help", "s processor", middle(help, "cpu"), middle(again, "cpu"), "0.2.2 --version", 0.5),
        ]

    def demo(self) -> list[Figure]:
        """A whole demo."""
        runs = [run([*NEW, "--demo"], {}, "y\n") for _ in range(self.runs + 1)][1:]
        return [Figure("--demo, answered with y", "s processor", middle(runs, "cpu"), 2.0, "a limit of 2 s", 1.0)]

    def large(self) -> list[Figure]:
        """10,000 AMIs, 3,000 instances, 400 templates, 200 launch configurations, 300 groups, 50 ms a call."""
        with serve("large", "--latency", "0.05") as served:
            a, b = self.in_turn(served, [], [])
        with serve("large") as alone:
            run([*NEW, "--dry-run"], alone.environment)
            asked = run([*NEW, "--dry-run"], alone.environment)
        calls = sum((alone.summary or {})["calls"].values()) / 2
        with serve("large") as idle:
            able = served_a_second(idle)
        needed = calls / asked.wall
        return [
            Figure("10,000 AMIs, 50 ms a call", "s", middle(a, "wall"), middle(b, "wall"), "0.2.2", 1.0),
            Figure("calls for them, but one a group", "calls", calls - 300, 120, "a limit of 120", 1.0),
            Figure(
                "the fake AWS alone, requests a second", "1/s", able, needed, "what the program asks without latency", None,
                "at least 5 times: the fake AWS hides nothing",
            ),
        ]  # fmt: skip

    def deletion(self) -> list[Figure]:
        """250 AMIs of two snapshots at the documented rate, 80 ms a call."""
        a, b, spans, changes, throttled = [], [], [], 0, 0
        for _ in range(self.runs):
            with serve("burst", "--latency", "0.08", "--rates") as served:
                a.append(run([*NEW, "-f", "--keep-previous", "0"], served.environment))
            summary = served.summary or {}
            changes = summary["calls"]["ec2:DeregisterImage"] + summary["calls"].get("ec2:DeleteSnapshot", 0)
            throttled = summary["outcomes"].get("RequestLimitExceeded", 0)
            spans.append(summary["changing_seconds"])
            with serve("burst", "--latency", "0.08", "--rates") as served:
                b.append(run([*self.old, "-f", "--keep-previous", "0"], served.environment))
        return [
            Figure("250 AMIs removed, of the 30 s that AWS allows", "s", middle(a, "wall"), 30.0, "AWS's rate", 1.2),
            Figure(
                "of these, from the first to the last call that changes", "s", median(spans), 30.0, "AWS's rate", None,
                "what is left to others allows no less than (250 - 80) / 4.75 = 35.8 s",
            ),
            Figure("250 AMIs removed", "s", middle(a, "wall"), middle(b, "wall"), "0.2.2", None),
            Figure("changing calls for them", "calls", changes, 250, "one an AMI", 1.02),
            Figure("throttled of them", "calls", throttled, 250, "all of them", 0.02),
        ]  # fmt: skip

    def memory(self) -> list[Figure]:
        """50,000 AMIs beside the old tool; and what five times the AMIs cost."""
        with serve("images", "50000") as served:
            a, b = self.in_turn(served, [], [])
        with serve("images", "10000") as served:
            small = [run([*NEW, "--dry-run"], served.environment) for _ in range(self.runs)]
        return [
            Figure("50,000 AMIs, peak memory", "MiB", middle(a, "peak"), middle(b, "peak"), "0.2.2", 1 / 3),
            Figure("50,000 AMIs, processor time", "s", middle(a, "cpu"), middle(b, "cpu"), "0.2.2", None),
            Figure("five times the AMIs, processor time", "s", middle(a, "cpu"), middle(small, "cpu"), "10,000 AMIs", 6.0),
        ]

    def regions(self) -> list[Figure]:
        """17 Regions of 300 AMIs beside one, 100 ms a call."""
        with serve("regions", "--latency", "0.1") as served:
            all, one = [], []
            for turn in range(self.runs + 1):
                first = run([*NEW, "--dry-run", "--region", "*"], served.environment)
                second = run([*NEW, "--dry-run", "--region", "eu-west-1"], served.environment)
                if turn:
                    all.append(first)
                    one.append(second)
        more = middle(all, "wall") - middle(one, "wall")
        return [Figure("17 Regions, longer than one by", "s", more, 1.5, "a limit of 1.5 s", 1.0)]

    def organization(self, accounts: int) -> list[Figure]:
        """An organization of small accounts, 17 Regions each."""
        with serve("organization", str(accounts)) as served:
            whole = run([*NEW, "--dry-run", "--region", "*", "--organization-role", "cleaner"], served.environment)
        if whole.status:
            raise SystemExit(f"the run over the organization ended with {whole.status}")
        name = f"{accounts} accounts of 17 Regions"
        return [
            Figure(f"{name}, wall", "s", whole.wall, None, "", None),
            Figure(f"{name}, processor time", "s", whole.cpu, None, "", None),
            Figure(f"{name}, peak memory", "MiB", whole.peak, None, "", None),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command")
    parser.add_argument("--old", type=Path, help="the Python beside which aws-amicleaner 0.2.2 is installed")
    parser.add_argument("--only", nargs="+", default=[], help="some of start, demo, large, deletion, memory, regions")
    parser.add_argument("--organization", type=int, default=0, help="accounts of an organization to measure too")
    parser.add_argument("--no-docs", action="store_true", help="print only")
    options = parser.parse_args()
    old = [str(options.old.absolute().parent / "amicleaner")] if options.old else NEW
    bench = Bench(old, options.runs)
    parts: dict[str, Callable[[], list[Figure]]] = {
        name: getattr(bench, name) for name in ("start", "demo", "large", "deletion", "memory", "regions")
    }
    if options.organization:
        parts["organization"] = partial(bench.organization, options.organization)
    figures = []
    for name, part in parts.items():
        if not options.only or name in options.only or name == "organization":
            for figure in part():
                figures.append(figure)
                print(row(figure), flush=True)
    if not options.no_docs:
        write(figures, options.runs)


def row(figure: Figure) -> str:
    """A row of the table."""
    other = f"{figure.other:.3g} ({figure.against})" if figure.other is not None else ""
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
    goal = f"{figure.goal:.2f}" if figure.goal is not None else figure.note
    return f"| {figure.name} | {figure.ours:.3g} {figure.unit} | {other} | {ratio} | {goal} |"


def write(figures: Sequence[Figure], runs: int) -> None:
    """The table and the plot."""
    from .plot import draw

    text = [
        "# Figures",
        "",
        f"Made by `tox -e bench` on {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()}. Whole processes,",
        f"medians of {runs} runs, in turn with aws-amicleaner 0.2.2, against the fake AWS of the tests.",
        "",
        "![ratios](figures.svg)",
        "",
        "| what | amicleaner | beside | ratio | at most |",
        "| --- | --- | --- | --- | --- |",
        *map(row, figures),
        "",
    ]
    (ROOT / "docs" / "figures.md").write_text("\n".join(text), encoding="utf-8")
    shown = [figure for figure in figures if figure.ratio is not None and figure.goal is not None]
    draw(shown, ROOT / "docs" / "figures.svg")


if __name__ == "__main__":
    main()
