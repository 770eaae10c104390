"""The table ``pool_state``: whose turn it is in each pool.

Belongs here: every statement that writes the table. Does not belong here: whose turn is next
(``leadgate.assignment.rotation``), or the assignments (``assignments``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger.batches import Conflict
from leadgate.ledger.database import POOLS_LOCK
from leadgate.vocabulary import JourneyKind

if TYPE_CHECKING:
    from leadgate.values.json_types import JsonObject


class StoredTurns(NamedTuple):
    """A pool's turns (``assignment.rotation.PoolState`` as JSON), and their version."""

    state: JsonObject
    version: int


class TakenTurn(NamedTuple):
    """A turn of a pool that a rep took, for a journey of ``kind``."""

    pool: str
    kind: str
    rep: str


def add_pools(connection: Connection, names: Collection[str], kind: JourneyKind = JourneyKind.LEAD) -> None:
    """A row of turns for each of these pools that has none for journeys of ``kind``."""
    for pool in sorted(names):
        connection.execute(
            text("INSERT INTO pool_state (pool, kind, version) VALUES (:pool, :kind, 0) ON CONFLICT DO NOTHING"),
            {"pool": pool, "kind": kind},
        )


def read_stored_turns(connection: Connection, kind: JourneyKind = JourneyKind.LEAD) -> dict[str, StoredTurns]:
    """Every pool's turns for journeys of ``kind``, and their version."""
    rows = connection.execute(
        text("SELECT pool, state, version FROM pool_state WHERE kind = :kind ORDER BY pool"), {"kind": kind}
    )
    return {row.pool: StoredTurns(row.state, row.version) for row in rows}


def hold(connection: Connection) -> None:
    """Whoever has locked all pools is waited for. Call it before a journey is locked: they may be waiting for it."""
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": POOLS_LOCK})


def give_turns_back(connection: Connection, turns: Iterable[TakenTurn], *, by: int = 1) -> None:
    """These turns are to be filled again; with ``by`` -1, they are not after all. The caller holds the pools."""
    for (pool, kind, rep), count in sorted(Counter(turns).items()):
        connection.execute(
            text(
                """
                UPDATE pool_state SET version = version + 1, state = jsonb_set(state, '{given_back}',
                    coalesce(state -> 'given_back', '{}') || jsonb_build_object(CAST(:rep AS text),
                        coalesce(CAST(state -> 'given_back' ->> CAST(:rep AS text) AS bigint), 0) + :turns))
                WHERE pool = :pool AND kind = :kind"""
            ),
            {"pool": pool, "kind": kind, "rep": rep, "turns": by * count},
        )


def take_turns(
    connection: Connection,
    *,
    versions: Mapping[str, int],
    states: Mapping[str, JsonObject],
    locked: bool,
    kind: JourneyKind = JourneyKind.LEAD,
) -> None:
    """Write new turns of pools for journeys of ``kind``, if none of ``versions`` has changed since it was read. Raises
    ``Conflict``.

    ``versions`` names every pool that shares a rep with one whose turns are taken, so that a rep's cap
    holds across pools. ``locked``: the caller holds the lock on all pools already.
    """
    failpoint("apply.turns.before")
    if not locked:
        hold(connection)
    for pool in sorted(versions):
        taken = connection.execute(
            text(
                "UPDATE pool_state SET version = version + 1, state = coalesce(CAST(:state AS jsonb), state) "
                "WHERE pool = :pool AND kind = :kind AND version = :version"
            ),
            {
                "pool": pool,
                "kind": kind,
                "version": versions[pool],
                "state": orjson.dumps(states[pool]).decode() if pool in states else None,
            },
        ).rowcount
        if taken != 1:
            raise Conflict(f"somebody else took a turn of pool {pool}")
    failpoint("apply.turns.after")
