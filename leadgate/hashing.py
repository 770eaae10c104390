"""Hashes that nobody can search back to a value without the installation's key.

Belongs here: the one keyed hash, and the fingerprint by which two processes tell whether they have the same key.
Does not belong here: where the key is kept (``ledger.keys``), or what is hashed (``matching``).

An unkeyed hash of a phone number is no protection: there are so few numbers that all of them are tried in seconds.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal

#: What a hash is for. The same text has unrelated hashes for two purposes, so tables cannot be compared by them.
Purpose = Literal["match", "letters", "erased", "lookup"]

#: The fewest bytes of a key: half of them would be enough, the other half is for keys that people make up.
LEAST_KEY_BYTES: Final = 32


def compute_keyed_hash(key: bytes, purpose: Purpose, text: str) -> int:
    """The hash of ``text`` for ``purpose``: 64 bits, as a signed integer, which is a ``bigint`` of PostgreSQL.

    BLAKE2b with a key (RFC 7693), truncated. ``key`` has at least ``LEAST_KEY_BYTES`` bytes; ``ValueError`` otherwise.
    Among ten million texts, two have the same hash with a probability of 3 in a million.
    """
    digest = _begin_hash(key, purpose, 8).copy()
    digest.update(text.encode(errors="surrogatepass"))
    return int.from_bytes(digest.digest(), "big", signed=True)


def compute_keyed_digest(key: bytes, purpose: Purpose, text: str, size: int) -> bytes:
    """The hash of ``text`` for ``purpose``, of ``size`` bytes, 64 at most. ``key`` as of ``compute_keyed_hash``."""
    digest = _begin_hash(key, purpose, size).copy()
    digest.update(text.encode(errors="surrogatepass"))
    return digest.digest()


def compute_fingerprint(key: bytes) -> str:
    """What tells whether two keys are the same, and nothing else about them: 32 hexadecimal digits."""
    return blake2b(b"", digest_size=16, key=_fit_key(key), person=b"fingerprint").hexdigest()


@lru_cache(maxsize=8)
def _begin_hash(key: bytes, purpose: Purpose, size: int) -> blake2b:
    """A hash that has its key and no text yet: taking in the key takes as long as a short text."""
    if len(key) < LEAST_KEY_BYTES:
        raise ValueError(f"a key has at least {LEAST_KEY_BYTES} bytes, this one has {len(key)}")
    return blake2b(digest_size=size, key=_fit_key(key), person=purpose.encode())


def _fit_key(key: bytes) -> bytes:
    """BLAKE2b takes up to 64 bytes of key."""
    return key if len(key) <= 64 else blake2b(key, digest_size=64).digest()
