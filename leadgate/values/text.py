"""Text as people and exports leave it: white space, invisible characters, ways of saying "nothing".

Belongs here: what applies to a value of any kind. Does not belong here: what one kind of value means.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from leadgate.values.marks import remove_marks

#: Characters nobody sees and databases, terminals or right-to-left readers stumble over: C0 and C1
#: controls other than white space, zero-width space, bidirectional overrides, byte order mark, lone
#: surrogates. Zero-width joiners stay: Persian and Indic names need them.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069"
    "\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_DOTTED: Final = re.compile(r"(?<=\b\w)\.\s?(?=\w\b)|(?<=\b\w)/(?=\w\b)")
_NOT_ALPHANUMERIC: Final = re.compile(r"[\W_]+")

#: Composing a long run of combining marks takes time quadratic in its length (canonical ordering).
_COMPOSED_UP_TO: Final = 1_000

#: "Nothing", in any field.
_NOTHING: Final = frozenset(
    {"-", "--", "---", "–", "—", "_", ".", "..", "...", "?", "??", "???", "/", "n/a", "#n/a", "#ref!",
     "#value!", "#null!", "#name?", "(blank)", "(none)", "(empty)", "<null>", "[null]", "\\n"}
)  # fmt: skip

#: "Nothing" where the word cannot be the value itself. "Null" and "Na" are surnames, "NA" is Namibia,
#: and "none" is an answer to a question about budget.
_NOTHING_IN_WORDS: Final = frozenset(
    {"none", "null", "nil", "nan", "undefined", "unknown", "not provided", "not available",
     "not applicable", "not specified", "no answer", "keine angabe", "k.a.", "unbekannt", "inconnu",
     "non renseigné", "desconocido", "no aplica"}
)  # fmt: skip


def as_text(value: object) -> str | None:
    """A cell as text: ``None`` and NaN are missing, ``12.0`` is ``"12"``, ``True`` is ``"true"``."""
    if isinstance(value, str):
        return value
    import pandas as pd  # slow to import, and most values are text

    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def clean_line(text: str) -> str | None:
    r"""``text`` on one line, without invisible characters, composed (NFC); ``None`` when nothing is left.

    >>> clean_line("  Acme\t\x00Inc\n")
    'Acme Inc'
    >>> clean_line(" N/A ") is None
    True
    """
    if not (text.isascii() and text.isprintable()):
        text = _UNSEEN.sub("", text)
        if len(text) <= _COMPOSED_UP_TO:
            text = unicodedata.normalize("NFC", text)
        text = " ".join(text.split())
    elif "  " in text or text[:1] == " " or text[-1:] == " ":
        text = " ".join(text.split())
    if len(text) <= 8 and text.lower() in _NOTHING:
        return None
    return text or None


def clean_lines(text: str) -> str | None:
    r"""``text`` with its line breaks, without invisible characters and outer white space.

    >>> clean_lines("Hello\r\n\x1b[31mworld ")
    'Hello\n[31mworld'
    """
    if not (text.isascii() and text.isprintable()):
        text = _UNSEEN.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return text.strip() or None


def is_no_value(text: str) -> bool:
    """Whether a cleaned value only says that there is no value ("unknown"); see where it is asked."""
    return len(text) <= 16 and text.lower() in _NOTHING_IN_WORDS


def fold(text: str) -> str:
    """``text`` for comparison: no case, accents or punctuation, single spaces.

    >>> fold("Côte d’Ivoire"), fold("U.S.A.")
    ('cote d ivoire', 'u s a')
    """
    return _NOT_ALPHANUMERIC.sub(" ", remove_marks(text).casefold()).strip()


def join_dotted(text: str) -> str:
    """``text`` with single letters that dots or slashes part written as one word.

    >>> [join_dotted(name) for name in ("Rossi S.p.A.", "Jensen A/S", "Novák s. r. o.")]
    ['Rossi SpA.', 'Jensen AS', 'Novák sro.']
    """
    return _DOTTED.sub("", text)
