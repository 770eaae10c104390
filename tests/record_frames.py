"""Frames of records as the stages bring them to a judgement, and a playbook whose people own them.

Belongs here: what tests of several kinds of records make. Does not belong here: a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd

from leadgate.playbook import Playbook
from leadgate.records import expansion, opportunity, renewal
from leadgate.vocabulary import JourneyKind, Outcome, StageName

NOW: Final = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
JUDGES: Final = {
    JourneyKind.OPPORTUNITY: opportunity.judge,
    JourneyKind.RENEWAL: renewal.judge,
    JourneyKind.EXPANSION: expansion.judge,
}


def make_book(**kinds: Mapping[str, Any]) -> Playbook:
    """Ana and Ben, whose manager is Mia, and Cy, whose manager is nobody of the playbook."""
    return Playbook.model_validate(
        {
            "name": "test",
            "sources": {"web": {}},
            "reps": [
                {"name": "ana", "email": "ana@sales.example", "manager": "mia"},
                {"name": "ben", "manager": "mia"},
                {"name": "mia"},
                {"name": "cy", "manager": "board"},
            ],
            "pools": [{"name": "sales", "members": [{"rep": "ana"}, {"rep": "ben"}]}],
            "routing": [{"name": "everybody", "to": "pool sales"}],
            "kinds": kinds,
        }
    )


def make_frame(view: Playbook, *rows: Mapping[str, Any]) -> pd.DataFrame:
    """Rows as qualification left them; what a row does not say is missing."""
    columns = [*view.columns_at(StageName.ASSIGNMENT), "before", "due", "pushes", "slipped_on", "waived", "reasons"]
    frame = pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=columns, dtype=object)
    frame["rep"] = pd.Series([row.get("rep", "ana") for row in rows], dtype=object)
    frame["outcome"] = pd.Series([row.get("outcome", Outcome.CONTINUE) for row in rows], dtype=object)
    frame.insert(0, "journey_id", range(1, len(rows) + 1))
    return frame.set_axis(pd.RangeIndex(100, 100 + len(rows)))


def judge_one(view: Playbook, row: Mapping[str, Any], now: datetime = NOW) -> dict[str, Any]:
    """The judgement of one update."""
    judged = JUDGES[view.kind](make_frame(view, row), view, now)
    assert judged.index.tolist() == [100]
    return {str(name): value for name, value in judged.iloc[0].items()}
