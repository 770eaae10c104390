"""What notebooks and plug-ins import: it reads what the stages stored, masks it, and writes nothing."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from harness import NOW, Harness
from stub_gates import pass_all

import leadgate
from leadgate import api

ANN = {"Email": "ann@acme.example", "First Name": "Ann", "Last Name": "Lee", "Company": "Acme", "Job Title": "Chief"}
BEN = {"Email": "ben@corp.example", "First Name": "Ben", "Company": "Corp", "Job Title": "student"}


@pytest.fixture
def worked(harness: Harness) -> Harness:
    harness.begin(ANN, BEN, {**ANN, "Message": "again"}, check=pass_all)
    return harness


def test_leads_come_as_a_frame_with_where_they_stand(worked: Harness) -> None:
    leads = api.read_leads(worked.ledger, personal=True).set_index("email")
    assert leads.index.tolist() == ["ann@acme.example", "ben@corp.example"]
    ann, ben = leads.loc["ann@acme.example"], leads.loc["ben@corp.example"]
    assert (ann["status"], ann["stage"], ann["source"], ann["score"]) == ("owned", "follow_up", "website", 55)
    assert ann["owner"] in {"ana", "bob", "cyn"}
    assert ann["due_at"] == NOW + timedelta(hours=4)
    assert (ben["status"], ben["owner"]) == ("nurture", None)


def test_personal_values_are_masked_unless_they_are_asked_for(worked: Harness) -> None:
    leads = api.read_leads(worked.ledger)
    assert leads["email"].tolist() == ["a•••@acme.example", "b•••@corp.example"]
    assert leads["first_name"].tolist() == ["A•••", "B•••"]
    assert leads["company"].tolist() == ["Acme", "Corp"]
    assert "custom" not in leads


def test_leads_are_of_a_period(worked: Harness) -> None:
    (created,) = set(api.read_leads(worked.ledger)["created_at"])
    assert len(api.read_leads(worked.ledger, since=created)) == 2
    assert api.read_leads(worked.ledger, until=created).empty


def test_the_story_of_a_lead_is_found_by_every_id_that_is_printed(worked: Harness) -> None:
    for reference in ("lead 1", "1", "J1", "L1"):
        assert api.read_story(worked.ledger, reference).journey.id == 1
    for unknown in ("J99", "W1"):
        with pytest.raises(LookupError, match=unknown):
            api.read_story(worked.ledger, unknown)
    for wrong in ("A1", "batch 1", "ann@acme.example", "x" * 8_000):
        with pytest.raises(api.IdError):
            api.read_story(worked.ledger, wrong)


def test_figures_come_as_frames(worked: Harness) -> None:
    day = timedelta(days=1)
    found = api.read_figures(worked.ledger, worked.loaded.playbook, NOW - day, NOW + day)
    assert found["journeys"]["n"].sum() == 3
    assert found["turns"]["turns"].sum() == 1
    assert api.read_figures(worked.ledger, worked.loaded.playbook, NOW + day, NOW + 2 * day)["journeys"].empty


def test_decisions_can_be_asked_without_a_ledger(worked: Harness) -> None:
    playbook = worked.loaded.playbook
    leads = api.read_leads(worked.ledger, personal=True)
    nothing_heard = pd.DataFrame({"journey_id": [], "kind": [], "occurred_at": []})
    scored = leads.drop(columns=["score", "grade"]).join(api.score(leads, playbook, nothing_heard, NOW))
    assert scored["score"].tolist() == [55, -10]
    assert api.qualify(scored, playbook, NOW)["outcome"].tolist() == ["continue", "nurture"]


def test_every_name_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    assert [name for name in api.__all__ if f"`{name}`" not in page] == []


def test_an_empty_folder_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(api.NoLedgerError), api.open_ledger(tmp_path / "nothing"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_that_of_the_installation() -> None:
    assert leadgate.__version__ == version("leadgate")
    with pytest.raises(AttributeError, match="nothing"):
        leadgate.nothing  # noqa: B018
