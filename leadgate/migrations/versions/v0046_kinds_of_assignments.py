"""Assignments know the kind of their journeys: what counts the leads of a rep reads no others"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


_OPEN_COLUMNS = {"postgresql_include": ["due_soon_at", "touched_at", "journey_id"]}
_INDEXES = ("assignment_owner", "assignment_open", "assignment_waiting", "assignment_touched")


def _create_indexes(of_leads: str, alone: str | None) -> None:
    """``of_leads`` goes before the condition of an index, ``alone`` stands for one that had none."""
    where = None if alone is None else sa.text(alone)
    op.create_index("assignment_owner", "assignment", ["owner", "assigned_at"], postgresql_where=where)
    op.create_index(
        "assignment_open",
        "assignment",
        ["owner", "due_at"],
        **_OPEN_COLUMNS,  # type: ignore[arg-type]
        postgresql_where=sa.text(f"{of_leads}ended_at IS NULL"),
    )
    op.create_index(
        "assignment_waiting",
        "assignment",
        ["owner", sa.text("coalesce(due_at, 'infinity')"), "id"],
        postgresql_where=sa.text(f"{of_leads}ended_at IS NULL AND touched_at IS NULL"),
    )
    op.create_index(
        "assignment_touched",
        "assignment",
        ["owner", "assigned_at", "id"],
        postgresql_where=sa.text(f"{of_leads}ended_at IS NULL AND touched_at IS NOT NULL"),
    )


def upgrade() -> None:
    op.add_column("assignment", sa.Column("kind", sa.String(), nullable=False, server_default="lead"))
    op.execute("UPDATE assignment a SET kind = j.kind FROM journey j WHERE j.id = a.journey_id AND j.kind <> 'lead'")
    for name in _INDEXES:
        op.drop_index(name, "assignment")
    _create_indexes("kind = 'lead' AND ", "kind = 'lead'")
    op.create_index(
        "assignment_of_records",
        "assignment",
        ["owner", "due_at"],
        postgresql_where=sa.text("kind <> 'lead' AND ended_at IS NULL"),
    )
    op.create_index("journey_of_records", "journey", ["id"], postgresql_where=sa.text("kind <> 'lead'"))


def downgrade() -> None:
    op.drop_index("journey_of_records", "journey")
    for name in ("assignment_of_records", *_INDEXES):
        op.drop_index(name, "assignment")
    _create_indexes("", None)
    op.drop_column("assignment", "kind")
