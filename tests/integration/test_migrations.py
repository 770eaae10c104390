"""The schema: what the migrations make is what the models say, whoever opens the ledger first, however often."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import alembic.command
import alembic.config
import databases
import pytest
from forked import Child
from harness import Harness, make_lead
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

import leadgate.migrations
from leadgate.ledger import Ledger, LedgerError, NoLedgerError, open_ledger
from leadgate.ledger.verify import verify
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings

SCHEMA = """
    SELECT 'column', table_name, column_name, concat_ws(' ', data_type, is_nullable, column_default, identity_generation)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL SELECT 'storage', relname, '', array_to_string(reloptions, ' ') FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"""


@pytest.fixture
def empty(postgres: Ledger, settings: Settings) -> Iterator[str]:
    """The address of a database without any table."""
    with databases.fresh(postgres) as (url,):
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        engine.dispose()
        yield url


def schema(engine: Engine) -> set[tuple[str, ...]]:
    """Every column, index and constraint, but those of Alembic's own table."""
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text(SCHEMA)) if row[1] != "alembic_version"}


def test_the_migrations_make_what_the_models_say(ledger: Ledger, empty: str) -> None:
    engine = create_engine(empty)
    SQLModel.metadata.create_all(engine)
    declared, migrated = schema(engine), schema(ledger.engine)
    engine.dispose()
    assert len(declared) > 200
    assert migrated - declared == set()
    assert declared - migrated == set()


def test_alembic_finds_no_difference_either(ledger: Ledger) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(leadgate.migrations.__file__ or "").parent))
    with ledger.engine.connect() as connection:
        config.attributes["connection"] = connection
        alembic.command.check(config)  # raises where models and tables differ


def test_records_have_no_word_that_the_vocabulary_does_not_have(ledger: Ledger) -> None:
    insert = {
        "handoff": "INSERT INTO handoff (journey_id, generation, stage, outcome, playbook_hash, at) "
        "VALUES (1, 0, 'capture', 'lost', 'h', now())",
        "action": "INSERT INTO action (journey_id, generation, what, by, at) VALUES (1, 0, 'sing', 'ana', now())",
        "outbox": "INSERT INTO outbox (key, journey_id, target, kind, created_at) VALUES ('k', 1, 'ana', 'of_tomorrow', now())",
    }
    for table, statement in insert.items():
        with (
            pytest.raises(IntegrityError, match=f"constraint {table}_[a-z]+_check"),
            ledger.transaction() as connection,
        ):
            connection.execute(text(statement))


def test_two_processes_that_open_an_empty_database_at_once_both_can(
    settings: Settings, empty: str, loaded: LoadedPlaybook
) -> None:
    def opened() -> int:
        with open_ledger(Settings(home=settings.home, database_url=empty)) as ledger:
            return Harness(ledger, loaded).one("SELECT count(*) FROM alembic_version")

    assert [child.result() for child in [Child(opened), Child(opened), Child(opened)]] == [1, 1, 1]


def test_two_processes_that_open_a_new_data_folder_at_once_share_its_postgresql(
    tmp_path: Path, loaded: LoadedPlaybook
) -> None:
    def opened(number: int) -> int:
        with open_ledger(Settings(home=tmp_path)) as ledger:
            return Harness(ledger, loaded).capture(make_lead(number))

    assert [child.result() for child in [Child(partial(opened, number)) for number in (1, 2)]] == [1, 1]
    with open_ledger(Settings(home=tmp_path)) as ledger:
        assert Harness(ledger, loaded).count_statuses() == {"ready": 2}


def test_an_empty_database_that_is_only_to_be_read_stays_empty(settings: Settings, empty: str) -> None:
    for _ in range(2):
        with (
            pytest.raises(NoLedgerError, match="beside_"),
            open_ledger(Settings(home=settings.home, database_url=empty), create=False),
        ):
            pass


def test_opening_again_changes_nothing(settings: Settings, loaded: LoadedPlaybook) -> None:
    with open_ledger(settings) as ledger:
        Harness(ledger, loaded).capture(make_lead(1))
        before = schema(ledger.engine)
    with open_ledger(settings) as ledger:
        assert schema(ledger.engine) == before
        assert Harness(ledger, loaded).count_statuses() == {"ready": 1}


def test_a_ledger_of_a_later_version_is_refused_with_a_reason(settings: Settings) -> None:
    with open_ledger(settings) as ledger, ledger.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="later version of Leadgate"), open_ledger(settings):
        pass


#: Rows as revision 0006 wrote them, with what people and leads said in the places that outlive an erasure.
OLD_ROWS = """
    INSERT INTO playbook_version VALUES ('h', 'version: 1', now());
    INSERT INTO lead (id, created_at, email, email_canonical, phone, first_name, last_name, budget)
        SELECT n, now(), 'kim' || n || '@acme.example', 'kim' || n || '@acme.example', '+49301234567' || n, 'Kim',
            'Okonkwo' || n, '20k of my own money' FROM generate_series(1, 3) n;
    INSERT INTO journey (id, trigger, lead_id, source, captured_at, stage, status, version, generation, start_stage,
            run_after)
        SELECT n, 'signal', n, 'website', now(), 'follow_up', 'nurture', 0, 1, 'capture', now()
        FROM generate_series(1, 3) n;
    INSERT INTO match_key VALUES (1446032523, 1), (99, 1), (100, 2);
    INSERT INTO qualification (journey_id, generation, fit, engagement, score, outcome, evidence, playbook_hash, at)
        SELECT 1 + n %% 3, n, 0, 0, 0, 'continue', jsonb_build_object('budget', jsonb_build_object('known', true, 'field',
            'budget', 'value', '20k of my own money'), 'need', jsonb_build_object('known', false)), 'h', now()
        FROM generate_series(1, 120000) n;
    INSERT INTO qualification (journey_id, generation, fit, engagement, score, outcome, evidence, playbook_hash, at)
        VALUES (1, 0, 0, 0, 0, 'continue', '{}', 'h', now());
    INSERT INTO assignment (journey_id, generation, owner, rule, turn, why, playbook_hash, assigned_at, ladder_step,
            ended_at, end_reason) VALUES
        (1, 0, 'ana', 'all', true, 'Route all.', 'h', now(), 0, now(), 'reassigned: Kim Okonkwo1 asked for it.'),
        (1, 1, 'bob', 'reassign to bob', false, 'Reassign to bob: Kim Okonkwo1 asked for it. A person chose them.',
            'h', now(), 0, now(), 'rejected: no_fit'),
        (2, 0, 'ana', 'all', true, 'Route all.', 'h', now(), 0, now(), 'transferred: left Kim Okonkwo2'),
        (2, 1, 'bob', 'transfer to all', true, 'Transfer to all: ana''s leads, left Kim Okonkwo2. bob has the first turn.',
            'h', now(), 0, now(), 'unassigned: not Kim Okonkwo2 (again)'),
        (3, 0, 'ana', 'reassign to ana', false,
            'Reassign to ana: Kim Okonkwo3; all the same, because ana: reached 0 open. A person chose them.', 'h', now(),
            0, now(), 'sla_missed');
    INSERT INTO handoff (journey_id, generation, stage, outcome, reason, playbook_hash, at) VALUES
        (1, 0, 'follow_up', 'reassigned', 'Kim Okonkwo1 asked for it.', 'h', now()),
        (1, 1, 'follow_up', 'nurture', 'rejected: no_fit', 'h', now()),
        (2, 0, 'follow_up', 'reassigned', 'transferred: left Kim Okonkwo2', 'h', now()),
        (2, 1, 'follow_up', 'nurture', 'unassigned: not Kim Okonkwo2 (again)', 'h', now()),
        (3, -1, 'follow_up', 'reassigned', 'Kim Okonkwo3', 'h', now());
    INSERT INTO journey (id, trigger, lead_id, source, captured_at, stage, status, version, generation, start_stage,
            run_after)
        VALUES (4, 'rescore', 1, 'website', '2026-03-02Z', 'assignment', 'ready', 1, 0, 'qualification', now());
    INSERT INTO handoff (journey_id, generation, stage, outcome, playbook_hash, at) VALUES
        (4, 0, 'qualification', 'continued', 'h', '2026-03-02 01:00Z');
    INSERT INTO action (journey_id, generation, what, by, at) VALUES
        (1, 0, 'reassign', 'mia', now()), (2, 0, 'transfer', 'mia', now()), (2, 1, 'unassign', 'mia', now()),
        (1, 1, 'reject', 'bob', now()), (3, -1, 'reassign', 'mia', now());
    INSERT INTO outbox (key, journey_id, target, kind, created_at) VALUES ('assigned:1:0', 1, 'ana', 'lead_assigned', now());
    INSERT INTO work_item (kind, blocking, reason, stage, generation, message, route, due_at, opened_at) VALUES
        ('exception', true, 'unassigned', 'assignment', 2,
            'It was taken from bob (not Kim Okonkwo2 (again)) and has no owner; a rerun finds one.', 'ops', now(), now());
"""


def test_personal_values_of_earlier_versions_leave_the_rows_that_cannot_be_erased(
    empty: str, settings: Settings, loaded: LoadedPlaybook
) -> None:
    engine = create_engine(empty)
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(leadgate.migrations.__file__ or "").parent))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "0006")
        connection.exec_driver_sql(OLD_ROWS)
        connection.commit()
    engine.dispose()

    with open_ledger(Settings(home=settings.home, database_url=empty)) as ledger:
        harness = Harness(ledger, loaded)
        found = {each.name: each for each in verify(ledger, whole=True)}
        assert found["nothing_personal_kept"].checked > 120_000
        assert found["nothing_personal_kept"].broken == 0
        assert harness.rows("SELECT DISTINCT evidence::text FROM qualification ORDER BY 1") == [
            ('{"need": {"known": false}, "budget": {"field": "budget", "known": true}}',),
            ("{}",),
        ]
        assert harness.rows("SELECT journey_id, what, note FROM action ORDER BY id") == [
            (1, "reassign", "Kim Okonkwo1 asked for it."),
            (2, "transfer", "left Kim Okonkwo2"),
            (2, "unassign", "not Kim Okonkwo2 (again)"),
            (1, "reject", None),
            (3, "reassign", "Kim Okonkwo3"),
        ]
        all_the_same = "Reassign to ana; all the same, because ana: reached 0 open. A person chose them."
        assert harness.rows("SELECT method, why, end_reason FROM assignment ORDER BY id") == [
            ("route", "Route all.", "reassigned"),
            ("reassign", "Reassign to bob. A person chose them.", "rejected: no_fit"),
            ("route", "Route all.", "transferred"),
            ("transfer", "Transfer to all: ana's leads. bob has the first turn.", "unassigned"),
            ("reassign", all_the_same, "sla_missed"),
        ]
        assert [row[0] for row in harness.rows("SELECT reason FROM handoff ORDER BY id")] == [
            "reassigned", "rejected: no_fit", "transferred", "unassigned", "reassigned", None,
        ]  # fmt: skip
        assert harness.rows("SELECT message, detail FROM work_item") == [
            ("It was taken from bob and has no owner; a rerun finds one.", "not Kim Okonkwo2 (again)")
        ]
        moments = harness.rows("SELECT id, handed_on_at FROM journey ORDER BY id")
        assert moments == [(1, []), (2, []), (3, []), (4, [datetime(2026, 3, 2, 1, tzinfo=UTC)])]
        keys = harness.rows("SELECT key, lead_id FROM match_key")
        assert {lead for _, lead in keys} == {1, 2}
        assert not {key for key, _ in keys} & {1446032523, 99, 100}


@pytest.mark.parametrize(
    ("batches", "in_use"),
    [("ba", ["a", "b", "a"]), ("ab", ["a", "b"]), ("", ["a", "b"])],
    ids=["the first was in use again", "the last is in use", "nothing was worked on"],
)
def test_playbooks_of_earlier_versions_were_in_use_in_the_order_of_then(
    empty: str, settings: Settings, batches: str, in_use: list[str]
) -> None:
    engine = create_engine(empty)
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(leadgate.migrations.__file__ or "").parent))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "0035")
        connection.execute(
            text(
                "INSERT INTO playbook_version (hash, content, activated_at) "
                "VALUES ('b', 'version: 2', '2026-03-02Z'), ('a', 'version: 1', '2026-03-01Z')"
            )
        )
        for hash_ in batches:
            connection.execute(
                text(
                    "INSERT INTO batch (kind, epoch, holder, lease_until, playbook_hash, opened_at, closed_at, size, "
                    "failures) VALUES ('intake', 1, 'worker', now(), :hash, '2026-03-03Z', now(), 1, 0)"
                ),
                {"hash": hash_},
            )
        connection.commit()
    engine.dispose()
    with open_ledger(Settings(home=settings.home, database_url=empty)) as ledger, ledger.transaction() as connection:
        rows = connection.execute(text("SELECT hash, at, by, method, file FROM playbook_activation ORDER BY id")).all()
        reasons = connection.execute(text("SELECT count(*) FROM playbook_reason")).scalar_one()
    then = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2, 3)]
    assert [tuple(row) for row in rows] == [
        (hash_, at, None, "unrecorded", None) for hash_, at in zip(in_use, then, strict=False)
    ]
    assert reasons == 0
