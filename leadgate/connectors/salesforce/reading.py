"""Reading records: by id, by a field's value, and by what changed since a position.

**Changes** are read in the order of ``SystemModstamp`` and id, with deleted records, page after page from the last
record of the page before. The next sync begins ``OVERLAP`` before the end of the last one, by Salesforce's clock, for a
record gets its stamp before others can see it. At the end of each sync Salesforce's log of deletions is read, too: a
record that was deleted for good is found nowhere else. That log reaches back 15 days;
``ChangePage.deletions_known_from`` says when a position is older.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Self

import orjson

from leadgate.connectors.crm import ChangePage, CrmRecord, CrmRefusedError
from leadgate.connectors.salesforce.answers import read_id
from leadgate.connectors.salesforce.client import RestClient
from leadgate.connectors.salesforce.soql import build_query, quote_text, require_name, split_list, write_moment
from leadgate.connectors.salesforce.values import Description, read_moment, read_value
from leadgate.connectors.service_session import ServiceError
from leadgate.values.json_types import JsonObject, as_object

OVERLAP: Final = timedelta(minutes=5)
DELETION_LOG_REACH: Final = timedelta(days=15)
_MAX_CLOCK_SKEW: Final = timedelta(days=1)  # by which a time of change may be ahead of our clock and of Salesforce's
_MAX_PAGE_ROWS: Final = 2_000
_FIELDS_OF_EVERY_RECORD: Final = ("Id", "SystemModstamp", "LastModifiedById", "IsDeleted")
#: The record that a lead has become: a converted lead becomes a Contact, a merged one the record that remained.
_FIELDS_OF_LEADS: Final = ("IsConverted", "ConvertedContactId", "MasterRecordId")


@dataclass(frozen=True)
class _Position:
    """Where reading goes on. ``at`` and ``id`` are those of the last record; without an ``id`` a new sync begins.

    ``deleted_at`` is how far the log of deletions was read; with ``deleted_id`` the sync is in the middle of it.
    """

    at: datetime | None
    id: str
    deleted_at: datetime
    deleted_id: str = ""

    @classmethod
    def read(cls, text: str | None, now: datetime) -> Self:
        if text is None:
            return cls(None, "", now)
        try:
            raw = as_object(orjson.loads(text))
            at = raw.get("at")
            return cls(
                None if at is None else read_moment(at),
                str(raw["id"]),
                read_moment(raw["deleted_at"]),
                str(raw["deleted_id"]),
            )
        except (ValueError, KeyError):
            raise CrmRefusedError("the position for Salesforce is not one that was stored by this connector") from None

    def __str__(self) -> str:
        return orjson.dumps(
            {
                "at": None if self.at is None else write_moment(self.at),
                "id": self.id,
                "deleted_at": write_moment(self.deleted_at),
                "deleted_id": self.deleted_id,
            }
        ).decode()


class RecordReader:
    """Reads the records of one type, with ``fields``. Raises ``CrmRefusedError`` for a field that does not exist."""

    def __init__(self, client: RestClient, object_name: str, description: Description, fields: Sequence[str]) -> None:
        self._client = client
        self._object_name = object_name
        self._wanted = {}
        for name in fields:
            if (field := description.find(require_name(name))) is None:
                raise CrmRefusedError(
                    f"Salesforce shows this user no field of this name at {object_name}",
                    code="INVALID_FIELD",
                    vendor_message=name,
                )
            self._wanted[name] = field
        self._selected = list(
            dict.fromkeys(
                [
                    *_FIELDS_OF_EVERY_RECORD,
                    *(_FIELDS_OF_LEADS if object_name == "Lead" else ()),
                    *(field.name for field in self._wanted.values()),
                ]
            )
        )

    def find(self, field: str, values: Iterable[str], *, include_deleted: bool = False) -> Iterator[CrmRecord]:
        others = sum(len(name) + 3 for name in self._selected) + 200
        for condition in split_list(field, values, others):
            soql = build_query(self._selected, self._object_name, condition)
            for raw in self._client.query(soql, include_deleted=include_deleted):
                yield self._read(raw)

    def find_between(self, field: str, since: datetime, until: datetime) -> Iterator[CrmRecord]:
        """The records whose ``field`` is a time from ``since`` to ``until``."""
        name = require_name(field)
        where = f"{name} >= {write_moment(since)} AND {name} <= {write_moment(until)}"
        for raw in self._client.query(build_query(self._selected, self._object_name, where)):
            yield self._read(raw)

    def read_changes(self, position_text: str | None, now: datetime, page_rows: int) -> ChangePage:
        position = _Position.read(position_text, now)
        if position.deleted_id:
            return self._read_deletions(position, [], now, page_rows)
        where = ""
        if position.at is not None and position.id:
            stamp = write_moment(position.at)
            where = f"SystemModstamp >= {stamp} AND (SystemModstamp > {stamp} OR Id > {quote_text(position.id)})"
        elif position.at is not None:
            where = f"SystemModstamp >= {write_moment(position.at - OVERLAP)}"
        most = min(page_rows, _MAX_PAGE_ROWS)
        soql = build_query(self._selected, self._object_name, where, "SystemModstamp ASC, Id ASC", most)
        records = [self._read(raw) for raw in islice(self._client.query(soql, include_deleted=True), most)]
        _refuse_future(records, max(now, self._client.clock or now))
        now = min(now, self._client.clock or now)  # a fast clock of ours would skip changes
        position = replace(position, deleted_at=min(position.deleted_at, now))
        if records:
            last = records[-1]
            if last.changed_at is None:
                raise ServiceError("Salesforce sent a record without the time of its change")
            if position.id and position.at and (last.changed_at, last.id) <= (position.at, position.id):
                raise ServiceError("Salesforce sent changes again that were read before, and no later ones")
            at = last.changed_at if position.at is None else max(position.at, last.changed_at)
            position = replace(position, at=at, id=last.id)
        if len(records) == most:
            return ChangePage(records, str(position), has_more=True)
        return self._read_deletions(position, records, now, page_rows)

    def _read_deletions(
        self, position: _Position, records: list[CrmRecord], now: datetime, page_rows: int
    ) -> ChangePage:
        """Build the page that ends a sync: ``records``, and the deletions in the log since the last sync."""
        reached = now - DELETION_LOG_REACH + timedelta(hours=1)
        known_from = reached if position.deleted_at < reached else None
        start = max(position.deleted_at, reached)
        if not position.deleted_id:
            start = min(start - OVERLAP, now - timedelta(minutes=2))
        start = max(start, reached).replace(second=0, microsecond=0)
        try:
            answer = self._client.get(
                f"/sobjects/{self._object_name}/deleted/", {"start": write_moment(start), "end": write_moment(now)}
            )
        except CrmRefusedError as error:
            if error.code != "INVALID_REPLICATION_DATE":
                raise
            answer, known_from = {"deletedRecords": []}, now  # the recycle bin was emptied, and the log with it
        deletions = _parse_deletion_log(answer)
        if (earliest := _read_optional(answer, "earliestDateAvailable")) and earliest > start:
            known_from = max(earliest, known_from or earliest)
        covered = min(_read_optional(answer, "latestDateCovered") or now, now)
        if position.at is not None and not position.deleted_id:
            position = replace(position, at=max(position.at, covered))
        done_to = (position.deleted_at, position.deleted_id)
        if position.deleted_id:
            deletions = [deletion for deletion in deletions if deletion > done_to]
        brought = {record.id for record in records if record.is_deleted}
        due = [deletion for deletion in deletions if deletion[1] not in brought]
        page = due[: max(1, page_rows)]
        records = [*records, *self._read_deleted(page)]
        if len(page) < len(due):
            deleted_at, deleted_id = page[-1]
            return ChangePage(
                records, str(replace(position, deleted_at=deleted_at, deleted_id=deleted_id)), True, known_from
            )
        at_end = replace(position, id="", deleted_at=max(covered, position.deleted_at), deleted_id="")
        return ChangePage(records, str(at_end), False, known_from)

    def _read_deleted(self, deletions: Sequence[tuple[datetime, str]]) -> Iterator[CrmRecord]:
        """Read deleted records from the recycle bin, which names what they were merged into; else only their ids."""
        in_bin = {record.id: record for record in self.find("Id", (id for _, id in deletions), include_deleted=True)}
        for at, id in deletions:
            yield in_bin.get(id) or CrmRecord(id, {}, changed_at=at, is_deleted=True)

    def _read(self, raw: JsonObject) -> CrmRecord:
        sent = {name.lower(): value for name, value in raw.items()}
        if (id := read_id(sent.get("id"))) is None:
            raise ServiceError("Salesforce sent a record without an id")
        try:
            changed_at = read_moment(sent["systemmodstamp"]) if sent.get("systemmodstamp") is not None else None
        except ValueError:
            raise ServiceError("Salesforce sent a record whose time of change cannot be read") from None
        master = read_id(sent.get("masterrecordid"))
        contact = read_id(sent.get("convertedcontactid"))
        is_converted = sent.get("isconverted") is True  # no longer a lead, and read-only
        return CrmRecord(
            id,
            {name: read_value(field, sent.get(field.name.lower())) for name, field in self._wanted.items()},
            changed_at=changed_at,
            is_deleted=sent.get("isdeleted") is True or is_converted,
            changed_by=read_id(sent.get("lastmodifiedbyid")),
            follows=contact if is_converted else master,
        )


def _refuse_future(records: Sequence[CrmRecord], now: datetime) -> None:
    """Raise ``ServiceError`` for a time of change far in the future: the position would skip all changes until then."""
    if any(record.changed_at is not None and record.changed_at > now + _MAX_CLOCK_SKEW for record in records):
        raise ServiceError("Salesforce sent a record whose time of change is more than a day ahead of both clocks")


def make_position(since: datetime) -> str:
    """Build the position from which all changes ``since`` this moment are read."""
    return str(_Position(since + OVERLAP, "", since))


def find_owner_changes(client: RestClient, leads: Sequence[str]) -> dict[tuple[str, str], tuple[datetime, str | None]]:
    """Find when each of these leads was last given to each owner, and by which user.

    Returns (time, user id) by the 15-character ids of lead and owner; nothing where the org keeps no history of leads.
    """
    found: dict[tuple[str, str], tuple[datetime, str | None]] = {}
    selected = ["LeadId", "NewValue", "CreatedDate", "CreatedById"]
    try:
        for condition in split_list("LeadId", leads, 300):
            for raw in client.query(build_query(selected, "LeadHistory", f"Field = 'Owner' AND {condition}")):
                sent = {name.lower(): value for name, value in raw.items()}
                lead, owner = read_id(sent.get("leadid")), read_id(sent.get("newvalue"))
                at = _read_optional(sent, "createddate")
                if lead is None or owner is None or at is None:  # the second row of a change: with names, not ids
                    continue
                key = lead[:15], owner[:15]
                if key not in found or found[key][0] <= at:
                    found[key] = at, read_id(sent.get("createdbyid"))
    except CrmRefusedError:
        return {}
    return found


def _parse_deletion_log(answer: JsonObject) -> list[tuple[datetime, str]]:
    listed = answer.get("deletedRecords")
    if not isinstance(listed, list):
        raise ServiceError("Salesforce sent a log of deletions without a list of records")
    found = set()
    for item in listed:
        one = as_object(item)
        try:
            at = read_moment(one.get("deletedDate"))
        except ValueError:
            raise ServiceError("Salesforce sent a deletion without its time") from None
        if (id := read_id(one.get("id"))) is None:
            raise ServiceError("Salesforce sent a deletion without a record")
        found.add((at, id))
    return sorted(found)


def _read_optional(answer: JsonObject, name: str) -> datetime | None:
    try:
        return read_moment(answer.get(name))
    except ValueError:
        return None


def read_clock() -> datetime:
    """Read this computer's clock, in UTC."""
    return datetime.now(UTC)
