"""The tables ``forecast_day`` and ``forecast_snapshot``: the opportunities as they were known at the end of each day.

Belongs here: every statement that writes these tables, and the state of the opportunities as known at a moment. Does
not belong here: what moved between two moments (``leadgate.records.forecast``), or keeping records (``records``).

A state is *as known then*: of each opportunity the version that was the current one at the moment. What becomes known
later, also of an earlier day, changes no state of a moment before. So the snapshot of a day and the versions say the
same, and a day without a snapshot is computed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_rows
from leadgate.records.forecast import RecordState
from leadgate.vocabulary import ForecastCategory

#: A day's snapshot is taken so long after its end: whoever stored a version before has committed it by then.
SETTLED: Final = timedelta(minutes=15)
#: Days without a housekeeping that are made good at once; earlier ones are computed when somebody asks.
_MOST_MISSED: Final = 31
#: The snapshot of every day is kept for so long; of older days those at the end of a week and of a month.
_EVERY_DAY: Final = timedelta(days=100)

_CATEGORIES: Final = {category.value: category for category in ForecastCategory}
_COLUMNS: Final = "owner, amount, close_date, category, is_open, outcome, sales_stage"
_VERSION: Final = ", ".join(f"v.{column}" for column in _COLUMNS.split(", "))
_AS_KNOWN: Final = f"""
    SELECT r.id AS record_id, {_VERSION} FROM record r CROSS JOIN LATERAL (
        SELECT * FROM record_version v WHERE v.record_id = r.id AND NOT v.late AND v.stored_at <= :at
        ORDER BY v.number DESC LIMIT 1) v
    WHERE r.kind = 'opportunity' AND NOT EXISTS (SELECT FROM record_deletion d
        WHERE d.record_id = r.id AND d.noticed_at >= v.stored_at AND d.noticed_at <= :at)"""


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What a line of the forecast says of an opportunity beside figures: its names, as they are now, and the last
    update of the time that is looked at."""

    record_id: int
    name: str | None
    account: str | None
    changed_by: str | None
    changed_at: datetime | None


def read_states(connection: Connection, at: datetime) -> dict[int, RecordState]:
    """Every opportunity as known at ``at``: from the snapshot of that moment, else from the versions."""
    day = connection.execute(
        text("SELECT day FROM forecast_day WHERE as_of = :at ORDER BY day LIMIT 1"), {"at": at}
    ).scalar()
    if day is None:
        return compute_states(connection, at)
    return _read_states(connection, "SELECT * FROM forecast_snapshot WHERE day = :day", day=day)


def compute_states(connection: Connection, at: datetime) -> dict[int, RecordState]:
    """Every opportunity as known at ``at``, from the versions."""
    return _read_states(connection, _AS_KNOWN, at=at)


def read_facts(
    connection: Connection, record_ids: Collection[int], since: datetime, until: datetime
) -> dict[int, RecordFacts]:
    """The names of these records, and who changed each last, of what became known after ``since``, up to ``until``."""
    rows = read_rows(
        connection,
        RecordFacts,
        """
        SELECT r.id AS record_id, r.name, r.account, v.changed_by, v.changed_at FROM record r LEFT JOIN LATERAL (
            SELECT v.changed_by, v.changed_at FROM record_version v
            WHERE v.record_id = r.id AND NOT v.late AND v.stored_at > :since AND v.stored_at <= :until
            ORDER BY v.number DESC LIMIT 1) v ON true
        WHERE r.id = ANY(:ids)""",
        ids=list(record_ids),
        since=since,
        until=until,
    )
    return {row.record_id: row for row in rows}


def count_opportunities(connection: Connection) -> int:
    """How many opportunities there are, ever told."""
    count: int = connection.execute(text("SELECT count(*) FROM record WHERE kind = 'opportunity'")).scalar_one()
    return count


def take_snapshots(ledger: Ledger, zone_name: str, now: datetime) -> list[date]:
    """Keep the state of each day that is over and has none yet, the days of ``zone_name``. Returns these days.

    Each day is a transaction of its own; of two processes one keeps a day, and the other finds it there.
    """
    zone = ZoneInfo(zone_name)
    last = (now - SETTLED).astimezone(zone).date() - timedelta(days=1)
    with ledger.statement() as connection:
        known: date | None = connection.execute(text("SELECT max(day) FROM forecast_day")).scalar()
    missed = 1 if known is None else min((last - known).days, _MOST_MISSED)
    days = [last - timedelta(days=ago) for ago in reversed(range(missed))]
    return [day for day in days if _take_snapshot(ledger, day, zone, now)]


def forget_old_snapshots(ledger: Ledger, now: datetime) -> int:
    """Delete the snapshots of old days but those at the end of a week or a month. Returns how many days."""
    with ledger.transaction() as connection:
        days = [
            row.day
            for row in connection.execute(
                text(
                    "DELETE FROM forecast_day WHERE day < :before AND extract(isodow FROM day) <> 7 "
                    "AND extract(day FROM day + 1) <> 1 RETURNING day"
                ),
                {"before": now.date() - _EVERY_DAY},
            )
        ]
        connection.execute(text("DELETE FROM forecast_snapshot WHERE day = ANY(:days)"), {"days": days})
    return len(days)


def _take_snapshot(ledger: Ledger, day: date, zone: ZoneInfo, now: datetime) -> bool:
    """Whether this process has kept the day: not where there is nothing to keep, or it is there."""
    as_of = datetime.combine(day + timedelta(days=1), time(0), zone).astimezone(UTC)
    with ledger.transaction() as connection:
        taken = connection.execute(
            text(
                "INSERT INTO forecast_day (day, zone, as_of, taken_at) SELECT :day, :zone, :as_of, :now "
                "WHERE EXISTS (SELECT FROM record WHERE kind = 'opportunity') ON CONFLICT DO NOTHING"
            ),
            {"day": day, "zone": zone.key, "as_of": as_of, "now": now},
        )
        if taken.rowcount == 0:
            return False
        connection.execute(
            text(f"INSERT INTO forecast_snapshot (day, record_id, {_COLUMNS}) SELECT :day, t.* FROM ({_AS_KNOWN}) t"),
            {"day": day, "at": as_of},
        )
    return True


def _read_states(connection: Connection, rows: str, **parameters: object) -> dict[int, RecordState]:
    """The states of ``rows``, which have the columns of the snapshot. Tens of thousands are read for a page, so they
    are made of plain rows."""
    result = connection.execute(
        text(
            "SELECT record_id, owner, CAST(nullif(amount, 'NaN') * 100 AS bigint), close_date, category, is_open, "
            f"outcome, sales_stage FROM ({rows}) t"
        ),
        parameters,
    )
    return {
        record_id: RecordState(
            record_id, owner, cents, close_date, _find_category(category, is_open, outcome), is_open, sales_stage
        )
        for record_id, owner, cents, close_date, category, is_open, outcome, sales_stage in result
    }


def _find_category(category: str | None, is_open: bool, outcome: str | None) -> ForecastCategory:
    """A closed one is won or lost by its outcome; where none was told, by its category."""
    if is_open:
        return _CATEGORIES.get(category or "", ForecastCategory.PIPELINE)
    is_won = outcome == "won" or (outcome is None and category == ForecastCategory.CLOSED)
    return ForecastCategory.CLOSED if is_won else ForecastCategory.OMITTED
