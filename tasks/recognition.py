"""Columns of one file that are known by their values, decided once, and addresses that no column of the lead takes.

Belongs here: which rows of a file are looked at, and counting. Does not belong here: what a value looks like
(``leadgate.mapping.contents``), storing rows (``ingestion``), or telling a person (``console.cli.capture``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from leadgate.connectors.files import Row
from leadgate.fields import STANDARD
from leadgate.mapping.contents import Recognised, is_address, recognise_columns
from leadgate.playbook import Playbook
from leadgate.values.json_types import JsonObject
from tasks.capture import list_declared, map_lead_headers

#: The rows at the beginning of a file by whose values its columns are known.
LOOKED_AT: Final = 1_000


class FileColumns:
    """What the columns of one file mean. The first page of rows decides for all of them.

    ``recognised`` is None until then. ``addresses_elsewhere`` counts, for each column, the rows that have an e-mail
    address there and none in the column that is the lead's.
    """

    def __init__(self, source: str, playbook: Playbook) -> None:
        self._source, self._playbook = source, playbook
        self.recognised: dict[str, Recognised] | None = None
        self.addresses_elsewhere: Counter[str] = Counter()
        self.rows_without_address = 0
        self._email: str | None = None
        self._mappings: dict[tuple[str, ...], dict[str, str]] = {}

    @property
    def fields(self) -> dict[str, str]:
        """Header -> field, of the columns that are known by their values."""
        return {header: found.field for header, found in (self.recognised or {}).items()}

    def map_headers(self, headers: Sequence[str]) -> dict[str, str]:
        """Header -> field, by names and by values."""
        return map_lead_headers(headers, self._source, self._playbook, self.fields)

    def look(self, rows: Sequence[Row]) -> None:
        """Decide by the first page of rows, and count addresses in each page."""
        if self.recognised is None:
            self._decide([row.payload for row in rows[:LOOKED_AT] if row.payload is not None])
        for row in rows:
            payload = row.payload
            if payload is None:
                continue
            value = payload.get(self._email) if self._email is not None else None
            if not isinstance(value, str) or "@" not in value:
                self._count_elsewhere(payload)

    def _decide(self, payloads: Sequence[JsonObject]) -> None:
        headers = tuple(dict.fromkeys(header for payload in payloads for header in payload))
        mapped = map_lead_headers(headers, self._source, self._playbook)
        self.recognised = {}
        if not {"email", "phone"} <= set(mapped.values()):
            declared = list_declared(headers, self._source, self._playbook)
            self.recognised = recognise_columns(payloads, mapped, declared)
        self._email = next((header for header, field in self.map_headers(headers).items() if field == "email"), None)

    def _count_elsewhere(self, payload: JsonObject) -> None:
        found = [header for header, value in payload.items() if isinstance(value, str) and is_address(value)]
        if not found:
            return
        mapping = self._map_row(payload)
        if any(mapping.get(header) == "email" for header in found):
            return
        declared = list_declared(found, self._source, self._playbook)
        lost = [header for header in found if header not in declared and mapping.get(header, "email") in STANDARD]
        self.rows_without_address += bool(lost)
        self.addresses_elsewhere.update(lost)

    def _map_row(self, payload: Mapping[str, object]) -> dict[str, str]:
        headers = tuple(payload)
        if headers not in self._mappings:
            if len(self._mappings) > 100:  # rows of ever new shapes
                self._mappings.clear()
            self._mappings[headers] = self.map_headers(headers)
        return self._mappings[headers]
