"""The page of a replay: names of playbooks, routes, reps and reasons are text in it, and nothing in it runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from harness import PLAYBOOK

from console.display_names import DisplayNames
from console.replay.tables import Shown, build_sections, list_tables
from console.report.page import render_page
from leadgate import playbook as playbooks
from leadgate.replay.comparison import ChangedJourney, Comparison, End, JourneyEnd, Kind
from leadgate.replay.limits import find_exceeded, read_limit
from leadgate.vocabulary import StageName
from tasks.replay.results import ReplayResult
from tasks.replay.self_check import Difference, NotMade, SelfCheck

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)> \x1b[2J\u202e & 'a'"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Elements(HTMLParser):
    """The elements of a page, and the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def build_shown(word: str, **changed: object) -> Shown:
    """A replay in which ``word`` stands wherever a text of a playbook or of the ledger does."""
    before = JourneyEnd(
        End.OWNED, "assignment", score=40, contributions={word: 3}, owner=word, route=word, pool=word, due_at=AT
    )
    after = JourneyEnd(End.HELD, "assignment", reason=word, score=10, contributions={word: 1})
    comparison = Comparison(
        journeys=10,
        ends={(End.OWNED, End.HELD): 2, (End.OWNED, End.OWNED): 8},
        kinds={Kind.DROPPED: 2, Kind.OTHER_OWNER: 3},
        newly_held={word: 2},
        no_longer_held={word: 1},
        owned_both=8,
        owners_changed={(word, word + "2"): 3},
        loads={word: (5, 3), "cyn": (5, 5)},
        due_hours={9: (5, 2), 10: (5, 5)},
        dropped=[1, 2],
        uncertain=0,
        told=[ChangedJourney(1, Kind.DROPPED, AT, before, after)],
    )
    check = SelfCheck(
        decisions=20, differences=[Difference(3, 0, StageName.ASSIGNMENT, "route", word, word)], different={3},
        not_made=[NotMade(4, StageName.ASSIGNMENT, word)],
    )  # fmt: skip
    draft = playbooks.parse(PLAYBOOK, path=Path("tests.yaml"))
    result = ReplayResult(
        replace(draft, path=Path(word)), AT, None, False, replace(comparison, **changed), check, {word: 2}, ()
    )
    exceeded = find_exceeded(comparison, {"max-dropped": read_limit("5%")})
    return Shown(result, DisplayNames(draft.playbook), "UTC", exceeded, [word])


def render(shown: Shown, word: str = "A draft") -> str:
    return render_page(build_sections(shown), word, word)


def test_names_are_text_and_never_markup() -> None:
    plain = Elements(render(build_shown("plain")))
    page = render(build_shown(HOSTILE), HOSTILE)
    hostile = Elements(page)
    assert hostile.tags == plain.tags
    assert hostile.attributes == plain.attributes
    assert "script" not in hostile.tags
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page


def test_a_page_fetches_nothing() -> None:
    page = render(build_shown("plain"))
    assert "default-src 'none'" in page
    assert {"src", "srcset", "data", "action"}.isdisjoint(Elements(page).attributes)
    assert "http:" not in page
    assert "https:" not in page


def test_the_self_check_is_first_and_limits_gone_beyond_follow() -> None:
    keys = [section.key for section in build_sections(build_shown("plain"))]
    assert keys == ["check", "limits", "changes", "told"]
    assert [row["again"] for row in build_sections(build_shown("plain"))[0].tables[0].rows] == ["plain"]


def test_decisions_that_cannot_be_made_again_are_named_with_the_reason() -> None:
    (check, *_) = build_sections(build_shown("plain"))
    assert [(row["journey"], row["why"]) for row in check.tables[1].rows] == [("J4", "plain")]


@pytest.mark.parametrize("key", ["kinds", "ends", "newly_held", "owners", "loads", "due_hours", "dropped_became"])
def test_what_differs_has_a_picture_beside_its_rows(key: str) -> None:
    (table,) = (each for each in list_tables(build_shown("plain")) if each.key == key)
    assert table.rows
    assert table.chart.count("<svg") == 2, "one for a phone and one for a screen"


def test_pairs_are_drawn_to_one_scale_and_say_their_numbers() -> None:
    (loads,) = (each for each in list_tables(build_shown("plain")) if each.key == "loads")
    assert "plain, as recorded: 5" in loads.chart.lower()
    assert "plain, by the draft: 3" in loads.chart.lower()
    (hours,) = (each for each in list_tables(build_shown("plain")) if each.key == "due_hours")
    assert [row["hour"] for row in hours.rows] == ["09:00"], "an hour that stays as it is is no difference"
    assert "10, by the draft: 5" in hours.chart


def test_a_draft_that_changes_nothing_has_no_empty_pictures() -> None:
    nothing = {"ends": {(End.OWNED, End.OWNED): 10}, "kinds": {}, "newly_held": {}, "no_longer_held": {}}
    same = build_shown("plain", **nothing, owners_changed={}, loads={}, due_hours={9: (5, 5)}, told=[])
    assert [table.key for table in list_tables(same) if table.rows] == ["dropped_became"]
    assert "None of 10 journeys differs" in render(same)
