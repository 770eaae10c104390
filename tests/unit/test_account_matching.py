"""Which account a lead belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.matching.accounts import Account, Directory, Wanted


def account(domain: str, name: str, *more: str, parent: str | None = None, **values: Any) -> Account:
    return Account(domain, name, (domain, *more), parent, {"account_id": domain} | values)


ACCOUNTS = [
    account("acme.example", "Acme Holding AG", "acme.test", employees=900, account_owner="ana", account_tier="key"),
    account("acme-cloud.example", "Acme Cloud GmbH", parent="acme.example", employees=40),
    account("globex-de.example", "Globex GmbH", country="DE", employees=10),
    account("globex-us.example", "Globex Inc.", country="US", employees=20),
    account("gmail.com", "Freelancer"),
]  # fmt: skip
DIRECTORY = Directory(ACCOUNTS, frozenset({"gmail.com"}))


def find(*wanted: str | None, directory: Directory = DIRECTORY) -> list[tuple[str, int, bool]]:
    ties = ("has_owner", "same_country", "larger", "alphabetical")
    found = directory.find(Wanted(*wanted), threshold=92, shown_from=80, tie_breakers=ties)  # type: ignore[arg-type]
    return [(each.account.id, each.score, each.taken) for each in found]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("acme.example",), [("acme.example", 100, True)]),
        ((None, "acme.test"), [("acme.example", 100, True)]),
        ((None, None, "ACME CLOUD"), [("acme-cloud.example", 98, True)]),
        ((None, None, "Acme Clouds Ltd"), [("acme-cloud.example", 94, True)]),
        ((None, None, "Acne Cloud"), [("acme-cloud.example", 87, False)]),  # shown, not taken
        ((None, None, "Initech"), []),
        (("gmail.com",), []),
        # both are called so: the lead's country decides, else the larger one
        ((None, None, "Globex", "DE"), [("globex-de.example", 98, True), ("globex-us.example", 98, False)]),
        ((None, None, "Globex"), [("globex-us.example", 98, True), ("globex-de.example", 98, False)]),
        # a domain is better than a name
        (("acme.example", None, "Acme Cloud"), [("acme.example", 100, True), ("acme-cloud.example", 98, False)]),
    ],
)
def test_an_account_is_found(wanted: tuple[str | None, ...], expected: list[tuple[str, int, bool]]) -> None:
    assert find(*wanted) == expected


def test_what_broke_a_tie_is_told() -> None:
    found = DIRECTORY.find(
        Wanted(None, None, "Globex"), threshold=92, shown_from=80, tie_breakers=("has_owner", "larger")
    )
    assert [each.because for each in found] == ["its name, and it is the larger one", "its name"]


def test_a_subsidiary_has_what_it_lacks_from_its_parent() -> None:
    cloud = ACCOUNTS[1]
    assert DIRECTORY.find_inherited(cloud, ["account_owner", "employees"]) == {
        "account_owner": ("ana", "Acme Holding AG")
    }
    assert DIRECTORY.find_inherited(ACCOUNTS[0], ["country"]) == {}


def test_parents_that_go_round_in_a_circle_end() -> None:
    ring = [account("a.example", "A", parent="b.example"), account("b.example", "B", parent="a.example")]
    assert Directory(ring).find_inherited(ring[0], ["account_owner"]) == {}


@given(st.permutations(ACCOUNTS[:4]), st.sampled_from(["Globex", "Acme Cloud", "Acme Holdings", "globexx"]))
def test_the_order_of_the_file_changes_nothing(accounts: list[Account], company: str) -> None:
    assert find(None, None, company, directory=Directory(accounts)) == find(None, None, company)


def test_a_division_is_no_account_of_its_parent() -> None:
    telekom = Directory([account("telekom.example", "Deutsche Telekom AG")])
    assert find(None, None, "Deutsche Telekom IT GmbH", directory=telekom) == [("telekom.example", 87, False)]
    assert find(None, None, "Deutsche Telekom", directory=telekom) == [("telekom.example", 98, True)]
