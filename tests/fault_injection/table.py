"""Which call fails how, and the page that says what happened: rows are calls, columns are failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from tests.fake_aws.faults import Kind

from .scene import UNSURE, Scene, Seen, When, check, scene

PAGE = Path(__file__).parents[2] / "docs" / "contributing" / "failures.md"


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
    "again": ", read again",
    "deleting": "",
    "last": ", the last one",
    "orphans": ", orphaned",
    "singly": ", of an AMI",
}

ONCE = "DescribeRegions ListAccounts GetCallerIdentity".split()
BOTH = (
    "DescribeInstances DescribeLaunchConfigurations DescribeLaunchTemplateVersions DescribeAutoScalingGroups "
    "DescribeSpotFleetRequests DescribeSpotInstanceRequests DescribeFleets GetParameters DescribeInstanceRefreshes "
    "DescribeImageReferences DescribeComputeEnvironments DescribeFastLaunchImages ListImageRecipes ListContainerRecipes "
    "ListImagePipelines ListImagePipelineImages GetImage DescribeImages DescribeSnapshots ListRules GetRule "
    "DescribeImageAttribute AssumeRole"
).split()
FIRST = ["ListImagesInRecycleBin"]
UNPAGED = {
    "AssumeRole", "DescribeImageAttribute", "DescribeRegions", "GetCallerIdentity", "GetImage", "GetParameters", "GetRule",
}  # fmt: skip
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
    Column("throttled", "throttle", 3, "AWS throttles it three times, then responds"),
    Column("500 passing", "http500", 2, "a status 500 with an HTML page twice, then a response"),
    Column("500", "http500", None, "a status 500 with an HTML page, each time"),
    Column("HTML", "html", None, "an HTML page that is not XML, with status 200, each time (a proxy)"),
    Column("XHTML", "xhtml", None, "an HTML page that is also XML and parses as a response without members, each time"),
    Column("empty", "empty", None, "status 200 and an empty body, each time"),
    Column("half", "truncated", None, "AWS acts and half of its response arrives, each time"),
    Column("cut before", "cut", 1, "the connection is cut before AWS acts, once"),
    Column("cut in response", "cut-after", 1, "AWS acts, and the connection is cut in the middle of the response, once"),
    Column("response lost", "lost", 1, "AWS acts, and no response arrives, once"),
    Column("lost, refused", "lost", 1, "AWS acts and no response arrives, and every further attempt is refused"),
    Column("silence", "hang", None, "no response within the time limit, each time"),
    Column("silence after", "hang-after", 1, "AWS acts, and no response arrives within the time limit, once"),
)
assert {column.kind for column in COLUMNS} <= set(get_args(Kind))

WORDS = {
    "done": "Exit status 0. The call was tried again, and everything was deleted and reported.",
    "nothing": "Exit status 1 with one message that names the call. Nothing was deleted.",
    "stopped": "Exit status 1 with one message that names the call. No AMI was deregistered. The orphaned snapshots, which "
    "had a prompt of their own, were deleted before, and reported.",
    "failed": "Exit status 1. What AWS refused is named with AWS's code and message, and still exists. A missing permission "
    "stopped the target.",
    "unsure": "Exit status 1. A call that changes something got no response, so that it may be done. The report says so.",
}

HEAD = """# What does every failure of every call do?

`python -m tests.fault_injection` writes this page; `pytest -m faults` compares all of it with the program.

Each cell is a whole run in two accounts of an organization, against a fake AWS, with every kind of reference that is read by
default, orphaned snapshots, launch permissions, AMIs that share snapshots, and a prompt that is answered after an hour, so
that everything is read again. One call fails in one way. After each run, these statements held:

- nothing outside the plan was deleted;
- every AMI and snapshot was where the report, the JSON output and the audit log said;
- the report called nothing deleted that still existed, and left out nothing that the run deleted;
- the audit log had an end for each beginning;
- the exit status was the documented one, and no other error came out;
- a second run without failures finished the work.

*Page 2* means that the call fails on its second page, *read again* that it fails after the confirmation. Calls that change
something are bold.
"""

TAIL = """
Three calls are not tried again where others are: half a response of `GetParameters` and `ListAccounts`, which is JSON, looks
like a response without its list, and credentials that cannot be read in a response of `AssumeRole` are missing. Nothing is
deleted then, and the command can be run again.
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
        assert not result.warnings, result.warnings
        return "done"
    failures = [ami.error for ami in result.failed_amis] + [snapshot.error for snapshot in result.failed_snapshots]
    if any(failure and UNSURE in failure.message for failure in failures):
        return "unsure"
    if failures:
        return "failed"
    assert not result.amis
    assert scene.gone == scene.go.orphans
    return "stopped"


def line_of(row: Row) -> str:
    """Fails one call in every way; the row of the page that says what was seen."""
    name = f"**{row.name}**" if row in CHANGES else row.name
    return f"| {' | '.join([name, *(seen_of(Cell(row, column)) for column in COLUMNS)])} |"


def page(lines: Sequence[str]) -> str:
    """The page, from its rows."""
    head = f"| call | {' | '.join(column.name for column in COLUMNS)} |\n{'| --- ' * (len(COLUMNS) + 1)}|\n"
    table = head + "".join(f"{line}\n" for line in lines)
    meanings = "".join(f"- **{word}**: {text}\n" for word, text in WORDS.items() if f"| {word} |" in table)
    faults = "".join(f"- **{column.name}**: {column.words}.\n" for column in COLUMNS)
    return f"{HEAD}\n{table}{TAIL}\n## What happened\n\n{meanings}\n## The failures\n\n{faults}"


SAMPLE = (
    *(Cell(row, column) for row, column in zip(ROWS[:: len(ROWS) // len(COLUMNS)], COLUMNS, strict=False)),
    *(Cell(row, COLUMNS[(5 * number + step) % len(COLUMNS)]) for number, row in enumerate(CHANGES) for step in (0, 4, 9)),
)
"""What CI tries: each failure of one call, and several of each changing call."""
