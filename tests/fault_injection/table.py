"""Which call goes wrong how, and the page that says what was seen: rows are calls, columns are faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from tests.fake_aws.faults import Kind

from .scene import UNSURE, Scene, Seen, When, check, scene

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


@dataclass(frozen=True)
class Row:
    """A call, and which of its calls in a run go wrong."""

    action: str
    when: When

    @property
    def name(self) -> str:
        return f"{self.action}{MOMENTS[self.when]}"


@dataclass(frozen=True)
class Column:
    """A fault; `times` None: it lasts."""

    name: str
    kind: str
    times: int | None
    words: str


MOMENTS: Mapping[When, str] = {
    "reading": "",
    "page": ", page 2",
    "again": ", asked again",
    "deleting": "",
    "last": ", the last one",
    "orphans": ", orphans",
    "singly": ", of an AMI",
}

ONCE = "DescribeRegions ListAccounts GetCallerIdentity".split()
BOTH = (
    "DescribeInstances DescribeLaunchConfigurations DescribeLaunchTemplateVersions DescribeAutoScalingGroups "
    "DescribeSpotFleetRequests DescribeSpotInstanceRequests DescribeFleets GetParameters DescribeInstanceRefreshes "
    "DescribeImageReferences DescribeImageAttribute AssumeRole"
).split()
FIRST = "DescribeImages DescribeSnapshots ListImagesInRecycleBin".split()
UNPAGED = {"GetParameters", "DescribeImageAttribute", "DescribeRegions", "GetCallerIdentity", "AssumeRole"}
CHANGES = (
    Row("DeleteSnapshot", "orphans"),
    Row("DeregisterImage", "deleting"),
    Row("DeregisterImage", "last"),
    Row("DeleteSnapshot", "singly"),
)

ROWS = (
    *(Row(action, "reading") for action in (*ONCE, *FIRST, *BOTH)),
    *(Row(action, "page") for action in (*ONCE, *FIRST, *BOTH) if action not in UNPAGED),
    *(Row(action, "again") for action in BOTH),
    *CHANGES,
)

COLUMNS = (
    Column("refused", "refuse", None, "AWS refuses it (`UnauthorizedOperation`, `AccessDenied`), each time"),
    Column("throttled", "throttle", 3, "AWS throttles it three times, then answers"),
    Column("500 passing", "http500", 2, "a status 500 with a page of HTML twice, then an answer"),
    Column("500", "http500", None, "a status 500 with a page of HTML, each time"),
    Column("HTML", "html", None, "a page of HTML that is no XML, with status 200, each time (a proxy)"),
    Column("XHTML", "xhtml", None, "a page that is XML too, which parses as an answer without members, each time"),
    Column("empty", "empty", None, "status 200 and nothing more, each time"),
    Column("half", "truncated", None, "AWS acts and half of its answer comes, each time"),
    Column("cut before", "cut", 1, "the connection is cut before AWS acts, once"),
    Column("cut in answer", "cut-after", 1, "AWS acts, and the connection is cut in the middle of the answer, once"),
    Column("answer lost", "lost", 1, "AWS acts, and no answer comes, once"),
    Column("lost, refused", "lost", 1, "AWS acts and no answer comes, and every further try is refused"),
    Column("silence", "hang", None, "no answer within the time limit, each time"),
    Column("silence after", "hang-after", 1, "AWS acts, and no answer comes within the time limit, once"),
)
assert {column.kind for column in COLUMNS} <= set(get_args(Kind))

WORDS = {
    "done": "Exit status 0: the fault was ridden out, everything that was to go is gone and is said to be gone.",
    "nothing": "Exit status 1 with one message that names the call; nothing was deleted anywhere, orphans neither.",
    "stopped": "Exit status 1 with one message that names the call; no AMI was deregistered. The orphan snapshots, which "
    "had had their own yes, were gone by then, and are said to be.",
    "failed": "Exit status 1: what could not be removed is named with AWS's code and message, and is there; the rest "
    "is gone.",
    "unsure": "Exit status 1: what could not be removed is named with AWS's code and message; a try of it got no answer, so "
    "that it may be gone all the same, and the report says so; the rest is gone.",
}

HEAD = """# When calls go wrong

`python -m tests.faults` makes this page; a test holds a part of it against the program, `pytest -m faults` the whole.

A whole run in two accounts of an organization, against a simulated AWS: every place of use, orphan snapshots, references,
instance refreshes, launch permissions, AMIs that share snapshots, a question that is answered after an hour, and everything
asked again. One call of it goes wrong, in one way. After each such run the following was so, or there would be no page:

- nothing outside the plan is gone;
- every AMI and snapshot is where the report, the JSON output and the audit log say;
- nothing is called removed or deleted that is not gone, and nothing that this run made go is missing in the report;
- the audit log has an end for each beginning;
- the exit status is that of the [README](../README.md), and no other error comes out;
- a second run, without faults, finishes the work.

A call with *page 2* goes wrong on its second page, one *asked again* goes wrong after the yes. What changes something is
bold.
"""

TAIL = """
Three calls are given up at once where others are tried again: half an answer of `GetParameters` and `ListAccounts`, which is
JSON, looks like an answer without its list; and credentials that can't be made out in an answer of `AssumeRole` are none.
Nothing is deleted then, and the command can be run again.
"""


@dataclass(frozen=True)
class Cell:
    """One call and one fault."""

    row: Row
    column: Column

    def __str__(self) -> str:
        return f"{self.row.name}: {self.column.name}"

    def prepare(self, scene: Scene) -> None:
        """Sets the rules of the fault."""
        row, column = self.row, self.column
        members: dict[str, Any] = {"times": column.times}
        scene.fault(row.action, row.when, column.kind, **members)
        if column.name == "lost, refused":
            scene.fault(row.action, row.when, "refuse", nth=2, times=None)


def seen_of(cell: Cell) -> str:
    """Does it, holds what must hold against what is, and says in a word what was seen."""
    with scene() as made:
        return outcome(cell, made)


def outcome(cell: Cell, made: Scene) -> str:
    cell.prepare(made)
    seen = made.run()
    assert any(fault.seen >= fault.nth for fault in made.flow.fake_aws.faults), "the fault never happened"
    check(made, seen)
    word = word_of(made, seen)
    made.second()
    return word


def word_of(scene: Scene, seen: Seen) -> str:
    if seen.result is None:
        return "nothing"
    result = seen.result
    if seen.status == 0:
        assert not result.warnings
        return "done"
    failures = [ami.error for ami in result.failed_amis] + [snapshot.error for snapshot in result.failed_snapshots]
    if any(failure and UNSURE in failure.message for failure in failures):
        return "unsure"
    if failures:
        return "failed"
    assert not result.amis
    assert scene.gone == scene.go.orphans
    return "stopped"


def page(words: Mapping[Cell, str]) -> str:
    """The page, from a word for each cell."""
    lines = [["call", *(column.name for column in COLUMNS)], ["---"] * (len(COLUMNS) + 1)]
    for row in ROWS:
        changing = row in CHANGES
        cells = [words[Cell(row, column)] for column in COLUMNS]
        lines.append([f"**{row.name}**" if changing else row.name, *cells])
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    used = [word for word in WORDS if word in words.values()]
    meanings = "".join(f"- **{word}**: {WORDS[word]}\n" for word in used)
    faults = "".join(f"- **{column.name}**: {column.words}.\n" for column in COLUMNS)
    return f"{HEAD}\n{table}{TAIL}\n## The words\n\n{meanings}\n## The faults\n\n{faults}"


CELLS = tuple(Cell(row, column) for row in ROWS for column in COLUMNS)

SAMPLE = tuple(
    Cell(row, COLUMNS[(5 * number + step) % len(COLUMNS)])
    for number, row in enumerate(ROWS)
    for step in range(0, len(COLUMNS), 3 if row in CHANGES else len(COLUMNS))
)
"""What CI tries: each call in one way, a changing one in several."""
