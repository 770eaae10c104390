"""Reading a CRM: what changed since the last time becomes signals, a page a transaction.

Belongs here: going on from the watermark, and which signal a record is. Does not belong here: a vendor's requests
(``connectors``), values and keys (``mapping.crm_records``), or what follows from a signal (the stages).

**The watermark** moves in the transaction that stores a page. Killed anywhere, a sync goes on where it was; a page that
comes again changes nothing, because the same state of a record has the same key. Of two syncs of one CRM at the same
time, one stores a page, and the other reads on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, crm_links, crm_positions, signals
from leadgate.ledger.clock import read_time
from leadgate.ledger.signals import NewSignal
from leadgate.mapping import crm_records
from leadgate.mapping.crm_records import RecordError
from leadgate.plain_text import format_line, make_storable
from leadgate.playbook import CrmConnection, CrmReads, Playbook
from leadgate.values.json_types import JsonObject, JsonValue
from tasks.capture import encode

if TYPE_CHECKING:
    from leadgate.connectors.crm import ChangePage, Crm, CrmRecord

#: Pages of one sync: the next one goes on. A CRM that never says that there is no more ends here.
MOST_PAGES: Final = 1_000
KIND: Final = "lead"  # of the records that are read, as ``CrmObject`` calls it
_LONGEST_POSITION: Final = 4_000  # characters
_ERROR: Final = 300  # characters
_SHOWN: Final = 2_000  # characters of a record that cannot be read


@dataclass
class SyncReport:
    """What a sync has read, in counts. Nothing personal, and no credentials."""

    crm: str
    pages: int = 0
    records: int = 0
    new: int = 0  # signals
    held: int = 0  # of them: cannot be read
    unwanted: int = 0  # by the playbook
    echoes: int = 0  # that hold nothing but what Leadgate has written
    deleted: int = 0
    complete: bool = False  # there was nothing more to read
    problem: str | None = None
    wait_seconds: float | None = None  # that the CRM asks for

    @property
    def known(self) -> int:
        """Records in a state that was read before."""
        return self.records - self.new - self.unwanted - self.echoes - self.deleted


def list_fields(connection: CrmConnection, playbook: Playbook) -> list[str]:
    """The fields of the CRM that are read, in an order that does not change."""
    if connection.reads is None:
        return []
    reads = connection.reads
    key = [connection.unique_field] if connection.writes and connection.unique_field else []
    return list(dict.fromkeys([*playbook.sources[reads.source].mapping, *reads.also, *reads.only, *key]))


def read_crm(
    ledger: Ledger,
    playbook: Playbook,
    connection: CrmConnection,
    open_it: Callable[[], Crm],
    now: datetime | None = None,
) -> SyncReport:
    """Open the CRM, sync, and close it. One that cannot be opened is a problem of the report, as in ``sync_crm``."""
    from leadgate.errors import NotAvailableError

    try:
        crm = open_it()
    except NotAvailableError as error:
        report = SyncReport(connection.name)
        _keep_failure(ledger, report, error, now)
        return report
    try:
        return sync_crm(ledger, playbook, connection, crm, now)
    finally:
        crm.close()


def sync_crm(
    ledger: Ledger,
    playbook: Playbook,
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
    from leadgate.connectors.service_session import ServiceError

    report = SyncReport(connection.name)
    if connection.reads is None:
        report.problem = f"the playbook reads nothing from {connection.name}; add crm[].reads"
        return report
    try:
        while not report.complete and report.pages < most_pages and not stop():
            _sync_page(ledger, playbook, connection, connection.reads, crm, report, now)
            progress(report)
    except ServiceError as error:
        _keep_failure(ledger, report, error, now)
        report.wait_seconds = getattr(error, "wait_seconds", None)
    return report


def _keep_failure(ledger: Ledger, report: SyncReport, error: Exception, now: datetime | None) -> None:
    report.problem = format_line(str(error), _ERROR)
    with ledger.transaction() as transaction:
        at = read_time(transaction, now)
        crm_positions.record_failure(transaction, report.crm, KIND, report.problem, at)


def _sync_page(
    ledger: Ledger,
    playbook: Playbook,
    connection: CrmConnection,
    reads: CrmReads,
    crm: Crm,
    report: SyncReport,
    now: datetime | None,
) -> None:
    from leadgate.connectors.crm import CrmObject
    from leadgate.connectors.service_session import ServiceError

    kept = crm_positions.read_position(ledger, connection.name, KIND)
    before = None if kept is None else kept.position
    page = crm.read_changes(CrmObject.LEAD, list_fields(connection, playbook), before)
    if len(page.position) > _LONGEST_POSITION:
        raise ServiceError(f"{connection.name} names a position of {len(page.position):,} characters")
    if page.has_more and page.position == before:
        raise ServiceError(f"{connection.name} says that there is more, and does not go on")
    failpoint("crm.sync.read")
    with ledger.transaction() as transaction:
        at = read_time(transaction, now)
        # first: a second sync waits here, before it waits for the turn of the source
        moved = crm_positions.move_position(
            transaction,
            connection.name,
            KIND,
            before=before,
            after=page.position,
            records=len(page.records),
            changed_at=_find_latest(page),
            complete=not page.has_more,
            now=at,
        )
        if not moved:
            return
        ids = {make_storable(str(record.id)) for record in page.records}
        written = crm_links.read_written(transaction, connection.name, ids) if connection.writes else {}
        read = _PageReader(connection, reads, playbook).read(page.records, written)
        new = signals.store_signals(transaction, read.signals, at) if read.signals else 0
        failpoint("crm.sync.stored")
    failpoint("crm.sync.moved")
    report.pages += 1
    report.records += len(page.records)
    report.new += new
    report.held += sum(signal.unreadable is not None for signal in read.signals)
    report.unwanted += read.unwanted
    report.echoes += read.echoes
    report.deleted += len(read.deleted)
    report.complete = not page.has_more


def _find_latest(page: ChangePage) -> datetime | None:
    return max((record.changed_at for record in page.records if record.changed_at is not None), default=None)


@dataclass
class _ReadPage:
    signals: list[NewSignal]
    deleted: list[str]  # ids
    unwanted: int = 0
    echoes: int = 0


class _PageReader:
    """Records of a CRM as signals of its source."""

    def __init__(self, connection: CrmConnection, reads: CrmReads, playbook: Playbook) -> None:
        self._connection, self._reads = connection, reads
        volatile = playbook.sources[reads.source].volatile
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
            columns = crm_records.read_columns(record_id, record.values)
            state = crm_records.select_state(columns, self._ours, written)
        except RecordError as error:
            problem = make_storable(f"record {record_id[:80]}: {error}")
            raw = repr(dict(record.values))[:_SHOWN]
            columns = state = {"raw": raw, crm_records.RECORD_ID: record_id[:_SHOWN]}
        if not state and record.values.get(self._connection.unique_field or ""):
            return None
        key = make_storable(crm_records.make_key(record_id, state))
        payload = encode(columns).decode()
        return NewSignal(number, self._reads.source, key, payload, problem, origin)
