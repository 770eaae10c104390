"""What a message to a person says, where it goes, and when it is tried again. All pure.

Belongs here: words, addresses by the playbook's notifications, the waits between attempts. Does not belong
here: claiming and sending (``tasks.outbox``).

A message shows who it is for, the lead by a masked address, and the way to see more. It leaves the
installation through a service that others run, so it holds no personal value and no text that a lead typed, apart
from the domain of an address that validation found good. What a service would interpret, ``connectors.notify`` makes
plain for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from leadgate.ledger.outbox import Message
from leadgate.masking import mask
from leadgate.plain_text import defang, format_line
from leadgate.playbook import Playbook, Rep
from leadgate.vocabulary import MessageKind

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


@dataclass(frozen=True)
class Words:
    """A message as it is read. Plain text; the last line of ``body`` carries the key."""

    title: str
    body: str


@dataclass(frozen=True)
class DeliveryAddress:
    """Where messages to a target go: the variable that the playbook names, and what it holds, if anything."""

    variable: str | None
    value: str | None = field(default=None, repr=False)


def wait_after(attempts: int) -> timedelta | None:
    """How long to wait after this many failed attempts; None: give up."""
    return None if attempts >= MOST_ATTEMPTS else WAITS[min(attempts, len(WAITS)) - 1]


def find_address(target: str, playbook: Playbook, environ: Mapping[str, str]) -> DeliveryAddress:
    """The target's own entry in the playbook's notifications, else the one for everybody."""
    entries = {entry.to: entry.address_env for entry in playbook.notifications}
    variable = entries.get(target, entries.get(EVERYBODY))
    if variable is None:
        return DeliveryAddress(None)
    return DeliveryAddress(variable, environ.get(variable, "").strip() or None)


_ABOUT_THE_FIRST_TOUCH: Final = (
    MessageKind.LEAD_ASSIGNED,
    MessageKind.LEAD_HEARD_AGAIN,
    MessageKind.FIRST_TOUCH_DUE,
    MessageKind.FIRST_TOUCH_OVERDUE,
)

#: The title and the sentence of each kind of message. They name fields of ``_build_fields``, and hold no other values.
TEMPLATES: Final[Mapping[str, tuple[str, str]]] = {
    MessageKind.LEAD_ASSIGNED: ("New lead {journey}", "This lead is yours."),
    MessageKind.LEAD_HEARD_AGAIN: ("Lead {journey} was heard of again", "There is news about your lead."),
    MessageKind.LEAD_WARMED_UP: ("Lead {journey} warmed up", "A lead that you followed up has done more since."),
    MessageKind.FIRST_TOUCH_DUE: ("Reminder: lead {journey} waits", "Your lead waits for its first touch."),
    MessageKind.FIRST_TOUCH_OVERDUE: ("Overdue: lead {journey}", "{owner} has not touched this lead yet."),
    MessageKind.ACCEPTANCE_DUE: ("Reminder: lead {journey} waits", "Please accept or reject your lead."),
    MessageKind.ACCEPTANCE_OVERDUE: (
        "Overdue: lead {journey}",
        "{owner} has neither accepted nor rejected this lead yet.",
    ),
    MessageKind.NEXT_TOUCH_DUE: ("Reminder: lead {journey} waits", "Your lead waits for its next touch."),
    MessageKind.NEXT_TOUCH_OVERDUE: ("Overdue: lead {journey}", "{owner} has not touched this lead again yet."),
    MessageKind.STAGE_DUE: ("Reminder: lead {journey} stays long", "Please accept your lead, or give it back."),
    MessageKind.STAGE_OVERDUE: (
        "Overdue: lead {journey}",
        "{owner} has neither accepted nor finished this lead in time.",
    ),
    MessageKind.LEAD_STALE: ("Lead {journey} went quiet", "Nothing has happened about your lead for days."),
    MessageKind.LEAD_TAKEN_BACK: (
        "Lead {journey} was taken back",
        "Nothing happened in time, so it goes to somebody else.",
    ),
    MessageKind.LEAD_RECYCLED: (
        "Lead {journey} goes back to nurture",
        "Nothing has happened about it for days. It comes back through qualification.",
    ),
    MessageKind.LEAD_HANDED_OVER: (
        "Lead {journey} is not yours any more",
        "A person gave this lead to somebody else, or took it back.",
    ),
    MessageKind.WORK_ITEM_OVERDUE: (
        "Overdue: work item {item}",
        "This lead waits behind {item}, which nobody has taken or decided in time: leadgate explain {item}.",
    ),
}
_ANY: Final = ("Lead {journey}: {kind}", "There is news about this lead.")
_BODY: Final = "To {target}: {sentence}\nLead: {lead}, from {source}\n{due}More: leadgate explain {journey}\nKey: {key}"

#: Characters of a name, and of everything that is known of a lead.
_NAME: Final = 80
_LEAD: Final = 100
#: A validated address looks like this: nothing else is taken for one.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9_][^\s@<>()\[\]\\,;:\"|]{0,63}@[\w.-]{4,253}")
_NUMBER: Final = re.compile(r"\+[1-9]\d{6,14}")
_ITEM: Final = re.compile(r"\d{1,19}")


def compose_message(message: Message, playbook: Playbook, now: datetime) -> Words:
    """The message in words: a template, and values that are safe to leave the installation."""
    fields = _build_fields(message, playbook, now)
    title, sentence = TEMPLATES.get(message.kind, _ANY)
    return Words(title.format(**fields), _BODY.format(sentence=sentence.format(**fields), **fields))


def _build_fields(message: Message, playbook: Playbook, now: datetime) -> dict[str, str]:
    """The values that a template can name, each on a line of its own, without unseen characters, and no longer than
    it has to be. Of what a lead said there is only ``lead``."""
    reps = {rep.name: rep for rep in playbook.reps}
    item = message.key.rpartition(":")[2]  # of a message about one, whose key ends with its number
    known = {
        "journey": f"J{message.journey_id}",
        "item": f"W{item}" if _ITEM.fullmatch(item) else "a work item",
        "kind": message.kind.replace("_", " "),
        "owner": _find_label(message.owner, reps),
        "target": _find_label(message.target, reps),
        "source": message.source,
        "key": message.key,
        "lead": _describe_lead(message),
    }
    fields = {name: format_line(value, _LEAD if name in ("lead", "key") else _NAME) for name, value in known.items()}
    return fields | {"due": _describe_due(message, reps, now)}


def mask_target(target: str) -> str:
    """A target as it may be listed: a playbook may name a manager by an e-mail address."""
    return mask(target) if "@" in target else target


def _find_label(name: str | None, reps: Mapping[str, Rep]) -> str:
    if name is None:
        return "Nobody"
    label = reps[name].label if name in reps else ""
    return label or (defang(mask_target(name)) if "@" in name else name)


def _describe_lead(message: Message) -> str:
    """What is known of the lead: an address or a number that validation has found good, masked; else that there is
    one, or none. What is not valid may be any text: a form must not be able to write to a sales team's channel."""
    if message.email is not None and _ADDRESS.fullmatch(message.email):
        return defang(mask(message.email))
    if message.phone is not None and _NUMBER.fullmatch(message.phone):
        return mask(message.phone)
    return "an address that could not be validated" if message.has_contact else "no address is known"


def _describe_due(message: Message, reps: Mapping[str, Rep], now: datetime) -> str:
    """When the first touch is due, on the clock of whom the message is for, else of the owner; a line, or nothing."""
    if message.due_at is None or message.kind not in _ABOUT_THE_FIRST_TOUCH:
        return ""
    rep = reps.get(message.target) or reps.get(message.owner or "")
    zone = rep.time_zone if rep is not None else "UTC"
    verb = "was" if message.due_at < now else "is"
    return f"First touch {verb} due: {message.due_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})\n"
