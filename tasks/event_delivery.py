"""An event as other systems are told of it: a small document, signed and sent once.

Belongs here: what the document says, and sending it. Does not belong here: claiming it and what follows
(``tasks.outbox``), or the signature (``connectors.event_receiver``).

An event says what is known when it is sent. The kind, the moment and the lead's number never change, nor does the id by
which a receiver knows that it has the event already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import orjson

from leadgate.connectors.event_signing import NotTakenError, ReceiverGoneError, read_keys
from leadgate.ledger import Ledger
from leadgate.ledger.event_facts import EventFacts, read_event_facts
from leadgate.ledger.message_facts import MessageFacts, read_message_facts, read_record_facts
from leadgate.ledger.outbox import Message
from leadgate.plain_text import make_storable
from leadgate.playbook import EventReceiver, ShownFact
from leadgate.values.json_types import JsonObject, JsonValue
from leadgate.vocabulary import EventKind, JourneyKind

if TYPE_CHECKING:
    from leadgate.connectors.service_session import ServiceSession

__all__ = ["EventSender", "NotTakenError", "ReceiverGoneError", "compose_event"]

_LONGEST: Final = 500  # characters of a text
_TYPE: Final = "{}.{}"  # what it is about, and what happened


class EventSender:
    """Sends events for as long as one delivery lasts; connections stay open meanwhile."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._sessions: dict[bool, ServiceSession] = {}

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()

    def send(self, message: Message, body: bytes, receiver: EventReceiver, secret: str) -> None:
        """Post what ``compose`` made of the event. Raises ``NotTakenError``."""
        from leadgate.connectors import event_receiver  # it needs requests, and most playbooks tell nobody

        keys = read_keys(secret)
        session = self._sessions.get(receiver.allow_private)
        if session is None:
            session = event_receiver.open_session(allow_private=receiver.allow_private)
            self._sessions[receiver.allow_private] = session
        seconds = int(datetime.now(UTC).timestamp())  # of the attempt: a receiver compares it with its own clock
        event_receiver.send(session, receiver.url, keys, message.key, seconds, body)

    def compose(self, message: Message, receiver: EventReceiver) -> bytes:
        facts = read_event_facts(self._ledger, message.journey_id, _find_generation(message))
        read = read_message_facts if message.record_id is None else read_record_facts
        shown = read(self._ledger, [message.journey_id]) if receiver.shows else {}
        return compose_event(message, facts, receiver.shows, shown.get(message.journey_id))


def compose_event(
    message: Message, facts: EventFacts | None, shows: tuple[ShownFact, ...], shown: MessageFacts | None
) -> bytes:
    """The document: ``type``, ``timestamp`` and ``data``. Of the lead or record it has what ``shows`` names, and no
    more; ``company`` is a record's account."""
    is_lead = message.about is JourneyKind.LEAD
    data: dict[str, JsonValue] = {
        "lead_number" if is_lead else "record_number": message.lead_id if is_lead else message.record_id,
        "journey": message.journey_id,
        "source": message.source,
    }
    if facts is not None:
        data |= {
            "status": facts.status,
            "stage": facts.stage,
            "reason": facts.reason,
            "owner": facts.owner,
            "route": facts.route,
            "pool": facts.pool,
            "work_items": facts.reasons,
        }
    if EventKind(message.kind) is EventKind.MISSED:
        data["missed"] = message.key.split(":")[3].partition("-")[0]
    lead = shown or MessageFacts(message.journey_id)
    data |= {name: _FIND[name](message, lead) for name in shows}
    document: JsonObject = {
        "type": _TYPE.format(message.about, EventKind(message.kind).word),
        "timestamp": message.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {name: _cut(value) for name, value in data.items()},
    }
    return orjson.dumps(document)


_FIND: Final[Mapping[ShownFact, Callable[[Message, MessageFacts], JsonValue]]] = {
    "name": lambda message, facts: facts.name if facts.record_name is None else facts.record_name,
    "job_title": lambda message, facts: facts.job_title,
    "company": lambda message, facts: facts.company,
    "country": lambda message, facts: facts.country,
    "email": lambda message, facts: message.email,
    "phone": lambda message, facts: message.phone,
    "score": lambda message, facts: facts.score,
    "grade": lambda message, facts: facts.grade,
    "reasons": lambda message, facts: dict(facts.contributions),
}


def _find_generation(message: Message) -> int:
    """The generation of the assignment that the event is about: a part of its key."""
    return int(message.key.split(":")[2])


def _cut(value: JsonValue) -> JsonValue:
    """A value whose texts any reader of JSON takes, and are no longer than a receiver expects."""
    if isinstance(value, str):
        return make_storable(value[:_LONGEST])
    if isinstance(value, Mapping):
        return {str(_cut(name)): _cut(each) for name, each in value.items()}
    return [_cut(each) for each in value] if isinstance(value, Sequence) else value
