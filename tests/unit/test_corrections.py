"""Corrections: what validation would not take is told before it is stored, with the nearest right value."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from leadgate.corrections import Corrected, find_correction_problems
from leadgate.playbook import Playbook

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
BOOK = Playbook.model_validate(
    {
        "name": "test",
        "sources": {"web": {"default_country": "DE"}},
        "fields": {"seats": {"type": "integer"}},
        "validation": {"required": ["company"]},
        "reps": [{"name": "ana"}],
        "pools": [{"name": "sales", "members": [{"rep": "ana"}]}],
        "routing": [{"name": "everybody", "to": "pool sales"}],
    }
)


def found(lives_in: str | None = None, /, **corrections: str) -> dict[str, str]:
    (problems,) = find_correction_problems([Corrected(corrections, "web", lives_in)], BOOK, NOW)
    return problems


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nonsense"), ("phone", "12"), ("country", "Nowhereland"), ("website", "no site"), ("seats", "many"),
        ("company", ""),
    ],
)  # fmt: skip
def test_what_validation_would_not_take_is_a_problem_of_its_field(field: str, value: str) -> None:
    assert list(found(**{field: value})) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "jane@acme.example"), ("phone", "+49 30 901820"), ("phone", "030 901820"), ("country", "Germany"),
        ("seats", "1,200"), ("email", ""), ("job_title", "Chief"), ("website", "acme.example"),
    ],
)  # fmt: skip
def test_what_validation_takes_is_none(field: str, value: str) -> None:
    assert found(**{field: value}) == {}


def test_the_nearest_right_value_is_named() -> None:
    assert "did you mean 'jo@gmail.com'" in found(email="jo@gmial.com")["email"]


def test_a_number_is_read_as_from_the_leads_country() -> None:
    assert found("GB", phone="020 7946 0018") == {}
    assert found("GB", phone="020 7946 0018", country="") == found(phone="020 7946 0018")


def test_each_of_several_leads_has_problems_of_its_own_corrections_alone() -> None:
    leads = [
        Corrected({"email": "jo@gmial.com"}, "web", None),
        Corrected({"phone": "020 7946 0018"}, "web", "GB"),
        Corrected({"phone": "12", "company": ""}, "web", "GB"),
    ]
    assert [list(each) for each in find_correction_problems(leads, BOOK, NOW)] == [["email"], [], ["phone", "company"]]
    assert find_correction_problems([], BOOK, NOW) == []
