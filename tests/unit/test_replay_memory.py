"""What a replay keeps of each journey while portions go by: some bytes, however many journeys there are."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from leadgate.fields import QUALIFIED
from leadgate.replay.comparison import compare
from leadgate.replay.journey_ends import ENDS, JourneyEnds, share_codes
from leadgate.vocabulary import Outcome, StageName
from tasks.replay.carried import Carried

PORTION = 100  # journeys
BEGIN = datetime(2027, 3, 1, 9, tzinfo=UTC)


def build_portion(first: int, outcome: Outcome) -> pd.DataFrame:
    """Made-up decisions, with a moment, an owner and points of each journey."""
    numbers = range(first, first + PORTION)
    rows = [
        {
            "journey": number, "journey_id": number, "at": BEGIN + timedelta(seconds=first), "stage": "assignment",
            "outcome": outcome, "reason": f"a score of {number % 50} is below 50", "owner": f"rep {number % 20}",
            "route": "everybody else", "pool": "everybody", "sla": "standard",
            "due_at": BEGIN + timedelta(minutes=number), "score": number % 50, "fit": number % 50, "engagement": 0,
            "grade": "A1", "fit_grade": "A", "engagement_grade": 1, "qualified_as": "sql",
            "contributions": f'{{"executive":{number % 50}}}', "phone": f"+49 30 {number:07}",
        }
        for number in numbers
    ]  # fmt: skip
    return pd.DataFrame(rows)


def go_through(portions: int) -> tuple[JourneyEnds, JourneyEnds, Carried]:
    """Journeys that have an owner as recorded, and stop with other values and scores under the draft."""
    codes = share_codes()
    before, after = JourneyEnds(codes), JourneyEnds(codes)
    carried = Carried(after)
    for first in range(1, portions * PORTION, PORTION):
        recorded, decided = (build_portion(first, outcome) for outcome in (Outcome.OWNED, Outcome.NURTURE))
        carried.note_values(recorded.assign(phone=None), decided, ["phone"])
        stage = StageName.QUALIFICATION
        carried.find_reached({stage: decided}, {(number, stage) for number in decided["journey_id"]})
        carried.note_scores(decided)
        for ways, frame in ((before, recorded), (after, decided)):
            ways.note(frame[list(ENDS)], frame[["journey", *QUALIFIED, "contributions"]])
        carried.end_portion()
    return before, after, carried


def measure(portions: int) -> int:
    """The memory of what is kept."""
    tracemalloc.start()
    try:
        kept = go_through(portions)
        size, _ = tracemalloc.get_traced_memory()
        assert len(kept[0].ids) == portions * PORTION
    finally:
        tracemalloc.stop()
    return size


def test_a_journey_takes_some_hundred_bytes() -> None:
    go_through(1)  # what is imported and made once
    assert measure(20) - measure(2) < 500 * 18 * PORTION


def test_what_is_kept_tells_all_that_is_asked_for() -> None:
    before, after, carried = go_through(3)
    found = compare(before, after)
    assert (found.journeys, found.changed, len(found.dropped), len(found.loads)) == (300, 300, 300, 20)
    asked = pd.DataFrame({"journey": [7, 299, 301], "journey_id": [1_007, 1_299, 1_301]})
    changed = carried.change_values(asked.assign(phone=None))
    assert changed["phone"].tolist() == ["+49 30 0000007", "+49 30 0000299", None]
    scored = carried.set_scores(asked.assign(**dict.fromkeys(QUALIFIED)), ())
    assert scored["score"].tolist() == [7, 49, None]
    stage = StageName.ASSIGNMENT
    assert carried.find_reached({stage: asked.assign(outcome=Outcome.OWNED)}, ()) == {stage: {1_301}}


@pytest.mark.parametrize("name", ["before", "after"])
def test_one_way_takes_less_than_a_hundred_bytes(name: str) -> None:
    ways = dict(zip(("before", "after"), go_through(2)[:2], strict=True))[name]
    assert ways.table.nbytes < 100 * len(ways.ids)
