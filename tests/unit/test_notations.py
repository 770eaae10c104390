"""One order of dates and one decimal sign for a column: what values tell, and what is read by it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadgate.mapping.column_notations import settle_payload, settle_value
from leadgate.playbook import Source
from leadgate.values.figures import read_number
from leadgate.values.notations import ColumnValues, Kind, Notation, tell_notation, write_in_one_way


def tell(kind: Kind, *texts: str) -> ColumnValues:
    values = ColumnValues(kind)
    for line, text in enumerate(texts, start=2):
        values.add(line, text)
    return values


@pytest.mark.parametrize(
    ("kind", "texts", "settled"),
    [
        ("date", ("1/6/2026", "13/6/2026"), Notation.DAY_FIRST),
        ("date", ("1/6/2026", "6/13/26 14:30"), Notation.MONTH_FIRST),
        ("date", ("1/6/2026", "1/7/2026", "6/6/2026", "2026-06-13"), None),
        ("date", ("1/6/2026", "13/6/2026", "6/13/2026"), None),
        ("date", ("13/6/2026",), None),  # nothing that it would settle
        ("number", ("12.500 EUR", "5,5"), Notation.DECIMAL_COMMA),
        ("number", ("12.500 EUR", "5,000 EUR"), None),
        ("number", ("12,500", "1,200,000", "CHF 5"), Notation.DECIMAL_POINT),
        ("number", ("12.500", "0.125"), Notation.DECIMAL_POINT),
        ("number", ("12.500", "12,5", "12.5"), None),
    ],
)
def test_the_values_of_a_column_settle_how_it_is_written(
    kind: Kind, texts: tuple[str, ...], settled: Notation | None
) -> None:
    assert tell(kind, *texts).settled is settled


def test_examples_tell_lines_and_both_signs() -> None:
    values = tell("number", "12.500 EUR", "13.500 EUR", "5,000 EUR")
    assert [(seen.line, seen.text) for seen in values.examples] == [(2, "12.500 EUR"), (4, "5,000 EUR")]
    assert values.either == 3


@given(st.integers(1, 999), st.integers(0, 999), st.sampled_from(",."), st.sampled_from(("", " EUR", " €")))
@settings(max_examples=60)
def test_a_number_is_read_as_its_column_has_it(whole: int, rest: int, sign: str, mark: str) -> None:
    text = f"{whole}{sign}{rest:03}{mark}"
    decimal = Notation.DECIMAL_COMMA if sign == "," else Notation.DECIMAL_POINT
    other = Notation.DECIMAL_POINT if sign == "," else Notation.DECIMAL_COMMA
    assert tell_notation(text, "number") == "either"
    assert read_number(write_in_one_way(text, decimal)) == pytest.approx(whole + rest / 1000)
    for notation in (other, Notation.THOUSANDS):
        written = write_in_one_way(text, notation)
        assert read_number(written, grouped=True) == whole * 1000 + rest
        assert write_in_one_way(written, decimal) == written, "once it is settled it stays"


@given(st.integers(1, 31), st.integers(1, 12), st.integers(1990, 2060), st.sampled_from(("", " 14:30", ", 2:30 PM")))
@settings(max_examples=60)
def test_a_date_is_read_in_the_order_of_its_column(day: int, month: int, year: int, time: str) -> None:
    written = write_in_one_way(f"{day}/{month}/{year}{time}", Notation.DAY_FIRST)
    told = tell_notation(f"{day}/{month}/{year}", "date")
    assert (written == f"{year}-{month:02}-{day:02}{time}") is (told == "either")
    assert told in ("either", Notation.DAY_FIRST, None)


def test_the_file_comes_before_the_playbook_and_thousands_after_it() -> None:
    comma = Source(decimals="comma")
    assert settle_value("12.500", "number", Notation.DECIMAL_POINT, comma) == "12.5"
    assert settle_value("12,500", "number", Notation.THOUSANDS, comma) == "12.5"
    assert settle_value("12,500", "number", Notation.THOUSANDS, None) == "12500"
    assert settle_value("12.500", "number", None, None) == "12.500"


def test_a_number_of_json_is_that_number() -> None:
    written = settle_payload(12.125, "12.125", "number", None, Source(decimals="comma"))
    assert read_number(written, grouped=True) == 12.125
