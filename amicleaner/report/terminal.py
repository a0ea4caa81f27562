"""Bold and colour, on a terminal that has them.  The only module that knows blessings, which it loads late: blessings needs
curses, and fails for a terminal that it does not know."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any


def plain(text: str) -> str:
    """The text as it is."""
    return text


@dataclass(frozen=True, slots=True)
class Styles:
    """Each puts a text in its style; without styles it comes back as it is.  Red is what is deleted and what failed."""

    bold: Callable[[str], str] = plain
    red: Callable[[str], str] = plain
    yellow: Callable[[str], str] = plain


PLAIN = Styles()

MUTE = ("", "dumb", "unknown")
"""What `TERM` says of a terminal that can do nothing, or that nothing is known about."""


def styles_for(stream: IO[str] | None, environ: Mapping[str, str]) -> Styles:
    """The styles of a stream: plain in a pipe, with `NO_COLOR` (not empty, as no-color.org has it), and where `TERM` is
    dumb, empty or unknown."""
    kind = environ.get("TERM", "")
    if environ.get("NO_COLOR") or kind in MUTE or not is_terminal(stream):
        return PLAIN
    try:
        from blessings import Terminal  # type: ignore[import-untyped]

        terminal: Any = Terminal(kind=kind, stream=stream)
        styles = Styles(terminal.bold, terminal.red, terminal.yellow)
        styles.red("")
    except Exception:
        # No curses, no terminfo entry, a stream without a descriptor: no style is worth a failed run.
        return PLAIN
    return styles


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person may be looking.  Also accepts no stream (`>&-`) and a closed one."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError, OSError):
        return False


def width_of(stream: IO[str] | None) -> int | None:
    """The columns of the terminal behind a stream; None in a pipe, and for a terminal of unknown size."""
    if stream is None or not is_terminal(stream):
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None
