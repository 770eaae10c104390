"""The secrets of sources that post: their form, which of them are too weak, and making a new one.

Belongs here: everything that can be said of a secret by looking at it. Does not belong here: judging a request
(``console.http.authentication``), or which variables a playbook names (``playbook.check``).

A variable holds one secret, or two for as long as a sender changes from one to the other. ``whsec_`` and the base64 of
24 to 64 bytes is a secret of Standard Webhooks (https://www.standardwebhooks.com). Any other text is a bearer's token;
for a source that signs, such a text is a secret of the signature before Standard Webhooks.
No message repeats a secret.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from typing import Final

from leadgate.errors import LeadgateError

PREFIX: Final = "LEADGATE_SECRET_"  #: of every variable that holds the secret of a source
STANDARD: Final = "whsec_"
MOST: Final = 2  #: secrets in one variable
_SHORTEST, _LONGEST = 24, 64  # bytes of a key
_LONGEST_TEXT: Final = 255  # characters
_DISTINCT: Final = (
    8  # different characters or bytes; 24 random hexadecimal digits have more, `password` repeated has fewer
)
_MAKE_ONE: Final = "`leadgate secret new` makes one"


class SecretError(LeadgateError, ValueError):
    """A variable's value that cannot be used, without the value."""


@dataclass(frozen=True)
class Secret:
    """``text`` is what a bearer sends. ``key`` is that of Standard Webhooks; None in a secret of another form."""

    text: bytes = field(repr=False)
    key: bytes | None = field(repr=False)


def make() -> str:
    """A new secret of Standard Webhooks, of 32 random bytes; a bearer may send it, too."""
    return STANDARD + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def read(value: str) -> list[Secret]:
    """The secrets that the value of a variable holds; none in an empty one. Raises ``SecretError``."""
    given = value.split()
    if len(given) > MOST:
        raise SecretError(f"holds {len(given)} secrets; give one, or two while a sender changes to the other")
    return [_parse_secret(text) for text in given]


def _parse_secret(text: str) -> Secret:
    if not text.isascii() or not text.isprintable():
        raise SecretError(f"holds characters that no secret has; {_MAKE_ONE}")
    if text.startswith(STANDARD):
        return Secret(text.encode(), _decode_key(text.removeprefix(STANDARD)))
    if not _SHORTEST <= len(text) <= _LONGEST_TEXT:
        count = f"{len(text)} character{'' if len(text) == 1 else 's'}"
        raise SecretError(f"holds a secret of {count}; it needs {_SHORTEST} to {_LONGEST_TEXT}: {_MAKE_ONE}")
    if len(set(text)) < _DISTINCT:
        raise SecretError(f"holds a secret of {len(set(text))} different characters, which can be guessed: {_MAKE_ONE}")
    return Secret(text.encode(), None)


def _decode_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise SecretError(f"holds no base64 after {STANDARD}; {_MAKE_ONE}") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise SecretError(f"holds a secret of {len(key)} bytes; it needs {_SHORTEST} to {_LONGEST}: {_MAKE_ONE}")
    if len(set(key)) < _DISTINCT:
        raise SecretError(f"holds a secret of {len(set(key))} different bytes, which can be guessed: {_MAKE_ONE}")
    return key
