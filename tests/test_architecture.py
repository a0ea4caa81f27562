"""The dependency rules of the package, held against the imports of every module."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import amicleaner

pytestmark = pytest.mark.once
PACKAGE = Path(amicleaner.__file__).parent
MODULES = sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py"))

KNOWN_TO = {
    "click": ("cli.py", "completion.py"),
    "boto3": ("aws/", "demo/"),
    "botocore": ("aws/", "demo/"),
    "moto": ("demo/",),
    "prettytable": ("report/",),
    "blessings": ("report/terminal.py",),
    "time": ("clock.py",),
    "random": ("aws/rate_limits.py",),
    "signal": ("interrupts.py",),
    "tomllib": ("settings.py",),
}
"""Library to the only modules that may import it; `aws/` is everything below."""

PURE = {
    "actions.py", "arguments.py", "config.py", "decisions.py", "family.py", "filters.py",
    "mapper.py", "models.py", "options.py", "orphans.py", "plan.py", "quarantine.py", "recycle_bin.py",
    "reducer.py", "restore_steps.py", "result.py", "sources.py", "suggest.py", "uses.py",
}  # fmt: skip
"""Modules without a clock, a file, an environment, or anything that is not pure."""

HARMLESS = {
    "__future__", "collections", "dataclasses", "datetime", "decimal", "difflib", "enum", "fnmatch", "functools",
    "itertools", "json", "math", "re", "sys", "typing", "unicodedata", "warnings",
}  # fmt: skip
"""What pure modules may take from Python; `sys` for interned strings."""

ABOVE = {"aws_lambda", "cli", "completion", "demo", "execution", "github_action", "planning", "restore", "run", "run_state"}
"""Modules that put the others together: nothing in `aws/` and `report/` imports them."""

NOT_FOR_AWS = ABOVE | {"decisions", "plan", "report", "result", "view"}
NOT_FOR_REPORT = ABOVE | {"aws"}


@cache
def nodes(name: str, *, types: bool = False) -> list[ast.AST]:
    """Everything in a module that runs; with `types` also what is under TYPE_CHECKING."""
    waiting: list[ast.AST] = [ast.parse((PACKAGE / name).read_text("utf-8"))]
    found = []
    while waiting:
        node = waiting.pop()
        if not types and isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        found.append(node)
        waiting += ast.iter_child_nodes(node)
    return found


@cache
def imports(name: str, *, types: bool = False) -> set[str]:
    """The modules that a module loads, early or late; those of this package as paths: `aws/api`."""
    found = set()
    folder = Path(name).parent.parts
    for node in nodes(name, types=types):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            base = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
            path = "/".join(part for part in base if part)
            found |= {path} if node.module else {"/".join(filter(None, (path, alias.name))) for alias in node.names}
    return found


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name.startswith(entry) if entry.endswith("/") else name == entry for entry in allowed)


@pytest.mark.parametrize("name", MODULES)
def test_a_library_is_imported_only_where_it_may_be(name: str) -> None:
    for module in imports(name):
        library = module.split(".")[0]
        if library in KNOWN_TO:
            assert within(name, KNOWN_TO[library]), f"{name} imports {module}"


def test_each_rule_about_a_library_is_needed() -> None:
    for library, allowed in KNOWN_TO.items():
        for entry in allowed:
            names = [name for name in MODULES if within(name, (entry,))]
            assert any(module.split(".")[0] == library for name in names for module in imports(name)), (library, entry)


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_modules_import_only_each_other(name: str) -> None:
    for module in imports(name):
        assert module.split(".")[0] in HARMLESS or f"{module}.py" in (*PURE, "errors.py"), f"{name} imports {module}"
    for node in nodes(name):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "open", "input"), f"{name} calls {node.func.id}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(("aws/", "report/"))])
def test_aws_and_report_import_nothing_from_above(name: str) -> None:
    forbidden = NOT_FOR_AWS if name.startswith("aws/") else NOT_FOR_REPORT
    for module in imports(name):
        assert module.split("/")[0] not in forbidden, f"{name} imports {module}"


def test_only_the_clock_reads_the_time() -> None:
    for name in MODULES:
        if name != "clock.py":
            read = [node for node in nodes(name) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
            found = {ast.unparse(node) for node in read if node.attr in ("now", "utcnow", "today")}
            assert not found & {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}, name


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        name.removesuffix(".py"): {m for m in imports(name, types=True) if (PACKAGE / f"{m}.py").exists()}
        for name in MODULES
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' imports '.join((*path, module))}"
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())
