"""Which countries a phone number may be from, when the lead names none.

Belongs here: what an address, a language or a company's name says of a country. Does not belong here: reading the
number by it (``phones``), or countries that a lead names (``countries``).
"""

from __future__ import annotations

import re
from typing import Final

import phonenumbers

from leadgate.values.languages import find_language
from leadgate.values.lists import read_pairs, read_words
from leadgate.values.text import join_dotted

_LOCALE: Final = re.compile(r"[a-z]{2,3}[-_]([a-z]{2})", re.IGNORECASE)
_WORDS: Final = re.compile(r"[^\W\d_]+")
_LONGEST: Final = 500  # characters of a company's name that are looked at


def list_likely_countries(domain: str | None, language: str | None, company: str | None) -> tuple[str, ...]:
    """ISO alpha-2 codes, the likeliest first: of the mail domain's ending, the language, the company's legal form.

    >>> list_likely_countries("acme.co.uk", "de-AT", "Rossi S.p.A.")
    ('GB', 'AT', 'IT')
    >>> list_likely_countries("acme.com", "en", "Acme"), list_likely_countries("acme.io", "German", None)
    ((), ('DE',))
    """
    found = (_read_ending(domain), _read_language(language), _read_legal_form(company))
    return tuple(dict.fromkeys(country for country in found if country in phonenumbers.SUPPORTED_REGIONS))


def _read_ending(domain: str | None) -> str | None:
    ending = (domain or "").rpartition(".")[2].lower()
    if len(ending) != 2 or ending in read_words("country_endings_used_anywhere"):
        return None
    return {"uk": "GB"}.get(ending, ending.upper())


def _read_language(language: str | None) -> str | None:
    """Of a locale its country; of a language the country in which nearly all who write it to a company live."""
    if language is None:
        return None
    if locale := _LOCALE.fullmatch(language.strip()):
        return locale[1].upper()
    return read_pairs("language_countries").get(find_language(language))


def _read_legal_form(company: str | None) -> str | None:
    words = [word.casefold() for word in _WORDS.findall(join_dotted((company or "")[:_LONGEST]))]
    forms = read_pairs("legal_form_countries")
    return next((forms[word] for word in reversed(words[1:]) if word in forms), None)
