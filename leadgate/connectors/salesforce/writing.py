"""Writing rows: at most 200 of one type in a request, each with a result of its own.

A row whose record is known is updated by its id. Any other is found by Leadgate's key, and created where there is none.
Both may be sent twice. A row is sent again here when its record is locked for a moment, and when two requests with the
same new key met in Salesforce: the second is told of a duplicate, and finds the record a moment later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from leadgate.connectors.crm import CrmRefusedError, CrmWrite, RowError, RowFault, RowResult
from leadgate.connectors.salesforce.answers import TEMPORARY_ROW_CODES, clean_text, read_id, read_row_error
from leadgate.connectors.salesforce.client import RestClient
from leadgate.connectors.salesforce.soql import require_name
from leadgate.connectors.salesforce.values import Description, store_value, write_value
from leadgate.connectors.service_session import ServiceError
from leadgate.values.json_types import JsonObject, JsonValue, as_object

ROWS_PER_REQUEST: Final = 200
_LONGER_FAULTS: Final = TEMPORARY_ROW_CODES - {"UNABLE_TO_LOCK_ROW"}


@dataclass(frozen=True)
class _Row:
    """A row that is ready to be sent. ``place`` is where its result belongs."""

    place: int
    key: str
    id: str | None
    values: JsonObject


class RowWriter:
    """Writes rows of one type. ``waits`` are the seconds before each further attempt at a locked row."""

    def __init__(
        self,
        client: RestClient,
        of: str,
        key_field: str,
        description: Description,
        waits: Sequence[float],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._of = of
        self._key_field = require_name(key_field)
        self._description = description
        self._waits = waits
        self._sleep = sleep

    def write(self, rows: Sequence[CrmWrite]) -> list[RowResult]:
        results: dict[int, RowResult] = {}
        ready: list[_Row] = []
        for place, row in enumerate(rows):
            prepared = self._prepare(place, row)
            if isinstance(prepared, RowError):
                results[place] = RowResult(row.key, row.id, error=prepared)
            else:
                ready.append(prepared)
        for wave in _separate(ready):
            for by_id in (True, False):
                part = [row for row in wave if (row.id is not None) is by_id]
                for start in range(0, len(part), ROWS_PER_REQUEST):
                    results |= self._write_part(part[start : start + ROWS_PER_REQUEST], by_id=by_id)
        return [results[place] for place in range(len(rows))]

    def _prepare(self, place: int, row: CrmWrite) -> _Row | RowError:
        """The row as it is sent, or why it cannot be. Raises ``CrmRefusedError`` for a field that does not exist."""
        if not row.key.strip() or not row.key.isprintable():
            return RowError(RowFault.PERMANENT, "MISSING_ARGUMENT", "the row has no key", field=self._key_field)
        if row.id is not None and read_id(row.id) is None:
            return RowError(RowFault.PERMANENT, "MALFORMED_ID", "the record's id is none that Salesforce could have")
        values: dict[str, JsonValue] = {}
        for name, value in row.values.items():
            field = self._description.find(name)
            if field is None:
                raise CrmRefusedError(
                    f"Salesforce shows this user no field of that name at {self._of}; "
                    "create it, or give the user's permission set access to it",
                    code="INVALID_FIELD",
                    vendor_message=clean_text(name),
                )
            if field.name in ("Id", self._key_field):
                continue
            try:
                values[field.name] = write_value(store_value(field, value))
            except ValueError as error:
                return RowError(RowFault.PERMANENT, "INVALID_TYPE", str(error), field=field.name)
        return _Row(place, row.key, row.id, values)

    def _write_part(self, rows: Sequence[_Row], *, by_id: bool) -> dict[int, RowResult]:
        results: dict[int, RowResult] = {}
        for attempt in range(len(self._waits) + 1):
            answered = self._send(rows, by_id=by_id)
            results |= {row.place: result for row, result in zip(rows, answered, strict=True)}
            rows = [row for row in rows if self._is_worth_repeating(results[row.place].error, by_id=by_id)]
            if not rows or attempt == len(self._waits):
                break
            self._sleep(self._waits[attempt])
        for row in rows:  # the record with the key is not there to be found yet
            error = results[row.place].error
            if error is not None and error.fault is RowFault.DUPLICATE:
                results[row.place] = RowResult(
                    row.key, row.id, error=RowError(RowFault.TEMPORARY, error.code, error.message, error.field)
                )
        return results

    def _is_worth_repeating(self, error: RowError | None, *, by_id: bool) -> bool:
        if error is None:
            return False
        if error.fault is RowFault.TEMPORARY:
            return error.code not in _LONGER_FAULTS
        return not by_id and error.code == "DUPLICATE_VALUE" and self._key_field in error.message

    def _send(self, rows: Sequence[_Row], *, by_id: bool) -> list[RowResult]:
        path = "/composite/sobjects" if by_id else f"/composite/sobjects/{self._of}/{self._key_field}"
        records = [
            {
                "attributes": {"type": self._of},
                **({"id": row.id} if by_id else {}),
                self._key_field: row.key,
                **row.values,
            }
            for row in rows
        ]
        try:
            answer = self._client.write("PATCH", path, {"allOrNone": False, "records": records}, repeatable=True)
        except CrmRefusedError as error:
            if error.code != "JSON_PARSER_ERROR":
                raise
            if len(rows) == 1:  # one row that Salesforce cannot read must not fail the others
                refused = RowError(RowFault.PERMANENT, error.code, error.vendor_message)
                return [RowResult(rows[0].key, rows[0].id, error=refused)]
            half = len(rows) // 2
            return self._send(rows[:half], by_id=by_id) + self._send(rows[half:], by_id=by_id)
        if not isinstance(answer, list) or len(answer) != len(rows):
            raise ServiceError(f"Salesforce did not answer each of {len(rows)} rows with a result")
        return [self._read_result(row, raw, by_id=by_id) for row, raw in zip(rows, answer, strict=True)]

    def _read_result(self, row: _Row, raw: JsonValue, *, by_id: bool) -> RowResult:
        result = as_object(raw)
        if result.get("success") is True:
            if (id := read_id(result.get("id")) or row.id) is None:
                raise ServiceError("Salesforce wrote a record and did not say which")
            return RowResult(row.key, id, was_created=result.get("created") is True)
        return RowResult(row.key, row.id, error=read_row_error(raw, by_id=by_id))


def _separate(rows: Sequence[_Row]) -> list[list[_Row]]:
    """The rows in waves, in their order: no key and no id is twice in one, for Salesforce refuses both rows then."""
    waves: list[list[_Row]] = []
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        # an external id may not tell capitals from small letters
        names = [("key", row.key.casefold())] + ([("id", row.id[:15])] if row.id else [])
        wave = max((last[name] + 1 for name in names if name in last), default=0)
        last.update(dict.fromkeys(names, wave))
        if wave == len(waves):
            waves.append([])
        waves[wave].append(row)
    return waves
