"""Searching for leads by name, company, e-mail address or phone number.

Belongs here: what a search means, and finding leads by it. Does not belong here: what is listed of the leads that are
found (``lead_list``), or the indexes (``models.leads``).

A word of a search begins a word of the lead. Words are cut by ourselves, not by a parser of PostgreSQL's text search,
whose rules for addresses and numbers nobody would guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from leadgate.ledger.database import Ledger
from leadgate.models.leads import BETWEEN_WORDS, PHONE_END, WORDS
from leadgate.plain_text import make_storable

#: Leads that are found by the indexes; of a word that more have, the newest are found by looking at the newest leads.
MOST_FOUND: Final = 2_000
_MOST_WORDS: Final = 8
_LONGEST_WORD: Final = 100  # characters
_FEWEST_DIGITS: Final = 4  # of a number that is looked for
_NUMBER: Final = re.compile(r"\+?[\d\s()./-]+")
_TO_SPACES: Final = str.maketrans(dict.fromkeys(BETWEEN_WORDS, " "))

#: Parameters: see ``Search.parameters``. A range beside the prefix: the index has it also in a prepared plan.
FOUND: Final = f"""({WORDS} @@ CAST(:words AS tsquery)
    OR ({PHONE_END} >= :phone_from AND {PHONE_END} < :phone_to AND starts_with({PHONE_END}, :phone_from)))"""


@dataclass(frozen=True)
class Search:
    """``words`` as PostgreSQL's query; None where nothing that was typed is a word. ``digits`` where it is a number."""

    words: str | None
    digits: str | None

    @property
    def parameters(self) -> dict[str, object]:
        prefix = None if self.digits is None else self.digits[::-1]
        return {"words": self.words, "phone_from": prefix, "phone_to": prefix and _find_next(prefix)}


def _find_next(prefix: str) -> str:
    """What comes behind all numbers with this prefix, in the order of any collation: digits are before letters.

    >>> _find_next("129"), _find_next("999")
    ('130', 'a')
    """
    following = str(int(prefix) + 1).zfill(len(prefix))
    return following if len(following) == len(prefix) else "a"


def read_search(typed: str) -> Search:
    """What was typed, of which nothing is interpreted.

    A number is found as people write it: without the country's code, or with a zero in its place.

    >>> read_search("Jane O'Brien").words
    "'jane':* & 'o':* & 'brien':*"
    >>> read_search("0151 / 234 567").digits
    '151234567'
    """
    words = [word[:_LONGEST_WORD] for word in make_storable(typed).lower().translate(_TO_SPACES).split()]
    digits = re.sub(r"[^0-9]", "", typed) if _NUMBER.fullmatch(typed.strip()) else ""
    ending = digits.lstrip("0")[-_LONGEST_WORD:]
    return Search(
        " & ".join(f"'{word}':*" for word in words[:_MOST_WORDS]) or None,
        ending if ending and len(digits) >= _FEWEST_DIGITS else None,
    )


def find_leads(ledger: Ledger, search: Search) -> list[int] | None:
    """The ids of all leads that match; None where there are more than ``MOST_FOUND``."""
    statement = f"SELECT id FROM lead WHERE {FOUND} LIMIT {MOST_FOUND + 1}"
    with ledger.transaction(plan_by_index=True) as connection:
        found = list(connection.execute(text(statement), search.parameters).scalars())
    return found if len(found) <= MOST_FOUND else None
