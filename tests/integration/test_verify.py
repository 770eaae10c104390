"""Every invariant finds what breaks it: a ledger that is damaged in one place fails the check for that place."""

from __future__ import annotations

from collections.abc import Iterator

import databases
import pytest
from desk import NOW, Desk, person
from sqlalchemy import text

from leadgate.ledger import Ledger, open_ledger
from leadgate.ledger.verify import INVARIANTS, verify
from leadgate.playbook import Loaded
from leadgate.settings import Settings

A_LEAD = "(SELECT min(lead_id) FROM journey WHERE status = 'owned')"
OWNED = "(SELECT min(id) FROM journey WHERE status = 'owned')"
HELD = "(SELECT min(work_item_id) FROM journey WHERE status = 'held')"
A_WORK_ITEM = (
    "INSERT INTO work_item (kind, blocking, reason, stage, generation, message, route, due_at, opened_at) "
    "VALUES ('exception', true, 'odd', 'capture', 0, 'Odd', 'somebody', now(), now())"
)
A_GIVEN_UP_ONE = (
    "INSERT INTO work_item (kind, blocking, reason, stage, promise, journey_id, generation, message, route, due_at, "
    "opened_at) SELECT 'recovery', false, 'undeliverable', 'follow_up', key, journey_id, 0, 'Given up', 'somebody', "
    "now(), now() FROM outbox WHERE given_up_at IS NOT NULL"
)
A_JOURNEY = (
    "INSERT INTO journey (trigger, lead_id, source, captured_at, run_after, stage, start_stage, status, version, "
    "generation) VALUES ('rescore', {lead}, 'website', now(), now(), 'qualification', 'qualification', 'ready', 0, 0)"
)

A_PAUSE = (
    "INSERT INTO pause (journey_id, reason, by, started_at, until, ended_at, ended_by) SELECT journey_id, 'away', owner, "
    "assigned_at + interval '{first}', assigned_at + interval '{until}', assigned_at + CAST({ended} AS interval), "
    f"CASE WHEN {{ended}} IS NOT NULL THEN owner END FROM assignment WHERE journey_id = {OWNED}"
)
A_MISS = (
    "INSERT INTO missed (assignment_id, journey_id, target, since, due_at, noticed_at) SELECT id, journey_id, "
    f"'first_touch', assigned_at, due_at, due_at FROM assignment WHERE journey_id = {OWNED}"
)

#: How the ledger is damaged, and which invariants say so.
DAMAGE: dict[str, tuple[list[str], set[str]]] = {
    "a signal without a journey": (
        ["INSERT INTO signal (source, key, payload, received_at) VALUES ('website', 'k', '{}', now())"],
        {"signal_has_journey", "journeys_add_up"},
    ),
    "a journey about nobody": ([A_JOURNEY.format(lead="NULL")], {"journeys_add_up"}),
    "a second open journey": (
        ["DROP INDEX one_open_journey_per_lead", A_JOURNEY.format(lead=A_LEAD)],
        {"one_open_journey"},
    ),
    "an address of somebody else": (
        [f"UPDATE identity SET lead_id = (SELECT max(lead_id) FROM identity) WHERE lead_id = {A_LEAD}"],
        {"one_lead_per_address"},
    ),
    "a held journey whose work item is closed": (
        [f"UPDATE work_item SET closed_at = now(), resolution = 'lost' WHERE id = {HELD}"],
        {"held_has_work_item"},
    ),
    "a blocking work item that holds nothing": ([A_WORK_ITEM], {"work_item_holds"}),
    "an owned journey without an owner": (
        [f"UPDATE assignment SET ended_at = now(), end_reason = 'lost' WHERE journey_id = {OWNED}"],
        {"owned_has_one_owner"},
    ),
    "an owned journey with two owners": (
        [
            "DROP INDEX one_open_assignment",
            "INSERT INTO assignment (journey_id, generation, owner, rule, turn, candidates, why, playbook_hash, "
            "assigned_at, ladder_step) SELECT journey_id, generation, owner, rule, false, candidates, why, "
            f"playbook_hash, assigned_at, 0 FROM assignment WHERE journey_id = {OWNED}",
        ],
        {"owned_has_one_owner"},
    ),
    "an owner of a journey that is over": (
        [f"UPDATE journey SET status = 'done' WHERE id = {OWNED}"],
        {"owned_has_one_owner", "handoffs_gapless"},
    ),
    **{
        f"no handoff from {stage}": (
            [f"DELETE FROM handoff WHERE journey_id = {OWNED} AND stage = '{stage}'"],
            {"handoffs_gapless"},
        )
        for stage in ("capture", "enrichment", "assignment")
    },
    "a handoff of a stage that was never left": (
        [
            "INSERT INTO handoff (journey_id, generation, stage, outcome, playbook_hash, at) "
            f"SELECT journey_id, 0, 'follow_up', 'done', playbook_hash, at FROM handoff WHERE journey_id = {OWNED} LIMIT 1"
        ],
        {"handoffs_gapless"},
    ),
    "a generation that skips stages": (
        [
            f"UPDATE handoff SET generation = 1 WHERE journey_id = {OWNED} AND stage = 'assignment'",
            f"UPDATE journey SET generation = 1, start_stage = 'assignment' WHERE id = {OWNED}",
            f"DELETE FROM handoff WHERE journey_id = {OWNED} AND stage = 'qualification'",
        ],
        {"handoffs_gapless"},
    ),
    "a score that is no sum of fit and engagement": (
        [
            f"UPDATE qualification SET score = score + 1, contributions = contributions || '{{\"odd\": 1}}' WHERE journey_id = {OWNED}"
        ],
        {"score_adds_up"},
    ),
    "a score that is no sum of its contributions": (
        [f"UPDATE qualification SET contributions = '{{}}' WHERE journey_id = {OWNED}"],
        {"score_adds_up"},
    ),
    "a turn without a lead": (
        ["""UPDATE pool_state SET state = jsonb_set(state, '{taken,zoe}', '1')"""],
        {"turns_are_assignments"},
    ),
    "a lead without a turn": (
        [f"UPDATE assignment SET turn = false WHERE journey_id = {OWNED}"],
        {"turns_are_assignments"},
    ),
    **{
        f"a playbook that {table} names is lost": (
            [f"UPDATE {table} SET playbook_hash = 'lost' WHERE journey_id = {OWNED}"],
            {"decisions_name_playbook"},
        )
        for table in ("handoff", "qualification", "assignment")
    },
    "an owner who was never told": (
        [f"DELETE FROM outbox WHERE journey_id = {OWNED}"],
        {"owner_told_once"},
    ),
    "somebody else was told": (
        [f"UPDATE outbox SET target = 'nobody' WHERE journey_id = {OWNED}"],
        {"owner_told_once"},
    ),
    "two waits at once": (
        ["UPDATE pause SET until = until + interval '1 h', ended_at = ended_at + interval '1 min'"],
        {"pauses_apart"},
    ),
    "a wait that never ended before the next": (
        [
            "DROP INDEX one_open_pause",
            "UPDATE pause SET until = started_at + interval '1 min', ended_at = NULL, ended_by = NULL",
        ],
        {"pauses_apart"},
    ),
    "a miss that was noticed too early": (
        ["UPDATE missed SET noticed_at = due_at - interval '1 min'"],
        {"missed_was_due"},
    ),
    "a miss of nobody": (["UPDATE missed SET assignment_id = 999999"], {"missed_was_due"}),
    "a given-up message that nobody is asked about": (
        ["DELETE FROM work_item WHERE reason = 'undeliverable'"],
        {"given_up_asks_a_person"},
    ),
    "a given-up message that was delivered": (
        ["UPDATE outbox SET delivered_at = now() WHERE given_up_at IS NOT NULL"],
        {"given_up_asks_a_person"},
    ),
    **{
        f"{table} is about a {column.removesuffix('_id')} that never was": (
            [f"UPDATE {table} SET {column} = 999999 WHERE id = (SELECT max(id) FROM {table} WHERE {which})"],
            {"nothing_orphaned", *more},
        )
        for table, column, which, more in (
            ("handoff", "journey_id", "true", {"handoffs_gapless"}),
            ("handoff", "batch_id", "true", set()),
            ("gate_result", "batch_id", "true", set()),
            ("warned", "journey_id", "true", set()),
            ("qualification", "journey_id", "true", set()),
            ("outbox", "journey_id", "true", set()),
            ("pause", "journey_id", "true", set()),
            ("journey", "batch_id", "status = 'owned'", set()),
            ("work_item", "batch_id", "true", set()),
        )
    },
    **{
        f"{value} in {table}.{column}": (
            [f"UPDATE {table} SET {column} = {column_value} WHERE id = (SELECT max(id) FROM {table})"],
            {"nothing_personal_kept"},
        )
        for table, column, form in (
            ("handoff", "reason", "'it was {}'"),
            ("gate_result", "evidence", '\'[{{"seen": "{}"}}]\''),
            ("warned", "words", "'it was {}'"),
            ("qualification", "reasons", "'[\"it was {}\"]'"),
            ("qualification", "evidence", '\'{{"need": "{}"}}\''),
            ("assignment", "why", "'it was {}'"),
            ("assignment", "candidates", "'[\"it was {}\"]'"),
            ("outbox", "kind", "'it was {}'"),
            ("action", "what", "'it was {}'"),
            ("work_item", "message", "'it was {}'"),
        )
        for value in ("kim.o@acme.example", "+4930123456")
        for column_value in (form.format(value),)
    },
}


@pytest.fixture(scope="module")
def sound(postgres: Ledger, loaded: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger with something of everything that is checked."""
    with databases.fresh(postgres) as (url,):
        settings = Settings(home=tmp_path_factory.mktemp("verify"), database_url=url)
        with open_ledger(settings) as ledger:
            desk = Desk(ledger, loaded)
            desk.capture(
                person(1), person(2), person(3, Phone="call me"), person(1, Message="again"), person(4, Company="")
            )
            desk.run()
            with ledger.transaction() as connection:
                connection.execute(
                    text(
                        "INSERT INTO action (journey_id, generation, what, by, at) VALUES (1, 0, 'rerun', 'mia', :now)"
                    ),
                    {"now": NOW},
                )
                connection.execute(
                    text(
                        "INSERT INTO warned (journey_id, generation, gate, promise, reason, words) "
                        "VALUES (1, 0, 'captured', 'a promise', 'a reason', 'Words')"
                    )
                )
                connection.execute(
                    text("UPDATE outbox SET given_up_at = :now WHERE id = (SELECT min(id) FROM outbox)"), {"now": NOW}
                )
                connection.execute(text(A_GIVEN_UP_ONE))
                connection.execute(text(A_PAUSE.format(first="0 h", until="2 h", ended="'1 h'")))
                connection.execute(text(A_PAUSE.format(first="1 h", until="3 h", ended="NULL")))
                connection.execute(text(A_MISS))
            yield ledger


def test_a_sound_ledger_holds_and_no_check_is_about_nothing(sound: Ledger) -> None:
    findings = verify(sound)
    assert [finding.name for finding in findings if finding.broken] == []
    assert [finding.name for finding in findings if not finding.checked] == []


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_by_the_invariant_it_breaks(sound: Ledger, damage: str) -> None:
    statements, expected = DAMAGE[damage]
    with sound.engine.connect() as connection:  # rolled back in the end: the next one starts from a sound ledger
        for statement in statements:
            assert connection.execute(text(statement)).rowcount != 0, "nothing was damaged"
        broken = {
            invariant.name
            for invariant in INVARIANTS
            if connection.exec_driver_sql(invariant.broken.replace("%", "%%")).scalar_one()
        }
    assert broken == expected


def test_every_invariant_is_broken_by_some_damage() -> None:
    assert {name for _, expected in DAMAGE.values() for name in expected} == {each.name for each in INVARIANTS}


def test_verify_says_what_it_found(desk: Desk) -> None:
    desk.capture(person(1))
    with desk.ledger.transaction() as connection:
        connection.execute(text(A_WORK_ITEM))
    (finding,) = [each for each in verify(desk.ledger) if each.broken]
    assert (finding.name, finding.checked, finding.broken) == ("work_item_holds", 1, 1)
    assert finding.words == "An open blocking work item holds a journey"
