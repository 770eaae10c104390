"""Who may post for a source: a secret in the header, or a signature over the request's id, time and body.

Belongs here: reading what a request proves itself by, comparing in constant time. Does not belong here: the form of
secrets (``leadgate.source_secrets``), what an answer says, nor anything that reads the clock.

Signatures are those of Standard Webhooks (https://www.standardwebhooks.com). Its library is the reference in our tests,
and does not judge here: it takes a body for UTF-8, reads the clock itself, takes more or less time for what is wrong,
and raises whatever an odd header leads to.
The source is bound by its secret, which no other source has (``playbook_check.secrets``).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from binascii import a2b_base64, a2b_hex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from leadgate import source_secrets
from leadgate.playbook import Playbook
from leadgate.source_secrets import MOST, Secret

#: Seconds by which a signature's timestamp may be off, either way.
TOLERANCE: Final = 300
_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")
#: Without a dot, for it separates id, timestamp and body: with one, another id and time could carry the same signature.
_ID: Final = re.compile(rb"[!-\-/-~]{1,255}")
_SIGNATURES: Final = 10  # in one header
_SIGNATURE: Final = re.compile(rb"v1,[A-Za-z0-9+/]{43}=")
_OLD_SIGNATURE: Final = re.compile(rb"sha256=[0-9a-f]{64}")

#: Why a request is refused: for metrics, never for an answer.
Reason = Literal["unknown_source", "no_secret", "missing", "malformed", "stale", "wrong"]


class Given(NamedTuple):
    """The headers a request signs in with, as they came; None for one that is missing or there twice."""

    authorization: bytes | None = None
    id: bytes | None = None
    timestamp: bytes | None = None
    signature: bytes | None = None
    old_timestamp: bytes | None = None
    old_signature: bytes | None = None


#: The headers of ``Given``, in its order.
HEADERS: Final = (
    b"authorization", b"webhook-id", b"webhook-timestamp", b"webhook-signature",
    b"x-leadgate-timestamp", b"x-leadgate-signature",
)  # fmt: skip


class Verdict(NamedTuple):
    """What the headers alone say. ``reads``: the body decides. Neither admitted nor read: refused, for ``reason``."""

    admits: bool = False
    reads: bool = False
    reason: Reason | None = None


_ADMITTED: Final = Verdict(admits=True)
_READS: Final = Verdict(reads=True)


@dataclass(frozen=True)
class _Lock:
    """What opens a source: always so many of each, filled up with what nobody has."""

    auth: Literal["bearer", "hmac"]
    tokens: tuple[bytes, ...] = field(repr=False)  # hashes
    keys: tuple[bytes, ...] = field(repr=False)
    old_keys: tuple[bytes, ...] = field(repr=False)


class RequestVerifier:
    """The sources that may post, each with its secrets. ``unset`` names source and variable of those that have none.

    Raises ``SecretError`` for a secret that is too weak.
    """

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self.unset: list[tuple[str, str]] = []
        self._locks: dict[str, _Lock] = {}
        self._nobodys = _build_lock("hmac", ())
        for name, source in playbook.sources.items():
            if source.http is None:
                continue
            found = source_secrets.read(environ.get(source.http.secret_env, ""))
            if found:
                self._locks[name] = _build_lock(source.http.auth, found)
            else:
                self.unset.append((name, source.http.secret_env))
        self._without = {name for name, _ in self.unset}

    def judge_head(self, source: str, given: Given, now: float) -> Verdict:
        """Whether the headers prove that the request is from ``source``, or a body could. ``now`` is in Unix seconds.

        Which of the three is told without regard to whether there is such a source and how it signs in, unless a
        bearer is admitted: so a stranger who sends half a body learns nothing by it.
        """
        lock = self._locks.get(source)
        scheme, _, token = (given.authorization or b"").partition(b" ")
        known = _is_any_same(hashlib.sha256(token.strip()).digest(), (lock or self._nobodys).tokens)
        if known and scheme.lower() == b"bearer" and lock is not None and lock.auth == "bearer":
            return _ADMITTED
        fault = _find_fault(given, now)
        if fault is None:
            return _READS
        return Verdict(reason=self._find_reason(source, fault, given))

    def judge_body(self, source: str, given: Given, body: bytes) -> Verdict:
        """Whether the signature is that of ``source``: the HMAC-SHA256 (RFC 2104) of ``id.timestamp.body``, or of
        ``timestamp.body`` in the old scheme. The headers passed ``judge_head``.

        Everything is computed for everybody, with keys that nobody has for a source that there is not: how long it
        takes depends on what was sent, not on what is there.
        """
        lock = self._locks.get(source)
        known = lock or self._nobodys
        if given.signature is not None:
            keys, signed = known.keys, b"%b.%b.%b" % (given.id or b"", given.timestamp or b"", body)
            sent = [a2b_base64(each[3:]) for each in given.signature.split(b" ") if _SIGNATURE.fullmatch(each)]
        else:
            keys, signed = known.old_keys, b"%b.%b" % (given.old_timestamp or b"", body)
            sent = [a2b_hex((given.old_signature or b"")[7:])]
        expected = [hmac.digest(key, signed, "sha256") for key in keys]
        same = [hmac.compare_digest(one, other) for one in sent for other in expected]
        if any(same) and lock is not None and lock.auth == "hmac":
            return _ADMITTED
        return Verdict(reason=self._find_reason(source, "wrong", given))

    def _find_reason(self, source: str, fault: Reason, given: Given) -> Reason:
        lock = self._locks.get(source)
        if lock is None:
            return "no_secret" if source in self._without else "unknown_source"
        if lock.auth == "bearer":
            return "missing" if given.authorization is None else "wrong"
        return fault


def _build_lock(auth: Literal["bearer", "hmac"], found: Iterable[Secret]) -> _Lock:
    known = list(found)
    tokens = [hashlib.sha256(each.text).digest() for each in known]
    keys = [each.key for each in known if each.key is not None]
    old_keys = [each.text for each in known if each.key is None]
    return _Lock(auth, _pad_keys(tokens), _pad_keys(keys), _pad_keys(old_keys))


def _pad_keys(known: list[bytes]) -> tuple[bytes, ...]:
    return (*known, *(secrets.token_bytes(32) for _ in range(MOST - len(known))))


def _find_fault(given: Given, now: float) -> Reason | None:
    """What is wrong with the form of a signature, or with its time; None: only the body can tell."""
    if given.id is not None or given.timestamp is not None or given.signature is not None:
        timestamp = given.timestamp
        signatures = (given.signature or b"").split(b" ")
        formed = (
            _ID.fullmatch(given.id or b"") is not None
            and len(signatures) <= _SIGNATURES
            and any(_SIGNATURE.fullmatch(each) for each in signatures)
        )
    elif given.old_timestamp is not None or given.old_signature is not None:
        timestamp = given.old_timestamp
        formed = _OLD_SIGNATURE.fullmatch((given.old_signature or b"").lower()) is not None
    else:
        return "missing"
    if not formed or timestamp is None or _TIMESTAMP.fullmatch(timestamp) is None:
        return "malformed"
    return None if abs(now - int(timestamp)) <= TOLERANCE else "stale"


def has_bearer_token(token: str, authorization: bytes | None) -> bool:
    """Whether the header holds ``token``."""
    scheme, _, given = (authorization or b"").partition(b" ")
    wanted = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
    return hmac.compare_digest(hashlib.sha256(given.strip()).digest(), wanted) and scheme.lower() == b"bearer"


def _is_any_same(one: bytes, others: Iterable[bytes]) -> bool:
    """Compares with each of them, whichever is the same."""
    same = [hmac.compare_digest(one, each) for each in others]
    return any(same)
