"""Reading a CRM: what changed since the last time, a page a transaction, of each kind of records.

Belongs here: going on from the watermarks, and which signal a record is. Does not belong here: a vendor's requests
(``connectors``), values and keys (``mapping.crm_records``), what follows from other kinds of records (``crm_feed``
says how they are read), or what follows from a signal (the stages).

**The watermark** of a kind moves in the transaction that stores a page. Killed anywhere, a sync goes on where it was; a
page that comes again changes nothing, because the same state of a record has the same key. Of two syncs of one CRM at
the same time, one stores a page, and the other reads on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.counting import format_count
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, crm_links, crm_positions, signals
from leadgate.ledger.clock import read_time
from leadgate.ledger.signals import NewSignal
from leadgate.mapping import crm_records
from leadgate.mapping.crm_records import RecordError
from leadgate.plain_text import format_line, make_storable
from leadgate.playbook import CrmConnection, CrmReads, Loaded, Playbook
from leadgate.values.json_types import JsonObject, JsonValue
from tasks import crm_change_following, crm_deletions, crm_outcomes, crm_reading
from tasks.capture import encode
from tasks.crm_feed import Feed, FeedPage, SyncCounts, find_latest
from tasks.crm_owner_changes import OwnerFollower

if TYPE_CHECKING:
    from leadgate.connectors.crm import Crm, CrmRecord

#: Pages of one sync: the next one goes on. A CRM that never says that there is no more ends here.
MOST_PAGES: Final = 1_000
KIND: Final = "lead"  # of the records that become signals, as ``CrmObject`` calls it
_LONGEST_POSITION: Final = 4_000  # characters
_ERROR: Final = 300  # characters
_SHOWN: Final = 2_000  # characters of a record that cannot be read


@dataclass
class SyncReport(SyncCounts):
    """What a sync has read, in counts. Nothing personal, and no credentials."""

    crm: str
    pages: int = 0
    complete: bool = False  # there was nothing more to read
    followed: int = 0  # changes that webhooks told
    deletions_known_from: datetime | None = None  # what was deleted before is not told any more
    problem: str | None = None
    wait_seconds: float | None = None  # that the CRM asks for


def describe_sync(report: SyncReport) -> str:
    """A sync in a line: ``hubspot: 240 records, 31 new signals, 3 held · complete``."""
    counts = [format_count(report.records, "record", "records"), format_count(report.new, "new signal", "new signals")]
    more = {
        "held": report.held,
        "deleted": report.deleted,
        "leads wait because their record is gone": report.gone,
        "new owners": report.owners,
        "new outcomes": report.outcomes,
    }
    counts += [f"{count:,} {words}" for words, count in more.items() if count]
    if report.deletions_known_from is not None:
        counts.append(f"deletions before {report.deletions_known_from:%Y-%m-%d %H:%M} UTC are not known")
    end = "complete" if report.complete else "more to read"
    return format_line(f"{report.crm}: {', '.join(counts)} · {report.problem or end}", 2 * _ERROR)


def list_fields(connection: CrmConnection, playbook: Playbook) -> list[str]:
    """The fields of leads that are read, in an order that does not change."""
    if connection.reads is None:
        return []
    followed = [connection.followed_field] if connection.followed_field else []
    return list(dict.fromkeys([*list_signal_fields(connection, connection.reads, playbook), *followed]))


def list_signal_fields(connection: CrmConnection, reads: CrmReads, playbook: Playbook) -> list[str]:
    """The fields that a signal has, or that say whether a record becomes one."""
    if reads.source is None:
        return []
    key = [connection.unique_field] if connection.writes and connection.unique_field else []
    return list(dict.fromkeys([*playbook.sources[reads.source].mapping, *reads.also, *reads.only, *key]))


def read_crm(
    ledger: Ledger,
    loaded: Loaded,
    connection: CrmConnection,
    open_it: Callable[[], Crm],
    now: datetime | None = None,
) -> SyncReport:
    """Open the CRM, sync, and close it. One that cannot be opened is a problem of the report, as in ``sync_crm``."""
    from leadgate.errors import NotAvailableError

    try:
        crm = crm_reading.ask(connection.name, open_it)
    except NotAvailableError as error:
        report = SyncReport(connection.name)
        _keep_failure(ledger, loaded.playbook, report, KIND, error, now)
        return report
    try:
        report = sync_crm(ledger, loaded, connection, crm, now)
    finally:
        crm.close()
    if report.problem is None:
        crm_reading.close_failure(ledger, connection.name, now)
    return report


def sync_crm(
    ledger: Ledger,
    loaded: Loaded,
    connection: CrmConnection,
    crm: Crm,
    now: datetime | None = None,
    *,
    most_pages: int = MOST_PAGES,
    progress: Callable[[SyncReport], None] = lambda report: None,
    stop: Callable[[], bool] = lambda: False,
) -> SyncReport:
    """Read what changed in ``crm`` since the last sync, until there is no more.

    A CRM that does not answer, refuses or has a limit is no error: the report says what was wrong, and the next sync
    goes on. ``stop`` ends it after a page.
    """
    from leadgate.connectors.crm import CrmRefusedError
    from leadgate.connectors.service_session import ServiceError

    report = SyncReport(connection.name)
    if connection.reads is None:
        report.problem = f"the playbook reads nothing from {connection.name}; add crm[].reads"
        return report
    complete = True
    for feed in build_feeds(ledger, loaded, connection, connection.reads, crm, now):
        report.complete = False
        try:
            while not report.complete and report.pages < most_pages and not stop():
                _sync_page(ledger, connection, feed, report, now)
                progress(report)
        except CrmRefusedError as error:  # one kind of records, such as for want of a scope; others may be read
            _keep_failure(ledger, loaded.playbook, report, feed.kind, error, now)
        except ServiceError as error:
            _keep_failure(ledger, loaded.playbook, report, feed.kind, error, now)
            report.wait_seconds = getattr(error, "wait_seconds", None)
            return report
        complete = complete and report.complete
    report.complete = complete
    if report.problem is None and connection.reads.webhooks is not None:
        try:
            _follow_webhooks(ledger, loaded, connection, connection.reads, crm, report, now, stop)
        except ServiceError as error:
            _keep_failure(ledger, loaded.playbook, report, KIND, error, now)
            report.wait_seconds = getattr(error, "wait_seconds", None)
    return report


def _follow_webhooks(
    ledger: Ledger,
    loaded: Loaded,
    connection: CrmConnection,
    reads: CrmReads,
    crm: Crm,
    report: SyncReport,
    now: datetime | None,
    stop: Callable[[], bool],
) -> None:
    """Read the records that webhooks name: the search for changes lags behind these."""
    from leadgate.connectors.crm import CrmObject

    playbook = loaded.playbook
    fields = list_fields(connection, playbook)
    follower = OwnerFollower(ledger, loaded, connection, crm, now) if connection.followed_field else None

    def read(ids: Sequence[str]) -> dict[str, CrmRecord]:
        found = crm_reading.ask(connection.name, lambda: crm.read(CrmObject.LEAD, ids, fields))
        if follower is not None:
            report.owners += follower.follow(found.values())
        return found

    present: set[str] = set()

    def read_all(ids: Sequence[str]) -> dict[str, CrmRecord]:
        found = read(ids)
        present.update(crm_deletions.find_present(list(found.values()), read))
        return found

    def store(
        transaction: Connection, records: Sequence[CrmRecord], at: datetime, private: frozenset[str]
    ) -> SyncCounts:
        counts = _store_leads(transaction, playbook, connection, reads, records, at)
        _settle(transaction, playbook, connection, records, at, counts, present, private)
        return counts

    assert reads.webhooks is not None  # noqa: S101 - asked by the caller
    counts, report.followed = crm_change_following.follow_changes(
        ledger, reads.webhooks, crm=connection.name, read=read_all, store=store, now=now, stop=stop
    )
    report.add(counts)


def build_feeds(
    ledger: Ledger, loaded: Loaded, connection: CrmConnection, reads: CrmReads, crm: Crm, now: datetime | None
) -> list[Feed]:
    """The kinds of records that the playbook reads of this CRM, in the order in which they are read."""
    feeds: list[Feed] = []
    if reads.source is not None or connection.followed_field is not None:
        feeds.append(_build_lead_feed(ledger, loaded, connection, reads, crm, now))
    if reads.deals is not None:
        feeds.append(crm_outcomes.build_feed(ledger, loaded.playbook, connection, reads.deals, crm, now))
    return feeds


def _keep_failure(
    ledger: Ledger, playbook: Playbook, report: SyncReport, kind: str, error: Exception, now: datetime | None
) -> None:
    words = format_line(str(error), _ERROR)
    report.problem = report.problem or words
    with ledger.transaction() as transaction:
        at = read_time(transaction, now)
        failures = crm_positions.record_failure(transaction, report.crm, kind, words, at)
        crm_reading.tell_failure(transaction, playbook, report.crm, error, words, failures, at)


def _sync_page(ledger: Ledger, connection: CrmConnection, feed: Feed, report: SyncReport, now: datetime | None) -> None:
    from leadgate.connectors.service_session import ServiceError

    kept = crm_positions.read_position(ledger, connection.name, feed.kind)
    before = None if kept is None else kept.position
    page = crm_reading.ask(connection.name, lambda: feed.read(before))
    if len(page.position) > _LONGEST_POSITION:
        raise ServiceError(f"{connection.name} names a position of {len(page.position):,} characters")
    if page.has_more and page.position == before:
        raise ServiceError(f"{connection.name} says that there is more, and does not go on")
    failpoint("crm.sync.read")
    prepared = page.prepare()
    with ledger.transaction() as transaction:
        at = read_time(transaction, now)
        # first: a second sync waits here, before it waits for the turn of the source
        moved = crm_positions.move_position(
            transaction,
            connection.name,
            feed.kind,
            before=before,
            after=page.position,
            records=page.records,
            changed_at=page.changed_at,
            complete=not page.has_more,
            now=at,
        )
        if not moved:
            return
        counts = page.store(transaction, at)
        failpoint("crm.sync.stored")
    failpoint("crm.sync.moved")
    report.pages += 1
    report.deletions_known_from = report.deletions_known_from or page.deletions_known_from
    report.add(counts)
    report.add(prepared)
    report.complete = not page.has_more


# --- leads, which become signals, and whose owners are followed --------------------------------------------


def _build_lead_feed(
    ledger: Ledger, loaded: Loaded, connection: CrmConnection, reads: CrmReads, crm: Crm, now: datetime | None
) -> Feed:
    from leadgate.connectors.crm import CrmObject

    playbook = loaded.playbook
    follower = OwnerFollower(ledger, loaded, connection, crm, now) if connection.followed_field else None

    def read(position: str | None) -> FeedPage:
        fields = list_fields(connection, playbook)
        page = crm.read_changes(CrmObject.LEAD, fields, position)
        present = crm_deletions.find_present(page.records, lambda ids: crm.read(CrmObject.LEAD, ids, fields))

        def prepare() -> SyncCounts:
            return SyncCounts(owners=follower.follow(page.records) if follower is not None else 0)

        def store(transaction: Connection, at: datetime) -> SyncCounts:
            counts = _store_leads(transaction, playbook, connection, reads, page.records, at)
            _settle(transaction, playbook, connection, page.records, at, counts, present)
            return counts

        return FeedPage(
            page.position,
            page.has_more,
            len(page.records),
            find_latest(page.records),
            store,
            prepare,
            page.deletions_known_from,
        )

    return Feed(KIND, read)


def _settle(
    transaction: Connection,
    playbook: Playbook,
    connection: CrmConnection,
    records: Sequence[CrmRecord],
    at: datetime,
    counts: SyncCounts,
    present: Collection[str],
    private: Collection[str] = (),
) -> None:
    """What follows from records that are gone, and in how many leads."""
    done = crm_deletions.settle_deletions(
        transaction, playbook, connection, records, at, private=private, there=present
    )
    counts.gone, counts.moved = done.held + done.parted, done.moved


def _store_leads(
    transaction: Connection,
    playbook: Playbook,
    connection: CrmConnection,
    reads: CrmReads,
    records: Sequence[CrmRecord],
    at: datetime,
) -> SyncCounts:
    if reads.source is None:
        return SyncCounts(records=len(records), deleted=sum(record.is_deleted for record in records))
    ids = {make_storable(str(record.id)) for record in records}
    written = crm_links.read_written(transaction, connection.name, ids) if connection.writes else {}
    read = _PageReader(connection, reads, reads.source, playbook).read(records, written)
    new = signals.store_signals(transaction, read.signals, at) if read.signals else 0
    return SyncCounts(
        records=len(records),
        new=new,
        held=sum(signal.unreadable is not None for signal in read.signals),
        unwanted=read.unwanted,
        echoes=read.echoes,
        deleted=len(read.deleted),
    )


@dataclass
class _ReadPage:
    signals: list[NewSignal]
    deleted: list[str]  # ids
    unwanted: int = 0
    echoes: int = 0


class _PageReader:
    """Records of a CRM as signals of its source."""

    def __init__(self, connection: CrmConnection, reads: CrmReads, source: str, playbook: Playbook) -> None:
        self._connection, self._reads, self._source = connection, reads, source
        self._fields = frozenset(list_signal_fields(connection, reads, playbook))
        volatile = playbook.sources[source].volatile
        # in these Leadgate has the last word: what stands there is what it has written, or will write
        ours = [name for name, write in connection.writes.items() if write.policy != "if_empty"]
        self._ours = frozenset([*volatile, *ours, *filter(None, [connection.unique_field])])

    def read(self, records: Sequence[CrmRecord], written: Mapping[str, Mapping[str, JsonValue]]) -> _ReadPage:
        """``written`` has what Leadgate wrote last to a record, by the record's id."""
        found = _ReadPage([], [])
        for record in records:
            if record.is_deleted:
                found.deleted.append(str(record.id))
            elif not crm_records.is_wanted(record.values, self._reads.only):
                found.unwanted += 1
            else:
                signal = self._build_signal(len(found.signals), record, written.get(str(record.id), {}))
                if signal is None:
                    found.echoes += 1
                else:
                    found.signals.append(signal)
        return found

    def _build_signal(self, number: int, record: CrmRecord, written: Mapping[str, JsonValue]) -> NewSignal | None:
        """The signal that a record is; None for one that holds nothing but what Leadgate has written."""
        record_id = make_storable(str(record.id).strip())
        origin = f"crm:{self._connection.name}"
        problem: str | None = None
        columns: JsonObject
        try:
            if not record_id:
                raise RecordError("it has no id")
            values = {name: value for name, value in record.values.items() if name in self._fields}
            columns = crm_records.read_columns(record_id, values)
            state = crm_records.select_state(columns, self._ours, written)
        except RecordError as error:
            problem = make_storable(f"record {record_id[:80]}: {error}")
            raw = repr(dict(record.values))[:_SHOWN]
            columns = state = {"raw": raw, crm_records.RECORD_ID: record_id[:_SHOWN]}
        if not state and record.values.get(self._connection.unique_field or ""):
            return None
        key = make_storable(crm_records.make_key(record_id, state))
        payload = encode(columns).decode()
        return NewSignal(number, self._source, key, payload, problem, origin)
