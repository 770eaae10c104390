"""Text as plain text: nothing of it is a link, a mention, a format, markup, a second line or unseen."""

from __future__ import annotations

import doctest
import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from leadgate import plain_text
from leadgate.plain_text import defang, escape_cell, escape_markdown, format_line, neutralise

SIGNS = r"<>&*_~`|[](){}#@!\\:/.-+=$%^'\"\n\r\t \u200b\u202e\u2066\ufeff\U000e0041\ud800aZé0"
hostile = st.text(st.sampled_from(SIGNS) | st.characters(), max_size=60) | st.sampled_from(
    ["x@<https://evil.example|URGENT>", "<!channel>", "@everyone", "<@U123>", "![](https://evil.example/x.png)",
     "[a](javascript:alert(1))", "<script>alert(1)</script>", "&lt;!here&gt;", "*bold* _it_ ~~gone~~ `code`",
     "Subject\r\nBcc: all@evil.example", "safe\u202egpj.exe", "in\u200bvisible", "https://evil.example", "evil.example"]
)  # fmt: skip


def test_examples_in_docstrings() -> None:
    found = doctest.testmod(plain_text)
    assert found.attempted
    assert not found.failed


@given(hostile, st.integers(2, 40))
def test_a_line_is_one_line_of_seen_characters_no_longer_than_asked(text: str, most: int) -> None:
    line = format_line(text, most)
    assert len(line) <= most
    assert not [c for c in line if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not set(line) & set("\u200b\u200d\u202a\u202e\u2066\u2069\ufeff\U000e0041\u00ad")
    assert format_line(line, most) == line


@given(hostile)
def test_neutral_text_has_nothing_that_a_chat_interprets(text: str) -> None:
    plain = neutralise(text)
    assert not set(plain) & set("<>&*~`|[]\\@#${}")
    assert not re.search(r"(?<![^\W_])_|_(?![^\W_])", plain)
    assert len(plain) == len(text)
    assert neutralise(plain) == plain


@given(st.from_regex(r"[a-z]+(_[a-z]+)*(:[0-9]+){1,4}", fullmatch=True))
def test_a_key_is_left_as_it_is(key: str) -> None:
    assert neutralise(key) == key


@given(hostile)
def test_nothing_defanged_is_a_link_a_domain_or_an_address(text: str) -> None:
    safe = defang(text)
    assert not re.search(r"\w\.\w", safe)
    assert "@" not in safe
    assert not re.search(r"(?i)(https?|javascript|mailto|data):\S", safe)


_COMMONMARK = MarkdownIt("commonmark").enable("table")


@given(hostile)
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    shown = " ".join(format_line(text, 1000).split())
    rendered = _COMMONMARK.render(f"- {escape_markdown(shown)}")
    assert rendered == (
        f"<ul>\n<li>{html.escape(shown, quote=True).replace('&#x27;', chr(39))}</li>\n</ul>\n"
        if shown
        else "<ul>\n<li></li>\n</ul>\n"
    )


@pytest.mark.parametrize("text", ["https://evil.example", "www.evil.example", "jane@evil.example"])
def test_a_bare_link_is_escaped_too_because_pages_find_those(text: str) -> None:
    assert not re.search(
        r"https?:|www\.|@", escape_markdown(text).replace(r"\:", "").replace(r"\.", "").replace(r"\@", "")
    )


def test_a_cell_of_a_table_that_is_no_markdown_shows_no_link_either() -> None:
    assert escape_cell("J1: ![x](https://evil.example)\u202e") == "J1: !⁅x⁆(https⁅:⁆//evil⁅.⁆example)"
