"""When reports by e-mail are due, and which days their periods have."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.report_periods import PERIODS, compute_days, count_days, describe_period
from leadgate.report_schedule import MailSchedule, find_last_due, find_next_due
from leadgate.vocabulary import ViewSchedule

BERLIN = "Europe/Berlin"
DAILY = MailSchedule(ViewSchedule.DAILY, time(8), BERLIN)


def test_a_schedule_is_of_its_own_time_zone() -> None:
    now = datetime(2026, 3, 4, 10, tzinfo=UTC)
    assert find_last_due(DAILY, now) == datetime(2026, 3, 4, 7, tzinfo=UTC)
    assert find_next_due(DAILY, now) == datetime(2026, 3, 5, 7, tzinfo=UTC)
    weekly = MailSchedule(ViewSchedule.WEEKLY, time(8), "America/New_York", weekday=0)
    assert find_last_due(weekly, now) == datetime(2026, 3, 2, 13, tzinfo=UTC)
    assert find_next_due(weekly, now) == datetime(2026, 3, 9, 12, tzinfo=UTC)  # in summer time by then


def test_a_month_that_is_too_short_has_its_last_day() -> None:
    monthly = MailSchedule(ViewSchedule.MONTHLY, time(8), "UTC", day=31)
    now, found = datetime(2026, 1, 31, 8, tzinfo=UTC), []
    for _ in range(4):
        found.append(f"{now:%m-%d}")
        now = find_next_due(monthly, now)
    assert found == ["01-31", "02-28", "03-31", "04-30"]


@pytest.mark.parametrize(
    ("around", "at", "moments"),
    [
        # the clock skips 02:00 to 03:00 on the 29th of March, and shows that hour twice on the 25th of October
        (date(2026, 3, 29), time(2, 30), ["28 01:30", "29 01:30", "30 00:30"]),
        (date(2026, 10, 25), time(2, 30), ["24 00:30", "25 00:30", "26 01:30"]),
    ],
)
def test_a_day_on_which_the_clock_changes_has_one_e_mail(around: date, at: time, moments: list[str]) -> None:
    schedule, found = MailSchedule(ViewSchedule.DAILY, at, BERLIN), []
    now = datetime.combine(around - timedelta(days=1), time(0), ZoneInfo(BERLIN)) - timedelta(seconds=1)
    for _ in range(3):
        now = find_next_due(schedule, now)
        found.append(f"{now:%d %H:%M}")
    assert found == moments


SCHEDULES = st.builds(
    MailSchedule,
    st.sampled_from(ViewSchedule),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.sampled_from([BERLIN, "UTC", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    weekday=st.integers(0, 6),
    day=st.integers(1, 31),
)
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(schedule=SCHEDULES, now=MOMENTS)
def test_due_moments_follow_one_another_without_a_gap(schedule: MailSchedule, now: datetime) -> None:
    last, following = find_last_due(schedule, now), find_next_due(schedule, now)
    assert last <= now < following
    assert find_next_due(schedule, last) == following
    assert find_last_due(schedule, following) == following
    longest = {ViewSchedule.DAILY: 2, ViewSchedule.WEEKLY: 8, ViewSchedule.MONTHLY: 32}[schedule.every]
    assert following - last <= timedelta(days=longest + 6 * (schedule.time_zone == "Pacific/Apia"))


def test_periods_have_the_days_that_their_names_say() -> None:
    wednesday = date(2026, 3, 4)
    days = {name: compute_days(name, wednesday) for name in PERIODS}
    told = {
        name: f"{each.first:%m-%d} {each.last:%m-%d} {each.before_first:%m-%d} {each.before_last:%m-%d}"
        for name, each in days.items()
        if each is not None
    }
    assert told == {
        "today": "03-04 03-04 03-03 03-03",
        "yesterday": "03-03 03-03 03-02 03-02",
        "this_week": "03-02 03-04 02-23 02-25",
        "last_week": "02-23 03-01 02-16 02-22",
        "7_days": "02-26 03-04 02-19 02-25",
        "this_month": "03-01 03-04 02-01 02-04",
        "last_month": "02-01 02-28 01-01 01-31",
        "30_days": "02-03 03-04 01-04 02-02",
        "90_days": "12-05 03-04 09-06 12-04",
        "365_days": "03-05 03-04 03-05 03-04",
    }
    assert [compute_days(name, wednesday) for name in ("", "0_days", "9999_days", "next_week", "٣_days")] == [None] * 5
    assert (count_days("45_days"), describe_period("45_days")) == (45, "Last 45 days")


@given(today=st.dates(date(2000, 1, 1), date(2100, 1, 1)), name=st.sampled_from(list(PERIODS)))
def test_a_period_follows_the_one_that_it_is_compared_with(today: date, name: str) -> None:
    days = compute_days(name, today)
    assert days is not None
    assert days.before_first <= days.before_last < days.first <= days.last <= today
