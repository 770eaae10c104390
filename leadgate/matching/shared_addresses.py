"""Whether two records with one e-mail address are about one person: roles, families and successors share addresses.

Belongs here: the names beside an address. Does not belong here: records with two addresses (``persons``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from rapidfuzz.distance import OSA

from leadgate.matching.latin import latinise
from leadgate.matching.names import GENERATIONS, NICKNAME, PARTICLES, PersonName, compare_names, is_short_form

_NOT_LETTERS: Final = re.compile(r"[\W\d_]+")
#: A role's address with names as alike as a slip of the pen leaves them is one person's, unless the phones differ.
_SLIP: Final = 85
_SHORT: Final = 4  # a slip in a shorter word makes another word
_LONG: Final = 8  # two slips in a word of so many letters leave it the same


class Spelt(NamedTuple):
    """A name as it was given, of which any part may be missing."""

    given: str | None = None
    family: str | None = None


def is_shared(
    email: str,
    one: tuple[Spelt, PersonName | None],
    other: tuple[Spelt, PersonName | None],
    *,
    is_role: bool,
    phone: Literal["same", "similar", "differs", "unknown"],
) -> bool:
    """Whether two records with ``email`` are of two persons, as far as their names and phone numbers tell. Symmetric.

    A personal address is shared when the given names differ, which a family's and a successor's do; with one given
    name and two surnames when the phone numbers differ, too: else somebody married. A role's address is shared unless
    the names are the same; without names, when the phone numbers differ.
    """
    differs, sure = _compare(email, one, other)
    if is_role:
        return not sure and (differs != "no" or phone == "differs")
    return differs == "yes" or (differs == "surname" and phone == "differs")


def _compare(
    email: str, one: tuple[Spelt, PersonName | None], other: tuple[Spelt, PersonName | None]
) -> tuple[Literal["yes", "surname", "no"], bool]:
    """Whether the names differ, and whether they are surely the same."""
    if one[1] is not None and other[1] is not None:
        likeness = compare_names(one[1], other[1])
        if likeness >= _SLIP:
            return "no", likeness >= NICKNAME
        if one[1].generation != other[1].generation:
            return "yes", False
    local = _NOT_LETTERS.sub("", email.partition("@")[0])
    given, family = _split(one[0], local)
    others_given, others_family = _split(other[0], local)
    words, others = given + family, others_given + others_family
    if not words or not others or _is_other_script(words, others):
        return "no", False
    if not (given and family and others_given and others_family):
        return ("no" if _agree(words, others) else "yes"), False
    same_given, same_family = _agree(given, others_given), _agree(family, others_family)
    if (same_given and same_family) or (_agree(given, others_family) and _agree(family, others_given)):
        return "no", False
    return ("surname" if same_given else "yes"), False


@lru_cache(maxsize=10_000)
def _split(spelt: Spelt, local: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given names and surnames as words. A name that only repeats the address, such as ``jsmith``, says nothing."""
    given = tuple(latinise(spelt.given).split()) if spelt.given else ()
    family = tuple(word for word in latinise(spelt.family).split() if word not in PARTICLES) if spelt.family else ()
    family = tuple(word for word in family if word not in GENERATIONS) or family
    words = given + family
    return ((), ()) if len(words) == 1 and _NOT_LETTERS.sub("", words[0]) == local else (given, family)


def _is_other_script(words: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return all(word.isascii() for word in words) != all(word.isascii() for word in others)


def _agree(words: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether two names have a word in common: spelt alike, shortened, or written as one word with the next."""
    if "".join(words) == "".join(others):
        return True
    return any(
        is_short_form(word, each) or _begins_alike(word, each) or _is_slip(word, each)
        for word in words
        for each in others
    )


def _begins_alike(word: str, other: str) -> bool:
    shorter, longer = sorted((word, other), key=len)
    return longer.startswith(shorter) and len(shorter) != 2  # "A." and "Alexa" are short for Alexandra, "Al" may not be


def _is_slip(word: str, other: str) -> bool:
    shorter = min(len(word), len(other))
    return shorter >= _SHORT and OSA.distance(word, other) <= (2 if shorter >= _LONG else 1)
