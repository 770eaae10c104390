"""Finds and reads HubSpot's records, and what changed since a position.

Belongs here: reading. Does not belong here: what the records mean.

**Changes.** Searches find what changed, sorted by the time of the change. Each page asks anew from the last time that
was seen, and never for the second page of a query: a record that changes while pages are read moves to the end, and
would push another one over the edge of a page. This also keeps below 10,000 records a query. When more records than a
page holds have one time, such as after an import, these are read by their ids.

A search is behind by moments, so a sync begins ``overlap`` seconds before the place at which the last one ended.
Deleted records are in no search: they are listed after the last page, every ``deleted_every`` seconds. A record that
was deleted for privacy is in no list.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

import orjson

from leadgate.connectors.crm import (
    ChangePage,
    CrmField,
    CrmFieldChange,
    CrmFieldType,
    CrmObject,
    CrmRecord,
)
from leadgate.connectors.hubspot.associations import read_related
from leadgate.connectors.hubspot.client import KINDS, Client
from leadgate.connectors.hubspot.records import (
    MERGED,
    UPDATED_BY,
    list_objects,
    name_modified,
    read_changed,
    read_id,
    read_last_change,
    read_next,
    read_record,
    require_whole,
)
from leadgate.connectors.hubspot.values import parse_time
from leadgate.connectors.service_session import ServiceError
from leadgate.values.json_types import JsonObject, JsonValue

PER_READ: Final = 100
PER_SEARCH: Final = 200
_PER_READ_WITH_HISTORY: Final = 50
_PER_FILTER: Final = 100
_PER_LIST: Final = 100
_MOST_AHEAD: Final = 86_400_000  # milliseconds that a time of HubSpot may be before ours

#: Kinds of records whose contacts nobody asks for.
_WITHOUT_PEOPLE: Final = (CrmObject.LEAD, CrmObject.OPPORTUNITY)

Fields = Mapping[str, CrmField]


def read_by(
    client: Client, kind: CrmObject, values: Sequence[str], names: Sequence[str], fields: Fields, by: str | None = None
) -> list[tuple[CrmRecord, list[str], JsonObject]]:
    """The records with these ids, or with these values of the unique property ``by``; those that are there."""
    found: list[tuple[CrmRecord, list[str], JsonObject]] = []
    asked = list(dict.fromkeys(values))
    for start in range(0, len(asked), PER_READ):
        found += _read_batch(client, kind, asked[start : start + PER_READ], names, fields, by)
    return found


def _read_batch(
    client: Client,
    kind: CrmObject,
    values: Sequence[str],
    names: Sequence[str],
    fields: Fields,
    by: str | None,
    *,
    archived: bool = False,
    histories: Sequence[str] = (),
) -> list[tuple[CrmRecord, list[str], JsonObject]]:
    body: dict[str, JsonValue] = {
        "inputs": [{"id": value} for value in values],
        "properties": _ask_for(kind, names, by),
        "propertiesWithHistory": list(histories),
    }
    if by is not None:
        body["idProperty"] = by
    path = client.find_path("objects", KINDS[kind], "batch", "read")
    answer = client.post(path, body, params={"archived": "true"} if archived else None)
    require_whole(answer)  # else a record would be taken for one that is gone
    return [(*read_record(one, kind, names, fields), one) for one in list_objects(answer, "results")]


def _ask_for(kind: CrmObject, names: Sequence[str], by: str | None = None) -> list[str]:
    own = [name_modified(kind), UPDATED_BY, MERGED]
    return list(dict.fromkeys([*names, *([by] if by else []), *own]))


def read_records(
    client: Client, kind: CrmObject, ids: Iterable[str], names: Sequence[str], fields: Fields
) -> dict[str, CrmRecord]:
    """The records by the ids that were asked for. One that was merged into another follows it."""
    asked = list(dict.fromkeys(ids))
    found: dict[str, CrmRecord] = {}
    for record, absorbed, _ in read_by(client, kind, asked, names, fields):
        found[record.id] = record
        for gone in absorbed:
            found.setdefault(gone, _follow(gone, record, names))
    missing = [one for one in asked if one not in found]
    for start in range(0, len(missing), PER_READ):
        batch = missing[start : start + PER_READ]
        for record, _, _ in _read_batch(client, kind, batch, names, fields, None, archived=True):
            found[record.id] = replace(record, is_deleted=True)
    return {one: found[one] for one in asked if one in found}


def read_last_changes(
    client: Client, kind: CrmObject, ids: Iterable[str], name: str, fields: Fields
) -> dict[str, CrmFieldChange]:
    """The last change of the property ``name`` in each record that is there."""
    asked = list(dict.fromkeys(ids))
    found: dict[str, CrmFieldChange] = {}
    for start in range(0, len(asked), _PER_READ_WITH_HISTORY):
        batch = asked[start : start + _PER_READ_WITH_HISTORY]
        for record, _, given in _read_batch(client, kind, batch, [name], fields, None, histories=[name]):
            found[record.id] = read_last_change(record, given, name)
    return {one: found[one] for one in asked if one in found}


def _follow(gone: str, winner: CrmRecord, names: Sequence[str]) -> CrmRecord:
    return CrmRecord(gone, dict.fromkeys(names), changed_at=winner.changed_at, is_deleted=True, follows=winner.id)


def search_by(
    client: Client, kind: CrmObject, by: str, values: Sequence[str], names: Sequence[str], fields: Fields
) -> list[CrmRecord]:
    """The records whose property ``by`` has one of ``values``, as searches see them: some moments late."""
    found: dict[str, CrmRecord] = {}
    is_text = by not in fields or fields[by].type is CrmFieldType.TEXT
    asked = list(dict.fromkeys(value.lower() if is_text else value for value in values))  # texts in lower case only
    for start in range(0, len(asked), _PER_FILTER):
        wanted = {"propertyName": by, "operator": "IN", "values": asked[start : start + _PER_FILTER]}
        for page in _search_all(client, kind, [wanted], names):
            for given in page:
                record, _ = read_record(given, kind, names, fields)
                found[record.id] = record
    return list(found.values())


def search_between(
    client: Client,
    kind: CrmObject,
    by: str,
    since: datetime,
    until: datetime,
    names: Sequence[str],
    fields: Fields,
) -> list[CrmRecord]:
    """The records whose property ``by`` is a time from ``since`` to ``until``, each with its contacts."""
    bounds: list[JsonObject] = [
        {"propertyName": by, "operator": "GTE", "value": str(_to_milliseconds(since))},
        {"propertyName": by, "operator": "LTE", "value": str(_to_milliseconds(until))},
    ]
    found: dict[str, CrmRecord] = {}
    for page in _search_all(client, kind, bounds, names):
        read = [read_record(given, kind, names, fields)[0] for given in page]
        related = read_related(client, kind, [record.id for record in read]) if read else {}
        found |= {record.id: replace(record, lead_ids=related.get(record.id, ())) for record in read}
    return list(found.values())


def _search_all(
    client: Client, kind: CrmObject, filters: Sequence[JsonObject], names: Sequence[str]
) -> Iterator[list[JsonObject]]:
    """What matches, by ids, so that there may be more than a query gives."""
    last_id = "0"
    while True:
        beyond: JsonObject = {"propertyName": "hs_object_id", "operator": "GT", "value": last_id}
        page = _search(client, kind, [*filters, beyond], "hs_object_id", names)
        yield page
        ids = [int(one) for record in page if (one := read_id(record.get("id"))) and one.isdecimal()]
        if len(page) < PER_SEARCH or not ids or max(ids) <= int(last_id):
            return
        last_id = str(max(ids))


def _search(
    client: Client, kind: CrmObject, filters: Sequence[JsonObject], sort: str, names: Sequence[str]
) -> list[JsonObject]:
    body: JsonObject = {
        "after": "0",
        "filterGroups": [{"filters": filters}],
        "limit": PER_SEARCH,
        "properties": _ask_for(kind, names),
        "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
    }
    answer = client.post(client.find_path("objects", KINDS[kind], "search"), body, is_search=True)
    return list_objects(answer, "results")


@dataclass(frozen=True)
class _Position:
    """Where reading changes goes on.

    ``since``: everything that changed before was read; milliseconds. ``tied_after``: of the records that changed at
    ``since``, those up to this id were read. ``deleted_page``: the page of deleted records that comes next.
    ``deleted_since``: the newest time at which a record that was listed was deleted. ``listed_at``: when they were
    listed to the end; seconds, by this machine's clock. ``is_new``: a sync begins.
    """

    since: int = 0
    tied_after: int | None = None
    deleted_page: str | None = None
    deleted_since: int = 0
    newest_deleted: int = 0
    listed_at: int = 0
    is_new: bool = True


class ChangeReader:
    """Reads pages of changes. ``overlap`` and ``deleted_every`` are in seconds."""

    def __init__(self, client: Client, *, overlap: float, deleted_every: float) -> None:
        self._client = client
        self._overlap = int(overlap * 1000)
        self._deleted_every = deleted_every

    def read(self, kind: CrmObject, names: Sequence[str], fields: Fields, position: str | None) -> ChangePage:
        at = _parse_position(position)
        if at.is_new:
            at = replace(at, since=max(0, at.since - self._overlap), is_new=False)
        if at.deleted_page is not None:
            return self._read_deleted(kind, names, fields, at)
        page = self._find_changed(kind, names, at)
        records = list(self._read_page(kind, names, fields, page))
        following = _advance(kind, at, page)
        if following is not None:
            return ChangePage(records, _format_position(following), has_more=True)
        if at.tied_after is not None:  # all that changed at this time was read
            after_tie = replace(at, since=at.since + 1, tied_after=None)
            return ChangePage(records, _format_position(after_tie), has_more=True)
        ended = replace(at, since=max([at.since, *(_changed_at(kind, one) for one in page)]))
        if time.time() - at.listed_at >= self._deleted_every:
            return ChangePage(records, _format_position(replace(ended, deleted_page="0")), has_more=True)
        return ChangePage(records, _format_position(replace(ended, is_new=True)), has_more=False)

    def _find_changed(self, kind: CrmObject, names: Sequence[str], at: _Position) -> list[JsonObject]:
        modified = name_modified(kind)
        if at.tied_after is None:
            since = {"propertyName": modified, "operator": "GTE", "value": str(at.since)}
            return _search(self._client, kind, [since], modified, names)
        tied = {"propertyName": modified, "operator": "EQ", "value": str(at.since)}
        beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": str(at.tied_after)}
        return _search(self._client, kind, [tied, beyond], "hs_object_id", names)

    def _read_page(
        self, kind: CrmObject, names: Sequence[str], fields: Fields, page: Sequence[JsonObject]
    ) -> Iterator[CrmRecord]:
        read = [read_record(one, kind, names, fields) for one in page]
        ids = [record.id for record, _ in read]
        related = read_related(self._client, kind, ids) if kind not in _WITHOUT_PEOPLE and ids else {}
        for record, absorbed in read:
            yield replace(record, lead_ids=related.get(record.id, ()))
            yield from (_follow(gone, record, names) for gone in absorbed)

    def _read_deleted(self, kind: CrmObject, names: Sequence[str], fields: Fields, at: _Position) -> ChangePage:
        params = {
            "archived": "true",
            "limit": str(_PER_LIST),
            "properties": ",".join(_ask_for(kind, names)),
            **({"after": at.deleted_page} if at.deleted_page not in (None, "0") else {}),
        }
        answer = self._client.get(self._client.find_path("objects", KINDS[kind]), params)
        records: list[CrmRecord] = []
        newest = at.newest_deleted
        for one in list_objects(answer, "results"):
            deleted_at = parse_time(one.get("archivedAt"))
            stamp = min(_to_milliseconds(deleted_at), _find_now()) if deleted_at is not None else None
            if stamp is not None and stamp < at.deleted_since - self._overlap:
                continue
            newest = max(newest, stamp or 0)
            record, _ = read_record(one, kind, names, fields)
            records.append(replace(record, is_deleted=True, changed_at=deleted_at or record.changed_at))
        after = read_next(answer)
        if after is not None and after != at.deleted_page:
            going_on = replace(at, deleted_page=after, newest_deleted=newest)
            return ChangePage(records, _format_position(going_on), has_more=True)
        ended = replace(
            at,
            deleted_page=None,
            deleted_since=max(newest, at.deleted_since),
            newest_deleted=0,
            listed_at=int(time.time()),
            is_new=True,
        )
        return ChangePage(records, _format_position(ended), has_more=False)


def _advance(kind: CrmObject, at: _Position, page: Sequence[JsonObject]) -> _Position | None:
    """Where the next page begins; None after the last one."""
    if len(page) < PER_SEARCH:
        return None
    if at.tied_after is not None:
        ids = [int(one) for record in page if (one := read_id(record.get("id"))) and one.isdecimal()]
        last_id = max(ids, default=0)
        return replace(at, tied_after=last_id) if last_id > at.tied_after else None
    last = max(_changed_at(kind, one) for one in page)
    return replace(at, since=last) if last > at.since else replace(at, tied_after=0)


def _changed_at(kind: CrmObject, given: JsonObject) -> int:
    moment = read_changed(given, kind)
    if moment is None:
        raise ServiceError("HubSpot answered with a record that does not say when it was changed")
    stamp = _to_milliseconds(moment)
    if stamp > _find_now() + _MOST_AHEAD:  # it would move the position past every change that is still to come
        raise ServiceError("HubSpot answered with a record that is changed in the future only")
    return stamp


def _find_now() -> int:
    return int(time.time() * 1000)


def _to_milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def make_position(since: datetime) -> str:
    """The position before all that was changed ``since`` then; of what was deleted before, nothing is told."""
    stamp = _to_milliseconds(since)
    return _format_position(_Position(since=stamp, deleted_since=stamp))


def _format_position(at: _Position) -> str:
    return orjson.dumps(asdict(at)).decode()


def _parse_position(text: str | None) -> _Position:
    if text is None:
        return _Position()
    try:
        return _Position(**orjson.loads(text))
    except (orjson.JSONDecodeError, TypeError):
        raise ServiceError("this is no position in HubSpot's changes") from None
