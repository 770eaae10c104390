"""A source that goes quiet is one work item until enough comes again; what a CRM asks stays open meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, PLAYBOOK, Harness, make_lead

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.sla.hours import make_clock
from tasks.crm.delivery import open_once
from tasks.crm.items import build_unreachable
from tasks.quiet_sources import check_quiet_sources, find_window_start

DAY = timedelta(days=1)
ROUTES = "exceptions:\n  - {to: marketing, reasons: [source_quiet]}\n"


def parse(expects: str) -> LoadedPlaybook:
    """The playbook with what is expected of the source ``quiet``."""
    text = PLAYBOOK.replace("exceptions:\n", ROUTES).replace("sources:\n", f"sources:\n  quiet: {{{expects}}}\n", 1)
    return playbooks.parse(text, path=Path("tests.yaml"))


@pytest.fixture
def harness(ledger: Ledger) -> Harness:
    return Harness(ledger, parse("expects: {at_least: 2, within: 24h}"))


def check(harness: Harness, now: datetime) -> int:
    return check_quiet_sources(harness.ledger, harness.loaded, now)


def list_items(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.rows("SELECT source, route, closed_by FROM work_item WHERE reason = 'source_quiet' ORDER BY id")


def test_a_source_that_goes_quiet_is_one_work_item_until_enough_comes_again(harness: Harness) -> None:
    harness.capture(make_lead(1), source="quiet")
    harness.run()
    activated = harness.one("SELECT min(activated_at) FROM playbook_version")
    assert check(harness, activated + timedelta(hours=23)) == 0
    late = activated + 2 * DAY
    assert [check(harness, late), check(harness, late + timedelta(minutes=5))] == [1, 0]
    assert list_items(harness) == [("quiet", "marketing", None)]
    ((message,),) = harness.rows("SELECT message FROM work_item WHERE reason = 'source_quiet'")
    assert "at least 2 are expected" in message
    harness.run(late)  # a check of owned leads
    assert list_items(harness) == [("quiet", "marketing", None)]
    for number in (2, 3):
        harness.capture(make_lead(number), source="quiet", now=late)
    assert check(harness, late + timedelta(minutes=10)) == 0
    assert list_items(harness) == [("quiet", "marketing", "leadgate")]
    assert check(harness, late + 2 * DAY) == 1
    assert harness.find_broken() == []


def test_what_is_not_expected_any_more_is_not_asked(harness: Harness) -> None:
    late = NOW + 400 * DAY
    harness.capture(make_lead(1), source="quiet")
    harness.run()
    assert check(harness, late) == 1
    harness = Harness(harness.ledger, parse(""))
    assert check(harness, late) == 0
    assert list_items(harness) == [("quiet", "marketing", "leadgate")]


def test_a_weekend_is_no_silence_where_working_hours_count(harness: Harness) -> None:
    hours = next(iter(harness.loaded.playbook.hours.values()))
    clock = make_clock(hours)
    monday = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
    since = find_window_start(clock, timedelta(hours=8), monday)
    assert since < monday - 2 * DAY
    assert abs(clock.measure_between(since, monday) - timedelta(hours=8)) <= timedelta(minutes=1)
    assert find_window_start(make_clock(None), timedelta(hours=8), monday) - (monday - timedelta(hours=8)) < DAY / 1440


def test_a_check_of_owned_leads_closes_nothing_that_is_about_a_crm(harness: Harness) -> None:
    harness.capture(make_lead(1))
    harness.run()
    item = build_unreachable("hubspot", "hubspot has not answered", harness.loaded.playbook, NOW)
    with harness.ledger.transaction() as connection:
        open_once(connection, item)
    harness.run(NOW + DAY)
    assert harness.one("SELECT count(*) FROM work_item WHERE reason = 'crm_unreachable' AND closed_at IS NULL") == 1
