"""Messages, help and pages use one word for one thing: CONTRIBUTING.md has the vocabulary, and this test the old words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import ALL_PAGES, ROOT, Page

pytestmark = pytest.mark.once

INSTEAD = {
    r"AMIs? (?:goes|go|stays?)\b|\bstays? \(": "is deleted, is kept",
    r"places? of use\b": "reference",
    r"least IAM policy": "least-privilege policy",
    r"\b(?:is|are) only read\b": "read-only account",
    r"(?:counts?|count) as a (?:no|yes)\b|\ba yes\b|\bthe question\b": "confirmation, prompt",
    r"\bmachine formats?\b|\bdata alone\b|\ball talk\b": "machine-readable output, messages",
    r"\borphan snapshots?\b": "orphaned snapshots",
    r"\b(?:defects?|mends?|harm|faults?(?! injection))\b": "bug, fix, vulnerability, failure",
    r"\bstands? (?:beside|behind|in|on)\b": "cannot be combined with, is set in, follows",
    r"\b(?:belongs? to|needs?) --?\w+ beside\b": "requires",
    r"\bstand-ins?\b|\bgallery\b|\bbell\b|\blanes?\b|\brooms\b|\bhouse\b": "a plain noun",
    r"\bholds? everywhere\b": "invariants",
    r"\b(?:calls?|requests?) an? (?:AMI|group|parameter|cluster|page|second)\b|\bGiB and month\b": "per",
    r"\bso many\b|\ball the same\b|\bown word\b|\bof (?:it|them) neither\b": "plain words",
    r"(?<!there )\bis (?-i:none)\b(?! of)|\bis no (?:option|regular|AMI|plan|date)\b": "is not a",
    r"\bis not obeyed\b": "is not allowed",
}
"""What the vocabulary replaces, and what to say."""

INHERITED = (
    " orphan snapshots [y/N] ? : ",
    " orphan snapshots successfully removed !",
    "Removing orphan snapshots...",
    "Orphan Snapshots",
)
"""What aws-amicleaner 0.2.2 printed, and scripts may expect."""

REPLACED = re.compile("|".join(INSTEAD), re.IGNORECASE)
ALLOWED = re.compile("|".join(map(re.escape, INHERITED)))


def texts_of(path: Path) -> Iterator[str]:
    """The comments, docstrings and string literals of a module; an f-string as a whole, its values as braces."""
    source = path.read_text("utf-8")
    yield from re.findall("#.*", source)  # comments, and what looks like one in a string
    tree = ast.parse(source)
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.value


def replaced_words(texts: Iterator[str] | list[str]) -> list[str]:
    """What the texts say and should not, with the better words."""
    found = []
    for text in texts:
        text = " ".join(ALLOWED.sub("", text).split())
        if REPLACED.search(text):  # the one search that most texts need
            for pattern, better in INSTEAD.items():
                found += [f"{text!r}: not {match[0]!r}, but {better}" for match in re.finditer(pattern, text, re.IGNORECASE)]
    return found


MODULES = sorted(path for folder in ("amicleaner", "bench", "deploy", "docs") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_keeps_the_vocabulary(path: Path) -> None:
    assert replaced_words(texts_of(path)) == []


@pytest.mark.parametrize("path", ALL_PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_keeps_the_vocabulary(path: Path) -> None:
    assert replaced_words(Page(path).prose) == []


@pytest.mark.parametrize(
    "text",
    [
        "ami-1 stays (in-use): It is used by instance i-1.",
        "4 AMIs go, 17 AMIs stay",
        "--keep-previous can't stand beside --from-ids",
        "This is a fault of amicleaner",
        "an empty value is none: leave it out",
        "c.toml: 'keep' is no option.",
        "Print the least IAM policy",
        "a call a group",
    ],
)
def test_the_words_that_are_replaced_are_found(text: str) -> None:
    assert replaced_words([text])


@pytest.mark.parametrize(
    "text", ["Grant the IAM action.", "fault injection", "3 orphan snapshots successfully removed !", "standard output"]
)
def test_other_words_are_not_found(text: str) -> None:
    assert not replaced_words([text])
