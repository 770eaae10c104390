"""The installation's key for hashes: finding it, making it at the first use, and agreeing on it with the ledger.

Belongs here: the file and the variable that hold the key, its fingerprint in the ledger, and recomputing what was
hashed with no key or another one. Does not belong here: the hash (``leadgate.hashing``).

The key is never stored in the database, so that a copy of the database alone is of no use to search for values. The
ledger keeps a fingerprint of the key: a process with another key would find nobody, and is refused.
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, text

from leadgate import hashing
from leadgate.ledger.errors import LedgerError
from leadgate.ledger.typed_rows import read_row
from leadgate.settings import Settings

#: The file in the data folder, readable by its owner alone.
FILE: Final = "key"
#: The way in which ``matching.persons`` makes keys: another number has those of all leads made again. A ledger of a
#: later way is opened by no earlier version, which does not know its migration.
WAY: Final = 2
#: An advisory lock: of processes that open a new ledger at once, one decides which key it has.
_KEY_LOCK: Final = 7_283_004


def agree(engine: Engine, settings: Settings) -> bytes:
    """The key that this process and the ledger share. The first process to open a ledger decides which one.

    A ledger that has no fingerprint yet, because it is new or from an earlier version, gets that of this process,
    and all match keys are computed again with it, in one transaction; so they are when they were made in an earlier
    way. Raises ``LedgerError`` when this process has another key, or none although the ledger has one.
    """
    with engine.begin() as connection:
        known = _read_fingerprint(connection)
        if known is None or known.match_keys != WAY:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _KEY_LOCK})
            known = _read_fingerprint(connection)  # another process may have been first
        if known is not None and known.match_keys == WAY:
            return _require_same(find(settings), known.fingerprint, settings)
        from leadgate.ledger import match_keys  # slow to import, and needed once in a ledger's life

        if known is None:
            key = find(settings) or _make(settings.home)
        else:
            key = _require_same(find(settings), known.fingerprint, settings)
        match_keys.compute_again(connection, key)
        connection.execute(
            text(
                "INSERT INTO hash_key (fingerprint, since, match_keys) VALUES (:fingerprint, clock_timestamp(), :way) "
                "ON CONFLICT (fingerprint) DO UPDATE SET match_keys = excluded.match_keys"
            ),
            {"fingerprint": hashing.compute_fingerprint(key), "way": WAY},
        )
        return key


def find_agreed(engine: Engine, settings: Settings) -> bytes | None:
    """The key that this process and the ledger share already; None for a ledger that has no fingerprint yet, or
    match keys that are to be computed again.

    Raises ``LedgerError`` as ``agree`` does.
    """
    with engine.begin() as connection:
        known = _read_fingerprint(connection)
    if known is None or known.match_keys != WAY:
        return None
    return _require_same(find(settings), known.fingerprint, settings)


def find(settings: Settings) -> bytes | None:
    """The key of ``LEADGATE_KEY``, else of the file in the data folder; None without either.

    Raises ``LedgerError`` for a file that cannot be used.
    """
    if settings.key is not None:
        return settings.key.encode()
    path = settings.home / FILE
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise LedgerError(f"{path} holds the key and can be read by others; `chmod 600 {path}`")
        key = path.read_bytes().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"the key in {path} cannot be read: {error.strerror}") from error
    if len(key) < hashing.LEAST_KEY_BYTES:
        raise LedgerError(
            f"the key in {path} has {len(key)} bytes, and needs {hashing.LEAST_KEY_BYTES}; put back the file "
            "that was there"
        )
    return key


def _make(home: Path) -> bytes:
    """A new key in the data folder. Of two processes that make one at once, both have the one that is kept."""
    path = home / FILE
    draft = home / f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{secrets.token_hex(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # complete or not there: a reader never sees half a key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        raise LedgerError(
            f"cannot keep a key in {path}: {error.strerror}; set LEADGATE_KEY to a text of at least "
            f"{hashing.LEAST_KEY_BYTES} bytes instead"
        ) from error
    return path.read_bytes().strip()


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger keeps of the key, and the way in which its match keys were made."""

    fingerprint: str
    match_keys: int


def _read_fingerprint(connection: Connection) -> _Known | None:
    return read_row(connection, _Known, "SELECT fingerprint, match_keys FROM hash_key")


def _require_same(key: bytes | None, known: str, settings: Settings) -> bytes:
    where = "LEADGATE_KEY" if settings.key is not None else str(settings.home / FILE)
    remedy = (
        f"copy the file `{FILE}` from the data folder of the machine that used this ledger first, or set LEADGATE_KEY "
        "to what is in it"
    )
    if key is None:
        raise LedgerError(f"this ledger has a key, and there is none here ({where}): {remedy}")
    if hashing.compute_fingerprint(key) != known:
        raise LedgerError(f"the key in {where} is not the one that this ledger is used with: {remedy}")
    return key
