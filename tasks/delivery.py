"""What a message to a person says, where it goes, and when it is tried again. All pure.

Belongs here: words, addresses by the playbook's notifications, the waits between attempts. Does not belong
here: claiming and sending (``tasks.outbox``).

A message shows who it is for, the lead by a masked address, and the way to see more. It leaves the
installation through a service that others run, so it holds no personal value and no text that a lead typed: a
form must not be able to write to a sales team's channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from leadgate.ledger.outbox import Message
from leadgate.masking import mask
from leadgate.playbook import Playbook, Rep

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
class Address:
    """Where messages to a target go: the variable that the playbook names, and what it holds, if anything."""

    variable: str | None
    value: str | None = field(default=None, repr=False)


def wait_after(attempts: int) -> timedelta | None:
    """How long to wait after this many failed attempts; None: give up."""
    return None if attempts >= MOST_ATTEMPTS else WAITS[min(attempts, len(WAITS)) - 1]


def address_of(target: str, playbook: Playbook, environ: Mapping[str, str]) -> Address:
    """The target's own entry in the playbook's notifications, else the one for everybody."""
    entries = {entry.to: entry.address_env for entry in playbook.notifications}
    variable = entries.get(target, entries.get(EVERYBODY))
    if variable is None:
        return Address(None)
    return Address(variable, environ.get(variable, "").strip() or None)


_ABOUT_THE_FIRST_TOUCH: Final = ("lead_assigned", "lead_heard_again", "first_touch_due", "first_touch_overdue")


def words(message: Message, playbook: Playbook, now: datetime) -> Words:
    """The message in words."""
    reps = {rep.name: rep for rep in playbook.reps}
    journey = f"J{message.journey_id}"
    owner = _label(message.owner, reps)
    item = f"W{message.key.rpartition(':')[2]}"  # of a message about one, whose key ends with its number
    title, sentence = {
        "lead_assigned": (f"New lead {journey}", "This lead is yours."),
        "lead_heard_again": (f"Lead {journey} was heard of again", "There is news about your lead."),
        "lead_warmed_up": (f"Lead {journey} warmed up", "A lead that you followed up has done more since."),
        "first_touch_due": (f"Reminder: lead {journey} waits", "Your lead waits for its first touch."),
        "first_touch_overdue": (f"Overdue: lead {journey}", f"{owner} has not touched this lead yet."),
        "acceptance_due": (f"Reminder: lead {journey} waits", "Please accept or reject your lead."),
        "acceptance_overdue": (f"Overdue: lead {journey}", f"{owner} has neither accepted nor rejected this lead yet."),
        "next_touch_due": (f"Reminder: lead {journey} waits", "Your lead waits for its next touch."),
        "next_touch_overdue": (f"Overdue: lead {journey}", f"{owner} has not touched this lead again yet."),
        "stage_due": (f"Reminder: lead {journey} stays long", "Please accept your lead, or give it back."),
        "stage_overdue": (f"Overdue: lead {journey}", f"{owner} has neither accepted nor finished this lead in time."),
        "lead_stale": (f"Lead {journey} went quiet", "Nothing has happened about your lead for days."),
        "lead_taken_back": (
            f"Lead {journey} was taken back",
            "Nothing happened in time, so it goes to somebody else.",
        ),
        "lead_recycled": (
            f"Lead {journey} goes back to nurture",
            "Nothing has happened about it for days. It comes back through qualification.",
        ),
        "lead_handed_over": (
            f"Lead {journey} is not yours any more",
            "A person gave this lead to somebody else, or took it back.",
        ),
        "work_item_overdue": (
            f"Overdue: work item {item}",
            f"This lead waits behind {item}, which nobody has taken or decided in time: leadgate explain {item}.",
        ),
    }.get(message.kind, (f"Lead {journey}: {message.kind.replace('_', ' ')}", "There is news about this lead."))
    lines = [
        f"To {_label(message.target, reps)}: {sentence}",
        f"Lead: {_lead(message)}",
        *_due(message, reps, now),
        f"More: leadgate explain {journey}",
        f"Key: {message.key}",
    ]
    return Words(title, "\n".join(lines))


def shown_target(target: str) -> str:
    """A target as it may be listed: a playbook may name a manager by an e-mail address."""
    return mask(target) if "@" in target else target


def _label(name: str | None, reps: Mapping[str, Rep]) -> str:
    if name is None:
        return "Nobody"
    return (reps[name].label if name in reps else "") or shown_target(name)


def _lead(message: Message) -> str:
    known = mask(message.email) or mask(message.phone) or "no address is known"
    return f"{known}, from {message.source}"


def _due(message: Message, reps: Mapping[str, Rep], now: datetime) -> list[str]:
    """When the first touch is due, on the clock of whom the message is for, else of the owner."""
    if message.due_at is None or message.kind not in _ABOUT_THE_FIRST_TOUCH:
        return []
    rep = reps.get(message.target) or reps.get(message.owner or "")
    zone = rep.time_zone if rep is not None else "UTC"
    verb = "was" if message.due_at < now else "is"
    return [f"First touch {verb} due: {message.due_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"]
