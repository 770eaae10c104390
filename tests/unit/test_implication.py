"""Routes that are never reached: what is proved holds for every lead, and what people write by mistake is found."""

from __future__ import annotations

from typing import Final

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.assignment.route_matching import match_routes
from leadgate.expressions.conditions import ALWAYS, build_condition
from leadgate.expressions.implication import find_covering
from leadgate.expressions.rules import match_rows
from leadgate.fields import FieldType
from leadgate.playbook import Playbook, Territory

COLUMNS: Final[dict[str, FieldType]] = {
    "country": "text", "state": "text", "postal_code": "text", "source": "text", "employees": "integer",
    "revenue": "number", "is_free_mail": "boolean",
}  # fmt: skip
DACH = Territory(countries=("DE", "AT", "CH"))
NORTH = Territory(countries=("DE",), postal_prefixes=("1", "20"))
BERLIN = Territory(countries=("DE",), postal_prefixes=("10", "12"))


def proved(later: str, *earlier: str, inside: Territory | None = None) -> list[int]:
    return find_covering(build_condition(later, COLUMNS, inside), [build_condition(each, COLUMNS) for each in earlier])


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("country = 'DE'", ["country in ('DE', 'AT')"]),
        ("country in ('DE', 'AT')", ["country = 'DE' or country = 'AT'"]),
        ("country in ('DE', 'AT')", ["country = 'DE'", "country = 'AT'"]),
        ("country = 'DE' and employees > 10", ["country = 'DE'"]),
        ("(country = 'DE' or country = 'AT') and employees > 10", ["country in ('AT', 'DE', 'CH')"]),
        ("employees >= 1000", ["employees >= 200"]),
        ("employees > 200", ["employees >= 200"]),
        ("employees between 20 and 50", ["employees between 10 and 100"]),
        ("employees = 30", ["employees < 31"]),
        ("1000 <= revenue", ["revenue > 999.5"]),
        ("country = 'DE'", ["country is not null"]),
        ("lower(country) = 'de'", ["country is not null"]),
        ("not (country in ('DE', 'AT'))", ["country <> 'DE'"]),
        ("country = 'FR'", ["country not in ('DE', 'AT')"]),
        ("lower(source) = 'a'", ["LOWER(source) in ('b', 'a')"]),
        ("starts_with(postal_code, '101')", ["starts_with(postal_code, '10')"]),
        ("is_free_mail and country = 'DE'", ["is_free_mail"]),
        ("cast(state as int) = 3 and country = 'DE'", ["cast(state as int) = 3"]),
        ("country = 'DE'", ["true"]),
    ],
)
def test_what_an_earlier_route_takes_already_is_found(later: str, earlier: list[str]) -> None:
    assert proved(later, *earlier) == list(range(len(earlier)))


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("country in ('DE', 'FR')", "country in ('DE', 'AT')"),
        ("country = 'DE'", "country = 'DE' and employees > 10"),
        ("employees >= 200", "employees > 200"),
        ("country <> 'DE'", "country = 'AT'"),
        ("country is null", "country <> 'DE'"),
        ("coalesce(country, 'DE') = 'DE'", "country is not null"),
        ("country is distinct from 'DE'", "country is not null"),
        ("true", "country = 'DE' or country <> 'DE'"),  # not where the country is missing
        # an error in the other half of the earlier one loses the lead
        ("country = 'DE'", "country = 'DE' or cast(state as int) > 3"),
        ("country = 'DE'", "country = 'DE' or employees = revenue + 1 / 0"),
    ],
)
def test_what_may_still_match_is_left_alone(later: str, earlier: str) -> None:
    assert proved(later, earlier) == []


def test_only_those_that_are_needed_are_named_the_earliest_first() -> None:
    assert proved("country = 'DE'", "employees > 5", "country in ('DE')", "source = 'x'", "country = 'DE'") == [1]


def test_territories_are_compared_with_one_another_and_with_expressions() -> None:
    north, berlin, dach = (build_condition("true", COLUMNS, each) for each in (NORTH, BERLIN, DACH))
    assert find_covering(berlin, [north, dach]) == [0]
    assert find_covering(north, [dach]) == [0]
    assert find_covering(dach, [north]) == []
    assert proved("employees > 5", "country in ('DE', 'FR')", inside=NORTH) == [0]
    assert proved("true", "postal_code is not null", inside=NORTH) == [0]
    assert proved("true", "state is not null", inside=NORTH) == []
    assert find_covering(build_condition("country = 'AT'", COLUMNS), [dach]) == [0]
    assert find_covering(dach, [ALWAYS]) == [0]


VALUES: Final[dict[str, list[object]]] = {
    "country": [None, "DE", "AT", "FR"], "state": [None, "3", "x", "BY"], "postal_code": [None, "1", "10", "2 01"],
    "source": ["a", "b", "A"], "employees": [None, 0, 10, 11, 200], "revenue": [None, 9.5, 10.0, 1e9],
    "is_free_mail": [None, True, False],
}  # fmt: skip
ATOMS = st.sampled_from(
    [
        "country = 'DE'", "country in ('DE', 'AT')", "country <> 'AT'", "country not in ('DE', 'FR')",
        "country is null", "country is not null", "lower(country) = 'de'", "lower(country) in ('de', 'fr')",
        "coalesce(country, 'DE') = 'DE'", "country is distinct from 'DE'", "country is not distinct from null",
        "starts_with(postal_code, '1')", "starts_with(postal_code, '10')", "postal_code = '10'",
        "cast(state as int) = 3", "try_cast(state as int) = 3", "employees >= 10", "employees > 10", "employees < 11",
        "employees between 10 and 200", "employees = 10", "employees in (10, 11)", "employees <> 10", "10 <= employees",
        "revenue >= 10", "revenue > 9.5", "employees = revenue", "is_free_mail", "not is_free_mail",
        "is_free_mail = true", "length(country) = 2", "country like 'D%'", "source = lower(source)", "true",
        "case when country = 'DE' then employees > 10 else null end", "contains(source, country)",
    ]
)  # fmt: skip
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]} and {two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} or {two[1]})"),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=5,
)
TERRITORIES = st.sampled_from(
    [
        Territory(countries=("DE",)),
        Territory(countries=("DE", "AT"), postal_prefixes=("1", "201")),
        Territory(countries=("AT", "DE"), postal_prefixes=("10",)),
        Territory(states=("by", "X")),
        Territory(postal_prefixes=("1",)),
    ]
)


def leads() -> pd.DataFrame:
    """Every value of every column beside many others, in a fixed order."""
    count = 1009  # a prime, so that the columns' values meet one another in all ways
    return pd.DataFrame(
        {
            name: pd.Series(
                [choice[(i * (7 + place) // (place + 1)) % len(choice)] for i in range(count)], dtype=object
            )
            for place, (name, choice) in enumerate(VALUES.items())
        }
    )


LEADS: Final = leads()


@settings(max_examples=tried(150))
@given(EXPRESSIONS, st.lists(EXPRESSIONS, min_size=1, max_size=3))
@example("not (country is not null)", ["country is not null"])
def test_no_lead_ever_reaches_a_route_that_is_reported(later: str, earlier: list[str]) -> None:
    needed = proved(later, *earlier)
    if needed:
        found = match_rows({"later": later, **{str(each): earlier[each] for each in needed}}, LEADS, COLUMNS)
        assert not (found["later"] & ~found.drop(columns="later").any(axis=1)).any()


@settings(max_examples=tried(60))
@given(st.lists(st.tuples(st.none() | TERRITORIES, ATOMS), min_size=2, max_size=4))
def test_no_lead_ever_reaches_a_territory_that_is_reported(routes: list[tuple[Territory | None, str]]) -> None:
    territories = {f"t{n}": place for n, (place, _) in enumerate(routes) if place is not None}
    book = Playbook.model_validate(
        {
            "name": "test",
            "sources": {"web": {}},
            "reps": [{"name": "ana"}],
            "pools": [{"name": "sales", "members": [{"rep": "ana"}]}],
            "territories": territories,
            "routing": [
                {"name": f"r{n}", "when": when, "to": "pool sales", "territory": f"t{n}" if place else None}
                for n, (place, when) in enumerate(routes)
            ],
        }
    )
    found = match_routes(LEADS, book)
    conditions = [build_condition(when, COLUMNS, place) for place, when in routes]
    for n, condition in enumerate(conditions):
        if find_covering(condition, conditions[:n]):
            assert not any(names and names[0] == f"r{n}" for names in found)
