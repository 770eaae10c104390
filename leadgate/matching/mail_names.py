"""What the part of an e-mail address before the @ tells about its owner, and how alike two addresses are.

Belongs here: names in addresses, slips in them. Does not belong here: reading an address (``values.addresses``), or
several persons with one (``shared_addresses``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from rapidfuzz.distance import OSA

from leadgate.matching.latin import latinise

_PARTS: Final = re.compile(r"[._\-]+")
_NOT_LETTERS: Final = re.compile(r"[\W\d_]+")
_DIGITS: Final = re.compile(r"\d+")
#: The fewest letters before the @ that tell one person from another.
_TELLING: Final = 6


@lru_cache(maxsize=100_000)
def guess_name(local: str) -> tuple[str, str] | None:
    """A given name and a surname, in any order, or an initial and a surname; None where nothing says which.

    >>> guess_name("anna.keller82"), guess_name("jsmith"), guess_name("k_vogel"), guess_name("x1"), guess_name("a.b.c")
    (('anna', 'keller'), ('j', 'smith'), ('k', 'vogel'), None, None)
    """
    words = [word for part in _PARTS.split(local.partition("+")[0]) if (word := _NOT_LETTERS.sub("", part))]
    if len(words) == 1 and len(words[0]) > 3:
        return words[0][0], words[0][1:]
    if len(words) == 2 and max(map(len, words)) > 2:
        first, last = words
        return (last, first) if len(last) == 1 else (first, last)
    return None


@lru_cache(maxsize=100_000)
def build_local_key(local: str) -> str:
    """What is before the @ without dots and tags; empty where it is too short to tell one person from another.

    >>> build_local_key("Anna.Keller82+news"), build_local_key("ak")
    ('annakeller82', '')
    """
    plain = latinise(local.partition("+")[0]).replace(" ", "")
    return plain if len(plain) >= _TELLING else ""


def compare_addresses(one: str, other: str) -> Literal["same", "similar", "differs"]:
    """Addresses are similar with a slip of the pen before the @, or with the same telling part before it.

    >>> [compare_addresses("anna.keller@acme.example", other) for other in ("ana.keller@acme.example",
    ...     "anna.keller@acme.test", "anna.keller2@acme.example", "a.keller@acme.example")]
    ['similar', 'similar', 'differs', 'differs']
    """
    if one == other:
        return "same"
    (local, _, domain), (other_local, _, other_domain) = one.partition("@"), other.partition("@")
    key, other_key = build_local_key(local), build_local_key(other_local)
    if not key or not other_key:
        return "differs"
    if key == other_key:
        return "similar"
    alike = domain == other_domain and OSA.distance(key, other_key) <= 1 and key[0] == other_key[0]
    return "similar" if alike and _DIGITS.findall(key) == _DIGITS.findall(other_key) else "differs"


def is_numbered(local: str) -> bool:
    """Whether two digits or more tell this address from those of namesakes."""
    return sum(map(len, _DIGITS.findall(local))) >= 2
