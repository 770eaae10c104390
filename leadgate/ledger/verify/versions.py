"""Records and their versions: a record is as its last version says, and each version is of a journey of the record.

Belongs here: records, versions, judgements, slips, and that what is about a record is told apart from what is about a
lead. Does not belong here: what holds for journeys of every kind (``journeys``, ``paths``, ``follow_up``).
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.records import FIGURES
from leadgate.ledger.verify.invariant import Invariant

_LAST_DAY: Final = "(SELECT max(day) FROM forecast_day)"
_OF_RECORDS: Final = "SELECT count(*) FROM journey WHERE kind <> 'lead'"


def _list_figures(table: str) -> str:
    """What a snapshot and a version both have."""
    return ", ".join(f"{table}.{name}" for name in FIGURES)


INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "kinds_apart",
        "A journey of a record names its record once it is validated, and its assignments are of its kind",
        _OF_RECORDS,
        (
            "SELECT count(*) FROM journey WHERE kind <> 'lead' AND record_id IS NULL "
            "AND stage NOT IN ('capture', 'validation')",
            "SELECT count(*) FROM journey j JOIN record r ON r.id = j.record_id "
            "WHERE j.record_id IS NOT NULL AND r.kind <> j.kind",
            "SELECT count(*) FROM journey j JOIN assignment a ON a.journey_id = j.id "
            "WHERE j.kind <> 'lead' AND a.kind <> j.kind",
            "SELECT count(*) FROM assignment a JOIN journey j ON j.id = a.journey_id "
            "WHERE a.kind <> 'lead' AND a.kind <> j.kind",
        ),
    ),
    Invariant(
        "record_is_its_last_version",
        "A record is as the last of its versions says that did not come late",
        "SELECT count(*) FROM record",
        "SELECT count(*) FROM record r WHERE r.version_id IS DISTINCT FROM (SELECT v.id FROM record_version v "
        "WHERE v.record_id = r.id AND NOT v.late ORDER BY v.number DESC LIMIT 1)",
    ),
    Invariant(
        "versions_gapless",
        "The versions of a record are numbered from 1 without a gap, and the record counts them",
        "SELECT count(*) FROM record_version",
        "SELECT count(*) FROM record r LEFT JOIN (SELECT record_id, count(*) AS n, count(DISTINCT number) AS numbers, "
        "max(number) AS last FROM record_version GROUP BY record_id) v ON v.record_id = r.id "
        "WHERE r.version <> coalesce(v.n, 0) OR v.n <> v.numbers OR v.n <> v.last",
    ),
    Invariant(
        "version_of_its_journey",
        "Each version was told by a journey of its record",
        "SELECT count(*) FROM record_version",
        "SELECT count(*) FROM record_version v LEFT JOIN journey j ON j.id = v.journey_id "
        "WHERE j.record_id IS DISTINCT FROM v.record_id",
    ),
    Invariant(
        "records_judged",
        "What an update means was judged, and kept, before the record went on to an owner",
        "SELECT count(*) FROM record_judgement",
        (
            "SELECT count(*) FROM journey j WHERE j.kind <> 'lead' AND j.stage IN ('assignment', 'follow_up') "
            "AND NOT EXISTS (SELECT 1 FROM record_judgement g WHERE g.journey_id = j.id)",
            "SELECT count(*) FROM record_judgement g LEFT JOIN journey j ON j.id = g.journey_id "
            "WHERE j.record_id IS DISTINCT FROM g.record_id",
        ),
    ),
    Invariant(
        "closed_records_not_owned",
        "Nobody follows up a closed record, unless a later update of it is on its way",
        "SELECT count(*) FROM record WHERE NOT is_open",
        "SELECT count(*) FROM record r JOIN journey j ON j.record_id = r.id AND j.status = 'owned' "
        "WHERE NOT r.is_open AND NOT EXISTS (SELECT 1 FROM journey n WHERE n.record_id = r.id AND n.id > j.id "
        "AND n.status IN ('ready', 'held'))",
    ),
    Invariant(
        "deleted_records_rest",
        "Of a record that was deleted no journey goes on, unless an update of it came in later",
        "SELECT count(*) FROM record_deletion",
        "SELECT count(*) FROM record r JOIN record_version v ON v.id = r.version_id JOIN record_deletion d "
        "ON d.record_id = r.id AND d.noticed_at >= v.stored_at WHERE r.is_open OR EXISTS (SELECT 1 FROM journey j "
        "WHERE j.record_id = r.id AND j.captured_at <= d.noticed_at AND (j.status = 'owned' "
        "OR j.status IN ('ready', 'held') AND j.stage <> 'capture'))",
    ),
    Invariant(
        "slips_were_close_dates",
        "A date that slipped was a close date of the record",
        "SELECT count(*) FROM record_slip",
        "SELECT count(*) FROM record_slip s WHERE NOT EXISTS (SELECT 1 FROM record_version v "
        "WHERE v.record_id = s.record_id AND v.close_date = s.close_date)",
    ),
    Invariant(
        "snapshot_as_known",
        "The last snapshot of the forecast says what the versions say that were known at the end of its day",
        f"SELECT count(*) FROM forecast_snapshot WHERE day = {_LAST_DAY}",
        f"SELECT count(*) FROM (SELECT * FROM forecast_snapshot WHERE day = {_LAST_DAY}) s "
        "FULL JOIN (SELECT v.* FROM forecast_day d JOIN record r ON r.kind = 'opportunity' CROSS JOIN LATERAL ("
        "SELECT * FROM record_version o WHERE o.record_id = r.id AND NOT o.late AND o.stored_at <= d.as_of "
        f"ORDER BY o.number DESC LIMIT 1) v WHERE d.day = {_LAST_DAY} AND NOT EXISTS (SELECT 1 FROM record_deletion x "
        "WHERE x.record_id = r.id AND x.noticed_at BETWEEN v.stored_at AND d.as_of)) v ON v.record_id = s.record_id "
        f"WHERE ROW({_list_figures('s')}) IS DISTINCT FROM ROW({_list_figures('v')})",
    ),
)
