"""Measures everything, alternating with aws-amicleaner 0.2.2 where it can do the same; writes figures.json and the pages.

python -m bench [--runs 5] [--old PYTHON] [--only NAME ...] [--organization 500]
python -m bench --pages

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

from . import figures
from .capacity import served_a_second
from .figures import DELETE, MEMORY, PLAN, Figure
from .measure import Run, Served, middle, run, serve

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
        """`--version` and `--help`, against the old `--version`."""
        version, old = self.in_turn(None, ["--version"], ["--version"])
        help, again = self.in_turn(None, ["--help"], ["--version"])
        return [
            Figure("`--version`", "s CPU", middle(version, "cpu"), middle(old, "cpu"), "0.2.2 `--version`", 0.4),
            Figure("`--help`", "s CPU", middle(help, "cpu"), middle(again, "cpu"), "0.2.2 `--version`", 0.5),
        ]

    def demo(self) -> list[Figure]:
        """A whole demo."""
        runs = [run([*NEW, "--demo"], {}, "y\n") for _ in range(self.runs + 1)][1:]
        return [Figure("`--demo`, confirmed", "s CPU", middle(runs, "cpu"), 2.0, "a limit of 2 s", 1.0)]

    def large(self) -> list[Figure]:
        """10,000 AMIs, 3,000 instances, 400 templates, 200 launch configurations, 300 groups, at 50 ms per call."""
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
            Figure(PLAN, "s", middle(a, "wall"), middle(b, "wall"), "0.2.2", 0.85),
            Figure("calls for that plan, without those per group", "calls", calls - 300, 120, "a limit of 120", 1.0),
            Figure(
                "the fake AWS alone, requests per second", "1/s", able, needed, "what the program sends at most", None,
                "at least 5: the fake AWS is not what is measured",
            ),
        ]  # fmt: skip

    def deletion(self) -> list[Figure]:
        """250 AMIs of two snapshots at the documented rate, at 80 ms per call."""
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
            Figure("Delete 250 AMIs, against AWS's rate", "s", middle(a, "wall"), 30.0, "AWS's rate", 1.2),
            Figure(
                "first to last changing call of that deletion", "s", median(spans), 30.0, "AWS's rate", None,
                "the part left to others allows no less than (250 - 80) / 4.75 = 35.8 s",
            ),
            Figure(DELETE, "s", middle(a, "wall"), middle(b, "wall"), "0.2.2", None),
            Figure("changing calls of that deletion", "calls", changes, 250, "one per AMI", 1.02),
            Figure("throttled calls of that deletion", "calls", throttled, 250, "all of them", 0.02),
        ]  # fmt: skip

    def memory(self) -> list[Figure]:
        """50,000 AMIs, against the old tool and against 10,000 AMIs."""
        with serve("images", "50000") as served:
            a, b = self.in_turn(served, [], [])
        with serve("images", "10000") as served:
            small = [run([*NEW, "--dry-run"], served.environment) for _ in range(self.runs)]
        return [
            Figure(MEMORY, "MiB", middle(a, "peak"), middle(b, "peak"), "0.2.2", 1 / 3),
            Figure("CPU time for 50,000 AMIs", "s CPU", middle(a, "cpu"), middle(b, "cpu"), "0.2.2", None),
            Figure(
                "CPU time for 50,000 AMIs, again",
                "s CPU",
                middle(a, "cpu"),
                middle(small, "cpu"),
                "10,000 AMIs",
                6.0,
            ),
        ]

    def regions(self) -> list[Figure]:
        """17 Regions of 300 AMIs, against one Region, at 100 ms per call."""
        with serve("regions", "--latency", "0.1") as served:
            all, one = [], []
            for turn in range(self.runs + 1):
                first = run([*NEW, "--dry-run", "--region", "*"], served.environment)
                second = run([*NEW, "--dry-run", "--region", "eu-west-1"], served.environment)
                if turn:
                    all.append(first)
                    one.append(second)
        more = middle(all, "wall") - middle(one, "wall")
        return [Figure("17 Regions, extra time over one Region", "s", more, 1.5, "a limit of 1.5 s", 1.0)]

    def organization(self, accounts: int) -> list[Figure]:
        """An organization of small accounts, 17 Regions each."""
        with serve("organization", str(accounts)) as served:
            whole = run([*NEW, "--dry-run", "--region", "*", "--organization-role", "cleaner"], served.environment)
        name = f"{accounts} accounts of 17 Regions"
        return [
            Figure(f"{name}, time", "s", whole.wall, None, "", None),
            Figure(f"{name}, CPU time", "s CPU", whole.cpu, None, "", None),
            Figure(f"{name}, peak memory", "MiB", whole.peak, None, "", None),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command")
    parser.add_argument("--old", type=Path, help="the Python of an environment with 0.2.2; without it, write nothing")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        help="only these, and write nothing: start, demo, large, deletion, memory, regions",
    )
    parser.add_argument("--organization", type=int, default=0, help="also measure an organization of this many accounts")
    parser.add_argument("--pages", action="store_true", help="only write the pages and the plot again")
    options = parser.parse_args()
    if options.pages:
        write_pages(figures.read())
        return
    old = [str(options.old.absolute().parent / "amicleaner")] if options.old else NEW
    bench = Bench(old, options.runs)
    parts: dict[str, Callable[[], list[Figure]]] = {
        name: getattr(bench, name) for name in ("start", "demo", "large", "deletion", "memory", "regions")
    }
    if options.organization:
        parts["organization"] = partial(bench.organization, options.organization)
    measured = []
    for name, part in parts.items():
        if not options.only or name in options.only or name == "organization":
            for figure in part():
                measured.append(figure)
                print(figures.row(figure), flush=True)
    if options.old and not options.only:
        made = figures.Measurements(
            f"{datetime.now(UTC):%Y-%m-%d}", platform.python_version(), options.runs, tuple(measured)
        )
        figures.write(made)
        write_pages(made)


def write_pages(measurements: figures.Measurements) -> None:
    """The page for users with its plot, and the page for contributors."""
    from .plot import draw

    figures.USER_PAGE.write_text(figures.user_page(measurements), encoding="utf-8")
    figures.CONTRIBUTOR_PAGE.write_text(figures.contributor_page(measurements), encoding="utf-8")
    draw(measurements.pairs, figures.PLOT)


if __name__ == "__main__":
    main()
