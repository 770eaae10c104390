"""One kind of records of a CRM, as a sync reads it: a page, and what it leads to.

Belongs here: what ``sync`` needs to know of a kind of records, and what is counted. Does not belong here: the loop
over pages (``sync``), or what follows from a kind (a module for each).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection


@dataclass(kw_only=True)
class SyncCounts:
    """What was read, in counts. Nothing personal."""

    records: int = 0  # of leads
    new: int = 0  # signals
    held: int = 0  # of them: cannot be read
    unwanted: int = 0  # by the playbook
    echoes: int = 0  # that hold nothing but what Leadgate has written
    deleted: int = 0
    gone: int = 0  # leads that wait for a person, because their record is gone
    ended: int = 0  # opportunities and contracts that are gone, and were open
    moved: int = 0  # leads that are another record now, into which theirs was merged
    owners: int = 0  # who were set in the CRM, and whose leads these are now
    outcomes: int = 0  # that deals are, and that are new
    activities: int = 0  # of reps, that are new
    unlinked: int = 0  # deals and activities that are of no known lead
    passed_over: int = 0  # activities that are no rep's doing, did not happen yet, or are Leadgate's own

    @property
    def known(self) -> int:
        """Records in a state that was read before."""
        return self.records - self.new - self.unwanted - self.echoes - self.deleted

    def add(self, more: SyncCounts) -> None:
        for each in fields(SyncCounts):
            setattr(self, each.name, getattr(self, each.name) + getattr(more, each.name))


@dataclass(frozen=True)
class FeedPage:
    """A page that was read. ``store`` writes what it brought, in the transaction that moves the watermark.

    ``prepare`` does before that what needs the CRM, or transactions of its own; doing it again must change nothing.
    ``deletions_known_from``: the CRM tells of no deletion before that any more. None: it told of all since last time.
    """

    position: str
    has_more: bool
    records: int
    changed_at: datetime | None  # the latest change in it, by the CRM's clock
    store: Callable[[Connection, datetime], SyncCounts]
    prepare: Callable[[], SyncCounts] = SyncCounts
    deletions_known_from: datetime | None = None


@dataclass(frozen=True)
class Feed:
    """A kind of records with a watermark of its own, which has the name ``kind``.

    ``read`` reads the page after a position. It may raise ``ServiceError``. No transaction is open then.
    """

    kind: str
    read: Callable[[str | None], FeedPage]


class Changed(Protocol):
    """A record of any kind."""

    @property
    def changed_at(self) -> datetime | None: ...


def find_latest(records: Iterable[Changed]) -> datetime | None:
    """When a record was last changed, by the CRM's clock."""
    return max((record.changed_at for record in records if record.changed_at is not None), default=None)
