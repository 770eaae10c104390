"""Who a rep is in a CRM: by ``crm_ids``, else by address; and why nobody is."""

from __future__ import annotations

import pytest

from leadgate.connectors.crm import CrmOwner
from leadgate.playbook import Rep
from tasks.crm.owners import CrmOwners

ANN = CrmOwner("7", "Ann", "Ann@Example.com ", True)
REP = Rep(name="ann", email="ann@example.COM")


def test_a_rep_is_found_by_address_however_it_is_written() -> None:
    assert CrmOwners("sales", [ANN]).find(REP) == "7"


def test_an_id_of_the_playbook_comes_before_the_address() -> None:
    other = CrmOwner("8", "Another", "other@example.com", True)
    rep = Rep(name="ann", email="ann@example.com", crm_ids={"sales": "8", "service": "9"})
    assert CrmOwners("sales", [ANN, other]).find(rep) == "8"
    assert CrmOwners("service", [ANN, other]).find(rep) is None


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        ([], "is not known"),
        ([ANN, CrmOwner("8", "Ann", "ann@example.com", True)], "2 users"),
        ([CrmOwner("7", "Ann", "ann@example.com", False)], "is not active"),
        ([CrmOwner("7", "Ann", "ann@example.com", True, is_queue=True)], "is not known"),
        ([CrmOwner("7", "Ann", None, True)], "is not known"),
    ],
    ids=["nobody", "two with one address", "inactive", "a queue", "without an address"],
)
def test_a_rep_whom_the_crm_cannot_tell_is_nobody_and_it_says_why(listed: list[CrmOwner], why: str) -> None:
    owners = CrmOwners("sales", listed)
    assert owners.find(REP) is None
    assert why in owners.explain(REP)


def test_a_user_who_has_left_is_no_second_one() -> None:
    assert CrmOwners("sales", [CrmOwner("6", "Ann", "ann@example.com", False), ANN]).find(REP) == "7"


def test_a_rep_without_an_address_is_told_as_such() -> None:
    owners = CrmOwners("sales", [ANN, CrmOwner("8", "Nobody", "", True)])
    assert owners.find(Rep(name="ann")) is None
    assert "no e-mail address" in owners.explain(Rep(name="ann"))
