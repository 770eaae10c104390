"""``leadgate report`` on a real ledger: every figure is worked out by hand here, and found there.

Long as one file: one ledger, reported from every side, with figures that are counted here by hand.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import databases
import pytest
from commands import Cli, join_lines, read_json
from harness import KEY, NOW, Harness, make_actor, make_lead

from leadgate.figures import FIRST_TOUCHES
from leadgate.ledger import Ledger, open_ledger, ownership
from leadgate.ledger.figures import FIRST_TOUCH
from leadgate.ledger.said_outcomes import OUTCOME
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
REPORTED = NOW + 5.5 * HOUR


@pytest.fixture(scope="module")
def day(postgres: Ledger, loaded: LoadedPlaybook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with ten signals at 10:00 UTC, with an owner a minute later where they get one; and what these did.

    J1 is sales-qualified, and touched after an hour. J2 is given back after two. J3 is touched after five, which is
    late: the first touch was due at 14:01 UTC. J4 is overdue, and was escalated. J5 cannot be read, J6 has a broken
    address, J7 scores 0, J8 waits for a reviewer. J9 works for a competitor, J10 is the person of J1 again.
    """
    with databases.fresh(postgres) as (url,):
        with open_ledger(Settings(home=tmp_path_factory.mktemp("day"), database_url=url, key=KEY)) as ledger:
            _work(Harness(ledger, loaded))
        yield url.rpartition("/")[2].partition("?")[0]


def _work(harness: Harness) -> None:
    chief = {"Job title": "Chief of Nothing"}
    harness.capture(
        make_lead(1, **chief),
        make_lead(2),
        make_lead(3),
        make_lead(4),
        None,
        make_lead(6, Email="broken address"),
        make_lead(7, Company=""),
        make_lead(8, Company="", **chief),
    )
    harness.capture(make_lead(9, Email="somebody@rival.example"), make_lead(1), source="partner")
    harness.run(NOW + MINUTE)
    owners = dict(harness.rows("SELECT journey_id, owner FROM assignment"))  # type: ignore[arg-type]
    assert sorted(owners) == [1, 2, 3, 4]
    harness.activity("call", "lead1@company1.example", rep=owners[1], at=NOW + HOUR)
    harness.run(NOW + HOUR)
    rules = harness.loaded.playbook
    ownership.reject(
        harness.ledger, 2, by=make_actor(owners[2]), now=NOW + 2 * HOUR, reason="not_a_fit", playbook=rules
    )
    harness.activity("call", "lead3@company3.example", rep=owners[3], at=NOW + 5 * HOUR)
    harness.run(NOW + 5 * HOUR)
    assert harness.count_statuses() == {"done": 2, "nurture": 2, "owned": 1, "held": 3, "disqualified": 1, "joined": 1}
    assert harness.find_broken() == []


@pytest.fixture
def settings(postgres: Ledger, day: str, tmp_path: Path) -> Iterator[Settings]:
    """Each test has a copy of that day."""
    with databases.fresh(postgres, of=day) as (url,):
        yield Settings(home=tmp_path, database_url=url, lease_seconds=5.0, key=KEY)


def report(cli: Cli, *options: Any) -> Any:
    return read_json(cli("report", "--json", "--now", REPORTED, *options))


def row(rows: list[dict[str, Any]], **of: Any) -> dict[str, Any]:
    """The one of ``rows`` that has these values."""
    (found,) = [each for each in rows if all(each[name] == value for name, value in of.items())]
    return found


def has(found: dict[str, Any], **values: Any) -> bool:
    """Whether a row has these values, and fails with both where not."""
    assert {name: found[name] for name in values} == pytest.approx(values)
    return True


def test_the_funnel(cli: Cli) -> None:
    funnel = report(cli)["funnel"]
    assert {step["step"]: step["reached"] for step in funnel["steps"]} == {
        "signals": 10,
        "captured": 9,  # without J5
        "validated": 7,  # without J6, and J10 joined J1
        "enriched": 7,
        "qualified": 4,  # without J7, J8, J9
        "owned": 4,
        "touched": 2,  # J1, J3
    }
    enriched, owned = (row(funnel["steps"], step=name) for name in ("enriched", "owned"))
    assert has(enriched, on=4, now_nurture=1, now_held=1, now_disqualified=1, of_signals=0.7)
    assert has(owned, on=2, now_owned=1, now_nurture=1, of_before=1.0)
    website, partner = (row(funnel["by_source"], source=name) for name in ("website", "partner"))
    assert has(website, signals=8, qualified=4, owned=4, now_owned=1, now_held=3, qualified_share=0.5)
    assert has(partner, signals=2, captured=2, validated=1, qualified=0, now_joined=1, now_disqualified=1)
    assert {each["route"]: each["signals"] for each in funnel["by_route"]} == {"all_leads": 4, None: 6}
    assert {each["band"]: each["signals"] for each in funnel["by_band"]} == {
        None: 3,  # J5, J6, J10 were not scored
        "below 20": 1,  # J7
        "20 to 29": 1,  # J8
        "30 to 49": 4,  # J2, J3, J4 and J9, whose points did not help
        "50 and more": 1,  # J1
    }


def test_every_table_of_the_funnel_adds_up_to_the_signals(cli: Cli) -> None:
    funnel = report(cli)["funnel"]
    for table in ("by_source", "by_route", "by_band"):
        assert sum(each["signals"] for each in funnel[table]) == 10
        for each in funnel[table]:
            assert sum(count for name, count in each.items() if name.startswith("now_")) == each["signals"]
    for step in funnel["steps"]:
        assert step["on"] + sum(count for name, count in step.items() if name.startswith("now_")) == step["reached"]


def test_conversion(cli: Cli) -> None:
    conversion = report(cli)["conversion"]
    everybody, sales = (row(conversion["by_verdict"], verdict=name) for name in ("all", "sales_qualified"))
    # J1 and J3 were touched, and nobody said what they are worth; J2 was given back
    assert has(everybody, qualified=4, owned=4, touched=2, won=0, lost=1, undecided=3, accepted=0, rejected=1)
    assert has(everybody, won_share=0, touched_share=0.5, due=3, missed=2, missed_share=2 / 3)
    assert everybody["won_interval"] == pytest.approx([0, 0.7935], abs=1e-4)
    assert has(sales, qualified=1, decided=0, undecided=1, due=1, missed=0)
    assert [(each["score"], each["qualified"]) for each in conversion["by_score"]] == [("30 to 39", 3), ("50 to 59", 1)]
    assert [(each["reason"], each["leads"], each["share"]) for each in conversion["rejections"]] == [
        ("not_a_fit", 1, 1.0)
    ]


def test_a_first_touch_is_no_acceptance_and_an_acceptance_no_touch(cli: Cli, harness: Harness) -> None:
    harness.capture(make_lead(11), make_lead(12))
    harness.run(REPORTED)
    cli("accept", "J11", "--for", "bob", "--now", REPORTED)
    found = report(cli)
    everybody = row(found["conversion"]["by_verdict"], verdict="all")
    assert has(everybody, qualified=6, touched=2, won=1, lost=1, undecided=4, accepted=1, won_share=0.5)
    assert row(found["headlines"], figure="won")["value"] == 0.5
    # it is due in four working hours, accepted or not
    assert has(found["speed"]["overall"][0], assigned=6, touched=2, due=3, not_due=2, released=1)
    late = report(cli, "--now", REPORTED + 24 * HOUR)
    assert has(late["speed"]["overall"][0], due=5, missed=4, not_due=0)
    assert sum(each["overdue"] for each in late["load"]["reps"]) == 3  # J4, J11, J12


def test_what_counts_of_several_owners_is_of_the_last(cli: Cli, harness: Harness) -> None:
    """But who was touched, due or missed once stays so, and a rejection is of the last who gave the lead back."""
    at = REPORTED - HOUR
    harness.rows(
        "UPDATE assignment SET accepted_at = assigned_at, ended_at = :at, end_reason = 'rejected: too_small' "
        "WHERE journey_id = 4 RETURNING id",
        at=at,
    )
    harness.rows(
        "INSERT INTO assignment (journey_id, generation, owner, rule, turn, candidates, why, playbook_hash, assigned_at, "
        "ladder_step) SELECT 4, 1, owner, 'another_route', false, candidates, why, playbook_hash, :at, 0 "
        "FROM assignment WHERE journey_id = 4 RETURNING id",
        at=at,
    )
    found = report(cli)
    everybody = row(found["conversion"]["by_verdict"], verdict="all")
    assert has(everybody, qualified=4, owned=4, accepted=0, won=0, undecided=3, due=3, missed=2, rejected=2)
    assert {each["route"]: each["signals"] for each in found["funnel"]["by_route"]} == {
        "all_leads": 3, "another_route": 1, None: 6,
    }  # fmt: skip
    assert {each["reason"]: each["leads"] for each in found["conversion"]["rejections"]} == {
        "not_a_fit": 1, "too_small": 1,
    }  # fmt: skip


def test_won_lost_and_undecided_add_up_everywhere(cli: Cli, harness: Harness) -> None:
    harness.capture(make_lead(11))
    harness.run(REPORTED)
    cli("accept", "J11", "--for", "bob", "--now", REPORTED)
    found = report(cli)
    for table in ("by_source", "by_route", "by_band"):
        for each in found["funnel"][table]:
            assert each["won"] + each["lost"] + each["undecided"] == each["owned"]
    for table in ("by_verdict", "by_score", "by_source"):
        for each in found["conversion"][table]:
            assert each["won"] + each["lost"] + each["undecided"] == each["qualified"]
            assert each["won"] + each["lost"] == each["decided"]
    for table in ("overall", "by_rep", "by_pool", "by_hour"):
        for each in found["speed"][table]:
            assert sum(each[name] for name in FIRST_TOUCHES) == each["assigned"]
            assert each["kept"] + each["missed"] == each["due"]


def test_an_outcome_is_won_or_lost_as_the_playbook_says(harness: Harness) -> None:
    given = [("done", "outcome: sold"), ("done", "outcome: gone"), ("done", "touched"), ("nurture", "outcome: sold")]
    statement = f"SELECT {OUTCOME} FROM (VALUES {', '.join(map(str, given))}) x (status, end_reason), " + (
        "LATERAL (SELECT x.status) c, LATERAL (SELECT x.end_reason, false AS accepted, CAST(NULL AS text) AS said) w"
    )
    assert [each for (each,) in harness.rows(statement, lost=["outcome: gone"])] == ["won", "lost", "undecided", "lost"]


def test_every_first_touch_is_one_of_six_things(harness: Harness) -> None:
    """All orders of the moments of an assignment: due, touched, ended and now."""
    moments = [None, *(NOW + n * HOUR for n in (1, 2, 3))]
    past = [
        moment for moment in moments if moment is None or moment <= NOW + 2 * HOUR
    ]  # it is 12:00: no touch is ahead
    rows = [(due, touched, ended) for due in moments for touched in past for ended in past]
    values = ", ".join("(" + ", ".join(_timestamp(each) for each in one) + ")" for one in rows)
    statement = f"SELECT {FIRST_TOUCH} FROM (VALUES {values}) a (due_at, touched_at, ended_at)"
    found = [name for (name,) in harness.rows(statement, now=NOW + 2 * HOUR)]
    for name, (due, touched, ended) in zip(found, rows, strict=True):
        now, done = NOW + 2 * HOUR, touched or ended
        expected = {
            "no_sla": due is None,
            "missed": due is not None and (done > due if done else due <= now),
            "kept": touched is not None and due is not None and touched <= due <= now,
            "early": touched is not None and due is not None and due > now,
            "released": touched is None and ended is not None and due is not None and ended <= due,
            "not_due": done is None and due is not None and due > now,
        }
        assert [each for each, holds in expected.items() if holds] == [name]
    assert set(found) == set(FIRST_TOUCHES)


def _timestamp(moment: datetime | None) -> str:
    return f"CAST({'NULL' if moment is None else repr(moment.isoformat())} AS timestamptz)"


def test_the_period_before_is_told_beside_each_headline(cli: Cli, harness: Harness) -> None:
    later = NOW + 7 * 24 * HOUR
    harness.capture(make_lead(21), now=later)
    harness.run(later + 2 * MINUTE)
    week = ["--since", "2026-03-10", "--until", "2026-03-16", "--now", later + HOUR]
    found = read_json(cli("report", "--json", *week))
    assert found["period_before"]["since"].startswith("2026-03-03")
    headlines = {(each["section"], each["figure"]): each for each in found["headlines"]}
    assert has(headlines["funnel", "signals"], value=1, before=10, change=-9)
    assert has(headlines["speed", "to_owner"], value=120, before=60, change=60)
    assert headlines["speed", "in_time"]["before"] == pytest.approx(1 / 3)
    assert has(headlines["load", "open"], value=harness.count_statuses()["owned"], before=1)
    assert "10 in the period before, 9 fewer." in join_lines(cli("report", *week))


def test_each_scoring_rule(cli: Cli) -> None:
    rules = report(cli)["conversion"]["rules"]
    company, decides = (row(rules, rule=name) for name in ("has_company", "decides"))
    assert has(decides, points=25.0, decided_with=0, won_with=0, decided_without=1, won_without=0)
    assert decides["so"] is None
    assert has(company, decided_with=1, won_with=0, decided_without=0)
    assert (company["share_without"], company["lift"], company["so"]) == (None, None, None)


def test_speed_is_two_figures(cli: Cli) -> None:
    speed = report(cli, "--zone", "Europe/Berlin")["speed"]
    (overall,) = speed["overall"]
    assert has(overall, leads=4, owner_p50=60, owner_p95=60, assigned=4, touched=2)
    # touched 59 and 299 minutes after they were assigned; the line between them, at 50 and at 95 %
    assert has(overall, touch_p50=179 * 60, touch_p95=(59 + 0.95 * 240) * 60)
    assert has(overall, kept=1, missed=2, due=3, kept_share=1 / 3)  # J1; J3, J4; J2 ended before it was due
    assert [(each["pool"], each["leads"]) for each in speed["by_pool"]] == [("everybody", 4)]
    assert [(each["hour"], each["leads"], each["touched"]) for each in speed["by_hour"]] == [(11, 4, 2)]
    assert sum(each["leads"] for each in speed["by_rep"]) == 4


def test_the_period_over_time_adds_up_however_it_is_divided(cli: Cli) -> None:
    """J1 is touched in time, after 59 minutes; J3 after 4:59 hours, which is late, and J4 is overdue."""
    divided = {
        f"{NOW:%Y-%m-%d}": ("--since", f"{NOW - 29 * DAY:%Y-%m-%d}"),
        f"{NOW - NOW.weekday() * DAY:%Y-%m-%d}": ("--since", f"{NOW - 89 * DAY:%Y-%m-%d}"),
        f"{NOW:%Y-%m}": ("--since", f"{NOW - 400 * DAY:%Y-%m-%d}"),
    }
    for begins, since in divided.items():
        rows = report(cli, "--section", "trend", "--zone", "UTC", *since)["trend"]["trend"]
        found = row(rows, begins=begins)
        assert has(found, signals=10, owned=4, due=3, missed=2, kept_share=1 / 3, to_touch=10_740)
        assert rows[-1] == found
        assert len({each["begins"] for each in rows}) == len(rows) > 12
        assert sum(each["signals"] for each in rows) == 10


def test_the_period_over_time_of_one_rep(cli: Cli, harness: Harness) -> None:
    ((owner, n),) = harness.rows("SELECT owner, count(*) FROM assignment GROUP BY owner ORDER BY owner LIMIT 1")
    rows = report(cli, "--section", "trend", "--rep", owner)["trend"]["trend"]
    assert (sum(each["owned"] for each in rows), sum(each["signals"] for each in rows)) == (n, n)


def test_load_and_fairness(cli: Cli) -> None:
    load = report(cli)["load"]
    assert has(row(load["pools"], pool="everybody"), assigned=4, turns=4, deviation=0.0, epoch_turns=4)
    assert {each["rep"]: (each["turns"], each["expected"]) for each in load["turns"]} == {
        "ana": (1, 1.0),
        "bob": (2, 2.0),
        "cyn": (1, 1.0),
    }
    assert sum(each["open"] for each in load["reps"]) == sum(each["overdue"] for each in load["reps"]) == 1
    assert sum(each["today"] for each in load["reps"]) == 4


def test_clean_paths_and_those_that_needed_a_person(cli: Cli) -> None:
    paths = report(cli)["paths"]
    # J2 was given back, J4 escalated, J5, J6 and J8 are held
    assert has(row(paths["endings"], status="all"), journeys=10, clean=5, person=5, clean_share=0.5)
    assert has(row(paths["endings"], status="nurture"), clean=1, person=1)
    assert has(row(paths["stages"], stage="to_owner"), clean=2, clean_p50=60, person=2, person_p95=60)
    assert has(row(paths["stages"], stage="to_end"), clean=2, clean_p50=180 * 60, person=0)
    assert {(each["reason"], each["journeys"], each["open"]) for each in paths["reasons"]} == {
        ("unreadable_row", 1, 1),
        ("email_malformed", 1, 1),
        ("score_in_review_band", 1, 1),
        ("first_touch_overdue", 1, 1),
    }


def test_what_a_person_decided_shows_with_the_time_it_took(cli: Cli, harness: Harness) -> None:
    cli("rerun", "--reason", "score_in_review_band", "--done-by-hand", "looked", "--later", "--now", NOW + 2 * HOUR)
    harness.run(NOW + 3 * HOUR)
    found = report(cli)
    reviewed = row(found["paths"]["reasons"], reason="score_in_review_band")
    assert has(reviewed, open=0, closed_p50=119 * 60)
    assert has(row(found["funnel"]["by_band"], band="20 to 29"), qualified=1, owned=1)
    assert has(row(found["speed"]["overall"], leads=5), owner_p95=60 + 0.8 * (180 - 1) * 60)


def test_the_time_of_a_stage_adds_up_over_the_generations_of_a_journey(cli: Cli, harness: Harness) -> None:
    minutes = [(0, "capture", 1), (0, "validation", 2), (0, "enrichment", 4), (0, "qualification", 8)]
    minutes += [(1, "qualification", 68), (2, "qualification", 78), (2, "assignment", 80)]
    harness.rows("DELETE FROM handoff WHERE journey_id = 8 RETURNING id")
    for generation, stage, minute in minutes:
        harness.rows(
            "INSERT INTO handoff (journey_id, generation, stage, outcome, playbook_hash, at) "
            "SELECT 8, :generation, :stage, 'continued', min(hash), :at FROM playbook_version RETURNING id",
            generation=generation, stage=stage, at=NOW + minute * MINUTE,
        )  # fmt: skip
    harness.rows(
        "UPDATE journey SET generation = 2, source = 'partner', captured_at = :at WHERE id = 8 RETURNING id", at=NOW
    )
    harness.rows("UPDATE journey SET source = 'website' WHERE id IN (9, 10) RETURNING id")  # the others of that source
    stages = report(cli, "--source", "partner")["paths"]["stages"]
    assert {each["stage"]: (each["clean"], each["person"], each["person_p50"]) for each in stages} == {
        "capture": (0, 1, 60),
        "validation": (0, 1, 60),
        "enrichment": (0, 1, 120),
        "qualification": (0, 1, (4 + 60 + 10) * 60),
        "assignment": (0, 1, 120),
        "to_owner": (0, 1, 80 * 60),
    }


def test_an_accepted_lead_is_a_clean_path(cli: Cli, harness: Harness) -> None:
    harness.capture(make_lead(11))
    harness.run(REPORTED)
    cli("accept", "J11", "--for", "bob", "--now", REPORTED)
    found = report(cli)
    assert has(row(found["paths"]["endings"], status="owned"), clean=1, person=1)
    assert has(row(found["funnel"]["steps"], step="owned"), reached=5, on=2, now_owned=2)


def test_a_lead_that_comes_back_is_no_second_signal(cli: Cli, harness: Harness) -> None:
    harness.activity("demo_request", "lead7@company7.example", at=NOW + 5 * HOUR)
    harness.rows("UPDATE lead SET company = 'Company 7' WHERE id = 7 RETURNING id")
    harness.run(NOW + 5 * HOUR)
    funnel = report(cli)["funnel"]
    assert has(row(funnel["by_trigger"], trigger="rescore"), signals=1, qualified=1, owned=1, now_owned=1)
    assert funnel["steps"][0]["reached"] == 10


def test_a_source_and_a_period_leave_the_others_out(cli: Cli) -> None:
    partner = report(cli, "--source", "partner", "--section", "funnel")
    assert partner["funnel"]["steps"][0]["reached"] == 2
    head = {"period", "period_before", "as_of", "source", "rep", "signals_ever", "headlines"}
    assert partner.keys() == {*head, "funnel"}
    day = ["--since", "2026-03-04", "--until", "2026-03-04"]
    assert report(cli, *day)["funnel"]["steps"][0]["reached"] == 10
    assert report(cli, "--until", "2026-03-03")["funnel"]["steps"][0]["reached"] == 0
    # at 10:00 UTC it is the 5th already on Kiritimati, where days begin 14 hours earlier
    assert report(cli, *day, "--zone", "Pacific/Kiritimati")["funnel"]["steps"][0]["reached"] == 0


def test_one_rep_sees_their_own(cli: Cli, harness: Harness) -> None:
    owner = harness.one("SELECT owner FROM assignment WHERE journey_id = 4")
    found = report(cli, "--rep", owner)
    assert [each["owner"] for each in found["speed"]["by_rep"]] == [owner]
    assert (
        {each["rep"] for each in found["load"]["turns"]} == {each["rep"] for each in found["load"]["reps"]} == {owner}
    )
    (late,) = found["overdue"]["late"]
    assert has(late, journey="J4", overdue=89 * 60.0, sla="standard", ladder_step=2)
    assert "J4" in join_lines(cli("report", "--rep", owner, "--now", REPORTED))


def test_it_is_written_wherever_it_is_wanted_and_tells_nothing_personal(cli: Cli, tmp_path: Path) -> None:
    page, folder = tmp_path / "report.html", tmp_path / "tables"
    told = cli("report", "--now", REPORTED).stdout
    data = cli("report", "--now", REPORTED, "--json", "--csv", folder, "--html", page).stdout
    tables = {file.name: file.read_text(encoding="utf-8-sig") for file in folder.iterdir()}
    assert "From signal to first touch" in told
    assert "2026-02-03 to 2026-03-04, days and hours of Europe/Berlin" in told
    assert list(csv.DictReader(tables["funnel_steps.csv"].splitlines()))[1]["reached"] == "9"
    assert len(tables) == 22
    assert "<svg" in page.read_text()
    for written in (told, data, page.read_text(), *tables.values()):
        for personal in ("company1", "Number1", "Alex", "Company 1", "4930", "broken address", "Nothing"):
            assert personal not in written
    assert "Bob" in page.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--source", "websit"], "there is no source 'websit'; did you mean"),
        (["--rep", "anna"], "there is no rep 'anna'; did you mean"),
        (["--section", "fast"], "there is no section 'fast'"),
    ],
)
def test_what_is_misspelt_gets_the_nearest(cli: Cli, options: list[str], said: str) -> None:
    assert said in cli("report", *options, code=2).stderr
