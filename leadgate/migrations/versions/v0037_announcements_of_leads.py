"""Changes of owners and of work items are announced with the leads that they are about, where they are few"""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

#: Tables, and what their changes are announced as.
_ANNOUNCED = {"assignment": "owners", "pause": "owners", "work_item": "work_items"}
_CHANGES = {"insert": "NEW", "update": "NEW", "delete": "OLD"}

#: A statement that changed nothing announces nothing. 0 stands for a journey whose lead is not known yet. A change of
#: many rows, or of an item that is about no one journey, names no lead: it may be about any.
_FUNCTION = """
    CREATE FUNCTION announce_change_of_leads() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        rows integer;
        leads text;
    BEGIN
        SELECT count(*), CASE WHEN count(*) <= 20 AND count(c.journey_id) = count(*)
            THEN string_agg(DISTINCT coalesce(j.lead_id, 0)::text, ' ') END
        INTO rows, leads
        FROM (SELECT journey_id FROM changed LIMIT 21) c LEFT JOIN journey j ON j.id = c.journey_id;
        IF rows > 0 THEN
            PERFORM pg_notify('leadgate_changed', concat_ws(' ', TG_ARGV[0], leads));
        END IF;
        RETURN NULL;
    END $$"""


def upgrade() -> None:
    op.execute(_FUNCTION)
    for table, change in _ANNOUNCED.items():
        op.execute(f"DROP TRIGGER {table}_announced ON {table}")
        for event, rows in _CHANGES.items():
            op.execute(
                f"CREATE TRIGGER {table}_{event}_announced AFTER {event.upper()} ON {table} "
                f"REFERENCING {rows} TABLE AS changed "
                f"FOR EACH STATEMENT EXECUTE FUNCTION announce_change_of_leads('{change}')"
            )


def downgrade() -> None:
    for table, change in _ANNOUNCED.items():
        for event in _CHANGES:
            op.execute(f"DROP TRIGGER {table}_{event}_announced ON {table}")
        op.execute(
            f"CREATE TRIGGER {table}_announced AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION announce_change('{change}')"
        )
    op.execute("DROP FUNCTION announce_change_of_leads()")
