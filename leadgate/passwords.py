"""Passwords: what is accepted as one, and its hash by argon2id.

Belongs here: hashing and checking. Does not belong here: whose password it is, and keeping the hash
(``ledger.accounts``).

The parameters are the second recommendation of RFC 9106 (3 passes, 64 MiB, 4 lanes). A hash says which parameters it
was made with, so others can be used from some day on.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from leadgate.errors import LeadgateError

#: Characters of a password.
SHORTEST: Final = 10
LONGEST: Final = 1_000

_hasher: Final = PasswordHasher()


class PasswordError(LeadgateError, ValueError):
    """No password that is accepted. The message says why, and never quotes it."""


def hash_password(password: str) -> str:
    """The hash to keep. Raises ``PasswordError`` for a password that is too short or too long, or no text."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordError(
            f"a password has {SHORTEST} to {LONGEST:,} characters, and this one has {len(password):,}; take another"
        )
    if not password.strip():
        raise PasswordError("a password of nothing but spaces is none; take another")
    try:
        return _hasher.hash(password)
    except UnicodeEncodeError:
        raise PasswordError("the password has characters that cannot be stored; take another") from None


def is_right(kept: str | None, password: str) -> bool:
    """Whether ``password`` is the one of the hash ``kept``. Without one the work is the same, and the answer no."""
    try:
        _hasher.verify(kept or _make_unknown(), password[:LONGEST])
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
    return kept is not None and len(password) <= LONGEST


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than new ones are."""
    return _hasher.check_needs_rehash(kept)


@cache
def _make_unknown() -> str:
    """A hash that takes as long to check as any, for accounts that do not exist."""
    return _hasher.hash("the password of nobody")
