"""Ids as Leadgate prints them: ``W10``, ``J2``, ``batch 3``, ``lead 5``, ``A12``, ``R12``.

Belongs here: reading one that was typed or pasted. Does not belong here: whether it exists (``ledger``).
"""

from __future__ import annotations

import re
from typing import Final, Literal

from leadgate.errors import LeadgateError

Kind = Literal["lead", "journey", "work item", "batch", "action", "saved view", "record"]

_KINDS: Final[dict[str, Kind]] = {
    "L": "lead",
    "J": "journey",
    "W": "work item",
    "B": "batch",
    "A": "action",
    "V": "saved view",
    "R": "record",
}
_LETTERS: Final[dict[Kind, str]] = {kind: letter for letter, kind in _KINDS.items()}
#: How an id of each kind is printed.
_EXAMPLES: Final[dict[Kind, str]] = {
    "lead": "5",
    "journey": "J2",
    "work item": "W12",
    "batch": "3",
    "action": "A12",
    "saved view": "V3",
    "record": "R12",
}
_REFERENCE: Final = re.compile(
    rf"\s*(?:(?P<word>{'|'.join(_LETTERS)})\s+)?(?P<letter>[{''.join(_KINDS)}])?(?P<number>\d{{1,18}})\s*",
    re.IGNORECASE,
)


class IdError(LeadgateError, ValueError):
    """What was typed is no id, or one of another kind; the message says which kind was expected."""


def parse(typed: str) -> tuple[Kind | None, int] | None:
    """The kind and number of an id as it is printed; no kind for a bare number, None for what is no id.

    >>> parse("W10"), parse("batch 3"), parse("7"), parse("x")
    (('work item', 10), ('batch', 3), (None, 7), None)
    """
    found = _REFERENCE.fullmatch(typed)
    if found is None:
        return None
    named: Kind | None = next((kind for kind in _LETTERS if kind == (found["word"] or "").lower()), None)
    lettered = _KINDS[found["letter"].upper()] if found["letter"] else None
    if named and lettered and named != lettered:
        return None
    return named or lettered, int(found["number"])


def parse_number(typed: str | int, expected: Kind) -> int:
    """The number of an id of the ``expected`` kind, with or without its letter. Raises ``IdError``."""
    found = parse(str(typed))
    if found is None:
        raise IdError(f"{str(typed)[:80]!r} is no {expected}; give one like {_EXAMPLES[expected]}")
    kind, number = found
    if kind not in (None, expected):
        raise IdError(
            f"{str(typed).strip()} is {_add_article(kind)}, and {_add_article(expected)} is expected; "
            f"give one like {_EXAMPLES[expected]}"
        )
    return number


def _add_article(kind: Kind | None) -> str:
    return f"an {kind}" if kind == "action" else f"a {kind}"
