"""The table ``report_mail``: the steps of each e-mail of a saved view. Append-only.

Belongs here: every statement that writes the table, which e-mail is next, and how those before went. Does not belong
here: when a schedule is due (``leadgate.report_schedule``), or composing and sending (``tasks.report_mail``).

An e-mail is claimed, in a transaction of its own, before it is sent: one for a view and due moment. ``retry_at`` of the
claim is the end of its lease: a process that dies leaves the e-mail to the next. Of a view only the latest due moment
counts, so that after days without a consumer one e-mail is sent and not several.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from leadgate.actors import Actor, require
from leadgate.failpoints import failpoint
from leadgate.ledger.account_rows import COLUMNS as ACCOUNT_COLUMNS
from leadgate.ledger.account_rows import Account, read_accounts
from leadgate.ledger.database import Ledger
from leadgate.ledger.saved_views import COLUMNS, SavedView, find_view
from leadgate.ledger.typed_rows import read_row, read_rows
from leadgate.permissions import Permission
from leadgate.report_schedule import find_last_due
from leadgate.vocabulary import ReportMailStep

#: How the promise of a work item about an e-mail that was given up begins; its view and due moment follow.
PROMISE: Final = "report_mail:"
#: Asked for again within this time, an e-mail is not sent once more: somebody pressed the button twice.
_ASKED_ONCE: Final = timedelta(minutes=1)
_SETTLED: Final = frozenset({ReportMailStep.SENT, ReportMailStep.GIVEN_UP, ReportMailStep.REFUSED})


@dataclass(frozen=True, slots=True)
class MailStep:
    """A step of the e-mail of a view that is due at ``due_at``."""

    view_id: int
    due_at: datetime
    attempt: int
    tries: int
    step: ReportMailStep
    at: datetime
    retry_at: datetime | None
    failure: str | None


@dataclass(frozen=True)
class ClaimedMail:
    """An e-mail that this process sends. ``attempt`` fences its result; ``tries`` counts this one."""

    view: SavedView
    account: Account
    due_at: datetime
    attempt: int
    tries: int
    claimed_at: datetime

    @property
    def promise(self) -> str:
        return f"{PROMISE}{self.view.id}:{int(self.due_at.timestamp())}"


_STEP: Final = "m.view_id, m.due_at, m.attempt, m.tries, m.step, m.at, m.retry_at, m.failure"
#: How the latest e-mail of a view stands; one that was sent stays so.
_LAST: Final = f"""SELECT {_STEP} FROM report_mail m WHERE m.view_id = v.id
    ORDER BY m.due_at DESC, (m.step = 'sent') DESC, m.id DESC LIMIT 1"""
#: Views that can have an e-mail now: those with a schedule, and those of which a person has asked for one.
_LIVELY: Final = """v.deleted_at IS NULL AND (v.every IS NOT NULL OR EXISTS (
    SELECT FROM report_mail m WHERE m.view_id = v.id AND m.step = 'asked'))"""


def find_due(view: SavedView, last: MailStep | None, now: datetime) -> datetime | None:
    """The due moment whose e-mail can be claimed at ``now``; None: there is none, it is settled, or it waits."""
    due = None
    if view.schedule is not None and view.paused_at is None:
        latest = find_last_due(view.schedule, now)
        due = latest if latest >= view.due_from else None
    begins = view.due_from if view.paused_at is None else view.paused_at
    if last is None or last.due_at < begins or (due is not None and last.due_at < due):
        return due
    waits = last.retry_at is not None and last.retry_at > now
    return None if waits or last.step in _SETTLED else last.due_at


def list_due(ledger: Ledger, now: datetime) -> list[int]:
    """The views that have an e-mail to claim, those that wait longest first."""
    with ledger.transaction() as connection:
        views = read_rows(connection, SavedView, f"SELECT {COLUMNS} FROM saved_view v WHERE {_LIVELY} ORDER BY v.id")
        last = _read_last(connection, [view.id for view in views])
    due = [(found, view.id) for view in views if (found := find_due(view, last.get(view.id), now)) is not None]
    return [view_id for _, view_id in sorted(due)]


def list_last(ledger: Ledger, view_ids: Collection[int]) -> dict[int, MailStep]:
    """The last step of the latest e-mail of each of these views that has had one."""
    with ledger.transaction() as connection:
        return _read_last(connection, view_ids)


def claim(ledger: Ledger, view_id: int, lease: timedelta, now: datetime) -> ClaimedMail | None:
    """The e-mail of a view that is due, for the time of ``lease``; None where there is none, or another has it."""
    failpoint("report_mail.claim.before")
    with ledger.transaction() as connection:
        view = read_row(
            connection,
            SavedView,
            f"SELECT {COLUMNS} FROM saved_view v WHERE v.id = :id AND {_LIVELY} FOR NO KEY UPDATE SKIP LOCKED",
            id=view_id,
        )
        if view is None:
            return None
        last = _read_last(connection, [view.id]).get(view.id)  # a statement of its own: it sees what was committed
        due_at = find_due(view, last, now)
        if due_at is None:
            return None
        same = last if last is not None and last.due_at == due_at else None
        attempt, tries = (1, 1) if same is None else (same.attempt + 1, same.tries + 1)
        _insert(connection, view.id, due_at, attempt, tries, ReportMailStep.CLAIMED, now, retry_at=now + lease)
        (account,) = read_accounts(
            connection, f"SELECT {ACCOUNT_COLUMNS} FROM account a WHERE a.id = :id", id=view.account_id
        )
    failpoint("report_mail.claim.after")
    return ClaimedMail(view, account, due_at, attempt, tries, now)


def mark_sent(ledger: Ledger, mail: ClaimedMail, now: datetime) -> None:
    """The mail server took it: true even when another process has claimed it since, so nothing is compared."""
    failpoint("report_mail.mark.before")
    with ledger.transaction() as connection:
        _record(connection, mail, ReportMailStep.SENT, now)
    failpoint("report_mail.mark.after")


def mark_failed(ledger: Ledger, mail: ClaimedMail, failure: str, now: datetime, retry_at: datetime) -> None:
    """This attempt failed; another follows after ``retry_at``."""
    with ledger.transaction() as connection:
        _record(connection, mail, ReportMailStep.FAILED, now, failure, retry_at)


def mark_refused(ledger: Ledger, mail: ClaimedMail, why: str, now: datetime) -> None:
    """It is not sent, because its account may not have it, or there is nothing to send."""
    with ledger.transaction() as connection:
        _record(connection, mail, ReportMailStep.REFUSED, now, why)


def mark_given_up(connection: Connection, mail: ClaimedMail, failure: str, now: datetime) -> bool:
    """No further attempt. Whether that is so: another process may have claimed it since."""
    return _record(connection, mail, ReportMailStep.GIVEN_UP, now, failure)


def ask_now(ledger: Ledger, view_id: int, *, by: Actor, now: datetime) -> bool:
    """Have an e-mail of a view of the account of ``by`` sent, whatever its schedule. False: it was asked for just now.

    Raises ``NoViewError`` and ``ActorError``.
    """
    find_view(ledger, view_id, by)
    with ledger.transaction() as connection:
        return _ask(connection, view_id, now)


def ask_for(ledger: Ledger, view_id: int, *, by: Actor, now: datetime) -> bool:
    """The same for an operator, of a view of anybody; it goes to the address of the view's account. False also where
    there is no such view. Raises ``ActorError``."""
    require(by, Permission.OPERATE)
    with ledger.transaction() as connection:
        return _ask(connection, view_id, now)


def try_again(connection: Connection, promise: str) -> None:
    """The e-mail that a work item with this ``promise`` is about is due again, as if it had never been tried."""
    view_id, _, seconds = promise.removeprefix(PROMISE).partition(":")
    due_at = datetime.fromtimestamp(int(seconds), UTC)
    last = _read_last(connection, [int(view_id)]).get(int(view_id))
    if last is not None and last.due_at == due_at and last.step is ReportMailStep.GIVEN_UP:
        now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        _insert(connection, last.view_id, due_at, last.attempt, 0, ReportMailStep.ASKED, now)


def list_all(ledger: Ledger, by: Actor) -> list[tuple[SavedView, str]]:
    """Every view with the login of its account. Raises ``ActorError`` where ``by`` is no operator."""
    require(by, Permission.OPERATE)
    with ledger.transaction() as connection:
        views = read_rows(
            connection, SavedView, f"SELECT {COLUMNS} FROM saved_view v WHERE v.deleted_at IS NULL ORDER BY v.id"
        )
        logins = {
            row.id: row.login
            for row in connection.execute(
                text("SELECT id, login FROM account WHERE id = ANY(:ids)"), {"ids": [view.account_id for view in views]}
            )
        }
    return [(view, logins[view.account_id]) for view in views]


def _read_last(connection: Connection, view_ids: Collection[int]) -> dict[int, MailStep]:
    rows = read_rows(
        connection,
        MailStep,
        f"SELECT m.* FROM unnest(CAST(:ids AS bigint[])) v(id) CROSS JOIN LATERAL ({_LAST}) m",
        ids=list(view_ids),
    )
    return {row.view_id: row for row in rows}


def _ask(connection: Connection, view_id: int, now: datetime) -> bool:
    return bool(
        connection.execute(
            text(
                "INSERT INTO report_mail (view_id, due_at, attempt, tries, step, at) "
                "SELECT v.id, :now, 0, 0, 'asked', :now FROM saved_view v WHERE v.id = CAST(:id AS bigint) "
                "AND v.deleted_at IS NULL AND NOT EXISTS (SELECT FROM report_mail m WHERE m.view_id = v.id "
                "AND m.step = 'asked' AND m.at > :since) ON CONFLICT DO NOTHING"
            ),
            {"id": view_id, "now": now, "since": now - _ASKED_ONCE},
        ).rowcount
    )


def _record(
    connection: Connection,
    mail: ClaimedMail,
    step: ReportMailStep,
    now: datetime,
    failure: str | None = None,
    retry_at: datetime | None = None,
) -> bool:
    """Keep what became of the attempt; a failure only where nobody has claimed the e-mail since."""
    if step is not ReportMailStep.SENT:
        later = connection.execute(
            text("SELECT FROM report_mail WHERE view_id = :view AND due_at = :due AND attempt > :attempt"),
            {"view": mail.view.id, "due": mail.due_at, "attempt": mail.attempt},
        )
        if later.first() is not None:
            return False
    return _insert(
        connection, mail.view.id, mail.due_at, mail.attempt, mail.tries, step, now, failure=failure, retry_at=retry_at
    )


def _insert(
    connection: Connection,
    view_id: int,
    due_at: datetime,
    attempt: int,
    tries: int,
    step: ReportMailStep,
    now: datetime,
    *,
    failure: str | None = None,
    retry_at: datetime | None = None,
) -> bool:
    return bool(
        connection.execute(
            text(
                "INSERT INTO report_mail (view_id, due_at, attempt, tries, step, at, retry_at, failure) "
                "VALUES (:view, :due, :attempt, :tries, :step, :now, :retry_at, :failure) ON CONFLICT DO NOTHING"
            ),
            {
                "view": view_id, "due": due_at, "attempt": attempt, "tries": tries, "step": step, "now": now,
                "retry_at": retry_at, "failure": failure,
            },
        ).rowcount
    )  # fmt: skip
