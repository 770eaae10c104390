"""People's names: letter case where an export has lost it, and full names taken apart.

Belongs here: what holds for names of persons. A name that already mixes cases is never touched: its
bearer knows better. Does not belong here: whether two names are the same person's (``matching``).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_LONGEST: Final = 200  # beyond it, it is not a name, and is left alone
_WORD: Final = re.compile(r"[^\W\d_]+")

#: Written small inside a name. Not Italian "Di" or French "Le": those are capitals.
_PARTICLES: Final = frozenset({
    "af", "av", "bin", "bint", "da", "das", "de", "del", "den", "der", "do", "dos", "du", "e", "el", "ibn",
    "la", "las", "los", "of", "ten", "ter", "und", "van", "von", "vom", "y", "zu", "zum", "zur",
})  # fmt: skip
_LEADING_PARTICLES: Final = _PARTICLES - {"e", "la", "las", "los", "el", "of", "und", "y"} | {"di", "al"}
_NUMERALS: Final = frozenset({"ii", "iii", "iv", "vi", "vii", "viii"})
_SUFFIXES: Final = _NUMERALS | {"jr", "sr", "phd", "md", "esq", "mba", "cpa", "dds", "junior", "senior"}
_HONORIFICS: Final = frozenset({
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "madam", "mme", "mlle", "mlles", "monsieur",
    "madame", "herr", "frau", "fr", "dr-ing", "ing", "sra", "srta", "señor", "señora", "sig", "dott", "dhr",
    "mevr",
})  # fmt: skip


class Parts(NamedTuple):
    salutation: str | None
    first: str | None
    last: str | None


def capitalise_name(name: str) -> str:
    """``name`` with sensible capitals when it is all upper or all lower case; otherwise unchanged.

    >>> [capitalise_name(n) for n in ("O'BRIEN", "mcdonald", "JEAN-PIERRE", "DE LA CRUZ", "van Dyk", "JP", "王")]
    ["O'Brien", 'McDonald', 'Jean-Pierre', 'de la Cruz', 'van Dyk', 'JP', '王']
    """
    if len(name) > _LONGEST or _is_mixed(name):
        return name
    cased = _capitalise(name)
    # Some letters become others when they change case ("ŉ"): such a name keeps the case it came in.
    return cased if _is_mixed(cased) or _capitalise(cased) == cased else name


def _is_mixed(name: str) -> bool:
    return not (name.isupper() or name.islower())


def _capitalise(name: str) -> str:
    words = name.split(" ")
    last = len(words) - 1
    shout = name.isupper()
    return " ".join(_capitalise_word(word, shout, final=i == last) for i, word in enumerate(words))


def _capitalise_word(word: str, shout: bool, *, final: bool) -> str:
    plain = word.lower()
    if plain in _PARTICLES and not final:
        return plain
    if plain.rstrip(".,") in _NUMERALS:
        return word.upper()
    if shout and len(word) == 2 and not set(plain) & set("aeiouy") and word.isascii():
        return word  # initials: JP, TJ
    return _WORD.sub(_capitalise_match, word)


def _capitalise_match(match: re.Match[str]) -> str:
    word = match[0]
    if match.start() and match.string[match.start() - 1] in "'’" and len(word) == 1:
        return word.lower()  # the s of Levi's
    small = word[1:].replace("İ", "i").lower()
    if word[0] in "Mm" and small[:1] == "c" and len(word) > 3:
        small = small[0] + small[1].upper() + small[2:]
    return word[0].title() + small


def split_name(full_name: str) -> Parts:
    """A full name taken apart. One word is a first name; particles and suffixes go with the last name.

    >>> split_name("Dr. Ludwig van Beethoven")
    Parts(salutation='Dr.', first='Ludwig', last='van Beethoven')
    >>> split_name("Chen, Alice")[1:], split_name("Ana María López")[1:]
    (('Alice', 'Chen'), ('Ana María', 'López'))
    """
    if len(full_name) > _LONGEST:
        return Parts(None, None, full_name)
    head, comma, tail = full_name.partition(",")
    if comma and head.strip() and tail.strip() and _simplify(tail.split()[0]) not in _SUFFIXES:
        full_name = f"{tail.strip()} {head.strip()}"
        family = len(head.split())
    else:
        family = 0
    words = full_name.split()
    salutation = None
    if len(words) > 1 and _simplify(words[0]) in _HONORIFICS:
        salutation, words = words[0], words[1:]
    if not words:
        return Parts(salutation, None, None)
    start = len(words) - family if family else _find_last_name(words)
    return Parts(salutation, " ".join(words[:start]) or None, " ".join(words[start:]) or None)


def find_rest_of_name(full_name: str, known: str, *, known_is_first: bool) -> str | None:
    """The other half of a full name of which the first (or the last) name is known.

    >>> find_rest_of_name("Ana María López", "Ana María", known_is_first=True)
    'López'
    """
    full, part = full_name.casefold(), known.casefold()
    if len(full) != len(full_name) or len(part) != len(known):
        return None
    if known_is_first and full.startswith(part + " "):
        return full_name[len(known) :].strip() or None
    if not known_is_first and full.endswith(" " + part):
        return full_name[: -len(known)].strip() or None
    return None


def _find_last_name(words: list[str]) -> int:
    end = len(words)
    while end > 2 and _simplify(words[end - 1]) in _SUFFIXES:
        end -= 1
    for i in range(1, end - 1):
        if _simplify(words[i]) in _LEADING_PARTICLES:
            return i
    return max(end - 1, 1)


def _simplify(word: str) -> str:
    return word.strip(".,").lower().replace(".", "")
