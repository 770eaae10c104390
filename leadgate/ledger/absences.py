"""The table ``absence``: reps say that they are away, and that they are back.

Belongs here: every statement that writes the table, who may say it, and reading who is away. Does not belong here: the
playbook's absences, or what an absence does to assignment (``leadgate.assignment``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate.actors import Actor, require
from leadgate.assignment.absences import SaidAbsence
from leadgate.ledger.actions import ActionError
from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_row, read_rows
from leadgate.nearest import propose
from leadgate.permissions import Permission
from leadgate.playbook import Playbook
from leadgate.sla.zones import LAST_YEAR

#: Of an absence that lasts at ``:now``, or is still to come.
_LASTS: Final = "ended_at IS NULL AND (until IS NULL OR until > :now)"


@dataclass(frozen=True, slots=True)
class AbsenceRow:
    """An absence that lasts, and who said it."""

    rep: str
    since: datetime
    until: datetime | None
    by: str


def go_away(
    ledger: Ledger, rep: str, *, until: datetime | None, by: Actor, now: datetime, playbook: Playbook
) -> AbsenceRow:
    """``rep`` takes no lead from now on until ``until``, or until they are back. Said again, the last word counts.

    Raises ``ActionError`` for nobody of that name and for an end that is not ahead, and ``ActorError`` when ``by`` may
    not say it.
    """
    known = [each.name for each in playbook.reps]
    if rep not in known:
        raise ActionError(f"{rep[:80]!r} is no rep of the playbook; {propose(rep, known)}")
    require(by, Permission.SAY_AWAY, rep)
    if until is not None and until.year >= LAST_YEAR:
        raise ActionError(f"an absence ends before {LAST_YEAR}; say no end where you know none")
    if until is not None and until <= now:
        raise ActionError(f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC is not ahead; say until when they are away")
    with ledger.transaction() as connection:
        lasting = _lock(connection, rep, now)
        if lasting is not None and lasting.until == until:
            return lasting
        _end(connection, rep, by.in_words, now)
        connection.execute(
            text("INSERT INTO absence (rep, since, until, by) VALUES (:rep, :now, :until, :by)"),
            {"rep": rep, "now": now, "until": until, "by": by.in_words},
        )
    return AbsenceRow(rep, now, until, by.in_words)


def come_back(ledger: Ledger, rep: str, *, by: Actor, now: datetime) -> bool:
    """``rep`` takes leads again. Whether they were away. Raises ``ActorError`` when ``by`` may not say it."""
    require(by, Permission.SAY_AWAY, rep)
    with ledger.transaction() as connection:
        was_away = _lock(connection, rep, now) is not None
        _end(connection, rep, by.in_words, now)
        return was_away


def read_absences(connection: Connection, now: datetime) -> list[SaidAbsence]:
    """The absences that last at ``now``."""
    return read_rows(
        connection, SaidAbsence, f"SELECT rep, since, until FROM absence WHERE {_LASTS} ORDER BY id", now=now
    )


def find_absences(ledger: Ledger, reps: Sequence[str], now: datetime) -> list[AbsenceRow]:
    """The absences of ``reps`` that last at ``now``, and who said them."""
    with ledger.statement() as connection:
        return read_rows(
            connection,
            AbsenceRow,
            f"SELECT rep, since, until, by FROM absence WHERE rep = ANY(:reps) AND {_LASTS} ORDER BY rep, id",
            reps=list(reps),
            now=now,
        )


def _lock(connection: Connection, rep: str, now: datetime) -> AbsenceRow | None:
    """The absence that lasts. What is said of one rep is said one after the other."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('absence of ' || CAST(:rep AS text), 0))"), {"rep": rep}
    )
    return read_row(
        connection,
        AbsenceRow,
        f"SELECT rep, since, until, by FROM absence WHERE rep = :rep AND {_LASTS} ORDER BY id DESC LIMIT 1",
        rep=rep,
        now=now,
    )


def _end(connection: Connection, rep: str, by: str, now: datetime) -> None:
    connection.execute(
        text(
            "UPDATE absence SET ended_at = greatest(since, least(:now, coalesce(until, :now))), ended_by = :by "
            "WHERE rep = :rep AND ended_at IS NULL"
        ),
        {"rep": rep, "now": now, "by": by},
    )
