"""A record explained: the four questions on the screen and on its page, and the list of records."""

from __future__ import annotations

from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from console_site import ConsoleSite
from harness import NOW, Harness, make_lead
from made_records import insert_opportunities

from leadgate.vocabulary import Role

QUESTIONS = (
    "What triggered it?",
    "Who owns it, and why them?",
    "What evidence proves it worked?",
    "What happens when the normal path fails?",
)


@pytest.fixture
def records(harness: Harness) -> dict[str, int]:
    """Five opportunities beside a lead: the numbers of the records, by what is told of them."""

    def work() -> None:
        harness.capture(make_lead(1))
        harness.run()
        with harness.ledger.transaction() as connection:
            insert_opportunities(connection, 5, ["ana", "bob", "cyn"], NOW)

    harness.begin_with("opportunities to explain", work)
    names = ("held", "won", "slipped", "touched", "owned")
    return dict(zip(names, (row[0] for row in harness.rows("SELECT id FROM record ORDER BY key")), strict=True))


def read_answers(cli: Cli, reference: str) -> dict[str, str]:
    found = read_json(cli("explain", reference, "--json", "--now", NOW))["answers"]
    return {each["question"]: str(each["answer"]) for each in found}


def test_the_four_questions_are_answered_of_a_record(records: dict[str, int], cli: Cli) -> None:
    answers = read_answers(cli, f"R{records['slipped']}")
    assert tuple(answers) == QUESTIONS
    trigger, owner, evidence, failure = answers.values()
    assert "as version 1" in trigger
    assert "'field': 'amount', 'from': 'nothing', 'to': '1,002'" in trigger
    assert "cyn has had it since" in owner
    assert "The record names them" in owner
    assert "has_company" in evidence.replace(" ", "_")  # the score
    assert "'fact': 'amount change', 'value': '1000'" in evidence
    assert "'stage': 'qualification', 'outcome': 'continued'" in evidence
    assert "It slipped: it was to close" in failure


def test_a_held_record_says_who_decides_and_how(records: dict[str, int], cli: Cli, harness: Harness) -> None:
    item, journey = harness.rows("SELECT work_item_id, id FROM journey WHERE status = 'held'")[0]
    answers = [read_answers(cli, reference) for reference in (f"R{records['held']}", f"W{item}", f"J{journey}")]
    assert answers[0] == answers[1] == answers[2]
    failure = answers[0][QUESTIONS[3]]
    assert "The close date was pushed" in failure
    assert "mia decides" in failure
    assert f"review W{item}" in failure or f"rerun W{item}" in failure


def test_the_story_is_printed_with_its_versions(records: dict[str, int], cli: Cli) -> None:
    shown = join_lines(cli("explain", f"R{records['touched']}", "--now", NOW))
    assert all(question in shown for question in QUESTIONS)
    assert f"R{records['touched']} Deal 3 (Acme 3): opportunity of" in shown
    assert "First touch by" in shown
    assert "Told for the first time." in shown


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ((), ("held", "slipped", "touched", "owned", "won")),
        (("--open",), ("held", "slipped", "touched", "owned")),
        (("--kind", "opportunity", "--owner", "cyn"), ("slipped",)),
        (("--kind", "renewal"), ()),
    ],
    ids=["all", "open", "owner", "kind"],
)
def test_records_are_listed(
    records: dict[str, int], cli: Cli, options: tuple[str, ...], names: tuple[str, ...]
) -> None:
    found = read_json(cli("records", "--json", *options))["records"]
    assert [each["id"] for each in found] == [records[name] for name in names]
    shown = cli("records", *options).stdout
    assert all(f"R{records[name]}" in shown for name in names)


def test_a_list_goes_on_where_it_is_cut(records: dict[str, int], cli: Cli) -> None:
    assert read_json(cli("records", "--json", "--limit", 2))["more"]
    assert "There are more" in cli("records", "--limit", 2).stdout
    assert "no kind of record" in cli("records", "--kind", "lead", code=2).stderr


def test_a_record_has_a_page(records: dict[str, int], console: ConsoleSite, harness: Harness) -> None:
    mia = console.sign_in("mia", Role.MANAGER, rep="mia")
    page = mia.get(f"/records/{records['slipped']}")
    assert page.status == 200
    assert page.texts("//section//h2") == [*QUESTIONS]
    assert "Deal 2" in page.words
    assert "It slipped" in page.words
    held = mia.get(f"/records/R{records['held']}")
    assert held.tree.xpath("//a[starts-with(@href, '/queue/')]")
    journey = harness.one("SELECT id FROM journey WHERE record_id = :id", id=records["slipped"])
    moved = mia.get(f"/leads/J{journey}")
    before = mia.get(f"/forecast/R{records['slipped']}")
    assert moved.texts("//h1") == before.texts("//h1") == ["Deal 2"]
    assert before.address.endswith(f"/records/R{records['slipped']}")


@pytest.mark.parametrize(
    ("login", "role", "seen"),
    [
        ("ana", Role.REP, {"held", "touched"}),
        ("cyn", Role.REP, {"slipped"}),
        ("rita", Role.REVIEWER, {"held"}),
        ("petra", Role.PRIVACY_OFFICER, set()),
    ],
)
def test_who_sees_a_record(
    records: dict[str, int], console: ConsoleSite, login: str, role: Role, seen: set[str]
) -> None:
    browser = console.sign_in(login, role, rep=login if role is Role.REP else None)
    assert {name for name, number in records.items() if browser.get(f"/records/{number}").status == 200} == seen
    nobody: Any = browser.get("/records/999999")
    assert nobody.status in (403, 404)
