"""What became of leads, recorded from files: figures learn from it, and nothing else changes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from forked import Child
from harness import NOW, PLAYBOOK, Harness, make_lead

from leadgate import api
from leadgate import playbook as playbooks
from leadgate.connectors.files import Row
from leadgate.ledger import Ledger, open_ledger, recorded_outcomes
from leadgate.settings import Settings
from tasks.outcome_rows import Judged, Meaning, OutcomeReader

BY_OUTCOME = "follow_up: {finished_by: outcome, outcomes: [opportunity, lost], lost_outcomes: [lost]}\n"
YEAR_AGO = "2025-03-04"
LATER = NOW + timedelta(hours=1)


def record(cli: Cli, file: Path, *options: Any, code: int = 0) -> Any:
    return read_json(cli("outcomes", file, "--json", "--now", LATER, *options, code=code))


def report(cli: Cli) -> dict[str, Any]:
    """What the report says became of all qualified leads."""
    found = read_json(cli("report", "--json", "--now", LATER, "--section", "conversion"))
    (every,) = [row for row in found["conversion"]["by_verdict"] if row["verdict"] == "all"]
    return {name: every[name] for name in ("won", "lost", "undecided")}


def read_all_but_outcomes(harness: Harness) -> list[Any]:
    """Everything that history must not change."""
    tables = ("journey", "assignment", "outbox", "pool_state", "lead", "action", "missed", "work_item", "activity")
    return [harness.rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables]


@pytest.fixture
def owned(harness: Harness) -> Harness:
    """Four leads with an owner, the last with an id of its source."""
    harness.begin(make_lead(1), make_lead(2), make_lead(3), make_lead(4, **{"Lead number": "X-4"}))
    assert harness.count_statuses() == {"owned": 4}
    return harness


def test_history_counts_in_figures_once_and_moves_nothing(
    owned: Harness, cli: Cli, write_csv: Callable[..., Path]
) -> None:
    before = read_all_but_outcomes(owned)
    assert report(cli) == {"won": 0, "lost": 0, "undecided": 4}
    file = write_csv(
        [
            {"lead": "J1", "verdict": "accepted", "reason": "", "when": YEAR_AGO, "by": "ana", "e-mail": ""},
            {"lead": "", "verdict": "Rejected", "reason": "Not a fit", "when": YEAR_AGO, "by": "", "e-mail": "LEAD2@company2.example"},
            {"lead": 3, "verdict": "lost", "reason": "his words", "when": YEAR_AGO, "by": "someone who left", "e-mail": ""},
        ]
    )  # fmt: skip
    looked = record(cli, file, "--history", "--dry-run")
    assert (looked["did"], looked["new"], looked["by_outcome"]) == (
        "look",
        3,
        {"accepted": 1, "rejected": 1, "lost": 1},
    )
    assert owned.one("SELECT count(*) FROM recorded_outcome") == 0
    done = record(cli, file, "--history")
    assert (done["rows"], done["new"], done["known"], done["problems"], done["still_owned"]) == (3, 3, 0, [], 3)
    again = record(cli, file, "--history")
    assert (again["new"], again["known"]) == (0, 3)
    rows = owned.rows(
        "SELECT kind, reason, rep, by IS NOT NULL, occurred_at::date::text FROM recorded_outcome ORDER BY id"
    )
    assert rows == [
        ("accepted", None, "ana", True, YEAR_AGO),
        ("rejected", "not_a_fit", None, True, YEAR_AGO),
        ("lost", None, "someone who left", True, YEAR_AGO),
    ]
    assert report(cli) == {"won": 1, "lost": 2, "undecided": 1}
    assert read_all_but_outcomes(owned) == before
    assert owned.find_broken() == []
    told = join_lines(cli("explain", "J2"))
    assert "Outcome on record: rejected (not_a_fit), 2025-03-04 00:00 UTC, recorded by" in told


def test_what_a_file_says_can_be_taken_back_and_said_again(
    owned: Harness, cli: Cli, write_csv: Callable[..., Path]
) -> None:
    file = write_csv([{"lead": n, "outcome": "won", "date": YEAR_AGO} for n in (1, 2)])
    record(cli, file, "--history")
    back = record(cli, file, "--history", "--withdraw")
    assert (back["did"], back["new"]) == ("withdraw", 2)
    assert report(cli) == {"won": 0, "lost": 0, "undecided": 4}
    assert record(cli, file, "--history", "--withdraw")["new"] == 0
    assert record(cli, file, "--history")["new"] == 2
    assert report(cli)["won"] == 2


def test_rows_that_cannot_be_used_are_named_and_the_others_recorded(
    owned: Harness, cli: Cli, write_csv: Callable[..., Path]
) -> None:
    rows = [
        {"lead": "1", "outcome": "won", "date": "2026-03-04 10:30"},
        {"lead": "99", "outcome": "won", "date": "2026-03-04 10:30"},
        {"lead": "2", "outcome": "wonn", "date": "2026-03-04 10:30"},
        {"lead": "2", "outcome": "won", "date": YEAR_AGO},
        {"lead": "2", "outcome": "won", "date": "2099-01-01"},
        {"lead": "2", "outcome": "won", "date": "soon"},
        {"lead": "2", "outcome": "", "date": YEAR_AGO},
        {"lead": "", "outcome": "won", "date": YEAR_AGO},
        {"lead": "W3", "outcome": "won", "date": YEAR_AGO},
        {"lead": "2", "outcome": "rejected", "reason": "not a fitt", "date": "2026-03-04 10:30"},
        {"lead": "", "email": "nobody@nowhere.example", "outcome": "won", "date": "2026-03-04 10:30"},
    ]
    names = ("lead", "email", "outcome", "reason", "date")
    file = write_csv([{name: row.get(name, "") for name in names} for row in rows])
    found = record(cli, file, code=4)
    why = {each["line"]: each["reason"] for each in found["problems"]}
    assert found["new"] == 1
    parts = {
        3: "no lead has this number", 4: "did you mean 'won'", 5: "--history takes it", 6: "in the future",
        7: "'soon' is no date", 8: "does not say what happened", 9: "names no lead", 10: "is no lead",
        11: "did you mean 'not_a_fit'", 12: "no lead has this e-mail address",
    }  # fmt: skip
    assert why.keys() == parts.keys()
    assert all(part in why[line] for line, part in parts.items())


def test_ids_of_a_source_and_one_time_for_all_rows(owned: Harness, cli: Cli, write_csv: Callable[..., Path]) -> None:
    file = write_csv([{"Lead number": "X-4", "Converted": "1"}])
    (problem,) = record(cli, file, "--source", "partner", "--history", "--at", YEAR_AGO, code=4)["problems"]
    assert "no lead of source partner has this external id" in problem["reason"]
    (problem,) = record(cli, file, "--source", "website", "--history", code=4)["problems"]
    assert "give --at" in problem["reason"]
    assert record(cli, file, "--source", "website", "--history", "--at", YEAR_AGO)["by_outcome"] == {"won": 1}
    assert owned.rows("SELECT lead_id, kind FROM recorded_outcome") == [(4, "won")]


def test_an_import_that_is_killed_records_all_of_a_page_or_nothing_and_goes_on(
    owned: Harness, settings: Settings
) -> None:
    rows = [Row(n + 1, {"lead": n, "outcome": "won", "date": YEAR_AGO}) for n in (1, 2)]
    playbook = owned.loaded.playbook

    def judge(ledger: Ledger) -> Judged:
        result = Judged()
        OutcomeReader(playbook, Meaning(history=True), LATER).judge(ledger, rows, result, by="root", how="record")
        return result

    def judge_in_child() -> None:
        with open_ledger(settings) as ledger:
            judge(ledger)

    for point, kept in (("outcomes.record.before", 0), ("outcomes.record.after", 0)):
        assert Child(judge_in_child, failpoint=point).killed
        assert owned.one("SELECT count(*) FROM recorded_outcome") == kept
    assert judge(owned.ledger).new == 2
    assert owned.rows("SELECT by, count(*) FROM recorded_outcome GROUP BY by") == [("root", 2)]


def test_a_file_without_the_columns_is_refused_before_anything_is_recorded(
    owned: Harness, cli: Cli, write_csv: Callable[..., Path]
) -> None:
    assert "no column says the outcome" in cli("outcomes", write_csv([{"lead": 1}]), code=2).stderr
    assert "no column says the lead" in cli("outcomes", write_csv([{"outcome": "won"}]), code=2).stderr


def test_who_decides_later_has_the_last_word(owned: Harness, cli: Cli, write_csv: Callable[..., Path]) -> None:
    record(cli, write_csv([{"lead": "1", "outcome": "lost", "date": YEAR_AGO}]), "--history")
    assert report(cli) == {"won": 0, "lost": 1, "undecided": 3}
    owner = owned.one("SELECT owner FROM assignment WHERE journey_id = 1")
    cli("accept", "J1", "--for", owner, "--now", LATER)
    assert report(cli) == {"won": 1, "lost": 0, "undecided": 3}
    record(cli, write_csv([{"lead": "1", "outcome": "lost", "date": (LATER + timedelta(hours=2)).isoformat()}]))
    assert report(cli) == {"won": 0, "lost": 1, "undecided": 3}


def test_joint_weights_learn_from_leads_that_were_never_qualified(
    owned: Harness, cli: Cli, write_csv: Callable[..., Path]
) -> None:
    """Their outcomes are in no figure of qualified leads, and are what tells the rules apart."""
    poor = [make_lead(20 + n, Company="") for n in range(12)]
    good = [make_lead(40 + n) for n in range(12)]
    decided = [make_lead(60 + n) for n in range(12)] + [make_lead(80 + n, Company="") for n in range(12)]
    owned.capture(*poor, *good, *decided)
    owned.run(NOW)
    ids = {email: lead for lead, email in owned.rows("SELECT id, email FROM lead")}
    said = [(row, "lost") for row in (*poor, *good[:11])] + [(row, "won") for row in (good[11], *decided)]
    file = write_csv(
        [{"lead": ids[str(row["Email"]).lower()], "outcome": what, "date": YEAR_AGO} for row, what in said]
    )
    assert record(cli, file, "--history")["new"] == 48
    found = read_json(cli("report", "--json", "--now", LATER, "--section", "conversion"))["conversion"]
    (weight,) = found["joint_weights"]
    assert (weight["rule"], weight["points"], weight["leads"], weight["so"]) == ("has_company", 30.0, 24, "not_shown")
    assert weight["joint_low"] < weight["joint_points"] < weight["joint_high"]
    assert sum(row["won"] for row in found["by_score"]) == 13


@pytest.fixture
def by_outcome(ledger: Ledger, tmp_path: Path, cli: Cli) -> Harness:
    """Two owned leads whose journeys an outcome ends."""
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK + BY_OUTCOME, encoding="utf-8")
    harness = Harness(ledger, playbooks.parse(PLAYBOOK + BY_OUTCOME, path=Path("tests.yaml")))
    harness.begin(make_lead(1), make_lead(2))
    return harness


def test_a_deal_that_is_made_and_then_lost_is_lost_in_every_figure(
    by_outcome: Harness, cli: Cli, tmp_path: Path
) -> None:
    harness = by_outcome
    owner = harness.one("SELECT owner FROM assignment WHERE journey_id = 1")
    cli("accept", "J1", "--for", owner, "--now", NOW + timedelta(minutes=5), "--later")
    harness.activity("opportunity", "lead1@company1.example", at=NOW + timedelta(minutes=20))
    harness.run(NOW + timedelta(minutes=21))
    assert report(cli) == {"won": 1, "lost": 0, "undecided": 1}
    harness.activity("lost", "lead1@company1.example", at=NOW + timedelta(minutes=40))
    assert report(cli) == {"won": 0, "lost": 1, "undecided": 1}
    data = read_json(cli("report", "--json", "--now", LATER))
    tables = [table for section in ("funnel", "conversion") for table in data[section].values()]
    counted = [row for table in tables for row in table if {"won", "lost"} <= row.keys()]
    assert len(counted) >= 6
    assert all(row["won"] == 0 for row in counted)
    assert all(row["accepted"] == 0 for row in counted if "accepted" in row)
    (won,) = [each["value"] for each in data["headlines"] if each["figure"] == "won"]
    assert won == 0
    frames = api.read_figures(harness.ledger, harness.loaded.playbook, NOW - timedelta(days=1), NOW + timedelta(days=9))
    assert set(frames["conversion"]["outcome"]) == {"lost", "undecided"}
    assert frames["rules"]["won"].sum() == 0
    folder = tmp_path / "tables"
    cli("report", "--csv", folder, "--now", LATER)
    with (folder / "conversion_by_source.csv").open(encoding="utf-8-sig") as file:
        (of_source,) = csv.DictReader(file)
    assert [of_source[name] for name in ("won", "lost", "accepted")] == ["0", "1", "0"]
    assert "lost is lost" in join_lines(cli("explain", "J1"))


def test_outcomes_that_came_before_the_owner_are_counted_and_can_be_recorded(by_outcome: Harness, cli: Cli) -> None:
    harness = by_outcome
    harness.activity("lost", "lead2@company2.example", at=NOW - timedelta(days=300))
    harness.run(NOW + timedelta(minutes=1))
    with harness.ledger.transaction() as connection:
        assert recorded_outcomes.count_early_activities(connection, ["opportunity", "lost"]) == 1
    assert read_json(cli("outcomes", "--from-activities", "--dry-run", "--json", "--now", LATER))["new"] == 1
    assert "Outcomes older than the owner: 1" in join_lines(cli("report", "--now", LATER))
    assert "is in no figure until it is recorded" in join_lines(cli("explain", "J2"))
    assert report(cli) == {"won": 0, "lost": 0, "undecided": 2}
    assert read_json(cli("outcomes", "--from-activities", "--json", "--now", LATER))["new"] == 1
    assert read_json(cli("outcomes", "--from-activities", "--json", "--now", LATER))["new"] == 0
    assert report(cli) == {"won": 0, "lost": 1, "undecided": 1}
    assert read_json(cli("outcomes", "--from-activities", "--withdraw", "--json", "--now", LATER))["new"] == 1
    assert report(cli) == {"won": 0, "lost": 0, "undecided": 2}
    assert read_json(cli("outcomes", "--from-activities", "--json", "--now", LATER))["new"] == 1
    assert "Outcomes older than the owner" not in join_lines(cli("report", "--now", LATER))
    assert "counts in figures, as it is recorded" in join_lines(cli("explain", "J2"))
    assert harness.count_statuses() == {"owned": 2}
