"""Leads of a CRM, as a sync reads them: which signal a record is, and what else follows from its state.

Belongs here: the fields that are read, the page of changes, the records that webhooks name. Does not belong here: the
loop over pages (``sync``), values and keys (``mapping.crm_records``), owners (``owner_changes``), deletions
(``deletions``), or what follows from a signal (the stages).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.ledger import Ledger, crm_links, crm_record_states, signals
from leadgate.ledger.crm_record_states import RecordState
from leadgate.ledger.signals import NewSignal
from leadgate.mapping import crm_records
from leadgate.mapping.crm_records import RecordError
from leadgate.plain_text import make_storable
from leadgate.playbook import CrmConnection, CrmReads, LoadedPlaybook, Playbook
from leadgate.values.json_types import JsonObject, JsonValue
from tasks.capture import encode
from tasks.crm import deletions
from tasks.crm.change_following import Follower
from tasks.crm.feed import Feed, FeedPage, SyncCounts, find_latest
from tasks.crm.owner_changes import OwnerFollower
from tasks.crm.reading import ask_crm

if TYPE_CHECKING:
    from leadgate.connectors.crm import Crm, CrmRecord

KIND: Final = "lead"  # of the records that become signals, as ``CrmObject`` calls it
#: What webhooks call the records that are leads.
_OBJECTS: Final = frozenset({"contact", "lead"})
_SHOWN: Final = 2_000  # characters of a record that cannot be read


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


def build_lead_feed(
    ledger: Ledger, loaded: LoadedPlaybook, connection: CrmConnection, reads: CrmReads, crm: Crm, now: datetime | None
) -> Feed:
    from leadgate.connectors.crm import CrmObject

    playbook = loaded.playbook
    follower = OwnerFollower(ledger, loaded, connection, crm, now) if connection.followed_field else None

    def read(position: str | None) -> FeedPage:
        fields = list_fields(connection, playbook)
        page = crm.read_changes(CrmObject.LEAD, fields, position)
        present = deletions.find_present(page.records, lambda ids: crm.read(CrmObject.LEAD, ids, fields))

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


def build_follower(
    ledger: Ledger, loaded: LoadedPlaybook, connection: CrmConnection, reads: CrmReads, crm: Crm, now: datetime | None
) -> Follower:
    """How leads are read that webhooks name: the search for changes lags behind these."""
    from leadgate.connectors.crm import CrmObject

    playbook = loaded.playbook
    fields = list_fields(connection, playbook)
    follower = OwnerFollower(ledger, loaded, connection, crm, now) if connection.followed_field else None

    owners = SyncCounts()

    def read(ids: Sequence[str]) -> dict[str, CrmRecord]:
        found = ask_crm(connection.name, lambda: crm.read(CrmObject.LEAD, ids, fields))
        if follower is not None:
            owners.owners += follower.follow(found.values())
        return found

    present: set[str] = set()

    def read_all(ids: Sequence[str]) -> dict[str, CrmRecord]:
        found = read(ids)
        present.update(deletions.find_present(list(found.values()), read))
        return found

    def store(
        transaction: Connection, records: Sequence[CrmRecord], at: datetime, private: frozenset[str]
    ) -> SyncCounts:
        counts = _store_leads(transaction, playbook, connection, reads, records, at)
        _settle(transaction, playbook, connection, records, at, counts, present, private)
        counts.owners, owners.owners = owners.owners, 0
        return counts

    return Follower(_OBJECTS, read_all, store)


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
    done = deletions.settle_deletions(
        transaction, playbook, connection, records, at, private_ids=private, present_ids=present
    )
    counts.gone, counts.moved = done.held + done.separated, done.moved


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
    read = read_signals(transaction, playbook, connection, reads, records)
    crm_record_states.keep_states(transaction, connection.name, read.states)
    new = signals.store_signals(transaction, read.signals, at) if read.signals else 0
    return SyncCounts(
        records=len(records),
        new=new,
        held=sum(signal.unreadable is not None for signal in read.signals),
        unwanted=read.unwanted,
        echoes=read.echoes,
        deleted=len(read.deleted),
    )


def read_signals(
    transaction: Connection,
    playbook: Playbook,
    connection: CrmConnection,
    reads: CrmReads,
    records: Sequence[CrmRecord],
) -> ReadPage:
    """The signals that these records are, of the source that the playbook names. Nothing is stored; the last states of
    the records are locked."""
    if reads.source is None:
        return ReadPage([], [])
    ids = {make_storable(str(record.id)) for record in records}
    written = crm_links.read_written(transaction, connection.name, ids) if connection.writes else {}
    hashes = {crm_records.hash_record(_read_id(record)) for record in records}
    states = crm_record_states.lock_states(transaction, connection.name, hashes)
    return _PageReader(connection, reads, reads.source, playbook).read(records, written, states)


def _read_id(record: CrmRecord) -> str:
    return make_storable(str(record.id).strip())


@dataclass
class ReadPage:
    """What records are: signals, or why they are none."""

    signals: list[NewSignal]
    deleted: list[str]  # ids
    unwanted: int = 0
    echoes: int = 0
    states: dict[str, RecordState] = field(default_factory=dict)  # by the hash of a record's id


class _PageReader:
    """Records of a CRM as signals of its source."""

    def __init__(self, connection: CrmConnection, reads: CrmReads, source: str, playbook: Playbook) -> None:
        self._connection, self._reads, self._source = connection, reads, source
        self._fields = frozenset(list_signal_fields(connection, reads, playbook))
        volatile = playbook.sources[source].volatile
        # in these Leadgate has the last word: what stands there is what it has written, or will write
        ours = [name for name, write in connection.writes.items() if write.policy != "if_empty"]
        self._ours = frozenset([*volatile, *ours, *filter(None, [connection.unique_field])])

    def read(
        self,
        records: Sequence[CrmRecord],
        written: Mapping[str, Mapping[str, JsonValue]],
        states: Mapping[str, RecordState],
    ) -> ReadPage:
        """``written`` has what Leadgate wrote last to a record, by the record's id; ``states`` how it was read last, by
        the hash of the id."""
        found = ReadPage([], [], states=dict(states))
        for record in records:
            if record.is_deleted:
                found.deleted.append(str(record.id))
            elif not crm_records.is_wanted(record.values, self._reads.only):
                found.unwanted += 1
            else:
                signal = self._build_signal(len(found.signals), record, written.get(str(record.id), {}), found.states)
                if signal is None:
                    found.echoes += 1
                else:
                    found.signals.append(signal)
        return found

    def _build_signal(
        self, number: int, record: CrmRecord, written: Mapping[str, JsonValue], states: dict[str, RecordState]
    ) -> NewSignal | None:
        """The signal that a record is; None for one that holds nothing but what Leadgate has written. Its state is
        kept in ``states``."""
        record_id = _read_id(record)
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
        hashed, hashed_id = crm_records.hash_state(state), crm_records.hash_record(record_id)
        last = states.get(hashed_id)
        turns = 0 if last is None else last.turns + (last.state != hashed)
        states[hashed_id] = RecordState(hashed, turns)
        key = make_storable(crm_records.make_key(record_id, hashed, turns))
        payload = encode(columns).decode()
        return NewSignal(number, self._source, key, payload, problem, origin)
