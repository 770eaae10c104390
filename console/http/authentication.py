"""Who may post for a source: a secret in the header or in the body, or a signature over the request.

Belongs here: which proof a source asks for, its secrets, and comparing in constant time. Does not belong here: the form
of a signature (``signatures``) or of secrets (``leadgate.source_secrets``), what an answer says, nor anything that
reads the clock.

The source is bound by its secret, which no other source has (``playbook.check.secrets``).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from console.http.signatures import SCHEMES, Given, Reason, SchemeName, decode_address, find_google_keys
from leadgate import source_secrets
from leadgate.playbook import HttpAuth, HttpCapture, Playbook
from leadgate.source_secrets import MOST, Secret

#: The schemes by which a source may sign. ``bearer`` and ``google_leads`` send the secret itself.
_SCHEMES_OF: Final[dict[HttpAuth, tuple[SchemeName, ...]]] = {
    "bearer": (),
    "hmac": ("standard_webhooks", "old"),
    "standard_webhooks": ("standard_webhooks",),
    "typeform": ("typeform",),
    "calendly": ("calendly",),
    "facebook": ("facebook",),
    "google_leads": (),
    "hubspot": ("hubspot",),
}
_NOTHING: Final = Given()


class Verdict(NamedTuple):
    """What a request proves. ``reads``: the body decides. Neither admitted nor read: refused, for ``reason``.

    ``scheme`` is the one by which an admitted request is signed.
    """

    admits: bool = False
    reads: bool = False
    reason: Reason | None = None
    scheme: SchemeName | None = None


_ADMITTED: Final = Verdict(admits=True)
_READS: Final = Verdict(reads=True)


@dataclass(frozen=True)
class _Lock:
    """What opens a source: always so many of each, filled up with what nobody has."""

    auth: HttpAuth
    tokens: tuple[bytes, ...] = field(repr=False)  # hashes
    keys: Mapping[SchemeName, tuple[bytes, ...]] = field(repr=False)
    address: bytes  # where it is posted to, as far as that is signed


class RequestVerifier:
    """The sources that may post, each with its secrets. ``unset`` names source and variable of those that have none.

    Raises ``SecretError`` for a secret that is too weak.
    """

    def __init__(self, playbook: Playbook, environ: Mapping[str, str]) -> None:
        self.unset: list[tuple[str, str]] = []
        #: Bytes of a body that may hold its secret; None where no source sends it so.
        self.most_bytes_with_secret: int | None = None
        self._locks: dict[str, _Lock] = {}
        self._tokens: dict[str, tuple[bytes, ...]] = {}  # by which a vendor verifies an address; hashes
        self._nobodys = _build_lock(HttpCapture(auth="hmac", secret_env="NOBODY"), ())  # noqa: S106 - no variable
        for name, source in playbook.sources.items():
            if source.http is None:
                continue
            if source.http.auth == "google_leads":
                self.most_bytes_with_secret = max(self.most_bytes_with_secret or 0, source.http.max_bytes)
            if source.http.verify_env is not None:
                tokens = source_secrets.read(environ.get(source.http.verify_env, ""))
                self._tokens[name] = _pad_keys([hashlib.sha256(each.text).digest() for each in tokens])
                if not tokens:
                    self.unset.append((name, source.http.verify_env))
            found = source_secrets.read(environ.get(source.http.secret_env, ""))
            if found:
                self._locks[name] = _build_lock(source.http, found)
            else:
                self.unset.append((name, source.http.secret_env))
        self._without = {name for name in dict(self.unset) if name not in self._locks}

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
        if self.has_secret_in_body(given) or _list_formed(given, now):
            return _READS
        return Verdict(reason=self._find_reason(source, given, now))

    def has_secret_in_body(self, given: Given) -> bool:
        """Whether only the body of a request can hold its secret: some source sends it so, and no header signs in."""
        return self.most_bytes_with_secret is not None and given == _NOTHING

    def judge_body(self, source: str, given: Given, body: bytes, now: float) -> Verdict:
        """Whether the signature, or the secret in the body, is that of ``source``. The headers passed ``judge_head`` at
        ``now``.

        The same is computed for everybody, with keys that nobody has for a source that there is not: how long it
        takes depends on what was sent, not on what is there.
        """
        lock = self._locks.get(source)
        known = lock or self._nobodys
        if self.has_secret_in_body(given):
            sent = [hashlib.sha256(key).digest() for key in find_google_keys(body)]
            same = [_is_any_same(each, known.tokens) for each in sent]
            if any(same) and lock is not None and lock.auth == "google_leads":
                return _ADMITTED
            return Verdict(reason=self._find_reason(source, given, now))
        formed = _list_formed(given, now)
        name = next((each for each in formed if each in _SCHEMES_OF[known.auth]), formed[0])
        signed = SCHEMES[name].is_signed(given, body, known.keys[name], known.address)
        if signed and lock is not None and name in _SCHEMES_OF[lock.auth]:
            return Verdict(admits=True, scheme=name)
        return Verdict(reason=self._find_reason(source, given, now))

    def has_verify_token(self, source: str, token: str) -> bool:
        """Whether ``token`` is the one by which Facebook verifies the address of ``source``."""
        given = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._tokens.get(source)
        return _is_any_same(given, known or self._nobodys.tokens) and known is not None

    def _find_reason(self, source: str, given: Given, now: float) -> Reason:
        lock = self._locks.get(source)
        if lock is None:
            return "no_secret" if source in self._without else "unknown_source"
        if lock.auth == "bearer":
            return "missing" if given.authorization is None else "wrong"
        faults = [SCHEMES[name].find_fault(given, now) for name in _SCHEMES_OF[lock.auth]]
        if None in faults or lock.auth == "google_leads":
            return "wrong"
        return next((fault for fault in faults if fault is not None and fault != "missing"), "missing")


def _list_formed(given: Given, now: float) -> list[SchemeName]:
    """The schemes whose headers have no fault, so that only the body can tell."""
    return [name for name, scheme in SCHEMES.items() if scheme.find_fault(given, now) is None]


def _build_lock(http: HttpCapture, found: Sequence[Secret]) -> _Lock:
    texts = [each.text for each in found]
    of_standard = [each.key for each in found if each.key is not None]
    of_old = [each.text for each in found if each.key is None]
    own: dict[SchemeName, list[bytes]] = {"standard_webhooks": of_standard, "old": of_old}
    used = _SCHEMES_OF[http.auth]
    keys = {name: _pad_keys(own.get(name, texts) if name in used else []) for name in SCHEMES}
    tokens = _pad_keys([hashlib.sha256(text).digest() for text in texts])
    return _Lock(http.auth, tokens, keys, decode_address(http.public_url or ""))


def _pad_keys(known: Sequence[bytes]) -> tuple[bytes, ...]:
    return (*known, *(secrets.token_bytes(32) for _ in range(MOST - len(known))))


def has_bearer_token(token: str, authorization: bytes | None) -> bool:
    """Whether the header holds ``token``."""
    scheme, _, given = (authorization or b"").partition(b" ")
    wanted = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
    return hmac.compare_digest(hashlib.sha256(given.strip()).digest(), wanted) and scheme.lower() == b"bearer"


def _is_any_same(one: bytes, others: Iterable[bytes]) -> bool:
    """Compares with each of them, whichever is the same."""
    same = [hmac.compare_digest(one, each) for each in others]
    return any(same)
