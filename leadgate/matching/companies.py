"""Names of companies, brought to what is left when legal forms, accents, scripts and punctuation are gone.

Belongs here: one name, and how alike two are. Does not belong here: which account it is (``accounts``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from leadgate.matching.latin import latinise
from leadgate.values.lists import read_words
from leadgate.values.text import join_dotted

_NUMBER: Final = re.compile(r"\d+")
_AMPERSAND: Final = re.compile("[&+]")
#: "and" in the languages in which companies call themselves so; "&" is one of them.
_AND: Final = frozenset({"and", "und", "et", "y", "e", "en", "och", "og"})
_ARTICLES: Final = frozenset({"the", "die", "der", "das", "les", "los", "las"})


@lru_cache(maxsize=200_000)
def build_company_key(name: str) -> str:
    """What identifies a company in its name; empty when nothing does.

    >>> [build_company_key(n) for n in ("The ACME Co., Ltd.", "Müller & Söhne GmbH & Co. KG", "Rossi S.p.A.",
    ...     "ООО Ромашка")]
    ['acme', 'muller sohne', 'rossi', 'romashka']
    """
    plain = [word for word in latinise(join_dotted(_AMPERSAND.sub(" and ", name))).split() if word not in _AND]
    forms = read_words("legal_forms")
    first, last = 0, len(plain) - 1
    while first < last and (plain[first] in _ARTICLES or _is_leading_form(plain[first], forms)):
        first += 1
    while first < last and plain[last] in forms:
        last -= 1
    return " ".join(plain[first : last + 1])


@lru_cache(maxsize=200_000)
def build_employer_key(key: str) -> str:
    """A key of ``build_company_key`` without the country, region or division at its end.

    >>> [build_employer_key(key) for key in ("deutsche telekom it", "acme germany", "services", "it services")]
    ['deutsche telekom', 'acme', 'services', 'it']
    """
    words = key.split()
    parts = read_words("company_divisions")
    last = len(words) - 1
    while last > 0 and words[last] in parts:
        last -= 1
    return " ".join(words[: last + 1])


def _is_leading_form(word: str, forms: Collection[str]) -> bool:
    return word in forms and len(word) > 1 and word != "co"


@lru_cache(maxsize=200_000)
def build_domain_key(domain: str) -> str:
    """The name in a domain, comparable with ``build_company_key`` without its spaces: ``acme-cloud.example`` is
    ``acmecloud``."""
    return latinise(domain.partition(".")[0]).replace(" ", "")


def compare_keys(one: str, other: str) -> int:
    """How alike two keys of ``build_company_key`` are, from 0 to 100; symmetric. Numbers in names must be the same.

    >>> [compare_keys("acme cloud", name) for name in ("acmecloud", "acme clouds", "cloud acme", "acne cloud")]
    [100, 94, 99, 87]
    >>> compare_keys("deutsche telekom", "deutsche telekom it")
    87
    """
    if one == other:
        return 100
    if _NUMBER.findall(one) != _NUMBER.findall(other):
        return 0
    score = compare_letters(spell_key(one), spell_key(other))
    return int(score if _has_only_slips(sorted(one.split()), sorted(other.split())) else min(score, _OTHER_WORD))


def spell_key(key: str) -> tuple[str, str]:
    """A key without spaces, and with its words in alphabetical order: what ``compare_letters`` compares."""
    return key.replace(" ", ""), " ".join(sorted(key.split()))


def compare_letters(one: tuple[str, str], other: tuple[str, str], at_least: int = 0) -> float:
    """By the letters alone, of names as ``spell_key``; never below ``compare_keys``. 0 when less than ``at_least``."""
    ordered = fuzz.ratio(one[0], other[0], score_cutoff=at_least)
    return max(ordered, fuzz.ratio(one[1], other[1], score_cutoff=at_least + 1) - 1, 0)  # the same order is better


#: Names with one more word, or with a word that is another word and no slip of the pen, are at most so alike: "Nova
#: Steel" and "Novak Steel", "Deutsche Telekom" and "Deutsche Telekom IT".
_OTHER_WORD: Final = 87


def _has_only_slips(words: list[str], others: list[str]) -> bool:
    """Whether words that differ do so by a letter in a long word, or by the spaces between them."""
    if len(words) != len(others):
        return not (Counter(words) <= Counter(others) or Counter(others) <= Counter(words))
    left = [word for word in words if word not in others]
    right = [word for word in others if word not in words]
    return len(left) == len(right) and all(
        min(len(a), len(b)) >= _LONG and OSA.distance(a, b) <= 1 for a, b in zip(left, right, strict=True)
    )


_LONG: Final = 5
