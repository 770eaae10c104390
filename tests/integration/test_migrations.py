"""The schema: what the migrations make is what the models say, whoever opens the ledger first, however often."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import alembic.command
import alembic.config
import databases
import pytest
from desk import Desk, person
from forked import Child
from sqlalchemy import Engine, create_engine, text
from sqlmodel import SQLModel

import leadgate.migrations
from leadgate.ledger import Ledger, LedgerError, open_ledger
from leadgate.playbook import Loaded
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


def test_two_processes_that_open_an_empty_database_at_once_both_can(
    settings: Settings, empty: str, loaded: Loaded
) -> None:
    def opened() -> int:
        with open_ledger(Settings(home=settings.home, database_url=empty)) as ledger:
            return Desk(ledger, loaded).one("SELECT count(*) FROM alembic_version")

    assert [child.result() for child in [Child(opened), Child(opened), Child(opened)]] == [1, 1, 1]


def test_two_processes_that_open_a_new_data_folder_at_once_share_its_postgresql(tmp_path: Path, loaded: Loaded) -> None:
    def opened(number: int) -> int:
        with open_ledger(Settings(home=tmp_path)) as ledger:
            return Desk(ledger, loaded).capture(person(number))

    assert [child.result() for child in [Child(partial(opened, number)) for number in (1, 2)]] == [1, 1]
    with open_ledger(Settings(home=tmp_path)) as ledger:
        assert Desk(ledger, loaded).statuses() == {"ready": 2}


def test_opening_again_changes_nothing(settings: Settings, loaded: Loaded) -> None:
    with open_ledger(settings) as ledger:
        Desk(ledger, loaded).capture(person(1))
        before = schema(ledger.engine)
    with open_ledger(settings) as ledger:
        assert schema(ledger.engine) == before
        assert Desk(ledger, loaded).statuses() == {"ready": 1}


def test_a_ledger_of_a_later_version_is_refused_with_a_reason(settings: Settings) -> None:
    with open_ledger(settings) as ledger, ledger.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="later version of Leadgate"), open_ledger(settings):
        pass
