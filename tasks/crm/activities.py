"""Calls, e-mails, meetings and tasks that reps log in a CRM, as activities of their leads and records.

Belongs here: which of them are a rep's doing, of which lead or record, and whose. Does not belong here: the loop over
pages (``sync``), a vendor's records (``connectors``), or what counts as a touch (``sla.touches``, by the playbook).

An activity about a record that is read, too, is stored whether the record is known yet or not: it finds it then.
An activity has the CRM's id in its key, so that one which comes again changes nothing; it stays as it was first read.
What is said or written in it is not read. Leadgate's own follow-up task is a rep's doing only while its assignment
waits for the first touch: later Leadgate completes it itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.ledger import Ledger, activities, crm_links, crm_tasks
from leadgate.ledger.activities import KnownActivity
from leadgate.ledger.clock import ask_time
from leadgate.limits import MAX_KEY_LENGTH
from leadgate.plain_text import make_storable
from leadgate.playbook import CrmConnection, CrmReads, Playbook
from leadgate.vocabulary import ActivityActor
from tasks.capture import encode
from tasks.crm.feed import Feed, FeedPage, SyncCounts, find_latest
from tasks.crm.outcomes import find_start, list_id_kinds
from tasks.crm.owners import RepFinder

if TYPE_CHECKING:
    from leadgate.connectors.crm import Crm, CrmActivity, CrmObject

BEGUN: Final = "meeting_begun"  # the watermark of meetings, by when they begin
_AHEAD: Final = timedelta(minutes=5)  # of the CRM's clock and the ledger's
_LONGEST: Final = 2**31 - 1  # seconds that the ledger's column holds
_MEETINGS: Final = timedelta(days=7)  # of which the meetings are read at once


def build_feeds(
    ledger: Ledger, playbook: Playbook, connection: CrmConnection, reads: CrmReads, crm: Crm, now: datetime | None
) -> list[Feed]:
    """How activities are read: each kind by when it was changed, and meetings also by when they begin."""
    reader = _ActivityReader(playbook, connection, reads, crm)
    kinds = list_kinds(reads, crm)
    feeds = [_build_feed(ledger, connection.name, kind, reader, crm, now) for kind in kinds]
    if any(kind.value == "meeting" for kind in kinds):
        feeds.append(_build_meeting_feed(ledger, connection.name, reader, crm, now))
    return feeds


def list_kinds(reads: CrmReads, crm: Crm) -> list[CrmObject]:
    """The kinds of records in which the CRM keeps activities that the playbook reads."""
    return [
        kind for kind, may_be in crm.activity_kinds.items() if any(each.value in reads.activities for each in may_be)
    ]


def _build_meeting_feed(ledger: Ledger, name: str, reader: _ActivityReader, crm: Crm, now: datetime | None) -> Feed:
    """Meetings that have begun since the last sync: their records may have been made, and not changed since, before."""
    from leadgate.connectors.crm import CrmObject

    def read(position: str | None) -> FeedPage:
        at = ask_time(ledger, now)
        since = _parse_time(position) or (crm_links.find_first_link(ledger, name) or at)
        until = max(since, min(at, since + _MEETINGS))
        found = reader.add_records(CrmObject.MEETING, crm.read_meetings(since - _AHEAD, until))

        def prepare() -> SyncCounts:
            reader.learn_reps(found)
            return SyncCounts()

        def store(transaction: Connection, at: datetime) -> SyncCounts:
            return reader.store(transaction, found, at)

        return FeedPage(until.isoformat(), until < at, len(found), find_latest(found), store, prepare)

    return Feed(BEGUN, read)


def _parse_time(position: str | None) -> datetime | None:
    return datetime.fromisoformat(position) if position is not None else None


def _build_feed(
    ledger: Ledger, name: str, kind: CrmObject, reader: _ActivityReader, crm: Crm, now: datetime | None
) -> Feed:
    def read(position: str | None) -> FeedPage:
        page = crm.read_activities(kind, position or find_start(ledger, name, crm, now))
        found = reader.add_records(kind, page.activities)

        def prepare() -> SyncCounts:
            reader.learn_reps(found)
            return SyncCounts()

        def store(transaction: Connection, at: datetime) -> SyncCounts:
            return reader.store(transaction, found, at)

        return FeedPage(page.position, page.has_more, len(found), find_latest(found), store, prepare)

    return Feed(kind.value, read)


class _ActivityReader:
    """Activities of a CRM as the ledger keeps them."""

    def __init__(self, playbook: Playbook, connection: CrmConnection, reads: CrmReads, crm: Crm) -> None:
        self._crm, self._kinds = connection.name, {str(word): kind for word, kind in reads.activities.items()}
        self._connector = crm
        self._sources = {word: each.source for word, each in reads.records.items()}  # of records, by kind
        self._id_kinds = list_id_kinds(playbook, connection)
        self._finder = RepFinder(connection.name, playbook.reps, crm)
        self._reps: dict[str, str | None] = {}

    def add_records(self, kind: CrmObject, found: Sequence[CrmActivity]) -> list[CrmActivity]:
        """The activities with the records that they are about, where records are read. Raises ``ServiceError``."""
        return self._connector.add_records(kind, found) if self._sources else list(found)

    def learn_reps(self, found: Sequence[CrmActivity]) -> None:
        """Ask who the owners of these activities are."""
        for each in found:
            if each.owner_id is not None and each.owner_id not in self._reps and self._counts(each):
                self._reps[each.owner_id] = self._finder.find_rep(each.owner_id)

    def store(self, transaction: Connection, found: Sequence[CrmActivity], at: datetime) -> SyncCounts:
        wanted = [each for each in found if self._counts(each) and _find_time(each, at) <= at + _AHEAD]
        own = crm_tasks.read_own_tasks(transaction, self._crm, {make_storable(str(each.id)) for each in wanted})
        ids = {make_storable(str(lead)) for each in wanted for lead in each.lead_ids}
        leads = crm_links.find_leads(transaction, self._crm, ids, self._id_kinds)
        rows: list[KnownActivity] = []
        counts = SyncCounts(passed_over=len(found) - len(wanted))
        for each in wanted:
            task = own.get(make_storable(str(each.id)))
            known = {leads[of] for lead in each.lead_ids if (of := make_storable(str(lead))) in leads}
            records = [self._build_of_record(each, *named, at) for named in self._list_records(each)]
            if (task is not None and not task.waits) or (task is None and each.key is not None):
                counts.passed_over += 1
            elif task is not None:
                rows.append(self._build(each, task.lead_id, at))
            elif not known and not records:
                counts.unlinked += 1
            else:
                rows += [self._build(each, lead, at) for lead in sorted(known)] + records
        counts.activities = activities.store_known(transaction, rows, at)
        return counts

    def _counts(self, activity: CrmActivity) -> bool:
        """Whether it is something that a rep has done, and of a kind that is read."""
        return activity.kind.value in self._kinds and activity.is_done and not activity.is_inbound

    def _list_records(self, activity: CrmActivity) -> list[tuple[str, str]]:
        """The source and the key of each record that it is about, of those that are read."""
        return sorted(
            {
                (self._sources[kind.value], key)
                for kind, id_ in activity.records
                if kind.value in self._sources and 0 < len(key := make_storable(str(id_).strip())) <= MAX_KEY_LENGTH
            }
        )

    def _build_of_record(self, activity: CrmActivity, source: str, key: str, at: datetime) -> KnownActivity:
        made, record = self._build(activity, None, at), make_storable(str(activity.id))
        name = f"{activity.kind.value}:{record}:{source}:{key}"[:MAX_KEY_LENGTH]
        return made._replace(key=name, record_source=source, record_key=key)

    def _build(self, activity: CrmActivity, lead: int | None, at: datetime) -> KnownActivity:
        record = make_storable(str(activity.id))
        return KnownActivity(
            f"crm:{self._crm}",
            f"{lead}:{activity.kind.value}:{record}"[:MAX_KEY_LENGTH],
            self._kinds[activity.kind.value],
            ActivityActor.REP,
            # somebody who is no rep is not the owner; without a name it would be taken for the owner's doing
            self._reps.get(activity.owner_id or "") or f"somebody in {self._crm}",
            lead,
            min(_find_time(activity, at), at),
            encode({"record": record, "what": activity.kind.value}).decode(),
            None if activity.seconds is None else max(0, min(activity.seconds, _LONGEST)),
            activity.is_automatic,
        )


def _find_time(activity: CrmActivity, now: datetime) -> datetime:
    at = activity.occurred_at or now
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
