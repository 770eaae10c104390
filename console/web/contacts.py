"""Addresses and numbers of a lead as links: to write, or to call.

Belongs here: which values are plain enough to become a link. Does not belong here: what an address is
(``leadgate.values``), or whether a visitor may see it (``leadgate.actors``).
"""

from __future__ import annotations

import re
from typing import Final

#: Nothing that a mail program reads as a header, a second receiver or a text.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253}")
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ().-]{3,30}")


def build_contact_link(value: str | None) -> str | None:
    """``mailto:`` or ``tel:`` for a plain address or number; None for everything else.

    >>> build_contact_link("ana@acme.example"), build_contact_link("+49 30 1234"), build_contact_link("a@b?bcc=c@d")
    ('mailto:ana@acme.example', 'tel:+49301234', None)
    """
    if value and _ADDRESS.fullmatch(value):
        return f"mailto:{value}"
    if value and _NUMBER.fullmatch(value):
        return "tel:" + re.sub(r"[^+0-9]", "", value)
    return None
