"""Text from AWS, made safe to show: what would move the cursor, hide itself or reorder a line becomes a visible escape.  And
text made to fit a terminal."""

import re
from unicodedata import category, east_asian_width

# Letters and marks by category, so that `str.isprintable` lets them pass, yet without a shape of their own (Unicode's
# Default_Ignorable_Code_Point): names that differ only in them would look the same.
_INVISIBLE = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10),
              *range(0xE0100, 0xE01F0)))
)  # fmt: skip

# Where a line may end: a space is dropped, other signs are kept at its end; a date breaks before its time.
_BREAK = re.compile(r" +|(?<=[-_./;,=])|(?<=\dT)(?=\d\d:)")


def escape_control(text: str) -> str:
    """`text` with everything that is not a visible letter or a space as an escape: `\\n`, `\\x1b`, `\\u202e`.

    Control characters, bidi controls, zero-width characters, exotic spaces and lone surrogates are escaped.  A backslash
    is kept: the JSON output is the exact one.  What is safe already comes back unchanged.
    """
    if text.isprintable() and (text.isascii() or _INVISIBLE.isdisjoint(text)):
        return text
    return "".join(
        char if char.isprintable() and char not in _INVISIBLE else char.encode("unicode_escape").decode() for char in text
    )


def safe_lines(text: str, width: int | None) -> list[str]:
    """The lines of a message, each the same, wrapped between words where the terminal has a width."""
    lines = map(escape_control, text.split("\n"))
    return list(lines) if width is None else [part for line in lines for part in wrap(line, width)]


def columns(text: str) -> int:
    """How many columns of a terminal visible `text` takes: two for a wide letter, none for a mark on the letter before."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if category(char) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """As much of visible `text` as fits, with `…` for what does not."""
    if columns(text) <= width:
        return text
    return head(text, width - 1) + "…"


def head(text: str, width: int) -> str:
    """The longest beginning of `text` that takes at most `width` columns."""
    taken = 0
    for index, char in enumerate(text):
        taken += _columns(char)
        if taken > width:
            return text[:index]
    return text


def wrap(text: str, width: int) -> list[str]:
    """Visible `text` in lines of at most `width` columns; at least one line, with at least one letter each."""
    lines = []
    while columns(text) > width:
        fits = head(text, width) or text[0]
        # The space on which a line ends may be just beyond it; a date's break depends on what follows.
        breaks = [found for found in _BREAK.finditer(text, 1, len(fits) + 4) if found.start() <= len(fits)]
        spaces = [found for found in breaks if found.group()]
        if spaces and columns(text[spaces[-1].end() :].partition(" ")[0]) <= width:
            # The next word fits on a line of its own: ids are never cut.
            breaks = spaces
        end, begin = (breaks[-1].start(), breaks[-1].end()) if breaks else (len(fits), len(fits))
        lines.append(text[:end])
        text = text[begin:]
    return [*lines, text] if text or not lines else lines
