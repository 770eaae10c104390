"""The made-up year: the same for the same seed, with everything in it that a year should try."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

from benchmarks.made_up_records import CONTRACTS, OPPORTUNITIES, SIGNALS
from benchmarks.made_up_year import make_year

START = datetime(2026, 1, 1, tzinfo=UTC)
EVENINGS = [START + timedelta(days=day, hours=18) for day in range(365)]


def test_a_seed_makes_one_year_and_another_seed_another():
    assert make_year(20).updates == make_year(20).updates
    assert make_year(20).updates != make_year(20, seed=22).updates


def test_an_account_lives_the_same_year_among_more_accounts():
    few, many = make_year(10).by_key, make_year(30).by_key

    assert few
    assert all(many[key] == updates for key, updates in few.items())


def test_the_beginning_of_a_year_is_the_beginning_of_the_whole_year():
    whole, beginning = make_year(20), make_year(20, days=56)

    assert beginning.updates == tuple(u for u in whole.updates if u.told_at < START + timedelta(days=56))


def test_every_account_has_a_name_of_its_own():
    year = make_year(2_000)

    assert len({account.name for account in year.accounts}) == 2_000


def test_a_year_has_what_should_be_tried():
    year = make_year(200)
    wrong = Counter(update.wrong for update in year.updates)
    stages = Counter(update.row.get("Stage") for update in year.updates)
    statuses = Counter(update.row.get("Status") for update in year.updates)
    late = sum(update.told_at > update.changed_at + timedelta(days=1) for update in year.updates)

    assert {"skipped", "no amount", "past", "amount"} <= set(wrong)
    assert {"Closed Won", "Closed Lost", "Negotiation"} <= set(stages)
    assert {"Active", "Renewed", "Not renewed", "Churned"} <= set(statuses)
    assert {update.source for update in year.updates} == {OPPORTUNITIES, CONTRACTS, SIGNALS}
    assert any(update.is_replay for update in year.updates)
    assert late > 20
    assert {account.owner for account in year.accounts} >= {"", "Walter Grimm"}


def test_a_replay_is_the_row_as_it_was():
    year = make_year(100)
    rows = [tuple(update.row.items()) for update in year.updates if not update.is_replay]
    replays = [tuple(update.row.items()) for update in year.updates if update.is_replay]

    assert replays
    assert set(replays) <= set(rows)


def test_days_bring_every_row_once():
    year = make_year(50, days=70)
    moments = [START, *(moment for moment in EVENINGS if moment < START + timedelta(days=70))]
    moments.append(START + timedelta(days=70))
    rows = [
        row
        for source in (OPPORTUNITIES, CONTRACTS, SIGNALS)
        for after, until in itertools.pairwise(moments)
        for row in year.told(source, after, until)
    ]

    assert len(rows) == len(year.updates)


def test_a_slip_is_of_a_record_that_was_known_to_be_open_after_its_day():
    year = make_year(100)
    slips = year.slips(OPPORTUNITIES, EVENINGS)

    assert slips
    for key, due in slips:
        assert any(
            known is not None and known.is_open and known.due == due and due < evening.date()
            for evening in EVENINGS
            for known in [year.known(OPPORTUNITIES, key, evening)]
        )


def test_a_record_that_is_closed_in_time_never_slips():
    year = make_year(100)
    slipped = {key for key, _ in year.slips(CONTRACTS, EVENINGS)}
    in_time = {
        renewal.key
        for renewal in year.renewals()
        if renewal.decided_at is not None and renewal.decided_at.date() <= renewal.end
    }

    assert in_time
    assert slipped
    assert not slipped & in_time


def test_a_renewal_needs_an_owner_once_its_window_is_open_and_somebody_could_know_of_it():
    year = make_year(100)
    needed = [renewal for renewal in year.renewals() if renewal.needs_owner(EVENINGS)]

    assert needed
    for renewal in needed:
        assert not renewal.needs_owner([evening for evening in EVENINGS if evening < renewal.window_opens])
        assert not renewal.needs_owner([evening for evening in EVENINGS if evening >= renewal.window_opens])
