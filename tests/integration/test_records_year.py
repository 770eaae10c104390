"""Five weeks of sixty customers, through what production runs: nothing is lost, forgotten or told twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from databases import begin_with

from benchmarks.made_up_records import CONTRACTS, OPPORTUNITIES, SIGNALS
from benchmarks.made_up_year import Year, make_year
from benchmarks.record_checks import check_year
from benchmarks.record_days import Days
from benchmarks.records_playbook import write_playbook
from benchmarks.records_year import list_evenings, live_until
from leadgate.ledger import Ledger
from leadgate.records import fields
from leadgate.vocabulary import JourneyKind
from tasks.replay.results import replay_playbook

WEEKS = 5


@pytest.fixture(scope="module")
def year() -> Year:
    return make_year(60, days=WEEKS * 7, seed=71)


@pytest.fixture
def days(ledger: Ledger, year: Year, tmp_path: Path) -> Days:
    """The ledger after five weeks."""
    lived = Days(ledger, write_playbook(year, tmp_path))
    evenings = list_evenings(WEEKS * 7, every=7)

    def live() -> None:
        for evening in evenings:
            live_until(lived, year, evening)

    begin_with(ledger, "five weeks", live)
    lived.looked = evenings
    return lived


def test_all_that_had_to_become_of_the_weeks_did(days: Days, year: Year) -> None:
    checks = check_year(days, year)

    assert {check.words: check.examples for check in checks if check.broken} == {}
    assert all(check.checked for check in checks), "a check that looked at nothing proves nothing"


def test_the_weeks_have_records_of_every_kind_and_outcome(days: Days) -> None:
    counts = dict(days.read("SELECT source, count(*) FROM record GROUP BY source"))
    outcomes = {row.outcome for row in days.read("SELECT DISTINCT outcome FROM record WHERE outcome IS NOT NULL")}

    assert set(counts) == {OPPORTUNITIES, CONTRACTS, SIGNALS}
    assert outcomes == {"won", "lost", "churned"}


def test_a_run_with_nothing_new_changes_nothing(days: Days) -> None:
    versions, slips = (days.read(f"SELECT count(*) FROM {table}") for table in ("record_version", "record_slip"))

    days.work(days.looked[-1] + timedelta(hours=1))

    assert days.read("SELECT count(*) FROM record_version") == versions
    assert days.read("SELECT count(*) FROM record_slip") == slips


@pytest.mark.parametrize("kind", fields.STANDARD)
def test_the_weeks_are_decided_again_as_they_were(days: Days, kind: JourneyKind) -> None:
    result = replay_playbook(days.ledger, days.loaded, used=days.loaded.playbook, kind=kind)

    assert result.check.differences == []
    assert result.check.decisions > 10
    assert result.comparison.changed == 0
