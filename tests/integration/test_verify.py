"""Every invariant finds what breaks it: a ledger that is damaged in one place fails the check for that place.

Long as one file: one damage after the other to the same ledger, in the order of the invariants.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import databases
import pytest
from harness import NOW, Harness, make_actor, make_lead
from made_records import SOURCE, insert_opportunities
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, forecasts, joins, open_ledger, ownership, record_deletions, undo
from leadgate.ledger.clock import ask_time
from leadgate.ledger.verify import INVARIANTS, count, verify
from leadgate.playbook import LoadedPlaybook, Reassignments
from leadgate.settings import Settings
from leadgate.vocabulary import JourneyKind
from tasks import reassignments
from tasks.batches import run_waiting
from tasks.shadow import run_shadow, start_shadow

A_LEAD = "(SELECT min(lead_id) FROM journey WHERE status = 'owned')"
A_LEADS = "(SELECT min(id) FROM journey WHERE status = 'owned' AND kind = 'lead')"
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
GRADED = (
    "UPDATE qualification SET fit_grade = 'B', engagement_grade = 2, grade = 'B2', changes_at = at + interval '9 days' "
    f"WHERE journey_id = {OWNED}"
)
SCORED_AGAIN = f"UPDATE lead SET score_changes_at = (SELECT max(changes_at) FROM qualification) WHERE id = {A_LEAD}"
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

#: What a CRM was told, and how far it is read.
TOLD_TO_A_CRM = (
    "INSERT INTO crm_link (crm, lead_id, record_id, found_by, linked_at, written, written_at, read, read_at) "
    "SELECT 'sales', id, id, 'created', now(), '{\"score\": 3}', now(), '{\"score\": 3}', now() FROM lead",
    "INSERT INTO crm_task (crm, journey_id, generation, lead_id, task_id, owner_id, content, is_done, written_at) "
    "SELECT DISTINCT 'sales', a.journey_id, a.generation, j.lead_id, a.journey_id || '-' || a.generation, '1', '', "
    "false, now() FROM assignment a JOIN journey j ON j.id = a.journey_id",
    "INSERT INTO crm_position (crm, kind, position, read_at, complete_at, records) "
    "VALUES ('sales', 'lead', '1', now(), now(), 1)",
    "INSERT INTO work_item (kind, blocking, reason, stage, promise, generation, message, route, due_at, opened_at) "
    "VALUES ('recovery', false, 'crm_unreachable', 'follow_up', 'crm:sales', 0, 'Away', 'somebody', now(), now())",
)

#: What a shadow counts is changed by nobody, until somebody damages it on purpose.
UNGUARDED = "ALTER TABLE shadow_pass DISABLE TRIGGER USER"

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
    "a join without a reason": (["UPDATE lead_join SET because = '[]'"], {"joins_say_why"}),
    "a join that nobody knows of": (["DELETE FROM lead_join"], {"joins_say_why"}),
    "a signal that is back with the lead it was parted from": (
        [
            "UPDATE journey SET status = 'done', lead_id = 6 WHERE id = 7",
            "DELETE FROM assignment WHERE journey_id = 7",
            "DELETE FROM crm_task WHERE journey_id = 7",
        ],
        {"parted_stay_apart", "handoffs_gapless", "turns_are_assignments"},
    ),
    "two who share an address, and whom nobody has parted": (["DELETE FROM lead_verdict"], {"one_lead_per_address"}),
    "a question about nobody": (["DELETE FROM lookalike"], {"questions_name_leads"}),
    "a key of a lead that never was": (["INSERT INTO match_key VALUES (1, 999999)"], {"match_keys_name_leads"}),
    "a column that nobody has declared": (
        ["ALTER TABLE handoff ADD COLUMN said text"],
        {"text_columns_declared"},
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
            {"handoffs_gapless", "moments_are_handoffs"},
        )
        for stage in ("capture", "enrichment", "assignment")
    },
    "a handoff of a stage that was never left": (
        [
            "INSERT INTO handoff (journey_id, generation, stage, outcome, playbook_hash, at) "
            f"SELECT journey_id, 0, 'follow_up', 'done', playbook_hash, at FROM handoff WHERE journey_id = {OWNED} LIMIT 1"
        ],
        {"handoffs_gapless", "moments_are_handoffs"},
    ),
    **{
        f"{what} moments than handoffs": (
            [f"UPDATE journey SET handed_on_at = {moments} WHERE id = {OWNED}"],
            {"moments_are_handoffs"},
        )
        for what, moments in (
            ("more", "handed_on_at || now()"),
            ("fewer", "handed_on_at[2:]"),
            ("other", "array_fill(now(), ARRAY[cardinality(handed_on_at)])"),
        )
    },
    **{
        f"a handoff {what}": (
            [
                f"UPDATE handoff SET outcome = '{outcome}' WHERE id = (SELECT max(id) FROM handoff WHERE {which} "
                f"AND journey_id = (SELECT max(id) FROM journey WHERE {whose}))"
            ],
            {"handoffs_follow_transitions"},
        )
        for what, outcome, which, whose in (
            ("after which the journey was over, and went on", "joined", "stage = 'validation'", "status = 'owned'"),
            (
                "that its stage does not make",
                "disqualified",
                "stage = 'capture'",
                "generation = 0 AND status = 'owned'",
            ),
            ("that is not how the journey stands", "continued", "true", "generation = 0 AND status = 'held'"),
            (
                "of a rerun that its stage does not make",
                "joined",
                "generation > 0",
                "generation > 0",
            ),
        )
    },
    "a generation that skips stages": (
        [
            f"UPDATE handoff SET generation = 1 WHERE journey_id = {OWNED} AND stage = 'assignment'",
            f"UPDATE journey SET generation = 1, start_stage = 'assignment' WHERE id = {OWNED}",
            f"DELETE FROM handoff WHERE journey_id = {OWNED} AND stage = 'qualification'",
        ],
        {"handoffs_gapless", "handoffs_follow_transitions"},
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
    "a grade that is not made of its parts": (
        [f"UPDATE qualification SET grade = 'A2' WHERE journey_id = {OWNED}"],
        {"grade_is_its_parts"},
    ),
    "half a grade": (
        [f"UPDATE qualification SET grade = NULL WHERE journey_id = {OWNED}"],
        {"grade_is_its_parts"},
    ),
    "a lead that is to be scored again for no reason": (
        [f"UPDATE lead SET score_changes_at = score_changes_at + interval '1 second' WHERE id = {A_LEAD}"],
        {"scored_again_as_decided"},
    ),
    "a score that changed before it was made": (
        [
            f"UPDATE lead SET score_changes_at = NULL WHERE id = {A_LEAD}",
            f"UPDATE qualification SET changes_at = at WHERE journey_id = {OWNED}",
        ],
        {"scored_again_as_decided"},
    ),
    "a turn without a lead": (
        ["""UPDATE pool_state SET state = jsonb_set(state, '{taken,zoe}', '1')"""],
        {"turns_are_assignments"},
    ),
    "a lead without a turn": (
        [f"UPDATE assignment SET turn = false WHERE journey_id = {OWNED}"],
        {"turns_are_assignments", "turns_move_on_by_one"},
    ),
    "a turn that is to be filled again and was not given back": (
        ["""UPDATE pool_state SET state = jsonb_set(state, '{given_back}', '{"zoe": 1}')"""],
        {"turns_given_back_once"},
    ),
    "a turn that was given back and is not to be filled again": (
        [f"UPDATE assignment SET turn_given_back = true WHERE journey_id = {OWNED}"],
        {"turns_given_back_once"},
    ),
    **{
        f"a turn that moved no count of {whose}": (
            [
                f"UPDATE assignment SET pointer = jsonb_set(pointer, '{{{count},1}}', pointer #> '{{{count},0}}') "
                f"WHERE journey_id = {OWNED}"
            ],
            {"turns_move_on_by_one"},
        )
        for whose, count in (("the pool", "position"), ("the owner", "turns"))
    },
    "an old owner who was never told": (["DELETE FROM outbox WHERE kind = 'lead_handed_over'"], {"old_owner_told"}),
    "a clock that goes on since nobody had the lead": (
        ["UPDATE assignment SET clock_from = clock_from + interval '1 second' WHERE clock_from IS NOT NULL"],
        {"clock_goes_on"},
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
    "a touch that counts although it was undone": (
        ["UPDATE activity SET withdrawn_at = NULL WHERE withdrawn_at IS NOT NULL"],
        {"touch_counts_unless_undone"},
    ),
    "a touch that counts no more although nobody undid it": (
        ["DELETE FROM action WHERE undoes IS NOT NULL"],
        {"touch_counts_unless_undone"},
    ),
    "a given-up message that nobody is asked about": (
        ["DELETE FROM work_item WHERE reason = 'undeliverable'"],
        {"given_up_asks_a_person"},
    ),
    "a given-up message that was delivered": (
        ["UPDATE outbox SET delivered_at = now() WHERE given_up_at IS NOT NULL"],
        {"given_up_asks_a_person"},
    ),
    "a batch that was claimed by a clock that is ahead": (
        ["UPDATE batch SET opened_at = opened_at + interval '20 min' WHERE NOT as_of"],
        {"batches_by_one_clock", "handoffs_while_held"},
    ),
    "a batch that was claimed by a clock that is behind": (
        ["UPDATE batch SET opened_at = opened_at - interval '20 min' WHERE NOT as_of"],
        {"batches_by_one_clock"},
    ),
    "handoffs of a host that took a batch over, and is ahead": (
        ["UPDATE handoff SET at = at + interval '20 min' WHERE batch_id IN (SELECT id FROM batch WHERE NOT as_of)"],
        {"handoffs_while_held", "moments_are_handoffs"},
    ),
    "a lead that was captured by a clock that is ahead": (
        [f"UPDATE journey SET captured_at = captured_at + interval '90 s' WHERE id = {OWNED}"],
        {"captured_before_taken"},
    ),
    "a lead that was accepted before it was assigned": (
        [f"UPDATE assignment SET accepted_at = assigned_at - interval '20 min' WHERE journey_id = {OWNED}"],
        {"owned_before_ended"},
    ),
    "a message that a clock ahead claimed while another process was sending it": (
        [
            "UPDATE outbox SET claimed_at = created_at + interval '20 min', delivered_at = created_at + "
            "interval '1 min' WHERE id = (SELECT max(id) FROM outbox)"
        ],
        {"messages_in_order"},
    ),
    **{
        f"{table} is about a {column.removesuffix('_id')} that never was": (
            [f"UPDATE {table} SET {column} = 999999 WHERE id = (SELECT max(id) FROM {table} WHERE {which})"],
            {"nothing_orphaned", *more},
        )
        for table, column, which, more in (
            ("handoff", "journey_id", "true", {"handoffs_gapless", "moments_are_handoffs"}),
            ("handoff", "batch_id", "true", set()),
            ("gate_result", "batch_id", "true", set()),
            ("decision_input", "batch_id", "true", {"shadow_counts_add_up"}),
            ("warned", "journey_id", "true", set()),
            ("qualification", "journey_id", "true", set()),
            ("outbox", "journey_id", "true", set()),
            ("lookalike", "journey_id", "true", {"questions_name_leads"}),
            ("lead_join", "journey_id", "joined_to = 1", {"joins_say_why"}),
            ("lead_verdict", "journey_id", "true", set()),
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
            ("qualification", "details", '\'{{"fit": ["{}"]}}\''),
            ("assignment", "why", "'it was {}'"),
            ("assignment", "candidates", "'[\"it was {}\"]'"),
            ("assignment", "priority", "'it was {}'"),
            ("lookalike", "levels", '\'{{"it was": "{}"}}\''),
            ("lead_join", "because", "'[\"it was {}\"]'"),
            ("work_item", "message", "'it was {}'"),
        )
        for value in ("kim.o@acme.example", "+4930123456")
        for column_value in (form.format(value),)
    },
    "a record of a CRM that is two leads'": (
        ["DROP INDEX crm_link_record", "UPDATE crm_link SET record_id = '1'"],
        {"crm_record_of_one_lead"},
    ),
    "a record of a CRM that is nobody's": (
        ["UPDATE crm_link SET lead_id = 999999 WHERE lead_id = 1"],
        {"crm_record_of_one_lead"},
    ),
    "a write to a CRM that was not read back": (
        ["UPDATE crm_link SET read_at = written_at - interval '1 minute' WHERE lead_id = 1"],
        {"crm_writes_read_back"},
    ),
    "a record that is gone and was written": (
        ["UPDATE crm_link SET gone_at = now() WHERE lead_id = 1"],
        {"crm_writes_read_back"},
    ),
    "a task of a CRM that is of two assignments": (
        ["UPDATE crm_task SET task_id = '1'"],
        {"crm_task_of_one_assignment"},
    ),
    "a task of a CRM without an assignment": (
        [f"UPDATE crm_task SET generation = 9 WHERE journey_id = {OWNED}"],
        {"crm_task_of_one_assignment"},
    ),
    "a CRM about which two work items ask the same": ([TOLD_TO_A_CRM[-1]], {"crm_asks_once"}),
    "a CRM that was read to no position": (["UPDATE crm_position SET position = NULL"], {"crm_position_adds_up"}),
    "a CRM that could not be read for no reason": (["UPDATE crm_position SET failures = 1"], {"crm_position_adds_up"}),
    "a record that says something else than its last version": (
        ["UPDATE record SET version_id = NULL WHERE version_id = (SELECT min(version_id) FROM record)"],
        {"record_is_its_last_version"},
    ),
    "a version that is not counted": (
        ["UPDATE record SET version = 2 WHERE id = (SELECT min(id) FROM record)"],
        {"versions_gapless"},
    ),
    "a version with a gap before it": (
        [
            "UPDATE record_version SET number = 2 WHERE id = (SELECT min(id) FROM record_version)",
            "UPDATE record SET version = 2 WHERE version_id = (SELECT min(id) FROM record_version)",
        ],
        {"versions_gapless"},
    ),
    "a version of another record": (
        [
            "UPDATE record_version v SET journey_id = (SELECT max(journey_id) FROM record_version), number = 9 "
            "WHERE id = (SELECT min(id) FROM record_version)",
            "UPDATE record SET version = 9 WHERE version_id = (SELECT min(id) FROM record_version)",
        ],
        {"version_of_its_journey", "versions_gapless"},
    ),
    "an update that nobody judged": (
        ["DELETE FROM record_judgement WHERE outcome = 'continue'"],
        {"records_judged"},
    ),
    "a judgement about another record": (
        ["UPDATE record_judgement SET record_id = (SELECT max(id) FROM record) WHERE outcome = 'hold'"],
        {"records_judged"},
    ),
    "a closed record that somebody follows up": (
        ["UPDATE record SET is_open = false WHERE is_open"],
        {"closed_records_not_owned"},
    ),
    "a record that was deleted and is open": (
        ["UPDATE record r SET is_open = true FROM record_deletion d WHERE d.record_id = r.id"],
        {"deleted_records_rest"},
    ),
    "a slip of no close date": (
        ["UPDATE record_slip SET close_date = close_date + 1"],
        {"slips_were_close_dates"},
    ),
    "a snapshot that says something else than was known": (
        ["UPDATE forecast_snapshot SET owner = 'cyn' WHERE record_id = (SELECT min(record_id) FROM forecast_snapshot)"],
        {"snapshot_as_known"},
    ),
    "a snapshot without an opportunity that was known": (
        ["DELETE FROM forecast_snapshot WHERE record_id = (SELECT min(record_id) FROM forecast_snapshot)"],
        {"snapshot_as_known"},
    ),
    "an assignment of a record that is counted as a lead": (
        ["UPDATE assignment SET kind = 'lead' WHERE kind <> 'lead'"],
        {"kinds_apart"},
    ),
    "an assignment of a lead that is counted as a record": (
        [f"UPDATE assignment SET kind = 'renewal' WHERE journey_id = {A_LEADS}"],
        {"kinds_apart", "turns_are_assignments"},
    ),
    "a journey of a record without one": (
        ["UPDATE journey SET record_id = NULL WHERE kind <> 'lead' AND status = 'held'"],
        {"kinds_apart", "version_of_its_journey", "records_judged"},
    ),
    "a batch that a shadow decided twice": (
        [
            UNGUARDED,
            "INSERT INTO shadow_pass (shadow_id, at, batches, last_batch, decisions, facts, different, unreadable, seconds) "
            "SELECT shadow_id, at, batches, last_batch, 0, 0, 0, 0, 0 FROM shadow_pass",
            "UPDATE shadow SET passes = passes + 1",
        ],
        {"shadow_batches_once", "shadow_counts_add_up"},
    ),
    "a batch of a shadow that never was": (
        [UNGUARDED, "UPDATE shadow_pass SET batches = batches || 999999::bigint"],
        {"shadow_batches_once"},
    ),
    "a pass of a shadow with a decision too few": (
        [UNGUARDED, "UPDATE shadow_pass SET decisions = decisions - 1"],
        {"shadow_counts_add_up"},
    ),
    "a shadow that counts other passes": (["UPDATE shadow SET passes = 7"], {"shadow_counts_add_up"}),
    "a shadow's journey that never was": (
        [
            "UPDATE shadow_journey SET journey_id = 999999 WHERE journey_id = (SELECT max(journey_id) FROM shadow_journey)"
        ],
        {"shadow_journeys_known"},
    ),
    "a journey of no shadow": (["UPDATE shadow_journey SET shadow_id = 999999"], {"shadow_journeys_known"}),
    "a shadow's journey that differs, without its ends": (
        ["UPDATE shadow_journey SET kind = 'dropped'"],
        {"shadow_journeys_known"},
    ),
}


def _hand_over(ledger: Ledger, loaded: LoadedPlaybook) -> None:
    """The last lead goes to another owner, who keeps the clock of the one before."""
    keeps = loaded.playbook.model_copy(update={"reassignments": Reassignments(on_reassign="keep")})
    with ledger.transaction() as connection:
        last = connection.execute(text("SELECT max(id) FROM journey WHERE status = 'owned'")).scalar_one()
    book = replace(loaded, playbook=keeps)
    reassignments.reassign(
        ledger, book, last, pool="everybody", reason="on leave", by=make_actor("mia"), now=NOW + timedelta(hours=1)
    )


def _touch_by_mistake(ledger: Ledger) -> None:
    """Ana's call of the first lead is logged and taken back."""
    with ledger.transaction() as connection:
        first, owner = connection.execute(
            text("SELECT journey_id, owner FROM assignment WHERE ended_at IS NULL ORDER BY journey_id LIMIT 1")
        ).one()
    who: dict[str, Any] = {"by": make_actor(owner), "now": NOW}
    done = ownership.touch(ledger, first, kind="call", rep=owner, at=NOW, seconds=None, **who)
    undo.undo(ledger, done.action or 0, **who)


@pytest.fixture(scope="module")
def sound(postgres: Ledger, loaded: LoadedPlaybook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger with something of everything that is checked."""
    with databases.fresh(postgres) as (url,):
        settings = Settings(home=tmp_path_factory.mktemp("verify"), database_url=url)
        with open_ledger(settings) as ledger:
            asking = loaded.text.replace("scoring:\n", "matching: {likely: [phone]}\nscoring:\n", 1)
            harness = Harness(ledger, playbooks.parse(asking, path=loaded.path))
            harness.capture(
                make_lead(1),
                make_lead(2),
                make_lead(3, Phone="call me"),
                make_lead(1, Message="again"),
                make_lead(4, Company=""),
            )
            harness.capture(
                make_lead(5), make_lead(6, Email="lead5@company5.example"), make_lead(7, Phone=make_lead(2)["Phone"])
            )
            harness.run()
            joins.unjoin(ledger, 7, by=make_actor("mia"), now=NOW)  # two persons, one address
            harness.run()
            _hand_over(ledger, loaded)
            _touch_by_mistake(ledger)
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
                connection.execute(text(GRADED))
                connection.execute(text(SCORED_AGAIN))
                connection.execute(text(A_PAUSE.format(first="0 h", until="2 h", ended="'1 h'")))
                connection.execute(text(A_PAUSE.format(first="1 h", until="3 h", ended="NULL")))
                connection.execute(text(A_MISS))
            start_shadow(ledger, harness.loaded, "the same again", by=make_actor("ops"), now=NOW)
            harness.capture(make_lead(8), now=ask_time(ledger))
            run_waiting(harness.worker(), kinds=("intake",))  # by the ledger's clock
            run_shadow(ledger, Path("tests.yaml"), limited=False)
            with ledger.transaction() as connection:
                for statement in TOLD_TO_A_CRM:
                    connection.execute(text(statement))
                insert_opportunities(connection, 4, ["ana", "bob"], NOW)
                record_deletions.end_deleted(connection, JourneyKind.OPPORTUNITY, SOURCE, ["D1"], NOW)
            forecasts.take_snapshots(ledger, "UTC", NOW + timedelta(days=2))
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
        broken = {invariant.name for invariant in INVARIANTS if count(connection, invariant.breaks)}
    assert broken == expected


def test_the_handoffs_are_read_a_few_times_for_all_invariants(sound: Ledger) -> None:
    """They are several times as many as any other rows."""
    with sound.engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off"))
        handoffs = connection.execute(text("SELECT count(*) FROM handoff")).scalar_one()
        read = text("SELECT pg_stat_get_xact_tuples_returned('handoff'::regclass)")
        before = connection.execute(read).scalar_one()
        count(connection, tuple(piece for each in INVARIANTS for piece in (*each.breaks, *each.checks)))
        assert connection.execute(read).scalar_one() - before <= 8 * handoffs


def test_every_invariant_is_broken_by_some_damage() -> None:
    assert {name for _, expected in DAMAGE.values() for name in expected} == {each.name for each in INVARIANTS}


def test_verify_says_what_it_found(harness: Harness) -> None:
    harness.capture(make_lead(1))
    with harness.ledger.transaction() as connection:
        connection.execute(text(A_WORK_ITEM))
    (finding,) = [each for each in verify(harness.ledger) if each.broken]
    assert (finding.name, finding.checked, finding.broken) == ("work_item_holds", 1, 1)
    assert finding.words == "An open blocking work item holds a journey"
