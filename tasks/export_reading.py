"""An export of leads with outcomes, read once into columns.

Belongs here: which field of a lead each column is, its values as that field would have them, which rows are kept aside.
Does not belong here: reading a format (``connectors.files``), or what the columns tell (``tasks.suggesting``).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from leadgate.connectors.files import Row, Table
from leadgate.errors import LeadgateError
from leadgate.fields import PERSONAL
from leadgate.learning.export_columns import MISSING, MOST_KEPT, MOST_OF_ONE, Column, ColumnReader
from leadgate.learning.outcome_column import (
    OutcomeWords,
    find_named_column,
    find_outcome_column,
    read_outcome_words,
)
from leadgate.learning.rule_drafts import ExpressedColumn
from leadgate.mapping.headers import as_text, flatten, map_headers
from leadgate.mapping.normalise import NOTHING_IN_WORDS
from leadgate.playbook import Playbook
from leadgate.values.addresses import Kinds, read_address
from leadgate.values.answers import read_yes_or_no
from leadgate.values.countries import read_country
from leadgate.values.figures import read_amount, read_employees, read_number
from leadgate.values.json_types import JsonValue
from leadgate.values.text import clean_line, is_no_value
from tasks.measuring import ASIDE

MOST_COLUMNS: Final = 500
#: Cells that are read: the rows after them are left out, which is told.
MOST_CELLS: Final = 60_000_000
_GIVEN: Final = "given"
#: Fields of which only whether there is a value can be a rule: each lead has one of its own.
ONE_EACH: Final = frozenset({*PERSONAL, "website", "company"}) - {"email"}

Clean = Callable[[str], str | None]
Flags = npt.NDArray[np.bool_]


class ExportError(LeadgateError, ValueError):
    """The file cannot be learned from; the message says why."""


@dataclass(frozen=True)
class Asked:
    """What a person said of the file: the columns of the outcome and of its time, and what its values mean."""

    outcome: str | None = None
    won: Sequence[str] = ()
    lost: Sequence[str] = ()
    decided_at: str | None = None


@dataclass(frozen=True)
class ReadColumn:
    """A column, the field of a lead that it is (None: one that has to be declared), and how expressions name it."""

    column: Column
    field: str | None
    expressed: ExpressedColumn | None


@dataclass(frozen=True)
class Export:
    """The rows with a known outcome: ``won`` and ``aside`` are of each. ``rows`` are all that the file has."""

    rows: int
    unreadable: int
    cut: bool  # whether rows at the end were not read
    outcome: str
    words: OutcomeWords
    undecided: int
    columns: list[ReadColumn]
    won: Flags
    aside: Flags
    ended: npt.NDArray[np.float64] | None = None


@dataclass
class _Reading:
    """A file as it is read."""

    playbook: Playbook
    asked: Asked
    readers: dict[str, ColumnReader] = field(default_factory=dict)
    mapped: dict[str, str] = field(default_factory=dict)
    outcome: str = ""
    decided_at: str | None = None
    most_values: int = MOST_OF_ONE
    rows: int = 0
    unreadable: int = 0
    keys: list[npt.NDArray[np.uint32]] = field(default_factory=list)

    def begin(self, headers: Sequence[str], rows: Sequence[Mapping[str, JsonValue]]) -> None:
        """Settle what the columns are, by the names and the first rows."""
        if len(headers) > MOST_COLUMNS:
            raise ExportError(
                f"it has {len(headers):,} columns, and at most {MOST_COLUMNS} are compared; export those that are "
                "known when a lead comes, and the outcome"
            )
        self.most_values = max(100, min(MOST_OF_ONE, MOST_KEPT // max(1, len(headers))))
        self.mapped = map_columns(headers, self.playbook)
        asked = self.asked
        if asked.outcome is not None:
            self.outcome = find_named_column(asked.outcome, headers)
        else:
            self.outcome = find_outcome_column(headers, {header: _list_values(rows, header) for header in headers})
        if asked.decided_at is not None:
            self.decided_at = find_named_column(asked.decided_at, headers)

    def add(self, rows: Sequence[Mapping[str, JsonValue]]) -> None:
        for row in rows:
            for header in row.keys() - self.readers.keys():
                if len(self.readers) >= MOST_COLUMNS:
                    raise ExportError(f"its rows have more than {MOST_COLUMNS} columns")
                self.readers[header] = self._build_reader(header)
        for header, reader in self.readers.items():
            reader.add([row.get(header) for row in rows])
        self.keys.append(np.array([self._hash(row) for row in rows], dtype=np.uint32))
        self.rows += len(rows)

    def _build_reader(self, header: str) -> ColumnReader:
        name = None if header in (self.outcome, self.decided_at) else self.mapped.get(header)
        return ColumnReader(
            header,
            self.most_values,
            rows_before=self.rows,
            clean=find_reading(name, self.playbook) if name else clean_line,
            number={"company_size": read_employees, "annual_revenue": read_amount}.get(name or "", read_number),
        )

    def _hash(self, row: Mapping[str, JsonValue]) -> int:
        """By what names the lead, else by all that is known of it but for its end: so it is on the same side again."""
        for header, name in self.mapped.items():
            if name in ("email", "external_id") and (value := as_text(row.get(header)).strip().lower()):
                return zlib.crc32(value.encode(errors="replace"))
        told = (as_text(value) for header, value in row.items() if header not in (self.outcome, self.decided_at))
        return zlib.crc32("\x1f".join(told).encode(errors="replace"))


def read_export(table: Table, playbook: Playbook, asked: Asked) -> Export:
    """The columns of ``table``, by the rows whose outcome is known. Raises ``ExportError``, ``OutcomeColumnError`` and
    ``FileError``."""
    reading = _Reading(playbook, asked)
    cut = False
    for number, page in enumerate(table.read_pages()):
        rows = list(_flatten(page))
        reading.unreadable += len(page) - len(rows)
        if number == 0:
            names = dict.fromkeys((*table.headers, *(header for row in rows for header in row)))
            reading.begin(list(names), rows)
        if rows:
            reading.add(rows)
        if reading.rows * max(1, len(reading.readers)) > MOST_CELLS:
            cut = True
            break
    if not reading.rows:
        raise ExportError("it has no rows that can be read")
    return _build(reading, cut=cut)


def _flatten(page: Sequence[Row]) -> Iterator[dict[str, JsonValue]]:
    return (flatten(row.payload) for row in page if row.payload is not None)


def _build(reading: _Reading, *, cut: bool) -> Export:
    read = {header: reader.build() for header, reader in reading.readers.items()}
    outcome = read[reading.outcome]
    words = read_outcome_words(outcome.values, reading.asked.won, reading.asked.lost)
    judged = [words.judge(value) for value in outcome.values]
    # two more behind the values: the codes of no value, and of one that is not kept, count from the end
    decided_of = np.array([*(each is not None for each in judged), words.missing_is_lost, words.missing_is_lost])
    won_of = np.array([*(each is True for each in judged), False, False])
    won_of[MISSING], decided_of[MISSING] = False, words.missing_is_lost
    if words.missing_is_lost:  # any value is won, one that is not kept, too
        won_of[-2] = True
    decided, won = decided_of[outcome.codes], won_of[outcome.codes]
    ended = None if reading.decided_at is None else read[reading.decided_at].days
    if reading.decided_at is not None and ended is None:
        raise ExportError(f"the column {reading.decided_at!r}, which --decided-at names, has no dates")
    keys = np.concatenate(reading.keys)[decided]
    columns = [
        _express(_choose_rows(column, decided), reading)
        for header, column in read.items()
        if header not in (reading.outcome, reading.decided_at)
    ]
    return Export(
        rows=reading.rows,
        unreadable=reading.unreadable,
        cut=cut,
        outcome=reading.outcome,
        words=words,
        undecided=int((~decided).sum()),
        columns=columns,
        won=won[decided],
        aside=keys < ASIDE * 2**32,
        ended=None if ended is None else ended[decided],
    )


def _choose_rows(column: Column, rows: Flags) -> Column:
    return replace(
        column,
        codes=column.codes[rows],
        numbers=None if column.numbers is None else column.numbers[rows],
        days=None if column.days is None else column.days[rows],
    )


def _express(column: Column, reading: _Reading) -> ReadColumn:
    name = reading.mapped.get(column.header)
    return ReadColumn(column, name, None if name is None else express_field(name, reading.playbook))


def _list_values(rows: Sequence[Mapping[str, JsonValue]], header: str) -> set[str]:
    cells = {as_text(row.get(header)) for row in rows}
    return {value for cell in cells if len(cell) <= 100 and (value := clean_line(cell)) is not None}


def map_columns(headers: Sequence[str], playbook: Playbook) -> dict[str, str]:
    """Which field of a lead each column is, by its name."""
    custom = {name: each.headers for name, each in playbook.fields.items()}
    return map_headers(headers, overrides=playbook.headers, custom=custom)


def find_reading(name: str, playbook: Playbook) -> Clean:
    """How a value of a field is read: as validation does, and where only its kind can be a rule, the kind."""
    own = playbook.fields.get(name)
    if own is not None:
        return _read_boolean if own.type == "boolean" else clean_line
    if name == "email":
        kinds = Kinds.of(playbook.validation)
        return lambda text: _read_kind_of_address(text, kinds)
    if name == "country":
        return _read_code
    if name in ONE_EACH:
        return lambda text: None if (value := clean_line(text)) is None or is_no_value(value) else _GIVEN
    return _read_told if name in NOTHING_IN_WORDS else clean_line


def _read_boolean(text: str) -> str | None:
    found = read_yes_or_no(text)
    return None if found is None else "yes" if found else "no"


def _read_kind_of_address(text: str, kinds: Kinds) -> str | None:
    address = read_address(text, kinds)
    return None if address.is_free is None else "a free mail address" if address.is_free else "a company's address"


def _read_code(text: str) -> str | None:
    value = _read_told(text)
    return None if value is None else read_country(value).code or value


def _read_told(text: str) -> str | None:
    value = clean_line(text)
    return None if value is None or is_no_value(value) else value


def express_field(name: str, playbook: Playbook) -> ExpressedColumn:
    """How expressions name a field of a lead."""
    own = playbook.fields.get(name)
    if own is not None:
        if own.type == "boolean":
            return ExpressedColumn(name, name, name, {"yes": name, "no": f"not {name}"})
        return ExpressedColumn(name, f"lower({name})" if own.type == "text" else "", name)
    if name == "email":
        kinds = {"a free mail address": "is_free_mail", "a company's address": "not is_free_mail"}
        return ExpressedColumn(name, name, name, kinds)
    if name in ONE_EACH:
        return ExpressedColumn(name, name, name, {_GIVEN: f"{name} is not null"})
    amount = {"company_size": "employees", "annual_revenue": "revenue"}.get(name)
    if amount is not None:
        return ExpressedColumn(name, f"lower({name})", amount)
    return ExpressedColumn(name, name if name == "country" else f"lower({name})", f"try_cast({name} as double)")
