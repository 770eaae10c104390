"""Rows of a file as activities: which column says what, and what is held rather than guessed."""

from __future__ import annotations

import doctest
import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.connectors.files import Row
from leadgate.playbook import Playbook, Source
from tasks import activities
from tasks.activities import Reader, list_missing_fields, normalise_kind

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
PLAYBOOK = Playbook.model_validate(
    {
        "name": "Activities",
        "sources": {
            "activities": {"kind": "activities", "default_country": "DE"},
            "dialler": {"kind": "activities", "mapping": {"Disposition": "kind", "Caller": "rep"}, "key": "Call ID"},
        },
        "reps": [{"name": "ana", "label": "Ana Keller", "email": "ana@us.example"}],
        "pools": [{"name": "all", "members": [{"rep": "ana"}]}],
        "routing": [{"name": "everybody", "to": "pool all"}],
    }
)  # fmt: skip


def sort(*payloads: dict[str, Any], source: str = "activities") -> activities.Sorted:
    rows = [Row(line, payload) for line, payload in enumerate(payloads, start=2)]
    return Reader(source, "activities.csv", PLAYBOOK, NOW).sort(rows)


def activity(**columns: Any) -> dict[str, Any]:
    return {"Email": "ann@acme.example", "Activity": "Demo Request", "Date": "03.03.2026 09:30"} | columns


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(activities).failed == 0


def test_a_row_becomes_an_activity_of_the_lead() -> None:
    (row,) = sort(activity(Email="Ann.Lee+x@GoogleMail.com")).activities
    source, key, kind, actor, rep, email, at, payload, seconds, automatic, record = row
    assert (seconds, automatic, record) == (None, None, None)
    assert (source, kind, actor, rep) == ("activities", "demo_request", "lead", None)
    assert email == "annlee@gmail.com"
    assert at == datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
    assert key.startswith("row:")
    assert orjson.loads(payload)["Activity"] == "Demo Request"


def test_a_rep_is_known_by_name_label_or_address_and_a_stranger_is_nobodys_touch() -> None:
    written = ["ana", "ANA KELLER", "Ana@us.example", "somebody else", ""]
    found = [row[3:5] for row in sort(*(activity(Owner=name) for name in written)).activities]
    assert found == [("rep", "ana")] * 3 + [("rep", "somebody else"), ("lead", None)]


def test_a_mapping_and_a_key_of_the_playbook_win() -> None:
    row = {
        "Call ID": "c-1",
        "E-mail": "ann@acme.example",
        "Disposition": "Call",
        "Caller": "ana",
        "Time": "2026-03-03",
    }
    ((_, key, kind, actor, rep, *_),) = sort(row, source="dialler").activities
    assert (key, kind, actor, rep) == ("id:c-1", "call", "rep", "ana")


def test_a_row_that_tells_too_little_is_held_with_the_reason() -> None:
    result = sort(
        activity(Activity="?"),
        activity(Email=""),
        activity(Email="not an address"),
        activity(Date="some day"),
        activity(Date="2027-01-01"),
        activity(),
    )
    assert len(result.activities) == 1
    assert result.held_lines == [2, 3, 4, 5, 6]
    reasons = [row[4] for row in result.held]
    assert [reason.split(":")[0] for reason in reasons] == [f"line {n}" for n in range(2, 7)]
    for reason, words in zip(
        reasons, ("kind", "address is empty", "malformed", "not a date", "in the future"), strict=True
    ):
        assert words in reason
    assert orjson.loads(orjson.loads(result.held[0][3])["raw"])["Activity"] == "?"
    assert [row[0] for row in result.held] == list(range(5))


def test_a_row_that_could_not_be_read_stays_one() -> None:
    row = Row(4, None, "a,b\x00", "line 4: 2 cells, the header has 3")
    result = Reader("activities", "activities.csv", PLAYBOOK, NOW).sort([row])
    (signal,) = result.held
    assert orjson.loads(signal.payload) == {"raw": "a,b\x00"}
    assert (signal.unreadable, signal.origin) == ("line 4: 2 cells, the header has 3", "activities.csv:4")


def test_the_same_rows_get_the_same_keys_and_twins_survive() -> None:
    first, again = (sort(activity(), activity(), activity(Email="")) for _ in range(2))
    keys = [row[1] for row in first.activities] + [row[2] for row in first.held]
    assert keys == [row[1] for row in again.activities] + [row[2] for row in again.held]
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("columns", "length"),
    [
        ({"Call duration": "95"}, 95),
        ({"Talk time": "0"}, 0),
        ({"Duration": "00:01:35"}, 95),
        ({"Duration (seconds)": "12.9"}, 12),
        ({"hs_call_duration": "95000"}, 95),
        ({"Dauer": "2 min"}, 120),
        ({"Duration": "a while"}, None),
        ({"Duration": "9" * 30}, None),
        ({"Duration": "9" * 9 + " h"}, None),
        ({"Duration": "9" * 30 + ":00:00"}, None),
    ],
)
def test_how_long_it_took_is_read_as_exports_write_it(columns: dict[str, str], length: int | None) -> None:
    assert sort(activity(**columns)).activities[0][8] == length


@pytest.mark.parametrize(("written", "automatic"), [("TRUE", True), ("no", False), ("", None), ("perhaps", None)])
def test_whether_a_sequence_sent_it_is_read(written: str, automatic: bool | None) -> None:
    assert sort(activity(Automated=written)).activities[0][9] is automatic


def test_a_file_must_say_who_what_and_when() -> None:
    assert list_missing_fields(["Email", "Activity", "Date"], Source(kind="activities")) == []
    assert list_missing_fields(["Name", "Type"], Source(kind="activities")) == ["email", "occurred_at"]
    mapped = Source(kind="activities", mapping={"Wer": "email", "Was": "kind", "Wann": "occurred_at"})
    assert list_missing_fields(["Wer", "Was", "Wann"], mapped) == []


@settings(max_examples=tried(100))
@given(st.text(max_size=80))
def test_a_kind_is_always_a_name_of_the_playbook_or_nothing(words: str) -> None:
    kind = normalise_kind(words)
    assert re.fullmatch(r"[a-z0-9_]{0,63}", kind)
    assert normalise_kind(kind) == kind
