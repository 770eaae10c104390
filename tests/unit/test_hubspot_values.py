"""HubSpot's values and errors: what is written comes back, and no answer, however made, breaks the reading of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.connectors.crm import CrmField, CrmFieldType, CrmObject, RowFault
from leadgate.connectors.hubspot.errors import judge_row, read_error
from leadgate.connectors.hubspot.records import list_objects, read_field, read_next, read_owner, read_record
from leadgate.connectors.hubspot.values import UnfitValueError, format_value, parse_value, store_values
from leadgate.connectors.hubspot.writing import Row, split_groups
from leadgate.connectors.service_session import ServiceError

TYPES = {kind: CrmField("f", "F", kind) for kind in CrmFieldType}
texts = st.text(max_size=50) | st.sampled_from(["\x00", "9" * 8_000, "NaN", "1e999", "<b>", "\u202e", "-0", "1_0", "٣"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
names = st.sampled_from(
    [
        "id",
        "results",
        "errors",
        "message",
        "category",
        "context",
        "status",
        "code",
        "in",
        "properties",
        "archived",
        "updatedAt",
        "options",
        "value",
        "type",
        "name",
        "email",
        "teams",
        "paging",
        "next",
        "after",
        "policyName",
        "objectWriteTraceId",
        "displayOrder",
        "modificationMetadata",
    ]
)
hostile = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6))
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - a strategy's bounds


@given(st.none() | st.booleans())
def test_true_and_false_come_back(value: bool | None) -> None:
    field = TYPES[CrmFieldType.BOOLEAN]
    assert parse_value(format_value(value, field), field) is value


@given(st.integers(-(10**250), 10**250) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back(value: float) -> None:
    field = TYPES[CrmFieldType.NUMBER]
    text = format_value(value, field)
    assert parse_value(text, field) == value
    assert "e" not in text.lower()


@given(times, st.dates())
def test_times_come_back_to_the_millisecond(moment: datetime, day: date) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert parse_value(format_value(moment, TYPES[CrmFieldType.DATETIME]), TYPES[CrmFieldType.DATETIME]) == whole
    assert parse_value(format_value(day, TYPES[CrmFieldType.DATE]), TYPES[CrmFieldType.DATE]) == day


@given(scalars, st.sampled_from(list(CrmFieldType)))
def test_a_value_is_refused_or_comes_back_as_was_said(value: Any, kind: CrmFieldType) -> None:
    fields = {"f": TYPES[kind]}
    try:
        predicted = store_values({"f": value}, fields)["f"]
    except UnfitValueError:
        return
    assert predicted == parse_value(format_value(value, fields["f"]).strip(), fields["f"])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("12", CrmFieldType.NUMBER),
        (True, CrmFieldType.NUMBER),
        (float("inf"), CrmFieldType.NUMBER),
        (float("nan"), CrmFieldType.TEXT),
        ("yes", CrmFieldType.BOOLEAN),
        ("2026-01-01", CrmFieldType.DATE),
        (datetime(2026, 1, 1), CrmFieldType.DATETIME),  # noqa: DTZ001 - that it has no zone is what is refused
    ],
)
def test_what_does_not_fit_is_refused_without_being_quoted(value: Any, kind: CrmFieldType) -> None:
    with pytest.raises(UnfitValueError) as refused:
        format_value(value, TYPES[kind])
    assert str(value) not in str(refused.value)


@given(hostile, st.sampled_from(list(CrmFieldType)))
def test_any_value_of_an_answer_can_be_read(value: Any, kind: CrmFieldType) -> None:
    parsed = parse_value(value, TYPES[kind])
    assert parsed is None or isinstance(parsed, str | int | float | datetime | date)


@given(hostile, st.sampled_from([0, 207, 400, 404, 409, 423, 500]))
def test_any_error_can_be_read_and_judged(body: Any, status: int) -> None:
    error = read_error(status, body)
    judged = judge_row(error)
    assert judged.fault in RowFault
    assert judged.message
    assert all(c.isprintable() for c in judged.message + judged.code)
    assert len(judged.message) <= 2_000


READERS: list[Callable[[Any], object]] = [
    lambda given: read_record(given, CrmObject.LEAD, ["email"], {"email": TYPES[CrmFieldType.TEXT]}),
    read_owner,
    read_field,
    read_next,
    lambda given: list_objects(given, "results"),
]


@given(st.dictionaries(names, hostile, max_size=8))
def test_any_answer_is_read_or_is_an_error_of_ours(answer: dict[str, Any]) -> None:
    for reader in READERS:
        try:
            reader(answer)
        except ServiceError:
            continue


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (409, {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 77"}, ("CONFLICT", "77", None)),
        (
            400,
            {
                "category": "VALIDATION_ERROR",
                "message": "Property values were not valid: "
                '[{"isValid":false,"message":"12 already has that value.","error":"CONFLICTING_UNIQUE_VALUE","name":"k"}]',
            },
            ("CONFLICTING_UNIQUE_VALUE", "12", "k"),
        ),
    ],
)
def test_a_duplicate_names_the_other_record(status: int, body: Any, expected: tuple[str, str, str | None]) -> None:
    error = judge_row(read_error(status, body))
    assert error.fault is RowFault.DUPLICATE
    assert (error.code, error.other_id, error.field) == expected


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.sampled_from("1234")), max_size=12))
def test_groups_never_hold_two_of_one_key_or_id_and_keep_the_order(pairs: list[tuple[str, str | None]]) -> None:
    rows = [Row(str(n), key, record_id, {}) for n, (key, record_id) in enumerate(pairs)]
    groups = split_groups(rows)
    assert sorted(int(row.trace) for group in groups for row in group) == list(range(len(rows)))
    place = {row.trace: number for number, group in enumerate(groups) for row in group}
    for first, second in ((a, b) for n, a in enumerate(rows) for b in rows[n + 1 :]):
        if first.key == second.key or (first.id is not None and first.id == second.id):
            assert place[first.trace] < place[second.trace]


def test_a_deep_answer_is_read() -> None:
    deep: Any = "end"
    for _ in range(100):
        deep = {"errors": [deep], "context": {"a": []}}
    assert judge_row(read_error(400, orjson.loads(orjson.dumps({"errors": [deep] * 3})))).fault is RowFault.PERMANENT
