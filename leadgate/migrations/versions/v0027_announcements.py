"""Changes of owners and of work items are announced to the processes that listen"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

#: Tables, and what their changes are announced as.
_ANNOUNCED = {"assignment": "owners", "pause": "owners", "work_item": "work_items"}


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('leadgate_changed', TG_ARGV[0]); RETURN NULL; END $$"
    )
    for table, change in _ANNOUNCED.items():
        op.execute(
            f"CREATE TRIGGER {table}_announced AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION announce_change('{change}')"
        )


def downgrade() -> None:
    for table in _ANNOUNCED:
        op.execute(f"DROP TRIGGER {table}_announced ON {table}")
    op.execute("DROP FUNCTION announce_change()")
