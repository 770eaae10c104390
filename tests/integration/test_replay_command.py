"""``leadgate replay``: what is asked for, what is printed, and the exit codes that a CI server reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import join_lines, read_json
from harness import PLAYBOOK, Harness, make_lead

from leadgate import playbook as playbooks

Cli = Callable[..., Any]
AT = "2026-03-05T10:00"


def test_a_draft_is_told_in_words(five_owned: Harness, cli: Cli, stricter: Path) -> None:
    words = join_lines(cli("replay", "--playbook", stricter, "--now", AT))
    assert "5 of 5 journeys differ" in words
    assert "all came out the same" in words
    assert "J1: was" in words
    assert "has_company +30" in words
    assert "get no owner any more" in words


def test_the_same_playbook_changes_nothing(five_owned: Harness, cli: Cli) -> None:
    assert "None of 5 journeys differs" in join_lines(cli("replay", "--now", AT))
    assert "Nothing was decided" in join_lines(cli("replay", "--since", "2026-03-05", "--now", AT))


def test_json_has_the_figures(five_owned: Harness, cli: Cli, stricter: Path) -> None:
    found = read_json(cli("replay", "--playbook", stricter, "--json", "--now", AT))
    assert (found["journeys"], found["changed"], found["kinds"]) == (5, 5, {"dropped": 5})
    assert found["self_check"]["different"] == 0
    assert found["ends"] == [{"before": "owned", "after": "nurture", "journeys": 5}]
    assert found["dropped_became"] == {"not touched yet": 5}
    assert {each["journey"] for each in found["told"]} == {1, 2, 3, 4, 5}


def test_a_file_that_is_not_there_is_no_hash(five_owned: Harness, cli: Cli) -> None:
    told = cli("replay", "--playbook", "no-such-file.yaml", "--now", AT, code=2).stderr
    assert "no file" in told
    assert "was in use here" in cli("replay", "--playbook", "abc123", "--now", AT, code=2).stderr


def test_beyond_a_limit_it_exits_with_one_and_says_which(five_owned: Harness, cli: Cli, stricter: Path) -> None:
    within = ("replay", "--playbook", stricter, "--max-dropped", "5", "--max-owner-changes", "0%", "--now", AT)
    cli(*within, code=0)
    told = join_lines(cli("replay", "--playbook", stricter, "--max-dropped", "50%", "--now", AT, code=1))
    assert "--max-dropped 50 %" in told
    assert "100.0%" in told
    found = read_json(cli("replay", "--playbook", stricter, "--max-changes", "4", "--json", "--now", AT, code=1))
    assert found["limits_exceeded"] == [{"limit": "max-changes", "most": "4", "journeys": 5, "of": 5}]


def test_an_activation_has_the_replay_that_was_looked_at_on_record(
    five_owned: Harness, cli: Cli, stricter: Path
) -> None:
    cli("playbook", "activate", stricter, "--reason", "fewer points", "--replay", "30d", "--now", AT)
    (active, *_) = read_json(cli("playbook", "history", "--json"))["activations"]
    (said,) = active["reasons"]
    assert said["reason"].startswith("fewer points (a replay of 5 leads since 2026-02-03")
    assert "5 differ; 5 get no owner any more" in said["reason"]
    assert "yesterday" in cli("playbook", "activate", stricter, "--reason", "x", "--replay", "yesterday", code=2).stderr


def test_each_kind_has_its_part(harness: Harness, cli: Cli, tmp_path: Path) -> None:
    text = PLAYBOOK.replace("sources:\n", "sources:\n  deals: {kind: opportunities}\n") + "kinds: {opportunity: {}}\n"
    harness.loaded = playbooks.parse(text, path=tmp_path / "playbook.yaml")
    deals = [{"Id": f"D{number}", "Stage": "Proposal", "Owner": "ana", "Amount": str(number * 1000),
              "Close Date": "2026-05-01"} for number in range(1, 5)]  # fmt: skip
    harness.capture(make_lead(1))
    harness.capture(*deals, source="deals")
    harness.run()
    draft = tmp_path / "draft.yaml"
    draft.write_text(
        text.replace("{opportunity: {}}", "{opportunity: {approvals: [{name: big, when: amount > 2500}]}}")
    )
    asked = ("replay", "--playbook", draft, "--now", AT)

    found = read_json(cli(*asked, "--json"))
    (deals_found,) = found["also"]
    assert (found["about"], found["changed"], "kinds" in found["not_replayed"]) == ("lead", 0, False)
    assert (deals_found["about"], deals_found["journeys"], deals_found["kinds"]) == (
        "opportunity",
        4,
        {"newly_held": 2},
    )
    assert deals_found["newly_held"] == {"approval_needed": 2}
    alone = read_json(cli(*asked, "--json", "--kind", "opportunity"))
    assert alone == {**deals_found, "also": []}

    words = join_lines(cli(*asked))
    assert "Opportunity updates since" in words
    assert "None of 1 journey differs" in words
    assert "2 of 4 journeys differ" in words
    told = join_lines(cli(*asked, "--max-newly-held", "1", code=1))
    assert "2 opportunity updates are newly held" in told

    page = tmp_path / "replay.html"
    cli(*asked, "--html", page)
    assert "Opportunity updates: what differs" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "wrong",
    [("--max-dropped", "a few"), ("--since", "yesterday"), ("--until", "x" * 8_000), ("--zone", "Nowhere/City"),
     ("--playbook", "no-such-file.yaml"), ("--kind", "deal")],
)  # fmt: skip
def test_what_cannot_be_used_is_said_in_a_sentence(five_owned: Harness, cli: Cli, wrong: tuple[str, str]) -> None:
    told = cli("replay", *wrong, "--now", AT, code=2)
    assert told.stderr.strip()
    assert len(told.stderr) < 1_000
