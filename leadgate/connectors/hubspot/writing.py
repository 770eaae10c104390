"""Writes HubSpot's records in batches, of which one bad row costs no other row.

Belongs here: how rows become requests, and answers become results of rows. Does not belong here: what is written.

- A row with an id is updated by it; one without is created or updated by the unique property that holds its key.
- Rows of one key, or of one id, never share a batch: HubSpot refuses that. They are written in their order.
- Each row has a trace id, by which HubSpot tells its result or its error. A row of which it tells neither is sent once
  more alone, and is not taken for written.
- A batch that is refused as a whole is halved until the row to blame is alone.
- ``lifecyclestage`` goes forward only, and HubSpot keeps quiet when it does not. Where it is to go back, it is emptied
  first. Between these two requests it is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from leadgate.connectors.crm import (
    CrmField,
    CrmLimitError,
    CrmObject,
    CrmWrite,
    RowError,
    RowFault,
    RowResult,
)
from leadgate.connectors.hubspot.client import KINDS, Client
from leadgate.connectors.hubspot.errors import (
    ApiError,
    HubSpotFailedError,
    HubSpotRefusedError,
    judge_row,
    read_error,
)
from leadgate.connectors.hubspot.reading import read_by
from leadgate.connectors.hubspot.records import list_objects, read_id
from leadgate.connectors.hubspot.values import UnfitValueError, format_value
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.values.json_types import JsonObject, JsonValue, as_object

PER_WRITE: Final = 100
STAGE: Final = "lifecyclestage"
#: Statuses that are about a request and never about one of its rows.
_OF_REQUEST: Final = frozenset({401, 403, 405, 414, 415})
_BAD_GATEWAY: Final = 500


@dataclass
class Row:
    """A row on its way. ``trace`` is its place, as a text."""

    trace: str
    key: str
    id: str | None
    properties: dict[str, str]
    extra: JsonObject = field(default_factory=dict)  # what else the row's input holds


class BatchSender:
    """Sends the rows of one call and collects what becomes of each.

    ``action`` is ``upsert``, ``update`` or ``create``; ``key_property`` is the unique property.
    """

    def __init__(self, client: Client, kind: CrmObject, key_property: str) -> None:
        self._client = client
        self._kind = kind
        self._key_property = key_property
        self.results: dict[str, RowResult] = {}

    def send(self, action: str, rows: Sequence[Row]) -> None:
        """Send rows that have nothing in common. Raises errors of whole requests while no row has a result."""
        for start in range(0, len(rows), PER_WRITE):
            batch = rows[start : start + PER_WRITE]
            try:
                self._send_batch(action, batch)
            except (CrmLimitError, ServiceUnreachableError) as error:
                unsent = [row for row in rows[start:] if row.trace not in self.results]
                if not self.results:
                    raise
                for row in unsent:  # what was written stays known; the next call meets the error again
                    self.fail(row, RowError(RowFault.TEMPORARY, "NOT_SENT", str(error)))
                return

    def fail(self, row: Row, error: RowError) -> None:
        self.results[row.trace] = RowResult(row.key, row.id, error=error)

    def _send_batch(self, action: str, rows: Sequence[Row]) -> None:
        path = self._client.find_path("objects", KINDS[self._kind], "batch", action)
        inputs: list[JsonValue] = [self._build_input(action, row) for row in rows]
        try:
            answer = self._client.post(path, {"inputs": inputs}, is_repeatable=action != "create")
        except HubSpotRefusedError as refusal:
            if refusal.error.status in _OF_REQUEST or _is_wrong_address(refusal.error):
                raise
            self._narrow(action, rows, judge_row(refusal.error))
        except HubSpotFailedError as failure:
            if failure.status != _BAD_GATEWAY or action == "create" or not self._is_up():
                raise
            self._narrow(action, rows, RowError(RowFault.TEMPORARY, "500", "HubSpot failed with this row"))
        else:
            self._take(action, rows, answer)

    def _build_input(self, action: str, row: Row) -> JsonObject:
        built: dict[str, JsonValue] = {"properties": row.properties, "objectWriteTraceId": row.trace, **row.extra}
        if action == "upsert":
            built |= {"id": row.key, "idProperty": self._key_property}
        elif action == "update":
            built["id"] = row.id
        return built

    def _narrow(self, action: str, rows: Sequence[Row], error: RowError) -> None:
        """Find the rows to blame for what was said of all of them."""
        if len(rows) == 1:
            self.fail(rows[0], error)
            return
        middle = len(rows) // 2
        self._send_batch(action, rows[:middle])
        self._send_batch(action, rows[middle:])

    def _is_up(self) -> bool:
        """Whether HubSpot answers something else, so that the rows are to blame and not its state."""
        try:
            self._client.get(self._client.find_path("properties", KINDS[self._kind]))
        except (HubSpotFailedError, ServiceUnreachableError):
            return False
        return True

    def _take(self, action: str, rows: Sequence[Row], answer: JsonObject) -> None:
        by_trace = {row.trace: row for row in rows}
        by_id = {row.id: row for row in rows if row.id is not None}
        by_key = {row.key: row for row in rows}
        for given in list_objects(answer, "results"):
            record_id = read_id(given.get("id"))
            key = as_object(given.get("properties")).get(self._key_property)
            row = _pick(by_trace, given.get("objectWriteTraceId")) or _pick(by_id, record_id) or _pick(by_key, key)
            if row is not None and record_id is not None:
                is_new = action == "create" or given.get("new") is True
                self.results[row.trace] = RowResult(row.key, record_id, was_created=is_new)
        listed = answer.get("errors")
        errors = [read_error(0, given) for given in listed] if isinstance(listed, list) else []
        for error in errors:
            for row in _list_blamed(error, by_trace, by_id):
                self.fail(row, judge_row(error))
        silent = [row for row in rows if row.trace not in self.results]
        if len(rows) == 1 and silent:
            unknown = RowError(RowFault.TEMPORARY, "NO_RESULT", "HubSpot did not say what became of this row")
            self.fail(rows[0], judge_row(errors[0]) if errors else unknown)
            return
        for row in silent:
            self._send_batch(action, [row])


def _is_wrong_address(error: ApiError) -> bool:
    """Whether a 404 is about the address: that of a record names the record, or says that it is a record."""
    return error.status == 404 and not any(error.list_context("ids")) and "resource not found" not in error.message


def _pick(rows: Mapping[str, Row], name: JsonValue) -> Row | None:
    return rows.get(name) if isinstance(name, str) else None


def _list_blamed(error: ApiError, by_trace: Mapping[str, Row], by_id: Mapping[str, Row]) -> Iterable[Row]:
    """The rows that an error names, by trace ids first."""
    traced = [by_trace[trace] for trace in error.list_context("objectWriteTraceId") if trace in by_trace]
    return traced or [by_id[one] for one in (*error.list_context("ids"), *error.list_context("id")) if one in by_id]


def write_rows(
    client: Client, kind: CrmObject, rows: Sequence[CrmWrite], fields: Mapping[str, CrmField], key_property: str
) -> list[RowResult]:
    """Create or update records; a result for each row, in their order."""
    sender = BatchSender(client, kind, key_property)
    ready: list[Row] = []
    for place, row in enumerate(rows):
        made = Row(str(place), row.key, row.id, {})
        try:
            made.properties = {name: format_value(value, fields[name]) for name, value in row.values.items()}
        except UnfitValueError as error:
            sender.fail(made, RowError(RowFault.PERMANENT, "UNFIT_VALUE", str(error), error.field))
            continue
        made.properties[key_property] = row.key
        ready.append(made)
    for group in split_groups(ready):
        known = [row for row in group if row.id is not None]
        unknown = [row for row in group if row.id is None]
        _empty_stages(client, kind, sender, group, fields, key_property)
        _send_open(sender, "update", known)
        _send_open(sender, "upsert", unknown)
    return [sender.results[str(place)] for place in range(len(rows))]


def _send_open(sender: BatchSender, action: str, rows: Sequence[Row]) -> None:
    waiting = [row for row in rows if row.trace not in sender.results]
    if waiting:
        sender.send(action, waiting)


def split_groups(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows in groups without two of one key or of one id. A row comes after all earlier ones of its key."""
    groups: list[list[Row]] = []
    place: dict[tuple[str, str], int] = {}
    for row in rows:
        names = [("key", row.key), *([("id", row.id)] if row.id is not None else [])]
        number = max((place.get(name, -1) for name in names), default=-1) + 1
        if number == len(groups):
            groups.append([])
        groups[number].append(row)
        place |= dict.fromkeys(names, number)
    return groups


def _empty_stages(
    client: Client,
    kind: CrmObject,
    sender: BatchSender,
    rows: Sequence[Row],
    fields: Mapping[str, CrmField],
    key_property: str,
) -> None:
    """Empty the lifecycle stage of the records whose stage is to go back."""
    moving = [row for row in rows if row.properties.get(STAGE)]
    if kind is not CrmObject.LEAD or not moving or STAGE not in fields:
        return
    order = {stage: number for number, stage in enumerate(fields[STAGE].choices)}
    current: dict[str, tuple[str, str]] = {}
    for by, names in (
        (None, [row.id for row in moving if row.id is not None]),
        (key_property, [row.key for row in moving if row.id is None]),
    ):
        for record, _, given in read_by(client, kind, names, [STAGE], fields, by) if names else []:
            name = as_object(given.get("properties")).get(key_property) if by else record.id
            if isinstance(name, str):
                current[name] = record.id, str(record.values[STAGE] or "")
    back: list[Row] = []
    for row in moving:
        record_id, stage = current.get(row.id or row.key, ("", ""))
        if order.get(row.properties[STAGE], len(order)) < order.get(stage, -1):
            back.append(Row(row.trace, row.key, record_id, {STAGE: ""}))
    emptying = BatchSender(client, kind, key_property)
    if back:
        emptying.send("update", back)
    for row in back:
        if (error := emptying.results[row.trace].error) is not None:
            sender.fail(row, error)
