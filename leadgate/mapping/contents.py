"""Which columns are a lead's e-mail address or phone number by their values, where their names say nothing.

Belongs here: what a value has to look like, how many of them have to, and names that speak against it. Does not belong
here: what a name means (``headers``), or which rows are looked at (``tasks.recognition``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple

from leadgate.limits import MAX_HEADER_LENGTH
from leadgate.mapping.headers import split_words
from leadgate.values.lists import read_words

#: The share of a column's values that have to be addresses, or numbers; and the share of rows that have to have one.
SHARE: Final = 0.8
FILLED: Final = 0.1

_LONGEST: Final = 254
_ADDRESS: Final = re.compile(r"""[^\s@<>()\[\]",;:]{1,64}@[^\s@<>()\[\]",;:/]{1,253}""")
_DOMAIN: Final = re.compile(r"(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62}")
_ABROAD: Final = re.compile(r"(?:\+|00)[\d ().\-/]{7,30}")
_SHORTEST_STEM: Final = 5
#: Words that begin or end with a word of somebody else, and are not about anybody else.
_HARMLESS: Final = frozenset({"preferred"})


class Recognised(NamedTuple):
    """A column that is ``field``: ``alike`` of its ``filled`` values look like one."""

    field: str
    alike: int
    filled: int


def is_address(value: str) -> bool:
    """Whether ``value`` is an e-mail address and nothing else.

    >>> is_address(" Jane@acme.example "), is_address("Jane <jane@acme.example>"), is_address("a@b")
    (True, False, False)
    """
    if "@" not in value or len(value) > 2 * _LONGEST:
        return False
    value = value.strip()
    return (
        len(value) <= _LONGEST
        and _ADDRESS.fullmatch(value) is not None
        and _DOMAIN.fullmatch(value.rpartition("@")[2]) is not None
    )


def is_number_abroad(value: str) -> bool:
    """Whether ``value`` is a telephone number with its country code, and nothing else.

    Any other row of digits may be an id, a date or an amount.

    >>> is_number_abroad("+49 30 123456"), is_number_abroad("030 123456"), is_number_abroad("+12")
    (True, False, False)
    """
    if value[:1] not in "+0 " or len(value) > 40:
        return False
    value = value.strip()
    if not _ABROAD.fullmatch(value):
        return False
    from leadgate.values.phones import read_phone  # slow to import, and most files name their columns

    return read_phone(value, None).number is not None


_KINDS: Final = (("email", is_address), ("phone", is_number_abroad))


def recognise_columns(
    rows: Sequence[Mapping[str, object]], mapped: Mapping[str, str], declared: Collection[str] = ()
) -> dict[str, Recognised]:
    """Header -> what it is by its values in ``rows``. ``mapped`` is what the names say; ``declared`` are headers that
    the playbook speaks of.

    A field is recognised where no name means it, and one column alone looks like it: of two nobody knows which is the
    lead's. A column whose name speaks of somebody else is none of these.
    """
    found: dict[str, Recognised] = {}
    for field, looks_like in _KINDS:
        if field in mapped.values():
            continue
        counts: dict[str, list[int]] = {}  # header -> values, and those that look like it
        for row in rows:
            for header, value in row.items():
                if value is None or value == "" or header in mapped:
                    continue
                count = counts.setdefault(header, [0, 0])
                count[0] += 1
                count[1] += isinstance(value, str) and looks_like(value)
        alike = [
            (header, Recognised(field, count[1], count[0]))
            for header, count in counts.items()
            if count[1] >= SHARE * count[0] and count[0] >= FILLED * len(rows)
        ]
        usable = [each for each in alike if each[0] not in declared and not names_somebody_else(each[0])]
        if len(usable) == 1:
            found[usable[0][0]] = usable[0][1]
    return found


def find_only_address(row: Mapping[str, object], mapped: Mapping[str, str], declared: Collection[str]) -> str | None:
    """The header of the only e-mail address in ``row``, where no name means one; None where there is none, or more."""
    if "email" in mapped.values():
        return None
    found = [header for header, value in row.items() if isinstance(value, str) and is_address(value)]
    if len({str(row[header]).strip().casefold() for header in found}) != 1:
        return None
    if any(header in mapped or header in declared or names_somebody_else(header) for header in found):
        return None
    return found[0]


@lru_cache(maxsize=10_000)
def names_somebody_else(header: str) -> bool:
    """Whether a name speaks of somebody other than the lead, or of no telephone; an endless one tells nothing.

    >>> [names_somebody_else(name) for name in ("Owner.Email", "Kundenbetreuer", "负责人邮箱", "Kontakt")]
    [True, True, True, False]
    """
    if len(header) > MAX_HEADER_LENGTH:
        return True
    words = split_words(header)
    if not _list_words().isdisjoint(words):
        return True
    stems = _list_stems()
    return any(word not in _HARMLESS and (word.startswith(stems) or word.endswith(stems)) for word in words) or any(
        stem in word for word in words for stem in _list_stems_without_spaces()
    )


@cache
def _list_words() -> frozenset[str]:
    return frozenset("".join(split_words(word)) for word in read_words("words_of_other_people"))


@cache
def _list_stems() -> tuple[str, ...]:
    return tuple(word for word in _list_words() if len(word) >= _SHORTEST_STEM)


@cache
def _list_stems_without_spaces() -> tuple[str, ...]:
    """Words of writing systems that put no spaces between words: they stand anywhere."""
    return tuple(word for word in _list_words() if word[:1] >= "\u3040")
