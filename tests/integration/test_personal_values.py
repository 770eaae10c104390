"""Personal values stand in columns that can be erased: what the default playbook writes, and what ``verify`` finds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from harness import NOW, Harness, make_lead
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from leadgate import playbook as playbooks
from leadgate.actors import SYSTEM_ROLES, Actor
from leadgate.ledger import Ledger, ownership
from leadgate.ledger.verify import count, personal_values, verify
from leadgate.models import PERSONAL, STAFF
from leadgate.vocabulary import Role
from tasks import reassignments

#: One word that no rule has, in everything that a lead says.
MARK = "zyxwmark"
SAID = {
    "Job title": f"Chief {MARK} officer",
    "Street": f"{MARK} street 12",
    "City": MARK,
    "Postal code": MARK,
    "Salutation": MARK,
    "Website": f"https://{MARK}.example",
    "Industry": f"Software {MARK}",
    "Number of employees": f"500 {MARK}",
    "Product": MARK,
    "Budget": f"20k of {MARK}",
    "Timeline": f"this quarter, {MARK}",
    "Message": f"My name is {MARK}, please call me about {MARK} soon",
    "Use case": f"to replace {MARK}",
    "Current tool": MARK,
    "Partner": MARK,
    "Annual revenue": MARK,
    "Lead source": MARK,
    "Something else": f"{MARK} and more",
    "submission_id": f"{MARK}-7",
}


def hostile(number: int, **more: Any) -> dict[str, Any]:
    named = {"First name": MARK, "Last name": f"{MARK}{number}", "Company": f"{MARK} {number} GmbH"}
    return (
        make_lead(number)
        | named
        | SAID
        | {"Email": f"{MARK}{number}@{MARK}{number}.example"}
        | {"submission_id": f"{MARK}{number}"}
        | more
    )


def where_it_stands(ledger: Ledger, mark: str) -> set[str]:
    """Every column of every table, by the database's own list, in which a row has ``mark``."""
    found = set()
    with ledger.transaction() as connection:
        columns = connection.execute(
            text("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")
        ).fetchall()
        for table, column in columns:
            statement = text(f"SELECT count(*) FROM {table} WHERE strpos(lower(({column})::text), :mark) > 0")
            if connection.execute(statement, {"mark": mark}).scalar_one():
                found.add(f"{table}.{column}")
    return found


def declared(*kinds: Any) -> set[str]:
    tables = SQLModel.metadata.sorted_tables
    return {f"{table.name}.{column.name}" for table in tables for column in table.columns if column.info in kinds}


@pytest.fixture
def worked(ledger: Ledger) -> Harness:
    """The default playbook's day: owned, held, joined, reviewed, handed over, waited for, reminded, given back."""
    harness = Harness(ledger, playbooks.load_default())

    def work() -> None:
        harness.capture(
            *(hostile(number) for number in range(1, 6)),
            hostile(1, Message=f"again {MARK}", submission_id=f"{MARK}-again"),
            hostile(6, Email=f"{MARK} at example", Phone="none"),
            hostile(
                7,
                Email=f"other@{MARK}2.example",
                Phone=hostile(2)["Phone"],
                **{"Last name": "Roe", "Company": hostile(2)["Company"]},
            ),
            hostile(8, Country=MARK, Phone=f"12 {MARK}"),
            hostile(9, **{"Job title": f"student {MARK}"}),
            {"Email": "x", "Company": MARK},
            None,
        )
        harness.activity("demo_request", f"{MARK}1@{MARK}1.example")
        harness.run()
        owned = [row[0] for row in harness.rows("SELECT id FROM journey WHERE status = 'owned' ORDER BY id")]
        assert len(owned) >= 4
        now, why = NOW + timedelta(hours=1), f"{MARK} asked for somebody else"
        reps = [rep.name for rep in harness.loaded.playbook.reps]
        mia = Actor("mia", reps=frozenset(reps), roles=SYSTEM_ROLES | {Role.MANAGER})
        had = harness.one("SELECT owner FROM assignment WHERE journey_id = :j AND ended_at IS NULL", j=owned[0])
        rep = next(each for each in reps if each != had)
        reassignments.reassign(ledger, harness.loaded, owned[0], rep=rep, anyway=True, reason=why, by=mia, now=now)
        reassignments.unassign(ledger, harness.loaded, owned[1], reason=why, by=mia, now=now)
        leaver = harness.one("SELECT owner FROM assignment WHERE journey_id = :j AND ended_at IS NULL", j=owned[2])
        reassignments.transfer(ledger, harness.loaded, leaver, reason=why, by=mia, now=now)
        ownership.wait(ledger, owned[3], until=now + timedelta(days=1), reason=why, by=mia, now=now)
        for hours in (3, 30, 300):
            harness.run(NOW + timedelta(hours=hours))

    harness.begin_with("a day of the default playbook", work)
    return harness


# --- what is written --------------------------------------------------------------------------------------


def test_what_a_lead_says_stands_in_erasable_columns_only(worked: Harness) -> None:
    found = where_it_stands(worked.ledger, MARK)
    assert found - declared(PERSONAL) == set()
    # the marks went far enough for that to mean something
    assert {"signal.payload", "lead.message", "lead.custom", "work_item.value", "action.note", "pause.reason"} <= found
    assert worked.find_broken() == []


def test_the_evidence_of_a_qualification_names_the_field_and_not_its_value(worked: Harness) -> None:
    (evidence,) = worked.rows("SELECT evidence FROM qualification WHERE journey_id = 1 LIMIT 1")[0]
    assert evidence["budget"] == {"known": True, "field": "budget"}
    assert evidence["timeline"] == {"known": True, "field": "timeline"}
    assert "value" not in str(evidence)


def test_the_reason_of_a_reassignment_is_kept_where_it_can_be_erased(worked: Harness) -> None:
    assert worked.rows("SELECT DISTINCT what, note FROM action WHERE what = 'reassign'") == [
        ("reassign", f"{MARK} asked for somebody else")
    ]
    ends = {row[0] for row in worked.rows("SELECT DISTINCT end_reason FROM assignment WHERE end_reason IS NOT NULL")}
    assert {"reassigned", "unassigned", "transferred"} <= ends
    assert worked.one("SELECT detail FROM work_item WHERE reason = 'unassigned'") == f"{MARK} asked for somebody else"


def test_a_leads_own_message_stays_when_a_person_is_asked_about_the_lead(worked: Harness) -> None:
    assert worked.one("SELECT count(*) FROM work_item WHERE reason = 'likely_duplicate'") == 1
    assert worked.rows("SELECT DISTINCT message FROM lead l WHERE message NOT LIKE :mark", mark=f"%{MARK}%") == []


# --- what is found ----------------------------------------------------------------------------------------


def columns_about_leads() -> list[tuple[str, str]]:
    tables = SQLModel.metadata.tables
    return [
        (table, column)
        for table, columns in personal_values.list_searched().items()
        for column in columns
        if personal_values._list_about(tables[table])
    ]


def plant(connection: Connection, table: str, column: str, value: str) -> bool:
    """Write ``value`` into the column of a row about lead 1. False when a constraint of the database does not let it."""
    kind = SQLModel.metadata.tables[table].columns[column].type.compile()
    written = "to_jsonb(CAST(:value AS text))" if kind == "JSONB" else ":value"
    columns = SQLModel.metadata.tables[table].columns
    about = next((f"{name} = 1" for name in ("journey_id", "lead_id") if name in columns), "true")
    try:
        with connection.begin_nested():
            statement = text(
                f"UPDATE {table} SET {column} = {written} WHERE ctid = (SELECT min(ctid) FROM {table} WHERE {about})"
            )
            return connection.execute(statement, {"value": f"it is {value}!"}).rowcount > 0
    except DBAPIError:
        return False


@pytest.fixture(scope="module")
def some(postgres: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Any:
    import databases

    from leadgate.ledger import open_ledger
    from leadgate.settings import Settings

    with databases.fresh(postgres) as (url,):
        settings = Settings(home=tmp_path_factory.mktemp("some"), database_url=url)
        with open_ledger(settings) as ledger:
            harness = Harness(ledger, playbooks.load_default())
            harness.capture(
                make_lead(1, Message='Call "me" about the\nnew office, please', **{"Use case": "Replace paper lists"})
            )
            harness.capture(make_lead(2, Email="none", Phone="none"))
            harness.run()
            harness.rows("UPDATE work_item SET journey_id = 1 RETURNING 1")  # so that each table has a row about lead 1
            yield ledger


VALUES = {
    "an address": "LEAD1@company1.example",
    "a number": "49301000001",
    "a name": "Alex Number1",
    "a message": 'call "me" about the',
    "a field of the playbook": "replace paper LISTS",
}


@pytest.mark.parametrize(("table", "column"), columns_about_leads(), ids=lambda each: each)
def test_a_value_is_found_in_every_column_that_may_not_hold_it(some: Ledger, table: str, column: str) -> None:
    breaks = {each.name: each.breaks for each in personal_values.INVARIANTS}["nothing_personal_kept"]
    with some.engine.connect() as connection:
        assert count(connection, breaks) == 0
        planted = False
        for value in VALUES.values():
            with connection.begin_nested() as point:
                if plant(connection, table, column, value):
                    planted = True
                    assert count(connection, breaks) > 0, value
                point.rollback()
        rows = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
        assert planted or rows == 0 or (table, column) in GUARDED, "nothing was planted"


#: The database itself lets no text stand here: one of a few words, or the name of a row.
GUARDED = {
    ("journey", "kind"), ("journey", "stage"), ("journey", "status"), ("work_item", "kind"), ("batch", "playbook_hash"),
    ("work_item", "resolution"), ("handoff", "outcome"), ("action", "what"), ("outbox", "kind"),
}  # fmt: skip


def test_the_latest_are_looked_at_each_time_and_all_of_them_when_asked(
    some: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(leads: str) -> int:
        return count(connection, (personal_values.build_kept_query(leads),))

    monkeypatch.setattr(personal_values, "LATEST", 1)
    monkeypatch.setattr(personal_values, "_LATEST", "ORDER BY id DESC LIMIT 1")
    with some.engine.connect() as connection:
        connection.execute(text("INSERT INTO lead (id, created_at) SELECT n, now() FROM generate_series(7, 9) n"))
        assert plant(connection, "handoff", "reason", VALUES["a name"])
        assert found(personal_values._LATEST) == 0
        assert sum(found(leads) for leads in personal_values.list_windows(connection)) == 1
        assert len(list(personal_values.list_windows(connection))) == 4  # leads 1, 2, 7 and 8, one in each


def test_verify_counts_what_it_finds_of_all_leads_too(some: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal_values, "list_windows", lambda connection: ["WHERE id = 1", "WHERE id = 1"])
    try:
        with some.transaction() as connection:
            assert plant(connection, "handoff", "reason", VALUES["a name"])
        broken = {each.name: each.broken for each in verify(some)}["nothing_personal_kept"]
        assert {each.name: each.broken for each in verify(some, whole=True)}["nothing_personal_kept"] == 3 * broken == 3
    finally:
        with some.transaction() as connection:
            connection.execute(text("UPDATE handoff SET reason = NULL WHERE reason LIKE 'it is %'"))


def test_what_stands_in_a_playbook_is_not_taken_for_a_leads(some: Ledger) -> None:
    """A rep can be a lead, too; her name is no secret of the lead's."""
    breaks = next(i.breaks for i in personal_values.INVARIANTS if i.name == "nothing_personal_kept")
    with some.engine.connect() as connection:
        connection.execute(
            text("UPDATE lead SET first_name = 'Anna', last_name = 'Keller', full_name = NULL WHERE id = 1")
        )
        assert plant(connection, "handoff", "reason", "Anna Keller, who is a rep")
        assert count(connection, breaks) == 0


def test_every_column_of_text_says_what_it_holds() -> None:
    """Whoever adds one decides: a lead's value, a colleague's name, or neither."""
    assert declared(PERSONAL) & declared(STAFF) == set()
    searched = {f"{table}.{column}" for table, columns in personal_values.list_searched().items() for column in columns}
    assert not searched & declared(PERSONAL, STAFF)
    assert {"handoff.reason", "assignment.why", "qualification.evidence", "lookalike.levels", "outbox.key"} <= searched
