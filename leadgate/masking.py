"""Personal values as they may be shown to anybody: recognisable to who knows them, of no use to others.

Belongs here: masking one value. Does not belong here: deciding where values are shown in full, which is
only where a person asked for that one lead.
"""

from __future__ import annotations

import re
from typing import Final

_ADDRESS: Final = re.compile(r"^([^@\s]{1,64})@([^@\s]{1,253})$")
_DIGITS: Final = re.compile(r"\d")
_HIDDEN: Final = "•••"


def mask(value: str | None) -> str:
    """``jane@acme.com`` as ``j•••@acme.com``, a number by its last two digits, other text by its first letter."""
    if not value:
        return ""
    address = _ADDRESS.match(value)
    if address:
        return f"{address[1][0]}{_HIDDEN}@{address[2]}"
    digits = _DIGITS.findall(value[:100])
    if len(digits) >= 5:
        return f"{_HIDDEN}{''.join(digits[-2:])}"
    return f"{value[0]}{_HIDDEN}"
