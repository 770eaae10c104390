"""Who may post for a source: a secret in the header, or a signature over the body.

Belongs here: reading secrets, comparing in constant time. Does not belong here: what an answer says, nor anything that
reads the clock.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from leadgate.playbook import Playbook

#: Seconds by which a signature's timestamp may be off, either way.
TOLERANCE: Final = 300
_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")


class Given(NamedTuple):
    """The headers a request signs in with, as they came."""

    authorization: bytes | None = None
    timestamp: bytes | None = None
    signature: bytes | None = None


@dataclass(frozen=True)
class _Lock:
    auth: Literal["bearer", "hmac"]
    secret: bytes = field(repr=False)


class Doors:
    """The sources that may post, each with its secret. ``unset`` names source and variable of those that have none."""

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self.unset: list[tuple[str, str]] = []
        self._locks: dict[str, _Lock] = {}
        self._nobodys = secrets.token_bytes(32)
        for name, source in playbook.sources.items():
            if source.http is None:
                continue
            secret = environ.get(source.http.secret_env, "").strip()
            if secret:
                self._locks[name] = _Lock(source.http.auth, secret.encode("utf-8", "surrogateescape"))
            else:
                self.unset.append((name, source.http.secret_env))

    def admits(self, source: str, given: Given, body: bytes, now: float) -> bool:
        """Whether ``given`` proves that the request is from ``source``. ``now`` is in Unix seconds.

        Everything is computed for everybody, with a secret that nobody has for a source that there is not: how
        long it takes depends on what was sent, not on what is there.
        """
        lock = self._locks.get(source)
        secret = self._nobodys if lock is None else lock.secret
        scheme, _, token = (given.authorization or b"").partition(b" ")
        said_it = scheme.lower() == b"bearer" and _same(token.strip(), secret)
        timestamp = given.timestamp or b""
        signed_it = hmac.compare_digest(signature(secret, timestamp, body), (given.signature or b"").lower())
        in_time = _TIMESTAMP.fullmatch(timestamp) is not None and abs(now - int(timestamp)) <= TOLERANCE
        if lock is None:
            return False
        return said_it if lock.auth == "bearer" else signed_it and in_time


def signature(secret: bytes, timestamp: bytes, body: bytes) -> bytes:
    """``sha256=`` and the hexadecimal HMAC-SHA256 (RFC 2104) of ``timestamp.body``."""
    return b"sha256=" + hmac.new(secret, timestamp + b"." + body, hashlib.sha256).hexdigest().encode()


def bearer(token: str, authorization: bytes | None) -> bool:
    """Whether the header holds ``token``."""
    scheme, _, given = (authorization or b"").partition(b" ")
    return _same(given.strip(), token.encode("utf-8", "surrogateescape")) and scheme.lower() == b"bearer"


def _same(one: bytes, other: bytes) -> bool:
    """By their hashes, so that not even the length of the secret shows."""
    return hmac.compare_digest(hashlib.sha256(one).digest(), hashlib.sha256(other).digest())
