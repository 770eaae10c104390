"""How good the data of leads is, by source and week: rows at each gate, broken promises, and fields that are filled.

Belongs here: these queries over the last weeks. Does not belong here: what a promise is (``expectations``), shares and
words (``console.quality``). No query gives a personal value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from leadgate.fields import ENRICHABLE, STANDARD
from leadgate.ledger.typed_rows import read_rows

WEEK: Final = timedelta(days=7)
WEEKS: Final = 8
#: Fields of leads that are asked about; a column of the table each.
FIELDS: Final = tuple(STANDARD)


@dataclass(frozen=True, slots=True)
class RowCount:
    """Leads of a source that a gate judged in a week; ``week`` counts back from now, 0 is the last seven days."""

    stage: str
    source: str
    week: int
    rows: int


@dataclass(frozen=True, slots=True)
class BrokenCount:
    """Of them, those that broke a promise: held by a work item, or passed with a warning (``held`` is false).

    ``reason`` is that of the work items; ``open`` of these are not decided yet.
    """

    stage: str
    promise: str
    source: str
    week: int
    held: bool
    reason: str
    rows: int
    open: int


@dataclass(frozen=True, slots=True)
class FilledCount:
    """Leads of a source that were captured in a week, and of how many of them each field has a value of their own:
    what enrichment has added is none. ``is_of_last_day``: they were captured in the last 24 hours."""

    source: str
    week: int
    leads: int
    filled: dict[str, int]
    is_of_last_day: bool = False


def _write_week(moment: str) -> str:
    seconds = f"{WEEK.total_seconds():.0f}"
    return f"CAST(floor(date_part('epoch', CAST(:now AS timestamptz) - {moment}) / {seconds}) AS int)"


_ROWS: Final = f"""
    SELECT h.stage, j.source, {_write_week("h.at")} AS week, count(*) AS rows
    FROM handoff h JOIN journey j ON j.id = h.journey_id
    WHERE j.kind = 'lead' AND h.at > :since AND h.at <= :now GROUP BY 1, 2, 3"""

#: A gate is named by its stage: its warnings are told by the gate's name, in the order of the stages.
_BROKEN: Final = f"""
    SELECT stage, promise, source, {_write_week("opened_at")} AS week, true AS held, reason, count(*) AS rows,
        count(*) FILTER (WHERE closed_at IS NULL) AS open
    FROM work_item w WHERE kind = 'exception' AND promise IS NOT NULL AND source IS NOT NULL
        AND journey_id IS NOT NULL AND opened_at > :since AND opened_at <= :now
        AND NOT EXISTS (SELECT FROM journey r WHERE r.id = w.journey_id AND r.kind <> 'lead') GROUP BY 1, 2, 3, 4, 6
    UNION ALL
    SELECT w.gate, w.promise, j.source, {_write_week("j.captured_at")}, false, w.reason, count(*), 0
    FROM warned w JOIN journey j ON j.id = w.journey_id
    WHERE j.kind = 'lead' AND j.captured_at > :since AND j.captured_at <= :now GROUP BY 1, 2, 3, 4, 6"""

#: A field that enrichment may fill is counted where no provider gave its value.
_COUNTS: Final = ", ".join(
    f"'{name}', count(l.{name})"
    + (f" FILTER (WHERE jsonb_exists(l.provenance, '{name}') IS NOT TRUE)" if name in ENRICHABLE else "")
    for name in FIELDS
)
_FILLED: Final = f"""
    SELECT j.source, {_write_week("j.captured_at")} AS week, count(*) AS leads, jsonb_build_object({_COUNTS}) AS filled,
        j.captured_at > CAST(:now AS timestamptz) - interval '1 day' AS is_of_last_day
    FROM journey j JOIN lead l ON l.id = j.lead_id
    WHERE j.captured_at > :since AND j.captured_at <= :now AND j.trigger = 'signal' GROUP BY 1, 2, 5"""


def count_rows(connection: Connection, now: datetime) -> list[RowCount]:
    return read_rows(connection, RowCount, _ROWS, now=now, since=now - WEEKS * WEEK)


def count_broken(connection: Connection, now: datetime) -> list[BrokenCount]:
    """``stage`` is the gate's name in rows of warnings."""
    return read_rows(connection, BrokenCount, _BROKEN, now=now, since=now - WEEKS * WEEK)


def count_filled(connection: Connection, now: datetime) -> list[FilledCount]:
    return read_rows(connection, FilledCount, _FILLED, now=now, since=now - WEEKS * WEEK)
