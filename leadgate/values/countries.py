"""Countries to ISO 3166-1 alpha-2, and postal codes.

Belongs here: how a country is written in exports of several languages. Does not belong here: states and
regions, which have no code that all sources share.
"""

from __future__ import annotations

import gettext
import re
from functools import cache
from typing import Final, NamedTuple

import pycountry

from leadgate.values.lists import read_pairs
from leadgate.values.text import fold

_LONGEST: Final = 80
_PROPOSED_FROM: Final = 80.0  # similarity in percent; below it a proposal is a guess
_LOCALE: Final = re.compile(r"[a-z]{2,3}[-_]([A-Za-z]{2})")
_PIECES: Final = re.compile(r"\s*[(),/|;:]\s*|\s+[-–]\s+")
_DECIMAL_POSTAL_CODE: Final = re.compile(r"(\d{3,10})\.0+")

#: Languages whose names for countries are known, through pycountry's translations.
_LANGUAGES: Final = (
    "de", "fr", "es", "it", "pt", "pt_BR", "nl", "pl", "sv", "da", "nb", "fi", "cs", "hu", "ro", "tr",
    "el", "uk", "ru", "he", "ar", "ja", "ko", "zh_CN", "zh_TW",
)  # fmt: skip


class Country(NamedTuple):
    """``code`` is the alpha-2 code, or ``None`` with a ``problem`` and perhaps a ``proposal`` (a code)."""

    code: str | None
    problem: str | None = None
    proposal: str | None = None


def read_country(text: str) -> Country:
    """The country ``text`` names, by code or name, in English or another usual language.

    >>> [read_country(t).code for t in ("USA", "deu", "Allemagne", "Deutschland", "Korea", "Paris, France")]
    ['US', 'DE', 'DE', 'DE', 'KR', 'FR']
    >>> read_country("Frnace")
    Country(code=None, problem='not a country we know; the nearest is France (FR)', proposal='FR')
    """
    if len(text) > _LONGEST:
        return Country(None, "too long for the name of a country")
    code = _find_code(text) or _find_code_in_pieces(text)
    return Country(code) if code else _propose_country(fold(text))


def clean_postal_code(text: str) -> str:
    """A postal code as text; only a spreadsheet's decimals are taken off.

    >>> clean_postal_code("69001.0"), clean_postal_code("01000"), clean_postal_code("SW1A 1AA")
    ('69001', '01000', 'SW1A 1AA')
    """
    found = _DECIMAL_POSTAL_CODE.fullmatch(text) if len(text) <= _LONGEST else None
    return found[1] if found else text


def _find_code(text: str) -> str | None:
    plain = fold(text).removeprefix("the ")
    return _load_english_names().get(plain) or _load_other_names().get(plain)


def _find_code_in_pieces(text: str) -> str | None:
    """The one country among the pieces of "Paris, France", "France (FR)" or "en-US"; none if they differ."""
    if locale := _LOCALE.fullmatch(text):
        return _find_code(locale[1])
    codes = {code for piece in _PIECES.split(text) if piece and (code := _find_code(piece))}
    return codes.pop() if len(codes) == 1 else None


@cache
def _load_english_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for country in pycountry.countries:
        for key in ("name", "official_name", "common_name", "alpha_3", "alpha_2"):
            if (name := getattr(country, key, None)) is not None:
                names[fold(name).removeprefix("the ")] = country.alpha_2
    names["xk"] = names["xkx"] = "XK"  # Kosovo: user-assigned, yet what phones, banks and the EU use
    return names | {fold(alias): code for alias, code in read_pairs("country_aliases").items()}


@cache
def _load_other_names() -> dict[str, str]:
    """Loaded when a name is not English: 0.1 s that most batches never pay."""
    names: dict[str, str] = {}
    for language in _LANGUAGES:
        translated = gettext.translation(
            "iso3166-1", pycountry.LOCALES_DIR, languages=[language], fallback=True
        ).gettext
        for country in pycountry.countries:
            for key in ("name", "common_name", "official_name"):
                if (name := getattr(country, key, None)) is not None:
                    names.setdefault(fold(translated(name)), country.alpha_2)
    return names


def _propose_country(plain: str) -> Country:
    from rapidfuzz import fuzz, process

    known = _load_english_names() | _load_other_names()
    found = process.extract(plain, known.keys(), scorer=fuzz.ratio, score_cutoff=_PROPOSED_FROM, limit=8)
    nearest = list(dict.fromkeys(known[name] for name, _, _ in found if len(name) > 3))[:3]
    if not nearest:
        return Country(None, "not a country we know")
    named = " or ".join(f"{_find_english_name(code)} ({code})" for code in nearest)
    return Country(None, f"not a country we know; the nearest is {named}", nearest[0])


def _find_english_name(code: str) -> str:
    country = pycountry.countries.get(alpha_2=code)
    return str(getattr(country, "common_name", None) or getattr(country, "name", code))
