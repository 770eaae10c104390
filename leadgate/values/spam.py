"""Signs of spam that can be explained to the person who has to decide.

Belongs here: what a lead's own text gives away. Does not belong here: reputation lists, and disposable
addresses (``addresses``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_LOOKED_AT: Final = 20_000
_LINK: Final = re.compile(r"https?://|(?<![/.\w])www\.")
_ONLY_A_LINK: Final = re.compile(r"(?:https?://|www\.)\S+")
_LINK_IN_NAME: Final = re.compile(r"://|\bwww\.|\w\.[a-z]{2,}/\w")


def find_spam_reason(
    names: Sequence[str | None],
    company: str | None,
    message: str | None,
    *,
    patterns: tuple[str, ...],
    max_links: int,
) -> str | None:
    """Why a lead looks like spam, in plain words, or ``None``. ``names`` are all its name fields.

    ``patterns`` are the playbook's words or phrases in lower case, looked for as whole words.

    >>> find_spam_reason(["Ann"], "Acme", "Cheap SEO here", patterns=("cheap seo",), max_links=3)
    'the message says "cheap seo"'
    >>> find_spam_reason(["Ann"], "Seoul Inc", "See http://a.example", patterns=("seo",), max_links=0)
    '1 link in the message, 0 are allowed'
    """
    name = " ".join(filter(None, names))[:_LOOKED_AT].lower()
    if ("." in name or "/" in name) and _LINK_IN_NAME.search(name):
        return "the name holds a web address"
    body = message[:_LOOKED_AT].lower() if message else ""
    if body:
        if _ONLY_A_LINK.fullmatch(body):
            return "the message is nothing but a link"
        if "http" in body or "www." in body:
            links = len(_LINK.findall(body))
            if links > max_links:
                return f"{links} link{'s' * (links > 1)} in the message, {max_links} are allowed"
    if patterns:
        firm = company[:_LOOKED_AT].lower() if company else ""
        for part, text in (("name", name), ("company", firm), ("message", body)):
            for pattern in patterns:
                # a plain search rules nearly all of them out; the boundaries are checked on what is left
                if pattern in text and _compile_whole(pattern).search(text):
                    return f'the {part} says "{pattern}"'
    return None


@lru_cache(maxsize=1_000)
def _compile_whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(pattern)}(?!\w)")
