"""The tables ``score_model`` and ``score_role``: the learned scores, and which one is in force. Append-only.

Belongs here: every statement that writes these tables, and reading them. Does not belong here: which leads a score is
learned from (``score_samples``), or learning (``leadgate.learning``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger.typed_rows import list_columns, read_row, read_rows
from leadgate.vocabulary import LearnedRole


@dataclass(frozen=True, slots=True)
class NewModel:
    """A learned score before it is stored. ``data_hash`` covers the leads and everything else it was learned from."""

    trained_at: datetime
    by: str
    playbook_hash: str
    data_hash: str
    label: str
    horizon: timedelta
    counts: dict[str, Any]
    periods: dict[str, Any]
    quality: dict[str, Any]
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class KeptModel(NewModel):
    """A learned score as it is stored, with its number."""

    id: int


@dataclass(frozen=True, slots=True)
class RoleGiven:
    """The score ``model_id`` came into force. ``role`` is the most that it may do; the playbook may allow less."""

    model_id: int
    role: LearnedRole
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ScoreInForce:
    """The score in force: its number, the hash by which a process knows whether it has read it, and its role."""

    model_id: int
    data_hash: str
    role: LearnedRole
    reason: str


_COLUMNS: Final = list_columns(KeptModel, "m")


def insert_model(connection: Connection, model: NewModel) -> tuple[int, bool]:
    """Store a score. Returns its number, and whether it is new: a score with the same ``data_hash`` is stored once."""
    failpoint("score.model.before")
    number: int | None = connection.execute(
        text(
            """
            INSERT INTO score_model (trained_at, by, playbook_hash, data_hash, label, horizon, counts, periods,
                quality, parameters)
            VALUES (:trained_at, :by, :playbook_hash, :data_hash, :label, :horizon, CAST(:counts AS jsonb),
                CAST(:periods AS jsonb), CAST(:quality AS jsonb), CAST(:parameters AS jsonb))
            ON CONFLICT (data_hash) DO NOTHING RETURNING id"""
        ),
        {
            "trained_at": model.trained_at,
            "by": model.by,
            "playbook_hash": model.playbook_hash,
            "data_hash": model.data_hash,
            "label": model.label,
            "horizon": model.horizon,
            "counts": orjson.dumps(model.counts).decode(),
            "periods": orjson.dumps(model.periods).decode(),
            "quality": orjson.dumps(model.quality).decode(),
            "parameters": orjson.dumps(model.parameters).decode(),
        },
    ).scalar()
    failpoint("score.model.after")
    if number is not None:
        return number, True
    known: int = connection.execute(
        text("SELECT id FROM score_model WHERE data_hash = :hash"), {"hash": model.data_hash}
    ).scalar_one()
    return known, False


def find_model(connection: Connection, number: int | None = None) -> KeptModel | None:
    """Find the score ``number``, or the newest one without a number. None when it does not exist."""
    return read_row(
        connection,
        KeptModel,
        f"SELECT {_COLUMNS} FROM score_model m WHERE CAST(:number AS bigint) IS NULL OR m.id = :number "
        "ORDER BY m.id DESC LIMIT 1",
        number=number,
    )


def list_models(connection: Connection, limit: int) -> list[KeptModel]:
    """List the learned scores, the newest first."""
    return read_rows(
        connection, KeptModel, f"SELECT {_COLUMNS} FROM score_model m ORDER BY m.id DESC LIMIT :limit", limit=limit
    )


def lock_roles(connection: Connection) -> None:
    """Wait until no other transaction changes which score is in force. Holds the lock until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('role of a learned score', 0))"))


def give_role(connection: Connection, given: RoleGiven) -> None:
    """Have a score come into force in a role, in place of the one that was."""
    failpoint("score.role.before")
    connection.execute(
        text("INSERT INTO score_role (model_id, role, reason, by, at) VALUES (:model_id, :role, :reason, :by, :at)"),
        {
            "model_id": given.model_id,
            "role": given.role.value,
            "reason": given.reason,
            "by": given.by,
            "at": given.at,
        },
    )
    failpoint("score.role.after")


def find_in_force(connection: Connection) -> ScoreInForce | None:
    """Find the score in force and its role. None while no score has come into force."""
    return read_row(
        connection,
        ScoreInForce,
        """
        SELECT r.model_id, m.data_hash, r.role, r.reason
        FROM score_role r JOIN score_model m ON m.id = r.model_id ORDER BY r.id DESC LIMIT 1""",
    )


def list_roles(connection: Connection, limit: int) -> list[RoleGiven]:
    """List the changes of the score in force, the newest first."""
    return read_rows(
        connection,
        RoleGiven,
        f"SELECT {list_columns(RoleGiven, 'r')} FROM score_role r ORDER BY r.id DESC LIMIT :limit",
        limit=limit,
    )
