"""Personal values as they may be shown to anybody: recognisable to who knows them, of no use to others.

Belongs here: masking one value. Does not belong here: deciding where values are shown in full, which is
only where a person asked for that one lead.
"""

from __future__ import annotations

import re
from typing import Final

#: What of an address is shown is a domain and nothing else: behind the sign may be any text, a link for example.
_DOMAIN: Final = r"(?:[\w-]{1,63}\.){1,8}[\w-]{2,63}"
_ADDRESS: Final = re.compile(rf"([^@\s]{{1,64}})@({_DOMAIN})")
_DIGITS: Final = re.compile(r"\d")
_HIDDEN: Final = "•••"
_ADDRESS_WITHIN: Final = re.compile(rf"[^\s@<>,;:\"']{{1,320}}@(?:{_DOMAIN}|[^\s@]{{0,255}})")
_NUMBER_WITHIN: Final = re.compile(r"\+?\d[\d\s().\-/]{4,30}\d")


def mask(value: str | None) -> str:
    """``jane@acme.com`` as ``j•••@acme.com``, a number by its last two digits, other text by its first letter."""
    value = (value or "").strip()
    if not value:
        return ""
    address = _ADDRESS.fullmatch(value)
    if address:
        return f"{_find_first(value)}{_HIDDEN}@{address[2]}"
    digits = _DIGITS.findall(value[:100])
    if len(digits) >= 5 and not any(character.isalpha() for character in value[:100]):
        return f"{_HIDDEN}{''.join(digits[-2:])}"
    return f"{_find_first(value)}{_HIDDEN}"


def _find_first(value: str) -> str:
    """The first letter or digit; a sign tells nothing, and may be one that something interprets."""
    return value[0] if value[0].isalnum() else ""


def mask_within(text: str) -> str:
    """Free text with whatever looks like an address or a number masked in it.

    >>> mask_within("call jane@acme.example on 020 7946 0958")
    'call j•••@acme.example on •••58'
    """
    masked = _ADDRESS_WITHIN.sub(lambda found: mask(found[0]), text)
    return _NUMBER_WITHIN.sub(lambda found: mask(found[0]), masked)


def is_masked(text: str) -> bool:
    """Whether ``text`` was masked, so that it is no value to be kept any more."""
    return _HIDDEN in text
