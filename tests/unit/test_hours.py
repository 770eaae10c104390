"""Business time: examples from real calendars, and what must hold for any working hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.playbook import Hours
from leadgate.sla.hours import Clock, HoursError, make_clock
from leadgate.sla.moments import build_column, read_moments

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")


def office(*spans: tuple[str, str], days: tuple[str, ...] = WORKDAYS, **more: object) -> Hours:
    return Hours.model_validate({"time_zone": "Europe/Berlin", "week": dict.fromkeys(days, spans), **more})


NINE_TO_FIVE = office(("09:00", "17:00"))


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def add_many(clock: Clock, starts: list[datetime | None], duration: timedelta) -> list[datetime | None]:
    due = build_column(clock.add_many(read_moments(starts), duration))
    return [None if pd.isna(each) else each for each in due]


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-02 10:00", 4, "2026-03-02 14:00"),
        ("2026-03-02 15:00", 4, "2026-03-03 11:00"),  # over night
        ("2026-03-06 15:00", 4, "2026-03-09 11:00"),  # over the weekend
        ("2026-03-06 09:00", 8, "2026-03-06 17:00"),  # the end of the day, not the next morning
        ("2026-03-07 12:00", 1, "2026-03-09 10:00"),  # from a Saturday
        ("2026-03-02 05:00", 0.5, "2026-03-02 09:30"),  # from before the office opens
    ],
)
def test_a_duration_counts_only_while_the_office_is_open(start: str, hours: float, end: str) -> None:
    assert Clock(NINE_TO_FIVE).add(at(start), timedelta(hours=hours)) == at(end)


def test_answers_are_in_utc() -> None:
    due = Clock(NINE_TO_FIVE).add(at("2026-07-06 10:00"), timedelta(hours=1))
    assert due.tzinfo is UTC
    assert due.hour == 9  # 11:00 in Berlin's summer


def test_public_holidays_and_closed_days_are_free() -> None:
    bavaria = office(("09:00", "17:00"), holidays="DE-BY", closed=["2026-01-07"])
    # Epiphany, 6 January, is a holiday in Bavaria and not in all of Germany
    assert Clock(bavaria).add(at("2026-01-05 16:00"), timedelta(hours=2)) == at("2026-01-08 10:00")
    germany = office(("09:00", "17:00"), holidays="DE")
    assert Clock(germany).add(at("2026-01-05 16:00"), timedelta(hours=2)) == at("2026-01-06 10:00")


def test_a_holiday_beyond_the_first_years_is_known_too() -> None:
    clock = Clock(office(("09:00", "17:00"), holidays="DE"))
    clock.add(at("2026-03-02 09:00"), timedelta(hours=1))
    assert not clock.is_open(at("2031-12-25 10:00"))  # a Thursday
    assert not clock.is_open(at("2019-12-25 10:00"))  # a Wednesday, before the first
    assert clock.is_open(at("2026-03-02 10:00"))


def test_a_day_of_24_hours_has_23_or_25_when_the_clocks_change() -> None:
    clock = Clock(office(("00:00", "00:00"), days=("sat", "sun", "mon")))
    assert clock.measure_between(at("2026-03-29 00:00"), at("2026-03-30 00:00")) == timedelta(hours=23)
    assert clock.measure_between(at("2026-10-25 00:00"), at("2026-10-26 00:00")) == timedelta(hours=25)
    assert clock.measure_between(at("2026-10-26 00:00"), at("2026-10-27 00:00")) == timedelta(hours=24)


def test_a_time_that_the_clock_on_the_wall_skips_is_not_waited_for() -> None:
    night = Clock(office(("02:00", "03:00"), days=("sun",)))  # 29 March 2026 has no such hour
    assert night.measure_between(at("2026-03-28 12:00"), at("2026-03-29 12:00")) == timedelta(0)
    assert night.find_next_open(at("2026-03-28 12:00")) == at("2026-04-05 02:00")


def test_a_time_that_the_clock_on_the_wall_shows_twice_counts_twice() -> None:
    night = Clock(office(("02:00", "02:30"), days=("sun",)))
    first, second = at("2026-10-25 02:10"), at("2026-10-25 02:10").replace(fold=1)
    assert night.is_open(first)
    assert night.is_open(second)
    assert not night.is_open(at("2026-10-25 02:40"))
    assert night.measure_between(at("2026-10-25 00:00"), at("2026-10-25 12:00")) == timedelta(hours=1)


def test_an_office_on_the_other_side_of_the_date_line() -> None:
    hours = Hours.model_validate({"time_zone": "Pacific/Auckland", "week": {"mon": [["09:00", "17:00"]]}})
    monday = datetime(2026, 6, 15, 9, tzinfo=ZoneInfo("Pacific/Auckland"))
    assert Clock(hours).find_next_open(datetime(2026, 6, 14, 12, tzinfo=UTC)) == monday
    assert monday.astimezone(UTC).date() == date(2026, 6, 14)  # still Sunday in UTC


def test_a_night_shift_belongs_to_the_day_it_began() -> None:
    clock = Clock(office(("22:00", "06:00"), days=("fri",), closed=["2026-03-13"]))
    assert clock.measure_between(at("2026-03-06 00:00"), at("2026-03-09 00:00")) == timedelta(hours=8)
    assert clock.is_open(at("2026-03-07 05:59"))
    assert not clock.is_open(at("2026-03-07 06:00"))
    assert not clock.is_open(at("2026-03-14 01:00"))  # its Friday was closed


def test_spans_that_overlap_count_once_and_an_end_at_midnight_is_the_end_of_the_day() -> None:
    clock = Clock(office(("09:00", "13:00"), ("12:00", "17:00"), ("20:00", "00:00"), days=("mon",)))
    assert clock.measure_between(at("2026-03-02 00:00"), at("2026-03-03 12:00")) == timedelta(hours=12)


def test_without_hours_the_wall_clock_counts_elapsed_time() -> None:
    wall = Clock(None)
    assert wall.add(at("2026-03-28 12:00"), timedelta(hours=24)) == at("2026-03-29 13:00")  # clocks go forward
    assert wall.measure_between(at("2026-03-28 12:00"), at("2026-03-29 12:00")) == timedelta(hours=23)
    assert wall.is_open(at("2026-03-29 03:00"))
    assert add_many(wall, [at("2026-03-28 12:00")], timedelta(hours=1)) == [at("2026-03-28 13:00")]


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        ({}, "a week without a single span never opens"),
        ({"week": {"mon": []}}, "a week without a single span never opens"),
        ({"week": {"mon": [["09:00", "09:00"]]}}, "mon: the span 09:00 to 09:00 has no length"),
        ({"week": {"mon": [["09:00Z", "17:00Z"]]}}, "write times without a zone"),
        ({"time_zone": "Europe/Berlim"}, "did you mean 'Europe/Berlin'"),
        ({"time_zone": "../etc"}, "is not a time zone"),
        ({"week": {"mon": [["09:00", "17:00"]]}, "holidays": "DE-BX"}, "DE has no holiday calendar for 'BX'"),
        ({"week": {"mon": [["09:00", "17:00"]]}, "holidays": "Germany"}, "no holiday calendar for 'Germany'"),
    ],
)
def test_hours_that_cannot_be_meant_are_refused(hours: dict[str, object], says: str) -> None:
    with pytest.raises(HoursError, match=says):
        Clock(Hours.model_validate(hours))


def test_hours_that_never_open_are_an_error_and_not_a_search_without_end() -> None:
    mondays = [date(2026, 1, 5) + timedelta(weeks=week) for week in range(52 * 20)]
    clock = Clock(office(("09:00", "17:00"), days=("mon",), closed=mondays))
    with pytest.raises(HoursError, match="not open for 1:00:00 in all of the 16 years from 2026-01-06"):
        clock.add(at("2026-01-06 12:00"), timedelta(hours=1))
    assert not clock.is_open(at("2026-01-06 12:00"))


def test_what_a_clock_cannot_answer() -> None:
    clock = Clock(NINE_TO_FIVE)
    with pytest.raises(HoursError, match="has no time zone"):
        clock.add(datetime(2026, 3, 2, 9), timedelta(hours=1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(HoursError, match="negative"):
        clock.add(at("2026-03-02 09:00"), timedelta(hours=-1))
    with pytest.raises(HoursError, match="known from 1970 to 2200"):
        clock.is_open(datetime(9999, 1, 1, tzinfo=UTC))


def test_equal_hours_share_a_clock() -> None:
    assert make_clock(office(("09:00", "17:00"))) is make_clock(NINE_TO_FIVE)
    assert make_clock(None) is not make_clock(NINE_TO_FIVE)


def test_of_many_moments_those_that_are_missing_stay_so() -> None:
    clock, friday, monday = Clock(NINE_TO_FIVE), at("2026-03-06 16:00"), at("2026-03-02 09:00")
    due = add_many(clock, [friday, None, monday], timedelta(hours=2))
    assert due == [at("2026-03-09 10:00"), None, at("2026-03-02 11:00")]
    assert add_many(clock, [None], timedelta(hours=2)) == [None]
    assert add_many(clock, [], timedelta(hours=2)) == []


# what must hold for any hours: zones with and without clock changes, in whole, half and quarter hours
spans = st.tuples(st.integers(0, 95), st.integers(0, 95)).filter(lambda pair: pair[0] != pair[1] or pair[0] == 0)
weeks = st.dictionaries(
    st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
    st.lists(
        spans.map(lambda pair: tuple(time(quarter // 4, quarter % 4 * 15) for quarter in pair)),
        min_size=1,
        max_size=3,
    ),
    min_size=1,
)
all_hours = st.builds(
    lambda zone, week, closed: Hours.model_validate({"time_zone": zone, "week": week, "closed": closed}),
    st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]
    ),
    weeks,
    st.lists(st.dates(date(2026, 3, 1), date(2026, 4, 30)), max_size=3),
)
moments = st.datetimes(datetime(2026, 2, 20), datetime(2026, 11, 30), timezones=st.just(UTC))  # noqa: DTZ001
durations = st.timedeltas(timedelta(0), timedelta(hours=60))
few = settings(max_examples=tried(25))


def wall_shows_open(hours: Hours, moment: datetime) -> bool:
    """The definition, one moment at a time: is the time on the wall inside a span of today or last night?"""
    local = moment.astimezone(ZoneInfo(hours.time_zone)).replace(tzinfo=None)
    week = {str(day): spans for day, spans in hours.week.items()}
    for day in (local.date(), local.date() - timedelta(days=1)):
        if day in hours.closed:
            continue
        for start, end in week.get(f"{day:%a}".lower(), ()):
            opens = datetime.combine(day, start)
            closes = datetime.combine(day, end) + timedelta(days=0 if end > start else 1)
            if opens <= local < closes:
                return True
    return False


@few
@given(all_hours, moments)
def test_open_is_what_the_clock_on_the_wall_says(hours: Hours, moment: datetime) -> None:
    clock = make_clock(hours)
    assert clock.is_open(moment) == wall_shows_open(hours, moment)
    opening = clock.find_next_open(moment)
    assert opening >= moment
    assert wall_shows_open(hours, opening)
    if opening > moment:
        assert not wall_shows_open(hours, opening - timedelta(microseconds=1))
        assert clock.measure_between(moment, opening) == timedelta(0)


@few
@given(all_hours, moments, durations, durations)
def test_adding_twice_is_adding_the_sum(hours: Hours, start: datetime, a: timedelta, b: timedelta) -> None:
    clock = make_clock(hours)
    assert clock.add(clock.add(start, a), b) == clock.add(start, a + b)


@few
@given(all_hours, moments, durations)
def test_what_was_added_is_what_lies_between(hours: Hours, start: datetime, duration: timedelta) -> None:
    clock = make_clock(hours)
    end = clock.add(start, duration)
    assert end >= start + duration
    assert clock.measure_between(start, end) == duration
    assert clock.measure_between(end, start) == -duration
    if duration:  # the last moment of work is an open one
        assert wall_shows_open(hours, end - timedelta(microseconds=1))


@few
@given(all_hours, st.lists(moments, min_size=1, max_size=8), durations)
def test_starting_later_never_ends_earlier_and_a_column_says_the_same(
    hours: Hours, starts: list[datetime], duration: timedelta
) -> None:
    clock = Clock(hours)  # of its own, so that its table grows with the column
    one_by_one = [clock.add(start, duration) for start in sorted(starts)]
    assert one_by_one == sorted(one_by_one)
    assert add_many(clock, sorted(starts), duration) == one_by_one


@few
@given(all_hours, st.lists(moments, min_size=3, max_size=3))
def test_business_time_adds_up_and_never_runs_backwards(hours: Hours, three: list[datetime]) -> None:
    clock = make_clock(hours)
    first, second, third = sorted(three)
    assert clock.measure_between(first, second) + clock.measure_between(second, third) == clock.measure_between(
        first, third
    )
    assert timedelta(0) <= clock.measure_between(first, second) <= clock.measure_between(first, third) <= third - first


@few
@given(all_hours, moments, durations, durations)
def test_more_time_never_ends_earlier(hours: Hours, start: datetime, a: timedelta, b: timedelta) -> None:
    clock = make_clock(hours)
    less, more = sorted([a, b])
    assert clock.add(start, less) <= clock.add(start, more)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-03-03 10:00", 1, "2026-03-04 17:00"),  # from a Tuesday, whatever the hour
        ("2026-03-03 23:59", 1, "2026-03-04 17:00"),
        ("2026-03-03 10:00", 3, "2026-03-06 17:00"),
        ("2026-03-06 10:00", 1, "2026-03-09 17:00"),  # a weekend has no working day
        ("2026-03-07 10:00", 1, "2026-03-09 17:00"),
        ("2026-04-02 10:00", 1, "2026-04-07 17:00"),  # nor has Easter
        ("2026-12-30 10:00", 2, "2027-01-04 17:00"),  # into the next year
    ],
)
def test_working_days_are_the_dates_on_which_the_office_opens(start: str, days: int, end: str) -> None:
    clock = Clock(office(("09:00", "17:00"), holidays="DE"))
    starts = pd.Series([at(start)]).dt.tz_convert("UTC")
    assert clock.add_days(starts, days)[0] == at(end)


def test_a_working_day_of_the_wall_clock_is_a_date_of_utc() -> None:
    starts = pd.Series(pd.to_datetime(["2026-03-07T00:00Z", "2026-03-07T23:59Z"], utc=True))
    assert Clock(None).add_days(starts, 2).tolist() == [pd.Timestamp("2026-03-10T00:00Z")] * 2


def test_without_enough_working_days_there_is_no_answer() -> None:
    never = Clock(office(("09:00", "17:00"), closed=[date(2026, 1, 1) + timedelta(days=n) for n in range(365 * 18)]))
    with pytest.raises(HoursError, match="have no 3 working days in the 16 years from 2026"):
        never.add_days(pd.Series([at("2026-03-03 10:00")]).dt.tz_convert("UTC"), 3)


@few
@given(all_hours, moments, st.integers(1, 12))
def test_as_many_days_with_open_time_pass_as_were_asked_for(hours: Hours, start: datetime, days: int) -> None:
    clock, zone = make_clock(hours), ZoneInfo(hours.time_zone)
    starts = pd.Series([pd.Timestamp(start)]).dt.as_unit("us")
    ends = [clock.add_days(starts, n)[0] for n in range(1, days + 1)]
    week = {str(day) for day in hours.week}
    counted, day = 0, start.astimezone(zone).date()
    while counted < days:
        day += timedelta(days=1)
        counted += f"{day:%a}".lower() in week and day not in hours.closed
    # the last of them ends on that date, or in the night after it
    assert timedelta(0) <= ends[-1].astimezone(zone).date() - day <= timedelta(days=1)
    assert ends[0] > start


def test_a_whole_day_is_written_as_people_write_it() -> None:
    for written in ("00:00-24:00", "00:00-00:00"):
        hours = Hours.model_validate({"week": {"mon": [written], "tue": ["18:00-24:00"]}})
        clock = make_clock(hours)
        monday = datetime(2026, 3, 9, tzinfo=UTC)
        assert clock.measure_between(monday, monday + timedelta(days=2)) == timedelta(hours=30)
