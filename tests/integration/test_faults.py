"""One lead never stops the others: whose fault an error is, and what becomes of the leads that a stage fails for.

Long as one file: each kind of fault is put into the same stages and batches.
"""

from __future__ import annotations

import pickle
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from forked import Child, own_ledger
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from poison import MARKER, OUR_FAULTS, refuse_rows
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from stub_gates import pass_all

from expectations.findings import CHECK_FAILED, BatchProblem, GateResult
from leadgate import playbook as playbooks
from leadgate.ledger import LedgerError, activities, bulk, faults, reruns
from leadgate.ledger.batches import Conflict, LeaseLost
from leadgate.ledger.leases import read_lease_remaining
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.settings import Settings
from tasks import bisecting, handoff, outbox
from tasks.batches import run_waiting
from tasks.failed_batches import ENOUGH, FAILED
from tasks.overdue import escalate_overdue

# -- whose fault it is -------------------------------------------------------------------------------------


def of_driver(state: str, *, lost: bool = False) -> DBAPIError:
    kind = psycopg.errors.lookup(state) if state else psycopg.OperationalError
    error = DBAPIError.instance("SELECT 1", None, kind("words"), psycopg.Error, connection_invalidated=lost)
    assert isinstance(error, DBAPIError)
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        *(
            (of_driver(state), "server")
            for state in ("08006", "53100", "53300", "57P01", "57P03", "25006", "25P03", "")
        ),
        *((of_driver(state), "race") for state in ("40001", "40P01", "55P03")),
        *((of_driver(state), "ours") for state in ("54000", "22P02", "23505", "57014", "42703", "XX000", "25P01")),
        (of_driver("54000", lost=True), "ours"),  # what the server said counts for more than the connection
        (DBAPIError("SELECT 1", None, Exception("gone"), connection_invalidated=True), "server"),
        (psycopg.OperationalError("the connection is closed"), "server"),
        (psycopg.ProgrammingError("cannot adapt"), "ours"),
        (PoolTimeout(), "server"),
        (LedgerError("away"), "server"),
        (Conflict("faster"), "race"),
        (LeaseLost("taken over"), "race"),
        (ValueError("a rule that cannot be"), "ours"),
        (KeyboardInterrupt(), None),
    ],
    ids=repr,
)
def test_a_fault_is_judged_by_its_sqlstate(error: BaseException, fault: str | None) -> None:
    assert faults.judge(error) == fault


def test_a_lead_that_got_another_open_journey_meanwhile_is_a_lost_race(harness: Harness) -> None:
    harness.capture(make_lead(1), make_lead(2))
    harness.run(kinds=["intake"])
    with pytest.raises(DBAPIError) as caught, harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE journey SET lead_id = (SELECT min(lead_id) FROM journey)"))
    assert faults.find_constraint(caught.value) == "one_open_journey_per_lead"
    assert faults.judge(caught.value) == "race"


# -- errors that leave the ledger --------------------------------------------------------------------------


def all_of(error: BaseException) -> str:
    """Everything that a log, a traceback or a pickle of ``error`` may show."""
    original = error.orig if isinstance(error, DBAPIError) else None
    shown = [str(error), repr(error), "".join(traceback.format_exception(error)), str(vars(error))]
    if isinstance(original, psycopg.Error):
        diag = original.diag
        shown += [str(getattr(diag, name)) for name in dir(diag) if not name.startswith("_")]
        shown.append(repr(pickle.dumps(original)))
    return "\n".join(shown)


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SELECT CAST(:value AS int)", "22P02"),
        ("SELECT CAST(:value AS timestamptz)", "22007"),
        ("INSERT INTO identity (kind, value, lead_id) VALUES ('email', :value, 1), ('email', :value, 1)", "23505"),
        ("INSERT INTO playbook_version VALUES (:value, 'a', now()), (:value, 'b', now())", "23505"),
        ("INSERT INTO journey (trigger, source) VALUES ('signal', :value)", "23502"),
        ("SELECT CAST(:value AS jsonb)", "22P02"),
    ],
)
def test_an_error_of_a_statement_holds_no_value(harness: Harness, statement: str, state: str) -> None:
    with pytest.raises(DBAPIError) as caught, harness.ledger.transaction() as connection:
        connection.execute(text(statement), {"value": MARKER})
    assert MARKER not in all_of(caught.value)
    assert caught.value.orig is not None
    assert faults.find_sqlstate(caught.value) == state
    assert state in str(caught.value)


def test_an_error_of_copy_holds_no_value(harness: Harness) -> None:
    with pytest.raises(DBAPIError) as caught, harness.ledger.transaction() as connection:
        bulk.copy_rows(connection, "identity", ["kind", "value", "lead_id"], [("email", "x", MARKER)])
    assert MARKER not in all_of(caught.value)
    assert faults.find_sqlstate(caught.value) == "22P02"


def test_the_name_of_a_constraint_stays_readable(harness: Harness) -> None:
    twice = text("INSERT INTO identity (kind, value, lead_id) VALUES ('email', :value, 1), ('email', :value, 1)")
    with pytest.raises(DBAPIError) as caught, harness.ledger.transaction() as connection:
        connection.execute(twice, {"value": MARKER})
    name = faults.find_constraint(caught.value)
    assert name
    assert name in str(caught.value)
    assert name in faults.describe(caught.value)
    assert MARKER not in all_of(caught.value)


# -- a stage that fails for some of its journeys -----------------------------------------------------------

PEOPLE = 9
BAD = 4  # the number of the one that fails

#: Each statement of the stages that writes a row of one lead, and the condition that names that row.
STATEMENTS = [
    ("lead", "new.id = {journey}", "capture"),
    ("handoff", "new.journey_id = {journey} AND new.stage = 'capture' AND new.outcome = 'continued'", "capture"),
    ("lead", "new.id = {journey} AND new.email_domain IS NOT NULL", "validation"),
    ("identity", "new.lead_id = {journey}", "validation"),
    ("handoff", "new.journey_id = {journey} AND new.stage = 'validation' AND new.outcome = 'continued'", "validation"),
    ("handoff", "new.journey_id = {journey} AND new.stage = 'enrichment' AND new.outcome = 'continued'", "enrichment"),
    ("qualification", "new.journey_id = {journey}", "qualification"),
    ("assignment", "new.journey_id = {journey}", "assignment"),
    ("outbox", "new.journey_id = {journey}", "assignment"),
    ("journey", "new.id = {journey} AND new.status = 'owned'", "assignment"),
]


@pytest.mark.parametrize(("table", "rows", "stage"), STATEMENTS, ids=lambda value: str(value)[:40])
def test_whatever_one_lead_breaks_the_others_go_on(harness: Harness, table: str, rows: str, stage: str) -> None:
    at = [each[:2] for each in STATEMENTS].index((table, rows))
    for number, state in enumerate(
        OUR_FAULTS if table == "identity" else OUR_FAULTS[at::10]
    ):  # all of them once; and everywhere two
        base = 100 * number
        harness.capture(*(make_lead(base + each) for each in range(PEOPLE)))
        journeys = [row[0] for row in harness.rows("SELECT id FROM journey ORDER BY id DESC LIMIT :n", n=PEOPLE)][::-1]
        with refuse_rows(harness, table, rows.format(journey=journeys[BAD]), state):
            run_waiting(harness.worker(f"run {state}"), lambda: NOW, kinds=["intake"], check=pass_all)
        stands = harness.rows("SELECT id, status, stage FROM journey WHERE id = ANY(:ids)", ids=journeys)
        assert {each for each in stands if each[1] != "owned"} == {(journeys[BAD], "held", stage)}, state
        item = harness.rows(
            "SELECT kind, reason, stage, blocking, message || detail FROM work_item WHERE journey_id = :id",
            id=journeys[BAD],
        )
        assert [row[:4] for row in item] == [("exception", FAILED, stage, True)], state
        assert state in item[0][4]
        assert MARKER not in item[0][4]
    assert harness.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0
    assert harness.find_broken() == []


def test_a_value_that_no_index_can_hold_holds_its_lead_alone(harness: Harness) -> None:
    """The real thing: SQLSTATE 54000, which the driver calls an ``OperationalError``, like a lost connection."""
    with harness.ledger.transaction() as connection:
        connection.execute(text("CREATE INDEX too_small ON lead (message)"))
    long = random.Random(1).randbytes(8_000).hex()  # compresses too little
    harness.capture(*(make_lead(number, Message=long if number == BAD else "short") for number in range(PEOPLE)))
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
    assert harness.count_statuses() == {"owned": PEOPLE - 1, "held": 1}
    ((reason, message),) = harness.rows("SELECT reason, message FROM work_item")
    assert reason == FAILED
    assert "program_limit_exceeded (SQLSTATE 54000)" in message
    assert harness.find_broken() == []


def failing_for(*numbers: int, error: Callable[[], BaseException] = lambda: ValueError(MARKER)) -> Any:
    """A gate that raises when one of these people is among the rows; and how often it was asked, and for how many."""
    addresses = {f"lead{number}@company{number}.example" for number in numbers}
    asked: list[int] = []

    def check(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
        if name == "validated":
            asked.append(len(frame))
            if addresses & set(frame["email"]):
                raise error()
        return pass_all(name, frame, playbook)

    return check, asked


def status_of(harness: Harness) -> dict[str, str]:
    return dict(harness.rows("SELECT l.email, j.status FROM journey j JOIN lead l ON l.id = j.lead_id"))  # type: ignore[arg-type]


def test_finding_the_bad_ones_takes_few_attempts(harness: Harness) -> None:
    bad = (3, 70, 71, 119)
    harness.capture(*(make_lead(number) for number in range(128)))
    check, asked = failing_for(*bad)
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=check)
    assert len(asked) <= 2 * len(bad) * 7 + 1
    held = {address for address, status in status_of(harness).items() if status == "held"}
    assert held == {f"lead{number}@company{number}.example" for number in bad}
    assert harness.count_statuses() == {"owned": 124, "held": 4}
    assert harness.find_broken() == []


def test_an_error_of_python_is_told_by_its_class_and_place_alone(harness: Harness) -> None:
    harness.capture(make_lead(1), make_lead(2))
    check, _ = failing_for(2)
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=check)
    ((message, detail, value),) = harness.rows("SELECT message, detail, value FROM work_item")
    assert detail == "ValueError"
    assert "ValueError at test_faults.py:" in message
    assert MARKER not in f"{message}{detail}{value}"


def test_a_fault_that_hits_every_lead_makes_one_work_item(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        attempts.append(1)
        raise ZeroDivisionError

    attempts: list[int] = []
    harness.capture(*(make_lead(number) for number in range(300)))
    with monkeypatch.context() as patch:
        patch.setattr(handoff, "prepare", broken)
        run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
    assert len(attempts) < 60
    assert harness.rows("SELECT kind, reason, stage, blocking, journey_id FROM work_item") == [
        ("recovery", FAILED, "capture", True, None)
    ]
    assert harness.count_statuses() == {"held": 300}
    assert harness.find_broken() == []
    reruns.rerun(harness.ledger, [1], by=make_actor("ops"), now=NOW, playbook=harness.loaded.playbook)
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
    assert harness.count_statuses() == {"owned": 300}


def test_good_leads_behind_many_bad_ones_are_found(harness: Harness) -> None:
    """A whole file of bad rows is first in the batch: that many fail in a row is not yet every lead."""
    harness.capture(*(make_lead(number) for number in range(60)))
    check, _ = failing_for(*range(40))
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=check)
    assert harness.count_statuses() == {"held": 40, "owned": 20}
    assert harness.find_broken() == []


def test_leads_that_come_one_by_one_share_a_work_item_when_each_fails_alike(harness: Harness) -> None:
    for number in range(ENOUGH + 4):
        harness.capture(make_lead(number))
        with refuse_rows(harness, "qualification", "true"):
            run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
    assert Counter(row[0] is None for row in harness.rows("SELECT journey_id FROM work_item")) == {
        False: ENOUGH,
        True: 1,
    }
    assert harness.one("SELECT max(n) FROM (SELECT count(*) AS n FROM journey GROUP BY work_item_id) each") == 4
    assert harness.count_statuses() == {"held": ENOUGH + 4}
    assert harness.find_broken() == []


def unchecked_for(*numbers: int) -> Any:
    """A gate in which Great Expectations fails when one of these people is among the rows."""
    check, asked = failing_for(*numbers)

    def caught(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
        try:
            return check(name, frame, playbook)
        except ValueError as error:
            problem = BatchProblem(None, CHECK_FAILED, "The batch could not be checked", repr(error))
            return replace(pass_all(name, frame, playbook), batch_problem=problem)

    return caught, asked


def test_a_lead_that_breaks_great_expectations_does_not_hold_the_others(harness: Harness) -> None:
    harness.capture(*(make_lead(number) for number in range(6)))
    check, _ = unchecked_for(2)
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=check)
    assert harness.count_statuses() == {"owned": 5, "held": 1}
    assert status_of(harness)["lead2@company2.example"] == "held"
    assert MARKER not in str(harness.rows("SELECT message, detail FROM work_item"))
    assert harness.find_broken() == []


def test_a_gate_that_cannot_check_any_lead_holds_the_batch_behind_one_item(harness: Harness) -> None:
    harness.capture(*(make_lead(number) for number in range(60)))
    check, asked = unchecked_for(*range(60))
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=check)
    assert len(asked) < 60
    assert harness.rows("SELECT reason, journey_id FROM work_item") == [(CHECK_FAILED, None)]
    assert harness.count_statuses() == {"held": 60}
    assert harness.find_broken() == []


def test_a_fault_of_the_server_is_waited_out_in_the_middle_of_a_search(harness: Harness) -> None:
    harness.capture(*(make_lead(number) for number in range(8)))
    check, asked = failing_for(5)

    def away_later(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
        if len(asked) == 3:
            asked.append(0)
            raise of_driver("57P01")
        return check(name, frame, playbook)

    with pytest.raises(DBAPIError):
        run_waiting(harness.worker("first"), lambda: NOW, kinds=["intake"], check=away_later)
    assert harness.one("SELECT sum(failures) FROM batch") == 0
    assert harness.one("SELECT count(*) FROM work_item") == 0
    run_waiting(harness.worker("second"), lambda: NOW, kinds=["intake"], check=check)
    assert harness.count_statuses() == {"owned": 7, "held": 1}
    assert harness.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0
    assert harness.find_broken() == []


def test_a_long_search_leaves_the_rest_to_a_later_run(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    harness.capture(*(make_lead(number) for number in range(32)))
    check, _ = failing_for(*range(0, 32, 2))
    with monkeypatch.context() as patch:
        patch.setattr(bisecting, "WITHIN", 0.0)
        patch.setattr(bisecting, "LATER", 60.0)
        run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=check)
    waiting = harness.count_statuses().get("ready", 0)
    assert 0 < waiting < 32
    assert (read_lease_remaining(harness.ledger, "intake") or 0) > 0
    harness.capture(make_lead(100))
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=check)
    assert status_of(harness)["lead100@company100.example"] == "owned"  # it did not wait for the search
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE batch SET lease_until = '-infinity' WHERE closed_at IS NULL"))
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=check)
    assert harness.count_statuses() == {"held": 16, "owned": 17}
    assert harness.find_broken() == []


def test_a_lead_that_cannot_even_be_held_waits_and_the_others_go_on(harness: Harness) -> None:
    harness.capture(*(make_lead(number) for number in range(PEOPLE)))
    journey = harness.one("SELECT min(id) FROM journey") + BAD
    with refuse_rows(harness, "handoff", f"new.journey_id = {journey}"):
        for _ in range(5):
            run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
            with harness.ledger.transaction() as connection:
                connection.execute(text("UPDATE batch SET lease_until = '-infinity' WHERE closed_at IS NULL"))
    assert harness.count_statuses() == {"owned": PEOPLE - 1, "ready": 1}
    assert harness.find_broken() == []
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
    assert harness.count_statuses() == {"owned": PEOPLE - 1, "held": 1}
    assert harness.find_broken() == []


def test_an_owned_lead_whose_check_fails_stays_owned_with_one_recovery_task(harness: Harness) -> None:
    harness.capture(*(make_lead(number) for number in range(5)))
    run_waiting(harness.worker(), lambda: NOW, check=pass_all)
    journey = harness.one("SELECT min(id) FROM journey") + 2
    late = NOW + timedelta(hours=6)
    with refuse_rows(harness, "outbox", f"new.journey_id = {journey}"):
        for hours in (0, 2, 4):
            now = late + timedelta(hours=hours)
            run_waiting(harness.worker(), lambda now=now: now, kinds=["follow_up"], check=pass_all)
    assert harness.count_statuses() == {"owned": 5}
    assert harness.rows("SELECT kind, reason, blocking, journey_id FROM work_item WHERE kind = 'recovery'") == [
        ("recovery", FAILED, False, journey)
    ]
    told = harness.rows("SELECT DISTINCT journey_id FROM outbox WHERE kind = 'first_touch_overdue' ORDER BY 1")
    assert [row[0] for row in told] == [each for each in range(journey - 2, journey + 3) if each != journey]
    assert harness.find_broken() == []


def test_killed_in_the_middle_of_a_search_it_comes_to_the_same(settings: Settings, loaded: LoadedPlaybook) -> None:
    def bisected(number: int, holder: str) -> None:
        with own_ledger(settings) as ledger:
            check, _ = failing_for(100 * number + 5, 100 * number + 6)
            run_waiting(Harness(ledger, loaded).worker(holder, lease_seconds=0.1), lambda: NOW, check=check)

    places = [
        "part.open.before:1", "part.open.after:1", "part.move.before:1", "part.move.after:1", "part.move.before:2",
        "part.move.after:2", "part.move.after:3", "part.move.before:6", "part.move.after:9", "apply.commit.after:2",
        "apply.fence.after:3", "held.before:1", "held.after:1", "held.before:2", "close.before:1", "close.after:1",
    ]  # fmt: skip
    with own_ledger(settings) as ledger:
        harness = Harness(ledger, loaded)
        for number, place in enumerate(places):
            harness.capture(*(make_lead(100 * number + each) for each in range(8)))
            killed = Child(partial(bisected, number, f"victim {number}"), failpoint=place).killed
            assert killed, place
            time.sleep(read_lease_remaining(ledger, "intake") or 0)
            Child(partial(bisected, number, f"survivor {number}")).result()
            assert harness.count_statuses() == {"owned": 6 * (number + 1), "held": 2 * (number + 1)}, place
            items = harness.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL AND reason = :why", why=FAILED)
            assert items == min(2 * (number + 1), ENOUGH + 1), place  # from there on they share one
            assert harness.one("SELECT count(*) FROM batch WHERE closed_at IS NULL") == 0, place
            assert harness.find_broken() == [], place


# -- what happens outside of stages ------------------------------------------------------------------------


def recoveries(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.rows("SELECT promise, stage, blocking FROM work_item WHERE kind = 'recovery' ORDER BY promise")


def test_an_activity_that_cannot_be_matched_stops_no_claim_no_stage_and_no_other_activity(harness: Harness) -> None:
    harness.capture(*(make_lead(number) for number in range(4)))
    with harness.ledger.transaction() as connection:
        rows = [
            activities.NewActivity(
                "activities",
                f"key {n}",
                "demo_request",
                "lead",
                None,
                f"lead{n}@company{n}.example",
                NOW,
                "{}",
                None,
                None,
            )
            for n in range(4)
        ]
        activities.store_activities(connection, rows, NOW)
    bad = harness.one("SELECT id FROM activity WHERE email = 'lead2@company2.example'")
    with refuse_rows(harness, "activity", f"new.id = {bad} AND new.lead_id IS NOT NULL"):
        for _ in range(2):
            harness.capture(make_lead(100))
            run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
    assert harness.rows("SELECT id FROM activity WHERE lead_id IS NULL") == [(bad,)]
    assert recoveries(harness) == [(f"match_activities:{bad}", "validation", False)]
    assert set(harness.count_statuses()) <= {"owned", "joined"}
    assert harness.find_broken() == []
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
    assert harness.one("SELECT count(*) FROM activity WHERE lead_id IS NULL") == 0


@pytest.mark.parametrize(
    ("column", "step"),
    [("rescore_at", "start_rescores"), ("recycle_at", "start_recycles"), ("enrich_at", "start_enrichments")],
)
def test_a_lead_that_cannot_begin_again_stops_no_other(harness: Harness, column: str, step: str) -> None:
    harness.capture(*(make_lead(number, Company="") for number in range(5)))
    run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
    assert harness.count_statuses() == {"nurture": 5}
    with harness.ledger.transaction() as connection:
        connection.execute(text(f"UPDATE lead SET {column} = :now"), {"now": NOW})
    bad = harness.one("SELECT min(id) FROM lead") + 2
    with refuse_rows(harness, "journey", f"new.lead_id = {bad}", when="INSERT"):
        harness.capture(make_lead(100))
        run_waiting(harness.worker(), lambda: NOW, kinds=["intake"], check=pass_all)
    stage = "enrichment" if column == "enrich_at" else "qualification"
    assert recoveries(harness) == [(f"{step}:{bad}", stage, False)]
    assert harness.one("SELECT count(*) FROM journey") == 5 + 1 + 4
    assert harness.rows(f"SELECT id FROM lead WHERE {column} IS NOT NULL") == [(bad,)]
    assert harness.find_broken() == []


def test_a_journey_that_cannot_be_claimed_stops_no_other(harness: Harness) -> None:
    harness.capture(*(make_lead(number) for number in range(PEOPLE)))
    bad = harness.one("SELECT min(id) FROM journey") + BAD
    with refuse_rows(harness, "journey", f"new.id = {bad}"):
        worker = harness.worker()
        for number in (100, 101):
            run_waiting(worker, lambda: NOW, check=pass_all)
            harness.capture(make_lead(number))
        run_waiting(worker, lambda: NOW, check=pass_all)
    assert harness.count_statuses() == {"owned": PEOPLE + 1, "ready": 1}
    assert recoveries(harness) == [(f"claim_intake:{bad}", "capture", False)]
    assert harness.find_broken() == []


def test_a_work_item_that_cannot_be_escalated_stops_no_other(harness: Harness) -> None:
    harness.capture(*(make_lead(number, Phone="call me") for number in range(5)))
    harness.run()
    assert harness.count_statuses() == {"held": 5}
    bad = harness.one("SELECT min(id) FROM work_item") + 3
    late = NOW + timedelta(days=10)
    with refuse_rows(harness, "work_item", f"new.id = {bad}"):
        assert escalate_overdue(harness.ledger, harness.loaded.playbook, late) == 4
        assert escalate_overdue(harness.ledger, harness.loaded.playbook, late) == 0
    assert harness.rows("SELECT id FROM work_item WHERE escalated_at IS NULL") == [(bad,)]
    assert escalate_overdue(harness.ledger, harness.loaded.playbook, late) == 1


@pytest.mark.parametrize("rows", ["new.id = {bad}", "new.id = {bad} AND new.delivered_at IS NOT NULL"])
def test_a_message_that_cannot_be_marked_stops_no_other(
    harness: Harness, rows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(outbox.notify, "send", lambda address, title, body: sent.append(body))
    harness.loaded = playbooks.parse(
        f"{PLAYBOOK}notifications:\n  - {{to: everybody, address_env: CHAT}}\n", path=Path("t")
    )
    harness.capture(*(make_lead(number) for number in range(5)))
    run_waiting(harness.worker(), lambda: NOW, check=pass_all)
    bad = harness.one("SELECT min(id) FROM outbox") + 1
    with refuse_rows(harness, "outbox", rows.format(bad=bad)):
        for _ in range(2):
            outbox.deliver_waiting(harness.ledger, harness.loaded.playbook, NOW, environ={"CHAT": "json://127.0.0.1"})
    assert harness.rows("SELECT id FROM outbox WHERE delivered_at IS NULL") == [(bad,)]
    assert len(sent) in (4, 5)


def test_a_message_that_cannot_be_worded_is_tried_later_and_stops_no_other(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compose_message(message: Any, *rest: Any, **more: Any) -> Any:
        if message.id == bad:
            raise ValueError(MARKER)
        return real(message, *rest, **more)

    real = outbox.compose_message
    monkeypatch.setattr(outbox.notify, "send", lambda *_: None)
    monkeypatch.setattr(outbox, "compose_message", compose_message)
    harness.loaded = playbooks.parse(
        f"{PLAYBOOK}notifications:\n  - {{to: everybody, address_env: CHAT}}\n", path=Path("t")
    )
    harness.capture(*(make_lead(number) for number in range(5)))
    run_waiting(harness.worker(), lambda: NOW, check=pass_all)
    bad = harness.one("SELECT min(id) FROM outbox") + 1
    outbox.deliver_waiting(harness.ledger, harness.loaded.playbook, NOW, environ={"CHAT": "json://127.0.0.1"})
    ((failed, failure),) = harness.rows("SELECT id, failure FROM outbox WHERE delivered_at IS NULL")
    assert failed == bad
    assert "ValueError" in failure
    assert MARKER not in failure
