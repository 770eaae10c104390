"""When the e-mail of a saved view is due: every day, on a weekday, or on a day of the month, at a local time. All pure.

Belongs here: due moments. Does not belong here: what is sent (``console.report.mail``), or sending it
(``tasks.report_mail``).

A schedule is due once on each of its local days. A time that the clock skips when it goes forward comes as much later,
and of one that it shows twice, when it goes back, the first counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from leadgate.report_periods import count_days_of_month
from leadgate.vocabulary import ViewSchedule

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class MailSchedule:
    """``at`` is a time of the day in ``time_zone``. ``weekday`` (0 is Monday) is of a weekly schedule, ``day`` (1 to
    31; of a shorter month its last day) of a monthly one."""

    every: ViewSchedule
    at: time
    time_zone: str
    weekday: int | None = None
    day: int | None = None

    @property
    def in_words(self) -> str:
        """``every Monday at 08:00 (Europe/Berlin)``."""
        match self.every:
            case ViewSchedule.WEEKLY:
                on = f"every {WEEKDAYS[self.weekday or 0]}"
            case ViewSchedule.MONTHLY:
                on = f"on day {self.day} of each month"
            case _:
                on = "every day"
        return f"{on} at {self.at:%H:%M} ({self.time_zone})"


def find_last_due(schedule: MailSchedule, now: datetime) -> datetime:
    """The latest moment up to ``now``, in UTC, at which the schedule is, or was, due."""
    day = now.astimezone(ZoneInfo(schedule.time_zone)).date() + _DAY
    while not _is_on(schedule, day) or _compute_moment(schedule, day) > now:
        day -= _DAY
    return _compute_moment(schedule, day)


def find_next_due(schedule: MailSchedule, now: datetime) -> datetime:
    """The first moment after ``now``, in UTC, at which the schedule is due."""
    day = now.astimezone(ZoneInfo(schedule.time_zone)).date() - _DAY
    while not _is_on(schedule, day) or _compute_moment(schedule, day) <= now:
        day += _DAY
    return _compute_moment(schedule, day)


def _is_on(schedule: MailSchedule, day: date) -> bool:
    match schedule.every:
        case ViewSchedule.WEEKLY:
            return day.weekday() == schedule.weekday
        case ViewSchedule.MONTHLY:
            return day.day == min(schedule.day or 1, count_days_of_month(day))
        case _:
            return True


def _compute_moment(schedule: MailSchedule, day: date) -> datetime:
    return datetime.combine(day, schedule.at, ZoneInfo(schedule.time_zone)).astimezone(UTC)
