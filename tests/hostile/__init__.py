"""Hostile input: words, files, texts and answers that nobody in their right mind gives."""


def moves_no_cursor(text: str) -> bool:
    """Whether all of it can be seen, but for the ends of lines.  It knows nothing of how the program sees to that."""
    return text.replace("\n", "").isprintable()
