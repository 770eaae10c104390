"""Expressions: what is refused and how it is said, and what matches over a frame."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.expressions.rules import FEW, RuleError, check, is_always_true, is_never_true, match_rows
from leadgate.expressions.syntax import format_canonical, parse
from leadgate.fields import FieldType

COLUMNS: dict[str, FieldType] = {
    "country": "text",
    "company": "text",
    "budget": "text",
    "employees": "integer",
    "revenue": "number",
    "is_free_mail": "boolean",
    "renewal": "date",
    "occurred_at": "timestamp",
}


@pytest.mark.parametrize(
    "expression",
    [
        "true",
        "country = 'DE' and employees >= 200",
        "country in ('DE', 'AT') or not is_free_mail",
        "COUNTRY not in ('DE')",
        "employees between 10 and 50",
        "company ilike '%gmbh%'",
        "lower(trim(company)) like 'acme%' escape '!'",
        "case when is_free_mail then employees > 3 else true end",
        "try_cast(budget as double) > 1000",
        "coalesce(budget, '') <> ''",
        "nullif(country, '') is not null",
        "regexp_matches(company, '(?i)\\b(ag|gmbh)\\b')",
        "starts_with(company, 'A') and contains(company, 'b') and left(company, 2) = 'Ab'",
        "split_part(company, ' ', 1) = 'Acme' and substring(company from 1 for 2) = 'Ac'",
        "abs(round(revenue, 1)) > floor(1.5) + ceil(0.2) * greatest(1, 2) / least(3, 4)",
        "renewal < date '2027-01-01' + interval 3 month",
        "year(renewal) = 2027 and extract(month from renewal) < 6",
        "occurred_at >= timestamp '2026-01-01 00:00:00'",
        "is_free_mail is not true -- a comment",
        "replace(company, ' ', '') = 'AcmeAG'",
    ],
)
def test_what_a_playbook_needs_is_allowed(expression: str) -> None:
    check(expression, COLUMNS)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("country = 'DE' and", "cannot be read"),
        ("country = 'DE')", "cannot be read at character 15"),
        ("true) or (true", "cannot be read"),
        ("country = 'DE'; drop table lead", "several statements|cannot be read"),
        ("true; select 1", "several statements"),
        ("true;", "remove the ';'"),
        ("(select true)", "subquery"),
        ("exists (select 1)", "subquery"),
        ("country in (select 'DE')", "subquery"),
        ("true from lead", "one scalar expression"),
        ("true where true", "one scalar expression"),
        ("true limit 1", "one scalar expression"),
        ("true union select false", "one scalar expression"),
        ("true, false", "a list of expressions"),
        ("true as x", "AS is not allowed"),
        ("*", "name the columns"),
        ("columns('c.*')", "name the columns"),
        ("count(*) > 1", "aggregate"),
        ("sum(employees) > 1", "aggregate"),
        ("sum(employees) over () > 1", "window"),
        ("now() > renewal", "reads the clock"),
        ("current_date > renewal", "reads the clock"),
        ("today() > renewal", "reads the clock"),
        ("random() < 0.5", r"random\(\) is not allowed"),
        ("sleep(1) is null", r"sleep\(\) is not allowed"),
        ("getenv('HOME') = 'x'", r"getenv\(\) is not allowed"),
        ("read_csv('/etc/passwd') is null", r"read_csv\(\) is not allowed"),
        ("read_text('/etc/passwd') = ''", r"read_text\(\) is not allowed"),
        ("lowr(company) = 'x'", r"did you mean lower\(\)\?"),
        ("pg_catalog.lower(company) = 'x'", "by its name alone"),
        ("company.lower() = 'x'", "by its name alone"),
        ("list_filter([1], lambda x: x > 0) is null", "is not allowed"),
        ("company = $1", "parameter"),
        ("company = ?", "parameter"),
        ("#1 = 'x'", "by position"),
        ("company collate nocase = 'x'", "COLLATE"),
        ("company::json is null", "plain types only"),
        ("company::struct(x int) is null", "plain types only"),
        ("company like country", "a pattern is a constant"),
        (f"company ~ '{'a' * 201}'", "at most 200 characters"),
        ("company ~ '('", "missing"),
        ("company ~ '(?=x)y'", "invalid perl operator"),
        (f"company ~ '{'.{0,1000}' * 20}'", "pattern too large"),
        ("not " * 200 + "true", "nested too deeply"),
        ("1 + " * 400 + "1 > 0", "nested too deeply"),
        (" or ".join(["is_free_mail"] * 140), "2,000|nested too deeply or too long"),
        ("country = '" + "x" * 2000 + "'", "2,000 is the most"),
        ("company = 'a\0b'", "NUL"),
        ("employes > 3", "unknown column 'employes'; did you mean 'employees'"),
        ("a.company = 'x'", "no dots"),
        ('company = "Acme"', "unknown column 'acme'"),
        ("company", "gives VARCHAR, not true or false"),
        ("employees + 1", "not true or false"),
        ("null", "not true or false"),
        ("budget > 1000", r"try_cast\(budget as double\)"),
        ("budget in (1, 2)", "compared with a number"),
        ("year(company) = 3", "No function matches"),
        ("renewal > 5", "Cannot compare"),
        ("cast('x' as integer) = 1", "Could not convert"),
        ("renewal = date '2027-13-45'", "2027-13-45"),
        ("/* no end", "cannot be read|unterminated"),
    ],
)  # fmt: skip
def test_refused_with_what_to_do(expression: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        check(expression, COLUMNS)


@pytest.mark.parametrize(
    "expression",
    [
        "false",
        "1 = 2",
        "country = 'DE' and country = 'FR'",
        "country = 'DE' and country in ('FR', 'IT')",
        "employees > 100 and employees < 50",
        "employees between 9 and 3",
        "is_free_mail and false",
        "country = null",
    ],
)
def test_what_can_never_match_is_known(expression: str) -> None:
    assert is_never_true(expression, COLUMNS)
    assert not is_always_true(expression, COLUMNS)


@pytest.mark.parametrize("expression", ["true", "1 = 1", "country = 'DE' or true", "not false"])
def test_what_matches_everything_is_known(expression: str) -> None:
    assert is_always_true(expression, COLUMNS)
    assert not is_never_true(expression, COLUMNS)


@pytest.mark.parametrize("expression", ["country = 'DE'", "employees > 50 and employees < 100", "is_free_mail"])
def test_an_ordinary_condition_is_neither(expression: str) -> None:
    assert not is_never_true(expression, COLUMNS)
    assert not is_always_true(expression, COLUMNS)


def test_layout_comments_and_case_do_not_make_an_expression_another() -> None:
    assert format_canonical(parse("country='DE'  and Employees>3")) == format_canonical(
        parse("country = 'DE' -- Germany\n and employees > 3")
    )
    assert format_canonical(parse("country = 'DE'")) != format_canonical(parse("country = 'de'"))


def matched(expression: str, **columns: Any) -> list[bool]:
    return match_rows({"rule": expression}, pd.DataFrame(columns), COLUMNS)["rule"].tolist()


def test_the_result_has_the_frames_index_and_the_names_in_order() -> None:
    frame = pd.DataFrame({"country": ["DE", "FR"], "employees": [10, 500]}, index=[42, 7])
    result = match_rows({"b": "employees > 100", "a": "country = 'DE'"}, frame, COLUMNS)
    assert list(result.columns) == ["b", "a"]
    assert result.index.tolist() == [42, 7]
    assert result["b"].tolist() == [False, True]
    assert result["a"].tolist() == [True, False]
    assert result.dtypes.tolist() == [bool, bool]


def test_unknown_is_no_match() -> None:
    frame = {"country": ["DE", None, float("nan")]}
    assert matched("country = 'DE'", **frame) == [True, False, False]
    assert matched("country <> 'DE'", **frame) == [False, False, False]
    assert matched("country is null", **frame) == [False, True, True]


def test_one_dirty_value_does_not_spoil_the_batch() -> None:
    assert matched("cast(budget as integer) > 5", budget=["10", "a lot", None, "3"]) == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("dtype", [object, "str"])
def test_columns_without_a_single_value_keep_their_type(dtype: Any) -> None:
    nothing = pd.Series([None] * 3, dtype=dtype)
    for expression in ("lower(country) = 'de'", "employees > 3", "is_free_mail", "renewal < '2027-01-01'"):
        frame = pd.DataFrame(dict.fromkeys(parse(expression).columns, nothing))
        assert not match_rows({"x": expression}, frame, COLUMNS)["x"].any()


def test_a_value_after_thousands_of_missing_ones_counts() -> None:
    assert matched("country = 'DE'", country=pd.Series([None] * 5000 + ["DE"], dtype=object))[-1]


def test_values_of_any_dtype_take_the_columns_type() -> None:
    assert matched("employees >= 200", employees=pd.Series([200, None], dtype="Int64")) == [True, False]
    assert matched("employees >= 200", employees=[250.0, None]) == [True, False]
    assert matched("employees >= 200", employees=["300", "many"]) == [True, False]
    assert matched("is_free_mail", is_free_mail=[True, None]) == [True, False]
    assert matched("is_free_mail", is_free_mail=pd.Series([False, None], dtype="boolean")) == [False, False]
    assert matched("renewal < '2027-01-01'", renewal=[date(2026, 5, 1), None]) == [True, False]
    assert matched("renewal < '2027-01-01'", renewal=pd.to_datetime(["2026-05-01", None])) == [True, False]


def test_timestamps_are_compared_in_utc() -> None:
    berlin = pd.Series(pd.to_datetime(["2026-01-01T01:30:00+01:00"])).dt.tz_convert("Europe/Berlin")
    for values in (berlin, berlin.astype(object), ["2026-01-01T01:30:00+01:00"]):
        assert matched("occurred_at = '2026-01-01 00:30:00'", occurred_at=values) == [True]


def test_markup_nul_and_formulas_are_only_text() -> None:
    values = ["=cmd|' /C calc'!A0", "<b>x</b>", "a\0b", "'; drop table lead; --", "x" * 100_000]
    assert matched("company is not null", company=values) == [True] * 5
    assert matched("company = '''; drop table lead; --'", company=values) == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_an_expression_sees_the_beginning_of_a_long_text() -> None:
    assert matched("length(company) = 10000", company=["x" * 100_000]) == [True]


def test_no_rules_and_no_rows() -> None:
    frame = pd.DataFrame({"country": ["DE"]})
    assert match_rows({}, frame, COLUMNS).shape == (1, 0)
    assert match_rows({"a": "country = 'DE'"}, frame.iloc[:0], COLUMNS).shape == (0, 1)
    assert match_rows({"a": "true"}, frame, COLUMNS)["a"].tolist() == [True]


def test_a_column_that_the_frame_lacks_is_an_error_not_a_mismatch() -> None:
    with pytest.raises(RuleError, match="the frame has no column employees"):
        matched("employees > 3", country=["DE"])


@settings(max_examples=tried(25))
@given(
    st.lists(st.one_of(st.none(), st.integers(-1000, 1000)), min_size=1, max_size=20),
    st.integers(-1000, 1000),
)
def test_a_comparison_is_what_python_says(values: list[int | None], limit: int) -> None:
    found = matched(f"employees >= {limit}", employees=pd.Series(values, dtype="Int64"))
    assert found == [value is not None and value >= limit for value in values]


@settings(max_examples=tried(25))
@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))), min_size=1, max_size=20))
def test_any_text_can_be_looked_at(values: list[str | None]) -> None:
    found = matched("company = 'Acme' or company is null", company=pd.Series(values, dtype=object))
    assert found == [value is None or value == "Acme" for value in values]


VALUES = {
    "country": st.one_of(
        st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=6), st.integers(), st.just(1.5)
    ),
    "employees": st.one_of(
        st.none(), st.integers(-(2**70), 2**70), st.just("12"), st.just(" 7 "), st.just(2.5), st.just("x")
    ),
    "revenue": st.one_of(st.none(), st.floats(), st.just("1e3"), st.integers(-5, 5)),
    "is_free_mail": st.one_of(st.none(), st.booleans(), st.sampled_from(["true", "False", "yes", "0"])),
    "renewal": st.one_of(st.none(), st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.just("2027-02-30")),
    "occurred_at": st.one_of(st.none(), st.just("2026-03-04T10:00:00+01:00"), st.just("soon"), st.just("2026-03-04")),
}
EXPRESSIONS = {
    "text": "country = '1' or lower(country) like '%a%' or length(country) > 3",
    "integer": "employees > 2 and employees < 13",
    "number": "revenue >= 0.5",
    "boolean": "is_free_mail",
    "date": "renewal > date '2000-01-01'",
    "moment": "occurred_at < timestamp '2026-03-04 09:30:00'",
    "all": "true",
}


@settings(max_examples=tried(40))
@given(st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=FEW))
def test_a_few_rows_are_judged_as_many_are(rows: list[dict[str, Any]]) -> None:
    few = pd.DataFrame(rows, dtype=object)
    many = pd.concat([few] * (FEW + 1), ignore_index=True)
    assert match_rows(EXPRESSIONS, many, COLUMNS).head(len(few)).equals(match_rows(EXPRESSIONS, few, COLUMNS))
