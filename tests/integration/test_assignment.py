"""Assignment on a real ledger: pools and their policies, caps, absences, account owners, and the record of it.

Long as one file: every test changes the same pools and reads the same record.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from stub_gates import act_at_gate, pass_all

from expectations.findings import GateResult
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, actions, ownership, races, reruns
from leadgate.ledger.journeys.locking import decide_again
from leadgate.playbook import Playbook
from tasks import stage_task
from tasks.batches import STAGES, activate, claim_next_work, run_waiting
from tasks.bisecting import run_stage

TOMORROW = NOW + timedelta(days=1)
NOBODY = "2026-03-04"  # the day on which all of the pool are away
REPS = """reps:
  - {name: ana, manager: mia}
  - {name: bob, manager: mia}
  - {name: cyn, manager: mia}
"""
AWAY = f"absent: [{{first: {NOBODY}, last: {NOBODY}}}]"
ALL_AWAY = "reps:\n" + "".join(f"  - {{name: {name}, manager: mia, {AWAY}}}\n" for name in ("ana", "bob", "cyn"))
POOL = "    hours: office\n    sla: standard\n"


@pytest.fixture
def desk_with(ledger: Ledger, tmp_path: Path) -> Callable[..., Harness]:
    """A harness whose playbook differs from the tests' in ``changes`` (old text, new text)."""

    def make(*changes: tuple[str, str]) -> Harness:
        words = PLAYBOOK
        for old, new in changes:
            assert words.count(old) == 1, old
            words = words.replace(old, new)
        return Harness(ledger, playbooks.parse(words, path=tmp_path / "playbook.yaml"))

    return make


def work(harness: Harness, now: datetime = NOW, check: Any = pass_all) -> None:
    run_waiting(harness.worker(), lambda: now, kinds=("intake", "follow_up", "intake"), check=check)


def assign_new(harness: Harness, now: datetime) -> None:
    """Work on what was captured, and take nothing back from who is late by now."""
    run_waiting(harness.worker(), lambda: now, kinds=["intake"], check=pass_all)


def owners(harness: Harness) -> Counter[str]:
    """How many leads each rep has now."""
    return Counter(owner for (owner,) in harness.rows("SELECT owner FROM assignment WHERE ended_at IS NULL"))


def policy(words: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """All of the pool are away for the day, and ``words`` is what happens then."""
    return [(REPS, ALL_AWAY), (POOL, f"{POOL}    nobody_available: {words}\n"), *more]


def test_a_lead_waits_until_somebody_is_available(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with(*policy("{do: wait, retry_after: 2h}"))
    harness.capture(make_lead(1))
    work(harness)
    waits = [("ready", "assignment", NOW + timedelta(hours=2))]
    state = "SELECT status, stage, run_after FROM journey"
    assert harness.rows(state) == waits
    away = "; ".join(f"{rep}: absent until 2026-03-04" for rep in ("ana", "bob", "cyn"))
    assert harness.one("SELECT waits_for FROM journey").endswith(f"It is tried again at 2026-03-04 12:00 UTC. {away}.")
    work(harness, NOW + timedelta(hours=1))
    assert harness.rows(state) == waits
    work(harness, NOW + timedelta(hours=3))
    assert harness.rows(state) == [("ready", "assignment", NOW + timedelta(hours=5))]  # still the same day
    assert harness.one("SELECT count(*) FROM handoff WHERE stage = 'assignment'") == 0
    assert harness.one("SELECT count(*) FROM work_item") == 0
    work(harness, TOMORROW)
    assert harness.count_statuses() == {"owned": 1}
    assert harness.one("SELECT assigned_at FROM assignment") == TOMORROW
    assert harness.find_broken() == []


def test_a_lead_waits_for_the_first_who_is_back_unless_the_playbook_changes(desk_with: Callable[..., Harness]) -> None:
    away = ALL_AWAY.replace("cyn, manager: mia, absent: [{first: 2026-03-04, last: 2026-03-04}", "cyn, absent: "
                            "[{first: 2026-03-04, last: 2026-03-04, returns: 16:30}")  # fmt: skip
    harness = desk_with((REPS, away), (POOL, f"{POOL}    nobody_available: {{do: wait}}\n"))
    harness.capture(make_lead(1))
    work(harness)
    assert harness.one("SELECT run_after FROM journey") == datetime(2026, 3, 4, 16, 30, tzinfo=UTC)
    soon = NOW + timedelta(minutes=5)
    work(harness, soon)
    assert harness.count_statuses() == {"ready": 1}
    work(desk_with((POOL, f"{POOL}    nobody_available: {{do: wait}}\n")), soon)  # nobody is away after all
    assert harness.count_statuses() == {"owned": 1}
    assert harness.find_broken() == []


def test_a_lead_overflows_to_the_pool_that_helps(desk_with: Callable[..., Harness]) -> None:
    helpers = f"{ALL_AWAY}  - {{name: dan}}\n"
    backup = (
        f"{POOL}    nobody_available: {{do: overflow, pool: backup}}\n  - {{name: backup, members: [{{rep: dan}}]}}\n"
    )
    harness = desk_with((REPS, helpers), (POOL, backup))
    harness.capture(make_lead(1), make_lead(2))
    work(harness)
    assert harness.rows("SELECT owner, pool, turn, sla FROM assignment") == [("dan", "backup", True, "standard")] * 2
    assert "overflows to pool backup" in harness.one("SELECT why FROM assignment LIMIT 1")
    assert harness.find_broken() == []


def test_a_lead_goes_to_the_last_resort_even_beyond_the_cap(desk_with: Callable[..., Harness]) -> None:
    changes = policy("{do: assign, rep: dan}")
    changes[0] = (REPS, f"{ALL_AWAY}  - {{name: dan, max_open: 1}}\n")
    harness = desk_with(*changes)
    harness.capture(make_lead(1), make_lead(2), make_lead(3))
    harness.run()  # with the real gates: they must not take it for a mistake
    assert harness.rows("SELECT owner, pool, turn FROM assignment") == [("dan", "everybody", False)] * 3
    assert harness.find_broken() == []


def test_a_lead_is_held_until_a_person_reruns_it(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with(*policy("{do: hold}"))
    harness.capture(make_lead(1), make_lead(2))
    work(harness)
    assert harness.count_statuses() == {"held": 2}
    assert harness.rows("SELECT DISTINCT reason, stage, route FROM work_item") == [
        ("nobody_available", "assignment", "revenue_operations")
    ]
    assert "Nobody in pool everybody is available" in harness.one("SELECT message FROM work_item LIMIT 1")
    assert harness.one("SELECT DISTINCT detail FROM work_item") == (
        "ana: absent until 2026-03-04; bob: absent until 2026-03-04; cyn: absent until 2026-03-04"
    )
    items = [item for (item,) in harness.rows("SELECT id FROM work_item")]
    with pytest.raises(actions.ActionError, match="add capacity"):
        reruns.mark_done_by_hand(harness.ledger, items, by=make_actor("mia"), now=NOW, evidence="I took it")
    reruns.rerun(harness.ledger, items, by=make_actor("mia"), now=TOMORROW, playbook=harness.loaded.playbook)
    work(harness, TOMORROW)
    assert harness.count_statuses() == {"owned": 2}
    assert harness.find_broken() == []


def test_a_rep_who_is_away_is_passed_over_with_the_reason(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with(("{name: bob, manager: mia}", f"{{name: bob, manager: mia, {AWAY}}}"))
    harness.capture(*(make_lead(number) for number in range(6)))
    work(harness)
    assert owners(harness) == {"ana": 3, "cyn": 3}
    candidates = harness.one("SELECT candidates FROM assignment LIMIT 1")
    assert [(c["rep"], c["reason"]) for c in candidates if not c["eligible"]] == [("bob", "absent until 2026-03-04")]
    harness.capture(*(make_lead(number) for number in range(6, 14)))
    assign_new(harness, TOMORROW)
    assert owners(harness) == {"ana": 5, "bob": 4, "cyn": 5}  # of eight more, at weights 1, 2, 1
    assert harness.find_broken() == []


TWO_POOLS = [
    (POOL, f"{POOL}  - name: other\n    members: [{{rep: ana}}, {{rep: dan}}]\n    hours: office\n    sla: standard\n"),
    ("  - {name: all_leads, to: pool everybody}\n",
     "  - {name: other_leads, when: \"country = 'FR'\", to: pool other}\n  - {name: all_leads, to: pool everybody}\n"),
]  # fmt: skip


@pytest.mark.parametrize("cap", ["max_per_day", "max_open"])
def test_a_cap_counts_leads_of_all_pools_and_batches(desk_with: Callable[..., Harness], cap: str) -> None:
    capped = REPS.replace("{name: ana, manager: mia}", f"{{name: ana, manager: mia, {cap}: 3}}") + "  - {name: dan}\n"
    harness = desk_with((REPS, capped), *TWO_POOLS)
    harness.capture(*(make_lead(number, Country="France" if number % 2 else "Germany") for number in range(20)))
    run_waiting(harness.worker(limit=10), lambda: NOW, kinds=["intake"], check=pass_all)
    assert owners(harness)["ana"] == 3
    assert {pool for (pool,) in harness.rows("SELECT pool FROM assignment WHERE owner = 'ana'")} == {
        "everybody",
        "other",
    }
    full = f"reached 3 {'a day' if cap == 'max_per_day' else 'open'}"
    last = harness.one("SELECT candidates FROM assignment ORDER BY id DESC LIMIT 1")
    assert [c["reason"] for c in last if c["rep"] == "ana"] == [full]
    assert harness.count_statuses() == {"owned": 20}
    assert harness.find_broken() == []

    harness.capture(*(make_lead(number) for number in range(20, 40)))
    assign_new(harness, NOW + timedelta(minutes=1))
    assert owners(harness)["ana"] == 3
    if cap == "max_open":  # one is done, so there is room for one
        lead = harness.one(
            "SELECT l.email FROM lead l JOIN journey j ON j.lead_id = l.id JOIN assignment a ON a.journey_id = j.id "
            "WHERE a.owner = 'ana' LIMIT 1"
        )
        harness.activity("call", lead, rep="ana", at=NOW + timedelta(minutes=2))
        work(harness, NOW + timedelta(minutes=3))
        assert owners(harness)["ana"] == 2
    harness.capture(*(make_lead(number) for number in range(40, 60)))
    assign_new(harness, TOMORROW if cap == "max_per_day" else NOW + timedelta(minutes=4))
    assert owners(harness)["ana"] == (6 if cap == "max_per_day" else 3)
    assert harness.find_broken() == []


def test_the_account_owner_gets_the_lead_unless_away(desk_with: Callable[..., Harness], tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text(
        "domain,owner\ncompany1.example,cyn\ncompany2.example,ANA@ours.example\ncompany3.example,bob\n"
        "company4.example,somebody who left\n",
        encoding="utf-8",
    )
    harness = desk_with(
        ("scoring:\n", "enrichment:\n  providers:\n    - {type: company_domain}\n"
         "    - {type: accounts_file, path: accounts.csv, fields: {account_owner: owner}}\nscoring:\n"),
        ("{name: ana, manager: mia}", "{name: ana, manager: mia, email: ana@ours.example}"),
        ("{name: bob, manager: mia}", f"{{name: bob, manager: mia, {AWAY}}}"),
        ("  - {name: all_leads,", "  - {name: known_accounts, to: account_owner}\n  - {name: all_leads,"),
    )  # fmt: skip
    harness.capture(*(make_lead(number) for number in (1, 2, 3, 4, 5)))
    harness.run()
    rows = harness.rows(
        "SELECT l.company_domain, a.owner, a.rule, a.turn, a.why FROM assignment a "
        "JOIN journey j ON j.id = a.journey_id JOIN lead l ON l.id = j.lead_id ORDER BY 1"
    )
    assert [row[1:4] for row in rows[:2]] == [("cyn", "known_accounts", False), ("ana", "known_accounts", False)]
    assert [row[2:4] for row in rows[2:]] == [("all_leads", True)] * 3
    assert rows[2][1] != "bob"
    assert [words in row[4] for row, words in zip(
        rows, ("cyn owns the account", "ana owns the account", "bob: absent until", "none of the reps", "no owner"),
        strict=True,
    )] == [True] * 5  # fmt: skip
    assert harness.one("SELECT sla FROM assignment WHERE owner = 'cyn' AND NOT turn") == "standard"
    assert harness.find_broken() == []


RETURNING = [
    (
        "  - {name: all_leads,",
        "  - {name: returning, to: earlier_owner, why: they know each other}\n  - {name: all_leads,",
    ),
    ("exceptions:\n", "follow_up: {rejected: nurture}\nexceptions:\n"),
]


def test_a_lead_that_returns_goes_to_who_had_it_unless_they_gave_it_back(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with(*RETURNING)
    harness.capture(*(make_lead(number) for number in range(4)))
    work(harness)
    first = dict(harness.rows("SELECT j.lead_id, a.owner FROM assignment a JOIN journey j ON j.id = a.journey_id"))
    for lead, owner in first.items():
        if lead > 1:
            harness.activity("call", harness.one("SELECT email FROM lead WHERE id = :id", id=lead), rep=owner, at=NOW)
    ownership.reject(
        harness.ledger, 1, by=make_actor("mia"), now=NOW, reason="wrong_territory", playbook=harness.loaded.playbook
    )
    work(harness, NOW + timedelta(minutes=5))
    assert harness.count_statuses() == {"done": 3, "nurture": 1}
    later = NOW + timedelta(minutes=10)
    harness.capture(*(make_lead(number, Message="again") for number in range(5)), now=later)
    assign_new(harness, later)
    again = harness.rows(
        "SELECT j.lead_id, a.owner, a.rule, a.turn, a.why FROM assignment a JOIN journey j ON j.id = a.journey_id "
        "WHERE a.ended_at IS NULL ORDER BY j.lead_id"
    )
    assert [row[1:4] for row in again[1:4]] == [(first[row[0]], "returning", False) for row in again[1:4]]
    assert [row[2] for row in (again[0], again[4])] == ["all_leads"] * 2  # rejected by its owner; new
    assert "Route returning: they know each other." in again[1][4]
    assert "returning" not in again[4][4]
    assert harness.find_broken() == []


@pytest.mark.parametrize("order", ["turns", "open_leads"])
def test_a_named_owners_cap_holds_when_two_workers_assign_at_once(
    desk_with: Callable[..., Harness], tmp_path: Path, order: str
) -> None:
    """The second worker acts between the first one's decision and its apply, and has leads of the same owner."""
    (tmp_path / "accounts.csv").write_text("domain,owner\n" + "".join(f"company{n}.example,ana\n" for n in range(8)))
    harness = desk_with(
        ("scoring:\n", "enrichment:\n  providers:\n    - {type: company_domain}\n"
         "    - {type: accounts_file, path: accounts.csv, fields: {account_owner: owner}}\nscoring:\n"),
        ("{name: ana, manager: mia}", "{name: ana, manager: mia, max_per_week: 5}"),
        (POOL, f"    order: {order}\n{POOL}"),
        ("  - {name: all_leads,", "  - {name: known_accounts, to: account_owner}\n  - {name: all_leads,"),
    )  # fmt: skip
    harness.capture(*(make_lead(number) for number in range(4)))

    def second() -> None:
        harness.capture(*(make_lead(number) for number in range(4, 8)))
        run_waiting(harness.worker("second"), lambda: NOW, kinds=["intake"], check=pass_all)

    run_waiting(harness.worker("first"), lambda: NOW, kinds=["intake"], check=act_at_gate("assigned", second))
    assert owners(harness)["ana"] == 5
    assert harness.count_statuses() == {"owned": 8}
    assert harness.find_broken() == []


def test_a_language_nobody_speaks_is_held_with_the_reason_for_each_rep(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with(
        ("{name: ana, manager: mia}", "{name: ana, manager: mia, languages: [de]}"),
        (POOL, f"    language: required\n{POOL}    nobody_available: {{do: wait}}\n"),
    )
    harness.capture(make_lead(1, Language="German"), make_lead(2, Language="sv"), make_lead(3, Language="DE-at"))
    work(harness)
    assert owners(harness) == {"ana": 2}
    assert harness.rows("SELECT reason, detail FROM work_item") == [
        (
            "nobody_available",
            "; ".join(f"{rep}: does not speak the lead's language, sv" for rep in ("ana", "bob", "cyn")),
        )
    ]
    assert {read["language"] for (read,) in harness.rows("SELECT inputs FROM assignment")} == {"German", "DE-at"}
    assert harness.find_broken() == []


def test_the_record_names_the_rule_and_everybody_considered(harness: Harness) -> None:
    harness.capture(*(make_lead(number) for number in range(4)))
    work(harness)
    for owner, rule, candidates, why in harness.rows("SELECT owner, rule, candidates, why FROM assignment"):
        assert rule == "all_leads"
        assert [(c["rep"], c["weight"]) for c in candidates] == [("ana", 1), ("bob", 2), ("cyn", 1)]
        assert [c["rep"] for c in candidates if c["reason"] == "next in turn"] == [owner]
        assert "Route all_leads" in why
        assert owner in why
    assert owners(harness) == {"ana": 1, "bob": 2, "cyn": 1}


def test_turns_equal_assignments_whatever_is_given_back(desk_with: Callable[..., Harness]) -> None:
    harness = desk_with(("exceptions:\n", "follow_up: {rejected: reassign}\nexceptions:\n"))
    harness.capture(*(make_lead(number) for number in range(12)))
    work(harness)
    for journey, owner in harness.rows("SELECT journey_id, owner FROM assignment ORDER BY id LIMIT 5"):
        ownership.reject(
            harness.ledger,
            journey,
            by=make_actor(owner),
            now=NOW,
            reason="wrong_territory",
            playbook=harness.loaded.playbook,
        )
    work(harness, NOW + timedelta(hours=1))
    work(harness, TOMORROW + timedelta(hours=2))  # all are taken back, for want of a touch
    assert harness.one("SELECT count(*) FROM assignment") > 20
    assert harness.one("SELECT max(generation) FROM journey") == 2
    taken = harness.one("SELECT state -> 'taken' FROM pool_state")
    assert taken == dict(harness.rows("SELECT owner, count(*) FROM assignment GROUP BY owner"))
    assert harness.find_broken() == []


def test_a_lead_that_breaks_a_promise_gives_its_turn_back(harness: Harness) -> None:
    def breaks_for_two(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
        passed = pass_all(name, frame, playbook)
        if name != "assigned":
            return passed
        failures = pd.DataFrame(
            {
                "journey_id": frame["journey_id"].iloc[[0, 3]].tolist(),
                "promise": "owner_present",
                "severity": "critical",
                "reason": "owner_absent",
                "broken": "The owner is away",
                "value": None,
                "detail": None,
            }
        )
        return replace(passed, failures=failures)

    harness.capture(*(make_lead(number) for number in range(8)))
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=breaks_for_two)
    assert harness.count_statuses() == {"owned": 6, "held": 2}
    assert harness.one("SELECT count(*) FROM outbox") == 6
    assert harness.find_broken() == []
    items = [item for (item,) in harness.rows("SELECT id FROM work_item")]
    reruns.rerun(harness.ledger, items, by=make_actor("mia"), now=NOW, playbook=harness.loaded.playbook)
    work(harness)
    assert owners(harness) == {"ana": 2, "bob": 4, "cyn": 2}
    assert harness.find_broken() == []


def test_a_stage_outlasts_the_news_that_a_dozen_other_batches_bring(harness: Harness) -> None:
    """Each batch that joins a lead of this one makes it decide again, and no lock keeps these batches away."""
    harness.capture(make_lead(1))
    activate(harness.worker(), NOW)
    found = claim_next_work(harness.worker(), NOW)
    assert found is not None
    *before, assigns = STAGES["lead"][:5]
    for stage in before:
        run_stage(stage, harness.ledger, found, pass_all)
    news = iter(range(12))

    def gate(name: str, judged: pd.DataFrame, playbook: Playbook) -> GateResult:
        if next(news, None) is not None:
            with harness.ledger.transaction() as connection:
                decide_again(connection, judged["journey_id"].tolist())
        return pass_all(name, judged, playbook)

    assert run_stage(assigns, harness.ledger, found, gate).outcomes == {"owned": 1}


def test_the_event_loop_goes_on_while_a_stage_waits_for_the_pools(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that has lost its races waits for whoever has the pools; what else runs on the loop does not."""

    async def gate(name: str, judged: pd.DataFrame, rules: Playbook) -> GateResult:
        return pass_all(name, judged, rules)

    harness.capture(make_lead(1))
    activate(harness.worker(), NOW)
    found = claim_next_work(harness.worker(), NOW)
    assert found is not None
    *before, assigns = STAGES["lead"][:5]
    for stage in before:
        run_stage(stage, harness.ledger, found, pass_all)
    monkeypatch.setattr(stage_task.gate_task, "fn", gate)
    monkeypatch.setattr(races, "LOCK_AFTER", 0)

    async def both() -> None:
        with harness.ledger.pools_locked():
            stage = asyncio.create_task(stage_task.stage_task.fn(assigns, harness.ledger, found))
            waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not await asyncio.to_thread(harness.rows, waits):
                assert not stage.done()
        report = await stage
        assert report.outcomes == {"owned": 1}

    asyncio.run(both())
    assert harness.find_broken() == []
