"""The table ``account``: who may sign in to the console, with which roles.

Belongs here: every statement that writes the table. Does not belong here: being signed in (``web_sessions``), links
(``invitations``), what a role may do (``leadgate.permissions``), or the hash of a password (``leadgate.passwords``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from datetime import datetime
from typing import Final
from zoneinfo import available_timezones

from sqlalchemy import Connection, text

from leadgate import passwords
from leadgate.actors import Actor, require
from leadgate.errors import LeadgateError
from leadgate.ledger import sign_in_links, web_sessions
from leadgate.ledger.account_rows import COLUMNS, Account, read_accounts
from leadgate.ledger.database import Ledger
from leadgate.nearest import propose
from leadgate.permissions import Permission
from leadgate.plain_text import make_storable
from leadgate.vocabulary import Role

__all__ = [
    "Account",
    "AccountError",
    "add_account",
    "admit",
    "disable_account",
    "enable_account",
    "find_account",
    "list_accounts",
    "set_email",
    "set_password",
    "set_roles",
    "set_time_zone",
    "verify_password",
]

#: Characters of a login, a name or an address.
LONGEST: Final = 200
#: Who makes accounts of people whom another server vouches for, on record.
BY_SERVER: Final = "OpenID Connect"
#: Records have these words where no person did something.
RESERVED: Final = frozenset({"lead", "leadgate"})


class AccountError(LeadgateError):
    """An account cannot be made or changed so; the message says why."""


def add_account(
    ledger: Ledger,
    *,
    login: str,
    name: str,
    roles: Collection[Role],
    password: str | None = None,
    email: str | None = None,
    rep: str | None = None,
    by: Actor,
    now: datetime,
) -> Account:
    """Make an account. Without a password nobody can sign in with one; a link or another server lets them in.

    Raises ``AccountError`` for a login that is taken or unfit, ``PasswordError`` for an unfit password, ``ActorError``
    where ``by`` is no admin.
    """
    require(by, Permission.MANAGE_ACCOUNTS)
    kept = None if password is None else passwords.hash_password(password)
    with ledger.transaction() as connection:
        return insert_account(
            connection, login=login, name=name, roles=roles, kept=kept, email=email, rep=rep, by=by.name, now=now
        )


def insert_account(
    connection: Connection,
    *,
    login: str,
    name: str,
    roles: Collection[Role],
    kept: str | None,
    email: str | None = None,
    rep: str | None = None,
    by: str,
    now: datetime,
) -> Account:
    """The same in the caller's transaction, who has looked whether ``by`` may. ``kept``: the hash of the password."""
    login = _clean(login, "login")
    if any(character.isspace() for character in login):
        raise AccountError("a login has no spaces; give another")
    if login.casefold() in RESERVED:
        raise AccountError(f"the login {login!r} is kept for Leadgate's own records; give another")
    rep = None if rep is None else _clean(rep, "rep")
    _lock_accounts(connection)
    _require_own_rep(connection, rep)
    made = read_accounts(
        connection,
        "INSERT INTO account AS a (login, name, email, roles, password_hash, rep, created_at, created_by) "
        "VALUES (:login, :name, :email, CAST(:roles AS varchar[]), :kept, :rep, :now, :by) "
        f"ON CONFLICT DO NOTHING RETURNING {COLUMNS}",
        login=login,
        name=_clean(name, "name"),
        email=None if email is None else _clean(email, "e-mail address"),
        roles=_list_roles(roles),
        kept=kept,
        rep=rep,
        now=now,
        by=by,
    )
    if not made:
        raise AccountError(f"there is an account {login!r} already; give another login")
    return made[0]


def set_password(ledger: Ledger, login: str, password: str, *, by: Actor, now: datetime) -> Account:
    """Give an account another password, and end its sessions. An admin may, and whoever has the account.

    Raises ``AccountError``, ``PasswordError`` and ``ActorError``.
    """
    _require_own_or_admin(by, login)
    kept = passwords.hash_password(password)
    with ledger.transaction() as connection:
        account = _lock(connection, login)
        store_password(connection, account.id, kept, by=by.name, now=now)
    return account


def store_password(connection: Connection, account_id: int, kept: str, *, by: str, now: datetime) -> None:
    """Keep the hash of another password, and end the account's sessions and links: somebody else may have had them."""
    connection.execute(
        text("UPDATE account SET password_hash = :kept, changed_at = :now, changed_by = :by WHERE id = :id"),
        {"id": account_id, "kept": kept, "now": now, "by": by},
    )
    web_sessions.end_sessions_of(connection, account_id, now)
    sign_in_links.end_links_of(connection, account_id, now)


def set_roles(
    ledger: Ledger, login: str, roles: Collection[Role], *, by: Actor, now: datetime, rep: str | None = None
) -> Account:
    """Give an account these roles and this ``rep``, and no others, at once also where it is signed in.

    Raises ``AccountError``, also where nobody would be left who manages accounts, and ``ActorError``.
    """
    require(by, Permission.MANAGE_ACCOUNTS)
    with ledger.transaction() as connection:
        account = _lock(connection, login)
        rep = None if rep is None else _clean(rep, "rep")
        _require_own_rep(connection, rep, account)
        changed = read_accounts(
            connection,
            "UPDATE account AS a SET roles = CAST(:roles AS varchar[]), rep = :rep, "
            f"changed_at = :now, changed_by = :by WHERE id = :id RETURNING {COLUMNS}",
            id=account.id, roles=_list_roles(roles), rep=rep, now=now, by=by.name,
        )  # fmt: skip
        _require_admin(connection, account)
    return changed[0]


def set_time_zone(ledger: Ledger, login: str, time_zone: str | None, *, by: Actor, now: datetime) -> Account:
    """The time zone in which somebody reads times (None: the console's). Raises as ``set_password``."""
    _require_own_or_admin(by, login)
    if time_zone is not None and time_zone not in (known := available_timezones()):
        raise AccountError(f"there is no time zone {time_zone[:80]!r}; {propose(time_zone[:80], known)}")
    return _set_column(ledger, login, "time_zone", time_zone, by=by, now=now)


def set_email(ledger: Ledger, login: str, email: str | None, *, by: Actor, now: datetime) -> Account:
    """The address of an account, to which its reports go. An admin sets it. Raises as ``set_roles`` does."""
    require(by, Permission.MANAGE_ACCOUNTS)
    cleaned = None if email is None else _clean(email, "e-mail address")
    return _set_column(ledger, login, "email", cleaned, by=by, now=now)


def _set_column(ledger: Ledger, login: str, name: str, value: str | None, *, by: Actor, now: datetime) -> Account:
    with ledger.transaction() as connection:
        return read_accounts(
            connection,
            f"UPDATE account AS a SET {name} = :value, changed_at = :now, changed_by = :by WHERE id = :id "
            f"RETURNING {COLUMNS}",
            id=_lock(connection, login).id, value=value, now=now, by=by.name,
        )[0]  # fmt: skip


def disable_account(ledger: Ledger, login: str, *, by: Actor, now: datetime) -> Account:
    """From now on nobody signs in with this account, and its sessions are over. What was done with it stays on record.

    Raises as ``set_roles`` does.
    """
    return _set_disabled(ledger, login, now, by=by, now=now)


def enable_account(ledger: Ledger, login: str, *, by: Actor, now: datetime) -> Account:
    """Take back ``disable_account``; the sessions of before stay over. Raises as ``set_roles`` does."""
    return _set_disabled(ledger, login, None, by=by, now=now)


def _set_disabled(ledger: Ledger, login: str, at: datetime | None, *, by: Actor, now: datetime) -> Account:
    require(by, Permission.MANAGE_ACCOUNTS)
    with ledger.transaction() as connection:
        account = _lock(connection, login)
        if at is None:
            _require_own_rep(connection, account.rep, account)
        changed = read_accounts(
            connection,
            "UPDATE account AS a SET disabled_at = CAST(:at AS timestamptz), changed_at = :now, changed_by = :by "
            f"WHERE id = :id RETURNING {COLUMNS}",
            id=account.id, at=at, now=now, by=by.name,
        )  # fmt: skip
        web_sessions.end_sessions_of(connection, account.id, now)
        _require_admin(connection, account)
    return changed[0]


def list_accounts(ledger: Ledger) -> list[Account]:
    """Every account, also disabled ones, by login."""
    with ledger.transaction() as connection:
        return read_accounts(connection, f"SELECT {COLUMNS} FROM account a ORDER BY lower(a.login)")


def find_account(ledger: Ledger, login: str) -> Account | None:
    """The account of a login, in whatever case it is written."""
    with ledger.transaction() as connection:
        return _find(connection, login)


def verify_password(ledger: Ledger, login: str, password: str) -> Account | None:
    """The account, if the password is its own and it is not disabled.

    The work is the same for a login that does not exist, so that nobody learns from the time which do. A hash that was
    made with other parameters is made again.
    """
    with ledger.transaction() as connection:
        account = _find(connection, login)
        kept = None if account is None else _read_hash(connection, account.id)
    if not passwords.is_right(kept, password) or account is None or account.disabled_at is not None:
        return None
    if kept is not None and passwords.is_outdated(kept):
        with ledger.transaction() as connection:
            connection.execute(
                text("UPDATE account SET password_hash = :new WHERE id = :id AND password_hash = :kept"),
                {"id": account.id, "kept": kept, "new": passwords.hash_password(password)},
            )
    return account


def admit(
    ledger: Ledger,
    *,
    subject: str,
    login: str,
    name: str,
    email: str | None,
    roles: Collection[Role] | None,
    rep: str | None,
    now: datetime,
) -> Account:
    """The account of a person whom another server vouches for, by ``subject``: that server, and their id there.

    The first time that is the account of this login that has neither a password nor a subject: an admin has made it for
    them. Without one, an account is made, if the server gives ``roles``; from then on they are those of the account.
    None: an admin gives roles. A login alone makes nobody the owner of an account that somebody has.

    Raises ``AccountError`` where there is no account for them, or it is disabled.
    """
    with ledger.transaction() as connection:
        _lock_accounts(connection)
        if _find_account_of(connection, rep) is not None:
            rep = None  # somebody is that rep already; an admin says who
        account = _find_subject(connection, subject, _clean(login, "login"))
        if account is None:
            if roles is None or _find(connection, login) is not None:
                raise AccountError(f"there is no account {login[:80]!r} for you; ask an admin to add one")
            account = insert_account(
                connection, login=login, name=name, roles=roles, kept=None, email=email, rep=rep, by=BY_SERVER, now=now
            )
        if account.disabled_at is not None:
            raise AccountError("your account is disabled; ask an admin")
        return read_accounts(
            connection,
            "UPDATE account AS a SET subject = :subject, roles = coalesce(CAST(:roles AS varchar[]), roles), "
            "rep = coalesce(rep, CAST(:rep AS text)) "
            f"WHERE id = :id RETURNING {COLUMNS}",
            id=account.id,
            subject=subject,
            roles=None if roles is None else _list_roles(roles),
            rep=rep,
        )[0]


def _find_subject(connection: Connection, subject: str, login: str) -> Account | None:
    found = read_accounts(
        connection,
        f"SELECT {COLUMNS} FROM account a WHERE a.subject = CAST(:subject AS text) OR (a.subject IS NULL "
        "AND a.password_hash IS NULL AND lower(a.login) = lower(CAST(:login AS text))) "
        "ORDER BY a.subject NULLS LAST LIMIT 1",
        subject=subject,
        login=login,
    )
    return found[0] if found else None


def is_anybody(connection: Connection) -> bool:
    """Whether there is an account, which does not change until the transaction ends."""
    _lock_accounts(connection)
    return bool(connection.execute(text("SELECT EXISTS (SELECT 1 FROM account)")).scalar_one())


def _require_own_or_admin(by: Actor, login: str) -> None:
    """Raises ``ActorError`` for who neither has the account nor manages accounts."""
    if by.login is None or by.login.lower() != login.strip().lower():
        require(by, Permission.MANAGE_ACCOUNTS)


def _find(connection: Connection, login: str) -> Account | None:
    found = read_accounts(
        connection,
        f"SELECT {COLUMNS} FROM account a WHERE lower(a.login) = lower(CAST(:login AS text))",
        login=_normalise(login),
    )
    return found[0] if found else None


def _read_hash(connection: Connection, account_id: int) -> str | None:
    kept: str | None = connection.execute(
        text("SELECT password_hash FROM account WHERE id = :id"), {"id": account_id}
    ).scalar_one()
    return kept


def _lock(connection: Connection, login: str) -> Account:
    """The account, before it changes."""
    _lock_accounts(connection)
    if (account := _find(connection, login)) is None:
        known = [row.login for row in connection.execute(text("SELECT login FROM account ORDER BY login LIMIT 1000"))]
        raise AccountError(
            f"there is no account {login[:80]!r}; " + (propose(login[:80], known) if known else "nobody has one yet")
        )
    return account


def _lock_accounts(connection: Connection) -> None:
    """One change of accounts comes after the other, so that after both an admin is left, and a rep is one account."""
    connection.execute(text("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE"))


def _find_account_of(connection: Connection, rep: str | None, other_than: int | None = None) -> str | None:
    """The login of the account that is ``rep``, if one is that can be used."""
    found: str | None = connection.execute(
        text(
            "SELECT login FROM account WHERE rep = CAST(:rep AS text) AND disabled_at IS NULL "
            "AND id IS DISTINCT FROM CAST(:id AS bigint) LIMIT 1"
        ),
        {"rep": rep, "id": other_than},
    ).scalar()
    return found


def _require_own_rep(connection: Connection, rep: str | None, account: Account | None = None) -> None:
    """Raises ``AccountError`` where another account is ``rep``: what both do would stand under one name."""
    other = _find_account_of(connection, rep, None if account is None else account.id)
    if other is not None:
        raise AccountError(f"{other!r} is {rep} already; a rep is one account, so that one person stands behind a name")


def _require_admin(connection: Connection, before: Account) -> None:
    """Raises ``AccountError`` where the change of an account, done already, has left no admin."""
    if Role.ADMIN not in before.roles or before.disabled_at is not None:
        return
    left = text("SELECT EXISTS (SELECT 1 FROM account WHERE 'admin' = ANY(roles) AND disabled_at IS NULL)")
    if not connection.execute(left).scalar_one():
        raise AccountError(f"{before.login!r} is the only admin; make somebody else an admin first")


def _list_roles(roles: Collection[Role]) -> list[str]:
    return [role.value for role in Role if role in roles]


def _normalise(given: str) -> str:
    return unicodedata.normalize("NFC", make_storable(given).strip())


def _clean(given: str, what: str) -> str:
    """What was given for ``what``, in one form. Raises ``AccountError`` for none, too much, and invisible signs."""
    cleaned = _normalise(given)
    if not cleaned or len(cleaned) > LONGEST or not cleaned.isprintable():
        raise AccountError(f"a {what} has 1 to {LONGEST} characters that can be printed; give another")
    return cleaned
