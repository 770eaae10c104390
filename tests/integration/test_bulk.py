"""Frames into PostgreSQL: what is written by COPY comes back as it was, whichever way it is written."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pandas as pd
import pytest
from harness import Harness
from sqlalchemy import text

from leadgate.ledger import bulk
from leadgate.vocabulary import JourneyStatus

MOMENT = datetime(2026, 3, 4, 10, 0, 0, 1, tzinfo=UTC)
COLUMNS: dict[str, list[Any]] = {
    "text": ["", "a\tb\nc\rd\\e", r"\N", r"\.", "Zoë 😀", " ", None, "'\"", "\x0b\x7f", r"\\x"],
    "bigint": [0, -1, 2**62, None],
    "double precision": [0.1, 1e300, -0.0, float("inf"), None],
    "boolean": [True, False, None],
    "timestamptz": [MOMENT, pd.Timestamp(MOMENT), None],
    "jsonb": ['{"a": "x\\ny\\\\z\\t", "b": ["\\""]}', "null", None],
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_what_is_copied_comes_back_as_it_was(harness: Harness, kind: str) -> None:
    values = COLUMNS[kind]
    assert bulk.copy_texts([values]) is not None
    frame = pd.DataFrame({"n": range(len(values)), "value": pd.Series(values, dtype=object)})
    with harness.ledger.transaction() as connection:
        bulk.fill_temporary(connection, "copied", {"n": "int", "value": kind}, frame)
        bulk.fill_temporary(connection, "written", {"n": "int", "value": kind}, frame.head(0))
        with connection.connection.driver_connection.cursor().copy("COPY written FROM STDIN") as writer:
            for row in enumerate(values):
                writer.write_row(row)
        both = bulk.select(
            connection, "SELECT c.value::text AS one, w.value::text AS other FROM copied c JOIN written w USING (n)"
        )
        back = bulk.select(connection, "SELECT value FROM copied ORDER BY n")["value"].tolist()
    assert both["one"].tolist() == both["other"].tolist()
    if kind != "jsonb":
        assert back == values


def test_values_that_only_psycopg_can_write_are_left_to_it(harness: Harness) -> None:
    days = [date(2026, 3, 4), None]
    assert bulk.copy_texts([[1, 2], days]) is None
    assert bulk.copy_texts([[1, True]]) is None
    assert bulk.copy_texts([["a\x00"]]) is None
    with harness.ledger.transaction() as connection:
        bulk.fill_temporary(connection, "days", {"day": "date"}, pd.DataFrame({"day": pd.Series(days, dtype=object)}))
        assert bulk.select(connection, "SELECT day FROM days ORDER BY day")["day"].tolist() == days


def test_a_member_of_an_enumeration_is_written_as_its_value(harness: Harness) -> None:
    """As a parameter, in an array, by COPY and in JSON."""
    held, done = JourneyStatus.HELD, JourneyStatus.DONE
    frame = pd.DataFrame({"value": pd.Series([held, done, "owned", None], dtype=object)})
    assert bulk.copy_texts([frame["value"].tolist()]) == [["held", "done", "owned", "\\N"]]
    with harness.ledger.transaction() as connection:
        bulk.fill_temporary(connection, "copied", {"value": "text"}, frame)
        row = connection.execute(
            text("SELECT CAST(:one AS text), CAST(:many AS text[]), (SELECT array_agg(value) FROM copied)"),
            {"one": held, "many": [held, done]},
        ).one()
    assert tuple(row) == ("held", ["held", "done"], ["held", "done", "owned", None])
    values = [held, {"status": done}]
    assert json.loads(orjson.dumps(values)) == json.loads(json.dumps(values)) == ["held", {"status": "done"}]
