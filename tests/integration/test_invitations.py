"""One-time links: who makes them, and what ends them. What using one does is in ``test_accounts``."""

from __future__ import annotations

import pytest
from harness import NOW

from leadgate.actors import Actor, ActorError
from leadgate.ledger import Ledger
from leadgate.ledger.account_rows import Account
from leadgate.ledger.accounts import add_account, set_password
from leadgate.ledger.invitations import LinkError, create_link, use_link
from leadgate.vocabulary import Role

PASSWORD, ANOTHER = "correct horse battery", "staple of the other battery"
ADMIN = Actor("root", roles=frozenset({Role.ADMIN}))
pytestmark = pytest.mark.usefixtures("cheap_passwords")


@pytest.fixture
def kim(ledger: Ledger) -> Account:
    return add_account(ledger, login="kim", name="Kim", roles={Role.REVIEWER}, password=PASSWORD, by=ADMIN, now=NOW)


def test_another_password_ends_the_links_that_could_set_one(ledger: Ledger, kim: Account) -> None:
    token = create_link(ledger, NOW, account_id=kim.id, by=ADMIN)
    set_password(ledger, "kim", ANOTHER, by=ADMIN, now=NOW)
    with pytest.raises(LinkError):
        use_link(ledger, token, NOW, password=PASSWORD)


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMIN])
def test_a_link_for_somebody_is_made_by_who_manages_accounts(ledger: Ledger, kim: Account, role: Role) -> None:
    with pytest.raises(ActorError):
        create_link(ledger, NOW, account_id=kim.id, by=Actor("kim", roles=frozenset({role}), login="kim"))
