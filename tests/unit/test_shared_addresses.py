"""Whether one e-mail address is of two persons, as far as names and phone numbers tell."""

from __future__ import annotations

from typing import Any

import pytest
from made_persons import RULES, human

from leadgate.matching.persons import compare, decide_certainty, shares_address


@pytest.mark.parametrize(
    ("one", "other", "phones", "shared"),
    [
        ("Ann Lee", "Ann Lee", "differs", False),
        ("Bill Roe", "William Roe", "differs", False),
        ("A. Lee", "Ann Lee", "differs", False),
        ("Ann Marie Lee", "Marie Lee", "differs", False),
        ("Jean-Pierre Roux", "Jeanpierre Roux", "differs", False),
        ("Lee Ann", "Ann Lee", "differs", False),
        ("Katharina Vogel", "Kathrina Vogle", "unknown", False),
        ("Ann Lee", "Ann Roe", "same", False),  # married
        ("Ann Lee", "Ann Roe", "differs", True),  # Ann's successor is called Ann, too
        ("Ann Lee", "Ann Lee-Roe", "differs", False),
        ("Ann Lee", "Bob Lee", "same", True),  # a family
        ("Ann Lee", "Bob Roe", "unknown", True),
        ("John Smith", "John Smith Jr", "unknown", True),
        ("Ann", "Ann Lee", "differs", False),
        ("Bob", "Ann Lee", "unknown", True),
        ("", "Ann Lee", "differs", False),
        ("annlee", "Bob Roe", "differs", False),  # only repeats the address
        ("王 伟", "Wei Wang", "differs", False),
    ],
)
def test_two_names_beside_one_address(one: str, other: str, phones: str, shared: bool) -> None:
    numbers = {"same": ("+491", "+491"), "differs": ("+491", "+492"), "unknown": ("+491", None)}[phones]
    pair = []
    for lead, (name, phone) in enumerate(zip((one, other), numbers, strict=True), start=1):
        *given, last = name.replace(" Jr", "_Jr").split(" ") if " " in name else (name, "")
        last = last.replace("_", " ")
        pair.append(human(lead, phone=phone, first_name=" ".join(given) or None, last_name=last or None))
    assert shares_address(*pair, compare(*pair)) is shared
    assert shares_address(*reversed(pair), compare(*reversed(pair))) is shared
    expected = "likely" if shared else "certain"
    assert decide_certainty(*pair, compare(*pair), RULES, phone_shared=False) == expected


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({}, {}, False),
        ({}, {"first_name": "Bob", "last_name": "Roe"}, True),
        ({}, {"last_name": "Roe"}, True),  # nobody marries beside a role's address
        ({}, {"first_name": None, "last_name": None, "phone": None}, False),
        ({}, {"first_name": None, "last_name": None, "phone": "+499"}, True),
    ],
)
def test_an_address_of_a_role(one: dict[str, Any], other: dict[str, Any], shared: bool) -> None:
    role = {"email_canonical": "info@acme.example", "is_role_address": True}
    pair = human(1, **role, **one), human(2, **role, **other)
    assert shares_address(*pair, compare(*pair)) is shared
