"""The pages of the documentation, as what Markdown makes of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
USER_PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
OTHER_PAGES = [*sorted(DOCS.glob("*/*.md")), *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"))]
ALL_PAGES = [*USER_PAGES, *OTHER_PAGES]

_OPERATORS = {"|", "||", "&", "&&", ";", ">", ">>", "<", "(", ")"}


@dataclass(frozen=True)
class Heading:
    """A heading, and the name under which GitHub reaches it."""

    level: int
    text: str

    @property
    def anchor(self) -> str:
        """Letters, digits, dashes; GitHub's own rule."""
        return re.sub(r"[^\w\- ]", "", self.text.lower()).replace(" ", "-")


class Page:
    """A file in Markdown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text("utf-8")

    @property
    def _tokens(self) -> list[Token]:
        return _parsed(self.text)

    @property
    def _inline(self) -> list[Token]:
        return [child for token in self._tokens for child in token.children or ()]

    @property
    def headings(self) -> list[Heading]:
        """All headings, in order."""
        return [
            Heading(int(token.tag[1]), "".join(child.content for child in content.children or ()))
            for token, content in zip(self._tokens, self._tokens[1:], strict=False)
            if token.type == "heading_open"
        ]

    @property
    def links(self) -> list[str]:
        """Where links and pictures lead."""
        found = [token.attrGet("href") or token.attrGet("src") for token in self._inline]
        return [str(link) for link in found if link]

    @property
    def prose(self) -> list[str]:
        """The text, without what is in backticks or fences: a paragraph, a heading or a cell each."""
        return [
            "".join("`" if child.type == "code_inline" else child.content or " " for child in token.children or ())
            for token in self._tokens
            if token.type == "inline"
        ]

    @property
    def code(self) -> list[str]:
        """What is in backticks."""
        return [token.content for token in self._inline if token.type == "code_inline"]

    def blocks(self, language: str) -> list[str]:
        """The fenced blocks of a language."""
        return [token.content for token in self._tokens if token.type == "fence" and token.info == language]

    @property
    def tables(self) -> list[list[list[Token]]]:
        """Tables, rows, cells: the inline content of each cell. The first row is the head."""
        tables: list[list[list[Token]]] = []
        for before, token in zip(self._tokens, self._tokens[1:], strict=False):
            if token.type == "table_open":
                tables.append([])
            elif token.type == "tr_open":
                tables[-1].append([])
            elif before.type in ("td_open", "th_open"):
                tables[-1][-1].append(token)
        return tables

    @property
    def commands(self) -> Iterator[list[str]]:
        """The arguments of each amicleaner in the examples and in the text."""
        for block in (*self.blocks("sh"), *self.blocks("yaml")):
            for line in block.replace("\\\n", " ").splitlines():
                yield from _commands(line)
        for code in self.code:
            if "…" not in code:
                yield from _commands(code)


@cache
def _parsed(text: str) -> list[Token]:
    """What Markdown makes of a text; many tests read each page."""
    return MarkdownIt("commonmark").enable("table").parse(text)


def code_of(cell: Token) -> list[str]:
    """What is in backticks in a cell."""
    return [token.content for token in cell.children or () if token.type == "code_inline"]


def plain(cell: Token) -> str:
    """A cell without its marks."""
    return "".join(token.content for token in cell.children or ())


def _commands(line: str) -> Iterator[list[str]]:
    words = shlex.shlex(line.strip().removeprefix("- "), posix=True, punctuation_chars=True)
    words.whitespace_split = True
    simple: list[str] = []
    try:
        found = [*words, ";"]
    except ValueError:  # a line of a longer string
        return
    for word in found:
        if word not in _OPERATORS:
            simple.append(word)
            continue
        programs = [place for place, part in enumerate(simple) if Path(part).name == "amicleaner"]
        if programs and simple[0] not in ("docker", "uvx") and (programs[0] == 0 or simple[0] in ("exec", "run:")):
            yield simple[programs[0] + 1 :]
        simple = []
