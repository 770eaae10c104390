"""Decisions are made again: as they were under the playbook that made them, and otherwise only where a draft says so."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import INSISTS, NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text

from benchmarks.made_up_decisions import START, Days
from console.playbook_changes import compare_playbooks
from leadgate import playbook as playbooks
from leadgate.ledger import decision_inputs, reruns
from leadgate.playbook import LoadedPlaybook
from leadgate.replay.comparison import End, Kind
from leadgate.vocabulary import StageName
from tasks.assignment import Capacity
from tasks.replay import stage_inputs
from tasks.replay.results import ReplayResult, replay_playbook
from tasks.replay.self_check import NAMED
from tasks.trial import NO_ACTIVITIES, build_frame, try_leads

#: Two pools, so that the order of routes decides something.
TWO_POOLS = PLAYBOOK.replace(
    "routing:\n",
    "routing:\n  - {name: chiefs, when: \"job_title ilike '%chief%'\", to: pool first}\n",
).replace("pools:\n", "pools:\n  - {name: first, members: [{rep: cyn}, {rep: dan}], hours: office, sla: standard}\n").replace(
    "reps:\n", "reps:\n  - {name: dan, manager: mia}\n"
)  # fmt: skip


def parse(text: str) -> LoadedPlaybook:
    return playbooks.parse(text, path=Path("tests.yaml"))


def change(before: str, after: str, within: str = TWO_POOLS) -> str:
    assert before in within
    return within.replace(before, after)


@pytest.fixture
def loaded() -> LoadedPlaybook:
    return parse(TWO_POOLS)


LEADS = (
    *(make_lead(number) for number in range(1, 9)),
    *(make_lead(number, **{"Job title": "Chief of sales"}) for number in range(9, 13)),
    make_lead(13, Company=""),
    make_lead(14, Phone="+49 1"),
    make_lead(15, Email="ada@rival.example"),
)


@pytest.fixture
def decided(harness: Harness) -> Harness:
    """Fifteen leads in two batches: chiefs and others with owners, one nurtured, one held, one disqualified."""

    def work() -> None:
        harness.capture(*LEADS[:6])
        harness.run()
        harness.capture(*LEADS[6:])
        harness.run(NOW + timedelta(hours=1))

    harness.begin_with("fifteen leads to replay", work)
    return harness


def replay(harness: Harness, draft: LoadedPlaybook | None = None, **more: Any) -> ReplayResult:
    used = harness.loaded
    return replay_playbook(harness.ledger, draft or used, used=used.playbook, **more)


def test_what_a_playbook_decided_it_decides_again(decided: Harness) -> None:
    result = replay(decided)
    assert (result.check.different_decisions, result.check.differences, result.check.unreadable) == (0, [], {})
    assert result.check.decisions == 15 + 2 * 14 + 12
    assert (result.comparison.journeys, result.comparison.changed) == (15, 0)
    assert result.comparison.ends == {
        (End.OWNED, End.OWNED): 12, (End.NURTURE, End.NURTURE): 1, (End.HELD, End.HELD): 1,
        (End.DISQUALIFIED, End.DISQUALIFIED): 1,
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_days_of_people_and_leads_come_out_as_they_were(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Absences, corrections, reviews, rejections, reassignments, activities that have leads scored again."""
    harness.loaded = playbooks.load(Path(playbooks.__file__).parents[1] / "default_playbook.yaml")
    days = Days(harness.ledger, harness.loaded, seed=seed)
    days.live(60, 10)
    assert days.done.keys() >= {"approvals", "rejections", "reassignments", "absences", "activities"}
    result = replay(harness)
    assert result.check.differences == []
    assert result.check.decisions > 150
    assert result.comparison.changed == 0
    draft = parse(
        harness.loaded.text.replace("points: 20", "points: 2").replace("sales_qualified: 50", "sales_qualified: 45")
    )
    by_draft = replay(harness, draft).comparison
    assert by_draft.changed > 0
    for portion in (1, 30):
        monkeypatch.setattr(stage_inputs, "PORTION", portion)
        assert replay(harness).check.differences == []
        assert replay(harness, draft).comparison == by_draft  # however much is decided together
    since = START + timedelta(hours=5)
    assert replay(harness, since=since).comparison.journeys < result.comparison.journeys


def test_a_lead_that_waits_is_decided_again_each_time(harness: Harness) -> None:
    waits = "hours: office, sla: standard, nobody_available: {do: wait, retry_after: 1h}}"
    harness.loaded = parse(
        change("hours: office, sla: standard}\n", waits + "\n").replace(
            ", manager: mia}", ", manager: mia, max_per_day: 1}"
        )
    )
    harness.begin(*(make_lead(number, **{"Job title": "Chief of sales"}) for number in range(1, 5)))
    for hour in (1, 2, 24, 25):
        harness.run(NOW + timedelta(hours=hour))
    result = replay(harness)
    assert result.check.differences == []
    assert result.check.decisions > 16
    assert result.comparison.changed == 0


def test_the_self_check_names_what_came_out_otherwise(decided: Harness) -> None:
    with decided.ledger.transaction() as connection:
        connection.execute(text("UPDATE assignment SET owner = 'cyn', pool = 'nowhere' WHERE journey_id = 1"))
        connection.execute(text("ALTER TABLE handoff DISABLE TRIGGER USER"))
        connection.execute(
            text("UPDATE handoff SET outcome = 'nurture' WHERE journey_id = 2 AND stage = 'qualification'")
        )
    result = replay(decided, parse(change("points: 30", "points: 29")))
    found = {(each.journey, each.stage, each.what) for each in result.check.differences}
    assert found >= {(1, StageName.ASSIGNMENT, "pool"), (2, StageName.QUALIFICATION, "outcome")}
    assert result.check.different == {1, 2}
    assert result.comparison.journeys == 13  # nothing is told of journeys that cannot be compared


CHANGES: dict[str, tuple[str, Kind]] = {
    "points": (change("points: 30", "points: 10"), Kind.DROPPED),
    "a threshold": (change("marketing_qualified: 30", "marketing_qualified: 31"), Kind.DROPPED),
    "a new rule": (
        change("  engagement:", "    - {name: german, when: \"country = 'DE'\", points: 3}\n  engagement:"),
        Kind.OTHER_SCORE,
    ),
    "the order of routes": (
        re.sub(r"(  - \{name: chiefs.*\n)(  - \{name: all_leads.*\n)", r"\2\1", TWO_POOLS),
        Kind.OTHER_OWNER,
    ),
    "a rep leaves": (
        change("  - {name: bob, manager: mia}\n", "").replace("{rep: bob, weight: 2}, ", ""),
        Kind.OTHER_OWNER,
    ),
    "a weight": (change("{rep: bob, weight: 2}", "{rep: bob}"), Kind.OTHER_OWNER),
    "a cap": (change("{name: bob, manager: mia}", "{name: bob, manager: mia, max_per_day: 1}"), Kind.OTHER_OWNER),
    "an SLA": (change("first_touch: 4h", "first_touch: 2h"), Kind.OTHER_DUE),
    "hours": (change('wed: [["09:00", "17:00"]]', 'wed: [["14:00", "15:00"]]'), Kind.OTHER_DUE),
    "the severity of a promise": (change("phone_possible: critical", "phone_possible: warning"), Kind.NEWLY_OWNED),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_told_by_diff_by_try_and_by_replay(decided: Harness, what: str) -> None:
    draft, kind = parse(CHANGES[what][0]), CHANGES[what][1]

    assert compare_playbooks(decided.loaded.playbook, draft.playbook)

    tried = [_try_all(each) for each in (decided.loaded, draft)]
    assert tried[0] != tried[1]

    result = replay(decided, draft)
    assert result.check.differences == []
    assert kind in result.comparison.kinds, result.comparison.kinds
    assert any(each.kind is kind for each in result.comparison.told)


def _try_all(loaded: LoadedPlaybook) -> list[tuple[object, ...]]:
    names = {"Email": "email", "First name": "first_name", "Last name": "last_name", "Company": "company",
             "Phone": "phone", "Job title": "job_title"}  # fmt: skip
    rows = [("website", {names[name]: value for name, value in lead.items()}) for lead in LEADS]
    frame = build_frame(rows, loaded.playbook, NOW)
    trials = try_leads(loaded, frame, NO_ACTIVITIES, Capacity({}, {}), NOW)
    return [(each.held, each.score, each.outcome, *((r.owner, r.route, r.due_at) if (r := each.routed) else ()))
            for each in trials]  # fmt: skip


def test_a_lead_that_gets_no_owner_any_more_is_told_with_what_became_of_it(decided: Harness) -> None:
    with decided.ledger.transaction() as connection:
        connection.execute(text("UPDATE assignment SET touched_at = assigned_at WHERE journey_id IN (1, 2)"))
    result = replay(decided, parse(CHANGES["a threshold"][0]))
    assert result.comparison.ends[End.OWNED, End.NURTURE] == 8
    assert len(result.comparison.dropped) == 8
    assert result.later == {"untouched": 6, "touched": 2}


def test_a_lead_that_was_held_goes_on_without_answers_that_nobody_was_asked_for(decided: Harness) -> None:
    result = replay(decided, parse(CHANGES["the severity of a promise"][0]))
    (told,) = (each for each in result.comparison.told if each.journey == 14)
    assert (told.before.end, told.after.end, told.uncertain) == (End.HELD, End.OWNED, True)
    assert told.after.score == 30
    assert result.comparison.no_longer_held == {"phone_impossible": 1}


def test_a_promise_that_is_added_holds_leads(decided: Harness) -> None:
    strict = """gates:
  validated:
    severity: {phone_possible: critical, country_known: critical}
    expect:
      - name: title_given
        expectation: expect_column_values_to_not_be_null
        arguments: {column: job_title}
        severity: critical
        why: Sales prepares by it
        broken: Nobody knows what the lead does
"""
    result = replay(decided, parse(change(INSISTS, strict)))
    assert sum(result.comparison.newly_held.values()) == 10
    assert result.comparison.kinds[Kind.DROPPED] == 8


def test_what_a_person_approved_stays_approved_where_the_draft_asks_as_well(harness: Harness) -> None:
    harness.loaded = parse(change("points: 30", "points: 25"))
    harness.begin(make_lead(1), make_lead(2))
    items = [item for (item,) in harness.rows("SELECT id FROM work_item ORDER BY id")]
    reruns.mark_done_by_hand(harness.ledger, [items[0]], by=make_actor("ops"), now=NOW, evidence="a good one")
    harness.run(NOW + timedelta(hours=1))

    again = replay(harness)
    assert again.check.differences == []
    assert again.comparison.ends == {(End.OWNED, End.OWNED): 1, (End.REVIEW, End.REVIEW): 1}

    asks_too = replay(harness, parse(change("points: 30", "points: 22")))
    assert asks_too.comparison.ends == {(End.OWNED, End.OWNED): 1, (End.REVIEW, End.REVIEW): 1}

    refuses = replay(harness, parse(change("points: 30", "points: 5")))
    assert refuses.comparison.ends == {(End.OWNED, End.NURTURE): 1, (End.REVIEW, End.NURTURE): 1}


def test_a_corrected_value_is_a_fact(harness: Harness) -> None:
    harness.loaded = parse(TWO_POOLS)
    harness.begin(make_lead(1, Phone="+49 1"))
    item = harness.one("SELECT id FROM work_item")
    values = {"phone": "+49301234567"}
    reruns.rerun(
        harness.ledger, [item], by=make_actor("ops"), now=NOW, playbook=harness.loaded.playbook, corrections=values
    )
    harness.run(NOW + timedelta(hours=1))
    result = replay(harness, parse(CHANGES["points"][0]))
    assert result.check.differences == []
    assert result.comparison.ends == {(End.OWNED, End.NURTURE): 1}


def test_turns_and_loads_run_on_where_that_is_asked_for(harness: Harness) -> None:
    def work() -> None:
        for hour in range(8):
            harness.capture(make_lead(hour + 1))
            harness.run(NOW + timedelta(minutes=20 * hour))

    harness.begin_with("eight leads one by one", work)
    before = {rep: one for rep, (one, _) in replay(harness).comparison.loads.items()}
    assert before == {"ana": 2, "bob": 4, "cyn": 2}

    even = parse(change("{rep: bob, weight: 2}", "{rep: bob}"))
    ran_on = replay(harness, even, simulated=True)
    after = {rep: other for rep, (_, other) in ran_on.comparison.loads.items()}
    assert sorted(after.values()) == [2, 3, 3]
    assert ran_on.check.differences == []

    capped = parse(change("{name: bob, manager: mia}", "{name: bob, manager: mia, max_per_day: 1}"))
    after = {rep: other for rep, (_, other) in replay(harness, capped, simulated=True).comparison.loads.items()}
    assert after["bob"] == 1
    same = replay(harness, simulated=True)
    assert same.comparison.changed == 0  # the same playbook from the same start takes the same turns


def test_a_pool_that_was_not_there_takes_its_turns_one_after_the_other(harness: Harness) -> None:
    def work() -> None:
        for hour in range(6):
            harness.capture(make_lead(hour + 1))
            harness.run(NOW + timedelta(minutes=20 * hour))

    harness.begin_with("six leads one by one", work)
    draft = TWO_POOLS.replace("name: everybody", "name: another").replace("pool everybody", "pool another")
    result = replay(harness, parse(draft))
    assert sorted(other for _, other in result.comparison.loads.values()) == [1, 2, 3] or sorted(
        other for _, other in result.comparison.loads.values()
    ) == [1, 1, 1, 3]


def test_a_playbook_that_cannot_be_read_any_more_is_named(decided: Harness) -> None:
    with decided.ledger.transaction() as connection:
        connection.execute(text("ALTER TABLE playbook_version DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE playbook_version SET content = 'version: 9'"))
    result = replay(decided)
    ((why, decisions),) = result.check.unreadable.values()
    assert decisions == 55
    assert "version" in why
    assert result.comparison.journeys == 0
    assert len(result.check.not_made) == NAMED
    first = result.check.not_made[0]
    assert (first.journey, first.stage) == (1, StageName.VALIDATION)
    assert why in first.why


def test_decisions_whose_inputs_are_damaged_are_named_and_the_others_made_again(decided: Harness) -> None:
    with decided.ledger.transaction() as connection:
        connection.execute(text("ALTER TABLE decision_input DISABLE TRIGGER USER"))
        of_batch = "batch_id = (SELECT min(batch_id) FROM decision_input) AND stage = 'qualification'"
        connection.execute(text(f"UPDATE decision_input SET content = 'no bytes of ours' WHERE {of_batch}"))
    result = replay(decided)
    assert result.check.damaged == 6
    assert {(each.journey, each.stage) for each in result.check.not_made} == {
        (journey, StageName.QUALIFICATION) for journey in range(1, 7)
    }
    assert result.check.differences == []
    assert result.check.decisions == 55 - 6
    assert (result.comparison.journeys, result.comparison.changed) == (9, 0)


def test_a_replay_says_how_far_it_is_and_can_be_ended(decided: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_inputs, "SMALL_PORTION", 1)
    heard: list[int] = []
    watched = replay(decided, advance=heard.append)
    with decided.ledger.snapshot() as connection:
        assert sum(heard) == decision_inputs.count_decisions(connection, START) == 55
        assert decision_inputs.count_decisions(connection, START, START) == 0
    assert len(heard) == 2, "a batch stays whole"
    assert watched.comparison == replay(decided).comparison

    def stop(decisions: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(decided, advance=stop)


def test_parts_that_a_replay_does_not_look_at_are_named(decided: Harness) -> None:
    draft = change("partner: {default_country: FR}", "partner: {default_country: GB}")
    assert list(replay(decided, parse(draft)).not_replayed) == ["sources"]


def test_a_replay_writes_nothing(decided: Harness) -> None:
    tables = [name for (name,) in decided.rows("SELECT relname FROM pg_stat_user_tables ORDER BY 1")]

    def count() -> list[Any]:
        return [decided.one(f"SELECT count(*) FROM {table}") for table in tables]

    before = count()
    replay(decided, parse(CHANGES["points"][0]), simulated=True)
    assert count() == before


def test_both_ways_have_each_journey(decided: Harness) -> None:
    from tasks.replay.paths import replay as decide_again

    with decided.ledger.snapshot() as connection:
        done = decide_again(connection, parse(CHANGES["points"][0]))
    assert done.before.ids == done.after.ids == list(range(1, 16))
