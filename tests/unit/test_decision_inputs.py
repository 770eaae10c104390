"""What a stage decided from is read back as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.assignment.absences import SaidAbsence
from leadgate.assignment.availability import Load
from leadgate.ledger.pools import StoredTurns
from tasks.assignment import Capacity
from tasks.decision_inputs import decode, encode
from tasks.enrichment import Said
from tasks.stage import Gathered

NOW = datetime(2027, 3, 3, 14, 0, tzinfo=UTC)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
MOMENTS = st.integers(0, 10**15).map(lambda microseconds: NOW + timedelta(microseconds=microseconds))


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 5))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    return pd.DataFrame(
        {
            "journey_id": pd.Series(range(rows), dtype=object),
            "value": pd.Series(column(JSON), dtype=object),
            "captured_at": pd.Series(column(st.none() | MOMENTS), dtype=object),
            "engaged_before": pd.Series(column(st.just(float("nan")) | st.integers(1, 4)), dtype="float64"),
            "finished": pd.Series(column(st.booleans()), dtype=bool),
            "due_at": pd.to_datetime(pd.Series(column(MOMENTS)), utc=True),
        }
    )


def assert_same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert list(one.columns) == list(other.columns)
    for name in one:
        if one[name].dtype.kind == "O":
            assert one[name].tolist() == other[name].tolist()
        elif name == "due_at":
            assert (one[name] == other[name]).all()
        else:
            np.testing.assert_array_equal(one[name].to_numpy(), other[name].to_numpy())


@given(frames())
def test_a_frame_comes_back_as_it_was(frame: pd.DataFrame) -> None:
    again = decode(encode(Gathered(frame, frame)))
    assert_same(frame, again.frame)
    assert_same(frame, again.context)


def test_what_reps_could_take_comes_back() -> None:
    capacity = Capacity(
        {"EMEA": StoredTurns({"epoch": 3, "taken": {"ann": 2}}, 7), "AMER": StoredTurns({}, 0)},
        {"ann": Load(3, 2, 1)},
        [SaidAbsence("bob", NOW, None), SaidAbsence("cy", NOW, NOW + timedelta(hours=3))],
    )
    assert decode(encode(Gathered(pd.DataFrame({"journey_id": [1]}), capacity))).context == capacity


def test_what_providers_said_comes_back() -> None:
    said = Said([{"industry": {"provider": "x", "at": NOW.isoformat()}}], [{"y": {"why": "away", "at": "then"}}], [[]])
    assert decode(encode(Gathered(pd.DataFrame({"journey_id": [1]}), said))).context == said


def test_names_and_tuples_are_kept_as_lists() -> None:
    frame = pd.DataFrame({"journey_id": [1], "excluded": pd.Series([("ann", "bob")], dtype=object)})
    assert decode(encode(Gathered(frame))).frame["excluded"].tolist() == [["ann", "bob"]]


def test_a_context_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        encode(Gathered(pd.DataFrame({"journey_id": [1]}), {1}))
