"""How alike two names of persons are.

Belongs here: nicknames, initials, swapped names, slips of the pen. Does not belong here: what else agrees
(``persons``), or the case and parts of a name (``values.names``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rapidfuzz.distance import OSA

from leadgate.matching.latin import latinise
from leadgate.values.lists import read_pairs

if TYPE_CHECKING:
    from nicknames import NickNamer

#: Belong to a surname without telling it from another.
PARTICLES: Final = frozenset({"al", "bin", "da", "de", "del", "den", "der", "di", "do", "dos", "du", "el", "la",
                               "le", "ten", "ter", "van", "von", "zu", "zum", "zur"})  # fmt: skip
#: Tell a father from his son: the one thing in a name that makes equal names different.
GENERATIONS: Final = {"jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr", "ii": "ii", "iii": "iii", "iv": "iv"}

SAME: Final = 100
SWAPPED: Final = 96  # the same words the other way round
NICKNAME: Final = 95
INITIAL: Final = 90  # "J. Smith" and "Jane Smith"
#: Two slips in a name as short as "Jo Li" make another name; in a long one they do not.
_MOST_SLIPS: Final = 2


class PersonName(NamedTuple):
    """A name for comparing: the first given name, the first surname without particles, ``jr`` or the like.

    ``canonical`` is the given name that a nickname stands for. ``initials``, each sorted, are what a nickname, a slip
    after the first letter, an initial and swapped names have in common with this one.
    """

    first: str
    last: str
    generation: str = ""
    canonical: str = ""
    initials: tuple[str, ...] = ()


@lru_cache(maxsize=100_000)
def build_name(first: str | None, last: str | None) -> PersonName | None:
    """A first and a last name for comparing; ``None`` unless there are both.

    >>> tuple(build_name("Bill", "López Díaz"))[:4], tuple(build_name("Ludwig", "van Beethoven Jr."))
    (('bill', 'lopez', '', 'william'), ('ludwig', 'beethoven', 'jr', 'ludwig', ('bl',)))
    """
    if not first or not last:
        return None
    given, surnames = latinise(first).split(), latinise(last).split()
    generation = next((GENERATIONS[word] for word in surnames[1:] if word in GENERATIONS), "")
    kept = [word for word in surnames if word not in PARTICLES and word not in GENERATIONS] or surnames
    if not given or not kept:
        return None
    canonical = read_pairs("nicknames").get(given[0], given[0])
    starts = sorted({name[0] for name in (given[0], canonical, *_list_long_forms(given[0]))}, key=_put_first(given[0]))
    initials = tuple(sorted("".join(sorted((start, kept[0][0]))) for start in starts[:_MOST_INITIALS]))
    return PersonName(given[0], kept[0], generation, canonical, initials)


#: First letters of the names that a nickname may stand for: "Lena" stands for a dozen.
_MOST_INITIALS: Final = 3


def _put_first(name: str) -> Callable[[str], tuple[bool, str]]:
    return lambda start: (start != name[0], start)


def is_short_form(one: str, other: str) -> bool:
    """Whether one given name stands for the other, as "Bob" for "Robert", or both for a third, as "Bob" and "Rob"."""
    pairs = read_pairs("nicknames")
    return (
        pairs.get(one, one) == pairs.get(other, other)
        or one in _list_long_forms(other)
        or other in _list_long_forms(one)
    )


@lru_cache(maxsize=10_000)
def _list_long_forms(name: str) -> frozenset[str]:
    """The given names that an English nickname may stand for."""
    return frozenset(_load_nicknames().canonicals_of(name))


@cache
def _load_nicknames() -> NickNamer:
    from nicknames import NickNamer

    return NickNamer()


def compare_names(one: PersonName, other: PersonName) -> int:
    """From 0 to 100; symmetric. 100 is the same name, whatever its accents and case.

    >>> [compare_names(build_name(*a), build_name(*b)) for a, b in [
    ...     (("Jörg", "Weiß"), ("Joerg", "Weiss")), (("Bob", "Smith"), ("Robert", "Smith")),
    ...     (("Keller", "Anna"), ("Anna", "Keller")), (("John", "Smith"), ("John", "Smith Jr")),
    ...     (("Alexander", "Schmidt"), ("Alexnader", "Schmidt")), (("John", "Smith"), ("Mary", "Jones"))]]
    [100, 95, 96, 50, 94, 0]
    """
    if one.generation != other.generation:
        return 50
    if (one.first, one.last) == (other.first, other.last):
        return SAME
    if (one.first, one.last) == (other.last, other.first):
        return SWAPPED
    if one.last == other.last:
        if is_short_form(one.first, other.first):
            return NICKNAME
        if 1 in (len(one.first), len(other.first)) and one.first[0] == other.first[0]:
            return INITIAL
    return max(_compare_spelling(one, other.first, other.last), _compare_spelling(one, other.last, other.first))


def _compare_spelling(one: PersonName, first: str, last: str) -> int:
    """By the slips of the pen between the names: letters left out, added, changed, or two that changed places."""
    slips = OSA.distance(one.first, first) + OSA.distance(one.last, last)
    letters = max(len(one.first) + len(one.last), len(first) + len(last))
    if slips > _MOST_SLIPS or 5 * slips > letters:
        return 0
    return round(100 * (1 - slips / letters))
