"""The rules of docs/architecture.md, held against the imports of every file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import amicleaner

pytestmark = pytest.mark.once
PACKAGE = Path(amicleaner.__file__).parent
PAGE = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text("utf-8")
FILES = sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py"))

_RULES, _PURE = re.search(r"## Who may know what\n(.*?)\nPure, (.*?)\.\n\n", PAGE, re.DOTALL).groups()  # type: ignore[union-attr]

KNOWN_TO = {
    library: tuple(re.findall(r"`([^`]+)`", rooms))
    for libraries, rooms in re.findall(r"^\| (`.+`) \| (`.+`) \|$", _RULES, re.MULTILINE)
    for library in re.findall(r"`([^`]+)`", libraries)
}
PURE = re.findall(r"`([^`]+\.py)`", _PURE)

HARMLESS = {
    "__future__", "collections", "dataclasses", "datetime", "decimal", "enum", "fnmatch", "functools", "itertools", "json",
    "math", "re", "sys", "typing",
}  # fmt: skip
"""What pure rooms may take from Python; `sys` for interned texts."""


def nodes(name: str) -> Iterator[ast.AST]:
    """Everything in a file that runs: what stands under TYPE_CHECKING does not."""
    waiting: list[ast.AST] = [ast.parse((PACKAGE / name).read_text("utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def imports(name: str) -> set[str]:
    """The modules that a file loads, early or late; those of this package as paths: `aws/api`."""
    found = set()
    folder = Path(name).parent.parts
    for node in nodes(name):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            base = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
            path = "/".join(part for part in base if part)
            found |= {path} if node.module else {"/".join(filter(None, (path, alias.name))) for alias in node.names}
    return found


def within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name.startswith(room) if room.endswith("/") else name == room for room in rooms)


def test_the_page_has_rules() -> None:
    assert {"click", "boto3", "botocore", "blessings", "prettytable", "moto", "time"} <= KNOWN_TO.keys()
    assert KNOWN_TO["click"] == ("cli.py",)
    assert {"mapper.py", "filters.py", "reducer.py", "plan.py", "config.py"} <= {*PURE}


@pytest.mark.parametrize("name", FILES)
def test_a_library_is_known_where_the_page_says_so(name: str) -> None:
    for module in imports(name):
        library = module.split(".")[0]
        if library in KNOWN_TO:
            assert within(name, KNOWN_TO[library]), f"{name} imports {module}"


def test_each_rule_is_needed() -> None:
    for library, rooms in KNOWN_TO.items():
        for room in rooms:
            names = [name for name in FILES if within(name, (room,))]
            assert any(module.split(".")[0] == library for name in names for module in imports(name)), (library, room)


@pytest.mark.parametrize("name", PURE)
def test_pure_rooms_know_only_each_other(name: str) -> None:
    for module in imports(name):
        assert module.split(".")[0] in HARMLESS or f"{module}.py" in (*PURE, "errors.py"), f"{name} imports {module}"
    for node in nodes(name):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("now", "today", "utcnow") or ast.unparse(node).startswith(("it.", "self.", "plan."))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "open", "input"), f"{name} calls {node.func.id}"


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(("aws/", "report/"))])
def test_aws_and_report_know_nothing_of_each_other_and_of_those_above(name: str) -> None:
    above = ("cli", "run", "planning", "execution", "demo", "completion", "report" if name.startswith("aws/") else "aws")
    for module in imports(name):
        assert module.split("/")[0] not in above, f"{name} imports {module}"


def test_nothing_but_the_clock_reads_the_time() -> None:
    for name in FILES:
        if name != "clock.py":
            calls = [ast.unparse(node.func) for node in nodes(name) if isinstance(node, ast.Call)]
            assert not {*calls} & {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}, name


def test_every_room_stands_in_the_page() -> None:
    (rooms,) = re.findall(r"## The rooms\n(.*?)\n## ", PAGE, re.DOTALL)
    named = tuple(re.findall(r"`([\w/]+(?:\.py|/))`", rooms))
    for name in FILES:
        assert within(name, named) or name.endswith(("__init__.py", "__main__.py")), name
    for room in named:
        assert any((PACKAGE / folder / room).exists() for folder in ("", "aws", "aws/deletion")), room
