"""Languages to their ISO 639 codes, as forms and browsers write them.

Belongs here: reading one value. Does not belong here: who speaks what (``availability``).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

import pycountry

_CODE: Final = re.compile(r"^([a-z]{2,3})(?:[-_].*)?$")
_OWN_NAMES: Final = {
    "deutsch": "de", "español": "es", "espanol": "es", "castellano": "es", "français": "fr", "francais": "fr",
    "italiano": "it", "nederlands": "nl", "português": "pt", "portugues": "pt", "polski": "pl", "svenska": "sv",
    "dansk": "da", "norsk": "no", "suomi": "fi", "čeština": "cs", "magyar": "hu", "türkçe": "tr",
    "日本語": "ja", "中文": "zh", "русский": "ru", "українська": "uk", "spanish": "es", "dutch": "nl", "greek": "el",
}  # fmt: skip


@lru_cache(maxsize=4096)
def find_language(text: str) -> str:
    """The code of a language that is written as a code, a locale or a name; else the text in lower case.

    >>> find_language("de-AT"), find_language("German"), find_language("Español"), find_language("PT_br")
    ('de', 'de', 'es', 'pt')
    """
    plain = text.strip().casefold()
    if plain in _OWN_NAMES:
        return _OWN_NAMES[plain]
    code = _CODE.match(plain)
    if code is not None:
        return code[1]
    return _index_names().get(plain, plain)


@cache
def _index_names() -> dict[str, str]:
    """Every English name and longer code to the code; looking one up in pycountry goes through all of them."""
    codes: dict[str, str] = {}
    for language in pycountry.languages:
        code = getattr(language, "alpha_2", language.alpha_3)
        for field in ("name", "common_name", "inverted_name", "alpha_3", "bibliographic"):
            if (name := getattr(language, field, None)) is not None:
                codes.setdefault(name.casefold(), code)
    return codes
