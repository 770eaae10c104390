"""CSV files that people open in a spreadsheet: nothing in them is taken for a formula.

Belongs here: every CSV file that Leadgate writes, and how a value becomes a cell. Does not belong here: which values
(``queue``, ``report``).

A spreadsheet calculates a cell that begins with ``=``, ``+``, ``-`` or ``@``, and so does one that first drops spaces,
control and invisible characters, or that takes a full-width ``＝`` for the same sign. One that expects another
separator (a semicolon where a comma is a decimal sign) makes cells of the parts of a value. So an apostrophe stands in
front of every such sign, at the beginning of a value and after anything that could be taken for the end of a cell.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

_SIGNS: Final = frozenset("=+-@\u2212")  # and what is the same after compatibility normalisation (NFKC)
#: What a spreadsheet may take for the end of a cell or a line; a comma is ours, and quoted in a value.
_ENDS = re.compile("([\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029;|])")
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that show nothing
_DROPPED: Final = ("\t", "\r", "\n")  # in front of a value, where some programs read on without them
_SIGN, _UNSEEN, _TEXT = "sign", "unseen", "text"


def write(path: Path, lines: Iterable[Iterable[object]]) -> None:
    """Write ``lines`` as CSV in UTF-8 with a byte order mark, without which a spreadsheet guesses the encoding."""
    path.write_bytes(encode(lines))


def encode(lines: Iterable[Iterable[object]]) -> bytes:
    """``lines`` as ``write`` writes them to a file."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(map(guard_cell, line) for line in lines)
    return stream.getvalue().encode("utf-8-sig", errors="backslashreplace")


def guard_cell(value: object) -> object:
    """``value`` as a cell that no spreadsheet takes for a formula. A number of ours is none, whatever its sign.

    >>> (guard_cell("=1+1"), guard_cell(" ＝1+1"), guard_cell("a;-b"), guard_cell("well-known"), guard_cell(-1),
    ... guard_cell(None))
    ("'=1+1", "' ＝1+1", "a;'-b", 'well-known', -1, '')
    """
    if isinstance(value, int | float):
        return value
    text = "" if value is None else str(value).replace("\x00", "␀")
    guarded = "".join(map(_guard, _ENDS.split(text)))
    return f"'{guarded}" if guarded.startswith(_DROPPED) else guarded


def _guard(part: str) -> str:
    for character in part:
        kind = _classify(character)
        if kind is _SIGN:
            return f"'{part}"
        if kind is _TEXT:
            break
    return part


@lru_cache(maxsize=4096)
def _classify(character: str) -> str:
    if unicodedata.normalize("NFKC", character)[:1] in _SIGNS:
        return _SIGN
    # unseen: spaces, controls, marks; and quotes, which a wrong separator leaves in front of a cell
    unseen = unicodedata.category(character)[0] in "CZM" or character in _BLANK_LETTERS or character == '"'
    return _UNSEEN if unseen else _TEXT
