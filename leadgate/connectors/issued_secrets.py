"""Credentials that were sent to a service, and taking them out of what it answers.

A service may quote what it was sent, in an error or in a value. What is read of an answer goes to work items, to the
ledger and to people, so credentials are taken out of an answer before anybody reads it.

Belongs here: finding a credential in JSON. Does not belong here: sending (``service_session``), or asking for a token.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, quote_plus

import orjson

from leadgate.values.json_types import JsonValue

HIDDEN: Final = "***"
_SHORTEST: Final = 8  # a shorter text would be hidden in words that have nothing to do with it
_MOST: Final = 64  # each as it is and as a form carries it; tokens that were replaced long ago are forgotten


class IssuedSecrets:
    """The credentials of one session. Safe to use from several threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, None] = {}  # the one that was sent last stands last
        self.add(*secrets)

    def __repr__(self) -> str:
        return "IssuedSecrets(***)"

    def add(self, *secrets: str) -> None:
        with self._lock:
            for secret in secrets:
                for spelling in (secret, quote(secret, safe=""), quote_plus(secret)):
                    if len(spelling) >= _SHORTEST:
                        self._known.pop(spelling, None)
                        self._known[spelling] = None
            while len(self._known) > _MOST:
                del self._known[next(iter(self._known))]

    def hide(self, parsed: JsonValue, body: bytes) -> JsonValue:
        """``parsed``, which was read from ``body``, without credentials."""
        with self._lock:
            known = sorted(self._known, key=len, reverse=True)  # one may be a part of another
        if not known:
            return parsed
        # what JSON escapes is looked for in one spelling; most answers escape nothing, and are looked through at once
        text = orjson.dumps(parsed) if b"\\" in body else body
        found = [secret for secret in known if orjson.dumps(secret)[1:-1] in text]
        return _replace(parsed, found) if found else parsed


def _replace(value: JsonValue, secrets: Sequence[str]) -> JsonValue:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, Mapping):
        return {str(_replace(name, secrets)): _replace(each, secrets) for name, each in value.items()}
    if isinstance(value, Sequence):
        return [_replace(each, secrets) for each in value]
    return value
