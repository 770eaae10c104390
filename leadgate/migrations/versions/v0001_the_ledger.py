"""The ledger

Long as one file: it makes the first tables in one transaction, and a migration that has run is never taken apart.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gate_result",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("warned", sa.Integer(), nullable=False),
        sa.Column(
            "evidence", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_gate_result_batch_id"), "gate_result", ["batch_id"], unique=False)
    op.create_table(
        "handoff",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("playbook_hash", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("handoff_once", "handoff", ["journey_id", "generation", "stage"], unique=True)
    op.create_table(
        "lead",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rescore_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("salutation", sa.Text(), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("full_name", sa.Text(), nullable=True),
        sa.Column("job_title", sa.Text(), nullable=True),
        sa.Column("company", sa.Text(), nullable=True),
        sa.Column("website", sa.Text(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("company_size", sa.Text(), nullable=True),
        sa.Column("annual_revenue", sa.Text(), nullable=True),
        sa.Column("street", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("postal_code", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("product", sa.Text(), nullable=True),
        sa.Column("budget", sa.Text(), nullable=True),
        sa.Column("timeline", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("consent", sa.Text(), nullable=True),
        sa.Column("lead_source", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("email_canonical", sa.Text(), nullable=True),
        sa.Column("email_domain", sa.Text(), nullable=True),
        sa.Column("website_domain", sa.Text(), nullable=True),
        sa.Column("is_free_mail", sa.Boolean(), nullable=True),
        sa.Column("is_disposable", sa.Boolean(), nullable=True),
        sa.Column("is_role_address", sa.Boolean(), nullable=True),
        sa.Column("has_consent", sa.Boolean(), nullable=True),
        sa.Column("company_domain", sa.Text(), nullable=True),
        sa.Column("employees", sa.BigInteger(), nullable=True),
        sa.Column("revenue", sa.Double(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("account_owner", sa.Text(), nullable=True),
        sa.Column("account_tier", sa.Text(), nullable=True),
        sa.Column("custom", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("provenance", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("lead_email", "lead", ["email"], unique=False)
    op.create_index("lead_phone", "lead", ["phone"], unique=False)
    op.create_index(
        "lead_rescore", "lead", ["rescore_at"], unique=False, postgresql_where=sa.text("rescore_at IS NOT NULL")
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("outbox_journey", "outbox", ["journey_id"], unique=False)
    op.create_index("outbox_key", "outbox", ["key"], unique=True)
    op.create_table(
        "playbook_version",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "pool_state",
        sa.Column("pool", sa.String(), nullable=False),
        sa.Column(
            "state", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("pool"),
    )
    op.create_table(
        "qualification",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("fit", sa.Integer(), nullable=False),
        sa.Column("engagement", sa.Integer(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column(
            "contributions",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("qualified_as", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column(
            "reasons", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column(
            "evidence", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("playbook_hash", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("qualification_once", "qualification", ["journey_id", "generation"], unique=True)
    op.create_table(
        "signal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("unreadable", sa.String(), nullable=True),
        sa.Column("origin", sa.String(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("signal_key", "signal", ["source", "key"], unique=True)
    op.create_table(
        "warned",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("promise", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("warned_once", "warned", ["journey_id", "generation", "gate", "promise"], unique=True)
    op.create_table(
        "work_item",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("blocking", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("promise", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("journey_id", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("proposal", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("assignee", sa.String(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.CheckConstraint("kind IN ('exception', 'review', 'recovery', 'escalation', 'breaker')"),
        sa.CheckConstraint("(closed_at IS NULL) = (resolution IS NULL)"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "work_item_once",
        "work_item",
        ["journey_id", "generation", "stage", "reason", "promise"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("closed_at IS NULL AND journey_id IS NOT NULL"),
    )
    op.create_index(
        "work_item_open", "work_item", ["route", "reason"], unique=False, postgresql_where=sa.text("closed_at IS NULL")
    )
    op.create_table(
        "activity",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("rep", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("lead_id", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("actor IN ('lead', 'rep')"),
        sa.ForeignKeyConstraint(
            ["lead_id"],
            ["lead.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("activity_key", "activity", ["source", "key"], unique=True)
    op.create_index("activity_lead", "activity", ["lead_id", "occurred_at"], unique=False)
    op.create_index(
        "activity_unmatched", "activity", ["email"], unique=False, postgresql_where=sa.text("lead_id IS NULL")
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("playbook_hash", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["playbook_hash"],
            ["playbook_version.hash"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("batch_open", "batch", ["id"], unique=False, postgresql_where=sa.text("closed_at IS NULL"))
    op.create_table(
        "breaker",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column(
            "state", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("work_item_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["work_item_id"],
            ["work_item.id"],
        ),
        sa.PrimaryKeyConstraint("source", "gate"),
    )
    op.create_table(
        "identity",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lead_id"],
            ["lead.id"],
        ),
        sa.PrimaryKeyConstraint("kind", "value"),
    )
    op.create_index(op.f("ix_identity_lead_id"), "identity", ["lead_id"], unique=False)
    op.create_table(
        "journey",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("signal_id", sa.BigInteger(), nullable=True),
        sa.Column("lead_id", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("start_stage", sa.String(), nullable=False),
        sa.Column("waived", sa.String(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("run_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=True),
        sa.Column("joined_to", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(status = 'held') = (work_item_id IS NOT NULL)", name="held_by_a_work_item"),
        sa.CheckConstraint("(status = 'joined') = (joined_to IS NOT NULL)", name="joined_to_a_journey"),
        sa.CheckConstraint("batch_id IS NULL OR status IN ('ready', 'owned')", name="batch_works_on_open_ones"),
        sa.CheckConstraint(
            "stage IN ('capture', 'validation', 'enrichment', 'qualification', 'assignment', 'follow_up')"
        ),
        sa.CheckConstraint("status <> 'owned' OR stage = 'follow_up'", name="owned_is_followed_up"),
        sa.CheckConstraint(
            "status IN ('ready', 'held', 'owned', 'joined', 'nurture', 'disqualified', 'done', 'discarded')"
        ),
        sa.ForeignKeyConstraint(
            ["joined_to"],
            ["journey.id"],
        ),
        sa.ForeignKeyConstraint(
            ["lead_id"],
            ["lead.id"],
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"],
            ["signal.id"],
        ),
        sa.ForeignKeyConstraint(
            ["work_item_id"],
            ["work_item.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("signal_id"),
    )
    op.execute("ALTER TABLE journey SET (fillfactor = 70)")
    op.create_index(op.f("ix_journey_lead_id"), "journey", ["lead_id"], unique=False)
    op.create_index(
        "journey_batch", "journey", ["batch_id"], unique=False, postgresql_where=sa.text("batch_id IS NOT NULL")
    )
    op.create_index(
        "journey_held_by",
        "journey",
        ["work_item_id"],
        unique=False,
        postgresql_where=sa.text("work_item_id IS NOT NULL"),
    )
    op.create_index(
        "journey_waiting",
        "journey",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status = 'ready' AND batch_id IS NULL"),
    )
    op.create_index(
        "one_open_journey_per_lead",
        "journey",
        ["lead_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('ready', 'held', 'owned')"),
    )
    op.create_table(
        "action",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("work_item_id", sa.BigInteger(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["journey_id"],
            ["journey.id"],
        ),
        sa.ForeignKeyConstraint(
            ["work_item_id"],
            ["work_item.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_action_journey_id"), "action", ["journey_id"], unique=False)
    op.create_table(
        "assignment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("pool", sa.String(), nullable=True),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("turn", sa.Boolean(), nullable=False),
        sa.Column(
            "candidates", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("sla", sa.String(), nullable=True),
        sa.Column("playbook_hash", sa.String(), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_soon_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ladder_step", sa.Integer(), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)"),
        sa.ForeignKeyConstraint(
            ["journey_id"],
            ["journey.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "assignment_due", "assignment", ["due_at"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index("assignment_owner", "assignment", ["owner", "assigned_at"], unique=False)
    op.create_index(
        "one_open_assignment", "assignment", ["journey_id"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "correction",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["journey_id"],
            ["journey.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_correction_journey_id"), "correction", ["journey_id"], unique=False)
    op.create_foreign_key("work_item_journey", "work_item", "journey", ["journey_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint("work_item_journey", "work_item", type_="foreignkey")
    op.drop_index(op.f("ix_correction_journey_id"), table_name="correction")
    op.drop_table("correction")
    op.drop_index("one_open_assignment", table_name="assignment", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_index("assignment_owner", table_name="assignment")
    op.drop_index("assignment_due", table_name="assignment", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_table("assignment")
    op.drop_index(op.f("ix_action_journey_id"), table_name="action")
    op.drop_table("action")
    op.drop_index(
        "one_open_journey_per_lead",
        table_name="journey",
        postgresql_where=sa.text("status IN ('ready', 'held', 'owned')"),
    )
    op.drop_index(
        "journey_waiting", table_name="journey", postgresql_where=sa.text("status = 'ready' AND batch_id IS NULL")
    )
    op.drop_index("journey_held_by", table_name="journey", postgresql_where=sa.text("work_item_id IS NOT NULL"))
    op.drop_index("journey_batch", table_name="journey", postgresql_where=sa.text("batch_id IS NOT NULL"))
    op.drop_index(op.f("ix_journey_lead_id"), table_name="journey")
    op.drop_table("journey")
    op.drop_index(op.f("ix_identity_lead_id"), table_name="identity")
    op.drop_table("identity")
    op.drop_table("breaker")
    op.drop_index("batch_open", table_name="batch", postgresql_where=sa.text("closed_at IS NULL"))
    op.drop_table("batch")
    op.drop_index("activity_unmatched", table_name="activity", postgresql_where=sa.text("lead_id IS NULL"))
    op.drop_index("activity_lead", table_name="activity")
    op.drop_index("activity_key", table_name="activity")
    op.drop_table("activity")
    op.drop_index("work_item_open", table_name="work_item", postgresql_where=sa.text("closed_at IS NULL"))
    op.drop_index(
        "work_item_once",
        table_name="work_item",
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("closed_at IS NULL AND journey_id IS NOT NULL"),
    )
    op.drop_table("work_item")
    op.drop_index("warned_once", table_name="warned")
    op.drop_table("warned")
    op.drop_index("signal_key", table_name="signal")
    op.drop_table("signal")
    op.drop_index("qualification_once", table_name="qualification")
    op.drop_table("qualification")
    op.drop_table("pool_state")
    op.drop_table("playbook_version")
    op.drop_index("outbox_key", table_name="outbox")
    op.drop_index("outbox_journey", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("lead_rescore", table_name="lead", postgresql_where=sa.text("rescore_at IS NOT NULL"))
    op.drop_index("lead_phone", table_name="lead")
    op.drop_index("lead_email", table_name="lead")
    op.drop_table("lead")
    op.drop_index("handoff_once", table_name="handoff")
    op.drop_table("handoff")
    op.drop_index(op.f("ix_gate_result_batch_id"), table_name="gate_result")
    op.drop_table("gate_result")
