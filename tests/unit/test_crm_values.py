"""What a lead is in a CRM, by properties: values that are kept, compared and written, whatever they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.crm.facts import LeadFacts, build_facts
from leadgate.crm.values import CrmValue, compare, describe, encode, is_empty, is_same
from leadgate.crm.writes import build_task_texts, choose_values, fill_text
from leadgate.playbook import CrmConnection, CrmTaskText
from leadgate.playbook.crm import FACTS
from leadgate.vocabulary import JourneyStatus

zones = st.sampled_from([UTC, timezone(timedelta(hours=-11)), timezone(timedelta(hours=14))])
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones)  # noqa: DTZ001 - a strategy's bounds
texts = st.text(max_size=40) | st.sampled_from(["\x00", "\ud800", " \n ", "\u202eevil", "x" * 9_000, "é", "e\u0301"])
values: st.SearchStrategy[CrmValue] = (
    st.none() | st.booleans() | st.integers() | st.floats() | texts | moments | st.dates() | st.just(10**400)
)
names = st.sampled_from([*FACTS, "email", "company"])


@given(values)
def test_a_value_is_the_same_as_itself(value: CrmValue) -> None:
    is_number = isinstance(value, float) and not math.isfinite(value)
    assert is_same(value, value) or is_number or value == 10**400


@given(values, values)
def test_comparing_has_no_direction(one: CrmValue, other: CrmValue) -> None:
    assert is_same(one, other) is is_same(other, one)
    differences = compare({"f": one}, {"f": other})
    assert bool(differences) is not is_same(one, other)
    for difference in differences:
        assert len(difference.describe()) < 2_000


@given(texts)
def test_white_space_at_the_ends_and_an_empty_text_are_no_difference(text: str) -> None:
    assert is_same(text, f"\n {text} \r\n")
    assert is_same(text, None) is not bool(text.strip())


@given(moments, st.integers(0, 999_999))
def test_parts_of_a_second_are_no_difference_and_two_seconds_are(moment: datetime, micros: int) -> None:
    whole = moment.replace(microsecond=0)
    assert is_same(whole.replace(microsecond=micros), whole.astimezone(UTC))
    assert not is_same(moment, moment + timedelta(seconds=2))


@given(st.integers(-(10**15), 10**15))
def test_a_number_is_the_same_as_a_decimal_and_as_a_text(number: int) -> None:
    assert is_same(number, float(number))
    assert is_same(number, f"{number}.0")
    assert not is_same(number, number + 1 + abs(number) // 100)


@given(st.dictionaries(names, values, max_size=5), st.integers(1, 50))
def test_what_is_encoded_is_json_that_postgresql_takes(given_values: dict[str, CrmValue], longest: int) -> None:
    stored = encode(given_values, longest)
    text = orjson.dumps(stored).decode()  # neither half a character nor a number that JSON lacks
    assert "\\u0000" not in text
    read = orjson.loads(text)
    assert read == stored
    assert read.keys() == given_values.keys()
    for name, value in given_values.items():
        if isinstance(value, str):
            assert len(value) > longest or value != read[name] or is_same(value, read[name])
        elif isinstance(value, bool) or value is None:
            assert read[name] is value
        elif isinstance(value, datetime):
            assert datetime.fromisoformat(read[name]) == value
        elif isinstance(value, date):
            assert date.fromisoformat(read[name]) == value
        elif abs(value) < 10**300:
            assert float(read[name]) == float(value)
        else:  # more digits than a number of JSON has, or no number
            assert isinstance(value, float) or isinstance(read[name], str)
    assert encode(read) == read  # what was kept once is kept as it is


@given(values)
def test_any_value_is_described_on_one_line(value: CrmValue) -> None:
    shown = describe(value)
    assert shown
    assert "\n" not in shown


def make_connection(policy: str) -> CrmConnection:
    writes: dict[str, Any] = {f"f_{name}": {"fact": name, "policy": policy} for name in [*FACTS, "email", "company"]}
    return CrmConnection.model_validate({"name": "sales", "type": "hubspot", "writes": writes})


CONNECTIONS = {policy: make_connection(policy) for policy in ("always", "if_empty", "never_clear")}


@given(
    st.sampled_from(list(CONNECTIONS)),
    st.dictionaries(names, values, max_size=6),
    st.dictionaries(names.map("f_{}".format), values, max_size=6),
    st.integers(0, 60),
)
def test_a_policy_says_which_fields_are_written(
    policy: str, facts: dict[str, CrmValue], current: Mapping[str, CrmValue], longest: int
) -> None:
    lengths = {f"f_{name}": longest for name in facts}
    chosen = choose_values(CONNECTIONS[policy], facts, current, lengths)
    assert set(chosen) <= {f"f_{name}" for name in facts}
    for field, value in chosen.items():
        if policy != "always":
            assert not is_empty(value)
        if policy == "if_empty":
            assert is_empty(current.get(field))
        if isinstance(value, str):
            assert len(value) <= max(longest, 1)
            assert all(c in "\n\t" or c.isprintable() for c in value)
        assert not isinstance(value, float) or math.isfinite(value)
    if policy == "always":
        assert set(chosen) == {f"f_{name}" for name in facts}
    assert choose_values(CONNECTIONS[policy], facts, current, lengths) == chosen


@given(texts, st.dictionaries(names, values, max_size=4), st.integers(1, 300))
def test_a_text_is_filled_whatever_the_facts_are(literal: str, facts: dict[str, CrmValue], longest: int) -> None:
    template = literal.replace("{", "{{").replace("}", "}}") + "{email} {company}{nothing}"
    filled = fill_text(template, facts, longest)
    assert len(filled) <= longest
    assert all(c in "\n\t" or c.isprintable() for c in filled)
    subject, body = build_task_texts(CrmTaskText(subject="{company}", body="{email}\n{reasons}"), facts)
    assert 0 < len(subject) <= 250
    assert "\n" not in subject
    assert len(body) <= 8_000


@given(
    st.builds(
        dict, status=st.sampled_from(JourneyStatus), owner=st.none() | st.just("ana"), score=st.none() | st.integers()
    )
)
@settings(max_examples=tried(30))
def test_every_fact_that_a_playbook_may_name_is_there_but_the_owner(made: dict[str, Any]) -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    given_facts: dict[str, Any] = dict.fromkeys(LeadFacts.__dataclass_fields__) | {
        "lead_id": 1, "journey_id": 2, "generation": 0, "source": "web", "captured_at": now, "values": {"email": "a@b.example"},
    }  # fmt: skip
    facts = build_facts(LeadFacts(**given_facts | made), CONNECTIONS["always"], {}, {})
    assert set(facts) >= set(FACTS) - {"owner"}
    assert "owner" not in facts
    has_owner = made["status"] in (JourneyStatus.OWNED, JourneyStatus.DONE) and made["owner"] is not None
    assert (facts["owner_name"] == "ana") is has_owner
    assert (facts["evidence"] is None) is (made["score"] is None)
