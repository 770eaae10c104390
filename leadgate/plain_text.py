"""Text from outside as plain text, wherever it is read or stored: in chats, in Markdown, in a mail's header.

Belongs here: pure functions that leave nothing to interpret. Does not belong here: masking a personal value
(``masking``), what a message says (``tasks.message_texts``), or terminals and spreadsheets (``console.redaction``).
"""

from __future__ import annotations

import re
from typing import Final

#: Characters that nobody sees, that move the cursor or turn the direction of writing: controls, format characters
#: (zero width, joiners, bidirectional marks, tags), line and paragraph separators, lone surrogates.
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]+"
)
_PUNCTUATION: Final = re.compile(r"([!-/:-@\[-`{-~])")
#: What a chat service takes for a link, a mention, a format or an entity, and a sign that looks like it and is none.
_LOOKS_LIKE: Final = str.maketrans(
    {
        "<": "‹", ">": "›", "&": "＆", "*": "∗", "~": "∼", "`": "ˋ", "|": "¦", "[": "⁅", "]": "⁆", "\\": "⧵",
        "@": "＠", "#": "＃", "$": "＄", "{": "｛", "}": "｝",
    }
)  # fmt: skip
#: An underscore at the edge of a word begins or ends a format; within one, as in a key, it is a letter.
_EDGE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
#: A scheme that makes a link of what follows, and a dot within a word, which makes one of a domain.
_SCHEME: Final = re.compile(r"(?i)(?<![^\W_])([a-z][a-z0-9+.-]{1,20}):(?=\S)")
_DOT: Final = re.compile(r"(?<=\w)\.(?=\w)")


#: PostgreSQL's text cannot hold U+0000; this character stands for it.
NUL_SHOWN: Final = "\u2400"


def make_storable(value: str) -> str:
    r"""``value`` as PostgreSQL's text can hold it: a NUL is shown by its sign, half a surrogate pair as its escape.

    >>> make_storable("a\x00b"), make_storable("\ud800"), make_storable("Ann 😀")
    ('a␀b', '\\ud800', 'Ann 😀')
    """
    if value.isascii():
        return value.replace("\x00", NUL_SHOWN) if "\x00" in value else value
    return value.replace("\x00", NUL_SHOWN).encode("utf-8", "backslashreplace").decode()


def format_line(text: str, most: int) -> str:
    """``text`` on a line, without characters that nobody sees, cut to ``most`` characters.

    >>> format_line("Acme\\u202e\\r\\nBcc: all@example", 12)
    'Acme Bcc: a…'
    """
    line = " ".join(_UNSEEN.sub(" ", text[: 8 * most + 64]).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def neutralise(text: str) -> str:
    """``text`` with signs that look like markup in place of markup: no chat service finds a link, a mention, a format.

    Services differ in what they interpret, and in how it is escaped, so nothing is escaped. Line breaks stay.

    >>> neutralise("<https://evil.example|URGENT> *now* @here assigned:1_2")
    '‹https://evil.example¦URGENT› ∗now∗ ＠here assigned:1_2'
    """
    return _EDGE.sub("＿", text.translate(_LOOKS_LIKE))


def defang(text: str) -> str:
    """``text`` in which no domain, link or address can be clicked, and which a reader still understands.

    >>> defang("https://evil.example/x"), defang("jane@acme.example")
    ('https[:]//evil[.]example/x', 'jane at acme[.]example')
    """
    return _DOT.sub("[.]", _SCHEME.sub(r"\1[:]", text).replace("@", " at "))


def escape_markdown(text: str) -> str:
    """``text`` as Markdown that shows just that, in a line: every sign is escaped, so bare links are none either."""
    return _PUNCTUATION.sub(r"\\\1", _UNSEEN.sub(" ", text))


def escape_cell(text: str) -> str:
    """``text`` in a table: a page may take a cell for Markdown, or not, so nothing in it can be either."""
    return neutralise(defang(format_line(text, 300)))
