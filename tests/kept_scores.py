"""A learned score as tests make it up, in force in a role, and leads whose chances by it are known.

Belongs here: this score, its playbook and its leads. Does not belong here: learning one (``test_score_training``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from harness import INSISTS, NOW, PLAYBOOK, Harness, make_lead

from leadgate import playbook as playbooks
from leadgate.learning.discrimination import Curve
from leadgate.learning.indicators import Indicator
from leadgate.learning.scorer import LearnedScore, Weights
from leadgate.ledger import score_models
from leadgate.ledger.score_models import NewModel, RoleGiven
from leadgate.vocabulary import LearnedRole

LATER = NOW + timedelta(hours=1)
#: A company has 30 points; a clerk loses 5 of them, and so is in the review band.
RULES = PLAYBOOK.removesuffix(INSISTS).replace(
    "  engagement:\n", "    - {name: clerk, when: \"job_title ilike '%clerk%'\", points: -5}\n  engagement:\n", 1
)
LEARNED = "learned: {role: %s, fields: [country], accept_from: 0.6, nurture_below: 0.2}\n"
#: What the made-up score says of countries, in log-odds, beside -1 for all and 1 for a company.
COUNTRIES = {"DE": 1.0, "FR": -4.0}
CHANCES = {"DE": 1 / (1 + 2.718281828**-1), "FR": 1 / (1 + 2.718281828**4), "AT": 0.5}


def make_playbook(role: str) -> str:
    return RULES + LEARNED % role + INSISTS


def prepare(harness: Harness, given: str, allowed: str) -> Harness:
    """A ledger with a learned score in force, in the role given by a person and the one that the playbook lets it have."""
    harness.loaded = playbooks.parse(make_playbook(allowed), path=Path("tests.yaml"))
    keep_score(harness, given)
    return harness


def keep_score(harness: Harness, role: str, *, better: bool = True, reliability: Sequence[dict[str, Any]] = ()) -> None:
    indicators = (
        Indicator("rule", "has_company"),
        *(Indicator("equals", "country", value=country) for country in COUNTRIES),
    )
    score = LearnedScore(indicators, Weights(-1.0, (1.0, *COUNTRIES.values())), Curve(0.0, 1.0))
    of = {name: [0.7, 0.6, 0.8] for name in ("auc", "brier", "calibration_error", "top_lift")} | {
        "reliability": [*reliability]
    }
    before = NOW - timedelta(days=61)
    period = {"since": before.isoformat(), "until": before.isoformat(), "leads": 500, "won": 100}
    model = NewModel(
        NOW - timedelta(days=1), "tests", "0" * 64, "1" * 64, "accepted", timedelta(days=60),
        {"leads": 1500, "won": 300, "scored": 2000, "followed_up": 1600, "not_ripe": 100},
        dict.fromkeys(("taught", "calibrated", "judged"), period),
        {"learned": of, "rules": of, "auc_gain": [0.05, 0.01, 0.09], "brier_gain": [0, 0, 0], "is_better": better},
        score.dump(),
    )  # fmt: skip
    with harness.ledger.transaction() as connection:
        number, _ = score_models.insert_model(connection, model)
        given = RoleGiven(number, LearnedRole(role), "for the tests", "tests", model.trained_at)
        score_models.give_role(connection, given)


def leads(*countries: str, title: str = "Clerk") -> list[dict[str, Any]]:
    return [make_lead(number, Country=country, **{"Job Title": title}) for number, country in enumerate(countries, 1)]


def outcomes(harness: Harness) -> dict[str, str]:
    return dict(
        harness.rows("SELECT l.country, j.status FROM journey j JOIN lead l ON l.id = j.lead_id")  # type: ignore[arg-type]
    )
