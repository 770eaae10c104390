"""Rows that PostgreSQL refuses: a trigger in the test's own database raises an error for them, with any SQLSTATE."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from harness import Harness
from sqlalchemy import text

#: An SQLSTATE of each class of errors that are faults of ours: neither the server's nor a lost race.
OUR_FAULTS = (
    "0A000", "21000", "22001", "22P02", "23502", "23505", "23514", "25001", "38000", "42703", "44000", "54000", "55000",
    "57014", "58030", "F0000", "HV000", "P0001", "XX000", "XX001",
)  # fmt: skip
MARKER = "secret-of-a-lead"


@contextlib.contextmanager
def refuse_rows(
    harness: Harness, table: str, rows: str, state: str = "54000", *, when: str = "INSERT OR UPDATE"
) -> Iterator[None]:
    """Make PostgreSQL refuse rows of ``table`` within this context.

    ``rows``: an SQL condition on ``new``; a statement that writes such a row fails with the SQLSTATE ``state``. The
    server's message, detail and hint contain ``MARKER``.
    """
    with harness.ledger.transaction() as connection:
        connection.execute(
            text(
                f"""
                CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF {rows} THEN RAISE EXCEPTION 'refused {MARKER}' USING ERRCODE = '{state}',
                        DETAIL = 'Key (email)=({MARKER})', HINT = '{MARKER}'; END IF;
                    RETURN new;
                END $$"""
            )
        )
        connection.execute(
            text(f"CREATE TRIGGER refuse BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()")
        )
    try:
        yield
    finally:
        with harness.ledger.transaction() as connection:
            connection.execute(text(f"DROP TRIGGER refuse ON {table}"))
