"""A lead's story that a test makes up, without a ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_type_hints

from made_rows import make_row

from leadgate.ledger.lead_history import Story
from leadgate.ledger.story_rows import JourneyRow, LeadRow

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
NEVER_NONE: dict[str, dict[str, Any]] = {"qualifications": {"details": {}}}
#: What the lists of a story hold.
LISTS: dict[str, type] = {
    name: hint.__args__[0]
    for name, hint in get_type_hints(Story).items()
    if name != "same_phone" and getattr(hint, "__origin__", None) is list
}


def make_story(**parts: Any) -> Story:
    """A lead that waits, changed as a test needs it. ``journey`` and ``lead`` are merged, the rest replaces."""
    journey = {
        "id": 7,
        "trigger": "signal",
        "signal_id": 3,
        "lead_id": 7,
        "source": "website",
        "captured_at": NOW,
        "stage": "capture",
        "status": "ready",
        "run_after": NOW,
        "work_item_id": None,
        "joined_to": None,
    } | parts.pop("journey", {})
    lead = make_row(LeadRow, **({"id": 7} | parts.pop("lead", {})))
    given = {"same_phone": [], "counts": {}, "journeys": [journey]} | parts
    made = {
        name: [make_row(kind, **NEVER_NONE.get(name, {}) | row) for row in given.get(name, ())]
        for name, kind in LISTS.items()
    }
    return Story(
        journey=make_row(JourneyRow, **journey),
        lead=lead,
        same_phone=given["same_phone"],
        counts=given["counts"],
        **made,
    )
