"""What the passes of a shadow come to: decisions, and journeys that end otherwise.

Belongs here: reading the tables ``shadow_pass`` and ``shadow_journey``. Does not belong here: any statement that writes
them (``shadows``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from leadgate.ledger.shadows import JourneyRow
from leadgate.ledger.typed_rows import list_columns, read_row, read_rows


@dataclass(frozen=True, slots=True)
class Totals:
    """What all passes of a shadow came to. ``last_at``: of the last one."""

    decisions: int
    facts: int
    different: int
    unreadable: int
    seconds: float
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many journeys differ in this way; None are those that do not."""

    kind: str | None
    journeys: int
    owned_both: int
    other_owner: int
    uncertain: int


@dataclass(frozen=True, slots=True)
class Way:
    """How many journeys that differ go this way: where they end as recorded and by the draft, and why."""

    end: str
    other_end: str
    reason: str | None
    other_reason: str | None
    route: str | None
    other_route: str | None
    other_owner: bool
    journeys: int


def read_totals(connection: Connection, shadow: int) -> Totals:
    """What its passes came to."""
    (totals,) = read_rows(
        connection,
        Totals,
        "SELECT coalesce(sum(decisions), 0)::bigint AS decisions, coalesce(sum(facts), 0)::bigint AS facts, "
        "coalesce(sum(different), 0)::bigint AS different, coalesce(sum(unreadable), 0)::bigint AS unreadable, "
        "coalesce(sum(seconds), 0) AS seconds, max(at) AS last_at FROM shadow_pass WHERE shadow_id = :shadow",
        shadow=shadow,
    )
    return totals


def read_differences(connection: Connection, shadow: int, most: int) -> list[dict[str, Any]]:
    """Decisions that came out otherwise under their own playbook, the latest passes first."""
    statement = text(
        "SELECT d.value FROM shadow_pass p, jsonb_array_elements(p.differences) WITH ORDINALITY AS d (value, place) "
        "WHERE p.shadow_id = :shadow ORDER BY p.id DESC, d.place LIMIT :most"
    )
    return list(connection.execute(statement, {"shadow": shadow, "most": most}).scalars())


def count_kinds(connection: Connection, shadow: int) -> list[KindCount]:
    """How many journeys differ, by how they do."""
    return read_rows(
        connection,
        KindCount,
        "SELECT kind, count(*) AS journeys, count(*) FILTER (WHERE owned_both) AS owned_both, "
        "count(*) FILTER (WHERE other_owner) AS other_owner, count(*) FILTER (WHERE uncertain) AS uncertain "
        "FROM shadow_journey WHERE shadow_id = :shadow GROUP BY kind",
        shadow=shadow,
    )


def list_told(connection: Connection, shadow: int, kinds: Sequence[str], most: int) -> list[JourneyRow]:
    """The most telling journeys: the latest of each way to differ in turn, the gravest ways (``kinds``) first."""
    return read_rows(
        connection,
        JourneyRow,
        f"""
        SELECT {list_columns(JourneyRow, "t")} FROM (
            SELECT j.*, array_position(CAST(:kinds AS text[]), j.kind::text) AS gravity, row_number() OVER (
                PARTITION BY j.kind, j.before ->> 'end', j.after ->> 'end', j.before ->> 'route', j.after ->> 'route',
                    j.before ->> 'reason', j.after ->> 'reason' ORDER BY j.at DESC, j.journey_id DESC) AS place
            FROM shadow_journey j WHERE j.shadow_id = :shadow AND j.kind IS NOT NULL) t
        ORDER BY t.place, t.gravity, t.journey_id LIMIT :most""",
        shadow=shadow,
        kinds=list(kinds),
        most=most,
    )


def count_ways(connection: Connection, shadow: int) -> list[Way]:
    """The journeys that differ by where they end both ways; the most frequent way first."""
    return read_rows(
        connection,
        Way,
        """
        SELECT before ->> 'end' AS "end", after ->> 'end' AS other_end, before ->> 'reason' AS reason,
            after ->> 'reason' AS other_reason, before ->> 'route' AS route, after ->> 'route' AS other_route,
            other_owner, count(*) AS journeys
        FROM shadow_journey WHERE shadow_id = :shadow AND kind IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7
        ORDER BY 8 DESC, 1, 2, 3, 4, 5, 6, 7""",
        shadow=shadow,
    )


def find_journey(connection: Connection, shadow: int, journey: int) -> JourneyRow | None:
    """What a shadow found of one journey."""
    return read_row(
        connection,
        JourneyRow,
        f"SELECT {list_columns(JourneyRow, 'j')} FROM shadow_journey j "
        "WHERE j.shadow_id = :shadow AND j.journey_id = :journey",
        shadow=shadow,
        journey=journey,
    )
