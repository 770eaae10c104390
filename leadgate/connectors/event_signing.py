"""The signature of a webhook to another system, as Standard Webhooks says (https://www.standardwebhooks.com).

Belongs here: keys, the signature, and what keeps an event from being delivered. Does not belong here: sending, which
needs more (``event_receiver``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from leadgate import source_secrets


class NotTakenError(Exception):
    """The event was not delivered; the message says why, without address, secret or content."""


class ReceiverGoneError(NotTakenError):
    """The receiver says that it takes no events any more."""


def read_keys(value: str) -> list[bytes]:
    """The keys to sign with: one, or two while a receiver changes from one to the other. Raises ``NotTakenError``."""
    try:
        secrets = source_secrets.read(value)
    except source_secrets.SecretError as error:
        raise NotTakenError(str(error)) from None
    keys = [secret.key for secret in secrets if secret.key is not None]
    if not keys or len(keys) < len(secrets):
        raise NotTakenError("holds no secret of Standard Webhooks, which begins with whsec_; make one")
    return keys


def sign(keys: Sequence[bytes], event_id: str, seconds: int, body: bytes) -> str:
    """The header ``webhook-signature``: a signature for each key.

    >>> sign([b"x" * 24], "owned:12:0:crm", 1700000000, b"{}")
    'v1,b8gEpwdMdq2fAPIY9Stxj8Qv2/vgspZU3YaMzpKaYTM='
    """
    signed = f"{event_id}.{seconds}.".encode() + body
    digests = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    return " ".join(f"v1,{base64.b64encode(digest).decode('ascii')}" for digest in digests)
