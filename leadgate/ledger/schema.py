"""The version of the ledger's tables: what a database has, and bringing it up to date.

Belongs here: the numbers of the migrations, and running them. Does not belong here: what a migration does
(``leadgate.migrations``), or the tables as they are now (``leadgate.models``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

from leadgate.ledger.errors import LedgerError

#: An advisory lock, so that of two processes one migrates and the other waits.
_MIGRATION_LOCK: Final = 7_283_002
_MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"


@cache
def find_newest() -> str:
    """The number of the newest migration, from the names of the files: Alembic is not imported to read them."""
    return max(file.name.removeprefix("v").partition("_")[0] for file in (_MIGRATIONS / "versions").glob("v*.py"))


def read_version(engine: Engine) -> str | None:
    """The number of the migration that the database has; None where there is no ledger."""
    with engine.connect() as connection:
        if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def migrate(engine: Engine) -> None:
    """Bring the tables up to date. Safe when several processes start at once: one migrates, the others wait.

    Raises ``LedgerError`` for a ledger of a later version of Leadgate.
    """
    import alembic.command  # with what it needs 0.3 s, and almost every command finds the tables up to date
    import alembic.config
    from alembic.util import CommandError

    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        connection.commit()
        try:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")
            connection.commit()
        except CommandError as error:  # the revision it names is none of ours
            raise LedgerError(
                f"the ledger was last used by a later version of Leadgate ({error}); use that version, or newer"
            ) from error
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
            connection.commit()
