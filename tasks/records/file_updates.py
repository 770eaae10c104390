"""Updates in files that do not say when they were changed: which of them are news, told apart by the file they are in.

Belongs here: the keys of such rows, and leaving out those that repeat what stands. Does not belong here: keys of other
rows (``tasks.capture``), or comparing an update with what is known (``leadgate.records.versions``).

A row is known by its content, so that a file can be captured again. A record that goes from A to B and back to A has
the row of A in two files, and only the file tells one from the other. So the key of such a row is of the file, too: the
same file again changes nothing, and another one that says A again is an update. Most rows of a daily export say what
was told the day before; they are left out, as long as what was told since is known.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from leadgate.connectors.files import Row
from leadgate.ledger import records
from leadgate.ledger.signals import NewSignal
from leadgate.playbook import Playbook
from leadgate.playbook.kinds import SOURCE_KINDS
from leadgate.records.reading import map_record_headers
from leadgate.values.json_types import JsonObject
from leadgate.values.text import clean_line
from leadgate.vocabulary import JourneyKind

_CHANGED_AT: Final = "occurred_at"
_ID: Final = "external_id"


def compute_digest(path: Path) -> str:
    """What tells a file from another one, by its bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


class FileUpdates:
    """The rows of one file of records. ``undated`` counts those that do not say when they were changed."""

    def __init__(self, source: str, playbook: Playbook, digest: str) -> None:
        kind = SOURCE_KINDS[playbook.sources[source].kind]
        view = playbook.for_kind(kind)
        self._map = lru_cache(maxsize=100)(partial(map_record_headers, source=source, playbook=view))
        self._digest = digest
        self.undated = 0

    def mark(self, rows: Sequence[Row], built: Sequence[NewSignal]) -> tuple[list[NewSignal], dict[str, str]]:
        """The signals ``built`` of ``rows``, those of undated rows with the key of this file; and of these the record
        that each is about, by its key."""
        marked: list[NewSignal] = []
        about: dict[str, str] = {}
        for row, signal in zip(rows, built, strict=True):
            if row.payload is None or self._read(row.payload, _CHANGED_AT) is not None:
                marked.append(signal)
                continue
            self.undated += 1
            marked.append(signal._replace(key=f"{signal.key}@{self._digest}"))
            if (record := self._read(row.payload, _ID)) is not None:
                about[marked[-1].key] = record
        return marked, about

    def _read(self, payload: JsonObject, field: str) -> str | None:
        column = next((header for header, meant in self._map(tuple(payload)).items() if meant == field), None)
        return None if column is None else clean_line(str(payload[column] or ""))


def leave_out_repeats(
    connection: Connection, rows: Sequence[NewSignal], about: Mapping[str, str]
) -> Sequence[NewSignal]:
    """``rows``, which are of one source, without those that say what made the record that they are ``about`` (by their
    keys) as it is. None is left out that is one of several about a record, nor while an update of the source waits to
    be looked at."""
    if not about or records.has_unread(connection, rows[0].source):
        return rows
    kind = JourneyKind(rows[0].journey_kind)
    stands = records.find_last_told(connection, kind, rows[0].source, sorted(set(about.values())))
    times = Counter(about.values())

    def is_repeat(row: NewSignal) -> bool:
        record = about.get(row.key)
        return record is not None and times[record] == 1 and _find_content(stands.get(record)) == _find_content(row.key)

    return [row for row in rows if not is_repeat(row)]


def _find_content(key: str | None) -> str | None:
    """The part of a key that is the same for rows that say the same (``tasks.capture.Keys``)."""
    parts = (key or "").split(":")
    return parts[1] if len(parts) > 1 and parts[0] == "row" else None
