"""Leads: what is written to them, and what finds them: signals about somebody known, activities, rescores.

Belongs here: reading and writing leads. Does not belong here: whose an identity is (``identities``), or deciding
what a good value is (``normalise``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leadgate.failpoints import failpoint
from leadgate.fields import STANDARD, FieldType
from leadgate.lead_columns import LEAD_COLUMNS
from leadgate.ledger import bulk, faults
from leadgate.ledger.journeys.locking import decide_again, lock_open_journeys
from leadgate.ledger.only import ALL, Only

if TYPE_CHECKING:
    import pandas as pd


def insert_leads(connection: Connection, frame: pd.DataFrame, now: datetime) -> None:
    """A lead for each journey that has none (its id is the journey's); else the lead's captured values again.

    ``frame`` has ``journey_id``, ``lead_id``, the standard fields, ``custom`` and ``attributes`` (dicts).
    """
    failpoint("apply.leads.before")
    columns = [*STANDARD, "custom", "attributes"]
    values = frame[[*STANDARD]].assign(
        id=frame["lead_id"].where(frame["lead_id"].notna(), frame["journey_id"]),
        created_at=now,
        custom=_json(frame["custom"]),
        attributes=_json(frame["attributes"]),
    )
    new = frame["lead_id"].isna()
    bulk.copy(connection, "lead", ["id", "created_at", *columns], values[new])
    again = values[~new]
    if not again.empty:
        types = {"id": "bigint", **{name: LEAD_COLUMNS[name] for name in columns}}
        bulk.temporary(connection, "captured_again", types, again)
        sets = ", ".join(f"{name} = c.{name}" for name in columns)
        connection.execute(text(f"UPDATE lead l SET {sets} FROM captured_again c WHERE l.id = c.id"))
    failpoint("apply.leads.after")


def update_leads(connection: Connection, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Write ``columns`` of ``frame`` to the leads named by ``lead_id`` (one row a lead)."""
    if frame.empty:
        return
    failpoint("apply.leads.before")
    values = frame[["lead_id", *columns]].copy()
    for name in columns:
        if LEAD_COLUMNS[name] == "jsonb":
            values[name] = _json(values[name])
    types = {"lead_id": "bigint", **{name: LEAD_COLUMNS[name] for name in columns}}
    table = f"lead_values_{len(columns)}"
    bulk.temporary(connection, table, types, values)
    sets = ", ".join(f"{name} = v.{name}" for name in columns)
    connection.execute(text(f"UPDATE lead l SET {sets} FROM {table} v WHERE l.id = v.lead_id"))
    failpoint("apply.leads.after")


def refresh_leads(connection: Connection, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """A known lead came back: what it says now wins, what it leaves out stays."""
    if frame.empty:
        return
    values = frame[["lead_id", *columns]].copy()
    for name in columns:
        if LEAD_COLUMNS[name] == "jsonb":
            values[name] = _json(values[name])
    types = {"lead_id": "bigint", **{name: LEAD_COLUMNS[name] for name in columns}}
    bulk.temporary(connection, "returning_leads", types, values)
    sets = ", ".join(
        f"{name} = coalesce(l.{name}, '{{}}') || coalesce(v.{name}, '{{}}')"
        if LEAD_COLUMNS[name] == "jsonb"
        else f"{name} = coalesce(v.{name}, l.{name})"
        for name in columns
    )
    connection.execute(text(f"UPDATE lead l SET {sets} FROM returning_leads v WHERE l.id = v.lead_id"))


def fill_from_joined(connection: Connection, frame: pd.DataFrame, columns: Sequence[str], now: datetime) -> None:
    """A signal that joined fills what its lead lacks, never overwrites; the lead is to be scored again."""
    if frame.empty:
        return
    types = {"journey_id": "bigint", "lead_id": "bigint", **{name: LEAD_COLUMNS[name] for name in columns}}
    bulk.temporary(connection, "joining", types, frame)
    picked = ", ".join(
        f"(array_agg({name} ORDER BY journey_id) FILTER (WHERE {name} IS NOT NULL))[1] AS {name}" for name in columns
    )
    sets = ", ".join(f"{name} = coalesce(l.{name}, v.{name})" for name in columns)
    connection.execute(
        text(
            f"UPDATE lead l SET {sets}, rescore_at = coalesce(l.rescore_at, :now) "
            f"FROM (SELECT lead_id, {picked} FROM joining GROUP BY lead_id) v WHERE l.id = v.lead_id"
        ),
        {"now": now},
    )


def drop_provisional(connection: Connection, lead_ids: Sequence[int]) -> None:
    """Delete leads whose journey turned out to be about another lead, unless they are known by more than it."""
    if lead_ids:
        connection.execute(
            text(
                "DELETE FROM lead l WHERE id = ANY(:ids) "
                "AND NOT EXISTS (SELECT 1 FROM identity WHERE lead_id = l.id) "
                "AND NOT EXISTS (SELECT 1 FROM journey WHERE lead_id = l.id)"
            ),
            {"ids": list(lead_ids)},
        )


def unmatched(connection: Connection) -> list[int]:
    """Activities that nobody was known for and whose lead is known by now."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT u.id FROM activity u JOIN identity k ON k.kind = 'email' AND k.value = u.email "
            "WHERE u.lead_id IS NULL ORDER BY u.id"
        )
    )
    return [row.id for row in rows]


def try_to_match_activities(connection: Connection, now: datetime) -> None:
    """``match_activities`` within a transaction about something else, which an activity that cannot be matched must
    not stop: nothing is matched then, and the next claim finds the one to blame (``tasks.claiming``)."""
    try:
        with connection.begin_nested():
            match_activities(connection, now)
    except DBAPIError as error:
        if not faults.is_ours(error):
            raise


def match_activities(connection: Connection, now: datetime, only: Only = ALL) -> None:
    """Give activities that nobody was known for to the leads that are known by now.

    Activities that another transaction is giving away right now are left to it: nobody waits for anybody
    while holding activities.
    """
    matched = connection.execute(
        text(
            f"""
            UPDATE activity a SET lead_id = i.lead_id FROM identity i
            WHERE i.kind = 'email' AND i.value = a.email AND a.id IN (
                SELECT u.id FROM activity u JOIN identity k ON k.kind = 'email' AND k.value = u.email
                WHERE u.lead_id IS NULL AND {only.condition("u.id")} FOR UPDATE OF u SKIP LOCKED)
            RETURNING a.lead_id, a.actor"""
        ),
        only.parameters,
    ).fetchall()
    if not matched:
        return
    journeys = list(lock_open_journeys(connection, [row.lead_id for row in matched]).values())
    decide_again(connection, journeys)
    connection.execute(
        text(
            "UPDATE lead SET rescore_at = :now WHERE id IN (SELECT id FROM lead "
            "WHERE id = ANY(:ids) AND rescore_at IS NULL ORDER BY id FOR NO KEY UPDATE)"
        ),
        {"ids": [row.lead_id for row in matched if row.actor == "lead"], "now": now},
    )
    connection.execute(
        text("UPDATE assignment SET next_check_at = :now WHERE ended_at IS NULL AND journey_id = ANY(:ids)"),
        {"ids": journeys, "now": now},
    )


def expand_custom(frame: pd.DataFrame, custom: Mapping[str, FieldType]) -> pd.DataFrame:
    """The playbook's custom fields as columns, from the lead's ``custom``."""
    import pandas as pd

    if custom:
        rows = [value or {} for value in bulk.plain(frame["custom"])]
        for name in custom:
            frame[name] = pd.Series([row.get(name) for row in rows], index=frame.index, dtype=object)
    return frame


def pack_custom(frame: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """The custom fields of each row as one dict, as ``custom`` keeps them."""
    import pandas as pd

    if not names:
        return pd.Series([{} for _ in range(len(frame))], index=frame.index, dtype=object)
    rows = zip(*(bulk.plain(frame[name]) for name in names), strict=True)
    packed = [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows]
    return pd.Series(packed, index=frame.index, dtype=object)


def _json(values: pd.Series) -> pd.Series:
    import pandas as pd

    encoded: list[Any] = [
        value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
        for value in bulk.plain(values)
    ]
    return pd.Series(encoded, index=values.index, dtype=object)
