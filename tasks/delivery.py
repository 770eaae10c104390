"""Where a message to a person or an event goes, and when it is tried again. All pure.

Belongs here: addresses by the playbook's notifications, and the waits between attempts. Does not belong here: what a
message says (``tasks.message_texts``), or claiming and sending (``tasks.outbox``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from leadgate.masking import mask
from leadgate.playbook import EVENT_TARGET, EventReceiver, MessageFact, Playbook
from leadgate.vocabulary import EventKind

EVERYBODY: Final = "everybody"
#: How long after each failed attempt the next one follows; after the last of these, always as long as that.
WAITS: Final = (
    timedelta(seconds=10),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=4),
)
#: With these waits, a message is given up about 17 hours after the first attempt.
MOST_ATTEMPTS: Final = 10
#: From then on a message is sent by itself: one that no process survives must not take the others along.
DIGEST_ATTEMPTS: Final = 6


@dataclass(frozen=True)
class DeliveryAddress:
    """Where messages to a target go: the variable that the playbook names, and what it holds, if anything.

    ``shows`` and ``digest_from`` are the notification's.
    """

    variable: str | None
    value: str | None = field(default=None, repr=False)
    shows: tuple[MessageFact, ...] = ()
    digest_from: int | None = None
    receiver: EventReceiver | None = None  # of events: the address is the playbook's, and the variable has its secret


def wait_after(attempts: int) -> timedelta | None:
    """How long to wait after this many failed attempts; None: give up."""
    return None if attempts >= MOST_ATTEMPTS else WAITS[min(attempts, len(WAITS)) - 1]


def find_address(target: str, playbook: Playbook, environ: Mapping[str, str]) -> DeliveryAddress:
    """The target's own entry in the playbook's notifications, else the one for everybody; of an event, its receiver."""
    if target.startswith(EVENT_TARGET):
        for receiver in playbook.events:
            if receiver.target == target:
                value = environ.get(receiver.secret_env, "").strip() or None
                return DeliveryAddress(receiver.secret_env, value, receiver=receiver)
        return DeliveryAddress(None)
    entries = {entry.to: entry for entry in playbook.notifications}
    entry = entries.get(target, entries.get(EVERYBODY))
    if entry is None:
        return DeliveryAddress(None)
    value = environ.get(entry.address_env, "").strip() or None
    return DeliveryAddress(entry.address_env, value, entry.shows, entry.digest_from)


def list_subscriptions(playbook: Playbook) -> list[tuple[str, str]]:
    """The systems that are told of events, each with a kind of events."""
    return [(each.name, EventKind(f"event_{word}")) for each in playbook.events for word in each.about]


def mask_target(target: str) -> str:
    """A target as it may be listed: a playbook may name a manager by an e-mail address."""
    return mask(target) if "@" in target else target
