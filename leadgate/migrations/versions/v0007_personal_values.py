"""Personal values leave the rows that outlive an erasure; match keys are keyed hashes

What a person gave as a reason goes from ``handoff``, ``assignment`` and ``work_item.message`` to erasable columns; the
evidence of a qualification names a field, and its value stays with the lead. Match keys are computed again with the
installation's key when the ledger is opened next (``ledger.keys``), because a migration has no key.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: Rows looked at by one statement.
_AT_ONCE = 50_000

#: Each is run for a range of the table's ids. A second time, it finds nothing to do.
_MOVES = (
    # the reason of each handover, from the handoff that ended the assignment
    (
        "action",
        """
        UPDATE action x SET note = CASE WHEN x.what = 'reassign' THEN h.reason
            ELSE regexp_replace(h.reason, '^(unassigned|transferred): ', '') END
        FROM handoff h WHERE x.id > :after AND x.id <= :last AND x.note IS NULL
            AND x.what IN ('reassign', 'unassign', 'transfer') AND h.journey_id = x.journey_id
            AND h.generation = x.generation AND h.stage = 'follow_up' AND h.reason IS NOT NULL""",
    ),
    # the sentence of the next assignment, which quoted it
    (
        "assignment",
        """
        UPDATE assignment a SET why = replace(replace(a.why, ': ' || rtrim(x.note, '.'), ''),
            ', ' || rtrim(x.note, '.'), '')
        FROM action x WHERE a.id > :after AND a.id <= :last AND a.rule ~ '^(reassign|transfer) to '
            AND x.journey_id = a.journey_id AND x.generation = a.generation - 1
            AND x.what IN ('reassign', 'transfer') AND rtrim(x.note, '.') <> ''""",
    ),
    (
        "assignment",
        """
        UPDATE assignment SET end_reason = split_part(end_reason, ':', 1)
        WHERE id > :after AND id <= :last AND end_reason ~ '^(reassigned|unassigned|transferred): '""",
    ),
    (
        "handoff",
        """
        UPDATE handoff h SET reason = CASE x.what WHEN 'reassign' THEN 'reassigned' WHEN 'unassign' THEN 'unassigned'
            ELSE 'transferred' END
        FROM action x WHERE h.id > :after AND h.id <= :last AND h.stage = 'follow_up'
            AND x.journey_id = h.journey_id AND x.generation = h.generation
            AND x.what IN ('reassign', 'unassign', 'transfer')""",
    ),
    (
        "work_item",
        r"""
        UPDATE work_item
        SET detail = coalesce(detail, substring(message FROM '^It was taken from \S+ \((.*)\) and has')),
            message = regexp_replace(message, '^(It was taken from \S+) \(.*\) (and has)', '\1 \2')
        WHERE id > :after AND id <= :last AND reason = 'unassigned' AND message LIKE 'It was taken from % (%) and has%'
        """,
    ),
    (
        "qualification",
        """
        UPDATE qualification SET evidence =
            (SELECT jsonb_object_agg(part, CASE jsonb_typeof(proof) WHEN 'object' THEN proof - 'value' ELSE proof END)
                FROM jsonb_each(evidence) AS each(part, proof))
        WHERE id > :after AND id <= :last AND jsonb_path_exists(evidence, '$.*.value')""",
    ),
)


def upgrade() -> None:
    op.create_table(
        "hash_key",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.add_column("action", sa.Column("note", sa.String(), nullable=True))
    connection = op.get_bind()
    for table, statement in _MOVES:
        for after, last in _ranges(connection, table):
            connection.execute(sa.text(statement), {"after": after, "last": last})


def _ranges(connection: sa.Connection, table: str) -> Iterator[tuple[int, int]]:
    last = connection.execute(sa.text(f"SELECT coalesce(max(id), 0) FROM {table}")).scalar_one()
    for after in range(0, last, _AT_ONCE):
        yield after, after + _AT_ONCE


def downgrade() -> None:
    op.drop_column("action", "note")
    op.drop_table("hash_key")
