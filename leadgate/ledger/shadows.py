"""The tables ``shadow``, ``shadow_pass`` and ``shadow_journey``: a draft that decides beside the playbook in use.

Belongs here: every statement that writes these tables, and which batches a shadow has still to decide. Does not belong
here: deciding (``tasks.shadow``), or what the passes come to (``shadow_figures``).

A batch is decided by a shadow when it is closed, whatever its number is: one that took long, or was claimed by a
transaction that committed late, is found by the next pass. Which batches are done with is kept by their numbers, so
none is left out and none is counted twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from leadgate.failpoints import failpoint
from leadgate.ledger.actions import ActionError
from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import list_columns, read_row, read_rows
from leadgate.plain_text import format_line

LONGEST_PROBLEM: Final = 1_000  # characters
#: No transaction lasts as long: after it no batch appears with a number below one that was seen.
SETTLED: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Shadow:
    """A draft that decides beside the playbook in use (``models.Shadow``)."""

    id: int
    playbook_hash: str
    content: str
    started_at: datetime
    started_by: str
    reason: str
    stopped_at: datetime | None
    stopped_by: str | None
    stop_reason: str | None
    position: int
    passes: int
    pools: dict[str, Any]
    part: dict[str, Any] | None
    problem: str | None
    problem_at: datetime | None
    forgotten: int


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """A batch that a shadow has still to decide, and how many decisions that are."""

    id: int
    decisions: int


@dataclass(frozen=True, slots=True)
class JourneyRow:
    """Where a journey ends, twice (``models.ShadowJourney``)."""

    journey_id: int
    kind: str | None
    owned_both: bool
    other_owner: bool
    uncertain: bool
    at: datetime
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True)
class Pass:
    """What a pass found. ``batches``: those that are done with; none where it was a part of a large batch and not its
    last, and ``last_batch`` is that batch. ``left_out``: journeys whose decisions did not come out the same under their
    own playbook. ``part``: how far a large batch is decided."""

    batches: Sequence[int]
    last_batch: int
    decisions: int
    facts: int
    different: int
    unreadable: int
    seconds: float
    differences: Sequence[dict[str, Any]]
    journeys: Sequence[JourneyRow]
    left_out: Collection[int]
    pools: dict[str, Any]
    part: dict[str, Any] | None = None


_COLUMNS: Final = list_columns(Shadow, "s")
#: The closed batches of leads that have decisions and that no pass had.
_WAITING: Final = """
    b.id > :position AND b.journey_kind = 'lead'
    AND EXISTS (SELECT FROM decision_input i WHERE i.batch_id = b.id)
    AND b.id NOT IN (SELECT unnest(p.batches) FROM shadow_pass p
        WHERE p.shadow_id = :shadow AND p.last_batch > :position)"""


def find_running(connection: Connection) -> Shadow | None:
    """The shadow that decides now."""
    return read_row(connection, Shadow, f"SELECT {_COLUMNS} FROM shadow s WHERE s.stopped_at IS NULL")


def find_last(connection: Connection) -> Shadow | None:
    """The shadow that was started last, stopped or not."""
    return read_row(connection, Shadow, f"SELECT {_COLUMNS} FROM shadow s ORDER BY s.id DESC LIMIT 1")


def start(connection: Connection, hash_: str, content: str, now: datetime, *, by: str, reason: str) -> int:
    """Have a draft decide beside the playbook in use: of the batches that are claimed from now on. Returns its number.

    Raises ``ActionError`` while another does.
    """
    try:
        number: int = connection.execute(
            text(
                "INSERT INTO shadow (playbook_hash, content, started_at, started_by, reason, position, passes) "
                "SELECT :hash, :content, :now, :by, :reason, coalesce(max(id), 0), 0 FROM batch RETURNING id"
            ),
            {"hash": hash_, "content": content, "now": now, "by": by, "reason": reason},
        ).scalar_one()
    except IntegrityError:
        raise ActionError("a shadow runs already; `leadgate shadow stop` ends it, `show` tells of it") from None
    return number


def was_started(connection: Connection, hash_: str, content: str) -> bool:
    """Whether a draft decides beside the playbook in use, or did so once."""
    statement = text("SELECT EXISTS (SELECT FROM shadow WHERE playbook_hash = :hash OR content = :content)")
    return bool(connection.execute(statement, {"hash": hash_, "content": content}).scalar_one())


def stop(
    connection: Connection, now: datetime, *, by: str, reason: str | None = None, number: int | None = None
) -> int | None:
    """End the shadow that runs; with a ``number`` only that one. Returns its number; None where there is none."""
    stopped: int | None = connection.execute(
        text(
            "UPDATE shadow SET stopped_at = :now, stopped_by = :by, stop_reason = :reason WHERE stopped_at IS NULL "
            "AND (CAST(:number AS bigint) IS NULL OR id = :number) RETURNING id"
        ),
        {"now": now, "by": by, "reason": reason, "number": number},
    ).scalar()
    return stopped


def note_problem(ledger: Ledger, shadow: int, problem: str) -> None:
    """Say why the shadow that runs cannot decide; the next pass that does takes it back."""
    with ledger.transaction() as connection:
        connection.execute(
            text(
                "UPDATE shadow SET problem = :problem, problem_at = clock_timestamp() "
                "WHERE id = :id AND stopped_at IS NULL"
            ),
            {"id": shadow, "problem": format_line(problem, LONGEST_PROBLEM)},
        )


def stop_activated(connection: Connection, hash_: str, content: str, now: datetime, *, by: str) -> None:
    """End the shadow whose draft is the playbook in use from now on."""
    connection.execute(
        text(
            "UPDATE shadow SET stopped_at = :now, stopped_by = :by, stop_reason = 'the draft came into use' "
            "WHERE stopped_at IS NULL AND (playbook_hash = :hash OR content = :content)"
        ),
        {"now": now, "by": by, "hash": hash_, "content": content},
    )


def list_waiting(connection: Connection, shadow: Shadow) -> list[WaitingBatch]:
    """The batches that the shadow can decide now, in their order."""
    return read_rows(
        connection,
        WaitingBatch,
        "SELECT b.id, (SELECT sum(i.journeys) FROM decision_input i WHERE i.batch_id = b.id)::bigint AS decisions "
        f"FROM batch b WHERE b.closed_at IS NOT NULL AND {_WAITING} ORDER BY b.id",
        position=shadow.position,
        shadow=shadow.id,
    )


def count_seconds(connection: Connection, shadow: Shadow, within: timedelta) -> float:
    """How many seconds the passes of the last time took."""
    statement = text(
        "SELECT coalesce(sum(seconds), 0) FROM shadow_pass WHERE shadow_id = :shadow "
        "AND at > clock_timestamp() - CAST(:within AS interval)"
    )
    return float(connection.execute(statement, {"shadow": shadow.id, "within": within}).scalar_one())


def keep_pass(ledger: Ledger, shadow: Shadow, done: Pass) -> bool:
    """Keep what a pass found, all or nothing. False when it counts for nothing: another process was faster, or the
    shadow was stopped."""
    with ledger.transaction() as connection:
        failpoint("shadow.pass.before")
        own = connection.execute(
            text(
                "UPDATE shadow SET passes = passes + 1, pools = CAST(:pools AS jsonb), "
                "part = CAST(:part AS jsonb), problem = NULL, problem_at = NULL "
                "WHERE id = :id AND passes = :passes AND stopped_at IS NULL"
            ),
            {
                "id": shadow.id,
                "passes": shadow.passes,
                "pools": _write(done.pools),
                "part": None if done.part is None else _write(done.part),
            },
        ).rowcount
        if not own:
            return False
        connection.execute(
            text(
                "INSERT INTO shadow_pass (shadow_id, at, batches, last_batch, decisions, facts, different, unreadable, "
                "seconds, differences) VALUES (:shadow, clock_timestamp(), :batches, :last, :decisions, :facts, "
                ":different, :unreadable, :seconds, CAST(:differences AS jsonb))"
            ),
            {
                "shadow": shadow.id, "batches": list(done.batches), "last": done.last_batch,
                "decisions": done.decisions, "facts": done.facts, "different": done.different,
                "unreadable": done.unreadable, "seconds": done.seconds, "differences": _write(list(done.differences)),
            },
        )  # fmt: skip
        _keep_journeys(connection, shadow.id, done)
        failpoint("shadow.pass.after")
        _move_position(connection, shadow)
    return True


def _keep_journeys(connection: Connection, shadow: int, done: Pass) -> None:
    connection.execute(
        text("DELETE FROM shadow_journey WHERE shadow_id = :shadow AND journey_id = ANY(:left_out)"),
        {"shadow": shadow, "left_out": sorted(done.left_out)},
    )
    rows = done.journeys
    connection.execute(
        text(
            """
            INSERT INTO shadow_journey (shadow_id, journey_id, kind, owned_both, other_owner, uncertain, at, before,
                after)
            SELECT :shadow, t.journey_id, t.kind, t.owned_both, t.other_owner, t.uncertain, t.at,
                CAST(t.before AS jsonb), CAST(t.after AS jsonb)
            FROM unnest(CAST(:journeys AS bigint[]), CAST(:kinds AS text[]), CAST(:owned_both AS boolean[]),
                CAST(:other_owner AS boolean[]), CAST(:uncertain AS boolean[]), CAST(:at AS timestamptz[]),
                CAST(:before AS text[]), CAST(:after AS text[]))
                AS t (journey_id, kind, owned_both, other_owner, uncertain, at, before, after)
            ON CONFLICT (shadow_id, journey_id) DO UPDATE SET kind = excluded.kind, owned_both = excluded.owned_both,
                other_owner = excluded.other_owner, uncertain = excluded.uncertain, at = excluded.at,
                before = excluded.before, after = excluded.after
            WHERE excluded.at >= shadow_journey.at"""
        ),
        {
            "shadow": shadow,
            "journeys": [row.journey_id for row in rows],
            "kinds": [row.kind for row in rows],
            "owned_both": [row.owned_both for row in rows],
            "other_owner": [row.other_owner for row in rows],
            "uncertain": [row.uncertain for row in rows],
            "at": [row.at for row in rows],
            "before": [None if row.before is None else _write(row.before) for row in rows],
            "after": [None if row.after is None else _write(row.after) for row in rows],
        },
    )


def forget_journeys(ledger: Ledger, before: datetime, most: int) -> int:
    """Delete what shadows found of journeys that were decided ``before`` then, the oldest first, and count that.
    Returns how many rows are deleted. How many decisions a shadow made, and its passes, are kept."""
    with ledger.transaction() as connection:
        counts = connection.execute(
            text(
                """
                WITH old AS (SELECT shadow_id, journey_id FROM shadow_journey WHERE at < :before ORDER BY at
                    LIMIT :most FOR UPDATE SKIP LOCKED),
                gone AS (DELETE FROM shadow_journey j USING old WHERE j.shadow_id = old.shadow_id
                    AND j.journey_id = old.journey_id RETURNING j.shadow_id)
                SELECT shadow_id, count(*) FROM gone GROUP BY shadow_id ORDER BY shadow_id"""
            ),
            {"before": before, "most": most},
        ).all()
        for shadow, count in counts:
            connection.execute(
                text("UPDATE shadow SET forgotten = forgotten + :count WHERE id = :id"), {"id": shadow, "count": count}
            )
    return sum(count for _, count in counts)


def _move_position(connection: Connection, shadow: Shadow) -> None:
    """Past the batches that are done with: not past one that is open or waits, nor past what a pass saw lately, as a
    batch of a lower number may still appear."""
    connection.execute(
        text(
            f"""
            UPDATE shadow SET position = greatest(position, least(
                (SELECT min(b.id) - 1 FROM batch b WHERE b.id > :position AND b.closed_at IS NULL),
                (SELECT min(b.id) - 1 FROM batch b WHERE {_WAITING}),
                coalesce((SELECT max(last_batch) FROM shadow_pass WHERE shadow_id = :shadow
                    AND at < clock_timestamp() - CAST(:settled AS interval)), 0)))
            WHERE id = :shadow"""
        ),
        {"shadow": shadow.id, "position": shadow.position, "settled": SETTLED},
    )


def _write(value: object) -> str:
    return orjson.dumps(value).decode()
