"""Leads are what they were when a ledger holds opportunities, too: every figure, list and load is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from commands import Cli, read_json
from harness import NOW, Harness, make_actor, make_lead
from made_records import SOURCE, insert_opportunities

from leadgate.assignment.availability import find_midnights, find_mondays
from leadgate.figures import STEPS
from leadgate.ledger import (
    assignments,
    consumers,
    counted_journeys,
    decided_leads,
    figures,
    gate_evidence,
    lead_frames,
    lead_list,
    metrics,
    ownership,
    quality_figures,
    reports,
    rule_hits,
    team_figures,
)
from leadgate.ledger.record_figures import SECTIONS as RECORD_SECTIONS
from leadgate.vocabulary import GateName

HOUR = timedelta(hours=1)
LATER = NOW + 6 * HOUR
REPS = ["ana", "bob", "cyn"]
ASKED = figures.ReportRequest(NOW - 24 * HOUR, NOW + 24 * HOUR, LATER, rep=None)


@pytest.fixture
def worked(harness: Harness) -> Harness:
    """Leads that are owned, touched, given back, held and nurtured."""

    def work() -> None:
        harness.capture(*(make_lead(number) for number in range(1, 7)), make_lead(7, Company=""), now=NOW)
        harness.capture(make_lead(8, Phone="call me"), make_lead(9, Email="a@rival.example"), source="partner", now=NOW)
        harness.run(NOW)
        owners = dict(harness.rows("SELECT journey_id, owner FROM assignment"))  # type: ignore[arg-type]
        harness.activity("call", "lead1@company1.example", rep=owners[1], at=NOW + HOUR)
        ownership.reject(
            harness.ledger, 2, by=make_actor(owners[2]), now=NOW + HOUR, reason="not_a_fit",
            playbook=harness.loaded.playbook,
        )  # fmt: skip
        harness.run(NOW + HOUR)
        harness.run(LATER)

    harness.begin_with("leads beside records", work)
    return harness


def _read_figures(harness: Harness) -> Any:
    playbook = harness.loaded.playbook
    midnights, mondays = find_midnights(playbook, LATER), find_mondays(playbook, LATER)
    before = replace(ASKED, since=ASKED.since - 48 * HOUR, until=ASKED.since)
    sections = [name for name in figures.QUERIES if name not in RECORD_SECTIONS]
    of_all = figures.read(harness.ledger, ASKED, before, sections, midnights, mondays)
    of_one = figures.read(harness.ledger, replace(ASKED, rep="ana"), before, sections, midnights, mondays)
    # most of them are in no order
    return [{name: sorted(map(repr, rows)) for name, rows in found.items()} for found in (*of_all, *of_one)]  # type: ignore[call-overload]


def _list_leads(harness: Harness) -> Any:
    filters = [
        lead_list.LeadFilter(),
        lead_list.LeadFilter(owners=("ana",)),
        lead_list.LeadFilter(due=lead_list.Due.OVERDUE),
        lead_list.LeadFilter(search="alex"),
        lead_list.LeadFilter(search="deal"),
        lead_list.LeadFilter(owners=("ana", "bob"), search="company"),
    ]
    lists = [lead_list.list_leads(harness.ledger, wanted, LATER, 20) for wanted in filters]
    return lists, [lead_list.count_leads(harness.ledger, owners, LATER) for owners in (None, ("ana",), ("bob", "cyn"))]


def _count_loads(harness: Harness) -> Any:
    playbook = harness.loaded.playbook
    with harness.ledger.transaction() as connection:
        recent = assignments.count_recent_leads(
            connection, find_midnights(playbook, LATER), find_mondays(playbook, LATER)
        )
        return assignments.count_open_leads(connection, REPS), recent, assignments.list_open_of(connection, "ana")


def _read_team(harness: Harness) -> Any:
    with harness.ledger.transaction() as connection:
        standings = team_figures.read_standings(connection, LATER)
    return standings, team_figures.read_speeds(harness.ledger, LATER)


def _read_quality(harness: Harness) -> Any:
    with harness.ledger.transaction() as connection:
        return (
            quality_figures.count_rows(connection, LATER),
            quality_figures.count_broken(connection, LATER),
            quality_figures.count_filled(connection, LATER),
            gate_evidence.list_latest_evidence(connection, list(GateName), 5),
        )


def _read_metrics(harness: Harness) -> Any:
    found = metrics.read_metrics(harness.ledger, LATER)
    return found.journeys, found.to_owner, found.to_first_touch, found.signals["website"]


def _read_what_rules_learn_from(harness: Harness) -> Any:
    with harness.ledger.transaction() as connection:
        decided = decided_leads.read_decided(connection, ["won"], [])
    return (
        decided.to_dict(),
        lead_frames.read_leads(harness.ledger).to_dict(),
        rule_hits.read_hits(harness.ledger, LATER),
    )


def _list_counted(harness: Harness) -> Any:
    counted = [counted_journeys.Counted(reached=step) for step in STEPS]
    return [counted_journeys.list_counted(harness.ledger, ASKED, each, 100) for each in counted]


def _read_status(harness: Harness) -> Any:
    waits = consumers.read_waiting(harness.ledger, LATER)
    return waits.owned, waits.overdue_leads


def _list_names(harness: Harness) -> Any:
    return figures.list_owners(harness.ledger), figures.list_sources(harness.ledger)


def _read_summary(harness: Harness) -> Any:
    """The queue is of every kind, and records are counted beside."""
    summary = reports.read_summary(harness.ledger, LATER)
    return replace(summary, queue=[], records={}, examples=replace(summary.examples, review_item=None))


READ: list[Callable[[Harness], Any]] = [
    _read_figures,
    _list_leads,
    _count_loads,
    _read_team,
    _read_quality,
    _read_metrics,
    _read_what_rules_learn_from,
    _list_counted,
    _read_status,
    _list_names,
    _read_summary,
]


def test_leads_are_the_same_beside_opportunities(worked: Harness, cli: Cli) -> None:
    def read_all() -> dict[str, Any]:
        pages = {name: read_json(cli(name, "--json", "--now", LATER)) for name in ("report", "leads")}
        of_records = pages["report"].pop("opportunities", None), pages["report"].pop("headlines")
        pages["headlines"] = [each for each in of_records[1] if each["section"] not in RECORD_SECTIONS]
        return pages | {each.__name__: each(worked) for each in READ}

    before = read_all()
    with worked.ledger.transaction() as connection:
        insert_opportunities(connection, 50, REPS, LATER)
    after = read_all()
    assert worked.find_broken() == []
    assert {name for name, found in after.items() if found != before[name]} == set()


def test_who_watches_an_installation_is_told_of_records_beside_leads(worked: Harness) -> None:
    with worked.ledger.transaction() as connection:
        insert_opportunities(connection, 50, REPS, LATER)
    waits, found = consumers.read_waiting(worked.ledger, LATER), metrics.read_metrics(worked.ledger, LATER)
    assert waits.owned_records == 40
    assert found.record_journeys == {
        ("opportunity", "done", "qualification"): 5,
        ("opportunity", "held", "qualification"): 5,
        ("opportunity", "owned", "follow_up"): 40,
    }
    assert found.signals[SOURCE] == 50
