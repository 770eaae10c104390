"""What leads would get, on the command line: by one playbook and by two, with a ledger and without, and nothing stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness, make_lead

LEAD = ("--email", " Kim@Acme.example", "--set", "company=Acme", "--set", "job_title=Chief of Staff")


def try_(cli: Cli, *given: Any) -> Any:
    return read_json(cli("try", *given, "--json", "--now", NOW))


def read_everything(harness: Harness) -> list[Any]:
    tables = harness.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' "
        "ORDER BY 1"
    )
    return [(table, harness.rows(f"SELECT * FROM {table} ORDER BY 1")) for (table,) in tables]


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """The tests' playbook, by which a chief counts less."""
    path = tmp_path / "draft.yaml"
    path.write_text(PLAYBOOK.replace("points: 25", "points: 5"))
    return path


def test_a_lead_is_told_stage_by_stage_and_nothing_is_stored(harness: Harness, cli: Cli) -> None:
    harness.begin(make_lead(1))
    before = read_everything(harness)
    told = try_(cli, *LEAD, "--did", "demo_request=1")
    assert told["verdict"] == "sales_qualified"
    assert told["values"]["email_canonical"] == "kim@acme.example"
    assert told["contributions"] == {"has_company": 30, "decides": 25, "asked_for_demo": 20}
    assert told["score"] == sum(told["contributions"].values())
    assert (told["route"], told["pool"]) == ("all_leads", "everybody")
    assert told["due_at"].startswith("2026-03-04T14:00")
    assert read_everything(harness) == before
    words = cli("try", *LEAD, "--now", NOW).stdout
    assert [stage for stage in ("Validation", "Enrichment", "Qualification", "Assignment", "Follow-up") if stage in words] == [
        "Validation", "Enrichment", "Qualification", "Assignment", "Follow-up",
    ]  # fmt: skip


def test_who_would_get_them_is_who_gets_them(harness: Harness, cli: Cli, write_csv: Callable[..., Path]) -> None:
    """The rows of a file take turns as they would if they came now, those that are held among them."""
    harness.begin(make_lead(1))
    rows = [make_lead(number) for number in range(2, 12)]
    rows[3]["Email"], rows[6]["Company"] = "no address", ""
    told = try_(cli, write_csv(rows), "--source", "website")
    assert told["verdicts"]["held"] == 1
    harness.capture(*rows)
    harness.run(NOW)
    owners = dict(harness.rows("SELECT j.id - 1, a.owner FROM journey j JOIN assignment a ON a.journey_id = j.id"))
    found = {place: lead["owner"] for place, lead in enumerate(told["leads"], start=1) if lead["verdict"] != "held"}
    assert found == {place: owners.get(place) for place in found}
    assert sum(owner is not None for owner in found.values()) >= 8


def test_two_playbooks_are_compared_and_only_what_differs_is_told(
    harness: Harness, cli: Cli, write_csv: Callable[..., Path], draft: Path
) -> None:
    harness.begin(make_lead(1))
    told = try_(cli, *LEAD, "--against", draft)["differences"]
    assert told["score"] == {"against": 35, "playbook": 55}
    assert told["contributions"] == {"against": {"decides": 5}, "playbook": {"decides": 25}}
    assert "owner" not in told
    chief, other = make_lead(2, Title="Chief"), make_lead(3, Title="Clerk")
    told = try_(cli, write_csv([chief, other]), "--source", "website", "--against", draft)
    assert [lead["line"] for lead in told["leads"]] == [2]
    assert told["rows"] == 2
    assert "the same by both" in cli("try", *LEAD, "--against", "active", "--now", NOW).stdout


def test_a_row_that_capture_would_hold_is_told_and_the_others_are_tried(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a ledger nobody has a lead yet, and none is made."""
    monkeypatch.delenv("LEADGATE_DATABASE_URL")
    file = tmp_path / "leads.csv"
    long = "x" * 30_000
    file.write_text(f"Email,Company,Title\na@b.example,Acme,Chief\na,b,c,d,e\nc@d.example,{long},Chief\n")
    told = try_(cli, file, "--source", "website")
    assert [lead["verdict"] for lead in told["leads"]][1:] == ["held", "held"]
    assert told["leads"][0]["owner"] is not None
    assert "company" in join_lines(cli("try", file, "--source", "website", "--now", NOW))  # why, in the table, too
    assert "column" in told["leads"][1]["held"][0] or "cells" in told["leads"][1]["held"][0]
    assert "company" in told["leads"][2]["held"][0]
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "name a FILE"),
        (("--email", "a@b.example", "--source", "x" * 8_000), "website"),
        (("--set", "company"), "NAME=VALUE"),
        (("--set", "compny=Acme"), "'company'"),
        (("--set", "surname=Hill"), "'last_name'"),
        (("--set", "employees=500"), "'company_size'"),
        (("--email", "x" * 8_000), "characters"),
        (("--email", "a@b.example", "--did", "demo_request=many"), "number"),
        (("--email", "a@b.example", "--did", "demo_request=51"), "50"),
        (("--email", "a@b.example", "--source", "websit"), "'website'"),
        (("--email", "a@b.example", "--against", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_tried_is_refused(harness: Harness, cli: Cli, given: tuple[str, ...], said: str) -> None:
    told = cli("try", *given, "--now", NOW, code=2).stderr
    assert said in told
    assert len(told) < 1_000


def test_a_playbook_that_is_not_sound_is_refused_with_what_is_wrong(cli: Cli, write_csv: Any, tmp_path: Path) -> None:
    path = tmp_path / "unsound.yaml"
    path.write_text(PLAYBOOK + "fields:\n  budget: {type: text}\n", encoding="utf-8")
    file = write_csv([make_lead(1)])
    told = cli("try", file, "--source", "website", "--playbook", path, "--now", NOW, code=2).stderr
    assert "fields.budget" in told


def test_nobody_owns_a_lead_about_which_a_person_decides_first(cli: Cli, write_csv: Callable[..., Path]) -> None:
    held, asked = make_lead(2, Email="no address", Phone=""), make_lead(3, Company="", Title="Chief of Staff")
    path = write_csv([make_lead(1, Title=""), held | {"Title": ""}, asked])
    leads = try_(cli, path, "--source", "website")["leads"]
    found = [(lead["verdict"], lead["owner"] is None, lead["owner_then"] is None) for lead in leads]
    assert found == [("marketing_qualified", False, True), ("held", True, False), ("review", True, False)]
    assert [lead["due_at"] is None for lead in leads] == [False, True, True]
    (line,) = (
        each
        for each in cli("try", path, "--source", "website", "--now", NOW).stdout.splitlines()
        if "review" in each and "4 " in each
    )
    assert not any(rep in line for rep in ("ana", "bob", "cyn"))


def test_rows_about_one_person_are_told_as_capture_would_join_them(
    harness: Harness, cli: Cli, write_csv: Callable[..., Path]
) -> None:
    rows = [make_lead(1), make_lead(2), make_lead(3), make_lead(1, Company="Company")]
    path = write_csv(rows)
    told = try_(cli, path, "--source", "website")
    assert [(lead["verdict"], lead["same_as"]) for lead in told["leads"]][1:] == [
        ("marketing_qualified", None), ("marketing_qualified", None), ("joined", 2),
    ]  # fmt: skip
    assert told["leads"][3]["owner"] is None
    words = " ".join(cli("try", path, "--source", "website", "--now", NOW).stdout.split())
    assert "joins line 2: the same e-mail address" in words
    harness.capture(*rows)
    harness.run(NOW)
    owners = [
        row[0]
        for row in harness.rows("SELECT a.owner FROM assignment a JOIN journey j ON j.id = a.journey_id ORDER BY j.id")
    ]
    assert [lead["owner"] for lead in told["leads"][:3]] == owners, "who joins takes no turn"


def test_a_row_with_the_key_of_another_is_no_second_signal(
    cli: Cli, tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK.replace("website: {", "website: {key: No, "), encoding="utf-8")
    path = write_csv([make_lead(1, No="7"), make_lead(2, No="8"), make_lead(3, No="7")])
    told = try_(cli, path, "--source", "website")
    assert [(lead["verdict"], lead["same_as"]) for lead in told["leads"]][2] == ("already_known", 2)


def test_a_trial_and_a_case_have_one_word_for_each_verdict(
    cli: Cli, tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    """What ``try`` says of a lead is what a case of the same lead expects."""
    leads = [
        make_lead(1),
        make_lead(2, Email="x", Phone=""),
        make_lead(3, Email="k@rival.example"),
        make_lead(4, Company=""),
    ]
    verdicts = [lead["verdict"] for lead in try_(cli, write_csv(leads), "--source", "website")["leads"]]
    assert len(set(verdicts)) == 4
    rows = [
        {"name": str(place), "source": "website", "row": lead, "expect": {"verdict": verdict}}
        for place, (lead, verdict) in enumerate(zip(leads, verdicts, strict=True))
    ]
    (tmp_path / "cases.yaml").write_text(json.dumps({"received": NOW.isoformat(), "cases": rows}), encoding="utf-8")
    assert "4 cases: all as expected" in cli("playbook", "test").stdout
