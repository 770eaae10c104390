"""A learned score that advises says in which order reps and reviewers work: queue, review and leads, here and on pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from console_site import ConsoleSite
from harness import NOW, Harness, make_lead
from kept_scores import CHANCES, LATER, leads, make_playbook, outcomes, prepare

from leadgate.ledger import score_models
from leadgate.ledger.lead_list import LeadFilter, find_place, list_leads
from leadgate.ledger.score_models import RoleGiven
from leadgate.vocabulary import LearnedRole, Role


def test_one_that_advises_has_reviewers_begin_with_the_best_chance(
    harness: Harness,
    cli: Cli,
    console: ConsoleSite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare(harness, "advise", "decide")
    harness.capture(*leads("FR", "AT", "DE"))
    harness.run()
    assert set(outcomes(harness).values()) == {"held"}
    (tmp_path / "playbook.yaml").write_text(make_playbook("decide"), encoding="utf-8")
    items = read_json(cli("review", "--json", "--now", LATER))["items"]
    assert [each["learned"]["chance"] for each in items] == pytest.approx(
        [CHANCES["DE"], CHANCES["AT"], CHANCES["FR"]], abs=1e-6
    )
    assert len(read_json(cli("review", "--json", "--limit", 1, "--now", LATER))["items"]) == 1
    monkeypatch.setenv("COLUMNS", "160")
    assert "chance 73 %" in join_lines(cli("review", "--now", LATER))
    assert "a chance of 73 %" in join_lines(cli("review", f"W{items[0]['id']}"))
    rita = console.sign_in("rita", Role.REVIEWER)
    assert "a chance of 73 %" in rita.get(f"/queue/{items[0]['id']}").words
    lead = harness.one("SELECT id FROM lead WHERE country = 'DE'")
    assert "Learned score 1 (advise): a chance of 73 %" in rita.get(f"/leads/{lead}").words


def list_countries(harness: Harness, ids: Sequence[int]) -> list[str]:
    of = dict(harness.rows("SELECT id, country FROM lead"))  # type: ignore[arg-type]
    return [of[each] for each in ids]


def test_one_that_advises_orders_the_leads_of_reps_but_what_is_overdue_is_first(
    harness: Harness, cli: Cli, console: ConsoleSite, tmp_path: Path
) -> None:
    prepare(harness, "advise", "advise")
    harness.capture(make_lead(9, Country="FR", **{"Job Title": "Chief of Staff"}))
    harness.run()
    harness.capture(*leads("FR", "AT", "DE", title="Chief of Staff"), now=LATER)
    harness.run(LATER)
    assert set(outcomes(harness).values()) == {"owned"}
    (tmp_path / "playbook.yaml").write_text(make_playbook("advise"), encoding="utf-8")
    first = harness.one("SELECT min(due_at) FROM assignment")
    soon, overdue = LATER + timedelta(minutes=1), first + timedelta(seconds=1)
    assert overdue < harness.one("SELECT max(due_at) FROM assignment")

    def read_order(now: Any, *more: Any) -> tuple[str, list[str]]:
        found = read_json(cli("leads", "--json", "--now", now, *more))
        return found["order"], list_countries(harness, [each["lead_id"] for each in found["leads"]])

    assert read_order(soon) == ("chance", ["DE", "AT", "FR", "FR"])
    assert read_order(overdue) == ("chance", ["FR", "DE", "AT", "FR"])
    assert read_order(overdue, "--overdue") == ("chance", ["FR"])
    assert "Overdue first, then the best chance by the learned score" in join_lines(cli("leads", "--now", soon))

    with harness.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE assignment SET owner = 'ana'")
    for now in (soon, overdue):
        for wanted in (LeadFilter(("ana",), by_chance=True), LeadFilter(("ana",), search="company", by_chance=True)):
            whole = [each.lead_id for each in list_leads(harness.ledger, wanted, now, 9)]
            paged, after = [], None
            while found := list_leads(harness.ledger, wanted, now, 1, after):
                paged.append(found[0].lead_id)
                after = find_place(found[0], wanted, now)
            assert paged == whole
            assert list_countries(harness, whole) == (
                ["DE", "AT", "FR", "FR"] if now == soon else ["FR", "DE", "AT", "FR"]
            )
    console.site.loaded = harness.loaded
    ana = console.sign_in_rep("ana")
    words = ana.get("/leads/mine").words
    assert "Overdue first, then the best chance by the learned score" in words
    assert words.index("chance 73 %") < words.index("chance 50 %") < words.index("chance 2 %")

    with harness.ledger.transaction() as connection:
        score_models.give_role(connection, RoleGiven(1, LearnedRole.SHADOW, "it has drifted", "tests", NOW))
    assert read_order(soon)[0] == "due"
    assert "The next due first" in ana.get("/leads/mine").words


def test_one_that_advises_orders_the_queue(
    harness: Harness,
    cli: Cli,
    console: ConsoleSite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare(harness, "advise", "decide")
    harness.capture(make_lead(9, Country="Nowhere at all"))  # held at validation: it has no chance
    harness.capture(*leads("FR", "AT", "DE"))
    harness.run()
    (tmp_path / "playbook.yaml").write_text(make_playbook("decide"), encoding="utf-8")
    found = read_json(cli("queue", "--json", "--now", LATER))
    assert found["order"] == "chance"
    chances = [each["chance"] for each in found["items"]]
    assert chances[:3] == pytest.approx([CHANCES["DE"], CHANCES["AT"], CHANCES["FR"]], abs=1e-6)
    assert chances[3:] == [None]
    ids = [each["id"] for each in found["items"]]
    french = ids[2]
    with harness.ledger.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE work_item SET due_at = opened_at + interval '1 minute' WHERE id = {french}")
    assert [each["id"] for each in read_json(cli("queue", "--json", "--now", LATER))["items"]] == [
        french,
        *ids[:2],
        ids[3],
    ]
    monkeypatch.setenv("COLUMNS", "160")
    told = join_lines(cli("queue", "--now", LATER))
    assert "Overdue first, then the best chance by the learned score" in told
    assert "chance 73 %" in told

    monkeypatch.setattr("console.web.pages.queue.ON_PAGE", 1)
    console.site.loaded = harness.loaded
    rita = console.sign_in("rita", Role.REVIEWER)
    page, seen = rita.get("/queue"), []
    assert "Overdue first, then the best chance by the learned score" in page.words
    while True:
        seen += re.findall(r'id="item-(\d+)"', page.text)
        following = re.search(r'href="(/queue\?[^"]*after=[^"]+)"', page.text)
        if following is None:
            break
        page = rita.get(unescape(following[1]))
    assert list(map(int, seen)) == ids  # as of the site's clock nothing is overdue
    with harness.ledger.transaction() as connection:
        score_models.give_role(connection, RoleGiven(1, LearnedRole.SHADOW, "it has drifted", "tests", NOW))
    assert read_json(cli("queue", "--json", "--now", LATER))["order"] == "due"
    assert read_json(cli("review", "--json", "--now", LATER))["order"] == "due"
