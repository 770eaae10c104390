"""Names of companies, brought to what is left when legal forms, accents, scripts and punctuation are gone.

Belongs here: one name, and how alike two are. Does not belong here: which account it is (``accounts``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from rapidfuzz import fuzz

from leadgate.matching.latin import latin
from leadgate.values.lists import words

_DOTTED: Final = re.compile(r"(?<=\b\w)\.\s?(?=\w\b)|(?<=\b\w)/(?=\w\b)")  # "S.p.A.", "A/S", "s. r. o."
_NUMBER: Final = re.compile(r"\d+")
_AMPERSAND: Final = re.compile(r"\s*[&+]\s*")
#: "and" in the languages in which companies call themselves so; "&" is one of them.
_AND: Final = frozenset({"and", "und", "et", "y", "e", "en", "och", "og"})
_ARTICLES: Final = frozenset({"the", "die", "der", "das", "les", "los", "las"})


@lru_cache(maxsize=200_000)
def company_key(name: str) -> str:
    """What identifies a company in its name; empty when nothing does.

    >>> [company_key(n) for n in ("The ACME Co., Ltd.", "Müller & Söhne GmbH & Co. KG", "Rossi S.p.A.", "ООО Ромашка")]
    ['acme', 'muller sohne', 'rossi', 'romashka']
    """
    plain = [word for word in latin(_DOTTED.sub("", _AMPERSAND.sub(" and ", name))).split() if word not in _AND]
    forms = words("legal_forms")
    kept = list(plain)
    while len(kept) > 1 and kept[-1] in forms:
        kept.pop()
    while len(kept) > 1 and (kept[0] in _ARTICLES or (kept[0] in forms and len(kept[0]) > 1 and kept[0] != "co")):
        kept.pop(0)
    return " ".join(kept)


@lru_cache(maxsize=200_000)
def domain_key(domain: str) -> str:
    """The name in a domain, comparable with ``company_key`` without its spaces: ``acme-cloud.example`` is
    ``acmecloud``."""
    return latin(domain.partition(".")[0]).replace(" ", "")


def alike(one: str, other: str) -> int:
    """How alike two keys of ``company_key`` are, from 0 to 100; symmetric. Numbers in names must be the same.

    >>> alike("acme cloud", "acmecloud"), alike("acme cloud", "acme clou"), alike("store 12", "store 13")
    (100, 94, 0)
    """
    if one == other:
        return 100
    if _NUMBER.findall(one) != _NUMBER.findall(other):
        return 0
    joined = fuzz.ratio(one.replace(" ", ""), other.replace(" ", ""))
    sorted_ = fuzz.ratio(" ".join(sorted(one.split())), " ".join(sorted(other.split())))
    return int(max(joined, sorted_))
