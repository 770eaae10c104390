"""What updates of records would get, on the command line: alone, from a file, by two playbooks, and nothing stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness

from leadgate import playbook as playbooks

TEXT = (
    PLAYBOOK.replace("sources:\n", "sources:\n  deals: {kind: opportunities}\n  contracts: {kind: renewals}\n", 1)
    + """kinds:
  opportunity:
    approvals: [{name: large, when: amount > 50000, why: two pairs of eyes}]
    tell: [{name: falls, when: amount_change < -1000, to: rep cyn}]
  renewal:
    scoring: {engagement: [{name: met, activity: meeting, points: 10}]}
"""
)
DEAL = (
    "--kind",
    "opportunity",
    "--set",
    "owner=ana",
    "--set",
    "sales_stage=Discovery",
    "--set",
    "close_date=2026-05-01",
)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "records.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def try_(cli: Cli, book: Path) -> Callable[..., Any]:
    return lambda *given: read_json(cli("try", *given, "--playbook", book, "--json", "--now", NOW))


def test_an_update_is_told_stage_by_stage(harness: Harness, cli: Cli, book: Path, try_: Callable[..., Any]) -> None:
    told = try_(*DEAL, "--set", "amount=60000")
    assert (told["about"], told["verdict"], told["reason"], told["asks"]) == (
        "opportunity", "held until somebody answers", "approval_needed", "manager",
    )  # fmt: skip
    assert (told["owner"], told["route"], told["values"]["sales_stage"]) == ("ana", "record_owner", "needs_analysis")
    words = join_lines(cli("try", *DEAL, "--set", "amount=60000", "--playbook", book, "--now", NOW))
    for part in ("two pairs of eyes", "asked of the manager", "by route record owner", "Follow-up"):
        assert part in words
    assert [harness.one(f"SELECT count(*) FROM {table}") for table in ("signal", "record", "journey")] == [0, 0, 0]


def test_an_update_is_compared_with_what_the_record_was(harness: Harness, try_: Callable[..., Any]) -> None:
    was = ("--before", "owner=ana", "--before", "sales_stage=discovery", "--before", "amount=9000")
    falls = try_("--kind", "opportunity", *was, "--set", "amount=2000")
    assert (falls["tells"], falls["verdict"]) == (["cyn"], "goes on to an owner")
    assert try_("--kind", "opportunity", *was, "--set", "amount=9000")["reason"] == "nothing_changed"
    waits = try_("--kind", "renewal", "--set", "end_date=2026-12-31", "--did", "meeting=2")
    assert (waits["verdict"], waits["score"], waits["again_at"][:10]) == ("waits", 10, "2026-09-25")
    ended = try_("--kind", "renewal", "--due", "--set", "end_date=2026-03-01", "--set", "owner=ana")
    assert (ended["reason"], ended["asks"]) == ("end_date_passed", "manager")
    owned = try_("--kind", "renewal", "--set", "end_date=2026-04-01", "--set", "account_owner=bob")
    assert (owned["owner"], owned["route"]) == ("bob", "account_owner")


def test_what_a_file_would_get_is_what_its_records_get(
    harness: Harness, try_: Callable[..., Any], write_csv: Callable[..., Path]
) -> None:
    rows = [
        {"Id": f"D{number}", "Owner": owner, "Stage": stage, "Amount": amount, "Close Date": "2026-05-01"}
        for number, (owner, stage, amount) in enumerate(
            [("ana", "Proposal", "900"), ("bob", "Proposal", "60000"), ("cyn", "Nowhere", "900"), ("ana", "Won", "5"),
             ("bob", "Proposal", "-1"), ("cyn", "Discovery", "")]
        )
    ]  # fmt: skip
    told = try_(write_csv(rows), "--source", "deals")
    harness.loaded = playbooks.parse(TEXT, path=Path("records.yaml"))
    harness.capture(*rows, source="deals")
    harness.run()
    found = harness.rows(
        "SELECT j.status, j.stage, w.reason, a.owner, a.due_at FROM journey j LEFT JOIN work_item w ON w.id = j.work_item_id "
        "LEFT JOIN assignment a ON a.journey_id = j.id ORDER BY j.id"
    )
    verdicts = {"owned": "goes on to an owner", "held": "held until somebody answers", "done": "done"}
    assert [each["verdict"] for each in told["updates"]] == [verdicts[status] for status, *_ in found]
    for each, (status, stage, reason, owner, due_at) in zip(told["updates"], found, strict=True):
        if status == "owned":
            assert (each["owner"], each["due_at"]) == (owner, due_at.isoformat())
        elif stage == "qualification" and reason is not None:
            assert each["reason"] == reason
    assert sum(told["verdicts"].values()) == len(rows)


def test_two_playbooks_are_compared(
    harness: Harness, cli: Cli, book: Path, tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(TEXT.replace("amount > 50000", "amount > 500"), encoding="utf-8")
    file = write_csv([{"Id": "D1", "Owner": "ana", "Stage": "Discovery", "Amount": "900", "Close Date": "2026-05-01"}])
    both = ("--playbook", other, "--against", book, "--now", NOW)
    found = read_json(cli("try", file, "--source", "deals", *both, "--json"))
    (each,) = found["updates"]
    assert each["differences"]["reason"] == {"against": None, "playbook": "approval_needed"}
    assert "1 update differs" in join_lines(cli("try", file, "--source", "deals", *both))
    assert "the same by both" in join_lines(cli("try", *DEAL, "--set", "amount=5", *both))
    listed = join_lines(cli("try", file, "--source", "deals", "--playbook", other, "--now", NOW))
    assert "two pairs of eyes" in listed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((*DEAL, "--set", "amonut=5"), "amount"),
        ((*DEAL, "--email", "a@b.example"), "--email is of leads"),
        ((*DEAL, "--did", "dancing=1"), "no rule counts"),
        (("--kind", "expansion", "--set", "trigger=seats"), "no source of expansions"),
        (("--kind", "renewal", "--source", "deals", "--set", "status=x"), "no source 'deals' of renewals"),
        (("--before", "amount=5", "--set", "company=Acme"), "--kind"),
        ((*DEAL, "--set", "open_opportunities=many"), "a number"),
    ],
)
def test_what_cannot_be_tried_is_said(
    harness: Harness, cli: Cli, book: Path, given: tuple[str, ...], said: str
) -> None:
    assert said in cli("try", *given, "--playbook", book, "--now", NOW, code=2).stderr
