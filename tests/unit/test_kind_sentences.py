"""The rules of opportunities, renewals and expansions as sentences, and what differs between two playbooks in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.display_names import DisplayNames
from console.kind_sentences import list_kind_sections
from console.playbook_changes import REST, ChangeKind, compare_playbooks
from console.rule_sentences import RuleSection
from leadgate import playbook as playbooks
from leadgate.playbook import Playbook

CHANGED = {
    "moves: any ": "moves: {prospecting: [discovery]} ",
    "to: manager, why: the forecast falls": "to: rep maya_johnson, why: the forecast falls",
    "conflict: review": "conflict: join\n    new_leads: {when: account_tier = 'customer', source: expansion_signals}",
    "stale_after: 30d": "stale_after: 25d",
    "window: 90d": "window: 100d",
    "{name: usage_falls, when: usage < 0.8, points: -30": "{name: usage_falls, when: usage < 0.8, points: -35",
}


@pytest.fixture(scope="module")
def book() -> Playbook:
    return playbooks.load_default().playbook


@pytest.fixture(scope="module")
def changed() -> Playbook:
    text = playbooks.load_default().text
    for before, after in CHANGED.items():
        assert before in text, before
        text = text.replace(before, after, 1)
    return playbooks.parse(text, path=Path("playbook.yaml")).playbook


def build(book: Playbook) -> list[RuleSection]:
    return list_kind_sections(book, DisplayNames(book))


def find(book: Playbook, kind: str, name: str) -> str:
    return next(
        rule.sentence
        for section in build(book)
        if section.title.startswith(kind)
        for rule in section.rules
        if rule.name == name
    )


def test_every_rule_about_records_of_the_bundled_playbook_is_a_sentence(book: Playbook) -> None:
    sections = build(book)
    told = {(section.about, rule.name) for section in sections for rule in section.rules}
    for kind in ("opportunity", "renewal", "expansion"):
        part = getattr(book.kinds, kind)
        rules = (*part.scoring.fit, *part.scoring.engagement, *part.routing, *part.slas, *part.follow_up.priorities)
        assert {(kind, rule.name) for rule in rules} <= told
    opportunity, expansion = book.kinds.opportunity, book.kinds.expansion
    assert opportunity is not None
    assert expansion is not None
    named = (*opportunity.sales_stages, *opportunity.approvals, *opportunity.tell)
    assert {("opportunity", each.name) for each in named} <= told
    assert {("expansion", trigger) for trigger in expansion.triggers} <= told
    for text in (rule.sentence for section in sections for rule in section.rules):
        assert text[-1] == "."
        assert not re.search(r"\bnull\b|None|\(\)|\blead\b|-1,?000", text), text


def test_sentences_have_the_words_and_numbers_of_their_rules(book: Playbook) -> None:
    evaluation = find(book, "Opportunities", "evaluation")
    assert "best case" in evaluation
    assert "50 %" in evaluation
    assert "“Trial”" in evaluation
    assert "need must be known" in evaluation
    assert "within 10 d" in evaluation
    assert "After 21 d without an update the owner is asked" in evaluation
    assert find(book, "Opportunities", "large").endswith("when the amount is at least 100,000.")
    assert "is told when the change of the amount is at most -20,000" in find(book, "Opportunities", "amount_falls")
    assert "90 d before" in find(book, "Renewals", "window")
    assert find(book, "Renewals", "churned").endswith("“Churned”, “Cancelled” or “Terminated”.")
    assert find(book, "Renewals", "every_score").startswith("Every renewal goes on")
    assert (
        find(book, "Expansions", "marketing_qualified") == "From a score of 15 on, an expansion is marketing-qualified."
    )


def test_what_else_a_section_may_say_is_told(changed: Playbook) -> None:
    assert "after prospecting: discovery" in find(changed, "Opportunities", "moves")
    assert find(changed, "Opportunities", "amount_falls").startswith("Maya Johnson is told")
    assert "the account tier is “customer”" in find(changed, "Expansions", "new_leads")
    assert "gets the sign" in find(changed, "Expansions", "conflict")


def test_a_playbook_without_kinds_has_no_such_sections(book: Playbook) -> None:
    assert build(book.model_copy(update={"kinds": type(book.kinds)()})) == []


def test_what_differs_is_told_once_and_in_words(book: Playbook, changed: Playbook) -> None:
    found = compare_playbooks(book, changed)
    assert {(each.section, each.name, each.kind) for each in found} == {
        ("Opportunities: what is decided", "prospecting", ChangeKind.CHANGED),
        ("Opportunities: what is decided", "moves", ChangeKind.CHANGED),
        ("Opportunities: what is decided", "amount falls", ChangeKind.CHANGED),
        ("Renewals: what is decided", "window", ChangeKind.CHANGED),
        ("Renewals: fit", "usage falls", ChangeKind.CHANGED),
        ("Expansions: what is decided", "new leads", ChangeKind.ADDED),
        ("Expansions: what is decided", "conflict", ChangeKind.CHANGED),
    }
    (stage,) = [each for each in found if each.name == "prospecting"]
    assert "30 d" in str(stage.before)
    assert "25 d" in str(stage.after)


def test_a_kind_that_is_new_is_told_by_its_rules(book: Playbook) -> None:
    without = book.model_copy(update={"kinds": book.kinds.model_copy(update={"renewal": None})})
    found = compare_playbooks(without, book)
    assert {each.kind for each in found} == {ChangeKind.ADDED}
    assert REST not in {each.section for each in found}
    assert "Renewals: routing" in {each.section for each in found}
