"""Deals of a CRM as outcomes of leads: that there is one, and the stages that it comes to.

Belongs here: which outcome a deal is, of which lead, and when. Does not belong here: the loop over pages
(``sync``), or what an outcome ends (``follow_up``).

An outcome is an activity whose key names the deal, so that a deal which comes again changes nothing. It counts from
when the CRM says, at the latest now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.ledger import Ledger, activities, crm_links
from leadgate.ledger.activities import KnownActivity
from leadgate.ledger.clock import ask_time
from leadgate.limits import MAX_KEY_LENGTH
from leadgate.matching.resolving import CRM_ID, list_crm_sources
from leadgate.plain_text import make_storable
from leadgate.playbook import CrmConnection, Playbook
from leadgate.playbook.crm import CRM_TYPES, CrmDealReads
from leadgate.vocabulary import ActivityActor
from tasks.capture import encode
from tasks.crm.feed import Feed, FeedPage, SyncCounts, find_latest

if TYPE_CHECKING:
    from leadgate.connectors.crm import Crm, CrmRecord

KIND: Final = "deal"
#: What is read before the first lead was linked: nothing that is older is of any lead.
_BEFORE: Final = timedelta(days=1)


def build_feed(
    ledger: Ledger,
    playbook: Playbook,
    connection: CrmConnection,
    deals: CrmDealReads,
    crm: Crm,
    now: datetime | None,
) -> Feed:
    from leadgate.connectors.crm import CrmObject

    reader = _DealReader(playbook, connection, deals)

    def read(position: str | None) -> FeedPage:
        start = position or find_start(ledger, connection.name, crm, now)
        page = crm.read_changes(CrmObject.DEAL, reader.fields, start)

        def store(transaction: Connection, at: datetime) -> SyncCounts:
            return reader.store(transaction, page.records, at)

        return FeedPage(page.position, page.has_more, len(page.records), find_latest(page.records), store)

    return Feed(KIND, read)


def find_start(ledger: Ledger, name: str, crm: Crm, now: datetime | None) -> str:
    """Where reading what reps did begins: at the first lead of the CRM that is known."""
    first = crm_links.find_first_link(ledger, name) or ask_time(ledger, now)
    return crm.make_position(first - _BEFORE)


def list_id_kinds(playbook: Playbook, connection: CrmConnection) -> list[str]:
    """The kinds of identities that are ids of this CRM: those of the source that its leads become signals of."""
    source = connection.reads.source if connection.reads is not None else None
    crm = list_crm_sources(playbook.matching).get(source or "")
    return [f"{CRM_ID}:{crm}"] if crm is not None else []


class _DealReader:
    """Deals of a CRM as outcomes."""

    def __init__(self, playbook: Playbook, connection: CrmConnection, deals: CrmDealReads) -> None:
        known = CRM_TYPES.get(connection.type)
        self._crm, self._deals = connection.name, deals
        self._stage = deals.stage_field or (known.stage_field if known else "")
        self._created = deals.created_field or (known.created_field if known else "")
        self._id_kinds = list_id_kinds(playbook, connection)
        self.fields = [self._stage, self._created]

    def store(self, transaction: Connection, records: Sequence[CrmRecord], at: datetime) -> SyncCounts:
        there = [record for record in records if not record.is_deleted]
        ids = {make_storable(str(lead)) for record in there for lead in record.lead_ids}
        leads = crm_links.find_leads(transaction, self._crm, ids, self._id_kinds)
        rows: list[KnownActivity] = []
        unlinked = 0
        for record in there:
            known = {leads[each] for lead in record.lead_ids if (each := make_storable(str(lead))) in leads}
            unlinked += not known
            rows += [row for lead in sorted(known) for row in self._build_outcomes(record, lead, at)]
        return SyncCounts(outcomes=activities.store_known(transaction, rows, at), unlinked=unlinked)

    def _build_outcomes(self, record: CrmRecord, lead: int, at: datetime) -> Iterator[KnownActivity]:
        stage = record.values.get(self._stage)
        if self._deals.created is not None:
            created = record.values.get(self._created)
            since = created if isinstance(created, datetime) else record.changed_at
            yield self._build(record, lead, self._deals.created, "created", since, at)
        if isinstance(stage, str) and (kind := self._deals.stages.get(stage)):
            yield self._build(record, lead, kind, stage, record.changed_at, at)

    def _build(
        self, record: CrmRecord, lead: int, kind: str, what: str, since: datetime | None, at: datetime
    ) -> KnownActivity:
        deal = make_storable(str(record.id))
        key = make_storable(f"{lead}:deal:{deal}:{what}")[:MAX_KEY_LENGTH]
        since = at if since is None else since if since.tzinfo is not None else since.replace(tzinfo=UTC)
        payload = encode({"deal": deal, "what": what}).decode()
        return KnownActivity(f"crm:{self._crm}", key, kind, ActivityActor.REP, None, lead, min(since, at), payload)
