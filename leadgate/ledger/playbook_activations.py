"""The tables ``playbook_activation``, ``playbook_reason`` and ``playbook_file``: which playbook is in use since when,
who made it so, how and why.

Belongs here: every statement that writes these tables, reading them, and who may say why. Does not belong here: the
content of a playbook (``playbook_versions``), or whether a changed file becomes the one in use
(``tasks.playbook_in_use``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leadgate.actors import Actor, require
from leadgate.ledger.actions import ActionError
from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_row, read_rows
from leadgate.permissions import Permission
from leadgate.plain_text import format_line
from leadgate.vocabulary import ActivationMethod

LONGEST_REASON: Final = 500  # characters
LONGEST_FILE: Final = 300


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a playbook was activated, who said it and when."""

    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Activation:
    """A playbook became the one in use. ``by`` is None for one before activations were recorded; ``file`` is the file
    that it was read from, if any."""

    id: int
    hash: str
    at: datetime
    by: str | None
    method: str
    file: str | None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class ActivePlaybook:
    """The playbook in use, and the activation that made it so."""

    activation: int
    hash: str
    content: str
    file: str | None


@dataclass(frozen=True, slots=True)
class _ActivationRow:
    id: int
    hash: str
    at: datetime
    by: str | None
    reason: str | None
    method: str
    file: str | None


@dataclass(frozen=True, slots=True)
class _ReasonRow:
    activation_id: int
    reason: str
    by: str
    at: datetime


def lock(connection: Connection) -> None:
    """Playbooks are activated one after the other."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('activation of a playbook', 0))"))


def find_active(connection: Connection) -> int | None:
    """The activation of the playbook in use; None while nothing has worked by any."""
    found: int | None = connection.execute(text("SELECT max(id) FROM playbook_activation")).scalar()
    return found


def read_active(connection: Connection) -> ActivePlaybook | None:
    """The playbook in use; None while nothing has worked by any."""
    statement = """
        SELECT a.id AS activation, a.hash, v.content, a.file
        FROM playbook_activation a JOIN playbook_version v ON v.hash = a.hash ORDER BY a.id DESC LIMIT 1"""
    return read_row(connection, ActivePlaybook, statement)


def find_hash(connection: Connection) -> str:
    """The hash of the playbook in use. Raises ``LookupError`` while nothing has worked by any."""
    found: str | None = connection.execute(
        text("SELECT hash FROM playbook_activation ORDER BY id DESC LIMIT 1")
    ).scalar()
    if found is None:
        raise LookupError("no playbook was used yet")
    return found


def is_active(connection: Connection, hash_: str) -> bool:
    """Whether the playbook ``hash_`` is the one in use."""
    return bool(
        connection.execute(
            text("SELECT :hash = (SELECT hash FROM playbook_activation ORDER BY id DESC LIMIT 1)"), {"hash": hash_}
        ).scalar()
    )


def is_known(connection: Connection, hash_: str, content: str) -> bool:
    """Whether a playbook was in use before, by its hash, or by its text: an upgrade of Leadgate changes hashes."""
    return bool(
        connection.execute(
            text("SELECT EXISTS (SELECT 1 FROM playbook_version WHERE hash = :hash OR content = :content)"),
            {"hash": hash_, "content": content},
        ).scalar()
    )


def add_activation(
    connection: Connection,
    hash_: str,
    at: datetime,
    *,
    by: str | None,
    method: ActivationMethod,
    reason: str | None = None,
    file: str | None = None,
) -> int:
    """A playbook of ``playbook_version`` is the one in use from now on. ``reason``: cleaned by ``clean_reason``."""
    number: int = connection.execute(
        text(
            "INSERT INTO playbook_activation (hash, at, by, reason, method, file) "
            "VALUES (:hash, :at, :by, :reason, :method, :file) RETURNING id"
        ),
        {
            "hash": hash_,
            "at": at,
            "by": by,
            "reason": reason,
            "method": method.value,
            "file": None if file is None else format_line(file, LONGEST_FILE),
        },
    ).scalar_one()
    return number


def add_reason(ledger: Ledger, number: int, words: str, *, by: Actor, now: datetime) -> bool:
    """Say why the activation ``number`` was. The same words of the same person are said once: False then.

    Raises ``ActionError`` for no such activation and for words that are no reason, ``ActorError`` when ``by`` may not.
    """
    require(by, Permission.OPERATE)
    reason = clean_reason(words)
    with ledger.transaction() as connection:
        found = _read(connection, "WHERE id = :number", number=number)
        if not found:
            raise ActionError(f"there is no activation {number} of a playbook; `leadgate playbook history` lists them")
        lock(connection)
        (known,) = _add_reasons(connection, found)
        if (reason, by.name) in {(each.reason, each.by) for each in known.reasons}:
            return False
        connection.execute(
            text("INSERT INTO playbook_reason (activation_id, reason, by, at) VALUES (:number, :reason, :by, :at)"),
            {"number": number, "reason": reason, "by": by.name, "at": now},
        )
    return True


def clean_reason(words: str) -> str:
    """``words`` on a line, without characters that nobody sees. Raises ``ActionError`` for none, and for too many."""
    if len(words) > LONGEST_REASON:
        raise ActionError(f"a reason has at most {LONGEST_REASON} characters, and this one has {len(words):,}")
    reason = format_line(words, LONGEST_REASON)
    if not reason:
        raise ActionError("say why, in words: the reason is empty")
    return reason


def list_activations(connection: Connection, most: int) -> list[Activation]:
    """The last activations with their reasons, the newest first."""
    return _add_reasons(connection, _read(connection, "ORDER BY id DESC LIMIT :most", most=most))


def list_contents(connection: Connection) -> list[tuple[str, str, ActivationMethod]]:
    """Every activation, the oldest first: the playbook's hash, that of its text, and how it came about."""
    rows = connection.execute(
        text(
            "SELECT a.hash, md5(v.content), a.method FROM playbook_activation a "
            "JOIN playbook_version v ON v.hash = a.hash ORDER BY a.id"
        )
    )
    return [(hash_, content, ActivationMethod(method)) for hash_, content, method in rows]


def read_seen_content(connection: Connection, file_hash: str) -> str | None:
    """The hash of what a playbook's file held when it was last read; None for one that never was."""
    found: str | None = connection.execute(
        text("SELECT content_hash FROM playbook_file WHERE file_hash = :file"), {"file": file_hash}
    ).scalar()
    return found


def note_content(connection: Connection, file_hash: str, content_hash: str, now: datetime) -> None:
    """Keep what a playbook's file holds now."""
    connection.execute(
        text(
            "INSERT INTO playbook_file (file_hash, content_hash, seen_at) VALUES (:file, :content, :now) "
            "ON CONFLICT (file_hash) DO UPDATE SET content_hash = excluded.content_hash, seen_at = excluded.seen_at"
        ),
        {"file": file_hash, "content": content_hash, "now": now},
    )


def _read(connection: Connection, which: str, **values: object) -> list[_ActivationRow]:
    statement = f"SELECT id, hash, at, by, reason, method, file FROM playbook_activation {which}"
    return read_rows(connection, _ActivationRow, statement, **values)


def _add_reasons(connection: Connection, rows: Sequence[_ActivationRow]) -> list[Activation]:
    said: dict[int, list[Reason]] = {}
    for each in read_rows(
        connection,
        _ReasonRow,
        "SELECT activation_id, reason, by, at FROM playbook_reason WHERE activation_id = ANY(:ids) ORDER BY id",
        ids=[row.id for row in rows],
    ):
        said.setdefault(each.activation_id, []).append(Reason(each.reason, each.by, each.at))
    return [
        Activation(
            row.id, row.hash, row.at, row.by, row.method, row.file,
            (*([] if row.reason is None else [Reason(row.reason, row.by or "", row.at)]), *said.get(row.id, [])),
        )
        for row in rows
    ]  # fmt: skip
