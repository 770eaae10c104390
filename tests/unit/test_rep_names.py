"""Which rep a word means: the same wherever a file, a form or a CRM names somebody."""

from __future__ import annotations

from typing import Any

import pytest

from leadgate.playbook import Rep
from leadgate.playbook.rep_names import RepNames

REPS: list[dict[str, Any]] = [
    {"name": "ana", "label": "Ana López", "email": "ana@acme.example", "crm_ids": {"hubspot": "77"}, "manager": "Mia"},
    {"name": "bob", "label": "Sam", "manager": "mia@acme.example"},
    {"name": "cyn", "label": "Sam", "manager": "the board"},
    {"name": "dan", "label": "Ana"},
    {"name": "mia", "email": "mia@acme.example"},
]


@pytest.fixture
def names() -> RepNames:
    return RepNames(Rep.model_validate(rep) for rep in REPS)


@pytest.mark.parametrize(
    ("told", "rep"),
    [
        ("ana", "ana"),
        (" ANA  lópez ", "ana"),
        ("Ana@Acme.example", "ana"),
        ("77", "ana"),
        ("bob", "bob"),
        ("Sam", None),  # two reps are called so
        ("Ana", "ana"),  # a name is its rep's, whatever another is called
        ("nobody", None),
        ("", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_a_rep_is_known_by_all_that_they_are_called(names: RepNames, told: object, rep: str | None) -> None:
    assert names.find(told) == rep


def test_a_manager_is_a_rep_however_the_playbook_names_them(names: RepNames) -> None:
    assert [names.find_manager(rep) for rep in ("ana", "bob", "cyn", "mia", None)] == ["mia", "mia", None, None, None]
