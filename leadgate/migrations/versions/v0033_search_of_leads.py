"""Leads are found by the words of their names, company and address, and by the end of their phone number"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_BETWEEN = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\t\n\r\x0b\x0c"
_SEARCHED = ("first_name", "last_name", "full_name", "company", "email")


def upgrade() -> None:
    parts = " || ' ' || ".join(f"left(coalesce({column}, ''), 200)" for column in _SEARCHED)
    signs = "".join(f"\\x{ord(sign):02x}" for sign in _BETWEEN)
    op.execute(
        f"CREATE FUNCTION lead_words({', '.join(f'{column} text' for column in _SEARCHED)}) RETURNS tsvector "
        f"LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN array_to_tsvector(array_remove(string_to_array(translate(lower("
        f"{parts}), E'{signs}', repeat(' ', {len(_BETWEEN)})), ' '), ''))"
    )
    op.execute(
        "CREATE FUNCTION lead_phone_end(phone text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE "
        "RETURN reverse(translate(phone, '+ ()./-', ''))"
    )
    words = f"lead_words({', '.join(_SEARCHED)})"
    op.create_index("lead_words", "lead", [sa.text(words)], postgresql_using="gin")
    op.create_index("lead_phone_end", "lead", [sa.text("lead_phone_end(phone)")])


def downgrade() -> None:
    op.drop_index("lead_phone_end", table_name="lead")
    op.drop_index("lead_words", table_name="lead")
    op.execute("DROP FUNCTION lead_phone_end")
    op.execute("DROP FUNCTION lead_words")
