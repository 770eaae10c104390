"""Which routes a lead matches, by territories and expressions, and what a decision keeps of what it read."""

from __future__ import annotations

from typing import Any

import orjson
import pandas as pd
import pytest

from leadgate.assignment.route_matching import format_inputs, list_route_fields, match_routes
from leadgate.playbook import Playbook, Territory


def playbook(*routes: dict[str, Any], **more: Any) -> Playbook:
    return Playbook.model_validate(
        {
            "name": "test",
            "sources": {"web": {}},
            "fields": {"seats": {"type": "integer"}, "use_case": {}},
            "reps": [{"name": "ana"}],
            "pools": [{"name": "sales", "members": [{"rep": "ana"}], "language": "preferred"}],
            "territories": {
                "north": {"countries": ["DE"], "postal_prefixes": ["1", "20"]},
                "bavaria": {"states": ["Bayern", "BY"]},
                "london": {"countries": ["GB"], "postal_prefixes": ["sw1", "EC"]},
            },
            "routing": [{"to": "pool sales", **route} for route in routes],
            **more,
        }
    )


PLACES = pd.DataFrame(
    {
        "country": ["DE", "DE", "AT", "DE", "GB", "GB", None],
        "state": [None, " bayern", "BY", "Berlin", None, "x", ""],
        "postal_code": ["10115", "80331", "1010", None, "SW1A 1AA", "s w1", "10115"],
        "employees": [5, 500, 500, None, 500, 5, 500],
    }
)


def test_a_territory_asks_for_country_state_and_postal_code_as_it_names_them() -> None:
    book = playbook(
        {"name": "north", "territory": "north"},
        {"name": "bavaria", "territory": "bavaria"},
        {"name": "london", "territory": "london"},
        {"name": "large_in_bavaria", "territory": "bavaria", "when": "employees >= 100 and country = 'DE'"},
    )
    assert match_routes(PLACES, book)["routes"].tolist() == [
        ("north",),
        ("bavaria", "large_in_bavaria"),
        ("bavaria",),
        (),
        ("london",),
        ("london",),
        (),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [({}, "needs countries, states or postal_prefixes"), ({"postal_prefixes": [" "]}, "an empty state or postal")],
)
def test_a_territory_is_somewhere(content: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Territory.model_validate(content)


def test_a_decision_keeps_what_its_rule_read_and_nothing_personal() -> None:
    book = playbook(
        {"name": "north", "territory": "north", "when": "seats > 3 and contains(use_case, 'x')"},
        {"name": "owned", "when": "email_domain = 'a.example' or city is not null", "to": "account_owner"},
        {"name": "rest", "when": "true"},
        {"name": "named", "when": "true", "to": "rep ana"},
    )
    assert list_route_fields(book.routing[0], book) == ["country", "language", "postal_code", "seats", "use_case"]
    frame = pd.DataFrame(
        {
            "country": ["DE", "DE", "DE", "DE", "DE"], "postal_code": ["10115", None, "1", "2", "3"],
            "seats": [5, None, 3, 4, 4], "use_case": ["call +49 30 1234567", "", None, "x", "x"],
            "city": ["Ulm " * 40, "call jane@acme.example", None, None, None],
            "email_domain": ["a.example"] * 5, "account_owner": [None, "ana@ours.example", "ana", None, None],
            "language": ["de", None, "fr", None, None],
        }
    )  # fmt: skip
    kept = [
        None if each is None else orjson.loads(each)
        for each in format_inputs(frame, pd.Series(["north", "owned", "rest", "named", None]), book)
    ]
    assert kept[0] == {
        "country": "DE", "language": "de", "postal_code": "(given)", "seats": 5, "use_case": "(given)"
    }  # fmt: skip
    assert kept[1] == {
        "account_owner": "a•••@ours.example",
        "city": "call j•••@acme.example",
        "email_domain": "a.example",
    }
    assert kept[2] == {"language": "fr"}
    assert kept[3:] == [None, None]
