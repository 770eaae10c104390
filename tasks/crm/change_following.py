"""Following a CRM's webhooks: the records that they name are read by their ids, and become signals.

Belongs here: which changes are followed, and when they count as followed. Does not belong here: what a webhook says
(``leadgate.mapping.webhooks``), or what a record becomes (``leads``, ``record_updates``).

A change counts as followed in the transaction that stores what was read. Killed anywhere, a sync reads the record
again, which changes nothing; of two syncs at once, both may read it, and one stores it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, crm_changes
from leadgate.ledger.clock import read_time
from tasks.crm.feed import SyncCounts
from tasks.crm.reading import ask_crm

if TYPE_CHECKING:
    from leadgate.connectors.crm import CrmRecord

#: Records that are read by one request.
RECORDS: Final = 100
#: What webhooks call it that a record is gone.
DELETION, PRIVACY_DELETION = "deletion", "privacyDeletion"

Read = Callable[[Sequence[str]], "dict[str, CrmRecord]"]
#: Stores records; the last argument has the ids of those that were deleted for privacy.
Store = Callable[[Connection, "Sequence[CrmRecord]", datetime, "frozenset[str]"], SyncCounts]


@dataclass(frozen=True)
class Follower:
    """How records are read that webhooks name as one of ``objects``, and stored. Those of other names are found by
    their own watermarks."""

    objects: frozenset[str]
    read: Read
    store: Store


def follow_changes(
    ledger: Ledger,
    source: str,
    *,
    crm: str,
    followers: Sequence[Follower],
    now: datetime | None,
    stop: Callable[[], bool],
    most: int = 1_000,
) -> tuple[SyncCounts, int]:
    """Read the records that the webhooks of ``source`` name, at most ``most`` times ``RECORDS``.

    Returns what was read, and how many changes were followed. Raises ``ServiceError``.
    """
    total, followed = SyncCounts(), 0
    for _ in range(most):
        with ledger.transaction() as transaction:
            waiting = crm_changes.list_changed_records(transaction, source, RECORDS)
        if not waiting or stop():
            break
        read: list[tuple[Store, list[CrmRecord], frozenset[str]]] = []
        for follower in followers:
            events = {each.record_id: set(each.events) for each in waiting if each.object in follower.objects}
            private = frozenset(id_ for id_, happened in events.items() if PRIVACY_DELETION in happened)
            if events:
                read.append((follower.store, _read_records(crm, events, private, follower.read), private))
        failpoint("crm.follow.read")
        with ledger.transaction() as transaction:
            at = read_time(transaction, now)
            marked = crm_changes.mark_followed(transaction, [id_ for each in waiting for id_ in each.ids], at)
            counts = SyncCounts()
            for store, records, private in read if marked else ():
                counts.add(store(transaction, records, at, private))
            failpoint("crm.follow.stored")
        failpoint("crm.follow.marked")
        total.add(counts)
        followed += marked
    return total, followed


def _read_records(crm: str, events: Mapping[str, set[str]], private: frozenset[str], read: Read) -> list[CrmRecord]:
    """The records of these events as the CRM has them now. One that is not there, and was not said to be deleted, is
    left to the search."""
    from leadgate.connectors.crm import CrmRecord

    found = _read_each(crm, [id_ for id_ in events if id_ not in private], read)
    gone = [id_ for id_, happened in events.items() if id_ not in found and DELETION in happened]
    return [*found.values(), *(CrmRecord(id_, {}, is_deleted=True) for id_ in sorted({*gone, *private}))]


def _read_each(crm: str, ids: Sequence[str], read: Read) -> dict[str, CrmRecord]:
    """The records with these ids. A request that is refused is halved, until the id to blame is left out.

    The CRM has just been read, so it is the ids that it refuses.
    """
    from leadgate.connectors.crm import CrmRefusedError

    if not ids:
        return {}
    try:
        return ask_crm(crm, lambda: read(ids))
    except CrmRefusedError:
        if len(ids) == 1:
            return {}
    middle = len(ids) // 2
    return _read_each(crm, ids[:middle], read) | _read_each(crm, ids[middle:], read)
