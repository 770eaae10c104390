"""The forecast of a real ledger: what was known at a moment, a snapshot a day, and the command."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, Harness
from opportunities import MONDAY_AT_0, Told, at, tell, tell_a_week
from sqlalchemy import text

from console.forecast.reading import read_forecast
from console.forecast.request import ForecastOptions, ask_forecast
from leadgate.ledger import Ledger, forecasts
from leadgate.records.forecast import COUNTED
from leadgate.vocabulary import ForecastCategory

ZONE = "Europe/Berlin"
SUNDAY, WEDNESDAY = date(2026, 3, 1), date(2026, 3, 4)  # of the tests' week; NOW is Wednesday at 11:00 in Berlin


def read(ledger: Ledger, moment: datetime) -> dict[int, Any]:
    with ledger.snapshot() as connection:
        return forecasts.read_states(connection, moment)


def compute(ledger: Ledger, moment: datetime) -> dict[int, Any]:
    with ledger.snapshot() as connection:
        return forecasts.compute_states(connection, moment)


def test_a_state_is_what_was_known_then(ledger: Ledger) -> None:
    told = tell(
        ledger,
        Told("one", at(-3), amount=1), Told("one", at(2), amount=2),
        Told("one", at(3), amount=99, late=True, changed_at=at(-2)), Told("one", at(4), amount=4),
        Told("other", at(3), amount=None, received_at=at(-3)),
    )  # fmt: skip
    one, other = told["one"], told["other"]

    def read_cents(moment: datetime) -> dict[int, int | None]:
        return {record_id: state.cents for record_id, state in compute(ledger, moment).items()}

    assert read_cents(at(-5)) == {}
    assert read_cents(at(-3)) == {one: 100}
    assert read_cents(at(2)) == {one: 200}
    assert read_cents(at(3)) == {one: 200, other: None}, "what is told late is never the current state"
    assert read_cents(at(9)) == {one: 400, other: None}


def test_a_snapshot_says_what_the_versions_say(ledger: Ledger) -> None:
    tell_a_week(ledger)
    assert forecasts.take_snapshots(ledger, ZONE, MONDAY_AT_0 + timedelta(hours=1)) == [SUNDAY]
    assert read(ledger, MONDAY_AT_0) == compute(ledger, MONDAY_AT_0)
    with ledger.transaction() as connection:  # so it is the snapshot that is read
        connection.execute(text("UPDATE forecast_snapshot SET amount = 77"))
    assert {state.cents for state in read(ledger, MONDAY_AT_0).values()} == {7_700}
    assert read(ledger, MONDAY_AT_0 + timedelta(seconds=1)) == compute(ledger, MONDAY_AT_0)
    told_later = tell(ledger, Told("told later of an earlier day", at(4), changed_at=at(-3)))
    assert told_later["told later of an earlier day"] not in compute(ledger, MONDAY_AT_0)


def test_a_day_is_kept_once_and_missed_days_are_made_good(ledger: Ledger) -> None:
    assert forecasts.take_snapshots(ledger, ZONE, NOW) == [], "there is nothing to keep"
    tell_a_week(ledger)
    assert forecasts.take_snapshots(ledger, ZONE, MONDAY_AT_0) == [date(2026, 2, 28)], "Sunday is only just over"
    tuesday = date(2026, 3, 3)
    assert forecasts.take_snapshots(ledger, ZONE, NOW) == [SUNDAY, date(2026, 3, 2), tuesday]
    assert forecasts.take_snapshots(ledger, ZONE, NOW + timedelta(hours=2)) == []
    for day in (SUNDAY, tuesday):
        end = datetime(day.year, day.month, day.day, 23, tzinfo=UTC)
        assert read(ledger, end) == compute(ledger, end)


def test_of_old_days_those_at_the_end_of_a_week_or_month_stay(ledger: Ledger, harness: Harness) -> None:
    tell_a_week(ledger)
    for day in (date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2)):
        forecasts.take_snapshots(ledger, ZONE, datetime(day.year, day.month, day.day, 23, 30, tzinfo=UTC))
    assert forecasts.forget_old_snapshots(ledger, at(5)) == 0
    assert forecasts.forget_old_snapshots(ledger, at(5) + timedelta(days=110)) == 2
    days = [row[0] for row in harness.rows("SELECT day FROM forecast_day ORDER BY day")]
    assert days == [date(2026, 2, 28), SUNDAY]
    assert [row[0] for row in harness.rows("SELECT DISTINCT day FROM forecast_snapshot ORDER BY 1")] == days


def ask(cli: Cli, *arguments: str) -> Any:
    return read_json(cli("forecast", "--json", "--now", NOW.isoformat(), *arguments))


def test_the_command_tells_the_forecast_and_what_moved_since_monday(ledger: Ledger, cli: Cli) -> None:
    ids = tell_a_week(ledger)
    told = ask(cli)
    assert (told["since"], told["zone"], told["period"]["first"]) == ("2026-03-01T23:00:00+00:00", ZONE, "2026-01-01")
    totals = {line["owner"]: (line["total_before"], line["total"]) for line in told["owners"]}
    assert totals == {
        "ana": ("46000.50", "36000.00"), "bob": ("0.00", "3000.00"), "cyn": ("0.00", "0.00"), None: ("9000.00", "9000.00"),
    }  # fmt: skip
    end = {category: told["end"][category]["amount"] for category in ("closed", "commit", "best_case", "pipeline")}
    assert end == {"closed": "10000.00", "commit": "25000.00", "best_case": "4000.00", "pipeline": "9000.00"}
    reasons = {each["record"]: each["reasons"] for each in told["opportunities"]}
    assert reasons == {
        f"R{ids[key]}": why
        for key, why in {
            "won": ["won"], "lost": ["lost"], "pushed out": ["moved_out"], "grew": ["amount_up", "category_up"],
            "handed over": ["owner"], "slips": ["slipped"], "new": ["new"],
        }.items()
    }  # fmt: skip
    moved = sum(float(each["change"]) for each in told["opportunities"])
    assert float(told["start"]["total"]) + moved == float(told["end"]["total"]) == 48_000
    assert (told["overdue_before_period"]["count"], told["end"]["best_case"]["without_amount"]) == (1, 1)


def test_the_terminal_names_each_opportunity_with_why_and_its_story(ledger: Ledger, cli: Cli) -> None:
    ids = tell_a_week(ledger)
    shown = join_lines(cli("forecast", "--now", NOW.isoformat()))
    for expected in (
        "Forecast: this quarter, 1 Jan to 31 Mar 2026", "As of Wed 4 Mar, 11:00 (Europe/Berlin)",
        "What moved since Mon 2 Mar, 00:00", f"R{ids['grew']} grew (Acme), Ana",
        "Amount from 20,000.50 up to 25,000; from best case up to commit. Changed on Tue 3 Mar by Ana.",
        "Moved out of the period with 7,000: close date from Fri 20 Mar to Wed 15 Apr.",
        "Owner from Ana to Bob. Changed on Tue 3 Mar by Mia.", "Slipped: was to close on Tue 3 Mar and is still open.",
        "New in best case: no amount, to close on Fri 20 Mar.", "1 opportunity has no amount and counts as 0.",
        "1 open opportunity with 2,000 should have closed before this period", "explain R",
    ):  # fmt: skip
        assert expected in shown, shown


def test_one_rep_s_or_one_team_s_forecast_has_what_came_to_them_and_went(ledger: Ledger, cli: Cli) -> None:
    ids = tell_a_week(ledger)
    bob = ask(cli, "--owner", "Bob")
    assert [(line["owner"], line["total"]) for line in bob["owners"]] == [("bob", "3000.00")]
    assert [(each["record"], each["change"]) for each in bob["opportunities"]] == [
        (f"R{ids['handed over']}", "3000.00")
    ]
    team = ask(cli, "--team", "mia")
    assert {line["owner"] for line in team["owners"]} == {"ana", "bob", "cyn"}
    assert (team["start"]["total"], team["end"]["total"]) == ("46000.50", "39000.00")


def test_two_days_of_the_past_are_compared_by_their_snapshots_or_without_alike(ledger: Ledger, cli: Cli) -> None:
    tell_a_week(ledger)
    days = ("--since", "2026-03-02", "--until", "2026-03-03", "--zone", ZONE)
    computed = ask(cli, *days)
    forecasts.take_snapshots(ledger, ZONE, MONDAY_AT_0 + timedelta(hours=1))
    forecasts.take_snapshots(ledger, ZONE, NOW)
    assert ask(cli, *days) == computed
    assert len(computed["opportunities"]) == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "someday"), "is not a day"),
        (("--since", "2026-03-05"), "name an earlier day"),
        (("--since", "1969-01-01"), "outside the years"),
        (("--until", "2026-03-01"), "name an earlier day"),
        (("--period", "this_quater"), "did you mean 'this_quarter'?"),
        (("--owner", "anna"), "did you mean 'ana'?"),
        (("--team", "ana"), "there is no manager 'ana'"),
        (("--owner", "ana", "--team", "mia"), "leave one of them out"),
        (("--zone", "Europe/Berlim"), "did you mean 'Europe/Berlin'?"),
    ],
)
def test_what_cannot_be_asked_for_is_answered_with_what_to_do(
    ledger: Ledger, cli: Cli, arguments: tuple[str, ...], words: str
) -> None:
    tell_a_week(ledger)
    assert words in cli("forecast", "--now", NOW.isoformat(), *arguments, code=2).stderr


@pytest.mark.parametrize(
    ("since", "begins"),
    [
        ("today", "2026-03-03T23:00:00"), ("yesterday", "2026-03-02T23:00:00"), ("wednesday", "2026-02-24T23:00:00"),
        ("Monday", "2026-03-01T23:00:00"), ("7-days", "2026-02-24T23:00:00"), ("2025-08-01", "2025-07-31T22:00:00"),
    ],
)  # fmt: skip
def test_a_day_is_named_by_a_word_or_a_date(ledger: Ledger, cli: Cli, since: str, begins: str) -> None:
    assert ask(cli, "--since", since)["since"] == f"{begins}+00:00"


def test_without_opportunities_the_way_to_get_them_is_told(ledger: Ledger, cli: Cli) -> None:
    assert "kind: opportunities" in join_lines(cli("forecast"))
    tell(ledger, Told("one", at(-3), close_date=date(2029, 1, 1)))
    nothing = join_lines(cli("forecast", "--now", NOW.isoformat()))
    assert "No opportunity of anybody is to close in this period" in nothing
    assert "best case" in join_lines(cli("forecast", "--now", NOW.isoformat(), "--period", "2029-q1")).lower()


def test_what_looks_like_an_address_in_a_name_is_masked_and_nothing_moves_the_cursor(ledger: Ledger, cli: Cli) -> None:
    tell(ledger, Told("one", at(3), name="for jane@acme.example \x1b[31m", account="x" * 3_000))
    shown = cli("forecast", "--now", NOW.isoformat()).stdout
    assert "jane@" not in shown
    assert "\x1b" not in shown
    assert len(shown) < 3_000
    assert "jane@acme.example" in cli("forecast", "--now", NOW.isoformat(), "--show-personal").stdout


def test_all_movements_are_listed_where_somebody_asks(ledger: Ledger, cli: Cli) -> None:
    tell(ledger, *(Told(f"deal {number}", at(3), amount=number) for number in range(1, 31)))
    few, every = (join_lines(cli("forecast", "--now", NOW.isoformat(), *more)) for more in ((), ("--limit", "30")))
    assert "10 more opportunities" in few
    assert ("deal 30 " in few, "deal 3 " in few, "deal 3 " in every) == (True, False, True)


def test_forecast_categories_are_those_of_the_columns(ledger: Ledger) -> None:
    tell(
        ledger,
        Told("a", at(-3), category="closed"),
        Told("b", at(-3), category="closed", is_open=False, outcome="lost"),
    )
    states = compute(ledger, NOW).values()
    assert [state.bucket for state in states] == [ForecastCategory.COMMIT, None]


def test_explain_tells_each_update_from_to_when_by_whom_and_each_slip(ledger: Ledger, cli: Cli) -> None:
    ids = tell(
        ledger,
        Told("seats", at(-3), amount=20_000.5, name="500 seats"),
        Told("seats", at(2), amount=25_000, close_date=date(2026, 3, 3), name="500 seats", changed_by="mia"),
        Told("seats", at(3), amount=1, late=True, changed_at=at(1), name="500 seats"),
    )
    record = ids["seats"]
    with ledger.transaction() as connection:
        connection.execute(
            text("INSERT INTO record_slip (record_id, close_date, noticed_at) VALUES (:id, '2026-03-03', :now)"),
            {"id": record, "now": NOW},
        )
    shown = join_lines(cli("explain", f"R{record}"))
    for expected in (
        f"R{record} 500 seats (Acme): opportunity of crm", "Open, best case, sales stage proposal, 25,000, to close Tue 3 Mar",
        "2026-03-02 09:00 UTC by Mia: Updated.", "amount 20,000.50 25,000", "close date Fri 20 Mar 2026 Tue 3 Mar 2026",
        "Told for the first time.", "Told late", "Slipped: was to close Tue 3 Mar 2026",
    ):  # fmt: skip
        assert expected in shown, shown
    story = read_json(cli("explain", f"R{record}", "--json"))
    assert [version["number"] for version in story["versions"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("explain", "R99"), "there is no record R99"), (("note", "A1", "--words", "asks for a call"), "is an action")],
)
def test_a_record_that_is_not_there_and_what_is_no_lead_are_told(
    ledger: Ledger, cli: Cli, arguments: tuple[str, ...], words: str
) -> None:
    tell_a_week(ledger)
    assert words in cli(*arguments, code=2).stderr


def test_between_any_two_days_the_movements_come_from_the_one_forecast_to_the_other(ledger: Ledger) -> None:
    """To the cent, for each owner and column; with snapshots of some of the days, and updates that came late."""
    chance = random.Random(7)
    told = [
        Told(
            f"deal {number}", at(day), owner=chance.choice(("ana", "bob", None)), amount=chance.randrange(10**7) / 100,
            close_date=date(2026, 3, 1) + timedelta(days=chance.randrange(60)), late=place > 0 and chance.random() < 0.1,
            category=chance.choice(list(ForecastCategory)), is_open=chance.random() < 0.8,
        )
        for number in range(25)
        for place, day in enumerate(sorted(chance.sample(range(1, 11), 4)))
    ]  # fmt: skip
    tell(ledger, *told)
    for day in (3, 4, 8):
        forecasts.take_snapshots(ledger, "UTC", at(day, 1))
    moments = [at(day, 0) for day in range(1, 12)]
    for since, until in itertools.combinations(moments, 2):
        options = ForecastOptions(since.date().isoformat(), (until - timedelta(days=1)).date().isoformat())
        found = read_forecast(ledger, ask_forecast(options, at(11), "UTC", None))
        assert (found.asked.since, found.asked.until) == (since, until)
        for category in ForecastCategory:
            moved = sum(line.cents[category] for line in found.moved)
            assert found.start[category] + moved == found.end[category].cents
        for line in found.owners:
            parts = [part for each in found.records for part in each.movement.parts if part.owner == line.owner]
            assert line.change == sum(part.cents for part in parts if part.category in COUNTED)
