"""What holds for the judgement of every kind of record, whatever its updates hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried
from record_frames import JUDGES, NOW, judge_one, make_book, make_frame

from leadgate.fields import FieldType
from leadgate.playbook import Playbook
from leadgate.records.judgement import list_compared
from leadgate.records.sales_stages import find_category
from leadgate.vocabulary import ForecastCategory, JourneyKind, Outcome, StageName

STAGES = [
    {"name": "talk", "stale_after": "21d"},
    {"name": "offer", "category": "best_case", "requires": ["need", "amount"]},
    {"name": "won", "closed": "won"},
    {"name": "lost", "closed": "lost", "requires": ["lost_reason"]},
]
BOOK = make_book(
    opportunity={
        "fields": {"competitor": {}},
        "sales_stages": STAGES,
        "moves": "forward",
        "approvals": [{"name": "large", "when": "amount > 1000 or pushed_days > 30 or pushes > 2"}],
        "tell": [{"name": "rival", "when": "lower(competitor) = 'rival' or amount_change < 0"}],
    },
    renewal={"fields": {"competitor": {}}},
    expansion={"fields": {"competitor": {}}},
)
VIEWS = {kind: BOOK.for_kind(kind) for kind in JUDGES}

_TEXTS = st.one_of(
    st.sampled_from(
        ["talk", "offer", "Won", "lost", "renewed", "churned", "seats", "usage", "commit", "Best Case", "rival"]
    ),
    st.text(max_size=20),
    st.just("x" * 8_000),
)
_VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    "text": _TEXTS,
    "integer": st.one_of(st.integers(), st.integers(-5, 300), st.floats()),
    "number": st.one_of(st.floats(), st.floats(-5_000, 5_000), st.integers(), st.decimals(allow_nan=False)),
    "boolean": st.booleans(),
    "date": st.one_of(st.dates(), st.dates(date(2026, 1, 1), date(2026, 12, 31))),
    "timestamp": st.one_of(
        st.datetimes(timezones=st.just(UTC)),
        st.timedeltas(timedelta(0), timedelta(days=90)).map(lambda ago: NOW - ago),
    ),
}
_NOTHING = st.sampled_from([None, float("nan"), pd.NaT, pd.NA, np.nan])
_OUTCOMES = st.sampled_from([Outcome.CONTINUE] * 6 + [Outcome.REVIEW, Outcome.NURTURE, Outcome.DISQUALIFIED])


def write_json(value: Any) -> Any:
    """A value as a stored version has it."""
    if isinstance(value, (datetime, date)) and not pd.isna(value):
        return value.isoformat()
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is None or value is pd.NaT or value is pd.NA or (number and not np.isfinite(float(value))):
        return None
    return value if isinstance(value, (str, bool, int, float)) else None if pd.isna(value) else float(value)


@st.composite
def draw_rows(draw: st.DrawFn, view: Playbook) -> dict[str, Any]:
    """A row with arbitrary values, and a version before it, of which some are the same."""
    columns = view.columns_at(StageName.ASSIGNMENT)
    names = st.sets(st.sampled_from(sorted(columns)))
    row = {name: draw(st.one_of(_VALUES[columns[name]], _NOTHING)) for name in sorted(draw(names))}
    before = None
    if draw(st.booleans()):
        before = {name: write_json(value) for name, value in row.items() if name in list_compared(view)}
        for name in sorted(draw(names) & set(list_compared(view))):
            before[name] = write_json(draw(_VALUES[columns[name]]))
    return {
        **row,
        "before": before,
        "due": draw(st.sampled_from([False, False, None, True])),
        "outcome": draw(_OUTCOMES),
        "rep": draw(st.sampled_from(["ana", "cy", None, "nobody"])),
        "pushes": draw(st.one_of(st.none(), st.integers(-1, 9))),
    }


def draw_any() -> st.SearchStrategy[tuple[JourneyKind, list[dict[str, Any]]]]:
    return st.sampled_from(list(JUDGES)).flatmap(
        lambda kind: st.tuples(st.just(kind), st.lists(draw_rows(VIEWS[kind]), min_size=1, max_size=6))
    )


@given(draw_any())
@settings(max_examples=tried(300), deadline=None)
def test_whatever_the_rows_hold_each_is_judged_and_a_held_one_says_why(
    drawn: tuple[JourneyKind, list[dict[str, Any]]],
) -> None:
    kind, rows = drawn
    view = VIEWS[kind]

    judged = JUDGES[kind](make_frame(view, *rows), view, NOW)

    assert len(judged) == len(rows)
    for place, (_, each) in enumerate(judged.iterrows()):
        outcome, again = each["outcome"], each["again_at"]
        assert outcome in Outcome
        assert each["category"] in ForecastCategory
        assert (each["reason"] is None) == (outcome == Outcome.CONTINUE)
        assert outcome not in (Outcome.HOLD, Outcome.REVIEW) or each["item_message"]
        assert len(each["item_message"] or "") < 2_000
        assert each["ask"] is None or outcome == Outcome.HOLD
        assert again is None or ((again > NOW and again.tzinfo is not None and each["is_open"]) or not each["is_open"])
        assert {to for to, _ in each["tell"]} <= {"ana", "mia", "cy"}
        assert orjson.loads(orjson.dumps(each["judgement"])) == each["judgement"], rows[place]


@given(draw_any(), st.data())
@settings(max_examples=tried(120), deadline=None)
def test_a_row_is_judged_alike_alone_and_among_others(
    drawn: tuple[JourneyKind, list[dict[str, Any]]], data: st.DataObject
) -> None:
    kind, rows = drawn
    view = VIEWS[kind]
    place = data.draw(st.integers(0, len(rows) - 1))

    among = JUDGES[kind](make_frame(view, *rows), view, NOW).iloc[place]
    alone = judge_one(view, rows[place])

    assert {str(name): value for name, value in among.items()} == alone


def test_a_row_is_judged_alike_among_a_thousand() -> None:
    for kind, view in VIEWS.items():
        row = {"name": "Acme", "sales_stage": "offer", "trigger": "seats", "amount": 2_000.0, "end_date": "2026-04-01"}
        others = [{"name": f"Other {number}", "amount": None, "seats": number} for number in range(1_000)]

        among = JUDGES[kind](make_frame(view, *others, row), view, NOW).iloc[-1]

        assert {str(name): value for name, value in among.items()} == judge_one(view, row)


@given(draw_any())
@settings(max_examples=tried(120), deadline=None)
def test_an_unchanged_update_asks_nothing(drawn: tuple[JourneyKind, list[dict[str, Any]]]) -> None:
    kind, rows = drawn
    view = VIEWS[kind]
    same = [
        {**row, "due": False, "before": {name: write_json(row.get(name)) for name in list_compared(view)}}
        for row in rows
    ]

    judged = JUDGES[kind](make_frame(view, *same), view, NOW)

    assert set(judged["outcome"]) == {Outcome.DONE}
    assert set(judged["reason"]) == {"unchanged"}
    assert [each for each in judged["ask"] if each is not None] == []
    assert set(judged["tell"]) == {()}


@given(
    st.one_of(st.none(), st.dates()),
    st.one_of(st.none(), st.dates()),
    st.booleans(),
)
@settings(max_examples=tried(200), deadline=None)
def test_a_push_is_a_close_date_that_moves_later(first: date | None, last: date | None, near: bool) -> None:
    if near and first is not None:
        last = min(first, date(9999, 1, 1)) + timedelta(days=1)
    before = {"sales_stage": "talk", "close_date": None if first is None else first.isoformat()}
    view = VIEWS[JourneyKind.OPPORTUNITY]

    facts = judge_one(view, {"sales_stage": "talk", "close_date": last, "before": before, "pushes": 1})["judgement"]

    assert facts["pushed"] == (first is not None and last is not None and last > first)
    assert facts["pushes"] == 1 + facts["pushed"]


@given(
    st.one_of(
        st.none(), st.sampled_from(["Commit", "best_case", "PIPELINE", "omitted", "closed"]), st.text(max_size=9)
    ),
    st.sampled_from([None, "nowhere", *(str(stage["name"]) for stage in STAGES)]),
)
@settings(max_examples=tried(150), deadline=None)
def test_the_category_is_the_updates_own_where_it_is_possible(told: str | None, sales_stage: str | None) -> None:
    row = {"forecast_category": told, "sales_stage": sales_stage}
    of_stage = {"offer": "best_case", "won": "closed", "lost": "omitted"}.get(sales_stage or "", "pipeline")

    judged = judge_one(VIEWS[JourneyKind.OPPORTUNITY], row)

    known = find_category(told)
    possible = known is not None and (known == "closed") == (sales_stage == "won")
    assert judged["category"] == (known if possible else of_stage)


@pytest.mark.parametrize("kind", list(JUDGES))
def test_a_frame_without_rows_or_optional_columns_is_judged(kind: JourneyKind) -> None:
    view = VIEWS[kind]
    bare = make_frame(view, {"name": "x"})[["journey_id", "name", "before", "rep", "outcome"]]

    assert JUDGES[kind](make_frame(view, {}).iloc[:0], view, NOW).empty
    assert len(JUDGES[kind](bare, view, NOW)) == 1
