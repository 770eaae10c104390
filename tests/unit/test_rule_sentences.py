"""The rules of a playbook as sentences."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.display_names import DisplayNames
from console.rule_sentences import RuleSection, list_sections
from leadgate import playbook as playbooks
from leadgate.playbook import Playbook

CHANGED = {
    "sla: half_hour": "sla: one_hour",
    "first_touch: 30m": "first_touch: 30m\n    accept_within: 15m",
    "  sales_qualified_by: threshold ": "  requires: {sales_qualified: [budget, need]}\n  sales_qualified_by: acceptance ",
    "    reading: {max_points: 25} ": "    reading: {max_points: 25, min_points: -5} ",
    "    when_away: pass_on\n    why: they know": "    when_away: manager\n    why: they know",
}


@pytest.fixture(scope="module")
def book() -> Playbook:
    return playbooks.load_default().playbook


def build(book: Playbook) -> list[RuleSection]:
    return list_sections(book, DisplayNames(book))


def find(sections: list[RuleSection], name: str) -> str:
    return next(rule.sentence for section in sections for rule in section.rules if rule.name == name)


def test_every_rule_of_the_bundled_playbook_is_a_sentence_without_code(book: Playbook) -> None:
    sections = build(book)
    told = [rule for section in sections for rule in section.rules]
    qualification = book.qualification
    written = [
        *(rule.name for rule in (*book.scoring.fit, *book.scoring.engagement)),
        *(rule.name for rule in qualification.disqualify),
        *("sales_qualified", "marketing_qualified", "review", "nurture"),
        *(route.name for route in book.routing),
        *(pool.name for pool in book.pools),
        *(priority.name for priority in book.follow_up.priorities),
        *(sla.name for sla in book.slas),
    ]
    assert [rule.name for rule in told] == written
    assert len({rule.key for rule in told}) == len(told)
    for text in (*(rule.sentence for rule in told), *(note for section in sections for note in section.notes)):
        assert text[-1] == "."
        assert not re.search(r"`|\bnull\b|regexp|lower\(|None|\(\)", text), text


def test_sentences_have_the_numbers_of_their_rules(book: Playbook) -> None:
    sections = build(book)
    assert find(sections, "size_medium") == "12 points when the number of employees is from 200 to 999."
    assert find(sections, "free_mail").startswith("10 points less when")
    assert "at most 15; worth half after each 7 d" in find(sections, "pricing_page_view")
    assert find(sections, "sales_qualified").startswith("From a score of 55 on")
    assert "down to 48" in find(sections, "sales_qualified")
    assert "from 28 to 34" in find(sections, "review")
    assert "Maya Johnson (weight 3)" in find(sections, "velocity")
    assert "postal code begins with 1, 20, 21 or 22" in find(sections, "large_and_near")
    assert "within 30 min" in find(sections, "half_hour")
    assert "after 1 h somebody else gets the lead" in find(sections, "half_hour")


def test_what_else_a_playbook_may_say_is_told(book: Playbook) -> None:
    text = playbooks.load_default().text
    for before, after in CHANGED.items():
        assert before in text, before
        text = text.replace(before, after, 1)
    sections = build(playbooks.parse(text, path=Path("playbook.yaml")).playbook)
    assert "budget and need must be known" in find(sections, "sales_qualified")
    assert "once its rep accepts it" in find(sections, "sales_qualified")
    assert "their manager gets it" in find(sections, "returning")
    assert "an answer (accepted, rejected or touched) within 15 min" in find(sections, "half_hour")
    assert "Without an answer, after 15 min the owner's manager is told" in find(sections, "half_hour")
    assert "at most 25 points and at least -5 points" in " ".join(note for each in sections for note in each.notes)


def test_names_of_people_are_those_of_the_playbook(book: Playbook) -> None:
    reps = tuple(
        rep.model_copy(update={"label": "Zoë <b>"}) if rep.name == "maya_johnson" else rep for rep in book.reps
    )
    assert "Zoë <b> (weight 3)" in find(build(book.model_copy(update={"reps": reps})), "velocity")
