"""The table ``saved_view``: views of the report that people have saved, each its account's own.

Belongs here: every statement that writes the table, and who may do so. Does not belong here: the e-mails of a view
(``report_mails``), when they are due (``leadgate.report_schedule``), or what a view shows (``console.report``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from http import HTTPStatus
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from leadgate.actors import Actor, require
from leadgate.errors import LeadgateError
from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import list_columns, read_row, read_rows
from leadgate.limits import LONGEST_VIEW_NAME
from leadgate.nearest import propose
from leadgate.permissions import Permission
from leadgate.plain_text import make_storable
from leadgate.report_periods import PERIODS, compute_days
from leadgate.report_schedule import WEEKDAYS, MailSchedule
from leadgate.sla.zones import list_time_zones
from leadgate.vocabulary import ViewSchedule

#: Views of an account: each may be computed and sent every day.
MOST_VIEWS: Final = 50
_LONGEST_FILTER: Final = 200


class ViewError(LeadgateError):
    """A view cannot be saved or changed so; the message says why."""


class NoViewError(ViewError):
    """The account has no such view."""

    http_status = HTTPStatus.NOT_FOUND


@dataclass(frozen=True)
class ViewSettings:
    """What somebody saves: the filters of the report, a name, and when it is sent, if it is."""

    name: str
    section: str = ""
    period: str = "30_days"
    source: str = ""
    rep: str = ""
    zone: str = ""
    schedule: MailSchedule | None = None


@dataclass(frozen=True, slots=True)
class SavedView:
    """A row of the table that is not deleted."""

    id: int
    account_id: int
    name: str
    section: str
    period: str
    source: str
    rep: str
    zone: str
    every: ViewSchedule | None
    weekday: int | None
    day: int | None
    minute: int | None
    time_zone: str | None
    due_from: datetime
    paused_at: datetime | None

    @property
    def schedule(self) -> MailSchedule | None:
        if self.every is None or self.minute is None or self.time_zone is None:
            return None
        return MailSchedule(
            self.every, time(*divmod(self.minute, 60)), self.time_zone, weekday=self.weekday, day=self.day
        )


COLUMNS: Final = list_columns(SavedView, "v")
_OWN: Final = """v.deleted_at IS NULL
    AND v.account_id = (SELECT id FROM account WHERE lower(login) = lower(CAST(:login AS text)))"""


def save_view(ledger: Ledger, settings: ViewSettings, *, by: Actor, now: datetime) -> SavedView:
    """Save a view for the account of ``by``. Saved a second time just so, nothing changes.

    Raises ``ViewError`` and ``ActorError``.
    """
    login = _require_account(by)
    row = _build_row(settings)
    with ledger.transaction() as connection:
        account = _lock_account(connection, login, settings)
        there = _find_by_name(connection, login, str(row["name"]))
        if there is not None:
            if {name: getattr(there, name) for name in row} == row:
                return there
            raise ViewError(f"you have a view {there.name!r} already; give this one another name, or edit that one")
        if len(_list(connection, login)) >= MOST_VIEWS:
            raise ViewError(f"an account has at most {MOST_VIEWS} views; delete one that you do not need")
        made = read_row(
            connection,
            SavedView,
            f"INSERT INTO saved_view AS v (account_id, {', '.join(row)}, due_from, created_at) "
            f"VALUES (:account, {', '.join(f':{name}' for name in row)}, :now, :now) RETURNING {COLUMNS}",
            **row,
            account=account,
            now=now,
        )
    assert made is not None  # noqa: S101 - a row that is inserted is returned
    return made


def change_view(ledger: Ledger, view_id: int, settings: ViewSettings, *, by: Actor, now: datetime) -> SavedView:
    """Change a view of the account of ``by``; what was due before is not sent any more, if its schedule is another.

    Raises as ``save_view``, and ``NoViewError``.
    """
    login = _require_account(by)
    row = _build_row(settings)
    with ledger.transaction() as connection:
        _lock_account(connection, login, settings)
        before = _find(connection, login, view_id)
        other = _find_by_name(connection, login, str(row["name"]))
        if other is not None and other.id != view_id:
            raise ViewError(f"you have another view {other.name!r} already; give this one another name")
        due_from = before.due_from if before.schedule == settings.schedule else now
        changed = read_row(
            connection,
            SavedView,
            f"UPDATE saved_view v SET {', '.join(f'{name} = :{name}' for name in row)}, due_from = :due_from "
            f"WHERE v.id = :id RETURNING {COLUMNS}",
            **row,
            id=view_id,
            due_from=due_from,
        )
    assert changed is not None  # noqa: S101 - it was found
    return changed


def pause_view(ledger: Ledger, view_id: int, *, by: Actor, now: datetime) -> None:
    """No e-mail of the view is due until ``resume_view``. Raises ``NoViewError`` and ``ActorError``."""
    _set(ledger, view_id, "paused_at = coalesce(paused_at, :now)", by, now)


def resume_view(ledger: Ledger, view_id: int, *, by: Actor, now: datetime) -> None:
    """E-mails are due again, from now on. Raises as ``pause_view``."""
    _set(
        ledger,
        view_id,
        "due_from = CASE WHEN paused_at IS NULL THEN due_from ELSE :now END, paused_at = NULL",
        by,
        now,
    )


def delete_view(ledger: Ledger, view_id: int, *, by: Actor, now: datetime) -> None:
    """The view is gone; what was sent of it stays on record. Raises as ``pause_view``."""
    _set(ledger, view_id, "deleted_at = :now", by, now)


def list_views(ledger: Ledger, by: Actor) -> list[SavedView]:
    """The views of the account of ``by``, by name. Raises ``ActorError``."""
    login = _require_account(by)
    with ledger.transaction() as connection:
        return _list(connection, login)


def find_view(ledger: Ledger, view_id: int, by: Actor) -> SavedView:
    """A view of the account of ``by``. Raises ``NoViewError`` and ``ActorError``."""
    login = _require_account(by)
    with ledger.transaction() as connection:
        return _find(connection, login, view_id)


def _require_account(by: Actor) -> str:
    require(by, Permission.READ_REPORTS)
    if by.login is None:
        raise ViewError("views belong to accounts of the console; sign in there to save one")
    return by.login


def _lock_account(connection: Connection, login: str, settings: ViewSettings) -> int:
    """The account: what is saved for one account is saved one after the other. Raises ``ViewError`` where a view is to
    be sent and the account has no address."""
    row = connection.execute(
        text("SELECT id, email FROM account WHERE lower(login) = lower(CAST(:login AS text)) FOR NO KEY UPDATE"),
        {"login": login},
    ).one()
    if settings.schedule is not None and not row.email:
        raise ViewError(
            "your account has no e-mail address, so nothing can be sent to you; an admin adds it "
            f"(`leadgate user email {login} --address ADDRESS`). Without a schedule the view can be saved"
        )
    account: int = row.id
    return account


def _list(connection: Connection, login: str) -> list[SavedView]:
    return read_rows(
        connection,
        SavedView,
        f"SELECT {COLUMNS} FROM saved_view v WHERE {_OWN} ORDER BY lower(v.name), v.id",
        login=login,
    )


def _find(connection: Connection, login: str, view_id: int) -> SavedView:
    found = read_row(
        connection,
        SavedView,
        f"SELECT {COLUMNS} FROM saved_view v WHERE {_OWN} AND v.id = CAST(:id AS bigint)",
        login=login,
        id=view_id,
    )
    if found is None:
        raise NoViewError(f"you have no saved view V{view_id}; it may have been deleted")
    return found


def _find_by_name(connection: Connection, login: str, name: str) -> SavedView | None:
    return read_row(
        connection,
        SavedView,
        f"SELECT {COLUMNS} FROM saved_view v WHERE {_OWN} AND lower(v.name) = lower(CAST(:name AS text))",
        login=login,
        name=name,
    )


def _set(ledger: Ledger, view_id: int, change: str, by: Actor, now: datetime) -> None:
    login = _require_account(by)
    with ledger.transaction() as connection:
        _find(connection, login, view_id)
        connection.execute(text(f"UPDATE saved_view v SET {change} WHERE v.id = :id"), {"id": view_id, "now": now})


def _build_row(settings: ViewSettings) -> dict[str, object]:
    """The columns that somebody gives. Raises ``ViewError``."""
    if compute_days(settings.period, datetime.now(ZoneInfo("UTC")).date()) is None:
        raise ViewError(f"there is no period {settings.period[:80]!r}; {propose(settings.period[:80], PERIODS)}")
    row: dict[str, object] = {"name": _clean_name(settings.name), "period": settings.period}
    for name in ("section", "source", "rep", "zone"):
        value = make_storable(getattr(settings, name))
        if len(value) > _LONGEST_FILTER:
            raise ViewError(f"a view's {name} has at most {_LONGEST_FILTER} characters; this one has {len(value):,}")
        row[name] = value
    return row | _build_schedule_row(settings.schedule)


def _clean_name(given: str) -> str:
    name = " ".join(make_storable(given).split(" ")).strip()
    if not name or len(name) > LONGEST_VIEW_NAME:
        raise ViewError(f"a view's name has 1 to {LONGEST_VIEW_NAME} characters; this one has {len(name):,}")
    if not name.isprintable():
        raise ViewError("a view's name is one line of characters that can be printed; type it anew")
    return name


def _build_schedule_row(schedule: MailSchedule | None) -> dict[str, object]:
    empty: dict[str, object] = dict.fromkeys(("every", "weekday", "day", "minute", "time_zone"))
    if schedule is None:
        return empty
    if schedule.time_zone not in list_time_zones():
        zone = schedule.time_zone[:80]
        raise ViewError(f"{zone!r} is not a time zone; {propose(zone, list_time_zones())}")
    if schedule.every is ViewSchedule.WEEKLY and schedule.weekday not in range(len(WEEKDAYS)):
        raise ViewError("say on which weekday the view is sent")
    if schedule.every is ViewSchedule.MONTHLY and schedule.day not in range(1, 32):
        raise ViewError("say on which day of the month the view is sent, from 1 to 31; 31 is the last day of each")
    return empty | {
        "every": schedule.every,
        "weekday": schedule.weekday if schedule.every is ViewSchedule.WEEKLY else None,
        "day": schedule.day if schedule.every is ViewSchedule.MONTHLY else None,
        "minute": 60 * schedule.at.hour + schedule.at.minute,
        "time_zone": schedule.time_zone,
    }
