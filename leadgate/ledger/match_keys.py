"""The table ``match_key``: keyed hashes by which leads are found that may be the same person.

Belongs here: every statement about the table: the keys of arriving leads, those of all leads again when the
installation's key is new or another one, and finding leads. Does not belong here: what is hashed
(``matching.persons``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from leadgate.ledger import bulk
from leadgate.matching.match_keys import LOWER, MOST_BITS, SURNAME
from leadgate.matching.persons import READ, Person

#: Leads found by one key: of those that have the same, the latest. A key that more of them share tells little about
#: anybody.
_MOST_PER_KEY: Final = 50
#: Keys of one block that are looked at for one key: a bound for the work, if a company has thousands of colleagues of
#: the same initials.
_MOST_PER_BLOCK: Final = 1_000
#: Leads whose keys are computed at once: a few megabytes.
_AT_ONCE: Final = 20_000


def compute_again(connection: Connection, key: bytes) -> int:
    """Replace all match keys by those that the leads' values have with ``key``. Returns how many there are.

    Leads that had neither a match key nor an identity, because nobody has said yet who they are, have none afterwards.
    A number or company that only a joined signal named, and not the lead, is no key any more.
    """
    connection.execute(text("LOCK TABLE match_key IN ACCESS EXCLUSIVE MODE"))
    connection.execute(
        text(
            "CREATE TEMP TABLE keyed ON COMMIT DROP AS "
            "SELECT lead_id AS id FROM match_key UNION SELECT lead_id FROM identity"
        )
    )
    connection.execute(text("ALTER TABLE keyed ADD PRIMARY KEY (id)"))
    connection.execute(text("TRUNCATE match_key"))
    columns = ", ".join(f"l.{name}" for name in READ)
    query = text(
        f"SELECT l.id, {columns}, i.lead_id AS address_of FROM keyed k JOIN lead l ON l.id = k.id "
        "LEFT JOIN identity i ON i.kind = 'email' AND i.value = l.email_canonical "
        "WHERE k.id > :after ORDER BY k.id LIMIT :most"
    )
    written, after = 0, -1
    while rows := [dict(row) for row in connection.execute(query, {"after": after, "most": _AT_ONCE}).mappings()]:
        pairs = {(each, row["id"]) for row in rows for each in _list_keys(row, key)}
        bulk.copy_rows(connection, "match_key", ["key", "lead_id"], sorted(pairs))
        written += len(pairs)
        after = rows[-1]["id"]
    return written


def _list_keys(row: Mapping[str, Any], key: bytes) -> list[int]:
    """The keys of a lead; ``address_of`` is the lead to which its e-mail address belongs."""
    person = Person.of(row["id"], row)
    keys = person.keys(key).list_kept()
    if row["address_of"] not in (None, row["id"]) and (shared := person.build_address_key(key)) is not None:
        keys.append(shared)
    return keys


def insert(connection: Connection, new: Sequence[tuple[int, int]], others: Collection[tuple[int, int]]) -> None:
    """Keep each key with its lead: ``new`` are of leads that have none yet, ``others`` may be known."""
    bulk.copy_rows(connection, "match_key", ["key", "lead_id"], new)
    if others:
        import pandas as pd

        frame = pd.DataFrame(sorted(others), columns=["key", "lead_id"], dtype=object)
        bulk.fill_temporary(connection, "keys_again", {"key": "bigint", "lead_id": "bigint"}, frame)
        connection.execute(
            text(
                "INSERT INTO match_key SELECT key, lead_id FROM keys_again ORDER BY key, lead_id ON CONFLICT DO NOTHING"
            )
        )


def find_sharing(connection: Connection, keys: Collection[int]) -> list[tuple[int, int]]:
    """The leads that have one of these exact keys, each with the key."""
    if not keys:
        return []
    rows = connection.execute(
        text(
            "SELECT k.key, m.lead_id FROM unnest(CAST(:keys AS bigint[])) k(key) CROSS JOIN LATERAL (SELECT lead_id "
            f"FROM match_key WHERE key = k.key ORDER BY lead_id DESC LIMIT {_MOST_PER_KEY}) m"
        ),
        {"keys": sorted(keys)},
    )
    return [(row[0], row[1]) for row in rows]


def find_near(connection: Connection, keys: Mapping[int, int]) -> set[tuple[int, int]]:
    """The kept keys of names that are near one of these (``matching.match_keys.is_near``), each with its lead.

    ``keys`` maps each key to what it differs by from the one of the swapped name.
    """
    if not keys:
        return set()
    ordered = sorted(keys)
    rows = connection.execute(
        text(
            f"""
            SELECT m.key, m.lead_id FROM unnest(CAST(:keys AS bigint[]), CAST(:swaps AS bigint[])) k(key, swap)
            CROSS JOIN LATERAL (
                SELECT b.key, b.lead_id FROM (
                    SELECT key, lead_id FROM match_key WHERE key BETWEEN k.key & ~{LOWER} AND k.key | {LOWER}
                    ORDER BY key DESC, lead_id DESC LIMIT {_MOST_PER_BLOCK}) b
                WHERE bit_count(CAST(b.key # k.key AS bit(32))) <= {MOST_BITS} OR (b.key # k.key) & {SURNAME} = 0
                OR bit_count(CAST(b.key # k.key # k.swap AS bit(32))) <= {MOST_BITS} LIMIT {_MOST_PER_KEY}) m"""
        ),
        {"keys": ordered, "swaps": [keys[key] for key in ordered]},
    )
    return {(row[0], row[1]) for row in rows}
