"""How sentences are joined, for the modules that make them.  Pure."""

from __future__ import annotations


def uncapitalized(sentence: str) -> str:
    """A sentence as it follows a colon: `in use by …`.  A word all in capitals, or an option, is unchanged."""
    first = sentence.split(" ")[0]
    return sentence if len(first) > 1 and not first[1:].islower() else sentence[:1].lower() + sentence[1:]
