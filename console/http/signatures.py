"""How senders sign their requests: a scheme for each vendor, judged by the headers, then over the raw body.

Belongs here: which headers a scheme has, their form, their time, and what is signed with what. Does not belong here:
whose keys they are, and what an answer says (``authentication``).

- ``standard_webhooks``: https://www.standardwebhooks.com. Its library is the reference in our tests, and does not judge
  here: it takes a body for UTF-8, reads the clock itself, takes more or less time for what is wrong, and raises
  whatever an odd header leads to.
- ``old``: the signature of Leadgate before Standard Webhooks.
- ``typeform``: ``Typeform-Signature``, over the body alone, so a repeat is told by the id of the response.
- ``calendly``: ``Calendly-Webhook-Signature``, over the time and the body.
- ``facebook``: ``X-Hub-Signature-256``, over the body alone, so a repeat is told by the id of the lead.
- ``hubspot``: ``X-HubSpot-Signature-v3``, over the method, the address, the body and the time.

Google signs nothing and sends the secret itself, in the body.

No scheme parses a body. Everything compares in constant time.
"""

from __future__ import annotations

import contextlib
import hmac
import re
from binascii import a2b_base64, a2b_hex
from collections.abc import Sequence
from itertools import islice
from typing import Final, Literal, NamedTuple, Protocol

import orjson

#: Seconds by which the time of a signature may be off, either way.
TOLERANCE: Final = 300

#: Why a request is refused: for metrics, never for an answer.
Reason = Literal["unknown_source", "no_secret", "missing", "malformed", "stale", "wrong"]
SchemeName = Literal["standard_webhooks", "old", "typeform", "calendly", "facebook", "hubspot"]

_SECONDS: Final = re.compile(rb"[0-9]{1,12}")
_MILLISECONDS: Final = re.compile(rb"[0-9]{1,15}")
#: Without a dot, for it separates id, timestamp and body: with one, another id and time could carry the same signature.
_ID: Final = re.compile(rb"[!-\-/-~]{1,255}")
_SIGNATURES: Final = 10  # in one header
_STANDARD: Final = re.compile(rb"v1,[A-Za-z0-9+/]{43}=")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]{43}=")
_SHA256_BASE64: Final = re.compile(rb"sha256=[A-Za-z0-9+/]{43}=")
_SHA256_HEX: Final = re.compile(rb"sha256=[0-9a-f]{64}")
_CALENDLY: Final = re.compile(rb"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


class Given(NamedTuple):
    """The headers a request signs in with, as they came; None for one that is missing or there twice."""

    authorization: bytes | None = None
    id: bytes | None = None
    timestamp: bytes | None = None
    signature: bytes | None = None
    old_timestamp: bytes | None = None
    old_signature: bytes | None = None
    typeform: bytes | None = None
    calendly: bytes | None = None
    facebook: bytes | None = None
    hubspot: bytes | None = None
    hubspot_timestamp: bytes | None = None


#: The headers of ``Given``, in its order.
HEADERS: Final = (
    b"authorization", b"webhook-id", b"webhook-timestamp", b"webhook-signature",
    b"x-leadgate-timestamp", b"x-leadgate-signature", b"typeform-signature", b"calendly-webhook-signature",
    b"x-hub-signature-256", b"x-hubspot-signature-v3", b"x-hubspot-request-timestamp",
)  # fmt: skip


class Scheme(Protocol):
    """How one vendor signs."""

    def find_fault(self, given: Given, now: float) -> Reason | None:
        """What is wrong with the form of the signature, or with its time. None: only the body can tell. ``now`` is in
        Unix seconds."""
        ...

    def is_signed(self, given: Given, body: bytes, keys: Sequence[bytes], address: bytes) -> bool:
        """Whether one of ``keys`` signed ``body``, posted to ``address``. The headers have no fault."""
        ...


class _StandardWebhooks:
    """HMAC-SHA256 (RFC 2104) of ``id.timestamp.body``, several signatures in one header."""

    def find_fault(self, given: Given, now: float) -> Reason | None:
        if given.id is None and given.timestamp is None and given.signature is None:
            return "missing"
        signatures = (given.signature or b"").split(b" ")
        formed = (
            _ID.fullmatch(given.id or b"") is not None
            and len(signatures) <= _SIGNATURES
            and any(_STANDARD.fullmatch(each) for each in signatures)
        )
        return _judge_time(given.timestamp, now) if formed else "malformed"

    def is_signed(self, given: Given, body: bytes, keys: Sequence[bytes], address: bytes) -> bool:
        signed = b"%b.%b.%b" % (given.id or b"", given.timestamp or b"", body)
        sent = [a2b_base64(each[3:]) for each in (given.signature or b"").split(b" ") if _STANDARD.fullmatch(each)]
        return _is_any_same(sent, keys, signed)


class _Old:
    """HMAC-SHA256 of ``timestamp.body``, in two headers of Leadgate's own."""

    def find_fault(self, given: Given, now: float) -> Reason | None:
        if given.old_timestamp is None and given.old_signature is None:
            return "missing"
        formed = _SHA256_HEX.fullmatch((given.old_signature or b"").lower()) is not None
        return _judge_time(given.old_timestamp, now) if formed else "malformed"

    def is_signed(self, given: Given, body: bytes, keys: Sequence[bytes], address: bytes) -> bool:
        signed = b"%b.%b" % (given.old_timestamp or b"", body)
        return _is_any_same([a2b_hex((given.old_signature or b"")[7:])], keys, signed)


class _Typeform:
    """``sha256=`` and the base64 of the HMAC-SHA256 of the body."""

    def find_fault(self, given: Given, now: float) -> Reason | None:
        return _judge_form(given.typeform, _SHA256_BASE64)

    def is_signed(self, given: Given, body: bytes, keys: Sequence[bytes], address: bytes) -> bool:
        return _is_any_same([a2b_base64((given.typeform or b"")[7:])], keys, body)


class _Calendly:
    """``t=SECONDS,v1=HEX``, the HMAC-SHA256 of ``SECONDS.body``."""

    def find_fault(self, given: Given, now: float) -> Reason | None:
        if given.calendly is None:
            return "missing"
        found = _CALENDLY.fullmatch(given.calendly)
        return "malformed" if found is None else _judge_time(found[1], now)

    def is_signed(self, given: Given, body: bytes, keys: Sequence[bytes], address: bytes) -> bool:
        found = _CALENDLY.fullmatch(given.calendly or b"")
        return found is not None and _is_any_same([a2b_hex(found[2])], keys, b"%b.%b" % (found[1], body))


class _Facebook:
    """``sha256=`` and the hexadecimal HMAC-SHA256 of the body."""

    def find_fault(self, given: Given, now: float) -> Reason | None:
        return _judge_form(given.facebook, _SHA256_HEX)

    def is_signed(self, given: Given, body: bytes, keys: Sequence[bytes], address: bytes) -> bool:
        return _is_any_same([a2b_hex((given.facebook or b"")[7:])], keys, body)


class _HubSpot:
    """The base64 of the HMAC-SHA256 of method, address, body and time; the time is in milliseconds."""

    def find_fault(self, given: Given, now: float) -> Reason | None:
        if given.hubspot is None and given.hubspot_timestamp is None:
            return "missing"
        timestamp = given.hubspot_timestamp or b""
        if _BASE64.fullmatch(given.hubspot or b"") is None or _MILLISECONDS.fullmatch(timestamp) is None:
            return "malformed"
        return None if abs(now * 1000 - int(timestamp)) <= TOLERANCE * 1000 else "stale"

    def is_signed(self, given: Given, body: bytes, keys: Sequence[bytes], address: bytes) -> bool:
        signed = b"POST%b%b%b" % (address, body, given.hubspot_timestamp or b"")
        return _is_any_same([a2b_base64(given.hubspot or b"")], keys, signed)


SCHEMES: Final[dict[SchemeName, Scheme]] = {
    "standard_webhooks": _StandardWebhooks(),
    "old": _Old(),
    "typeform": _Typeform(),
    "calendly": _Calendly(),
    "facebook": _Facebook(),
    "hubspot": _HubSpot(),
}

#: What HubSpot decodes in an address before it signs it; every other ``%XX`` stays.
_DECODED: Final = {
    "3A": ":", "2F": "/", "3F": "?", "40": "@", "21": "!", "24": "$", "27": "'", "28": "(", "29": ")", "2A": "*",
    "2C": ",", "3B": ";",
}  # fmt: skip
_ESCAPED: Final = re.compile("%(" + "|".join(_DECODED) + ")", re.IGNORECASE)


def decode_address(address: str) -> bytes:
    """An address as HubSpot signs it.

    >>> decode_address("https://leads.example/capture/hubspot%3Fa=%20%2c")
    b'https://leads.example/capture/hubspot?a=%20,'
    """
    return _ESCAPED.sub(lambda found: _DECODED[found[1].upper()], address).encode()


#: The secret that a lead form of Google Ads sends in its body. Possessive: no body makes it take long.
_GOOGLE_KEY: Final = re.compile(rb'"google_key"\s*+:\s*+("(?:[^"\\]++|\\.)*+")')
_GOOGLE_KEYS: Final = 4  # in one body: another one may be part of an answer


def find_google_keys(body: bytes) -> list[bytes]:
    """What a body calls ``google_key``. The body is not parsed, for nobody knows yet who sent it.

    >>> find_google_keys(b'{"lead_id": "1", "google_key": "a\\\\u003d"}')
    [b'a=']
    """
    keys: list[bytes] = []
    for found in islice(_GOOGLE_KEY.finditer(body), _GOOGLE_KEYS):
        with contextlib.suppress(orjson.JSONDecodeError):
            keys.append(orjson.loads(found[1]).encode())
    return keys


def _judge_form(header: bytes | None, form: re.Pattern[bytes]) -> Reason | None:
    if header is None:
        return "missing"
    return None if form.fullmatch(header) else "malformed"


def _judge_time(timestamp: bytes | None, now: float) -> Reason | None:
    if timestamp is None or _SECONDS.fullmatch(timestamp) is None:
        return "malformed"
    return None if abs(now - int(timestamp)) <= TOLERANCE else "stale"


def _is_any_same(sent: Sequence[bytes], keys: Sequence[bytes], signed: bytes) -> bool:
    """Compares each signature that was sent with that of each key, whichever is the same."""
    expected = [hmac.digest(key, signed, "sha256") for key in keys]
    same = [hmac.compare_digest(one, other) for one in sent for other in expected]
    return any(same)
