"""Personal values stand in columns that can be erased, and nowhere else.

Belongs here: searching every text and JSON column that is not declared ``PERSONAL`` in ``models``, for two things:

- anything with the form of an e-mail address or a telephone number, in every row;
- the lead's own values (addresses, number, name, street, message, the playbook's own text fields), in the rows about
  that lead. By default those of the latest 20,000 leads: a leak that is new is found at once, and the time does not
  grow with the number of leads. ``list_windows`` are the others, for those of all leads.

Does not belong here: which column is which (``models``). The columns come from the tables as they are declared, and
another invariant compares these with the database.

A value counts when it is long enough to be told apart from what the rules say: a word alone, such as a first name, may
be a colleague's, and what stands in a playbook is the playbook's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import leadgate.models  # noqa: F401 - declares the tables
from leadgate.ledger.verify.invariant import Invariant, Tally
from leadgate.models import PERSONAL, STAFF

#: Whose values are looked for by default: those of so many leads, the latest.
LATEST: Final = 20_000
_LATEST: Final = f"ORDER BY id DESC LIMIT {LATEST}"
#: An e-mail address or a phone number in E.164, as a POSIX pattern.
_FORM: Final = r"[[:alnum:]._%+-]+@[[:alnum:]-]+\.[[:alpha:]]{2,}|\+[1-9][0-9]{8,14}"
#: Tables in which most rows have the same texts as others: these are searched once.
_REPETITIVE: Final = ("handoff", "journey", "qualification", "signal", "identity")
#: A text as it is compared: JSON escapes quotes and backslashes.
_COMPARED: Final = "translate(lower({}), '\"\\', '')"
#: A lead's values: an expression over ``lead l``, and the least length that is told apart. All but the address and
#: the number need two words.
_VALUES: Final = (
    ("l.email", 7),
    ("l.email_canonical", 7),
    ("ltrim(l.phone, '+')", 9),
    ("l.first_name || ' ' || l.last_name", 8),
    ("l.full_name", 8),
    ("l.street", 8),
    ("l.message", 12),
    ("c.value", 12),
)


def list_searched() -> dict[str, list[str]]:
    """Table -> its text and JSON columns that must not hold a personal value, but for those that name colleagues."""
    found = {
        table.name: [
            column.name for column in table.columns if _is_text(column.type) and column.info not in (PERSONAL, STAFF)
        ]
        for table in SQLModel.metadata.sorted_tables
    }
    return {table: columns for table, columns in found.items() if columns}


def _is_text(kind: object) -> bool:
    return isinstance(kind, (Text, AutoString, JSONB))


def _build_invariants() -> tuple[Invariant, ...]:
    return (
        Invariant(
            "text_columns_declared",
            "Every text and JSON column is declared, so that it is known which may hold personal values",
            Tally(_COLUMNS, "count(*)"),
            Tally(
                _COLUMNS, f"count(*) FILTER (WHERE (c.table_name || '.' || c.column_name) NOT IN ({_list_declared()}))"
            ),
        ),
        Invariant(
            "nothing_personal_kept",
            "No personal value stands in a column that cannot be erased",
            " + ".join(f"(SELECT count(*) FROM {table})" for table in list_searched()).join(("SELECT ", "")),
            (VALUES_KEPT, *(_build_form_query(table, columns) for table, columns in list_searched().items())),
        ),
    )


#: The text and JSON columns of the database. ``information_schema`` says the same and takes many times as long.
_COLUMNS: Final = (
    "(SELECT t.relname AS table_name, a.attname AS column_name FROM pg_class t "
    "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p', 'v', 'f') "
    "AND t.relname <> 'alembic_version' "
    "AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype)) c"
)


def _list_declared() -> str:
    columns = [
        f"'{table.name}.{column.name}'"
        for table in SQLModel.metadata.sorted_tables
        for column in table.columns
        if _is_text(column.type)
    ]
    return ", ".join(columns)


def _build_form_query(table: str, columns: list[str]) -> str:
    """A query that counts the rows of a table with a text of the form of an address or a number."""
    rows = f"{table} r"
    if table in _REPETITIVE:
        listed = ", ".join(columns)
        rows = f"(SELECT {listed}, count(*) AS n FROM {table} GROUP BY {listed}) r"
    n = "CAST(coalesce(sum(n), 0) AS bigint)" if table in _REPETITIVE else "count(*)"
    # the pattern is slow, and hardly any text has either of the characters
    return (
        f"SELECT {n} FROM (SELECT {_build_said(columns)} AS said{', n' if table in _REPETITIVE else ''} "
        f"FROM {rows}) every "
        f"WHERE CASE WHEN strpos(said, '@') > 0 OR strpos(said, '+') > 0 THEN said ~ '{_FORM}' ELSE false END"
    )


def build_kept_query(leads: str) -> str:
    """A query that counts the rows in which a value of the lead stands that they are about, for some ``leads``.

    ``leads`` chooses and orders rows of ``lead``. A lead's values are one array, and each table is joined with them on
    its own, so that a text is read once, and a table's texts are never kept.
    """
    compared = _COMPARED.format("split_part(btrim(v.value), chr(10), 1)")
    values = ", ".join(f"({expression}, {least})" for expression, least in _VALUES)
    counts = " + ".join(
        f"(SELECT count(*) FROM {_build_texts(table, columns, about, on)} "
        "WHERE EXISTS (SELECT 1 FROM unnest(t.kept) p(value), agreed WHERE CASE WHEN strpos(t.said, p.value) > 0 "
        "THEN strpos(agreed.words, p.value) = 0 ELSE false END))"
        for table, columns in list_searched().items()
        for about, on in _list_about(SQLModel.metadata.tables[table])
    )
    return f"""
        WITH chosen AS MATERIALIZED (SELECT * FROM lead {leads}),
        lead_of AS MATERIALIZED (
            SELECT l.id AS lead_id, array_agg(DISTINCT left(w.value, 60)) AS kept FROM chosen l
            LEFT JOIN LATERAL jsonb_each(l.custom) AS given(name, value) ON jsonb_typeof(given.value) = 'string'
            CROSS JOIN LATERAL (SELECT given.value #>> '{{}}' AS value) AS c
            CROSS JOIN LATERAL (VALUES {values}) AS v(value, least)
            CROSS JOIN LATERAL (SELECT {compared} AS value) AS w
            WHERE length(w.value) >= v.least AND (v.least IN (7, 9) OR w.value ~ '\\S \\S') GROUP BY l.id),
        journey_of AS MATERIALIZED (
            SELECT j.id AS journey_id, l.lead_id, l.kept FROM journey j JOIN lead_of l ON l.lead_id = j.lead_id),
        batch_of AS MATERIALIZED (
            SELECT batch_id, kept FROM (SELECT DISTINCT h.batch_id, j.lead_id FROM handoff h
                JOIN journey_of j ON j.journey_id = h.journey_id) taken JOIN lead_of USING (lead_id)),
        agreed AS MATERIALIZED (SELECT {_COMPARED.format("coalesce(string_agg(content, ' '), '')")} AS words
            FROM playbook_version)
        SELECT {counts}"""


def _build_texts(table: str, columns: list[str], about: str, on: str) -> str:
    """The texts of a table with the values of the leads that they are about: ``t.said`` and ``t.kept``.

    ``OFFSET 0`` has each text put together once: before the join where a row is about a whole batch, and after it
    where only some of a large table's rows are about the leads in question.
    """
    said = f"{_COMPARED.format(_build_said(columns))} AS said"
    if about == "batch_of":
        key = "id" if table == "batch" else "batch_id"
        rows = f"(SELECT r.{key}, {said} FROM {table} r OFFSET 0) r JOIN {about} b ON {on}"
        return f"(SELECT r.said, b.kept FROM {rows}) t"
    return f"(SELECT {said}, b.kept FROM {table} r JOIN {about} b ON {on} OFFSET 0) t"


def _build_said(columns: list[str]) -> str:
    """All searched text of a row ``r``."""
    return "concat_ws(' ', " + ", ".join(f"r.{column}" for column in columns) + ")"


def _list_about(table: Table) -> list[tuple[str, str]]:
    """The leads that a row ``r`` of ``table`` is about: what to join as ``b``, and how."""
    if table.name == "journey":
        return [("journey_of", "b.journey_id = r.id")]
    if table.name == "batch":
        return [("batch_of", "b.batch_id = r.id")]
    found = []
    if "journey_id" in table.columns:
        found.append(("journey_of", "b.journey_id = r.journey_id"))
    elif "batch_id" in table.columns:
        found.append(("batch_of", "b.batch_id = r.batch_id"))
    if "lead_id" in table.columns:
        found.append(("lead_of", "b.lead_id = r.lead_id"))
    return found


def list_windows(connection: Connection) -> Iterator[str]:
    """All leads before the latest, as choices of ``build_kept_query``: as many at once as fit into memory."""
    after: int | None = -1
    last = connection.execute(text(f"SELECT min(id) FROM (SELECT id FROM lead {_LATEST}) l")).scalar()
    while last is not None and after is not None:
        chosen = f"WHERE id > {after} AND id < {last} ORDER BY id LIMIT {LATEST}"
        after = connection.execute(text(f"SELECT max(id) FROM (SELECT id FROM lead {chosen}) l")).scalar()
        if after is not None:
            yield chosen


#: The values of the latest leads.
VALUES_KEPT: Final = build_kept_query(_LATEST)
INVARIANTS: Final[tuple[Invariant, ...]] = _build_invariants()
