"""Accents and other combining marks taken off, for comparing texts.

Belongs here: this alone, without pandas, because the process that reads untrusted files needs it and has little memory.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_PIECE: Final = 200


def remove_marks(text: str) -> str:
    """``text`` in compatibility form (NFKD) without accents and other combining marks.

    Piece by piece: putting a long run of marks in order takes time quadratic in its length, and the marks go anyway.

    >>> remove_marks("Zoë ﬁnds Å")
    'Zoe finds A'
    """
    if text.isascii():
        return text
    pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
    return "".join(
        char for piece in pieces for char in unicodedata.normalize("NFKD", piece) if not unicodedata.combining(char)
    )
