"""Opportunities and contracts of a CRM, as a sync reads them: each change is a signal of their source.

Belongs here: the fields that are read, and the signal that a state of a record is. Does not belong here: the loop over
pages (``sync``), deals as outcomes of leads (``outcomes``), or what an update means (``tasks.records``).

A signal has the CRM's own fields, and beside them what people call what these name by ids: the account, the owner (the
rep's name where it is a rep), the label of the sales stage, who changed the record. A record that is read again as it
was is no news, whatever the CRM itself counted or stamped meanwhile; one that comes back to an earlier state is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from leadgate.ledger import crm_record_states, record_deletions, signals
from leadgate.ledger.crm_record_states import RecordState
from leadgate.ledger.signals import NewSignal
from leadgate.mapping import crm_records
from leadgate.mapping.crm_records import RecordError
from leadgate.plain_text import make_storable
from leadgate.playbook import CrmConnection, Playbook
from leadgate.playbook.crm import CRM_TYPES, CrmRecordReads
from leadgate.playbook.kinds import SOURCE_KINDS
from leadgate.values.json_types import JsonObject
from tasks.capture import encode
from tasks.crm.change_following import Follower
from tasks.crm.feed import Feed, FeedPage, SyncCounts, find_latest
from tasks.crm.owners import RepFinder
from tasks.crm.reading import ask_crm

if TYPE_CHECKING:
    from leadgate.connectors.crm import Crm, CrmObject, CrmRecord

_KEY: Final = "external_id"
_GONE: Final = "gone"  # in place of a state: the record was deleted
_SHOWN: Final = 2_000  # characters of a record that cannot be read
#: What webhooks call the records of a kind.
_CALLED: Final = {"opportunity": frozenset({"deal", "opportunity"}), "contract": frozenset({"contract"})}
#: The fields in which CRMs keep a record's owner.
_OWNERS: Final = ("hubspot_owner_id", "OwnerId")


def list_usual_fields(connection: CrmConnection, kind: str) -> tuple[str, ...]:
    """The fields of a kind of record that are read of every CRM of the type, where it has them."""
    type_ = CRM_TYPES.get(connection.type)
    return () if type_ is None else type_.record_fields.get(kind, ())


def list_named_fields(playbook: Playbook, reads: CrmRecordReads) -> list[str]:
    """The fields that the playbook names: the CRM has to have them."""
    return list(dict.fromkeys([*playbook.sources[reads.source].mapping, *reads.also]))


def list_optional_fields(playbook: Playbook, connection: CrmConnection, kind: str) -> set[str]:
    """The usual fields that are read only where the CRM has them: the playbook names none of them."""
    reads = None if connection.reads is None else connection.reads.records.get(kind)
    if reads is None:
        return set()
    return set(list_usual_fields(connection, kind)) - set(list_named_fields(playbook, reads))


def build_feeds(playbook: Playbook, connection: CrmConnection, crm: Crm) -> list[Feed]:
    """How the records of their own are read that the playbook reads of this CRM."""
    from leadgate.connectors.crm import CrmObject

    if connection.reads is None:
        return []
    found = connection.reads.records.items()
    return [_build_feed(playbook, connection, CrmObject(kind), reads, crm) for kind, reads in found]


def build_followers(playbook: Playbook, connection: CrmConnection, crm: Crm) -> list[Follower]:
    """How the records of their own are read that webhooks name: a search for changes lags behind these."""
    from leadgate.connectors.crm import CrmObject

    if connection.reads is None:
        return []
    found = connection.reads.records.items()
    return [_build_follower(playbook, connection, CrmObject(kind), reads, crm) for kind, reads in found]


def _build_follower(
    playbook: Playbook, connection: CrmConnection, kind: CrmObject, reads: CrmRecordReads, crm: Crm
) -> Follower:
    reader = _UpdateReader(playbook, connection, kind, reads, crm)

    def read(ids: Sequence[str]) -> dict[str, CrmRecord]:
        found = ask_crm(connection.name, lambda: crm.read(kind, ids, reader.list_fields()))
        named = ask_crm(connection.name, lambda: crm.name_references(kind, list(found.values())))
        reader.learn_people(named)
        return dict(zip(found, named, strict=True))

    def store(
        transaction: Connection, records: Sequence[CrmRecord], at: datetime, private: frozenset[str]
    ) -> SyncCounts:
        return reader.store(transaction, records, at)

    return Follower(_CALLED.get(kind.value, frozenset()), read, store)


def _build_feed(
    playbook: Playbook, connection: CrmConnection, kind: CrmObject, reads: CrmRecordReads, crm: Crm
) -> Feed:
    reader = _UpdateReader(playbook, connection, kind, reads, crm)

    def read(position: str | None) -> FeedPage:
        page = crm.read_changes(kind, reader.list_fields(), position)
        found = crm.name_references(kind, page.records)
        reader.learn_people(found)

        def store(transaction: Connection, at: datetime) -> SyncCounts:
            return reader.store(transaction, found, at)

        return FeedPage(
            page.position,
            page.has_more,
            len(found),
            find_latest(found),
            store,
            deletions_known_from=page.deletions_known_from,
        )

    return Feed(kind.value, read)


class _UpdateReader:
    """Records of a CRM as signals of their source."""

    def __init__(
        self, playbook: Playbook, connection: CrmConnection, kind: CrmObject, reads: CrmRecordReads, crm: Crm
    ) -> None:
        self._crm, self._kind, self._source = connection.name, kind, reads.source
        self._journey_kind = SOURCE_KINDS[playbook.sources[reads.source].kind]
        self._connector = crm
        self._usual, self._named = list_usual_fields(connection, kind), list_named_fields(playbook, reads)
        self._volatile = frozenset(playbook.sources[reads.source].volatile)
        self._finder = RepFinder(connection.name, playbook.reps, crm)
        self._owners: dict[str, str] = {}
        self._users: dict[str, str] = {}
        self._fields: list[str] | None = None

    def list_fields(self) -> list[str]:
        """What is read: the usual fields that this account has, and those that the playbook names."""
        if self._fields is None:
            known = self._connector.describe_fields(self._kind) if self._usual else {}
            usual = [name for name in self._usual if name in known]
            self._fields = list(dict.fromkeys([*usual, *self._named]))
        return self._fields

    def learn_people(self, read: Sequence[CrmRecord]) -> None:
        """Find out who the owners are, and who changed the records. Raises ``ServiceError``."""
        there = [record for record in read if not record.is_deleted]
        for owner in {each for record in there if (each := _find_owner(record)) is not None} - self._owners.keys():
            self._owners[owner] = self._name_owner(owner)
        for user in {record.changed_by for record in there if record.changed_by} - self._users.keys():
            found = self._finder.find_user(user)
            self._users[user] = user if found is None else self._name_owner(found.id)

    def _name_owner(self, owner_id: str) -> str:
        """The rep; somebody who is none by address or name, so that a person sees who it is."""
        if (rep := self._finder.find_rep(owner_id)) is not None:
            return rep
        owner = self._finder.find(owner_id)
        return owner_id if owner is None else owner.email or owner.name or owner_id

    def store(self, transaction: Connection, read: Sequence[CrmRecord], at: datetime) -> SyncCounts:
        there = [record for record in read if not record.is_deleted]
        gone = [record for record in read if record.is_deleted]
        ids = [_read_id(each) for each in gone]
        ended = record_deletions.end_deleted(transaction, self._journey_kind, self._source, ids, at)
        states = dict(crm_record_states.lock_states(transaction, self._crm, {self._hash(record) for record in read}))
        # one that is restored as it was is news
        states |= {
            hash_: RecordState(_GONE, states[hash_].turns) for each in gone if (hash_ := self._hash(each)) in states
        }
        news = [self._build_signal(number, record, states) for number, record in enumerate(there)]
        crm_record_states.keep_states(transaction, self._crm, states)
        new = signals.store_signals(transaction, news, at) if news else 0
        return SyncCounts(
            records=len(read),
            new=new,
            held=sum(each.unreadable is not None for each in news),
            deleted=len(read) - len(there),
            ended=ended,
        )

    def _hash(self, record: CrmRecord) -> str:
        """What the record's state is kept by: records of two kinds may have one id."""
        return crm_records.hash_record(f"{self._kind.value}:{_read_id(record)}")

    def _build_signal(self, number: int, record: CrmRecord, states: dict[str, RecordState]) -> NewSignal:
        """The signal that a record is now, whose state is kept in ``states``."""
        record_id, problem = _read_id(record), None
        columns: JsonObject
        try:
            if not record_id:
                raise RecordError("it has no id")
            columns = self._read_columns(record_id, record)
            state: JsonObject = {name: value for name, value in columns.items() if name not in self._volatile}
            columns = {**columns, **self._name_change(record)}
        except RecordError as error:
            problem = make_storable(f"record {record_id[:80]}: {error}")
            columns = state = {"raw": repr(dict(record.values))[:_SHOWN], _KEY: record_id[:_SHOWN]}
        hashed, hashed_id = crm_records.hash_state(state), self._hash(record)
        last = states.get(hashed_id)
        turns = 0 if last is None else last.turns + (last.state != hashed)
        states[hashed_id] = RecordState(hashed, turns)
        key = make_storable(crm_records.make_key(record_id, hashed, turns))
        payload, origin = encode(columns).decode(), f"crm:{self._crm}"
        return NewSignal(number, self._source, key, payload, problem, origin, journey_kind=self._journey_kind.value)

    def _read_columns(self, record_id: str, record: CrmRecord) -> JsonObject:
        """The record's fields, empty ones too: a value that was taken away is news. Raises ``RecordError``."""
        values = {name: value for name, value in record.values.items() if name in self.list_fields()}
        read = crm_records.read_columns(record_id, values)
        columns = {name: value for name, value in read.items() if name != crm_records.RECORD_ID}
        named: dict[str, str | None] = dict(record.named)
        if (owner := _find_owner(record)) is not None:
            named["owner"] = self._owners.get(owner, owner)
        empty = [name for name in values if name.casefold() not in named]  # else it would stand for the name
        return {_KEY: record_id, **dict.fromkeys(empty), **columns, **named}

    def _name_change(self, record: CrmRecord) -> JsonObject:
        """When the record was changed, and by whom: no part of its state."""
        found: dict[str, str | None] = {}
        if record.changed_at is not None:
            found["occurred_at"] = record.changed_at.isoformat()
        if record.changed_by:
            found["changed_by"] = self._users.get(record.changed_by, record.changed_by)
        return dict(found)


def _read_id(record: CrmRecord) -> str:
    return make_storable(str(record.id).strip())


def _find_owner(record: CrmRecord) -> str | None:
    """The CRM's id of the record's owner."""
    values: Mapping[str, object] = record.values
    return next((str(values[name]) for name in _OWNERS if values.get(name)), None)
