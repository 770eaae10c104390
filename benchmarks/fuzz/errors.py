"""Errors of PostgreSQL, raised by PostgreSQL: once at any statement, or always for the rows of one lead.

Belongs here: raising them. Does not belong here: what has to follow (``hunt``).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine, event, text

from leadgate.ledger import Ledger

#: One state of each class that a statement can meet once, for whatever reason.
ONCE: Final = (
    "08006", "0A000", "22001", "22003", "22021", "22P02", "23502", "23505", "23514", "25006", "40001", "40P01", "42501",
    "42P01", "53100", "53200", "53300", "54000", "54001", "55000", "55P03", "57014", "57P01", "57P03", "58030", "P0001",
    "XX000", "XX001",
)  # fmt: skip
#: Those that one lead's values can bring about again and again.
ALWAYS: Final = (
    "0A000",
    "22001",
    "22003",
    "22021",
    "22P02",
    "23502",
    "23514",
    "54000",
    "54001",
    "57014",
    "P0001",
    "XX000",
)
#: The tables whose rows belong to one lead, the column that says so, and whether it names the lead or the journey.
#: A lead of its own has its journey's id.
RELATIONS: Final = {
    "lead": "id", "identity": "lead_id", "match_key": "lead_id", "qualification": "journey_id",
    "assignment": "journey_id", "outbox": "journey_id",
}  # fmt: skip


class Broken(NamedTuple):
    """Writing the rows of a journey's lead to ``relation`` always fails with ``state``."""

    relation: str
    state: str


class Once(NamedTuple):
    """The statement that comes as number ``at`` fails with ``state``."""

    state: str
    at: int


class Injector:
    """Counts the statements of an engine, and has one of them fail."""

    def __init__(self, engine: Engine) -> None:
        self.statements = 0
        self.raised = False
        self._once: Once | None = None
        self._lock = threading.Lock()
        event.listen(engine, "do_execute", self._execute)

    def arm(self, once: Once | None) -> None:
        """Count from the start; ``once`` says what fails, if anything."""
        with self._lock:
            self.statements, self.raised, self._once = 0, False, once

    def _execute(self, cursor: Any, _statement: str, _parameters: Any, _context: Any) -> None:
        with self._lock:
            self.statements += 1
            once = self._once
            if once is None or self.statements != once.at:
                return
            self._once, self.raised = None, True
        if once.state == "57P01":
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'raised by the hunt' USING ERRCODE = '{once.state}'; END $$")


def install(ledger: Ledger) -> None:
    """Have rows fail that ``break_journeys`` names. Adds triggers: for ledgers that are thrown away."""
    with ledger.transaction() as connection:
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS fuzz"))  # no table of the ledger's own
        connection.execute(
            text("CREATE TABLE IF NOT EXISTS fuzz.broken (relation text, journey_id bigint, state text)")
        )
        connection.execute(
            text(
                """
                CREATE OR REPLACE FUNCTION fuzz.fail() RETURNS trigger LANGUAGE plpgsql AS $$
                DECLARE found text;
                BEGIN
                    SELECT state INTO found FROM fuzz.broken
                    WHERE relation = TG_TABLE_NAME AND journey_id = (to_jsonb(NEW) ->> TG_ARGV[0])::bigint;
                    IF found IS NOT NULL THEN
                        RAISE EXCEPTION 'raised by the hunt' USING ERRCODE = found;
                    END IF;
                    RETURN NEW;
                END $$"""
            )
        )
        for relation, column in RELATIONS.items():
            connection.execute(
                text(
                    f"CREATE OR REPLACE TRIGGER fuzz_raise BEFORE INSERT OR UPDATE ON {relation} "
                    f"FOR EACH ROW EXECUTE FUNCTION fuzz.fail('{column}')"
                )
            )


def break_journeys(ledger: Ledger, broken: Sequence[tuple[int, Broken]]) -> None:
    """From now on, writing what belongs to these journeys fails."""
    with ledger.transaction() as connection:
        for journey_id, (relation, state) in broken:
            connection.execute(
                text("INSERT INTO fuzz.broken VALUES (:relation, :journey_id, :state)"),
                {"relation": relation, "journey_id": journey_id, "state": state},
            )
