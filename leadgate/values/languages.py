"""Languages to their ISO 639 codes, as forms and browsers write them.

Belongs here: reading one value. Does not belong here: who speaks what (``roster``).
"""

from __future__ import annotations

import re
from functools import lru_cache
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
def language_code(text: str) -> str:
    """The code of a language that is written as a code, a locale or a name; else the text in lower case.

    >>> language_code("de-AT"), language_code("German"), language_code("Español"), language_code("PT_br")
    ('de', 'de', 'es', 'pt')
    """
    plain = text.strip().casefold()
    if plain in _OWN_NAMES:
        return _OWN_NAMES[plain]
    code = _CODE.match(plain)
    if code is not None:
        return code[1]
    try:
        found = pycountry.languages.lookup(plain)
    except LookupError:
        return plain
    return str(getattr(found, "alpha_2", found.alpha_3))
