"""The table ``lead``: the person, as known so far.

Belongs here: every statement that writes the table, and a lead's own fields as columns. Does not belong here: whose an
identity is (``identities``), or deciding what a good value is (``leadgate.mapping.normalise``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.fields import GUESSED_PHONE_COUNTRY, STANDARD, FieldType
from leadgate.lead_columns import LEAD_COLUMNS
from leadgate.ledger import bulk
from leadgate.values.json_types import JsonValue
from leadgate.vocabulary import StageName

if TYPE_CHECKING:
    import pandas as pd

    from leadgate.json_columns import Origin


#: The columns that say when a lead is due for another journey.
Due = Literal["rescore_at", "score_changes_at", "recycle_at"]


def insert_leads(connection: Connection, frame: pd.DataFrame, now: datetime) -> None:
    """A lead for each journey that has none (its id is the journey's); else the lead's captured values again.

    ``frame`` has ``journey_id``, ``lead_id``, the standard fields, ``custom`` and ``attributes`` (dicts).
    """
    failpoint("apply.leads.before")
    columns = [*STANDARD, "custom", "attributes"]
    values = frame[[*STANDARD]].assign(
        id=frame["lead_id"].where(frame["lead_id"].notna(), frame["journey_id"]),
        created_at=now,
        custom=_encode_json(frame["custom"]),
        attributes=_encode_json(frame["attributes"]),
    )
    new = frame["lead_id"].isna()
    bulk.copy(connection, "lead", ["id", "created_at", *columns], values[new])
    again = values[~new]
    if not again.empty:
        types = {"id": "bigint", **{name: LEAD_COLUMNS[name] for name in columns}}
        bulk.fill_temporary(connection, "captured_again", types, again)
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
            values[name] = _encode_json(values[name])
    types = {"lead_id": "bigint", **{name: LEAD_COLUMNS[name] for name in columns}}
    table = f"lead_values_{len(columns)}"
    bulk.fill_temporary(connection, table, types, values)
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
            values[name] = _encode_json(values[name])
    types = {"lead_id": "bigint", **{name: LEAD_COLUMNS[name] for name in columns}}
    bulk.fill_temporary(connection, "returning_leads", types, values)
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
    bulk.fill_temporary(connection, "joining", types, frame)
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


def score_again(connection: Connection, lead_ids: Sequence[int], now: datetime) -> None:
    """There is news of these leads: they are scored again at once, if they were not to be earlier."""
    connection.execute(
        text(
            "UPDATE lead SET rescore_at = :now WHERE id IN (SELECT id FROM lead "
            "WHERE id = ANY(:ids) AND rescore_at IS NULL ORDER BY id FOR NO KEY UPDATE)"
        ),
        {"ids": list(lead_ids), "now": now},
    )


def mark_scored(connection: Connection, lead_ids: Sequence[int]) -> None:
    """The wish to score these leads again is fulfilled."""
    connection.execute(
        text(
            "UPDATE lead SET rescore_at = NULL, score_changes_at = NULL WHERE id = ANY(:ids) "
            "AND (rescore_at IS NOT NULL OR score_changes_at IS NOT NULL)"
        ),
        {"ids": list(lead_ids)},
    )


def look_when_scores_change(connection: Connection, lead_ids: Sequence[int], at: Sequence[datetime]) -> None:
    """Score each of these leads again at its moment of ``at``: time alone changes the verdict or the grade then."""
    connection.execute(
        text(
            "UPDATE lead l SET score_changes_at = s.at "
            "FROM unnest(CAST(:ids AS bigint[]), CAST(:at AS timestamptz[])) AS s(id, at) WHERE l.id = s.id"
        ),
        {"ids": list(lead_ids), "at": list(at)},
    )


def clear_due(column: Due) -> str:
    """The part of a statement that clears ``column`` of the leads of ``due``, for which a journey is started."""
    return f"UPDATE lead SET {column} = NULL WHERE id IN (SELECT id FROM due)"


#: The part of a statement that clears when the leads of ``due`` are looked up again; a day later where ``is_open``.
POSTPONE_ENRICHMENTS: Final = (
    "UPDATE lead SET enrich_at = CASE WHEN due.is_open THEN :now + interval '1 day' END FROM due WHERE lead.id = due.id"
)


def look_up_again(connection: Connection, lead_ids: Sequence[int], at: Sequence[datetime | None]) -> None:
    """Look each of these leads up again at its moment of ``at``, or not by itself."""
    connection.execute(
        text(
            "UPDATE lead l SET enrich_at = s.at "
            "FROM unnest(CAST(:ids AS bigint[]), CAST(:at AS timestamptz[])) AS s(id, at) "
            "WHERE l.id = s.id AND l.enrich_at IS DISTINCT FROM s.at"
        ),
        {"ids": list(lead_ids), "at": list(at)},
    )


def correct(connection: Connection, lead_ids: Sequence[int], name: str, value: str) -> None:
    """Write what a person gave for the field ``name``, as if it had been captured so."""
    if name in STANDARD:
        # what a person gives is no guess of ours
        also = f", attributes = attributes - '{GUESSED_PHONE_COUNTRY}'" if name == "phone" else ""
        statement, written = f"UPDATE lead SET {name} = :value{also} WHERE id = ANY(:leads)", value or None
    else:
        statement = "UPDATE lead SET custom = coalesce(custom, '{}') || CAST(:value AS jsonb) WHERE id = ANY(:leads)"
        written = orjson.dumps({name: value}).decode()
    connection.execute(text(statement), {"leads": list(lead_ids), "value": written})


def restore(
    connection: Connection, lead_id: int, changed: Mapping[str, Sequence[JsonValue]], now: datetime
) -> list[str]:
    """Put back what a signal ``changed`` of the lead (before and after), where nothing else has changed it since.

    Returns the fields that are as before. The lead is scored again.
    """
    if not changed:
        return []
    names = ", ".join(changed)
    lead = connection.execute(text(f"SELECT {names} FROM lead WHERE id = :id FOR UPDATE"), {"id": lead_id}).mappings()
    standing = dict(lead.one())
    restored = [name for name, (_, after) in changed.items() if standing[name] == after]
    if restored:
        sets = ", ".join(f"{name} = CAST(:{name} AS {LEAD_COLUMNS[name]})" for name in restored)
        values = {name: _encode_value(name, changed[name][0]) for name in restored}
        connection.execute(
            text(f"UPDATE lead SET {sets}, rescore_at = coalesce(rescore_at, :now) WHERE id = :id"),
            values | {"id": lead_id, "now": now},
        )
    return restored


def _encode_value(name: str, value: JsonValue) -> JsonValue:
    return orjson.dumps(value).decode() if LEAD_COLUMNS[name] == "jsonb" and value is not None else value


def expand_custom(frame: pd.DataFrame, custom: Mapping[str, FieldType]) -> pd.DataFrame:
    """The playbook's custom fields as columns, from the lead's ``custom``."""
    import pandas as pd

    if custom:
        rows = [value or {} for value in bulk.list_values(frame["custom"])]
        for name in custom:
            frame[name] = pd.Series([row.get(name) for row in rows], index=frame.index, dtype=object)
    return frame


def pack_custom(frame: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """The custom fields of each row as one dict, as ``custom`` keeps them."""
    import pandas as pd

    if not names:
        return pd.Series([{} for _ in range(len(frame))], index=frame.index, dtype=object)
    rows = zip(*(bulk.list_values(frame[name]) for name in names), strict=True)
    packed = [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows]
    return pd.Series(packed, index=frame.index, dtype=object)


def _encode_json(values: pd.Series) -> pd.Series:
    import pandas as pd

    encoded: list[str | None] = [
        value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
        for value in bulk.list_values(values)
    ]
    return pd.Series(encoded, index=values.index, dtype=object)


def recycle(connection: Connection, lead_ids: Sequence[int], at: datetime | None) -> None:
    """These leads go through qualification again at ``at`` (``journeys.starting``), or not any more."""
    if lead_ids:
        connection.execute(
            text("UPDATE lead SET recycle_at = :at WHERE id = ANY(:ids)"), {"ids": list(lead_ids), "at": at}
        )


def drop_pending_rescores(connection: Connection, lead_ids: Sequence[int]) -> None:
    """Drop the pending rescores of leads that left follow-up: news of that time was for their owner to use.

    Without an owner, the leads are scored again when time alone changes their verdict or grade; at once if that
    moment has passed already.
    """
    if lead_ids:
        connection.execute(
            text(
                """
                UPDATE lead l SET rescore_at = NULL, score_changes_at = (
                    SELECT q.changes_at FROM journey j JOIN qualification q ON q.journey_id = j.id
                    WHERE j.lead_id = l.id ORDER BY j.id DESC, q.generation DESC LIMIT 1)
                WHERE l.id = ANY(:ids)"""
            ),
            {"ids": list(lead_ids)},
        )


def read_origins_at(connection: Connection, batch_id: int, stage: StageName) -> dict[int, dict[str, Origin]]:
    """What is known of where the values of leads are from, by journey, of those that begin at ``stage`` again."""
    rows = connection.execute(
        text(
            "SELECT j.id, l.provenance FROM journey j JOIN lead l ON l.id = j.lead_id WHERE j.batch_id = :batch "
            "AND j.stage = :stage AND j.start_stage = :stage AND j.status = 'ready' AND l.provenance IS NOT NULL"
        ),
        {"batch": batch_id, "stage": stage},
    )
    return {row.id: row.provenance for row in rows}


def read_leads_at(connection: Connection, batch_id: int, stage: StageName, columns: Sequence[str]) -> pd.DataFrame:
    """The journeys of a batch that are ready for ``stage``, with ``columns`` of their leads."""
    wanted = "".join(f", l.{name}" for name in columns)
    return bulk.select(
        connection,
        f"""
        SELECT j.id AS journey_id, j.version, j.generation, j.lead_id, j.source, j.captured_at, j.waived{wanted}
        FROM journey j JOIN lead l ON l.id = j.lead_id
        WHERE j.batch_id = :batch AND j.stage = :stage AND j.status = 'ready' ORDER BY j.id""",
        batch=batch_id,
        stage=stage,
    )
