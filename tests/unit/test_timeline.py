"""A lead's story as a timeline, and with its personal values masked: pure functions."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import orjson
from made_story import NOW, make_story
from sqlmodel import SQLModel

from console.display_names import DisplayNames
from console.story_masking import mask_story
from console.timeline import Event, build_timeline
from leadgate.ledger.lead_history import Story
from leadgate.models import PERSONAL
from leadgate.playbook import Playbook

NAMES = DisplayNames(
    Playbook.model_validate(
        {
            "name": "Names",
            "sources": {"website": {}},
            "reps": [{"name": "anna_keller"}, {"name": "mia"}],
            "pools": [{"name": "all", "members": [{"rep": "anna_keller"}]}],
            "routing": [{"name": "everybody", "to": "pool all"}],
        }
    )
)
CAPTURED = "Secretperson"
#: Of each list of a story, the table of its rows.
TABLES = {
    "signals": "signal", "handoffs": "handoff", "warnings": "warned", "qualifications": "qualification",
    "assignments": "assignment", "work_items": "work_item", "corrections": "correction", "actions": "action",
    "activities": "activity", "messages": "outbox", "pauses": "pause", "missed": "missed", "joins": "lead_join",
    "lookalikes": "lookalike", "verdicts": "lead_verdict", "reused": "reused_request", "crm_records": "crm_link",
    "crm_tasks": "crm_task", "unmaskings": "unmasking", "recorded_outcomes": "recorded_outcome", "journeys": "journey", "gates": "gate_result",
    "expansions": "record",
}  # fmt: skip
JSON = {
    "proposal": {"email": CAPTURED},
    "changed": {"email": CAPTURED},
    "inputs": {"email": CAPTURED},
    "claimed": [[CAPTURED]],
}
#: A part of a value that stays readable: fields that hold no personal value, and what enrichment kept beside them.
HARMLESS = {"company", "website", "job_title", "industry", "city", "state", "country"}


def told(events: list[Event]) -> list[str]:
    return [f"{event.who or ''}|{event.words}|{event.tone}" for event in events]


def at(minutes: int) -> Any:
    return NOW + timedelta(minutes=minutes)


def test_everything_that_happened_is_told_once_the_latest_first() -> None:
    story = make_story(
        signals=[{"source": "website", "received_at": at(0), "journey_id": 7, "origin": "leads.csv:2"}],
        assignments=[
            {"id": 1, "journey_id": 7, "generation": 0, "owner": "anna_keller", "candidates": [], "assigned_at": at(1),
             "accepted_at": at(2), "touched_at": at(3), "rule": "everybody", "turn": True, "why": "Her turn.",
             "ended_at": at(9), "end_reason": "touched"},
        ],
        actions=[
            {"what": "accept", "by": "mia", "acted_for": "anna_keller", "at": at(2), "number": 4},
            {"what": "discarded", "by": "mia", "at": at(5), "work_item_id": 1, "number": 5},
        ],
        missed=[{"assignment_id": 1, "journey_id": 7, "target": "first_touch", "due_at": at(2), "met_at": at(3)}],
        unmaskings=[{"journey_id": 7, "by": "mia", "at": at(8)}],
        recorded_outcomes=[{"kind": "rejected", "reason": "not_a_fit", "occurred_at": at(10), "rep": "anna_keller", "by": "mia"}],
    )  # fmt: skip
    events = build_timeline(story, NAMES)
    assert told(events) == [
        "Anna Keller|Outcome on record: rejected (not a fit)|",
        "|Anna Keller has it no more: touched|",
        "Mia|Had the masked values shown|",
        "Anna Keller|First touch, 2 min after the assignment|good",
        "|Overdue: first touch by Anna Keller, made 1 min late|bad",
        "Mia|Accepted, for Anna Keller|good",
        "|Owned by Anna Keller|good",
        "|Signal of website|info",
    ]
    assert [event.at for event in events] == sorted((event.at for event in events), reverse=True)
    assert next(event.action for event in events if "Accepted" in event.words) == 4


def test_what_a_person_must_decide_is_told_with_what_was_seen_and_how_it_was_closed() -> None:
    item = {
        "id": 3, "stage": "validation", "message": "the address cannot be one", "value": "x@", "route": "data_quality",
        "opened_at": at(1), "escalated_at": at(2), "escalated_to": "mia", "closed_at": at(4), "closed_by": "anna_keller",
        "resolution": "done_by_hand", "note": "asked by phone",
    }  # fmt: skip
    events = build_timeline(make_story(work_items=[item]), NAMES)
    assert told(events) == [
        "Anna Keller|W3 closed: done by hand|good",
        "|Nobody decided W3 in time: escalated to Mia|bad",
        "|W3 at validation: The address cannot be one|warn",
    ]
    assert "Value: x@" in events[-1].details
    assert events[0].details == ("asked by phone",)


def test_what_happened_at_one_moment_stays_in_the_order_of_the_stages() -> None:
    stages = ("capture", "validation", "enrichment")
    handoffs = [{"journey_id": 7, "generation": 0, "stage": each, "outcome": "continued", "at": NOW} for each in stages]
    events = build_timeline(make_story(handoffs=handoffs), NAMES)
    assert [event.words for event in events] == [
        "Enrichment: continued", "Validation: continued", "Capture: continued",
    ]  # fmt: skip


def test_no_value_that_a_table_declares_as_personal_is_left_in_a_masked_story() -> None:
    story = make_story()
    assert TABLES.keys() == {
        each.name for each in fields(Story) if each.name not in ("journey", "lead", "same_phone", "counts")
    }
    story = replace(story, lead=_fill(story.lead, "lead"))
    for name, table in TABLES.items():
        rows = make_story(**{name: [{}]})
        story = replace(story, **{name: [_fill(row, table) for row in getattr(rows, name)]})
    text = repr(mask_story(story))
    assert CAPTURED in repr(story)
    kept = sum(f"{name}='{CAPTURED}'" in text for name in HARMLESS)
    assert kept == len(HARMLESS)
    shown = [
        name
        for name in ("email=", "first_name=", "message=", "payload=", "note=", "value=")
        if f"{name}'{CAPTURED}" in text
    ]
    assert not shown
    for name, table in TABLES.items():
        for row in getattr(mask_story(story), name):
            # the names of columns stay, in the payload and in what they were recognised as
            values = [getattr(row, column) for column in _list_personal(row, table) if column != "recognised"]
            assert CAPTURED not in repr(values), (name, values)


def _list_personal(row: Any, table: str) -> list[str]:
    columns = SQLModel.metadata.tables[table].columns
    return [each.name for each in fields(row) if each.name in columns and columns[each.name].info == PERSONAL]


def _fill(row: Any, table: str) -> Any:
    """The row with ``CAPTURED`` in every column that its table declares as personal."""
    values: dict[str, Any] = {name: JSON.get(name, CAPTURED) for name in _list_personal(row, table)}
    if table == "signal":
        values["payload"] = orjson.dumps(
            {"Name": CAPTURED, "list": [CAPTURED, {"deep": CAPTURED}], "n": 491761234567}
        ).decode()
    if table == "lead":
        values |= {"custom": {"nickname": CAPTURED}, "attributes": {CAPTURED: CAPTURED}}
    if table == "correction":
        values["field"] = "email"
    return replace(row, **values)
