"""Signed webhooks to other systems, as Standard Webhooks says (https://www.standardwebhooks.com).

Belongs here: sending, and what an answer means. Does not belong here: the signature (``event_signing``), what an event
says (``tasks.event_delivery``), or when it is sent again (``tasks.delivery``).

A receiver knows a repeated event by its ``webhook-id``, which stays the same from attempt to attempt, and an old one by
``webhook-timestamp``, which is that of the attempt. Redirects are not followed: a signature for one address is no
business of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leadgate.connectors.event_signing import NotTakenError, ReceiverGoneError, sign
from leadgate.connectors.service_session import Policy, ServiceError, ServiceSession

_GONE: Final = 410
_LIMITS: Final = {"connect": 5.0, "read": 10.0, "whole": 15.0, "repeats": 0, "max_bytes": 1024**2}


def open_session(*, allow_private: bool) -> ServiceSession:
    return ServiceSession("the receiver", policy=Policy(**_LIMITS, allow_private=allow_private))  # type: ignore[arg-type]


def send(session: ServiceSession, url: str, keys: Sequence[bytes], event_id: str, seconds: int, body: bytes) -> None:
    """Post an event once. Raises ``NotTakenError``; the receiver may have got the event all the same."""
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": sign(keys, event_id, seconds, body),
    }
    try:
        answer = session.send("POST", url, headers=headers, data=body, repeatable=False)
    except ServiceError as error:
        raise NotTakenError(str(error)) from None
    if answer.status == _GONE:
        raise ReceiverGoneError("the receiver answered 410: it takes no events any more")
    if 300 <= answer.status < 400:
        raise NotTakenError(f"the receiver answered {answer.status}, and redirects are not followed")
    if not answer.is_ok:
        raise NotTakenError(f"the receiver answered {answer.status}")
