"""Announcements of changes: PostgreSQL tells the processes that listen when a transaction has changed something.

Belongs here: the channels, what is announced on them, and listening. Does not belong here: what a listener does.

Triggers of the tables announce changes (migrations 0027, 0032 and 0037), so that no writer can forget it; storing
signals announces those that wait (``captured_rows``). An announcement names the kind of thing that changed, and the
leads that it is about where they are few: it is a hint to look, and is lost where nobody listens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import psycopg

from leadgate.ledger.database import Ledger

WAITING: Final = "leadgate_waiting"  # a signal was stored: consumers wake up
CHANGED: Final = "leadgate_changed"  # a ``Change`` for those who look at pages


class Change(StrEnum):
    """What changed, as it is announced."""

    OWNERS = "owners"  # who has which lead, accepted, touched or waited for it, or is away
    WORK_ITEMS = "work_items"


def find_kind(announced: str, lead_id: int | None) -> str | None:
    """The kind of change that was announced; None where it is about other leads than ``lead_id`` alone."""
    kind, *leads = announced.split(" ")
    return kind if lead_id is None or not leads or str(lead_id) in leads else None


def listen(ledger: Ledger, channel: str, tell: Callable[[str], None], stop: threading.Event) -> None:
    """Call ``tell`` with what is announced on ``channel``, until ``stop`` is set. Runs in a thread of its own.

    ``tell`` is called with an empty text whenever listening begins: announcements may have been missed before. When
    PostgreSQL goes away, listening begins again as soon as it is back.
    """
    url = ledger.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    while not stop.is_set():
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                connection.execute(f"LISTEN {channel}")
                tell("")
                while not stop.is_set():
                    for announced in connection.notifies(timeout=1.0, stop_after=1):
                        tell(announced.payload)
        except psycopg.Error:  # whosever fault it is
            stop.wait(1.0)
