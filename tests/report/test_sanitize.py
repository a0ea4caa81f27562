from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.report.sanitize import columns, cut, escape_control, head, safe_lines

from .accounts import hostile


@pytest.mark.parametrize(
    "text, shown",
    [
        ("front-a3c56c4", "front-a3c56c4"),
        ("日本 é שלום 😀", "日本 é שלום 😀"),
        ("C:\\images", "C:\\images"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[2J\x07\x7f\x9b", "\\x1b[2J\\x07\\x7f\\x9b"),
        ("\u202e\u2066\u200f\u200b\u200d", "\\u202e\\u2066\\u200f\\u200b\\u200d"),
        ("\u2028\u00a0\u00ad", "\\u2028\\xa0\\xad"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\ufe0fb\u3164", "a\\ufe0fb\\u3164"),
    ],
)
def test_what_is_not_a_visible_letter_becomes_an_escape(text: str, shown: str) -> None:
    assert escape_control(text) == shown


@given(st.text(st.characters()))
def test_nothing_that_moves_the_cursor_or_hides_is_left(text: str) -> None:
    shown = escape_control(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert escape_control(shown) == shown
    shown.encode("utf-8")


def test_a_message_keeps_its_own_lines() -> None:
    assert safe_lines("denied\x1b\nGrant it.", None) == ["denied\\x1b", "Grant it."]


@pytest.mark.parametrize("text, width", [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0), ("ｗ", 2)])
def test_columns(text: str, width: int) -> None:
    assert columns(text) == width


@given(hostile, st.integers(1, 30))
def test_cut_fits(text: str, width: int) -> None:
    shown = cut(escape_control(text), width)
    assert columns(shown) <= width
    assert shown == escape_control(text) or shown.endswith("…")


def test_head_does_not_split_a_wide_letter() -> None:
    assert head("日本", 3) == "日"
