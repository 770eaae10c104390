"""docs/records.md, the bundled playbook's kinds and the example files agree with the code."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from record_frames import JUDGES, make_frame

from leadgate import playbook
from leadgate.playbook import SOURCE_KINDS
from leadgate.playbook.check import check
from leadgate.records import expansion, fields, judgement, opportunity, renewal
from leadgate.records.sales_stages import SalesStages
from leadgate.vocabulary import JourneyKind, Outcome

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
RECORDS = [kind for kind in JourneyKind if kind is not JourneyKind.LEAD]


@pytest.mark.parametrize(
    ("title", "module"), [("Opportunities", opportunity), ("Renewals", renewal), ("Expansions", expansion)]
)
def test_the_page_has_every_question_of_each_kind(title: str, module: object) -> None:
    section = PAGE.partition(f"\n### {title}\n")[2].partition("\n#")[0]
    listed = {
        name for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    source = Path(str(module.__file__)).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    asked = set(re.findall(r'Question\(\s*"(\w+)"', source))

    assert len(asked) >= 3
    assert asked <= listed
    known = asked | set(re.findall(r'"(trigger_\w+|joined)"', source)) | set(judgement.OF_QUALIFICATION.values())
    assert listed <= known


def test_the_page_has_every_field() -> None:
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \| ([^|]+) \|$", PAGE.partition("## What is decided")[0], re.MULTILINE)
    told = {(name, kind) for names, of in rows for name in re.findall(r"`(\w+)`", names) for kind in RECORDS
            if of == "all" or kind.plural in of}  # fmt: skip

    assert told == {(name, kind) for kind in RECORDS for name in fields.STANDARD[kind]}


def test_the_bundled_playbook_has_a_section_and_a_source_for_each_kind() -> None:
    loaded = playbook.load_default()

    assert {SOURCE_KINDS.get(source.kind) for source in loaded.playbook.sources.values()} >= set(RECORDS)
    assert all(loaded.playbook.kinds.find(kind) is not None for kind in RECORDS)
    assert [problem for problem in check(loaded) if problem.key.startswith("kinds")] == []


def test_its_sales_stages_know_the_words_of_both_crms() -> None:
    section = playbook.load_default().playbook.kinds.opportunity
    assert section is not None
    stages = SalesStages(section)

    for word in (
        "Prospecting", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers",
        "Perception Analysis", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost",
        "appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent",
        "closedwon", "closedlost",
    ):  # fmt: skip
        assert stages.find(word) is not None, word


def test_the_script_beside_the_example_records_makes_them(tmp_path: Path) -> None:
    folder = ROOT / "examples" / "records"
    subprocess.run([sys.executable, str(folder / "make_records.py"), str(tmp_path)], check=True)

    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in folder.iterdir() if path.suffix == ".csv")
    for name in made:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_example_opportunities_are_plausible_and_questions(tmp_path: Path) -> None:
    """By the bundled rules, each sale's last update against the one before it."""
    view = playbook.load_default().playbook.for_kind(JourneyKind.OPPORTUNITY)
    columns = {
        "Opportunity ID": "external_id", "Opportunity Name": "name", "Stage": "sales_stage", "Amount": "amount",
        "Close Date": "close_date", "Created Date": "created_date", "Forecast Category": "forecast_category",
        "Next Step Date": "next_step_date", "Budget": "budget", "Authority": "authority", "Need": "need",
        "Timeline": "timeline", "Loss Reason": "lost_reason", "Last Modified Date": "occurred_at",
    }  # fmt: skip
    told: dict[str, list[dict[str, object]]] = {}
    with (ROOT / "examples" / "records" / "opportunities.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            row: dict[str, object] = {field: line[column] or None for column, field in columns.items()}
            told.setdefault(line["Opportunity ID"], []).append(row)
    last = [updates[-1] | {"before": updates[-2] if len(updates) > 1 else None} for updates in told.values()]
    now = max(str(row["occurred_at"]) for row in last)

    judged = JUDGES[JourneyKind.OPPORTUNITY](make_frame(view, *last), view, datetime.fromisoformat(now))

    reasons = set(judged["reason"])
    assert {
        "won",
        "lost",
        "evidence_missing",
        "approval_needed",
        "stage_unknown",
        "slipped",
        "close_date_too_far",
    } <= reasons
    assert (judged["outcome"] == Outcome.CONTINUE).sum() >= 8
