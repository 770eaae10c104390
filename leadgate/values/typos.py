"""Mistyped domains of common mail providers.

Belongs here: which domain was probably meant. Does not belong here: what happens to the address; a domain
found here is well-formed, and only a person can say that it is wrong.

Plain edit distance is not good enough for B2B: grail.com, cloud.com and mail.com are one letter away from
gmail.com and icloud.com, and are companies. So only slips of a finger count: a letter left out (never the
first), doubled, swapped with its neighbour, or taken from the key beside it; and endings that do not exist.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from rapidfuzz.distance import OSA

from leadgate.values.lists import read_pairs, read_words

_SHORTEST_NAME: Final = 5  # of shorter ones ("aol", "web") nearly every slip is somebody else's domain

_BESIDE: Final = {
    "a": "qsz", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo",
    "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad",
    "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "xa",
}  # fmt: skip

#: Endings that are no top-level domain, and what was meant.
_ENDINGS: Final = {
    "con": "com", "cmo": "com", "ocm": "com", "comm": "com", "coom": "com", "ccom": "com", "comn": "com",
    "vom": "com", "xom": "com", "dom": "com", "cpm": "com", "clm": "com", "cim": "com", "cok": "com",
    "con.br": "com.br", "combr": "com.br", "cob.br": "com.br",
    "nett": "net", "ner": "net", "ent": "net", "met": "net", "nte": "net",
    "frr": "fr", "ft": "fr", "fe": "fr", "rf": "fr", "dde": "de", "ed": "de",
    "co.ku": "co.uk", "couk": "co.uk", "co.u": "co.uk", "co.uk.com": "co.uk",
}  # fmt: skip
_COMMON_ENDINGS: Final = ("com", "net", "org")
_LETTERS: Final = str.maketrans("013", "ole")  # digits that look like letters, or are typed for them
#: Countries' endings, real ones: a typo only after the name of a provider that does not use them.
_REAL_ENDINGS: Final = {"co": "com", "cm": "com", "om": "com"}
#: Companies of their own, whatever a slip of the finger would make of them.
_REAL_DOMAINS: Final = frozenset({"gail.com", "ymail.com", "orage.fr", "range.fr"})


def find_intended(domain: str) -> str | None:
    """The common mail domain that ``domain`` (lower case) is a typo of, or ``None``.

    >>> [find_intended(d) for d in ("gmial.com", "gmail.con", "outlookcom", "hotmial.fr", "gmail", "yahoo.co")]
    ['gmail.com', 'gmail.com', 'outlook.com', 'hotmail.fr', 'gmail.com', 'yahoo.com']
    >>> [find_intended(d) for d in ("gmail.com", "mail.com", "grail.com", "icloud.de", "acme.con")]
    [None, None, None, None, None]
    """
    common = read_words("common_mail_domains")
    if domain in common or domain in _REAL_DOMAINS:
        return None
    name, dot, ending = domain.partition(".")
    if not dot:
        return _build_without_dot().get(domain)
    names = _load_names()
    meant = name if name in names else _build_slips().get(name)
    if meant is None:
        return None
    if f"{meant}.{ending}" in common:
        return f"{meant}.{ending}"
    fixed = _ENDINGS.get(ending)
    if fixed is None and len(meant) >= _SHORTEST_NAME:
        fixed = _REAL_ENDINGS.get(ending)
    return f"{meant}.{fixed}" if f"{meant}.{fixed}" in common else None


def find_intended_ending(domain: str) -> str | None:
    """What ``domain``, whose ending is no top-level domain, was probably to be; ``None`` where nothing is near.

    New endings come into being, so that only one that is a slip away from a common one is taken for a mistake.

    >>> [find_intended_ending(d) for d in ("acme.con", "acme.c0m", "acme.cmo", "acme.co.ukk", "acme.newly")]
    ['acme.com', 'acme.com', 'acme.com', None, None]
    """
    name, _, ending = domain.rpartition(".")
    meant = _ENDINGS.get(ending, ending.translate(_LETTERS))
    if meant not in _COMMON_ENDINGS:
        near = [common for common in _COMMON_ENDINGS if OSA.distance(meant, common, score_cutoff=1) <= 1]
        meant = near[0] if len(near) == 1 else ""
    return f"{name}.{meant}" if name and meant else None


@cache
def _load_names() -> frozenset[str]:
    return frozenset(domain.partition(".")[0] for domain in read_words("common_mail_domains"))


@cache
def _build_without_dot() -> dict[str, str]:
    """ "gmailcom", and the bare name of a provider that has a ``.com``."""
    common = sorted(read_words("common_mail_domains"))
    joined = {domain.replace(".", ""): domain for domain in common}
    bare = {domain.removesuffix(".com"): domain for domain in common if domain.endswith(".com")}
    return joined | {name: domain for name, domain in bare.items() if len(name) >= _SHORTEST_NAME}


@cache
def _build_slips() -> dict[str, str]:
    """Mistyped name -> name, for every slip that leads to one name only."""
    found: dict[str, set[str]] = {}
    for name in sorted(_load_names()):
        if len(name) >= _SHORTEST_NAME:
            for slip in _list_slips(name):
                found.setdefault(slip, set()).add(name)
    unique = {slip: meant.pop() for slip, meant in found.items() if len(meant) == 1}
    return {slip: name for slip, name in unique.items() if slip not in _load_names()} | read_pairs("mail_typos")


def _list_slips(name: str) -> set[str]:
    slips = {name[0] + name}
    for i in range(1, len(name)):
        before, letter, after = name[:i], name[i], name[i + 1 :]
        slips.add(before + after)
        slips.add(before + letter + letter + after)
        slips.add(name[: i - 1] + letter + name[i - 1] + after)
        slips.update(before + key + after for key in _BESIDE.get(letter, ""))
    return slips - {name}
