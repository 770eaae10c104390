"""How well a playbook's points tell won leads from lost ones, by outcomes that a file recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness, make_lead

from tasks.measuring import is_kept_aside

LATER = NOW + timedelta(hours=1)
LEADS = 120
#: Of six leads with a company and six without: how many were won.
WON = (4, 2)


@pytest.fixture
def history(harness: Harness, cli: Cli, write_csv: Callable[..., Path]) -> Harness:
    """Leads of which those with a company were won four times of six, and the others twice."""
    harness.begin(*(make_lead(n, **({} if n % 2 else {"Company": ""})) for n in range(1, LEADS + 1)))
    ids = dict(harness.rows("SELECT email, id FROM lead"))  # type: ignore[arg-type]
    rows = [
        {
            "lead": ids[f"lead{n}@company{n}.example"],
            "outcome": "won" if n // 2 % 6 < WON[0 if n % 2 else 1] else "lost",
            "date": "2025-03-04",
        }
        for n in range(1, LEADS + 1)
    ]
    cli("outcomes", write_csv(rows), "--history", "--now", LATER)
    return harness


def measure(cli: Cli, *options: Any) -> Any:
    return read_json(cli("playbook", "measure", "--json", "--now", LATER, *options))


def test_leads_kept_aside_judge_the_points_and_teach_nothing(history: Harness, cli: Cli) -> None:
    found = measure(cli)
    ids = [lead for (lead,) in history.rows("SELECT id FROM lead ORDER BY id")]
    aside = int(is_kept_aside(ids).sum())
    assert (found["leads"], found["won"], found["aside"], found["learned_from"]) == (LEADS, 60, aside, LEADS - aside)
    assert 0.55 < found["points"]["auc"] < 1
    assert found["points"]["auc_interval"][0] < found["points"]["auc"] < found["points"]["auc_interval"][1]
    assert sum(group["leads"] for group in found["points"]["reliability"]) == aside
    (weight,) = found["weights"]
    assert (weight["rule"], weight["points"], weight["so"]) == ("has_company", 30, "more_often")
    # leads kept aside are no part of what weights are learned from
    won = "SELECT count(*) FROM recorded_outcome WHERE kind = 'won' AND lead_id = ANY(:ids)"
    learned = [lead for lead, is_aside in zip(ids, is_kept_aside(ids), strict=True) if not is_aside]
    assert history.one(won, ids=learned) == found["won"] - found["aside_won"]
    assert weight["leads"] == sum(1 for lead in learned if lead % 2)


def test_an_edited_playbook_is_measured_before_it_is_used(history: Harness, cli: Cli, tmp_path: Path) -> None:
    before = history.rows("SELECT * FROM qualification ORDER BY id")
    edited = tmp_path / "edited.yaml"
    edited.write_text(PLAYBOOK.replace("points: 30", "points: -30", 1), encoding="utf-8")
    turned = measure(cli, edited)
    assert turned["points"]["auc"] == pytest.approx(1 - measure(cli)["points"]["auc"])
    assert turned["joint"]["auc"] == pytest.approx(measure(cli)["joint"]["auc"])
    assert history.rows("SELECT * FROM qualification ORDER BY id") == before
    assert "AUC, with its 95 % interval" in join_lines(cli("playbook", "measure", edited, "--now", LATER))


def test_what_a_lead_did_after_its_outcome_is_no_reason_of_its_score(history: Harness, cli: Cli) -> None:
    late, early = 2, 4  # both without a company
    history.activity("demo_request", f"lead{late}@company{late}.example", at=NOW - timedelta(days=1))
    history.activity("demo_request", f"lead{early}@company{early}.example", at=NOW - timedelta(days=500))
    by_rule = {each["rule"]: each["leads"] for each in measure(cli)["weights"]}
    ids = dict(history.rows("SELECT id, email FROM lead"))  # type: ignore[arg-type]
    learned = [
        lead for lead, email in ids.items() if email.startswith(f"lead{early}@") and not is_kept_aside([lead])[0]
    ]
    assert by_rule.get("asked_for_demo", 0) == len(learned) == 1


def test_an_edited_playbook_that_is_not_sound_is_refused_with_its_line(
    history: Harness, cli: Cli, tmp_path: Path
) -> None:
    edited = tmp_path / "edited.yaml"
    edited.write_text(PLAYBOOK.replace("company is not null", "compny is not null", 1), encoding="utf-8")
    assert "did you mean 'company'" in cli("playbook", "measure", edited, "--now", LATER, code=2).stderr


def test_too_few_outcomes_are_told(harness: Harness, cli: Cli) -> None:
    harness.begin(make_lead(1), make_lead(2))
    assert "outcomes are known of 0 leads" in cli("playbook", "measure", "--now", LATER, code=2).stderr
