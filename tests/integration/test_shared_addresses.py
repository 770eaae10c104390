"""One e-mail address of several persons: a role's, a family's, a successor's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Cli
from harness import NOW, Harness
from matching_ledger import ANN, RULES, after, item, reasons

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, match_keys


@pytest.fixture(autouse=True)
def rita(log_in: Callable[[str], None]) -> None:
    """Rita reviews."""
    log_in("rita")


@pytest.fixture
def harness(ledger: Ledger) -> Harness:
    return Harness(ledger, playbooks.parse(RULES, path=Path("tests.yaml")))


PETRA = {"Email": "info@acme.example", "First name": "Petra", "Last name": "Vogel", "Company": "Acme", "Phone": ""}
OMAR = PETRA | {"First name": "Omar", "Last name": "Haddad", "Phone": "+49301000999"}
FAMILY = {"Email": "keller@web.de", "First name": "Ute", "Last name": "Keller", "Company": "", "Phone": "+49301000888"}


@pytest.mark.parametrize(
    ("first", "second"),
    [(PETRA, OMAR), (FAMILY, FAMILY | {"First name": "Jan"}), (ANN, ANN | {"First name": "Eva", "Last name": "Roe"})],
    ids=["role", "family", "successor"],
)
def test_a_known_address_with_another_name_is_a_question(
    harness: Harness, first: dict[str, Any], second: dict[str, Any]
) -> None:
    after(harness, first)
    assert after(harness, second)[-1] == ("held", 2)
    ((reason, message),) = reasons(harness)
    assert reason == "likely_duplicate"
    assert "lead 1: the e-mail address is the same" in message
    assert "the name differs" in message
    assert harness.one("SELECT count(*) FROM lead_join") == 0


def test_persons_of_one_address_in_one_batch_are_told_apart(cli: Cli, harness: Harness) -> None:
    found = after(harness, PETRA, OMAR, PETRA | {"Message": "again"}, OMAR | {"Message": "again"})
    assert [status for status, _ in found] == ["owned", "held", "joined", "held"]
    for (number,) in harness.rows("SELECT id FROM work_item WHERE closed_at IS NULL ORDER BY id"):
        cli("review", f"W{number}", "--different", "--now", NOW, "--later")
    assert after(harness)[1] == ("owned", 2)
    # whoever was told apart is known again by the name, in any batch
    assert after(harness, OMAR | {"Message": "third"}, PETRA | {"Message": "third"})[4:] == [
        ("joined", 2),
        ("joined", 1),
    ]
    assert not reasons(harness)


def test_persons_of_one_private_address_are_told_apart(cli: Cli, harness: Harness) -> None:
    """A free-mail address names no company, by which the second person could be found."""
    son = FAMILY | {"First name": "Jan", "Phone": ""}
    after(harness, FAMILY, son)
    cli("review", f"W{item(harness)}", "--different", "--now", NOW)
    lead = after(harness)[1][1]
    found = after(harness, son | {"Message": "again"}, FAMILY | {"Message": "again"})
    assert [lead_id for _, lead_id in found[2:]] == [lead, 1]
    with harness.ledger.transaction() as connection:
        match_keys.compute_again(connection, harness.ledger.key)
    assert after(harness, son | {"Message": "third"})[-1][1] == lead


def test_another_name_that_a_person_said_is_the_same_is_not_asked_about_again(cli: Cli, harness: Harness) -> None:
    after(harness, FAMILY, FAMILY | {"First name": "Jan"})
    cli("review", f"W{item(harness)}", "--same", 1, "--now", NOW)
    assert after(harness)[1][1] == 1
    assert after(harness, FAMILY | {"First name": "Jan", "Message": "again"})[-1][1] == 1
    assert not reasons(harness)


def test_a_playbook_may_have_everybody_of_one_address_joined(ledger: Ledger) -> None:
    rules = RULES.replace("  likely: [phone, name]\n", "  likely: [phone, name]\n  shared_address: join\n")
    assert after(Harness(ledger, playbooks.parse(rules, path=Path("tests.yaml"))), PETRA, OMAR)[-1] == ("joined", 1)
