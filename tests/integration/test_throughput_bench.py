"""The benchmark of all stages: its leads mostly find owners, and it does not measure a parked source."""

from __future__ import annotations

import pytest
from harness import Harness

from benchmarks import sample, throughput
from leadgate.ledger import reports
from leadgate.playbook import LoadedPlaybook


@pytest.fixture(scope="session")
def loaded() -> LoadedPlaybook:
    """The playbook that the benchmark measures with."""
    return sample.playbook()


def test_a_tenth_of_the_benchmarks_leads_at_most_are_held(harness: Harness) -> None:
    harness.capture(*sample.people(1_000, seed=3))
    harness.run()
    after = reports.read_summary(harness.ledger, throughput.NOW)
    held = {row.reason: row.journeys for row in after.queue if row.journeys}
    assert after.journeys["held"] <= 100, held
    assert after.journeys["owned"] >= 400
    throughput.require_not_parked(harness.ledger)  # nothing was


def test_a_measurement_during_which_the_source_is_parked_fails(harness: Harness) -> None:
    harness.capture(*({"Email": f"person {number}", "Company": "Acme"} for number in range(30)))
    harness.run()
    harness.capture(*sample.people(5))
    harness.run()
    with pytest.raises(SystemExit) as ended:
        throughput.require_not_parked(harness.ledger)
    assert "parked the source website" in str(ended.value)  # text as the exit's code is exit code 1
