"""Journeys change as the one transition table says, and no other way; and the docs show that table."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from harness import NOW
from sqlalchemy import Connection, text

from leadgate.ledger import Ledger
from leadgate.ledger.batches import Batch
from leadgate.ledger.faults import Conflict
from leadgate.ledger.journeys import person_moves, record_moves, stage_moves, starting
from leadgate.ledger.journeys import transitions as table
from leadgate.ledger.journeys.transitions import INTAKE, TRANSITIONS, Move, Place, Transition
from leadgate.vocabulary import JourneyStatus, Outcome, StageName

ROOT = Path(__file__).parents[2]
_BATCH = Batch(7, 1, "worker", "hash", 1, NOW)
_FIRST = 1_001  # the sequences of ids are far from it
#: Every place in which the database lets a journey be.
_PLACES = [
    (status, stage)
    for status in JourneyStatus
    for stage in StageName
    if status != JourneyStatus.OWNED or stage == StageName.FOLLOW_UP
]


#: A journey, with a work item and a lead of the same number.
_JOURNEY = """
    WITH item AS (INSERT INTO work_item (id, kind, reason, blocking, stage, generation, message, route, due_at,
            opened_at)
        OVERRIDING SYSTEM VALUE VALUES (:id, 'exception', 'r', true, :stage, 0, 'm', 'x', :now, :now)),
    lead AS (INSERT INTO lead (id, created_at) VALUES (:id, :now))
    INSERT INTO journey (id, trigger, source, captured_at, run_after, stage, start_stage, status, version, generation,
        batch_id, work_item_id, joined_to)
    OVERRIDING SYSTEM VALUE VALUES (:id, 'signal', 's', :now, :now, :stage, :stage, :status, 0, 0, :batch, :item,
        :joined)"""


def _insert(connection: Connection, number: int, status: JourneyStatus, stage: StageName) -> None:
    values = {
        "id": number, "now": NOW, "stage": stage, "status": status,
        "batch": _BATCH.id if status in (JourneyStatus.READY, JourneyStatus.OWNED) else None,
        "item": number if status == JourneyStatus.HELD else None,
        "joined": number if status == JourneyStatus.JOINED else None,
    }  # fmt: skip
    connection.execute(text(_JOURNEY), values)


def _places(connection: Connection) -> dict[int, Place]:
    rows = connection.execute(text("SELECT id, status, stage FROM journey ORDER BY id"))
    return {row.id: (JourneyStatus(row.status), StageName(row.stage)) for row in rows}


Change = Callable[[Connection, list[int]], object]


def _rows(connection: Connection, ids: list[int]) -> list[Any]:
    """The rows of ``locking.lock_held_by``, also of journeys that are not held: as a caller that did not compare."""
    return list(connection.execute(text("SELECT id, stage FROM journey WHERE id = ANY(:ids)"), {"ids": ids}))


def _person_changes() -> Iterator[Change]:
    """Each change that a person can make, of all these journeys."""
    for stage in (None, *StageName):
        yield partial(lambda c, ids, stage: person_moves.release(c, _rows(c, ids), now=NOW, stage=stage), stage=stage)
    yield lambda c, ids: person_moves.discard(c, _rows(c, ids))
    yield lambda c, ids: person_moves.hold(c, ids, _FIRST, NOW)
    yield lambda c, ids: person_moves.hold_instead(c, ids, _FIRST)
    for rejected in (table.REJECT, table.REJECT_TO_NURTURE, table.REJECT_FOR_GOOD):
        yield partial(lambda c, ids, how: _each(ids, lambda j: person_moves.reject(c, j, how, NOW)), how=rejected)
    yield lambda c, ids: person_moves.reassign(c, ids, table.REASSIGN, NOW)
    yield lambda c, ids: person_moves.reassign(c, ids, table.UNASSIGN, NOW, _FIRST)
    yield lambda c, ids: person_moves.reassign(c, ids, table.UNASSIGN_TO_NURTURE, NOW)
    yield lambda c, ids: _each(ids, lambda j: person_moves.unjoin(c, j, NOW))
    yield lambda c, ids: person_moves.give_back(c, ids, NOW)
    yield lambda c, ids: person_moves.hold_again(c, ids, [_FIRST] * len(ids))


def _record_changes() -> Iterator[Change]:
    """What an update of a record does to the journeys of updates before it."""
    yield lambda c, ids: record_moves.supersede_owned(c, ids, NOW)
    yield lambda c, ids: record_moves.supersede_held(c, ids)


def _each(ids: list[int], change: Callable[[int], object]) -> None:
    for each in ids:
        with contextlib.suppress(Conflict):
            change(each)


def _stage_changes() -> Iterator[Change]:
    """Each change that a stage of the batch can make: as decided, all that go on together, and all of the rest held."""
    for stage in StageName:
        yield partial(
            lambda c, ids, stage: stage_moves.hold_rest(
                c, _BATCH, stage=stage, reason="r", work_item_id=_FIRST, now=NOW
            ),
            stage=stage,
        )
        for status in (JourneyStatus.READY, JourneyStatus.OWNED):
            at = {"stage": stage, "status": status, "now": NOW}
            yield partial(lambda c, ids, at: stage_moves.advance(c, _BATCH, apart=_apart([]), together=1, **at), at=at)
            for outcome in Outcome:
                yield partial(
                    lambda c, ids, at, outcome: stage_moves.advance(
                        c, _BATCH, apart=_apart(ids, outcome), together=0, **at
                    ),
                    at=at,
                    outcome=outcome,
                )


def _apart(ids: list[int], outcome: Outcome = Outcome.CONTINUE) -> pd.DataFrame:
    holds = outcome in (Outcome.HOLD, Outcome.REVIEW, Outcome.PARKED)
    row = {
        "version": 0, "generation": 0, "outcome": outcome, "reason": "r", "lead_id": None,
        "work_item_id": _FIRST if holds else None, "joined_to": _FIRST if outcome == Outcome.JOINED else None,
    }  # fmt: skip
    return pd.DataFrame([{"journey_id": each} | row for each in ids], dtype=object)


def _moves(connection: Connection, change: Change, ids: list[int]) -> set[Move]:
    """The moves of the journeys that ``change`` changes, though it reports a conflict about the others."""
    before = _places(connection)
    trial = connection.begin_nested()
    with contextlib.suppress(Conflict, ValueError):
        change(connection, ids)
    after = _places(connection)
    changed = set(connection.execute(text("SELECT id FROM journey WHERE version > 0")).scalars())
    trial.rollback()
    assert {each for each in before if before[each] != after[each]} <= changed
    return {(before[each], after[each]) for each in changed}


def test_every_change_of_a_journey_is_a_move_of_the_table_and_every_move_can_be_made(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        for number, (status, stage) in enumerate(_PLACES, start=_FIRST):
            _insert(connection, number, status, stage)
        at = {stage: [n for n, place in _places(connection).items() if place[1] == stage] for stage in StageName}
        made = {
            move
            for change in (*_person_changes(), *_record_changes())
            for ids in at.values()
            for move in _moves(connection, change, ids)
        }
        everywhere = [number for ids in at.values() for number in ids]
        for change in _stage_changes():
            made |= _moves(connection, change, everywhere)
        for begun in (table.CAPTURE, table.RESCORE, table.RECYCLE, table.ENRICH, table.DUE):
            statement = starting.insert(begun, "lead_id", "SELECT NULL::bigint AS id, 's' AS source")
            row = connection.execute(text(f"{statement} RETURNING status, stage"), {"now": NOW}).one()
            made.add((None, (JourneyStatus(row.status), StageName(row.stage))))
        connection.rollback()
    possible = {move for transition in TRANSITIONS for move in transition.moves}
    assert made - possible == set()
    assert possible - made == set()


def test_only_the_table_says_what_a_status_becomes() -> None:
    """``transition_sql.update`` and the one statement for all outcomes of a stage set the status; no other text does."""
    setting = re.compile(r"UPDATE journey\b.*?\bSET\b(?:(?!\bWHERE\b|\bFROM\b).)*\bstatus =", re.DOTALL)
    found = {
        f"{path.stem}: {' '.join(match.group().split())[:60]}"
        for path in (ROOT / "leadgate" / "ledger").rglob("*.py")
        for match in setting.finditer(path.read_text(encoding="utf-8"))
    }
    assert found == {"stage_moves: UPDATE journey j SET stage = m.next_stage, status ="}


# --- the docs ----------------------------------------------------------------------------------------------


def _stages(stages: set[StageName]) -> str:
    if stages == set(StageName):
        return "any stage"
    if stages == set(INTAKE):
        return "any stage up to assignment"
    if stages == set(INTAKE[1:]):
        return "any stage from validation to assignment"
    if stages == set(INTAKE[:-1]):
        return "any stage up to qualification"
    return ", ".join(stage.replace("_", "-") for stage in StageName if stage in stages)


def _from(transition: Transition) -> str:
    if not transition.before:
        return "nothing"
    by_stages: dict[frozenset[StageName], list[JourneyStatus]] = {}
    for status in JourneyStatus:
        if stages := frozenset(stage for each, stage in transition.before if each == status):
            by_stages.setdefault(stages, []).append(status)
    return "; ".join(
        f"{', '.join(f'`{status}`' for status in statuses)} at {_stages(set(stages))}"
        for stages, statuses in by_stages.items()
    )


def _to(transition: Transition) -> str:
    stages = {after[1] for _, after in transition.moves}
    if len(stages) == 1:
        where = _stages(stages)
    elif all(before is not None and before[1] == after[1] for before, after in transition.moves):
        where = "that stage"
    elif all(before is not None and before[1].next == after[1] for before, after in transition.moves):
        where = "the next stage"
    else:
        where = "that stage, or an earlier one that runs again: capture, or validation"
    again = ", a generation on" if transition.generations else ""
    return f"`{transition.status}` at {where}{again}"


def test_the_docs_show_the_transition_table() -> None:
    page = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    rows = [f"| {each.name} | {_from(each)} | {_to(each)} | {each.by} | {each.guard} |" for each in TRANSITIONS]
    expected = "\n".join(["| transition | from | to | by | and |", "|---|---|---|---|---|", *rows]) + "\n"
    start = page.index("| transition | from |")
    assert page[start : start + len(expected)] == expected
